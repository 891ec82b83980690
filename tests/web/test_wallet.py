from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import httpx
import pytest

from vitrina.lens import booking
from vitrina.lens.clicks import LensClick
from vitrina.lens.postback import Conversion
from vitrina.lens.wallet import wallet_of

BROWSER = {"User-Agent": "Mozilla/5.0 (iPhone) Safari"}
Visit = Callable[[str], Any]


@pytest.fixture
def address(lens_home: Any, serve: Callable[..., str]) -> str:
    return serve(lens_home)


@pytest.fixture
def shopper(address: str, visit: Visit) -> Any:
    """Somebody with a phone and a cashback page of their own."""
    visitor = visit(address)
    visitor.http.headers["User-Agent"] = BROWSER["User-Agent"]
    visitor.secret = visitor.post("/cashback", "/cashback").headers["Location"].split("/")[2].partition("?")[0]
    return visitor


def click(home: Any) -> LensClick:
    database = home.database()
    with database.reading() as session:
        found = session.query(LensClick).order_by(LensClick.t.desc()).first()
    database.dispose()
    assert found is not None
    return found


def bought(home: Any, click_id: str, state: str = "pending", order_id: str = "A-77") -> None:
    database = home.database()
    with database.session() as session:
        told = Conversion("admitad", order_id, "sale", click_id, state, Decimal("49.90"), None, "EUR")
        booking.take(session, told, who="network:admitad", now=datetime.now(UTC))
    database.dispose()


def text(page: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page))


def test_a_page_is_made_by_a_button_and_only_its_hash_is_kept(lens_home: Any, shopper: Any) -> None:
    page = shopper.get(f"/cashback/{shopper.secret}?new=1")

    assert page.status_code == 200
    assert shopper.secret in page.text
    assert shopper.secret.encode() not in (lens_home.path / "vitrina.db").read_bytes()
    assert shopper.get("/cashback").headers["Location"] == f"/cashback/{shopper.secret}"


def test_a_script_of_the_page_gets_the_link_as_json(address: str, visit: Visit) -> None:
    visitor = visit(address)
    token = re.search(r'name="form_token" value="([^"]+)"', visitor.get("/cashback").text)
    assert token is not None
    answer = visitor.http.post("/cashback", data={"form_token": token[1]}, headers={"Accept": "application/json"})

    assert answer.status_code == 201
    assert "/cashback/" in answer.json()["url"]


def test_no_search_engine_and_no_other_site_learns_the_link(shopper: Any) -> None:
    page = shopper.get(f"/cashback/{shopper.secret}")

    assert page.headers["X-Robots-Tag"] == "noindex, nofollow"
    assert page.headers["Referrer-Policy"] == "same-origin"
    assert page.headers["Cache-Control"] == "no-store"
    assert 'name="robots" content="noindex' in page.text


def test_the_cookie_is_for_this_site_and_no_script(address: str, visit: Visit) -> None:
    cookie = visit(address).post("/cashback", "/cashback").headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie


def test_a_link_that_is_wrong_opens_nothing(address: str) -> None:
    for secret in ("x", "a" * 43, "%2e%2e", "' OR 1=1 --"):
        answer = httpx.get(f"{address}/cashback/{secret}", headers={"Accept": "text/html"}, timeout=60)
        assert answer.status_code == 404
        assert "there is no such cashback page" in answer.text


def test_clicks_of_this_browser_belong_to_the_wallet_until_it_says_stop(lens_home: Any, shopper: Any) -> None:
    shopper.get("/go/best/1")
    assert click(lens_home).wallet == wallet_of(shopper.secret)

    shopper.post(f"/cashback/{shopper.secret}/forget", f"/cashback/{shopper.secret}")
    shopper.get("/go/best/1")
    assert click(lens_home).wallet is None

    shopper.post(f"/cashback/{shopper.secret}/keep", f"/cashback/{shopper.secret}")
    shopper.get("/go/best/1")
    assert click(lens_home).wallet == wallet_of(shopper.secret)


def test_opening_somebodys_link_does_not_make_ones_clicks_theirs(
    lens_home: Any, address: str, shopper: Any, visit: Visit
) -> None:
    other = visit(address)
    other.http.headers["User-Agent"] = BROWSER["User-Agent"]
    other.get(f"/cashback/{shopper.secret}")
    other.get("/go/best/1")
    assert click(lens_home).wallet is None


def test_states_and_sums_are_shown(lens_home: Any, shopper: Any) -> None:
    shopper.get("/go/best/1")
    before = text(shopper.get(f"/cashback/{shopper.secret}").text)
    bought(lens_home, click(lens_home).click_id)
    pending = text(shopper.get(f"/cashback/{shopper.secret}").text)
    bought(lens_home, click(lens_home).click_id, "approved")
    approved = text(shopper.get(f"/cashback/{shopper.secret}").text)

    assert "Clicks without a purchase" in before
    assert "Boot €2.49" in before
    assert "Clicks without a purchase" not in pending
    assert "Waiting €2.49" in pending
    assert "Approved €2.49 Waiting €0.00 Paid €0.00" in approved
    assert "order A-77" in approved


def test_a_missing_purchase_is_asked_about_once(lens_home: Any, shopper: Any) -> None:
    shopper.get("/go/best/1")
    page, path = f"/cashback/{shopper.secret}", f"/cashback/{shopper.secret}/missing"
    given = {"click": click(lens_home).click_id, "order_number": "DE-1", "note": "in the evening"}

    assert shopper.post(path, page, **given | {"order_number": " "}).status_code == 400
    assert shopper.post(path, page, **given).status_code == 303
    assert shopper.post(path, page, **given).status_code == 409
    assert "we ask the shop" in shopper.get(page).text


def test_nobody_asks_about_a_click_of_somebody_else(lens_home: Any, address: str, shopper: Any, visit: Visit) -> None:
    shopper.get("/go/best/1")
    other = visit(address)
    secret = other.post("/cashback", "/cashback").headers["Location"].split("/")[2].partition("?")[0]
    given = {"click": click(lens_home).click_id, "order_number": "DE-1"}

    assert other.post(f"/cashback/{secret}/missing", f"/cashback/{secret}", **given).status_code == 404


def test_forms_without_the_pages_token_are_refused(shopper: Any) -> None:
    for path in ("/cashback", f"/cashback/{shopper.secret}/keep", f"/cashback/{shopper.secret}/missing"):
        assert shopper.http.post(path, data={"click": "x"}).status_code == 403


def test_one_address_cannot_make_pages_without_end(address: str, visit: Visit) -> None:
    visitor = visit(address)
    answers = [visitor.post("/cashback", "/sign-in").status_code for _ in range(14)]
    assert answers == [303] * 10 + [429] * 4
