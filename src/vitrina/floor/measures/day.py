"""One shop's day, composed: figures with intervals and changes, hours, zones, queues, heat, paths, gaps."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np

from vitrina.floor.layout import Shop, Zone
from vitrina.floor.measures import estimates, figures
from vitrina.floor.measures.estimates import ShopDay
from vitrina.floor.measures.figures import DayFigures, Figure, Heat, QueueDay, Shown, ZoneDay, smallest_group
from vitrina.floor.measures.queries import Marks
from vitrina.floor.measures.rows import DayRows, Floats, Ints, Source, read_rows
from vitrina.product import ShopClock
from vitrina.worth.estimate import Count, Estimate

WEEKS_BACK = 4
WATCHED_ENOUGH = 0.9  # a day watched for less is not compared with others
OCCUPANCY_STEP_MIN = 5
PATHS_SHOWN = 10

UNITS: Mapping[str, str] = {
    "footfall": "people",
    "capture_rate": "share",
    "dwell_median": "s",
    "dwell_p90": "s",
    "queue_wait_median": "s",
    "queue_wait_p90": "s",
    "abandonment": "share",
    "conversion": "ratio",
    "average_ticket": "money",
    "shopper_yield": "money",
}


def day_figures(
    lake: Source, shop: Shop, day: date, *, k_anonymity: int = 5, now: datetime | None = None
) -> DayFigures:
    """Everything that a page shows of one business day.

    now: for a day that is not over; earlier days are then compared up to the same time. None: the day is over.
    """
    days = same_week_days(day)
    marks = Marks.of(shop)
    rows = read_rows(lake, shop.slug, days, marks=marks, currency=shop.currency, heat_of=day)
    return compose(rows, shop, day, marks=marks, k_anonymity=k_anonymity, now=now)


def same_week_days(day: date) -> list[date]:
    """The day itself and the same week day of the four weeks before, newest first."""
    return [day - timedelta(weeks=back) for back in range(WEEKS_BACK + 1)]


def compose(
    rows: Mapping[date, DayRows],
    shop: Shop,
    day: date,
    *,
    marks: Marks,
    k_anonymity: int,
    now: datetime | None = None,
) -> DayFigures:
    """The pure half of `day_figures`: rows of the day and of earlier days in, figures out."""
    today, *before = (_shop_day(rows[each], shop, each, day, marks, now) for each in same_week_days(day))
    comparable = [
        (date_, earlier)
        for date_, earlier in zip(same_week_days(day)[1:], before, strict=True)
        if earlier.rows.watched and _watched_enough(earlier) and _watched_enough(today)
    ]
    earlier_days = [earlier for _, earlier in comparable]
    shown = Shown(k_anonymity, tuple(date_.isoformat() for date_, _ in comparable), watched=today.rows.watched)
    clock = ShopClock(shop.timezone, shop.day_starts)
    walked = estimates.paths(today)
    inside = estimates.occupancy(today)
    return DayFigures(
        shop=shop.slug,
        day=day.isoformat(),
        currency=shop.currency,
        simulated=today.rows.simulated,
        layout_ids=today.rows.layout_ids,
        watched_share=today.watched_share,
        gaps=_gaps(today.rows),
        figures=_headline(shown, today, earlier_days) | _occupancy_figures(shown, today, inside[1]),
        hourly=_hourly(today, clock, k_anonymity),
        occupancy=_occupancy_curve(today, clock, *inside, k_anonymity=k_anonymity),
        zones=[_zone(shown, place, today, earlier_days) for place in _shown_zones(shop, today)],
        queues=[_queue(shown, place, today, earlier_days) for place in shop.layout.zones if place.kind == "queue"],
        heat=_heat(today, k_anonymity),
        paths=_paths(walked, k_anonymity),
        transitions=_transitions(walked, k_anonymity),
    )


# The day and its clock ---------------------------------------------------------------------------------------------


def _shop_day(rows: DayRows, shop: Shop, each: date, asked: date, marks: Marks, now: datetime | None) -> ShopDay:
    clock = ShopClock(shop.timezone, shop.day_starts)
    hours = np.array([_micros(t) for t in (*clock.hours(each), clock.day_bounds(each)[1])])
    opens = opening_times(shop, each) or _seen_open(rows)
    cut = int(hours[-1])
    if now is not None:
        elapsed = _micros(now) - _micros(clock.day_bounds(asked)[0])
        cut = min(cut, int(hours[0]) + max(0, elapsed))
    closed = cut >= max((until for _, until in opens), default=int(hours[0]))
    return ShopDay(
        rows=rows if cut == hours[-1] else rows.until(cut),
        marks=marks,
        hours=hours,
        opens=tuple((start, min(until, cut)) for start, until in opens if start < cut),
        cameras=frozenset(rows.presence.cameras[code] for code in np.unique(rows.presence.camera))
        | {gap["camera_id"] for gap in rows.gaps},
        closed=closed,
    )


def opening_times(shop: Shop, day: date) -> tuple[tuple[int, int], ...]:
    """When the shop is open on a business day, in µs since the epoch; nothing when it is closed or nobody said."""
    if not shop.opens:
        return ()
    clock = ShopClock(shop.timezone, shop.day_starts)
    first, last = clock.day_bounds(day)
    found = []
    for hours in shop.opens[day.weekday()]:
        start, until = (first, last) if hours.all_day else (clock.at(day, hours.opens), clock.at(day, hours.closes))
        found.append((_micros(start), _micros(until if until > start else last)))
    return tuple(found)


def _seen_open(rows: DayRows) -> tuple[tuple[int, int], ...]:
    """Without opening hours: from the first thing seen to the last; a minute watched in part ends, or begins, in it."""
    moments = [part.t for part in (rows.crossings, rows.visits) if len(part.t)]
    spans = [(int(t.min()), int(t.max())) for t in moments]
    presence = rows.presence
    if len(presence.t):
        first, last = int(np.argmin(presence.t)), int(np.argmax(presence.t))
        watched_us = np.minimum(presence.watched_s * 1e6, estimates.MINUTE_US).astype(np.int64)
        late_us = 0 if first == last else estimates.MINUTE_US - int(watched_us[first])
        spans.append((int(presence.t[first]) + late_us, int(presence.t[last] + watched_us[last])))
    if not spans:
        return ()
    return ((min(start for start, _ in spans), max(until for _, until in spans)),)


def _watched_enough(day: ShopDay) -> bool:
    return day.watched_share is None or day.watched_share >= WATCHED_ENOUGH


def _micros(t: datetime) -> int:
    return round((t - datetime(1970, 1, 1, tzinfo=UTC)) / timedelta(microseconds=1))


def _iso(moment_us: int) -> str:
    return datetime.fromtimestamp(moment_us / 1e6, UTC).isoformat().replace("+00:00", "Z")


# Figures -----------------------------------------------------------------------------------------------------------


SALES = ("conversion", "average_ticket", "shopper_yield")
DWELLS = ("dwell_median", "dwell_p90")


def _headline(shown: Shown, today: ShopDay, earlier: Sequence[ShopDay]) -> dict[str, Figure]:
    before = [estimates.headline(day) for day in earlier]
    people = [_people(day) for day in (today, *earlier)]
    found = {
        name: shown.figure(
            name,
            UNITS[name],
            estimate,
            [each[name] for each in before],
            people=[each[name] for each in people] if name in people[0] else (),
            note=_note(name, today, estimate),
        )
        for name, estimate in estimates.headline(today).items()
    }
    if today.purchases.any():
        return found
    return found | {name: Figure(name, None, UNITS[name], None, note=figures.NO_RECEIPTS) for name in SALES}


def _people(day: ShopDay) -> dict[str, int]:
    """Whom a figure is about that stands on visits or waits, of which one person may have several, or on two groups."""
    captured = round(smallest_group(*estimates.entered_and_passed(day)))
    people = dict.fromkeys(DWELLS, estimates.people_in_zones(day)) | estimates.people_waiting(day.rows.waits)
    return people | {"capture_rate": captured}


def _note(name: str, today: ShopDay, estimate: Estimate) -> str:
    if name == "footfall":
        known = bool(today.rows.crossings.role_known.all())
        return figures.NOT_AUDITED if known else f"{figures.NOT_AUDITED}; {figures.INCL_STAFF}"
    if name == "capture_rate" and not today.marks.outside:
        return figures.NO_OUTSIDE
    if name in SALES:
        return _sales_note(today, estimate)
    return ""


def _sales_note(today: ShopDay, estimate: Estimate) -> str:
    if not estimate.n:
        return figures.NO_FOOTFALL
    return "" if today.rows.receipts.own_currency.all() else figures.OTHER_CURRENCY


def _came_in(today: ShopDay) -> int:
    """Whom figures about people inside are about: those who entered, or were seen where no entrance is watched."""
    return len(today.inbound) or estimates.people_in_zones(today)


def _occupancy_figures(shown: Shown, today: ShopDay, inside: Floats) -> dict[str, Figure]:
    footfall = len(today.inbound)

    def figure(name: str, people: float) -> Figure:
        found = shown.figure(name, "people", Count(round(people)), people=[_came_in(today)])
        return found if found.n is None else replace(found, n=footfall)

    closed = Figure("occupancy_now", None, "people", None, note=figures.CLOSED)
    now = closed if today.closed else figure("occupancy_now", float(inside[-1]) if len(inside) else 0.0)
    return {"occupancy_peak": figure("occupancy_peak", float(inside.max(initial=0.0))), "occupancy_now": now}


def _hourly(today: ShopDay, clock: ShopClock, k_anonymity: int) -> list[dict[str, Any]]:
    """The hours in which the shop was open or somebody crossed."""
    counted = zip(today.by_hour(today.inbound), today.by_hour(today.outbound), strict=True)
    return [
        _hour(today, clock, hour, (round(inbound), round(outbound)), k_anonymity)
        for hour, ((inbound, outbound), open_s) in enumerate(zip(counted, today.open_s_by_hour, strict=True))
        if open_s or inbound or outbound
    ]


def _hour(today: ShopDay, clock: ShopClock, hour: int, counts: tuple[int, int], k_anonymity: int) -> dict[str, Any]:
    start, until = int(today.hours[hour]), int(today.hours[hour + 1])
    open_parts = [(max(start, first), min(until, last)) for first, last in today.opens]
    spans = [(first, last) for first, last in open_parts if first < last] or [(start, until)]
    watched = today.watched(spans[0][0], spans[-1][1], today.door_cameras)
    note = ""
    if watched is not None and watched < WATCHED_ENOUGH:
        note = figures.PARTLY_WATCHED if watched or any(counts) else figures.NOT_WATCHED
    values: list[int | None] = [None if figures.hidden(count, k_anonymity) else count for count in counts]
    if None in values:
        note = figures.TOO_FEW.format(k=k_anonymity)
    if note == figures.NOT_WATCHED:
        values = [None, None]
    return {
        "hour": clock.local(start / 1e6).strftime("%H:%M"),
        "t": _iso(start),
        "in": values[0],
        "out": values[1],
        "low": None,
        "high": None,
        "watched": watched,
        "note": note,
    }


def _occupancy_curve(
    today: ShopDay, clock: ShopClock, minutes: Ints, inside: Floats, *, k_anonymity: int
) -> list[dict[str, Any]]:
    """Every five minutes of the opening hours; where the door was not watched nobody knows. Nothing of a few people."""
    if figures.hidden(_came_in(today), k_anonymity):
        return []
    curve = []
    for minute, people in zip(minutes[::OCCUPANCY_STEP_MIN].tolist(), inside[::OCCUPANCY_STEP_MIN], strict=True):
        if not any(start <= minute < until for start, until in today.opens):
            continue
        watched = today.watched(minute, minute + OCCUPANCY_STEP_MIN * estimates.MINUTE_US, today.door_cameras)
        value = None if watched == 0 else round(float(people))
        curve.append({"t": clock.local(minute / 1e6).strftime("%H:%M"), "people": value})
    return curve


# Places ------------------------------------------------------------------------------------------------------------


def _shown_zones(shop: Shop, today: ShopDay) -> list[Zone]:
    """The layout's zones but those of the staff, then zones that only the rows know (from an earlier layout)."""
    current = [zone for zone in shop.layout.zones if zone.kind != "staff"]
    known = {zone.slug for zone in shop.layout.zones}
    seen = sorted({today.rows.visits.zones[code] for code in np.unique(today.rows.visits.zone)} - known)
    return current + [Zone(slug, slug, "section", ()) for slug in seen]


