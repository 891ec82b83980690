"""One shop over any period, beside any other: figures with intervals and differences, series, zones, funnel, paths.

Where an interval comes from, with n beside every value:

    counts a day, ratios, shares   bootstrap over days; a share's never narrower than Wilson's (`worth/days.py`)
    medians, 90th percentiles      exact over all values; the interval by Woodruff over days
    fewer than seven days          as on the day's page: Wilson, exact order statistics, hours as clusters
    differences                    the two intervals put together (MOVER); counts a day, between periods that have the
                                   same week days in the same order, by bootstrap over pairs of days

Counts and ratios of different sources stand on days that were watched in full. Sums are of all days, and say so when
some were not.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any

import numpy as np

from vitrina.errors import InputError
from vitrina.floor.layout import Layout, Shop, Zone
from vitrina.floor.measures import comparing, figures, funnel, walks, weekhours
from vitrina.floor.measures.breaks import Break, find_breaks, moved_zones
from vitrina.floor.measures.compared import (
    MOVED,
    PARTLY_COUNTED,
    UNSOLD,
    Compared,
    Days,
    PeriodFigures,
    QueuePeriod,
    ZonePeriod,
)
from vitrina.floor.measures.comparing import Comparison, noted, part_of, per_entry, quantile, share, total
from vitrina.floor.measures.figures import Figure, hidden, smallest_group
from vitrina.floor.measures.ledger import Ledger, Sums
from vitrina.floor.measures.queries import Marks
from vitrina.floor.measures.rows import Floats
from vitrina.floor.measures.stretch import Stretch, stretch
from vitrina.floor.measures.sums import ANY
from vitrina.worth.days import ENOUGH, DayQuantile, DayRatio
from vitrina.worth.estimate import Count, Estimate, Mean

LONGEST_DAYS = 3 * 366
SALES = ("conversion", "average_ticket", "shopper_yield", "sales_a_day")
Span = tuple[date, date]


def period_figures(
    book: Ledger,
    shop: Shop,
    period: Span,
    against: Span | None,
    *,
    today: date,
    layouts: Sequence[Layout] = (),
    k_anonymity: int = 5,
) -> PeriodFigures:
    """Everything that a page shows of a period and how it differs from the other.

    layouts: the shop's versions, oldest first, to tell which zones moved. Raises InputError for a period that ends
    before it begins, has not begun, or is longer than three years.
    """
    for span in (period, against):
        if span is not None:
            check(span, shop, today)
    marks = marks_of(shop, layouts)
    spans = [span for span in (period, against) if span is not None]
    sums = book.read(shop.slug, marks, spans, over_before=today)
    return compose(sums, shop, period, against, marks=marks, today=today, layouts=layouts, k_anonymity=k_anonymity)


def check(span: Span, shop: Shop, today: date) -> None:
    first, last = span
    if last < first:
        raise InputError(f"a period ends on its first day or later, got {first} to {last}; swap the two")
    if last > today:
        raise InputError(f"{last} has not begun in {shop.name}; today is {today} there")
    if (last - first).days >= LONGEST_DAYS:
        raise InputError(f"a period has up to three years, got {first} to {last}; ask for less")


def marks_of(shop: Shop, layouts: Sequence[Layout]) -> Marks:
    """What the queries must know of every version of the layout: a zone keeps the kind that it had last."""
    lines = {line.slug: line for layout in (*layouts, shop.layout) for line in layout.lines}
    zones = {zone.slug: zone for zone in _all_zones(shop, layouts)}
    everything = replace(shop.layout, zones=tuple(zones.values()), lines=tuple(lines.values()))
    return Marks.of(replace(shop, layout=everything))


def _all_zones(shop: Shop, layouts: Sequence[Layout]) -> list[Zone]:
    found = {zone.slug: zone for layout in (*layouts, shop.layout) for zone in layout.zones}
    current = [zone.slug for zone in shop.layout.zones]
    return [found[slug] for slug in (*current, *sorted(found.keys() - set(current)))]


# Other periods -----------------------------------------------------------------------------------------------------


def before(period: Span) -> Span:
    """As many days that ended before the period, on the same week days: a whole number of weeks earlier."""
    first, last = period
    back = timedelta(weeks=-(-((last - first).days + 1) // 7))
    return first - back, last - back


def year_before(period: Span) -> Span:
    """The same week days 52 weeks earlier."""
    back = timedelta(weeks=52)
    return period[0] - back, period[1] - back


def aligned(period: Span, against: Span | None) -> bool:
    """Whether the n-th days of both are the same week day."""
    if against is None:
        return False
    same_length = period[1] - period[0] == against[1] - against[0]
    return same_length and period[0].weekday() == against[0].weekday()


# Composing ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Period:
    compared: Comparison
    zones: Sequence[Zone]
    moved: frozenset[str]

    def same(self, *slugs: str) -> bool:
        """Whether these places were drawn alike in both periods."""
        return not self.moved & {*slugs, "*"}


def compose(
    sums: Sums,
    shop: Shop,
    period: Span,
    against: Span | None,
    *,
    marks: Marks,
    today: date,
    layouts: Sequence[Layout] = (),
    k_anonymity: int = 5,
) -> PeriodFigures:
    """The pure half of `period_figures`: sums of both periods' days in, figures out."""
    now = stretch(sums, shop, marks, period, today=today)
    other = stretch(sums, shop, marks, against, today=today) if against else None
    if other is not None and other.empty:
        other = None  # nothing is recorded, which is not a period without people
    compared = Comparison(now, other, other is not None and aligned(period, against), k_anonymity)
    breaks = find_breaks(sums["makers"], layouts)
    parts = [part for part in (now, other) if part]
    asked = _Period(compared, _zones(shop, layouts, parts), moved_zones(breaks))
    return PeriodFigures(
        shop=shop.slug,
        period=_days(now),
        against=_days(other) if other else None,
        aligned=compared.aligned,
        currency=shop.currency,
        simulated=any(part.simulated for part in parts),
        breaks=breaks,
        figures=_headline(asked),
        series=_series(compared, breaks),
        zones=[_zone(asked, zone) for zone in asked.zones if zone.kind not in ("queue", "staff")],
        queues=[_queue(asked, zone) for zone in asked.zones if zone.kind == "queue"],
        funnels=funnel.funnels(compared, marks.inside, incomparable=asked.moved),
        transitions=walks.transitions(now, k_anonymity),
        flows=walks.flows(now, k_anonymity),
        paths=walks.paths(now, k_anonymity),
        occupancy=weekhours.occupancy(now, k_anonymity),
        gaps=_gaps(now),
    )


