"""From searches to money: searches → clicks → orders → cashback by shop, and photos that found nothing, by category."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from math import isnan
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from vitrina.errors import InputError
from vitrina.lens import clickthrough
from vitrina.lens.clicks import LensClick, clicked_places
from vitrina.lens.lakestore import LENS_CLICKS, LENS_SEARCHES, NOTHING
from vitrina.lens.ledger import LensCashback
from vitrina.lens.shops import list_shops
from vitrina.lens.trace import amount_of
from vitrina.storage.lake import Lake
from vitrina.worth.interval import Interval, wilson

MOST_DAYS = 800


@dataclass(frozen=True, slots=True)
class ShopLine:
    """One shop over the period. Counts that are None are too small to be shown.

    searches: that showed the shop. searches_clicked: of them, with a click on it. clicks: all, also without a search.
    clicks_bought: of them, with an order. cashback: (currency, state) → minor units of those orders.
    """

    shop: str
    name: str
    searches: int | None
    searches_clicked: int | None
    click_rate: Interval | None
    clicks: int | None
    clicks_bought: int
    order_rate: Interval | None
    orders: int
    cashback: Mapping[tuple[str, str], int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CategoryLine:
    """Searches whose nearest product was of this category. nothing: of them, that found nothing alike."""

    category: str
    searches: int
    nothing: int
    share: Interval


@dataclass(frozen=True, slots=True)
class Report:
    """searches, nothing: None when too few. hidden: categories too small to be shown. few: what too few means."""

    first: date
    last: date
    searches: int | None
    nothing: int | None
    shops: tuple[ShopLine, ...]
    categories: tuple[CategoryLine, ...]
    hidden: int
    simulated: bool
    few: int
    clicked: tuple[clickthrough.ClickLine, ...] = ()


def make_report(session: Session, lake: Lake, first: date, last: date, *, few: int) -> Report:
    """few: groups with fewer searches or clicks are not shown (`k_anonymity`). Raises InputError for a wrong period."""
    if last < first or (last - first).days >= MOST_DAYS:
        raise InputError(f"expected a first day, and a last one within {MOST_DAYS} days of it, got {first} to {last}")
    shown, clicked, categories, simulated = _searches(lake, first, last)
    clicks, orders = _clicks(session, first, last), _orders(session, first, last)
    names = {shop.slug: shop.name for shop in list_shops(session)}
    found = sorted({*shown, *clicks} - {""})
    big = {name: counts for name, counts in categories.items() if counts[0] >= few}
    everything = [sum(counts[at] for counts in categories.values()) for at in (0, 1)]
    searched = clickthrough.read_searches(lake, first, last, clicked_places(session, first, last))
    return Report(
        first=first,
        last=last,
        searches=_enough(everything[0], few),
        nothing=everything[1] if everything[0] >= few else None,
        shops=tuple(_line(shop, names.get(shop, shop), shown, clicked, clicks, orders, few) for shop in found),
        categories=tuple(
            CategoryLine(name, searches, nothing, wilson(nothing, searches))
            for name, (searches, nothing) in sorted(big.items(), key=lambda one: (-one[1][1], one[0]))
        ),
        hidden=len(categories) - len(big),
        simulated=simulated,
        few=few,
        clicked=clickthrough.lines(searched, few=few),
    )


def _line(
    shop: str,
    name: str,
    shown: Mapping[str, int],
    clicked: Mapping[str, int],
    clicks: Mapping[str, tuple[int, int]],
    orders: Mapping[str, dict[tuple[str, str], tuple[int, int]]],
    few: int,
) -> ShopLine:
    searches, then_clicked = shown.get(shop, 0), clicked.get(shop, 0)
    all_clicks, bought = clicks.get(shop, (0, 0))
    enough = searches >= few
    return ShopLine(
        shop=shop,
        name=name,
        searches=_enough(searches, few),
        searches_clicked=then_clicked if enough else None,
        click_rate=wilson(then_clicked, searches) if enough else None,
        clicks=_enough(all_clicks, few),
        clicks_bought=bought,
        order_rate=wilson(bought, all_clicks) if all_clicks >= few else None,
        orders=sum(count for count, _ in orders.get(shop, {}).values()),
        cashback={key: minor for key, (_, minor) in orders.get(shop, {}).items() if minor},
    )


def _enough(count: int, few: int) -> int | None:
    return count if count == 0 or count >= few else None


def _searches(
    lake: Lake, first: date, last: date
) -> tuple[dict[str, int], dict[str, int], dict[str, tuple[int, int]], bool]:
    """By shop: searches that showed it, and those of them with a click; by category: searches, and in vain."""
    searches = lake.expr(LENS_SEARCHES.name, days=(first, last))
    clicks = lake.expr(LENS_CLICKS.name, days=(first, last + timedelta(days=1)))  # somebody may click after midnight
    pairs = searches.select("shop_id", "search_id").distinct()
    clicked = pairs.semi_join(clicks.select("shop_id", "search_id"), ["shop_id", "search_id"])
    each = searches.select("search_id", "category", "outcome", "simulated").distinct()
    by_category = each.group_by("category", "outcome", "simulated").agg(n=each.count()).to_pyarrow().to_pylist()
    categories: dict[str, tuple[int, int]] = {}
    for row in by_category:
        there, nothing = categories.get(row["category"], (0, 0))
        in_vain = row["n"] if row["outcome"] == NOTHING else 0
        categories[row["category"]] = (there + row["n"], nothing + in_vain)
    return _counted(pairs), _counted(clicked), categories, any(row["simulated"] for row in by_category)


def _counted(pairs: Any) -> dict[str, int]:
    rows = pairs.group_by("shop_id").agg(n=pairs.count()).to_pyarrow().to_pylist()
    return {row["shop_id"]: row["n"] for row in rows}


def _clicks(session: Session, first: date, last: date) -> dict[str, tuple[int, int]]:
    """By shop: clicks, and those of them that led to an order."""
    bought = sa.exists().where(LensCashback.click_id == LensClick.click_id)
    query = sa.select(LensClick.shop, sa.func.count(), sa.func.sum(sa.case((bought, 1), else_=0)))
    rows = session.execute(query.where(*_within(first, last)).group_by(LensClick.shop))
    return {shop: (count, int(with_order or 0)) for shop, count, with_order in rows}


def _orders(session: Session, first: date, last: date) -> dict[str, dict[tuple[str, str], tuple[int, int]]]:
    """By shop, then currency and state: orders after the period's clicks, and their cashback."""
    query = (
        sa.select(
            LensClick.shop,
            LensCashback.currency,
            LensCashback.state,
            sa.func.count(),
            sa.func.sum(LensCashback.cashback_minor),
        )
        .join(LensCashback, LensCashback.click_id == LensClick.click_id)
        .where(*_within(first, last))
        .group_by(LensClick.shop, LensCashback.currency, LensCashback.state)
    )
    found: dict[str, dict[tuple[str, str], tuple[int, int]]] = defaultdict(dict)
    for shop, currency, state, count, minor in session.execute(query):
        found[shop][currency, state] = (count, int(minor))
    return found


