"""The k-anonymous views: what everybody who may see figures can ask in SQL, and what an analyst's sandbox holds.

Each view counts people by shop, day and place, and holds no row about fewer than `k` of them: numbers about a smaller
group are left empty, its key stays. There is no person's id in any view, so nothing in an answer, a saved file or a
forgotten copy leads to a path through the shop. The questions are Ibis expressions over the lake's tables and the
small tables of `chain.places`, with the definitions of `queries.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Protocol

import ibis
import pyarrow as pa
from ibis import _

from vitrina.floor.layout import Shop
from vitrina.floor.measures import queries
from vitrina.floor.measures.chain import places
from vitrina.floor.measures.queries import BY_DAY, BY_ZONE, Tables, customer_visits
from vitrina.storage.table import column, comment_of

READS = ("crossings", "visits", "waits", "receipts", "presence", "gaps")
"""The lake's tables behind the views."""

_TIME = pa.timestamp("us", "UTC")
_SHOP = column("shop_id", pa.string(), "Slug of the shop.")
_DAY = column("business_day", pa.date32(), "The shop's day by its own clock.")
_ZONE = column("zone_id", pa.string(), "Slug of the zone; its name is in `zones_now`.")
_SIMULATED = column("simulated", pa.bool_(), "True when the simulator made these rows, not a camera.")


class Source(Protocol):
    """What is needed of a lake, or of an engine that stands in its place."""

    def expr(self, table: str, *, shop_id: str | None = None, days: tuple[date, date] | None = None) -> ibis.Table: ...


@dataclass(frozen=True, slots=True)
class View:
    """A table that can be asked."""

    name: str
    comment: str
    schema: pa.Schema

    @property
    def columns(self) -> list[tuple[str, str, str]]:
        """Name, type and meaning of each."""
        return [(field.name, str(field.type), comment_of(field)) for field in self.schema]


def read_view(source: Source, name: str, shops: Sequence[Shop], first: date, last: date, *, k: int) -> pa.Table:
    """One view of these shops from first to last business day. Rows of other shops are not in it."""
    if name in _ROWS:
        return _conform(VIEWS[name], pa.Table.from_pylist(_ROWS[name](shops), schema=VIEWS[name].schema))
    days = [first + timedelta(days=number) for number in range((last - first).days + 1)]
    slugs = [shop.slug for shop in shops]
    lake = {table: source.expr(table, days=(first, last)) for table in READS}
    tables = {table: rows.filter(rows.shop_id.isin(slugs)) for table, rows in lake.items()} | places(shops, days)
    return _conform(VIEWS[name], QUERIES[name](tables, k).to_pyarrow())


def _conform(view: View, rows: pa.Table) -> pa.Table:
    return rows.select(view.schema.names).cast(pa.schema([field.with_nullable(True) for field in view.schema]))


def _kept(value: ibis.Value, people: ibis.Value, k: int) -> ibis.Value:
    """The value where nobody or at least k people are behind it."""
    return ibis.ifelse((people == 0) | (people >= k), value, ibis.null())


def _at_doors(tables: Tables) -> ibis.Table:
    return tables["crossings"].filter(_.role != "staff").inner_join(tables["lines"], ["shop_id", "line_id"])


def hours(tables: Tables, k: int) -> ibis.Table:
    counted = (
        _at_doors(tables)
        .mutate(hour_t=_.t.truncate("h"))
        .group_by((*BY_DAY, "hour_t"))
        .agg(inbound=_.count(where=_.direction == "in"), outbound=_.count(where=_.direction != "in"), sim=_SIM)
    )
    return counted.mutate(
        entries=_kept(_.inbound, _.inbound, k), exits=_kept(_.outbound, _.outbound, k), simulated=_.sim > 0
    )


def days(tables: Tables, k: int) -> ibis.Table:
    counted = (
        _at_doors(tables)
        .group_by(BY_DAY)
        .agg(inbound=_.count(where=_.direction == "in"), outbound=_.count(where=_.direction != "in"), sim=_SIM)
    )
    return counted.mutate(
        entries=_kept(_.inbound, _.inbound, k), exits=_kept(_.outbound, _.outbound, k), simulated=_.sim > 0
    )