def _zones(shop: Shop, layouts: Sequence[Layout], parts: Sequence[Stretch]) -> list[Zone]:
    """The layout's zones, then those of other versions and those that only rows know, when anybody was there."""
    known = _all_zones(shop, layouts)
    current = {zone.slug for zone in shop.layout.zones}
    seen = sorted({slug for part in parts for slug in part.zones()})
    strangers = [Zone(slug, slug, "section", ()) for slug in seen if slug not in {zone.slug for zone in known}]
    return [zone for zone in known if zone.slug in current or zone.slug in seen] + strangers


def _days(part: Stretch) -> Days:
    states = part.states
    open_s = part.open_s
    unknown = np.isnan(part.watched_share)
    lost = np.array([state == "unwatched" for state in states]) & (open_s > 0)
    counted = (~unknown | lost) & (open_s > 0)
    watched = None
    if (~unknown).any() and open_s[counted].sum():
        shares = np.where(unknown, 0.0, part.watched_share)
        watched = float((shares * open_s)[counted].sum() / open_s[counted].sum())
    return Days(
        first=part.first.isoformat(),
        last=part.last.isoformat(),
        days=part.length,
        watched=sum(state == "watched" for state in states),
        closed=sum(state == "closed" for state in states),
        left_out=tuple(
            day.isoformat()
            for day, state in zip(part.days, states, strict=True)
            if state in ("partly", "unwatched", "running")
        ),
        watched_share=watched,
        layout_ids=tuple(sorted(set(part.sums["makers"]["layout_id"].to_pylist()))),
    )


# The whole shop ----------------------------------------------------------------------------------------------------


def _headline(asked: _Period) -> dict[str, Compared]:
    compared, marks = asked.compared, asked.compared.now.marks
    doors = asked.same(*marks.entrances)
    inside = asked.same(*marks.inside)
    found = {
        "footfall": noted(compared.figure("footfall", "people", _footfall, comparable=False), _footfall_note(asked)),
        "footfall_a_day": compared.a_day("footfall_a_day", "people", lambda part: part.entries, comparable=doors),
        "capture_rate": noted(
            compared.figure(
                "capture_rate", "share", _capture, people=_captured, comparable=doors and asked.same(*marks.outside)
            ),
            "" if marks.outside else figures.NO_OUTSIDE,
        ),
        "dwell_median": _dwell(compared, "dwell_median", 0.5, comparable=inside),
        "dwell_p90": _dwell(compared, "dwell_p90", 0.9, comparable=inside),
        **_waits(asked, None, asked.same(*marks.queues)),
    }
    if not compared.now.count("sales", "receipts", compared.now.own).sum():
        units = {"conversion": "ratio", "average_ticket": "money", "shopper_yield": "money"}
        return found | {
            name: Compared(Figure(name, None, unit, None, note=figures.NO_RECEIPTS)) for name, unit in units.items()
        }
    return found | _sales(compared, doors)


