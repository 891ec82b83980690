"""What a chain's pages ask, as Ibis expressions over the lake: one answer for all shops, by shop and business day.

Never one question a shop: a thousand shops are a thousand rows of the same answer. What a question must know of the
layouts comes as two small tables beside those of the lake (`lines`, `zones`), and the opening hours as a third
(`hours`), so the text of a question is the same for every chain and runs on DuckDB and Spark alike.

Every answer is by business day, so that a day's can be kept once it is over (`chainledger.py`). A median or a
percentile of a period is not made of its days' medians: `dwells` and `queues` give the single times, as lists.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date

import ibis
import pyarrow as pa
from ibis import _
from ibis.expr.types.groupby import GroupedTable

from vitrina.floor.layout import Shop
from vitrina.floor.measures.day import opening_times
from vitrina.floor.measures.queries import BY_DAY, Tables, customer_visits, receipts, unbound
from vitrina.product import ShopClock

ChainQuery = Callable[[Tables], ibis.Table]

KINDS = ("section", "promo")
"""Kinds of zones whose dwell is told apart."""

LINES = pa.schema([("shop_id", pa.string()), ("line_id", pa.string())])
ZONES = pa.schema([("shop_id", pa.string()), ("zone_id", pa.string()), ("kind", pa.string()), ("stop_s", pa.float64())])
HOURS = pa.schema(
    [
        ("shop_id", pa.string()),
        ("business_day", pa.date32()),
        ("part", pa.int64()),
        ("opens_t", pa.timestamp("us", "UTC")),
        ("closes_t", pa.timestamp("us", "UTC")),
    ]
)
PLACES: Mapping[str, pa.Schema] = {"lines": LINES, "zones": ZONES, "hours": HOURS}


def places(shops: Iterable[Shop], days: Sequence[date]) -> dict[str, ibis.Table]:
    """The tables that stand beside the lake's: entrances, zones, and when each shop is open on each of the days.

    A shop that does not say when it opens is open all its business day here; `chainrows` then takes what was seen.
    """
    known = list(shops)
    lines = [(shop.slug, slug) for shop in known for slug in shop.entrances]
    zones = [(shop.slug, zone.slug, zone.kind, float(zone.stop_s)) for shop in known for zone in shop.layout.zones]
    hours = [
        (slug, day, number, *part)
        for (slug, day), parts in open_parts(known, days).items()
        for number, part in enumerate(parts)
    ]
    rows: dict[str, list[tuple[object, ...]]] = {"lines": [*lines], "zones": [*zones], "hours": [*hours]}
    return {name: ibis.memtable(_table(rows[name], schema)) for name, schema in PLACES.items()}


def chain_tables() -> Tables:
    """Every table that a question of the chain reads, by name and type alone: to compile and to show it."""
    beside = {name: ibis.table(ibis.Schema.from_pyarrow(schema), name=name) for name, schema in PLACES.items()}
    return {**unbound(), **beside}


def open_parts(shops: Iterable[Shop], days: Sequence[date]) -> dict[tuple[str, date], tuple[tuple[int, int], ...]]:
    """When each shop is open on each day, µs since the epoch; the whole business day when it does not say.

    Worked out once for all shops with the same clock and the same hours: a chain has few of those.
    """
    known: dict[object, tuple[tuple[int, int], ...]] = {}
    found = {}
    for shop in shops:
        for day in days:
            alike = (shop.timezone, shop.day_starts, shop.opens, day)
            if alike not in known:
                known[alike] = opening_times(shop, day) if shop.opens else (_whole_day(shop, day),)
            found[shop.slug, day] = known[alike]
    return found


def _whole_day(shop: Shop, day: date) -> tuple[int, int]:
    first, last = ShopClock(shop.timezone, shop.day_starts).day_bounds(day)
    return round(first.timestamp() * 1e6), round(last.timestamp() * 1e6)


def _table(rows: Sequence[Sequence[object]], schema: pa.Schema) -> pa.Table:
    columns = list(zip(*rows, strict=True)) or [()] * len(schema)
    arrays = []
    for column, field in zip(columns, schema, strict=True):
        whole = pa.types.is_timestamp(field.type)
        arrays.append(pa.array(column, pa.int64()).cast(field.type) if whole else pa.array(column, field.type))
    return pa.Table.from_arrays(arrays, schema=schema)


# Questions ---------------------------------------------------------------------------------------------------------


def entries(tables: Tables) -> ibis.Table:
    """Footfall by day, and whether staff could be told from customers."""
    inbound = tables["crossings"].filter(_.direction == "in", _.role != "staff")
    return (
        inbound.inner_join(tables["lines"], ["shop_id", "line_id"])
        .group_by(BY_DAY)
        .agg(
            entries=_.count(),
            unknown=(_.role == "unknown").cast("int64").sum(),
            simulated=_.simulated.cast("int64").max(),
        )
    )


def quarters(tables: Tables) -> ibis.Table:
    """Footfall by quarter of an hour of UTC: every time zone's hours are made of those."""
    inbound = tables["crossings"].filter(_.direction == "in", _.role != "staff")
    return _by_quarter(inbound.inner_join(tables["lines"], ["shop_id", "line_id"])).agg(entries=_.count())