def _within(first: date, last: date) -> tuple[sa.ColumnElement[bool], ...]:
    begin, end = (datetime.combine(day, time(), UTC) for day in (first, last + timedelta(days=1)))
    return LensClick.t >= begin, LensClick.t < end


# ── for programs ────────────────────────────────────────────────────────────────────────────────


def told(report: Report) -> dict[str, Any]:
    return {
        "from": report.first.isoformat(),
        "to": report.last.isoformat(),
        "simulated": report.simulated,
        "fewer_than_is_hidden": report.few,
        "searches": report.searches,
        "found_nothing": report.nothing,
        "shops": [
            {
                "shop": line.shop,
                "searches": line.searches,
                "searches_with_click": line.searches_clicked,
                "click_rate": _interval(line.click_rate),
                "clicks": line.clicks,
                "clicks_with_order": line.clicks_bought,
                "order_rate": _interval(line.order_rate),
                "orders": line.orders,
                "cashback": [
                    {"state": state, "amount": amount_of(minor, currency)}
                    for (currency, state), minor in sorted(line.cashback.items())
                ],
            }
            for line in report.shops
        ],
        "categories": [
            {"category": line.category, "searches": line.searches, "found_nothing": line.nothing}
            | {"share": _interval(line.share)}
            for line in report.categories
        ],
        "clickthrough": clickthrough.told(report.clicked),
    }


SHEET = (
    *("shop", "searches", "searches_with_click", "click_rate", "click_rate_low", "click_rate_high"),
    *("clicks", "clicks_with_order", "order_rate", "order_rate_low", "order_rate_high", "orders", "cashback"),
)


def sheet_rows(report: Report) -> list[list[Any]]:
    """The shops under `SHEET`."""
    return [
        [
            line.shop,
            line.searches,
            line.searches_clicked,
            *_three(line.click_rate),
            line.clicks,
            line.clicks_bought,
            *_three(line.order_rate),
            line.orders,
            "; ".join(f"{state} {amount_of(minor, currency)}" for (currency, state), minor in line.cashback.items()),
        ]
        for line in report.shops
    ]


CATEGORY_SHEET = ("category", "searches", "found_nothing", "share", "share_low", "share_high")


def category_rows(report: Report) -> list[list[Any]]:
    """What found nothing under `CATEGORY_SHEET`."""
    return [[line.category, line.searches, line.nothing, *_three(line.share)] for line in report.categories]


def _three(interval: Interval | None) -> list[float | None]:
    if interval is None or isnan(interval.value):
        return [None, None, None]
    return [round(value, 4) for value in (interval.value, interval.low, interval.high)]


def _interval(interval: Interval | None) -> dict[str, Any] | None:
    return None if interval is None else dict(zip(("value", "low", "high"), _three(interval), strict=True))
