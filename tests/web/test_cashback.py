from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import httpx
import pytest

from vitrina.lens import booking, ledger, missing, wallet
from vitrina.lens.clicks import LensClick, open_click
from vitrina.lens.found import Found, FoundOffer, FoundProduct
from vitrina.lens.lakestore import LENS_TABLES, EventLog
from vitrina.lens.offer import Offer
from vitrina.lens.postback import Conversion
from vitrina.product import Money, new_id
from vitrina.storage.lake import Lake

OFFER = Offer("best", "1", "Boot", "https://best.example/1", Money(4990, "EUR"), category=("Shoes",))


def told(click_id: str, order_id: str, state: str = "pending") -> Conversion:
    return Conversion("admitad", order_id, "sale", click_id, state, Decimal("49.90"), Decimal(5), "EUR")


@pytest.fixture
def click_id(lens_home: Any) -> str:
    """A click of a wallet, with one order that waits and one that is approved and was held long enough."""
    database = lens_home.database()
    with database.session() as session:
        owner = wallet.wallet_of(wallet.open_wallet(session))
        click = open_click(session, OFFER, wallet=owner).click_id
        booking.take(session, told(click, "WAITS"), who="network:admitad", now=datetime.now(UTC))
        old = datetime.now(UTC) - timedelta(days=20)
        booking.take(session, told(click, "READY", "approved"), who="network:admitad", now=old)
    database.dispose()
    return click


@pytest.fixture
def anna(lens_home: Any, click_id: str, serve: Callable[..., str], visit: Callable[[str], Any]) -> Any:
    lens_home.person("anna@example.org", ("admin", None), name="Anna")
    visitor = visit(serve(lens_home))
    visitor.sign_in("anna@example.org")
    return visitor


def states(home: Any) -> dict[str, str]:
    database = home.database()
    with database.reading() as session:
        found = {row.order_id: row.state for row in ledger.list_cashback(session)}
    database.dispose()
    return found


def ids(home: Any, *order_ids: str) -> list[str]:
    database = home.database()
    with database.reading() as session:
        found = [row.cashback_id for row in ledger.list_cashback(session) if row.order_id in order_ids]
    database.dispose()
    return found


def text(page: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page))


def test_the_ledger_is_filtered_by_its_address(anna: Any) -> None:
    everything = anna.get("/catalog/cashback").text
    waiting = anna.get("/catalog/cashback?state=pending&shop=best&network=admitad&from=&to=").text

    assert "WAITS" in everything
    assert "READY" in everything
    assert "WAITS" in waiting
    assert "READY" not in waiting
    assert anna.get("/catalog/cashback?state=lost").status_code == 400
    assert anna.get("/catalog/cashback?from=yesterday").status_code == 400
    assert anna.get("/catalog/cashback?to=9999-12-31").status_code == 400


def test_what_is_ticked_is_decided_and_what_may_not_is_named(lens_home: Any, anna: Any) -> None:
    done = anna.post(
        "/catalog/cashback/move", "/catalog/cashback", to="approved", why="seen", ids=ids(lens_home, "WAITS", "READY")
    )

    assert "1 changed." in done.text
    assert "order READY: it is approved; it can become paid, not approved" in done.text
    assert states(lens_home) == {"WAITS": "approved", "READY": "approved"}


def test_only_what_was_held_long_enough_is_paid(lens_home: Any, anna: Any) -> None:
    anna.post("/catalog/cashback/move", "/catalog/cashback", to="approved", ids=ids(lens_home, "WAITS"))
    done = anna.post("/catalog/cashback/move", "/catalog/cashback", to="paid", ids=ids(lens_home, "WAITS", "READY"))

    assert "order WAITS: it is held until" in done.text
    assert states(lens_home) == {"WAITS": "approved", "READY": "paid"}


def test_nothing_moves_without_the_pages_token_or_into_a_state_that_is_none(lens_home: Any, anna: Any) -> None:
    given = {"to": "approved", "ids": ids(lens_home, "WAITS")}
    assert anna.http.post("/catalog/cashback/move", data=given).status_code == 403
    assert anna.post("/catalog/cashback/move", "/catalog/cashback", **given | {"to": "expired"}).status_code == 400
    assert states(lens_home)["WAITS"] == "pending"


def test_the_ledger_is_a_file(anna: Any) -> None:
    answer = anna.get("/catalog/cashback/ledger.csv?state=pending")
    lines = answer.text.splitlines()

    assert answer.headers["Content-Type"].startswith("text/csv")
    assert len(lines) == 2
    assert "WAITS,sale,pending,4990,500,249,EUR" in lines[1]


def test_one_claim_is_traced_by_its_sub_id(anna: Any, click_id: str) -> None:
    found = anna.get(f"/catalog/cashback/trace?sub_id=%20{click_id}")
    page = text(anna.get(found.headers["Location"]).text)

    assert "49.90 EUR" in page
    assert "Order READY approved" in page
    assert "network:admitad" in page
    assert anna.get("/catalog/cashback/trace/unknown").status_code == 404


