"""The chain's figures for one person: a period, another to compare it with, and only the shops that they may see.

The rows of all shops are read once for what the lake holds, and everybody's figures are made from them; medians,
ranks and totals are then those of the visible shops alone.
"""

from __future__ import annotations

import hashlib
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated

import pyarrow as pa
from fastapi import Query

from vitrina.errors import InputError, NotFoundError
from vitrina.floor.layout import Shop
from vitrina.floor.measures.breaks import Moved, moved_within
from vitrina.floor.measures.chain import PROFILES, READS, places
from vitrina.floor.measures.chainledger import ChainLedger
from vitrina.floor.measures.chainmeasures import CHAIN_MEASURES
from vitrina.floor.measures.chainrows import ChainRows, last_whole_day
from vitrina.floor.measures.standing import SORTS, Chain, compose
from vitrina.floor.setup.shops import layout_changes, layouts_of, redrawn_since
from vitrina.product import ShopClock, parse_day
from vitrina.storage.accounts import SignedIn
from vitrina.web.shops import all_shops, newest_change, visible_shops
from vitrina.web.site import Site

TWO_WEEKS = 14
LONGEST_DAYS = 400
LOOK_S = 60
"""Whether the files of days that are over have changed is looked up so often."""

AGAINST = ("before", "year", "none")

First = Annotated[str | None, Query(alias="from", description="First business day, YYYY-MM-DD.")]
Last = Annotated[str | None, Query(alias="to", description="Last business day, YYYY-MM-DD; yesterday at the latest.")]
Against = Annotated[
    str,
    Query(
        max_length=30,
        description="Compared with: `before` (as many days before, on the same week days), `year` (52 weeks earlier), "
        "`none`, or two days such as `2026-01-01..2026-01-31`.",
    ),
]

Slugs = Annotated[list[str] | None, Query(description="Two to six shops, as `shops=a,b` or `shops=a&shops=b`.")]
MOST_COMPARED = 6


@dataclass(frozen=True, slots=True)
class Period:
    """Business days from first to last, and the days they are compared with (None: nothing)."""

    first: date
    last: date
    against: tuple[date, date] | None
    compared: str

    @property
    def days(self) -> int:
        return (self.last - self.first).days + 1


@dataclass(frozen=True, slots=True)
class Asked:
    """What a page or the API was asked for, checked."""

    period: Period
    measure: str
    sort: str


def read_period(site: Site, first: str | None, last: str | None, against: str = "before") -> Period:
    """The period that was asked for; the last two weeks unless said otherwise. Days that still run are left out.

    Raises InputError for what is no date, or a period that is empty, in the future or too long.
    """
    newest = newest_whole_day(site)
    until = min(parse_day(last, "to"), newest) if last else newest
    since = parse_day(first, "from") if first else until - timedelta(days=TWO_WEEKS - 1)
    if since > until:
        raise InputError(f"from: {since} is after {until}, the last day that can be shown; choose an earlier day")
    if (until - since).days >= LONGEST_DAYS:
        raise InputError(f"from: {since} to {until} is longer than {LONGEST_DAYS} days; ask for fewer")
    return Period(since, until, _against(since, until, against), against)


def check_asked(period: Period, measure: str, sort: str) -> Asked:
    """Raises InputError, naming what there is, for a measure or an order that does not exist."""
    if measure not in CHAIN_MEASURES:
        raise InputError(f"measure: expected one of {', '.join(CHAIN_MEASURES)}, got {measure[:40]!r}")
    if sort.removeprefix("-") not in SORTS:
        raise InputError(f"sort: expected one of {', '.join(SORTS)}, with a - to turn it round, got {sort[:20]!r}")
    return Asked(period, measure, sort)


def newest_whole_day(site: Site) -> date:
    return last_whole_day(all_shops(site), site.figures.now())


def chain_figures(site: Site, who: SignedIn, period: Period, *, action: str = "figures.view") -> Chain:
    """The chain as this person may see it."""
    return figures_of(site, visible_shops(site, who, action=action), period)


def figures_of(site: Site, shops: Sequence[Shop], period: Period) -> Chain:
    """The figures of these shops, compared with one another and with no others."""
    kept = _rows(site, period.first, period.last)
    before = _rows(site, *period.against) if period.against else None
    slugs = tuple(shop.slug for shop in shops)
    key = ("chain", slugs, period.first, period.last, kept.marks, period.against, before and before.marks)

    def make() -> Chain:
        earlier = before.rows.only(slugs) if before else None
        moved = moved_shops(site, shops, period) if before else {}
        return compose(shops, kept.rows.only(slugs), earlier, k_anonymity=site.settings.k_anonymity, moved=moved)

    return site.figures.once(key, make, series=("chain", slugs, period))


