"""From one day's rows to estimates: what was observed for each measure, before anything is compared or hidden.

Pure functions over the Arrow tables of `DayRows`; the definitions are those of `floor/queries.py`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from vitrina.floor.occupancy import people_inside
from vitrina.floor.queries import STOP_S, Marks
from vitrina.floor.rows import DayRows
from vitrina.worth.estimate import Count, Estimate, Mean, Quantile, Ratio, Share

MINUTE_US = 60_000_000
HOUR_US = 60 * MINUTE_US

Micros = NDArray[np.int64]


@dataclass(frozen=True)
class ShopDay:
    """One day's rows with the clock that they are read by.

    hours: (n + 1,) µs since the epoch, the edges of the business day's 23, 24 or 25 hours.
    opens: (from, until) in µs, cut at the moment of asking; nothing when the shop was closed all day.
    closed: the last opening had ended when the question was asked.
    """

    rows: DayRows
    marks: Marks
    currency: str
    hours: Micros
    opens: tuple[tuple[int, int], ...]
    cameras: frozenset[str]
    closed: bool

    @cached_property
    def inbound(self) -> Micros:
        return micros(_where(self.rows.crossings, "direction", "in"))

    @cached_property
    def outbound(self) -> Micros:
        return micros(_where(self.rows.crossings, "direction", "out"))

    @cached_property
    def purchases(self) -> pa.Table:
        """Receipts with a positive total in the shop's own currency."""
        own = _where(self.rows.receipts, "currency", self.currency)
        return own.filter(pc.greater(own["total_minor"], 0))

    def by_hour(self, t: Micros, weights: NDArray[np.float64] | None = None) -> NDArray[np.float64]:
        return np.histogram(t, self.hours, weights=weights)[0].astype(np.float64)

    @cached_property
    def open_s(self) -> float:
        return sum(until - start for start, until in self.opens) / 1e6

    @cached_property
    def entrance_cameras(self) -> frozenset[str]:
        """The cameras that count at the door, as far as the day's crossings tell; else every camera."""
        return frozenset(pc.unique(self.rows.crossings["camera_id"]).to_pylist()) or self.cameras

    def watched(self, start: int, until: int, cameras: frozenset[str]) -> float | None:
        """The part of the camera time from `start` to `until` (µs) that was analysed; None when no row says."""
        if not cameras or until <= start or not self.rows.presence.num_rows:
            return None
        presence = self.rows.presence.filter(
            pc.is_in(self.rows.presence["camera_id"], value_set=pa.array(sorted(cameras)))
        )
        t = micros(presence)
        seconds = doubles(presence, "watched_s")[(t >= start) & (t < until)].sum()
        return min(1.0, float(seconds) / (len(cameras) * (until - start) / 1e6))

    @cached_property
    def watched_share(self) -> float | None:
        parts = [(until - start, self.watched(start, until, self.cameras)) for start, until in self.opens]
        if not parts or any(share is None for _, share in parts):
            return None
        return sum(length * (share or 0.0) for length, share in parts) / sum(length for length, _ in parts)


# Figures of the whole shop -----------------------------------------------------------------------------------------


def headline(day: ShopDay) -> dict[str, Estimate]:
    entries = day.by_hour(day.inbound)
    inside = _where_in(day.rows.visits, "zone_id", day.marks.inside)
    own = _where(day.rows.receipts, "currency", day.currency)
    takings = day.by_hour(micros(own), doubles(own, "total_minor"))
    return {
        "footfall": Count(len(day.inbound)),
        "capture_rate": _capture(day),
        "dwell_median": Quantile(doubles(inside, "dwell_s")),
        "dwell_p90": Quantile(doubles(inside, "dwell_s"), 0.9),
        **_waiting(day.rows.waits),
        "conversion": Ratio(day.by_hour(micros(day.purchases)), entries),
        "average_ticket": Mean(doubles(day.purchases, "total_minor")),
        "shopper_yield": Ratio(takings, entries),
    }


def _capture(day: ShopDay) -> Share:
    outside = pc.unique(_where_in(day.rows.visits, "zone_id", day.marks.outside)["person_id"])
    entered = _where(day.rows.crossings, "direction", "in")["person_id"]
    entries = len(day.inbound)
    if not len(outside):
        return Share(0, 0)
    passers = len(outside) - pc.sum(pc.is_in(outside, value_set=pc.unique(entered))).as_py()
    return Share(entries, entries + passers)


def _waiting(waits: pa.Table) -> dict[str, Estimate]:
    served = doubles(_where(waits, "outcome", "served"), "wait_s")
    abandoned = _where(waits, "outcome", "abandoned").num_rows
    return {
        "queue_wait_median": Quantile(served),
        "queue_wait_p90": Quantile(served, 0.9),
        "abandonment": Share(abandoned, waits.num_rows),
    }


# Figures of one zone -----------------------------------------------------------------------------------------------


def zone(day: ShopDay, zone_id: str) -> tuple[int, dict[str, Estimate]]:
    """The number of distinct visitors, and the estimates about them."""
    visits = _where(day.rows.visits, "zone_id", zone_id)
    stop_s = day.marks.stop_s.get(zone_id, STOP_S)
    longest = doubles(visits.group_by("person_id").aggregate([("dwell_s", "max")]), "dwell_s_max")
    stopped = longest[longest >= stop_s]
    visitors, footfall = len(longest), len(day.inbound)
    return visitors, {
        "zone_visitors": Count(visitors),
        "exposure": _exposure(visitors, footfall),
        "dwell_median": Quantile(doubles(visits, "dwell_s")),
        "dwell_p90": Quantile(doubles(visits, "dwell_s"), 0.9),
        "stopping_power": Share(len(stopped), visitors),
        "holding_power": Quantile(stopped),
    }