def _zone(shown: Shown, place: Zone, today: ShopDay, earlier: Sequence[ShopDay]) -> ZoneDay:
    (visitors, found), *before = (estimates.zone(day, place.slug) for day in (today, *earlier))
    units = {"zone_visitors": "people", "exposure": "ratio", "stopping_power": "share"}

    def figure(name: str, note: str = "") -> Figure:
        values = [each[name] for _, each in before]
        people = [visitors, *(people for people, _ in before)]
        if name == "exposure":
            entered = (len(day.inbound) for day in (today, *earlier))
            people = [round(smallest_group(*both)) for both in zip(people, entered, strict=True)]
        about = () if name == "holding_power" else people  # which is about those who stopped alone
        return shown.figure(name, units.get(name, "s"), found[name], values, people=about, note=note)

    crowded = visitors > len(today.inbound)
    return ZoneDay(
        zone=place.slug,
        name=place.name,
        kind=place.kind,
        visitors=figure("zone_visitors"),
        exposure=figure("exposure", figures.MORE_THAN_FOOTFALL if crowded else ""),
        dwell_median=figure("dwell_median"),
        dwell_p90=figure("dwell_p90"),
        stopping_power=figure("stopping_power"),
        holding_power=figure("holding_power"),
    )


def _queue(shown: Shown, place: Zone, today: ShopDay, earlier: Sequence[ShopDay]) -> QueueDay:
    (about, found), *before = (estimates.queue(day, place.slug) for day in (today, *earlier))
    joined = len(today.rows.waits.in_zone(place.slug).t)

    def figure(name: str, unit: str, estimate: str) -> Figure:
        people = [about[estimate], *(people[estimate] for people, _ in before)]
        shown_one = shown.figure(name, unit, found[estimate], [each[estimate] for _, each in before], people=people)
        return replace(shown_one, n=joined) if estimate.startswith("length") and shown_one.n else shown_one

    return QueueDay(
        zone=place.slug,
        name=place.name,
        length_max=figure("queue_length", "people", "length_max"),
        length_mean=figure("queue_length_mean", "people", "length_mean"),
        wait_median=figure("queue_wait_median", "s", "queue_wait_median"),
        wait_p90=figure("queue_wait_p90", "s", "queue_wait_p90"),
        abandonment=figure("abandonment", "share", "abandonment"),
    )


