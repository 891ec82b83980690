"""Browsers without a screen: a client that keeps cookies and sends forms as a page would."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from vitrina.lens import intake, shops
from vitrina.lens.shops import FeedSettings
from vitrina.storage.secrets import SecretBox

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


class Shelf:
    """A home of lens, and feeds that are imported into it."""

    def __init__(self, home: Any, folder: Path) -> None:
        self.home, self._folder = home, folder

    def take(self, shop: str, *offers: str) -> str:
        """Import the shop's feed as it is now, whole; the feed's id."""
        path = self._folder / f"{shop}.xml"
        path.write_text(
            "<yml_catalog><shop><name>Best</name><currencies><currency id='EUR' rate='1'/></currencies>"
            f"<offers>{''.join(offers)}</offers></shop></yml_catalog>"
        )
        database = self.home.database()
        with database.session() as session:
            shops.save_shop(session, shop, by="test", name=shop.title(), currency="EUR")
            given, box = FeedSettings(str(path)), SecretBox(self.home.path)
            feed_id = shops.save_feed(session, shop, given, box=box, by="test").feed_id
        intake.take_in(self.home.settings, database, feed_id)
        database.dispose()
        return feed_id

    @staticmethod
    def offer(offer_id: str, price: str = "49.90", gtin: str = "") -> str:
        return (
            f"<offer id='{offer_id}'><name>Boot {offer_id}</name><url>https://best.example/{offer_id}</url>"
            f"<price>{price}</price><barcode>{gtin}</barcode></offer>"
        )


@pytest.fixture
def shelf(lens_home: Any, tmp_path: Path) -> Shelf:
    return Shelf(lens_home, tmp_path)