def _exposure(visitors: int, footfall: int) -> Estimate:
    """A share while it can be one; beyond footfall a ratio of one cluster, which has a value and no interval."""
    if visitors <= footfall:
        return Share(visitors, footfall)
    return Ratio(np.array([float(visitors)]), np.array([float(footfall)]))


def queue(day: ShopDay, zone_id: str) -> dict[str, Estimate]:
    waits = _where(day.rows.waits, "zone_id", zone_id)
    joined, ended = micros(waits), micros(waits, "ended_t")
    waiting_s = day.by_hour(joined, doubles(waits, "wait_s"))
    return {
        "length_max": Count(_longest_queue(joined, ended)),
        "length_mean": Ratio(waiting_s, open_seconds_by_hour(day)),
        **_waiting(waits),
    }


def _longest_queue(joined: Micros, ended: Micros) -> int:
    moments = np.concatenate([joined, ended])
    steps = np.repeat([1, -1], [len(joined), len(ended)])
    order = np.lexsort((steps, moments))  # who leaves at the moment another joins stood there before
    return int(np.cumsum(steps[order]).max(initial=0))


def open_seconds_by_hour(day: ShopDay) -> NDArray[np.float64]:
    seconds = np.zeros(len(day.hours) - 1)
    for start, until in day.opens:
        overlap = np.minimum(day.hours[1:], until) - np.maximum(day.hours[:-1], start)
        seconds += np.clip(overlap, 0, None) / 1e6
    return seconds


# Occupancy ---------------------------------------------------------------------------------------------------------


def occupancy(day: ShopDay) -> tuple[Micros, NDArray[np.float64]]:
    """Minutes of the business day (µs) and the people inside at the end of each, from its start to now or its end."""
    last = day.hours[-1] if day.closed else max((until for _, until in day.opens), default=day.hours[-1])
    edges = np.arange(day.hours[0], last + 1, MINUTE_US)
    if len(edges) < 2:
        return edges[:0], np.zeros(0)
    steps = np.stack([np.histogram(moments, edges)[0] for moments in (day.inbound, day.outbound)], axis=1)
    return edges[:-1], people_inside(steps, people_seen(day, edges), closed=day.closed)


def people_seen(day: ShopDay, edges: Micros) -> NDArray[np.float64]:
    """Distinct persons with a visit to a zone inside the shop that covers the end of each minute."""
    places = (*day.marks.inside, *day.marks.queues)
    visits = _where_in(day.rows.visits, "zone_id", places)
    people = pc.dictionary_encode(visits["person_id"].combine_chunks()).indices.to_numpy().astype(np.int64)
    first = np.searchsorted(edges[1:], micros(visits), side="left")
    beyond = np.searchsorted(edges[1:], micros(visits, "left_t"), side="left")
    lengths = beyond - first
    offsets = np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    minutes = np.repeat(first, lengths) + offsets
    pairs = np.unique(np.stack([minutes, np.repeat(people, lengths)]), axis=1)
    return np.bincount(pairs[0], minlength=len(edges) - 1).astype(np.float64)


# Paths -------------------------------------------------------------------------------------------------------------


def paths(day: ShopDay) -> Counter[tuple[str, ...]]:
    """How many persons walked each order of zones; staying in a zone, or coming straight back to it, is one stop."""
    places = (*day.marks.inside, *day.marks.queues)
    visits = _where_in(day.rows.visits, "zone_id", places).sort_by([("person_id", "ascending"), ("t", "ascending")])
    walked: dict[str, list[str]] = {}
    for person, place in zip(visits["person_id"].to_pylist(), visits["zone_id"].to_pylist(), strict=True):
        stops = walked.setdefault(person, [])
        if not stops or stops[-1] != place:
            stops.append(place)
    return Counter(map(tuple, walked.values()))


def steps(walked: Counter[tuple[str, ...]], *, start: str, end: str) -> Counter[tuple[str, str]]:
    """Transitions of all paths, with where they begin and end."""
    found: Counter[tuple[str, str]] = Counter()
    for path, people in walked.items():
        stops = (start, *path, end)
        for step in pairwise(stops):
            found[step] += people
    return found


# Columns -----------------------------------------------------------------------------------------------------------


def micros(rows: pa.Table, column: str = "t") -> Micros:
    """A timestamp column as µs since the epoch."""
    values: Micros = pc.cast(rows[column], pa.int64()).to_numpy()
    return values


def doubles(rows: pa.Table, column: str) -> NDArray[np.float64]:
    values: NDArray[np.float64] = pc.cast(rows[column], pa.float64()).to_numpy()
    return values


def _where(rows: pa.Table, column: str, value: str) -> pa.Table:
    return rows.filter(pc.equal(rows[column], value))


def _where_in(rows: pa.Table, column: str, values: Sequence[str]) -> pa.Table:
    return rows.filter(pc.is_in(rows[column], value_set=pa.array(values, pa.string())))
