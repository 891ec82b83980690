"""What each measure means, as one Ibis expression over the lake's tables.

Every query gives rows by `shop_id` and `business_day` (and zone, where the measure has one), so the same text
answers for a shop's day and for a chain's year, on DuckDB or Spark. What would differ between engines is avoided:
no time buckets, no subtraction of timestamps, no approximate quantiles. The page of one day (`day.py`) needs single
rows for its intervals and computes the same values from them; a test holds both equal.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

import ibis
import pyarrow as pa
from ibis import _

from vitrina.floor.layout import Shop
from vitrina.floor.store import FLOOR_TABLES

Tables = Mapping[str, ibis.Table]

BY_DAY = ("shop_id", "business_day")
BY_ZONE = (*BY_DAY, "zone_id")
STOP_S = 5.0  # for a zone that the layout no longer has


@dataclass(frozen=True, slots=True)
class Marks:
    """What the queries must know of a layout.

    entrances: slugs of lines. queues, outside, inside: slugs of zones by kind; inside are sections and promo displays.
    stops: zone and the seconds after which somebody has stopped there.
    """

    entrances: tuple[str, ...]
    queues: tuple[str, ...] = ()
    outside: tuple[str, ...] = ()
    inside: tuple[str, ...] = ()
    stops: tuple[tuple[str, float], ...] = ()

    @classmethod
    def of(cls, shop: Shop) -> Marks:
        zones = shop.layout.zones
        return cls(
            entrances=shop.entrances,
            queues=tuple(zone.slug for zone in zones if zone.kind == "queue"),
            outside=tuple(zone.slug for zone in zones if zone.kind == "outside"),
            inside=tuple(zone.slug for zone in zones if zone.kind in ("section", "promo")),
            stops=tuple((zone.slug, float(zone.stop_s)) for zone in zones),
        )

    def stop_s(self, zone: str) -> float:
        return dict(self.stops).get(zone, STOP_S)


@cache
def unbound() -> Tables:
    """The lake's tables by name and type alone: what a query is compiled over, and shown with."""
    return {name: ibis.table(_nullable(spec.schema), name=name) for name, spec in FLOOR_TABLES.items()}


def _nullable(schema: pa.Schema) -> ibis.Schema:
    """As engines give the columns of Parquet files: none of them is bound to hold a value."""
    return ibis.Schema.from_pyarrow(pa.schema([field.with_nullable(True) for field in schema]))


# Rows that every measure starts from -------------------------------------------------------------------------------


def entrance_crossings(tables: Tables, marks: Marks) -> ibis.Table:
    """Crossings of entrance lines by anybody not known to be staff; U-turns were cancelled when they were made."""
    return tables["crossings"].filter(_.line_id.isin(marks.entrances), _.role != "staff")


def customer_visits(tables: Tables) -> ibis.Table:
    """Visits by anybody not known to be staff."""
    return tables["visits"].filter(_.role != "staff")


def receipts(tables: Tables) -> ibis.Table:
    """Each receipt once: its highest revision. A revision keeps the business day of its receipt."""
    newest = ibis.row_number().over(
        group_by=[_.shop_id, _.source, _.receipt_id], order_by=[_.revision.desc(), _.event_id]
    )
    return tables["receipts"].mutate(place=newest).filter(_.place == 0).drop("place")


# Measures ----------------------------------------------------------------------------------------------------------


def footfall(tables: Tables, marks: Marks) -> ibis.Table:
    inbound = entrance_crossings(tables, marks).filter(_.direction == "in")
    return inbound.group_by(BY_DAY).agg(value=_.count())


def capture_rate(tables: Tables, marks: Marks) -> ibis.Table:
    entered = entrance_crossings(tables, marks).filter(_.direction == "in").select(*BY_DAY, "person_id").distinct()
    outside = customer_visits(tables).filter(_.zone_id.isin(marks.outside)).select(*BY_DAY, "person_id").distinct()
    passers = outside.anti_join(entered, [*BY_DAY, "person_id"]).group_by(BY_DAY).agg(passers=_.count())
    entries = footfall(tables, marks).rename(entries="value")
    return entries.inner_join(passers, BY_DAY).select(
        *BY_DAY, n=_.entries + _.passers, value=_.entries.cast("float64") / (_.entries + _.passers)
    )


def occupancy(tables: Tables, marks: Marks) -> ibis.Table:
    """The running balance at each crossing, before the corrections of `floor/measures/occupancy.py`."""
    step = ibis.ifelse(_.direction == "in", 1, -1)
    balance = _.step.sum().over(
        ibis.cumulative_window(group_by=[_.shop_id, _.business_day], order_by=[_.t, _.event_id])
    )
    return entrance_crossings(tables, marks).mutate(step=step).select(*BY_DAY, "t", value=balance)


def zone_visitors(tables: Tables, _marks: Marks) -> ibis.Table:
    return customer_visits(tables).group_by(BY_ZONE).agg(value=_.person_id.nunique())


def exposure(tables: Tables, marks: Marks) -> ibis.Table:
    visitors = zone_visitors(tables, marks).rename(visitors="value")
    entries = footfall(tables, marks).rename(n="value")
    return visitors.inner_join(entries, BY_DAY).select(*BY_ZONE, "n", value=_.visitors.cast("float64") / _.n)