def moved_shops(site: Site, shops: Sequence[Shop], period: Period) -> dict[str, Moved]:
    """By slug, the shops whose layout changed within the period, the one that it is compared with, or between them."""
    days = sorted((period.first, period.last, *(period.against or ())))
    found = {}
    with site.database.reading() as session:
        redrawn = set(redrawn_since(session, datetime.combine(days[0], time.min, UTC) - timedelta(days=1)))
        for shop in shops:
            if shop.slug in redrawn:
                clock = ShopClock(shop.timezone, shop.day_starts)
                began = [clock.business_day(moment) for moment in layout_changes(session, shop.slug)]
                versions = list(zip(began, layouts_of(session, shop.slug), strict=True))
                if moved := moved_within(versions, days[0], days[-1]):
                    found[shop.slug] = moved
    return found


def named_shops(slugs: Sequence[str] | None) -> list[str]:
    return list(dict.fromkeys(slug for part in slugs or () for slug in part.split(",") if slug))


def chosen_shops(site: Site, who: SignedIn, slugs: Sequence[str] | None, *, action: str = "figures.view") -> list[Shop]:
    """The shops to compare, in the order that was asked for.

    Raises InputError for fewer than two or more than six, NotFoundError as `find_shop` for one that may not be seen.
    """
    wanted = named_shops(slugs)
    if not 2 <= len(wanted) <= MOST_COMPARED:
        raise InputError(
            f"shops: expected two to six shops to compare, got {len(wanted)}; choose them on the chain's page"
        )
    seen = {shop.slug: shop for shop in visible_shops(site, who)}
    for slug in wanted:
        if slug not in seen:
            raise NotFoundError(f"there is no shop {slug!r}")
        who.rights.require(action, slug)
    return [seen[slug] for slug in wanted]


def layout_changes_of(site: Site, shops: Sequence[Shop]) -> dict[str, list[datetime]]:
    with site.database.reading() as session:
        return {shop.slug: layout_changes(session, shop.slug) for shop in shops}


def hour_rows(site: Site, shops: Sequence[Shop], period: Period) -> dict[str, pa.Table]:
    """Footfall and sales of these shops by quarter of an hour of UTC."""
    slugs = tuple(shop.slug for shop in shops)
    series = ("chain hours", period.first, period.last, slugs)
    key = (*series, _marks(site, period.first, period.last))

    def read() -> dict[str, pa.Table]:
        days = (period.first, period.last)
        tables = {name: site.lake.expr(name, days=days) for name in READS} | places(shops, [])
        chosen = {name: table.filter(table.shop_id.isin(slugs)) for name, table in tables.items() if name in READS}
        return {name: query(tables | chosen).to_pyarrow() for name, query in PROFILES.items()}

    return site.figures.once(key, read, series=series)


def look_ahead(site: Site) -> None:
    """Read the default period of a chain, so that nobody waits for it; one shop is no chain."""
    if len(all_shops(site)) > 1:
        period = read_period(site, None, None)
        for days in filter(None, ((period.first, period.last), period.against)):
            _rows(site, *days)


def newest_recorded(site: Site, who: SignedIn) -> date | None:
    """The newest day with rows of a shop that this person may see: where to look when a period is empty."""
    shops = visible_shops(site, who, action="figures.view")
    return max((day for shop in shops if (day := site.figures.last_day(shop))), default=None)


@dataclass(frozen=True, slots=True)
class _Kept:
    """Rows, and what they were made of."""

    rows: ChainRows
    marks: Hashable


def _rows(site: Site, first: date, last: date) -> _Kept:
    """The period's rows.

    When its files have changed, those of before are shown once more while new ones are read: of days that are over
    little changes, and reading many shops takes long.
    """
    shops, marks = all_shops(site), _marks(site, first, last)
    latest: list[_Kept] = site.figures.once(("chain latest", first, last, newest_change(site)), list)

    def read() -> _Kept:
        book = ChainLedger(site.lake, site.settings.chain_sums)
        kept = _Kept(book.read(shops, first, last), marks)
        latest[:] = [kept]
        return kept

    key = ("chain rows", first, last, marks)
    if latest and latest[0].marks != marks:
        return site.figures.soon(key, read, series=("chain rows", first, last)) or latest[0]
    return site.figures.once(key, read, series=("chain rows", first, last))


def _marks(site: Site, first: date, last: date) -> Hashable:
    """What the rows of a period are made of: the files of its days, and the shops with their layouts."""
    step = int(site.figures.now().timestamp()) // LOOK_S

    def digest() -> str:
        names = hashlib.sha256()
        for table in READS:
            for file in site.lake.files(table, days=(first, last)):
                names.update(file.encode())
        return names.hexdigest()

    series = ("chain files", first, last)
    return site.figures.once((*series, step), digest, series=series), newest_change(site)


def _against(first: date, last: date, against: str) -> tuple[date, date] | None:
    """`before` goes back whole weeks, so that each day has the same week day beside it."""
    if against == "none":
        return None
    if against in ("before", "year"):
        weeks = 52 if against == "year" else -(-((last - first).days + 1) // 7)
        return first - timedelta(weeks=weeks), last - timedelta(weeks=weeks)
    begin, _, end = against.partition("..")
    start = parse_day(begin, "against")
    until = parse_day(end, "against") if end else start + (last - first)
    if not timedelta(0) <= until - start < timedelta(days=LONGEST_DAYS):
        raise InputError(f"against: expected up to {LONGEST_DAYS} days, first..last, got {against[:30]!r}")
    return start, until