def _footfall(part: Stretch) -> Estimate:
    return total(part.entries)


def _footfall_note(asked: _Period) -> str:
    notes = [figures.NOT_AUDITED]
    now = asked.compared.now
    if now.incl_staff:
        notes.append(figures.INCL_STAFF)
    if any(state in ("partly", "unwatched") for state in now.states):
        notes.append(PARTLY_COUNTED)
    return "; ".join(notes)


def _capture(part: Stretch) -> Estimate:
    entries, passers = _street(part)
    return share(entries, entries + passers)


def _captured(part: Stretch) -> float:
    entries, passers = _street(part)
    return smallest_group(float(entries.sum()), float(passers.sum()))


def _street(part: Stretch) -> tuple[Floats, Floats]:
    """Entries, and who passed by, of days on which the street was seen at all."""
    seen = part.count("street", "outside") > 0
    return part.entries[seen], part.count("street", "passers")[seen]


def _dwell(compared: Comparison, name: str, q: float, *, comparable: bool) -> Compared:
    """Of every visit to a section or promo display."""
    return compared.figure(
        name,
        "s",
        lambda part: DayQuantile(part.inside("dwells", "dwell_s"), q),
        people=lambda part: part.least_inside,
        comparable=comparable,
    )


def _sales(compared: Comparison, doors: bool) -> dict[str, Compared]:
    foreign = (
        compared.now.count("sales", "receipts").sum() > compared.now.count("sales", "receipts", compared.now.own).sum()
    )
    note = figures.OTHER_CURRENCY if foreign else ""
    unsold = (compared.now.counted & ~compared.now.sold).any()
    by_day = "; ".join(filter(None, (note, UNSOLD if unsold else "")))

    def receipts(part: Stretch) -> Floats:
        return part.count("sales", "receipts", part.own)

    found = {
        "conversion": compared.figure(
            "conversion", "ratio", lambda part: per_entry(part, "receipts"), comparable=doors
        ),
        "average_ticket": compared.figure("average_ticket", "money", _ticket),
        "shopper_yield": compared.figure(
            "shopper_yield", "money", lambda part: per_entry(part, "minor"), comparable=doors
        ),
        "sales_a_day": compared.a_day(
            "sales_a_day",
            "money",
            lambda part: part.count("sales", "minor", part.own),
            people=receipts,
            used=lambda part: part.complete & part.sold,
        ),
    }
    return {name: noted(figure, note if name == "average_ticket" else by_day) for name, figure in found.items()}


def _ticket(part: Stretch) -> Estimate:
    tickets = part.listed("sales", "totals", dict(part.own))
    if part.length < ENOUGH:
        return Mean(tickets.values)
    edges = np.concatenate([[0], tickets.ends])
    spent = np.add.reduceat(tickets.values, edges[:-1]) if len(tickets.values) else np.zeros(0)
    spent_a_day, receipts = (
        np.bincount(tickets.day, weights=counts, minlength=part.length).astype(np.float64)
        for counts in (spent, np.diff(edges))
    )
    return DayRatio(spent_a_day, receipts)


def _waits(asked: _Period, zone: str | None, comparable: bool) -> dict[str, Compared]:
    """Their n counts waits; whether they are shown is decided by the persons who waited."""
    where = {"zone_id": zone} if zone else None

    def abandoned(part: Stretch) -> Estimate:
        left, served = (part.count("queues", column, where) for column in ("abandoned", "served"))
        return share(left, left + served)

    def wait(name: str, q: float) -> Compared:
        return asked.compared.figure(
            name,
            "s",
            lambda part: quantile(part, "queues", "wait_s", q, where),
            people=_queuers("served", zone),
            comparable=comparable,
        )

    return {
        "queue_wait_median": wait("queue_wait_median", 0.5),
        "queue_wait_p90": wait("queue_wait_p90", 0.9),
        "abandonment": asked.compared.figure(
            "abandonment", "share", abandoned, people=_queuers("ended", zone), comparable=comparable
        ),
    }


def _queuers(column: str, zone: str | None) -> Callable[[Stretch], float]:
    """Persons of one queue, or of any, each counted once a day."""
    return lambda part: float(part.count("queuers", column, {"zone_id": zone or ANY}).sum())


# Days and places ---------------------------------------------------------------------------------------------------