def zones(tables: Tables, k: int) -> ibis.Table:
    """Who stayed for `stop_s` at least once has stopped there."""
    staff_only = tables["zones"].filter(_.kind == "staff")
    visits = customer_visits(tables).anti_join(staff_only, ["shop_id", "zone_id"])
    of_zone = visits.group_by(BY_ZONE).agg(
        people=_.person_id.nunique(),
        visits_=_.count(),
        median_s=_.dwell_s.median(),
        p90_s=_.dwell_s.quantile(0.9),
        sim=_SIM,
    )
    longest = visits.group_by((*BY_ZONE, "person_id")).agg(longest_s=_.dwell_s.max())
    marked = longest.left_join(tables["zones"].select("shop_id", "zone_id", "stop_s"), ["shop_id", "zone_id"])
    stopped = _.longest_s >= _.stop_s.fill_null(queries.STOP_S)
    stops = marked.group_by(BY_ZONE).agg(stopped_=_.count(where=stopped))
    joined = of_zone.left_join(stops, BY_ZONE)
    shown = {
        "visitors": joined.people,
        "visits": joined.visits_,
        "dwell_median_s": joined.median_s,
        "dwell_p90_s": joined.p90_s,
        "stopped": joined.stopped_,
    }
    return joined.mutate(
        **{name: _kept(value, joined.people, k) for name, value in shown.items()}, simulated=joined.sim > 0
    )


def waits(tables: Tables, k: int) -> ibis.Table:
    served = _.outcome == "served"
    # A column that is empty for the others: Spark takes no condition inside a percentile.
    waits_ = tables["waits"].mutate(served_s=ibis.ifelse(served, _.wait_s, ibis.null("float64")))
    counted = waits_.group_by(BY_ZONE).agg(
        people=_.person_id.nunique(),
        people_served=_.person_id.nunique(where=served),
        waits=_.count(),
        served_=_.count(where=served),
        abandoned_=_.count(where=_.outcome == "abandoned"),
        median_s=_.served_s.median(),
        p90_s=_.served_s.quantile(0.9),
        sim=_SIM,
    )
    shown = {
        "joined": (counted.waits, counted.people),
        "served": (counted.served_, counted.people),
        "abandoned": (counted.abandoned_, counted.people),
        "wait_median_s": (counted.median_s, counted.people_served),
        "wait_p90_s": (counted.p90_s, counted.people_served),
    }
    return counted.mutate(
        **{name: _kept(value, people, k) for name, (value, people) in shown.items()}, simulated=counted.sim > 0
    )


def steps(tables: Tables, k: int) -> ibis.Table:
    """Steps that fewer than k people took are not rows at all: which zones somebody joined would say who it was."""
    following = ibis.window(group_by=[_.shop_id, _.business_day, _.person_id], order_by=[_.t, _.event_id])
    walked = (
        customer_visits(tables)
        .mutate(to_zone_id=_.zone_id.lead().over(following))
        .filter(_.to_zone_id.notnull(), _.to_zone_id != _.zone_id)
    )
    counted = walked.group_by((*BY_ZONE, "to_zone_id")).agg(people=_.person_id.nunique(), steps=_.count(), sim=_SIM)
    return counted.filter(_.people >= k).mutate(simulated=_.sim > 0)


def sales(tables: Tables, k: int) -> ibis.Table:
    """Behind each receipt, and each refund, is somebody who paid."""
    bought = _.total_minor > 0
    groups = queries.receipts(tables).group_by((*BY_DAY, "currency"))
    counted = groups.agg(papers=_.count(), bought=_.count(where=bought), minor=_.total_minor.sum(), sim=_SIM)
    return counted.mutate(
        receipts=_kept(_.bought, _.papers, k), takings_minor=_kept(_.minor, _.papers, k), simulated=_.sim > 0
    )


def watched(tables: Tables, _k: int) -> ibis.Table:
    by_camera = tables["presence"].group_by((*BY_DAY, "camera_id"))
    return by_camera.agg(watched_s=_.watched_s.sum(), sim=_SIM).mutate(simulated=_.sim > 0)


def gaps(tables: Tables, _k: int) -> ibis.Table:
    return tables["gaps"]


_SIM = _.simulated.cast("int64").max()

QUERIES: Mapping[str, Callable[[Tables, int], ibis.Table]] = {
    "hours": hours,
    "days": days,
    "zones": zones,
    "queues": waits,
    "steps": steps,
    "sales": sales,
    "watched": watched,
    "gaps": gaps,
}

_HIDDEN = "empty for fewer than k"

