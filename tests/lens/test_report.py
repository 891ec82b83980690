from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from vitrina.errors import InputError
from vitrina.lens import booking, clicks, shops, terms
from vitrina.lens.found import Found, FoundOffer, FoundProduct
from vitrina.lens.lakestore import LENS_TABLES, Asked, EventLog
from vitrina.lens.offer import Offer
from vitrina.lens.postback import Conversion
from vitrina.lens.report import category_rows, make_report, sheet_rows, told
from vitrina.lens.terms import TermSettings
from vitrina.product import Money, new_id
from vitrina.storage.database import Database
from vitrina.storage.lake import Lake

TODAY = datetime.now(UTC).date()
PRICE = Money(1000, "EUR")


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path / "lake", tables=LENS_TABLES)


def found(search_id: str, *shop_names: str) -> Found:
    offers = tuple(FoundOffer(shop, shop, "1", "Boot", PRICE, None, None, PRICE, True) for shop in shop_names)
    products = (FoundProduct("p", "Boot", "", ("Shoes",), "", 1.0, 1.0, offers),) if offers else ()
    return Found(search_id, products, (), (0, 0, 1, 1), (), 1.0)


def click(database: Database, log: EventLog, shop: str, search_id: str = "") -> str:
    offer = Offer(shop, "1", "Boot", "https://best.example/", PRICE, category=("Shoes",))
    with database.session() as session:
        done = clicks.open_click(session, offer, search_id=search_id)
    log.log_click(shop=shop, offer_id="1", network="direct", price=PRICE, cashback=None, search_id=search_id)
    return done.click_id


def order(database: Database, click_id: str, number: str, state: str = "pending") -> None:
    conversion = Conversion("direct", number, "", click_id, state, Decimal(10), None, "EUR")
    with database.session() as session:
        booking.take(session, conversion, who="test", now=datetime.now(UTC))


def test_searches_clicks_orders_and_cashback_by_shop(database: Database, lake: Lake) -> None:
    with database.session() as session:
        shops.save_shop(session, "best", by="me", name="Best", currency="EUR")
        terms.set_term(session, TermSettings("best", percent="10"), by="me", today=TODAY - timedelta(days=1))
    searches = [new_id() for _ in range(10)]
    with EventLog(lake, "test") as log:
        for number, search_id in enumerate(searches):
            log.log_search(found(search_id, "best", *(["small"] if number < 3 else [])))
        for _ in range(6):
            log.log_search(found(new_id()), Asked(category="Bags"))
        log.log_search(found(new_id()), Asked(category="Hats"))
        bought = [click(database, log, "best", search_id) for search_id in searches[:4]]
        click(database, log, "best", searches[0])
        click(database, log, "best")
    order(database, bought[0], "A")
    order(database, bought[0], "B")
    order(database, bought[1], "C", "approved")

    with database.reading() as session:
        report = make_report(session, lake, TODAY, TODAY, few=5)
        empty = make_report(session, lake, date(2020, 1, 1), date(2020, 1, 31), few=5)

    best, small = report.shops
    assert (best.name, best.searches, best.searches_clicked, best.clicks, best.clicks_bought) == ("Best", 10, 4, 6, 2)
    assert best.click_rate is not None
    assert (best.click_rate.value, round(best.click_rate.low, 3), round(best.click_rate.high, 3)) == (0.4, 0.168, 0.687)
    assert (best.orders, best.cashback) == (3, {("EUR", "pending"): 200, ("EUR", "approved"): 100})
    assert (small.searches, small.click_rate, small.clicks) == (None, None, 0)
    assert [(line.category, line.searches, line.nothing) for line in report.categories] == [
        ("Bags", 6, 6),
        ("Shoes", 10, 0),
    ]
    assert (report.searches, report.nothing, report.hidden, report.simulated) == (17, 7, 1, False)
    assert sheet_rows(report)[0][:4] == ["best", 10, 4, 0.4]
    assert category_rows(report)[0][:3] == ["Bags", 6, 6]
    assert told(report)["shops"][0]["cashback"][0] == {"state": "approved", "amount": "1.00 EUR"}
    assert (empty.shops, empty.searches, empty.categories) == ((), 0, ())


def test_a_period_that_ends_before_it_begins_is_refused(database: Database, lake: Lake) -> None:
    with database.reading() as session, pytest.raises(InputError, match="first day"):
        make_report(session, lake, TODAY, TODAY - timedelta(days=1), few=5)
