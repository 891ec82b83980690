"""How full the shop is at each hour of each week day: entries, and people inside by the doors' balance. Pure."""

from __future__ import annotations

from typing import Any

import numpy as np

from vitrina.floor.measures.figures import hidden
from vitrina.floor.measures.rows import Floats, Ints, Mask, doubles
from vitrina.floor.measures.stretch import QUARTERS, Stretch
from vitrina.product import ShopClock

WEEKDAYS, HOURS = 7, 24


def occupancy(part: Stretch, k_anonymity: int) -> list[dict[str, Any]]:
    """{weekday, hour, inside, in, days}: means over the complete days of that week day, by the shop's clock.

    Inside is entries minus exits, brought to 0 at closing as on the day's page, but without the correction by people
    who are seen, and the mean of an hour's four quarters, or eight where the clock shows it twice. A day on which the
    clock leaves an hour out is none of that hour's days. A cell about fewer than k people is None.
    """
    steps = _quarters(part)
    inside = _inside(steps)
    weekday = np.array([day.weekday() for day in part.days])
    hours = _clock_hours(part)
    days = np.zeros((WEEKDAYS, HOURS), dtype=np.int64)
    entries, people = np.zeros((WEEKDAYS, HOURS)), np.zeros((WEEKDAYS, HOURS))
    for number in np.flatnonzero(part.complete):
        there = hours[number] >= 0
        shown = hours[number][there]
        times = np.bincount(shown, minlength=HOURS)
        at = (weekday[number], shown)
        np.add.at(entries, at, steps[number, :, 0].reshape(-1, 4).sum(axis=1)[there])
        np.add.at(people, at, inside[number].reshape(-1, 4).mean(axis=1)[there] / times[shown])
        days[weekday[number]] += times > 0
    open_hours = _open(part, hours)
    return [
        _cell(day, hour, float(people[day, hour]), float(entries[day, hour]), int(days[day, hour]), k_anonymity)
        for day in range(WEEKDAYS)
        for hour in _in_order(part)
        if days[day, hour] and (open_hours[day, hour] or entries[day, hour])
    ]


def _cell(day: int, hour: int, people: float, entries: float, days: int, k_anonymity: int) -> dict[str, Any]:
    """An hour's people are those inside and those who came, over all of its days."""
    small = hidden(round(max(people, entries) + 0.499), k_anonymity)
    return {
        "weekday": day,
        "hour": hour,
        "inside": None if small else round(people / days, 1),
        "in": None if small else round(entries / days, 1),
        "days": days,
    }


def _quarters(part: Stretch) -> Ints:
    """Inbound and outbound crossings by quarter of each business day, (days, QUARTERS, 2)."""
    rows = part.sums["doors"]
    day = part.day_of(rows)
    quarter = (part.moments(rows) - part.starts[day]) // 900_000_000
    cells = day * QUARTERS + quarter
    counted = [
        np.bincount(cells, weights=doubles(rows, column), minlength=part.length * QUARTERS)
        for column in ("inbound", "outbound")
    ]
    return np.stack(counted, axis=1).reshape(part.length, QUARTERS, 2).astype(np.int64)


def _inside(steps: Ints) -> Floats:
    """People inside at the end of each quarter, (days, QUARTERS): `people_inside` of closed days, all days at once."""
    crossings = steps.sum(axis=2)
    change = (steps[:, :, 0] - steps[:, :, 1]).astype(np.float64)
    change -= change.sum(axis=1, keepdims=True) * crossings / np.maximum(crossings.sum(axis=1, keepdims=True), 1)
    inside, people = np.zeros(change.shape), np.zeros(len(change))
    for quarter in range(QUARTERS):
        people = np.maximum(people + change[:, quarter], 0.0)
        inside[:, quarter] = people
    return inside


def _clock_hours(part: Stretch) -> Ints:
    """The hour on the shop's clock of each hour of each business day, (days, 25); -1 beyond the day's end."""
    regular = (part.shop.day_starts.hour + np.arange(25)) % HOURS
    lengths = np.diff(part.starts) // 3_600_000_000
    hours = np.where(np.arange(25) < lengths[:, None], regular, -1)
    clock = ShopClock(part.shop.timezone, part.shop.day_starts)
    for number in np.flatnonzero(lengths != HOURS):
        local = [clock.local(moment).hour for moment in clock.hours(part.days[number])]
        hours[number, : len(local)] = local
    return hours


def _open(part: Stretch, hours: Ints) -> Mask:
    """Hours of a week day in which the shop is open on any of the days."""
    found = np.zeros((WEEKDAYS, HOURS), dtype=bool)
    edges = part.starts[:-1, None] + np.arange(25) * 3_600_000_000
    for number, spans in enumerate(part.opens):
        for start, until in spans:
            during = (edges[number] < until) & (edges[number] + 3_600_000_000 > start) & (hours[number] >= 0)
            found[part.days[number].weekday(), hours[number][during]] = True
    return found


def _in_order(part: Stretch) -> list[int]:
    return [(part.shop.day_starts.hour + hour) % HOURS for hour in range(HOURS)]
