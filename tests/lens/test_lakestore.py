from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from vitrina.lens.found import Found, FoundOffer, FoundProduct
from vitrina.lens.lakestore import LENS_TABLES, Asked, EventLog, search_rows
from vitrina.product import Money
from vitrina.storage.lake import Lake

NOW = datetime(2026, 6, 15, 12, tzinfo=UTC)


def product(*shops: str, category: tuple[str, ...] = ("Shoes", "Boots")) -> FoundProduct:
    price = Money(100, "EUR")
    offers = tuple(FoundOffer(shop, shop, "1", "Boot", price, None, None, price, True) for shop in shops)
    return FoundProduct("p", "Boot", "", category, "", 1.0, 1.0, offers)


def found(exact: tuple[FoundProduct, ...] = (), similar: tuple[FoundProduct, ...] = ()) -> Found:
    return Found("search-1", exact, similar, (0, 0, 1, 1), (), 80.0)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path / "lake", tables=LENS_TABLES)


def test_a_search_is_a_row_for_each_shop_that_it_showed() -> None:
    rows = search_rows(found((product("a", "b"),), (product("b"), product("c"))), Asked(with_box=True), NOW)

    kept = [(row["shop_id"], row["offers"], row["exact_offers"], row["outcome"], row["category"]) for row in rows]
    assert kept == [("a", 1, 1, "exact", "Shoes"), ("b", 2, 1, "exact", "Shoes"), ("c", 1, 0, "exact", "Shoes")]
    assert {row["search_id"] for row in rows} == {"search-1"}


def test_a_search_that_found_nothing_is_kept_with_the_category_that_was_nearest() -> None:
    [row] = search_rows(found(), Asked(category="Bags"), NOW)

    assert (row["shop_id"], row["outcome"], row["offers"], row["category"]) == ("", "nothing", 0, "Bags")


def test_searches_and_clicks_reach_the_lake(lake: Lake) -> None:
    with EventLog(lake, "web") as log, EventLog(lake, "web") as other:  # two processes
        log.log_search(found((product("a"),)), now=NOW)
        other.log_search(found(), now=NOW)
        price = Money(4990, "EUR")
        log.log_click(shop="a", offer_id="1", network="direct", price=price, cashback=None, search_id="s", now=NOW)

    day = date(2026, 6, 15)
    assert sorted(lake.expr("lens_searches", days=(day, day)).shop_id.to_pyarrow().to_pylist()) == ["", "a"]
    [click] = lake.expr("lens_clicks").to_pyarrow().to_pylist()
    assert (click["shop_id"], click["price_minor"], click["cashback_minor"]) == ("a", 4990, 0)


def test_nothing_in_the_lake_says_who_it_was() -> None:
    names = {name for spec in LENS_TABLES.values() for name in spec.schema.names}
    assert not names & {"wallet", "click_id", "address", "ip", "text", "photo", "user_agent"}


def test_old_events_are_forgotten(lake: Lake) -> None:
    with EventLog(lake, "web") as log:
        log.log_search(found(), now=NOW)

    assert lake.retain({"lens_events_days": 1}, datetime(2026, 6, 20, tzinfo=UTC), grace_s=0)["lens_searches"] == 1


def test_a_search_in_vain_counts_for_what_was_nearest() -> None:
    vain = Found("s", (), (), (0, 0, 1, 1), (), 1.0, nearest="Coats")
    assert search_rows(vain, Asked(), NOW)[0]["category"] == "Coats"