def sales_quarters(tables: Tables) -> ibis.Table:
    """Receipts and takings by quarter of an hour of UTC and currency."""
    return _takings(_by_quarter(receipts(tables), "currency"))


def dwells(tables: Tables) -> ibis.Table:
    """Every visit's seconds in a zone, by day and kind of zone, and how many persons' visits those are."""
    stays = _stays(tables).group_by((*BY_DAY, "kind"))
    return stays.agg(n=_.count(), people=_.person_id.nunique(), dwell_s=_.dwell_s.collect())


def stops(tables: Tables) -> ibis.Table:
    """Passers of zones and those who stopped there, by day, and how many persons those are.

    One passer is a person in a zone.
    """
    longest = _stays(tables).group_by((*BY_DAY, "zone_id", "stop_s", "person_id")).agg(longest_s=_.dwell_s.max())
    stopped = (_.longest_s >= _.stop_s).cast("int64").sum()
    return longest.group_by(BY_DAY).agg(passers=_.count(), stopped=stopped, people=_.person_id.nunique())


def queues(tables: Tables) -> ibis.Table:
    """Waits that ended served or abandoned, the seconds of the former, and how many persons' those are, by day."""
    served, abandoned = _.outcome == "served", _.outcome == "abandoned"
    return (
        tables["waits"]
        .group_by(BY_DAY)
        .agg(
            served=served.cast("int64").sum(),
            abandoned=abandoned.cast("int64").sum(),
            wait_s=_.wait_s.collect(where=served),
            served_people=_.person_id.nunique(where=served),
            people=_.person_id.nunique(where=served | abandoned),
        )
    )


def sales(tables: Tables) -> ibis.Table:
    """Receipts, what was paid, and takings less refunds, by day and currency."""
    return _takings(receipts(tables).group_by((*BY_DAY, "currency")))


def watched(tables: Tables) -> ibis.Table:
    """Seconds watched, by day, camera and part of the opening hours; part is null for minutes outside of them.

    first_t, last_t and the seconds watched in those minutes say how long a shop was seen that gives no hours.
    """
    minutes, hours = tables["presence"], tables["hours"]
    during = minutes.left_join(
        hours,
        [
            minutes.shop_id == hours.shop_id,
            minutes.business_day == hours.business_day,
            minutes.t >= hours.opens_t,
            minutes.t < hours.closes_t,
        ],
    ).select(
        minutes.shop_id, minutes.business_day, minutes.camera_id, minutes.t, minutes.watched_s, minutes.simulated,
        hours.part,
    )  # fmt: skip
    return during.group_by((*BY_DAY, "camera_id", "part")).agg(
        watched_s=_.watched_s.sum(),
        first_t=_.t.min(),
        last_t=_.t.max(),
        first_s=_.watched_s.argmin(_.t),
        last_s=_.watched_s.argmax(_.t),
        simulated=_.simulated.cast("int64").max(),
    )


def gaps(tables: Tables) -> ibis.Table:
    """Seconds in which a camera was not watched, by day and camera."""
    return tables["gaps"].group_by((*BY_DAY, "camera_id")).agg(gap_s=_.gap_s.sum())


CHAIN: Mapping[str, ChainQuery] = {
    "entries": entries,
    "dwells": dwells,
    "stops": stops,
    "queues": queues,
    "sales": sales,
    "watched": watched,
    "gaps": gaps,
}
"""The questions behind the chain's overview, each over `chain_tables()`: every engine must give the same rows."""

PROFILES: Mapping[str, ChainQuery] = {"quarters": quarters, "sales_quarters": sales_quarters}
"""The questions behind hour profiles."""

READS = ("crossings", "visits", "waits", "receipts", "presence", "gaps")
"""The lake's tables that they read."""


def _stays(tables: Tables) -> ibis.Table:
    inside = tables["zones"].filter(_.kind.isin(KINDS))
    return customer_visits(tables).inner_join(inside, ["shop_id", "zone_id"])


def _takings(groups: GroupedTable) -> ibis.Table:
    """A refund lowers the takings and is no receipt; one revised to 0 was cancelled."""
    bought = _.total_minor > 0
    return groups.agg(
        receipts=bought.cast("int64").sum(), purchased=_.total_minor.sum(where=bought), minor=_.total_minor.sum()
    )


def _by_quarter(rows: ibis.Table, *keys: str) -> GroupedTable:
    timed = rows.mutate(utc_day=_.t.date(), hour=_.t.hour().cast("int64"), quarter=(_.t.minute() // 15).cast("int64"))
    return timed.group_by((*BY_DAY, "utc_day", "hour", "quarter", *keys))
