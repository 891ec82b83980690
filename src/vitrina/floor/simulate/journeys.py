"""One simulated day as it happened: who came when, stopped where, waited, bought or gave up. No sensing yet."""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from datetime import date, timedelta
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from vitrina.floor.simulate.plan import PLACES, Profile
from vitrina.product import ShopClock

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

QUEUE_PLACE = len(PLACES)  # index of the tills after the places that draw by themselves
MOST_STOPS = 7
PROMO_DAYS, PROMO_LIFT = 14, 2.1
WEEKDAY = (0.95, 1.0, 1.02, 1.1, 1.3, 1.65, 0.9)
SERVICE_S, PATIENCE_S = 85.0, 240.0


@dataclass(frozen=True, slots=True)
class Journeys:
    """Times are seconds since the epoch. P persons, S stops sorted by person and time, Q who joined the queue.

    entered, left: (P,). person, place, start, end: (S,) stops, the tills included.
    buyer, joined, ended, served: (Q,) the wait, from joining to the till or giving up. paid: (Q,), NaN if not served.
    passed: (B,) when somebody passed the door outside without entering. stayed: (B,) for how long.
    """

    entered: Floats
    left: Floats
    person: Ints
    place: Ints
    start: Floats
    end: Floats
    buyer: Ints
    joined: Floats
    ended: Floats
    served: NDArray[np.bool_]
    paid: Floats
    passed: Floats
    stayed: Floats


def day_rng(profile: Profile, day: date, seed: int) -> np.random.Generator:
    """Each shop's each day has its own stream: more days or shops do not change those that are there."""
    return np.random.default_rng([seed, crc32(profile.slug.encode()), day.toordinal()])


def opening(profile: Profile, day: date) -> tuple[float, float] | None:
    if day.weekday() == 6 and not profile.sunday:
        return None
    clock = ShopClock(profile.timezone)
    return clock.at(day, profile.opens).timestamp(), clock.at(day, profile.closes).timestamp()


def walk(
    profile: Profile, day: date, hours: tuple[float, float], rng: np.random.Generator, *, last_day: date
) -> Journeys:
    """One open day. last_day: the chain's last one; the promo display works for the two weeks up to it."""
    expected = profile.visitors * WEEKDAY[day.weekday()] * float(rng.lognormal(0.0, 0.06))
    entered = _arrivals(int(rng.poisson(expected)), hours, profile, rng)
    lifted = profile.promo_works and day > last_day - timedelta(days=PROMO_DAYS)
    places, stays, gaps = _stops(len(entered), rng, promo_lift=PROMO_LIFT if lifted else 1.0)
    here = places >= 0
    end = entered[:, None] + np.cumsum(np.where(here, stays + gaps, 0.0), axis=1)
    finished = end[:, -1]

    buys = rng.random(len(entered)) < np.clip(profile.conversion * 1.1 * (0.6 + 0.15 * here.sum(axis=1)), 0, 0.9)
    buyer = np.flatnonzero(buys)
    buyer = buyer[np.argsort(finished[buyer], kind="stable")]
    joined = finished[buyer]
    begins, served, paid = _queue(joined, profile.tills, rng)
    queue_end = np.where(served, paid, begins)
    left = finished.copy()
    left[buyer] = queue_end
    left += 4.0 + rng.gamma(2.0, 3.0, len(left))

    row, column = np.nonzero(here)
    person = np.concatenate([row, buyer])
    start = np.concatenate([(end - stays)[row, column], joined])
    order = np.lexsort((start, person))
    passers = int(rng.poisson(expected * 2.6))
    return Journeys(
        entered=entered,
        left=left,
        person=person[order],
        place=np.concatenate([places[row, column], np.full(len(buyer), QUEUE_PLACE)])[order],
        start=start[order],
        end=np.concatenate([end[row, column], queue_end])[order],
        buyer=buyer,
        joined=joined,
        ended=begins,
        served=served,
        paid=paid,
        passed=_arrivals(passers, hours, profile, rng),
        stayed=1.0 + rng.gamma(2.0, 1.6, passers),
    )


def _arrivals(count: int, hours: tuple[float, float], profile: Profile, rng: np.random.Generator) -> Floats:
    """(count,) moments by the shop's day: a lunch peak and a longer one after work; nobody in the last 15 minutes."""
    opens, closes = hours
    edges = np.arange(opens, closes - 900.0 + 1, 60.0)
    local = profile.opens.hour + (edges[:-1] - opens) / 3600.0
    density = 0.35 + 0.9 * np.exp(-(((local - 12.8) / 0.8) ** 2)) + 1.0 * np.exp(-(((local - 17.3) / 1.6) ** 2))
    total = np.concatenate([[0.0], np.cumsum(density)])
    moments: Floats = np.interp(rng.random(count), total / total[-1], edges)
    return np.sort(moments)


def _stops(count: int, rng: np.random.Generator, *, promo_lift: float) -> tuple[Ints, Floats, Floats]:
    """(count, MOST_STOPS) place or -1, seconds of stay, seconds of walking before it."""
    weights = np.array([place.pull.weight for place in PLACES])
    stops = np.array([place.pull.stops for place in PLACES])
    holds = np.array([place.pull.hold_s for place in PLACES])
    stops[0] *= promo_lift
    near = weights * np.where([place.camera == "door" for place in PLACES], 4.0, 1.0)
    places = np.full((count, MOST_STOPS), -1)
    how_many = np.clip(1 + rng.poisson(2.2, count), 1, MOST_STOPS)
    before = np.full(count, -1)
    for step in range(MOST_STOPS):
        pull = np.tile(near if step == 0 else weights, (count, 1))
        pull[np.arange(count)[before >= 0], before[before >= 0]] = 0.0  # nobody goes on to where they are
        chance = np.cumsum(pull, axis=1)
        drawn = (rng.random(count)[:, None] * chance[:, -1:] >= chance).sum(axis=1)
        before = np.where(step < how_many, drawn, -1)
        places[:, step] = before
    stopped = rng.random(places.shape) < stops[places]
    stays = np.where(
        stopped, 4.0 + holds[places] * rng.lognormal(0.0, 0.8, places.shape), 1.0 + rng.gamma(2.0, 0.9, places.shape)
    )
    return places, np.where(places >= 0, stays, 0.0), 3.0 + rng.gamma(2.0, 2.5, places.shape)


def _queue(joined: Floats, tills: int, rng: np.random.Generator) -> tuple[Floats, NDArray[np.bool_], Floats]:
    """First come, first served at `tills` tills: (moment of service or of giving up, served?, moment of paying)."""
    service = rng.lognormal(np.log(SERVICE_S), 0.5, len(joined)).tolist()
    patience = rng.lognormal(np.log(PATIENCE_S), 0.6, len(joined)).tolist()
    steps = (1.5 + rng.gamma(2.0, 2.0, len(joined))).tolist()
    free = [0.0] * tills
    ended, served, paid = np.empty(len(joined)), np.zeros(len(joined), bool), np.full(len(joined), np.nan)
    for index, moment in enumerate(joined.tolist()):
        begins = max(free[0], moment + steps[index])
        if begins - moment > patience[index]:
            ended[index] = moment + patience[index]
            continue
        heapq.heapreplace(free, begins + service[index])
        ended[index], served[index], paid[index] = begins, True, begins + service[index]
    return ended, served, paid