def _series(compared: Comparison, breaks: Sequence[Break]) -> list[dict[str, Any]]:
    """One row a day: entries, the same place's day of the other period when both are aligned, and a new layout."""
    now, other = compared.now, compared.before if compared.aligned else None
    new = {each.day: each.layout_id for each in breaks}
    return [
        {
            "day": day.isoformat(),
            "in": _shown_count(now, number, compared.k_anonymity),
            "state": now.states[number],
            "before_day": other.days[number].isoformat() if other else None,
            "before": _shown_count(other, number, compared.k_anonymity) if other else None,
            "before_state": other.states[number] if other else None,
            "layout": new.get(day.isoformat()),
        }
        for number, day in enumerate(now.days)
    ]


def _shown_count(part: Stretch, number: int, k_anonymity: int) -> int | None:
    count = round(float(part.entries[number]))
    nothing_known = part.states[number] in ("unwatched", "closed") and not count
    return None if nothing_known or hidden(count, k_anonymity) else count


def _zone(asked: _Period, zone: Zone) -> ZonePeriod:
    compared, where = asked.compared, {"zone_id": zone.slug}
    here = asked.same(zone.slug)
    note = "" if here or compared.before is None else MOVED

    def visitors(part: Stretch) -> Floats:
        return part.count("stops", "visitors", where)

    def people(part: Stretch) -> float:
        return float(visitors(part).sum())

    def figure(name: str, unit: str, make: Any, *, about: Any = people, comparable: bool = here) -> Compared:
        return noted(compared.figure(name, unit, make, people=about, comparable=comparable), note)

    exposed = figure(
        "exposure",
        "ratio",
        lambda part: part_of(visitors(part), part.entries, part.counted),
        about=lambda part: smallest_group(people(part), float(part.entries.sum())),
        comparable=here and asked.same(*compared.now.marks.entrances),
    )
    crowded = exposed.now.value is not None and exposed.now.value > 1
    return ZonePeriod(
        zone=zone.slug,
        name=zone.name,
        kind=zone.kind,
        visitors=figure("zone_visitors", "people", lambda part: total(visitors(part)), comparable=False),
        visitors_a_day=noted(compared.a_day("visitors_a_day", "people", visitors, comparable=here), note),
        exposure=noted(exposed, figures.MORE_THAN_FOOTFALL) if crowded else exposed,
        dwell_median=figure("dwell_median", "s", lambda part: quantile(part, "dwells", "dwell_s", 0.5, where)),
        dwell_p90=figure("dwell_p90", "s", lambda part: quantile(part, "dwells", "dwell_s", 0.9, where)),
        stopping_power=figure(
            "stopping_power", "share", lambda part: share(part.count("stops", "stopped", where), visitors(part))
        ),
        holding_power=figure(
            "holding_power", "s", lambda part: quantile(part, "stops", "longest_s", 0.5, where), about=None
        ),
    )


def _queue(asked: _Period, zone: Zone) -> QueuePeriod:
    compared, where, here = asked.compared, {"zone_id": zone.slug}, asked.same(zone.slug)

    def joined(part: Stretch) -> Floats:
        return part.count("queues", "joined", where)

    def longest(part: Stretch) -> Estimate:
        return Count(round(float(part.count("queue_length", "value", where).max(initial=0))))

    def mean(part: Stretch) -> Estimate:
        return DayRatio(part.count("queues", "waited_s", where)[part.counted], part.open_s[part.counted])

    people = _queuers("joined", zone.slug)
    waits = _waits(asked, zone.slug, here)
    return QueuePeriod(
        zone=zone.slug,
        name=zone.name,
        joined=compared.figure(
            "queue_joined", "people", lambda part: total(joined(part)), people=people, comparable=False
        ),
        length_max=compared.figure("queue_length", "people", longest, people=people, comparable=False),
        length_mean=_counted(
            compared.figure("queue_length_mean", "people", mean, people=people, comparable=here),
            round(float(joined(compared.now).sum())),
        ),
        wait_median=waits["queue_wait_median"],
        wait_p90=waits["queue_wait_p90"],
        abandonment=waits["abandonment"],
    )


def _counted(figure: Compared, n: int) -> Compared:
    """The same, standing on so many waits and not on seconds."""
    return Compared(replace(figure.now, n=None if figure.now.n is None else n), figure.before)


def _gaps(part: Stretch) -> list[dict[str, Any]]:
    rows = part.sums["gaps"].select(["business_day", "camera_id", "gaps", "gap_s"]).to_pylist()
    found = [
        {"day": row["business_day"].isoformat(), "camera": row["camera_id"], "gaps": row["gaps"], "gap_s": row["gap_s"]}
        for row in rows
    ]
    return sorted(found, key=lambda row: (row["day"], row["camera"]))


__all__ = ["SALES", "aligned", "before", "check", "comparing", "compose", "marks_of", "period_figures", "year_before"]
