"""Periods of one shop for the pages and the API: what was asked for, and its figures, computed once."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Annotated

from fastapi import Query

from vitrina.errors import InputError
from vitrina.floor.layout import Layout, Shop
from vitrina.floor.measures.compared import PeriodFigures
from vitrina.floor.measures.ledger import Ledger
from vitrina.floor.measures.period import Span, before, check, marks_of, period_figures, year_before
from vitrina.floor.measures.sums import SOURCES
from vitrina.floor.setup import shops
from vitrina.product import parse_day
from vitrina.storage.accounts import SignedIn
from vitrina.web.shops import find_shop
from vitrina.web.site import Site

logger = logging.getLogger(__name__)

USUAL_DAYS = 28
FILLED_DAYS = 400
"""How far back days are added up before anybody asks."""

AGAINST = ("before", "year", "custom", "none")

From = Annotated[str | None, Query(alias="from", description="First business day; 28 days unless said otherwise.")]
To = Annotated[str | None, Query(description="Last business day; yesterday unless said otherwise.")]
Against = Annotated[
    str,
    Query(
        description="`before`: as many days before, on the same week days; `year`: 52 weeks earlier; `none`; "
        "`custom` with against_from and against_to; or `2026-01-01..2026-01-31`."
    ),
]
AgainstDay = Annotated[str | None, Query(description="With `against=custom`.")]


@dataclass(frozen=True, slots=True)
class ShopPeriod:
    """A shop, the period that was asked for, and the one beside it. kind: which of AGAINST."""

    shop: Shop
    layouts: tuple[Layout, ...]
    period: Span
    against: Span | None
    kind: str
    today: date


def find_period(
    site: Site,
    who: SignedIn,
    slug: str,
    first: str | None,
    last: str | None,
    against: str = "before",
    against_first: str | None = None,
    against_last: str | None = None,
    *,
    action: str = "figures.view",
) -> ShopPeriod:
    """Raises InputError for what is no date, and for periods that cannot be (`measures.period.check`)."""
    shop = find_shop(site, who, slug, action=action)
    today = site.figures.today(shop)
    period = parse_span(first, last, today)
    kind, other = parse_against(against, against_first, against_last, period)
    for span in (period, other):
        if span is not None:
            check(span, shop, today)
    return ShopPeriod(shop, layouts_of(site, slug), period, other, kind, today)


def parse_span(first: str | None, last: str | None, today: date) -> Span:
    """Without an end it ends yesterday, or on its first day when that is today; without a beginning it has 28 days."""
    start = parse_day(first, "from") if first else None
    end = parse_day(last, "to") if last else max(today - timedelta(days=1), start or date.min)
    return start or end - timedelta(days=USUAL_DAYS - 1), end


def parse_against(
    against: str, against_first: str | None, against_last: str | None, period: Span
) -> tuple[str, Span | None]:
    """The kind, and the other period. Raises InputError for a kind that is not there."""
    if ".." in against:
        first, last = against.split("..", 1)
        return "custom", (parse_day(first, "against"), parse_day(last, "against"))
    match against:
        case "before":
            return against, before(period)
        case "year":
            return against, year_before(period)
        case "none":
            return against, None
        case "custom" if against_first and against_last:
            return against, (parse_day(against_first, "against_from"), parse_day(against_last, "against_to"))
        case "custom":
            return "custom", before(period)
        case _:
            raise InputError(
                f"against: expected {', '.join(AGAINST)}, or two days such as 2026-01-01..2026-01-31, "
                f"got {against[:30]!r}"
            )


def layouts_of(site: Site, slug: str) -> tuple[Layout, ...]:
    """Every version of a shop's layout, oldest first."""
    with site.database.reading() as session:
        return shops.layouts_of(session, slug)


def ledger(site: Site) -> Ledger:
    return Ledger(site.lake, site.settings.sums)


def figures_of(site: Site, asked: ShopPeriod) -> PeriodFigures:
    """The figures; computed again when the files behind them change, of a day that runs at most once a minute."""
    spans = [span for span in (asked.period, asked.against) if span is not None]
    yesterday = asked.today - timedelta(days=1)
    files = [
        site.figures.fingerprint(asked.shop, first, min(last, yesterday), *SOURCES)
        for first, last in spans
        if first < asked.today
    ]
    running = any(last >= asked.today for _first, last in spans)
    minute = site.figures.now().replace(second=0, microsecond=0) if running else None
    layouts = tuple(layout.layout_id for layout in asked.layouts)
    key = ("period", asked.shop.slug, layouts, asked.period, asked.against, asked.today, minute, *files)
    return site.figures.once(key, lambda: _compute(site, asked))


def _compute(site: Site, asked: ShopPeriod) -> PeriodFigures:
    return period_figures(
        ledger(site),
        asked.shop,
        asked.period,
        asked.against,
        today=asked.today,
        layouts=asked.layouts,
        k_anonymity=site.settings.k_anonymity,
    )


def add_up(site: Site, wanted: Sequence[Shop]) -> None:
    """Add up the days of these shops that are over, so that their first period does not wait for it."""
    for shop in wanted:
        yesterday = site.figures.today(shop) - timedelta(days=1)
        newest = site.figures.last_day(shop)
        if newest is not None:
            last = min(newest, yesterday)
            first = last - timedelta(days=FILLED_DAYS)
            ledger(site).fill(shop.slug, marks_of(shop, layouts_of(site, shop.slug)), first, last)


def presets(today: date) -> list[tuple[str, Span]]:
    """The periods that people ask for, by name; those that end today are not over, so all end yesterday."""
    yesterday = today - timedelta(days=1)
    month = yesterday.replace(day=1)
    last_month = month - timedelta(days=1)
    quarter = yesterday.replace(month=(yesterday.month - 1) // 3 * 3 + 1, day=1)
    return [
        ("yesterday", (yesterday, yesterday)),
        ("7 days", (yesterday - timedelta(days=6), yesterday)),
        ("28 days", (yesterday - timedelta(days=27), yesterday)),
        ("this month", (month, yesterday)),
        ("last month", (last_month.replace(day=1), last_month)),
        ("this quarter", (quarter, yesterday)),
        ("a year", (yesterday - timedelta(days=363), yesterday)),
    ]
