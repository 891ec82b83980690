"""What really happened, as the events the pipeline should have found.

From true positions without gaps, so a visit is simply a stretch of time inside the polygon; and from what people
meant to do: who turned round in the door has not come in, and who came for half a minute has.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import shapely
from numpy.typing import NDArray

from vitrina.floor.counting.line import Crossing, Direction
from vitrina.floor.counting.queue import Wait
from vitrina.floor.counting.visit import Visit
from vitrina.floor.layout import Line, Shop, Zone
from vitrina.floor.pipeline import Events
from vitrina.floor.simulate.shoppers import TURNER, Walks

Floats = NDArray[np.float64]


def events(walks: Walks, shop: Shop, *, start: float) -> Events:
    """True crossings, visits and waits; `track_id` is the person. start: seconds since the epoch of the first step."""
    found = Events()
    queue = next(zone.slug for zone in shop.layout.zones if zone.kind == "queue")
    order = np.lexsort((walks.t, walks.person))
    people, firsts = np.unique(walks.person[order], return_index=True)
    for person, rows in zip(people.tolist(), np.split(order, firsts[1:]), strict=True):
        t = walks.t[rows] + start
        points = np.stack([walks.x_m[rows], walks.y_m[rows]], axis=1)
        for line in shop.layout.lines:
            found.crossings += _crossings(line, person, t, points) if walks.kinds[person] != TURNER else ()
        for zone in shop.layout.zones:
            found.visits += _visits(zone, person, t, points)
    found.waits += [
        Wait(
            queue,
            w.person,
            start + w.joined,
            start + w.ended,
            w.ended - w.joined,
            "served" if w.served else "abandoned",
        )
        for w in walks.waits
    ]
    found.crossings.sort(key=lambda crossing: crossing.t)
    return found


def inside(walks: Walks, shop: Shop, moments: Floats) -> Floats:
    """Customers inside the shop at each moment (seconds since the start)."""
    door_y = shop.layout.lines[0].a[1]
    counted = (walks.y_m < door_y) & ~walks.staff[walks.person]
    steps, people = np.unique(walks.t[counted], return_counts=True)
    place = np.searchsorted(steps, moments)
    known = place < len(steps)
    result = np.zeros(len(moments))
    exact = known & np.isclose(steps[np.minimum(place, len(steps) - 1)], moments, atol=0.21)
    result[exact] = people[place[exact]]
    return result


def _crossings(line: Line, person: int, t: Floats, points: Floats) -> Iterator[Crossing]:
    a, b = np.array(line.a), np.array(line.b)
    along, away = b - a, points - a
    side = along[0] * away[:, 1] - along[1] * away[:, 0]
    share = away @ along / (along @ along)
    for step in np.flatnonzero((side[:-1] < 0) != (side[1:] < 0)):
        if 0 <= share[step + 1] <= 1:
            direction: Direction = "in" if side[step + 1] > side[step] else "out"
            yield Crossing(line.slug, person, float(t[step + 1]), direction)


def _visits(zone: Zone, person: int, t: Floats, points: Floats) -> Iterator[Visit]:
    """Stretches inside, joined over absences shorter than `leave_s`, that lasted `enter_s`."""
    within = shapely.contains_xy(shapely.Polygon(zone.polygon), points[:, 0], points[:, 1])
    edges = np.flatnonzero(np.diff(np.r_[False, within, False].astype(int)))
    stretches: list[tuple[float, float]] = []
    for first, beyond in edges.reshape(-1, 2).tolist():
        entered, left = float(t[first]), float(t[beyond - 1])
        if stretches and entered - stretches[-1][1] < zone.leave_s:
            stretches[-1] = (stretches[-1][0], left)
        else:
            stretches.append((entered, left))
    for entered, left in stretches:
        if left - entered >= zone.enter_s:
            yield Visit(zone.slug, person, entered, left, left - entered, "left")