def _heat(today: ShopDay, k_anonymity: int) -> Heat | None:
    """Cells of one size, the most common one: a layout that changed in mid-day is not drawn over another."""
    heat, people = today.rows.heat, len(np.unique(today.rows.visits.person))
    if not len(heat.ix) or figures.hidden(people, k_anonymity):
        return None
    sizes, counts = np.unique(heat.cell_cm, return_counts=True)
    size = int(sizes[counts.argmax()])
    cells = heat.where(heat.cell_cm == size)
    left, top = int(cells.ix.min()), int(cells.iy.min())
    grid = np.zeros((int(cells.iy.max()) - top + 1, int(cells.ix.max()) - left + 1))
    grid[cells.iy - top, cells.ix - left] = cells.seconds
    return Heat(
        cell_cm=size,
        x0=left * size,
        y0=top * size,
        nx=grid.shape[1],
        ny=grid.shape[0],
        seconds=grid.round(1).tolist(),
    )


def _paths(walked: Mapping[tuple[str, ...], int], k_anonymity: int) -> list[dict[str, Any]]:
    common = sorted(walked.items(), key=lambda item: (-item[1], item[0]))[:PATHS_SHOWN]
    return [{"path": list(path), "people": n} for path, n in common if not figures.hidden(n, k_anonymity)]


def _transitions(walked: Counter[estimates.Path], k_anonymity: int) -> list[dict[str, Any]]:
    found = estimates.steps(walked, start=figures.START, end=figures.END)
    ordered = sorted(found.items(), key=lambda item: (-item[1], item[0]))
    return [
        {"from": origin, "to": goal, "people": n} for (origin, goal), n in ordered if not figures.hidden(n, k_anonymity)
    ]


# Rows --------------------------------------------------------------------------------------------------------------


def _gaps(rows: DayRows) -> list[dict[str, Any]]:
    return [
        {
            "camera": gap["camera_id"],
            "start": _iso(round(gap["t"].timestamp() * 1e6)),
            "until": _iso(round(gap["until_t"].timestamp() * 1e6)),
            "gap_s": gap["gap_s"],
            "reason": gap["reason"],
        }
        for gap in rows.gaps
    ]