def dwell_median(tables: Tables, _marks: Marks) -> ibis.Table:
    return customer_visits(tables).group_by(BY_ZONE).agg(n=_.count(), value=_.dwell_s.median())


def dwell_p90(tables: Tables, _marks: Marks) -> ibis.Table:
    return customer_visits(tables).group_by(BY_ZONE).agg(n=_.count(), value=_.dwell_s.quantile(0.9))


def stopping_power(tables: Tables, marks: Marks) -> ibis.Table:
    passers = longest_visits(tables, marks).group_by(BY_ZONE)
    return passers.agg(n=_.count(), value=(_.longest_s >= _.stop_s).cast("float64").mean())


def holding_power(tables: Tables, marks: Marks) -> ibis.Table:
    stoppers = longest_visits(tables, marks).filter(_.longest_s >= _.stop_s).group_by(BY_ZONE)
    return stoppers.agg(n=_.count(), value=_.longest_s.median())


def queue_length(tables: Tables, _marks: Marks) -> ibis.Table:
    """The longest the queue was: the highest running sum of people who joined and people who left."""
    waits = tables["waits"]
    joined = waits.select(*BY_ZONE, "event_id", moment=_.t, step=ibis.literal(1))
    left = waits.select(*BY_ZONE, "event_id", moment=_.ended_t, step=ibis.literal(-1))
    standing = _.step.sum().over(
        ibis.cumulative_window(group_by=[_.shop_id, _.business_day, _.zone_id], order_by=[_.moment, _.step, _.event_id])
    )
    return joined.union(left).mutate(people=standing).group_by(BY_ZONE).agg(value=_.people.max())


def queue_wait_median(tables: Tables, _marks: Marks) -> ibis.Table:
    return _served(tables).group_by(BY_ZONE).agg(n=_.count(), value=_.wait_s.median())


def queue_wait_p90(tables: Tables, _marks: Marks) -> ibis.Table:
    return _served(tables).group_by(BY_ZONE).agg(n=_.count(), value=_.wait_s.quantile(0.9))


def abandonment(tables: Tables, _marks: Marks) -> ibis.Table:
    """Whoever vanished in mid-queue did neither that we know of, and is left out."""
    joined = tables["waits"].filter(_.outcome.isin(("served", "abandoned"))).group_by(BY_ZONE)
    return joined.agg(n=_.count(), value=(_.outcome == "abandoned").cast("float64").mean())


def conversion(tables: Tables, marks: Marks) -> ibis.Table:
    return _per_visitor(tables, marks, _.receipts)


def average_ticket(tables: Tables, _marks: Marks) -> ibis.Table:
    return _sales(tables).select(*BY_DAY, "currency", n=_.receipts, value=_.purchased.cast("float64") / _.receipts)


def shopper_yield(tables: Tables, marks: Marks) -> ibis.Table:
    return _per_visitor(tables, marks, _.minor)


def transitions(tables: Tables, marks: Marks) -> ibis.Table:
    """How many persons went from one zone straight to another; a second visit to the same zone is no step."""
    following = ibis.window(group_by=[_.shop_id, _.business_day, _.person_id], order_by=[_.t, _.event_id])
    steps = (
        customer_visits(tables)
        .filter(_.zone_id.isin((*marks.inside, *marks.queues)))
        .mutate(following=_.zone_id.lead().over(following))
        .filter(_.following.notnull(), _.following != _.zone_id)
    )
    return steps.group_by((*BY_ZONE, "following")).agg(value=_.person_id.nunique())


def longest_visits(tables: Tables, marks: Marks) -> ibis.Table:
    """One row per person and zone: the longest visit, and how long counts as having stopped there."""
    longest = customer_visits(tables).group_by((*BY_ZONE, "person_id")).agg(longest_s=_.dwell_s.max())
    stop_s: ibis.Value = ibis.literal(STOP_S, type="float64")
    if marks.stops:
        cases = ((longest.zone_id == zone, ibis.literal(stop)) for zone, stop in marks.stops)
        stop_s = ibis.cases(*cases, else_=STOP_S)
    return longest.mutate(stop_s=stop_s)


def _served(tables: Tables) -> ibis.Table:
    return tables["waits"].filter(_.outcome == "served")


def _sales(tables: Tables) -> ibis.Table:
    """Receipts and takings by day. A refund lowers the takings and is no receipt; one revised to 0 was cancelled."""
    bought = _.total_minor > 0
    groups = receipts(tables).group_by((*BY_DAY, "currency"))
    return groups.agg(
        receipts=bought.cast("int64").sum(), purchased=_.total_minor.sum(where=bought), minor=_.total_minor.sum()
    ).filter(_.receipts > 0)


def _per_visitor(tables: Tables, marks: Marks, amount: ibis.Deferred) -> ibis.Table:
    entries = footfall(tables, marks).rename(n="value")
    return (
        _sales(tables).inner_join(entries, BY_DAY).select(*BY_DAY, "currency", "n", value=amount.cast("float64") / _.n)
    )
