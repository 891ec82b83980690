"""Clicks on what searches found, as a weak signal."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from vitrina.lens.clicks import clicked_places, open_click
from vitrina.lens.clickthrough import Searched, lines, read_searches, told
from vitrina.lens.found import Found, FoundOffer, FoundProduct
from vitrina.lens.lakestore import LENS_TABLES, Asked, EventLog
from vitrina.lens.offer import Offer
from vitrina.product import Money, new_id
from vitrina.storage.database import Database
from vitrina.storage.lake import Lake

PRICE = Money(1000, "EUR")
TODAY = datetime.now(UTC).date()


def searched(*ranks: int, day: date = date(2026, 11, 4), category: str = "Shoes", with_box: bool = False) -> Searched:
    return Searched(new_id(), day, category, "exact", with_box, ranks)


def test_shares_and_places_of_the_first_click_with_intervals() -> None:
    some = [searched(1, 4), searched(1), searched(2), searched(4), *[searched()] * 4]

    whole = lines(some, few=4)[0]

    assert (whole.by, whole.searches, whole.clicked, whole.ranked) == ("all", 8, 4, 4)
    assert (whole.rate.value, round(whole.rate.low, 3), round(whole.rate.high, 3)) == (0.5, 0.215, 0.785)
    assert whole.first is not None
    assert whole.first.value == 0.5
    assert whole.reciprocal is not None
    assert whole.reciprocal.value == pytest.approx((1 + 1 + 1 / 2 + 1 / 4) / 4)
    assert 0.25 <= whole.reciprocal.low < whole.reciprocal.value < whole.reciprocal.high <= 1


def test_a_click_whose_place_nobody_knows_counts_as_a_click_and_not_as_a_place() -> None:
    whole = lines([searched(0), searched(3), searched()], few=1)[0]

    assert (whole.clicked, whole.ranked) == (2, 1)
    assert whole.reciprocal is not None
    assert whole.reciprocal.value == pytest.approx(1 / 3)


def test_lines_by_box_category_and_week_and_none_that_stands_on_too_few() -> None:
    monday, sunday = date(2026, 11, 2), date(2026, 11, 8)
    some = [searched(1, day=monday), searched(day=sunday), searched(1, with_box=True, category="Bags", day=monday)]

    found = {(one.by, one.name): (one.searches, one.clicked) for one in lines(some, few=2)}

    assert found == {
        ("all", ""): (3, 2),
        ("box", "no"): (2, 1),
        ("found", "exact"): (3, 2),
        ("category", "Shoes"): (2, 1),
        ("week", "2026-11-02"): (3, 2),
    }
    assert lines([], few=2) == ()
    assert lines(some, few=3)[0].first is None


def found(search_id: str, *, nothing: bool = False) -> Found:
    offers = tuple(FoundOffer(shop, shop, "1", "Boot", PRICE, None, None, PRICE, True) for shop in ("a", "b"))
    products = () if nothing else (FoundProduct("p", "Boot", "", ("Shoes",), "", 1.0, 1.0, offers),)
    return Found(search_id, products, (), (0, 0, 1, 1), (), 1.0)


def test_searches_come_from_the_lake_once_each_and_clicks_from_the_database(database: Database, tmp_path: Path) -> None:
    lake = Lake(tmp_path / "lake", tables=LENS_TABLES)
    clicked, looked, vain = new_id(), new_id(), new_id()
    with EventLog(lake, "test") as log:
        log.log_search(found(clicked), Asked(with_box=True))
        log.log_search(found(looked))
        log.log_search(found(vain, nothing=True))
    offer = Offer("a", "1", "Boot", "https://a.example/", PRICE)
    with database.session() as session:
        for place in (3, 1, None, 0, 10_000):
            open_click(session, offer, search_id=clicked, place=place)
        open_click(session, offer, place=2)

    with database.reading() as session:
        some = {one.search_id: one for one in read_searches(lake, TODAY, TODAY, clicked_places(session, TODAY, TODAY))}

    assert set(some) == {clicked, looked}
    assert (some[clicked].ranks, some[clicked].with_box) == ((3, 1, 0, 0, 0), True)
    assert some[looked].ranks == ()
    [whole] = [one for one in told(lines(list(some.values()), few=1))["lines"] if one["by"] == "all"]
    assert (whole["searches"], whole["searches_with_click"], whole["first"]["value"]) == (2, 1, 0.0)