VIEWS: Mapping[str, View] = {
    view.name: view
    for view in (
        View(
            "hours",
            "Entries and exits by hour.",
            pa.schema(
                [
                    _SHOP,
                    _DAY,
                    column("hour_t", _TIME, "Start of the hour (UTC)."),
                    column("entries", pa.int64(), f"People who came in; {_HIDDEN}."),
                    column("exits", pa.int64(), f"People who went out; {_HIDDEN}."),
                    _SIMULATED,
                ]
            ),
        ),
        View(
            "days",
            "Entries and exits by day; entries are the footfall.",
            pa.schema(
                [
                    _SHOP,
                    _DAY,
                    column("entries", pa.int64(), f"People who came in; {_HIDDEN}."),
                    column("exits", pa.int64(), f"People who went out; {_HIDDEN}."),
                    _SIMULATED,
                ]
            ),
        ),
        View(
            "zones",
            "Visitors, visits and dwell by zone and day.",
            pa.schema(
                [
                    _SHOP,
                    _DAY,
                    _ZONE,
                    column("visitors", pa.int64(), f"Distinct people; {_HIDDEN}, as all that follows."),
                    column("visits", pa.int64(), "Stays in the zone; one person may have several."),
                    column("dwell_median_s", pa.float64(), "Median seconds of a visit."),
                    column("dwell_p90_s", pa.float64(), "Seconds that one visit in ten exceeds."),
                    column("stopped", pa.int64(), "Visitors who stayed for the zone's `stop_s` or longer."),
                    _SIMULATED,
                ]
            ),
        ),
        View(
            "queues",
            "Waits by queue zone and day.",
            pa.schema(
                [
                    _SHOP,
                    _DAY,
                    _ZONE,
                    column(
                        "joined",
                        pa.int64(),
                        f"Waits, of which one person may have several; {_HIDDEN}, as all that follows.",
                    ),
                    column("served", pa.int64(), "Those who were served."),
                    column("abandoned", pa.int64(), "Those who gave up."),
                    column("wait_median_s", pa.float64(), f"Median seconds of those served; {_HIDDEN}, as the next."),
                    column("wait_p90_s", pa.float64(), "Seconds that one wait in ten exceeds."),
                    _SIMULATED,
                ]
            ),
        ),
        View(
            "steps",
            "From which zone to which people went straight on, by day; rows only for k people or more.",
            pa.schema(
                [
                    _SHOP,
                    _DAY,
                    _ZONE,
                    column("to_zone_id", pa.string(), "Slug of the zone they went to."),
                    column("people", pa.int64(), "Distinct people."),
                    column("steps", pa.int64(), "How often; one person may have done it several times."),
                    _SIMULATED,
                ]
            ),
        ),
        View(
            "sales",
            "Receipts and takings by day and currency, each receipt at its highest revision.",
            pa.schema(
                [
                    _SHOP,
                    _DAY,
                    column("currency", pa.string(), "ISO 4217 code."),
                    column("receipts", pa.int64(), f"Receipts above 0; {_HIDDEN}, as the next."),
                    column(
                        "takings_minor", pa.int64(), "Sum of all totals, refunds taken off, in minor units (cents)."
                    ),
                    _SIMULATED,
                ]
            ),
        ),
        View(
            "watched",
            "How long each camera really watched, by day.",
            pa.schema(
                [
                    _SHOP,
                    _DAY,
                    column("camera_id", pa.string(), "Slug of the camera."),
                    column("watched_s", pa.float64(), "Seconds that were analysed."),
                    _SIMULATED,
                ]
            ),
        ),
        View(
            "gaps",
            "When a camera was not watched.",
            pa.schema(
                [
                    _SHOP,
                    _DAY,
                    column("camera_id", pa.string(), "Slug of the camera."),
                    column("t", _TIME, "When the gap began (UTC)."),
                    column("until_t", _TIME, "When pictures came again (UTC)."),
                    column("gap_s", pa.float64(), "Seconds without pictures."),
                    column("reason", pa.string(), "What the camera or the worker reported."),
                    _SIMULATED,
                ]
            ),
        ),
        View(
            "shops",
            "The shops that you may see.",
            pa.schema(
                [
                    _SHOP,
                    column("name", pa.string(), "Its name."),
                    column("timezone", pa.string(), "IANA time zone."),
                    column("currency", pa.string(), "ISO 4217 code."),
                ]
            ),
        ),
        View(
            "zones_now",
            "The zones of the present layouts.",
            pa.schema(
                [
                    _SHOP,
                    column("zone_id", pa.string(), "Slug of the zone."),
                    column("name", pa.string(), "Its name."),
                    column("kind", pa.string(), "'section', 'promo', 'queue' or 'outside'."),
                    column("stop_s", pa.float64(), "Seconds after which somebody has stopped there."),
                ]
            ),
        ),
    )
}


def _shop_rows(shops: Iterable[Shop]) -> list[dict[str, object]]:
    return [
        {"shop_id": shop.slug, "name": shop.name, "timezone": shop.timezone, "currency": shop.currency}
        for shop in shops
    ]


def _zone_rows(shops: Iterable[Shop]) -> list[dict[str, object]]:
    return [
        {"shop_id": shop.slug, "zone_id": zone.slug, "name": zone.name, "kind": zone.kind, "stop_s": float(zone.stop_s)}
        for shop in shops
        for zone in shop.layout.zones
        if zone.kind != "staff"
    ]


_ROWS: Mapping[str, Callable[[Iterable[Shop]], list[dict[str, object]]]] = {
    "shops": _shop_rows,
    "zones_now": _zone_rows,
}