def test_a_missing_purchase_is_answered_and_counts_once_when_the_network_reports_it(lens_home: Any, anna: Any) -> None:
    database = lens_home.database()
    with database.session() as session:
        owner = wallet.wallet_of(wallet.open_wallet(session))
        assert owner is not None
        click = open_click(session, OFFER, wallet=owner).click_id
        missing.miss(session, owner, click, order_id="DE-1", note="", now=datetime.now(UTC))
    path = f"/catalog/cashback/missing/{click}"

    assert anna.post(path, "/catalog/cashback", found="true", words="here it is").status_code == 303
    assert anna.post(path, "/catalog/cashback", found="false").status_code == 409
    assert states(lens_home)["DE-1"] == "pending"
    with database.session() as session:
        booking.take(session, told(click, "DE-1", "approved"), who="network:admitad", now=datetime.now(UTC))
    with database.reading() as session:
        found = [row for row in ledger.list_cashback(session) if row.order_id == "DE-1"]
    database.dispose()
    assert [(row.network, row.state, row.cashback_minor) for row in found] == [("admitad", "approved", 249)]


def test_terms_are_set_and_removed_on_their_page(anna: Any) -> None:
    page = "/catalog/cashback/terms"
    assert anna.post(page, page, shop="best", percent="7", category="Shoes > Boots").status_code == 303
    again = anna.post(page, page, shop="best", percent="8", category="Shoes > Boots")
    assert again.status_code == 409
    assert "already" in again.text
    assert anna.post(page, page, shop="best", percent="8", category="Shoes > Boots", replace="true").status_code == 303
    found = anna.get(page).text
    assert "Shoes › Boots" in found
    term_id = re.search(r"/terms/([0-9a-f-]{36})/remove", found)
    assert term_id is not None
    assert anna.post(f"{page}/{term_id[1]}/remove", page).status_code == 303


def test_the_report_shows_the_way_from_clicks_to_cashback(anna: Any) -> None:
    page = text(anna.get("/catalog/report").text)
    assert "Best" in page
    assert "€2.49 waiting" in page
    assert anna.get("/catalog/report?from=2026-02-01&to=2026-01-01").status_code == 400
    early = anna.get("/catalog/report?to=0001-01-05")
    assert (early.status_code, "to: expected a day of the years 2000 to 2200" in early.text) == (400, True)
    assert anna.get("/catalog/report/shops.csv").text.startswith("shop,searches,")
    assert anna.get("/catalog/report/categories.csv").text.startswith("category,")


def test_the_report_shows_how_many_searches_led_to_a_click(lens_home: Any, anna: Any) -> None:
    offer = FoundOffer("best", "Best", "1", "Boot", OFFER.price, None, None, OFFER.price, True)
    product = FoundProduct("p", "Boot", "", ("Shoes",), "", 1.0, 1.0, (offer,))
    searches = [new_id() for _ in range(lens_home.settings.k_anonymity)]
    with EventLog(Lake(lens_home.settings.lake, tables=LENS_TABLES), "test") as log:
        for search_id in searches:
            log.log_search(Found(search_id, (product,), (), (0, 0, 1, 1), (), 1.0))
    database = lens_home.database()
    with database.session() as session:
        open_click(session, OFFER, search_id=searches[0], place=2)
    database.dispose()

    page = text(anna.get("/catalog/report").text)

    assert "Clicks on what was found" in page
    assert "that found the same product" in page
    assert "A weak signal" in page


@pytest.mark.parametrize(("role", "sees"), [("analyst", 200), ("seller", 403)])
def test_who_only_looks_changes_nothing(
    lens_home: Any, click_id: str, serve: Callable[..., str], visit: Callable[[str], Any], role: str, sees: int
) -> None:
    lens_home.person("kim@example.org", (role, None))
    kim = visit(serve(lens_home))
    kim.sign_in("kim@example.org")

    for path in ("", "/terms", "/ledger.csv", f"/trace/{click_id}"):
        assert kim.get(f"/catalog/cashback{path}").status_code == sees
    assert kim.get("/catalog/report").status_code == sees
    moved = kim.post("/catalog/cashback/move", "/account", to="approved", ids=ids(lens_home, "WAITS"))
    assert moved.status_code == 403
    assert states(lens_home)["WAITS"] == "pending"


def test_clicks_that_led_to_nothing_are_forgotten_and_the_others_kept(lens_home: Any, click_id: str) -> None:
    database = lens_home.database()
    with database.session() as session:
        open_click(session, OFFER)
    with database.session() as session:
        assert missing.forget_clicks(session, datetime.now(UTC) + timedelta(seconds=1)) == 1
    with database.reading() as session:
        assert [row.click_id for row in session.query(LensClick)] == [click_id]
    database.dispose()


def test_a_part_that_is_not_there_has_no_pages(empty_home: Any, serve: Callable[..., str]) -> None:
    from dataclasses import replace

    home = replace(empty_home, settings=replace(empty_home.settings, parts=("floor",)))
    assert httpx.get(f"{serve(home)}/cashback", headers={"Accept": "application/json"}, timeout=60).status_code == 404
