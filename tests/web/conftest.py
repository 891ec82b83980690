"""Browsers without a screen: a client that keeps cookies and sends forms as a page would."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

PASSWORD = "correct horse battery"


class Visitor:
    """Somebody with a browser: cookies, pages, and forms with the token of the page they stand on."""

    def __init__(self, address: str) -> None:
        self.http = httpx.Client(base_url=address, headers={"Accept": "text/html"}, timeout=60)

    def get(self, path: str, **options: Any) -> httpx.Response:
        return self.http.get(path, **options)

    def post(self, path: str, page: str, **fields: Any) -> httpx.Response:
        """Fill in the form that `page` shows and send it to `path`."""
        return self.http.post(path, data={"form_token": form_token(self.get(page).text), **fields})

    def sign_in(self, email: str, password: str = PASSWORD) -> httpx.Response:
        return self.post("/sign-in", "/sign-in", email=email, password=password)


def form_token(page: str) -> str:
    found = re.search(r'name="form_token" value="([^"]+)"', page)
    assert found is not None, page[:2000]
    return found[1]


@pytest.fixture
def visit() -> Iterator[Callable[[str], Visitor]]:
    """visit(address) → a new browser."""
    visitors: list[Visitor] = []

    def start(address: str) -> Visitor:
        visitors.append(Visitor(address))
        return visitors[-1]

    yield start
    for visitor in visitors:
        visitor.http.close()
