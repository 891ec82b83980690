"""What an error leaves in the log."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from typing import Any

import httpx
import pytest

from vitrina.web import problems
from vitrina.web.problems import LastResort, loggable

TOKEN = "q7JvN0b-still-valid"


@pytest.mark.parametrize(
    ("path", "logged"),
    [
        (f"/invitations/{TOKEN}", "/invitations/***"),
        (f"/links/{TOKEN}/more", "/links/***"),
        (f"/links/\n{TOKEN}", "/links/***"),
        ("/people/invitations", "/people/invitations"),
        ("/shops/demo-berlin", "/shops/demo-berlin"),
    ],
)
def test_a_path_is_logged_without_the_token_of_a_link(path: str, logged: str) -> None:
    assert loggable(path) == logged


def test_a_link_that_could_not_be_followed_stays_out_of_the_log(
    empty_home: Any, serve: Any, caplog: pytest.LogCaptureFixture
) -> None:
    address = serve(empty_home)
    with closing(sqlite3.connect(empty_home.path / "vitrina.db")) as connection:
        connection.execute("DROP TABLE invitations")
    form = httpx.get(f"{address}/links/{TOKEN}", headers={"Accept": "text/html"}, timeout=60)
    form_token = form.text.partition('name="form_token" value="')[2].partition('"')[0]

    answer = httpx.post(f"{address}/links/{TOKEN}", data={"form_token": form_token}, cookies=form.cookies, timeout=60)

    assert answer.status_code >= 500
    told = "".join(record.getMessage() for record in caplog.records if record.name == problems.__name__)
    assert "POST /links/***" in told
    assert TOKEN not in told


@pytest.mark.parametrize("folder", ["invitations", "links"])
def test_an_error_that_nobody_expected_is_logged_without_the_token(
    folder: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def fail(scope: Any, receive: Any, send: Any) -> None:
        raise RuntimeError("a mistake of ours")

    async def ask() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(LastResort(fail)), base_url="http://here") as client:
            return await client.get(f"/{folder}/{TOKEN}")

    answer = asyncio.run(ask())

    told = "".join(record.getMessage() for record in caplog.records if record.name == problems.__name__)
    assert answer.status_code == 500
    assert f"at /{folder}/***" in told
    assert TOKEN not in told
