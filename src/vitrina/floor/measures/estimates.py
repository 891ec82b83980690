"""From one day's rows to estimates: what was observed for each measure, before anything is compared or hidden.

Pure functions over NumPy columns; the definitions are those of `floor/measures/queries.py`.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np

from vitrina.floor.measures.occupancy import people_inside
from vitrina.floor.measures.queries import Marks
from vitrina.floor.measures.rows import DayRows, Floats, Ints, Mask, Presence, Waits
from vitrina.worth.estimate import Count, Estimate, Mean, Quantile, Ratio, Share

MINUTE_US = 60_000_000

Path = tuple[str, ...]


@dataclass(frozen=True)
class Watched:
    """When some cameras looked, so that any stretch of time is two look-ups.

    t: (n,) minutes in order. sums_s: (n + 1,) seconds watched before each of them, and in all.
    """

    t: Ints
    sums_s: Floats

    @classmethod
    def by(cls, presence: Presence, cameras: frozenset[str]) -> Watched:
        wanted = np.array([slug in cameras for slug in presence.cameras], dtype=bool)
        seen = presence.where(wanted[presence.camera])
        order = np.argsort(seen.t, kind="stable")
        return cls(seen.t[order], np.concatenate([[0.0], np.cumsum(seen.watched_s[order])]))

    def between(self, start: int, until: int) -> float:
        """Seconds in the minutes that began from `start` until before `until` (µs)."""
        first, last = np.searchsorted(self.t, (start, until))
        return float(self.sums_s[last] - self.sums_s[first])


@dataclass(frozen=True)
class ShopDay:
    """One day's rows with the clock that they are read by.

    hours: (n + 1,) µs since the epoch, the edges of the business day's 23, 24 or 25 hours.
    opens: (from, until) in µs, cut at the moment of asking; nothing when the shop was closed all day.
    cameras: those that should have watched.
    closed: the last opening had ended when the question was asked.
    """

    rows: DayRows
    marks: Marks
    hours: Ints
    opens: tuple[tuple[int, int], ...]
    cameras: frozenset[str]
    closed: bool

    @cached_property
    def inbound(self) -> Ints:
        return self.rows.crossings.t[self.rows.crossings.inbound]

    @cached_property
    def outbound(self) -> Ints:
        return self.rows.crossings.t[~self.rows.crossings.inbound]

    @cached_property
    def purchases(self) -> Mask:
        """Receipts with a positive total in the shop's own currency."""
        return self.rows.receipts.own_currency & (self.rows.receipts.total_minor > 0)

    def by_hour(self, t: Ints, weights: Floats | None = None) -> Floats:
        return np.histogram(t, self.hours, weights=weights)[0].astype(np.float64)

    @cached_property
    def open_s_by_hour(self) -> Floats:
        seconds = np.zeros(len(self.hours) - 1)
        for start, until in self.opens:
            overlap = np.minimum(self.hours[1:], until) - np.maximum(self.hours[:-1], start)
            seconds += np.clip(overlap, 0, None) / 1e6
        return seconds

    @cached_property
    def door_cameras(self) -> frozenset[str]:
        """The cameras that count at the door, as far as the day's crossings tell; else every camera."""
        crossings = self.rows.crossings
        return frozenset(crossings.cameras[code] for code in np.unique(crossings.camera)) or self.cameras

    def watched(self, start: int, until: int, cameras: frozenset[str]) -> float | None:
        """The part of the camera time from `start` to `until` (µs) that was analysed; None when no row says."""
        if not cameras or until <= start or not len(self.rows.presence.t):
            return None
        if cameras not in self._watched:
            self._watched[cameras] = Watched.by(self.rows.presence, cameras)
        return min(1.0, self._watched[cameras].between(start, until) / (len(cameras) * (until - start) / 1e6))

    @cached_property
    def _watched(self) -> dict[frozenset[str], Watched]:
        return {}

    @cached_property
    def watched_share(self) -> float | None:
        parts = [(until - start, self.watched(start, until, self.cameras)) for start, until in self.opens]
        if not parts or any(share is None for _, share in parts):
            return None
        return sum(length * (share or 0.0) for length, share in parts) / sum(length for length, _ in parts)


def headline(day: ShopDay) -> dict[str, Estimate]:
    """Figures of the whole shop. Without a single receipt it is the receipts that are missing, not the buyers."""
    receipts = day.rows.receipts
    entries = day.by_hour(day.inbound) if day.purchases.any() else np.zeros(len(day.hours) - 1)
    own = receipts.where(receipts.own_currency)
    dwell_s = day.rows.visits.in_zones(day.marks.inside).dwell_s
    return {
        "footfall": Count(len(day.inbound)),
        "capture_rate": _capture(day),
        "dwell_median": Quantile(dwell_s),
        "dwell_p90": Quantile(dwell_s, 0.9),
        **waiting(day.rows.waits),
        "conversion": Ratio(day.by_hour(receipts.t[day.purchases]), entries),
        "average_ticket": Mean(receipts.total_minor[day.purchases]),
        "shopper_yield": Ratio(day.by_hour(own.t, own.total_minor), entries),
    }


def people_in_zones(day: ShopDay) -> int:
    """Persons with a visit to a section or promo display; each may have several."""
    return len(np.unique(day.rows.visits.in_zones(day.marks.inside).person))


def entered_and_passed(day: ShopDay) -> tuple[int, int]:
    """Entries, and persons who were seen outside and did not come in; none of both where nobody was seen outside."""
    outside = np.unique(day.rows.visits.in_zones(day.marks.outside).person)
    entered = day.rows.crossings.person[day.rows.crossings.inbound]
    return (len(entered), len(np.setdiff1d(outside, entered))) if len(outside) else (0, 0)


def _capture(day: ShopDay) -> Share:
    entered, passed = entered_and_passed(day)
    return Share(entered, entered + passed)


def waiting(waits: Waits) -> dict[str, Estimate]:
    served_s, abandoned = waits.wait_s[waits.served], int(waits.abandoned.sum())
    return {
        "queue_wait_median": Quantile(served_s),
        "queue_wait_p90": Quantile(served_s, 0.9),
        "abandonment": Share(abandoned, abandoned + len(served_s)),
    }


def people_waiting(waits: Waits) -> dict[str, int]:
    """How many persons each estimate of `waiting` is about; each may have joined several times."""
    served = len(np.unique(waits.person[waits.served]))
    ended = len(np.unique(waits.person[waits.served | waits.abandoned]))
    return {"queue_wait_median": served, "queue_wait_p90": served, "abandonment": ended}


def zone(day: ShopDay, zone_id: str) -> tuple[int, dict[str, Estimate]]:
    """The number of distinct visitors of one zone, and the estimates about them."""
    visits = day.rows.visits.in_zones((zone_id,))
    people, which = np.unique(visits.person, return_inverse=True)
    longest_s = np.zeros(len(people))
    np.maximum.at(longest_s, which, visits.dwell_s)
    stopped_s = longest_s[longest_s >= day.marks.stop_s(zone_id)]
    return len(people), {
        "zone_visitors": Count(len(people)),
        "exposure": _exposure(len(people), len(day.inbound)),
        "dwell_median": Quantile(visits.dwell_s),
        "dwell_p90": Quantile(visits.dwell_s, 0.9),
        "stopping_power": Share(len(stopped_s), len(people)),
        "holding_power": Quantile(stopped_s),
    }


def _exposure(visitors: int, footfall: int) -> Estimate:
    """A share while it can be one; beyond footfall a ratio of one cluster, which has a value and no interval."""
    if visitors <= footfall:
        return Share(visitors, footfall)
    return Ratio(np.array([float(visitors)]), np.array([float(footfall)]))


def queue(day: ShopDay, zone_id: str) -> tuple[dict[str, int], dict[str, Estimate]]:
    """Of one queue: how many persons each estimate is about, and the estimates.

    Its length is about everybody who joined, whatever became of them.
    """
    waits = day.rows.waits.in_zone(zone_id)
    joined = len(np.unique(waits.person))
    return {"length_max": joined, "length_mean": joined, **people_waiting(waits)}, {
        "length_max": Count(longest_queue(waits.t, waits.ended)),
        "length_mean": Ratio(day.by_hour(waits.t, waits.wait_s), day.open_s_by_hour),
        **waiting(waits),
    }


def longest_queue(joined: Ints, ended: Ints) -> int:
    """The most people who stood there at once; who leaves at the moment another joins has left."""
    moments = np.concatenate([joined, ended])
    steps = np.repeat([1, -1], [len(joined), len(ended)])
    return int(np.cumsum(steps[np.lexsort((steps, moments))]).max(initial=0))


def occupancy(day: ShopDay) -> tuple[Ints, Floats]:
    """Minutes of the business day (µs) and the people inside at the end of each, from its start to now or its end."""
    last = day.hours[-1] if day.closed else max((until for _, until in day.opens), default=day.hours[0])
    edges = np.arange(day.hours[0], last + 1, MINUTE_US)
    if len(edges) < 2:
        return edges[:0], np.zeros(0)
    steps = np.stack([np.histogram(moments, edges)[0] for moments in (day.inbound, day.outbound)], axis=1)
    return edges[:-1], people_inside(steps, people_seen(day, edges), closed=day.closed)


def people_seen(day: ShopDay, edges: Ints) -> Floats:
    """Distinct persons with a visit to a zone inside the shop that covers the end of each minute."""
    visits = day.rows.visits.in_zones((*day.marks.inside, *day.marks.queues))
    first, beyond = (np.searchsorted(edges[1:], moments) for moments in (visits.t, visits.left))
    lengths = beyond - first
    minutes = np.repeat(first - np.cumsum(lengths) + lengths, lengths) + np.arange(lengths.sum())
    people = int(visits.person.max(initial=0)) + 1
    pairs = np.unique(minutes * people + np.repeat(visits.person, lengths))
    return np.bincount(pairs // people, minlength=len(edges) - 1).astype(np.float64)


def paths(day: ShopDay) -> Counter[Path]:
    """How many persons walked each order of zones; staying in a zone, or coming straight back to it, is one stop."""
    visits = day.rows.visits.in_zones((*day.marks.inside, *day.marks.queues))
    order = np.lexsort((visits.t, visits.person))
    person, zones = visits.person[order], visits.zone[order]
    other = np.r_[True, person[1:] != person[:-1]] if len(person) else np.zeros(0, bool)
    moved = other | np.r_[True, zones[1:] != zones[:-1]] if len(person) else other
    stops = [visits.zones[code] for code in zones[moved]]
    edges = [*np.flatnonzero(other[moved]).tolist(), len(stops)]
    return Counter(tuple(stops[first:last]) for first, last in pairwise(edges))


def steps(walked: Counter[Path], *, start: str, end: str) -> Counter[tuple[str, str]]:
    """How many persons made each step, however often, with where their paths begin and end."""
    found: Counter[tuple[str, str]] = Counter()
    for path, people in walked.items():
        for step in set(pairwise((start, *path, end))):
            found[step] += people
    return found
