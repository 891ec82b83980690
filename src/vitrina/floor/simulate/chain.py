"""A simulated chain as the lake's rows, `simulated = true` in each: three shops that differ, for demo and for load.

What the cameras would have stored, with their usual faults: 2 % of crossings missed, one person in twenty broken into
two, staff among the customers, one camera that fails for half an hour every third day.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from vitrina.floor.layout import Shop
from vitrina.floor.simulate import floorwork
from vitrina.floor.simulate.ids import event_ids, random_ids
from vitrina.floor.simulate.journeys import Journeys, day_rng, opening, walk
from vitrina.floor.simulate.plan import (
    DOOR_CAMERA,
    ENTRANCE,
    FLOOR_CAMERA,
    PLACES,
    QUEUE,
    STREET,
    TILL_CAMERA,
    Profile,
    profiles,
    shop,
)
from vitrina.floor.store import FLOOR_TABLES
from vitrina.product import ShopClock

Rows = dict[str, pa.Table]
Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

MISSED_IN, MISSED_OUT, BROKEN, LOST = 0.02, 0.025, 0.05, 0.06
CAMERAS = (DOOR_CAMERA, FLOOR_CAMERA, TILL_CAMERA)
ZONES = (*PLACES, QUEUE)
GAP_FROM_H, GAP_MIN, GAP_EVERY_DAYS = 2.4, 34, 3
STAFF_A_DAY = 6


@dataclass(frozen=True, slots=True)
class Chain:
    """A chain's shops with their layouts, and its rows on demand: a seed gives the same rows whenever asked.

    until: the present, when the chain is still open; a shop's days after its today do not exist yet.
    """

    profiles: tuple[Profile, ...]
    shops: tuple[Shop, ...]
    days: tuple[date, ...]
    seed: int
    positions_days: int
    until: datetime | None = None

    def shop_days(self) -> Iterator[tuple[Shop, date, Callable[[], Rows]]]:
        """Every shop's every day, oldest first within a shop, with what makes its rows when they are wanted."""
        for profile, shop_ in zip(self.profiles, self.shops, strict=True):
            today = ShopClock(shop_.timezone, shop_.day_starts).business_day(self.until) if self.until else date.max
            for day in self.days:
                if day <= today:
                    yield shop_, day, partial(self.rows, profile, shop_, day)

    def rows(self, profile: Profile, shop_: Shop, day: date) -> Rows:
        return simulate_day(
            profile,
            day,
            layout_id=shop_.layout.layout_id,
            seed=self.seed,
            last_day=self.days[-1],
            with_positions=day > self.days[-1] - timedelta(days=self.positions_days),
        )


def simulate_chain(
    shops: int = 3,
    days: int = 28,
    *,
    seed: int = 1,
    end_day: date,
    until: datetime | None = None,
    positions_days: int = 2,
) -> Chain:
    """A chain of `shops` over the `days` up to and with `end_day`; the same seed gives the same rows."""
    found = profiles(shops)
    return Chain(
        profiles=found,
        shops=tuple(shop(profile) for profile in found),
        days=tuple(end_day - timedelta(days=back) for back in range(days - 1, -1, -1)),
        seed=seed,
        positions_days=positions_days,
        until=until,
    )


def simulate_day(
    profile: Profile, day: date, *, layout_id: str, seed: int, last_day: date, with_positions: bool
) -> Rows:
    """One shop's rows of one day for each of the lake's tables; none at all on a day when it is closed."""
    hours = opening(profile, day)
    if hours is None:
        return {name: spec.schema.empty_table() for name, spec in FLOOR_TABLES.items()}
    rng = day_rng(profile, day, seed)
    journeys = walk(profile, day, hours, rng, last_day=last_day)
    writer = _Writer(profile, day, layout_id, rng, _gap(profile, day, hours))
    people = _People.of(journeys, rng)
    segments = floorwork.segments(journeys, profile, rng)
    return {
        "crossings": writer.crossings(journeys, people),
        "visits": writer.visits(journeys, people, hours),
        "waits": writer.waits(journeys, people),
        "receipts": writer.receipts(journeys, hours),
        "presence": writer.presence(journeys, hours),
        "gaps": writer.gaps(),
        "health": FLOOR_TABLES["health"].schema.empty_table(),
        "heat": writer.heat(segments),
        "positions": writer.positions(segments, people, every_s=3.0 if with_positions else None),
    }


def _gap(profile: Profile, day: date, hours: tuple[float, float]) -> tuple[float, float] | None:
    if not profile.has_gap or day.toordinal() % GAP_EVERY_DAYS:
        return None
    start = hours[0] + GAP_FROM_H * 3600
    return start, start + GAP_MIN * 60


@dataclass(frozen=True, slots=True)
class _People:
    """Ids as the tracker gives them: a broken person has a second id from some stop on."""

    ids: pa.Array
    second_ids: pa.Array
    breaks_at: Floats

    @classmethod
    def of(cls, journeys: Journeys, rng: np.random.Generator) -> _People:
        count = len(journeys.entered)
        broken = rng.random(count) < BROKEN
        moments = rng.uniform(journeys.entered, journeys.left)
        return cls(random_ids(count, rng), random_ids(count, rng), np.where(broken, moments, np.inf))

    def at(self, person: Ints, t: Floats) -> pa.Array:
        both = pa.chunked_array([self.ids, self.second_ids]).combine_chunks()
        return both.take(pa.array(person + len(self.ids) * (t >= self.breaks_at[person])))


@dataclass(frozen=True, slots=True)
class _Writer:
    profile: Profile
    day: date
    layout_id: str
    rng: np.random.Generator
    gap: tuple[float, float] | None

    def table(self, name: str, t: Floats, **columns: Any) -> pa.Table:
        """Rows sorted by time; what the failing camera would have seen meanwhile is left out."""
        schema = FLOOR_TABLES[name].schema
        t_us = np.round(t * 1e6).astype(np.int64)
        count = len(t_us)
        columns |= {
            "event_id": event_ids(t_us, self.rng),
            "t": pa.array(t_us).cast(pa.timestamp("us", "UTC")),
            "business_day": self.day,
            "shop_id": self.profile.slug,
            "layout_id": self.layout_id,
            "simulated": True,
        }
        arrays = [_column(columns[field.name], field.type, count) for field in schema]
        table = pa.Table.from_arrays(arrays, schema=schema)
        keep = np.argsort(t_us, kind="stable")
        if self.gap and "camera_id" in schema.names and name != "gaps":
            unseen = (t >= self.gap[0]) & (t < self.gap[1])
            door = np.asarray(table["camera_id"].to_numpy(zero_copy_only=False) == DOOR_CAMERA)
            keep = keep[~(unseen & door)[keep]]
        return table.take(keep)

    def crossings(self, journeys: Journeys, people: _People) -> pa.Table:
        count = len(journeys.entered)
        seen_in = self.rng.random(count) >= MISSED_IN
        seen_out = self.rng.random(count) >= MISSED_OUT
        staff_t = np.sort(self.rng.uniform(journeys.entered.min(), journeys.left.max(), 2 * STAFF_A_DAY))
        person = np.concatenate([np.flatnonzero(seen_in), np.flatnonzero(seen_out)])
        t = np.concatenate([journeys.entered[seen_in], journeys.left[seen_out]])
        direction = np.repeat(["in", "out"], [seen_in.sum(), seen_out.sum()])
        return self.table(
            "crossings",
            np.concatenate([t, staff_t]),
            camera_id=DOOR_CAMERA,
            person_id=_join(people.at(person, t), random_ids(len(staff_t), self.rng)),
            line_id=ENTRANCE,
            direction=np.concatenate([direction, np.tile(["in", "out"], STAFF_A_DAY)]),
            role=np.repeat(["unknown", "staff"], [len(t), len(staff_t)]),
        )

    def visits(self, journeys: Journeys, people: _People, hours: tuple[float, float]) -> pa.Table:
        """Stops of customers, passers-by on the street, and the staff's own rounds."""
        rounds = 30 * STAFF_A_DAY
        staff_t = self.rng.uniform(*hours, rounds)
        start = np.concatenate([journeys.start, journeys.passed, staff_t])
        stay = np.concatenate([journeys.end - journeys.start, journeys.stayed, self.rng.lognormal(3.0, 1.0, rounds)])
        place = np.concatenate(
            [journeys.place, np.full(len(journeys.passed), len(ZONES)), self.rng.integers(0, len(PLACES), rounds)]
        )
        staff_ids = random_ids(STAFF_A_DAY, self.rng).take(pa.array(self.rng.integers(0, STAFF_A_DAY, rounds)))
        zones = np.array([*(zone.slug for zone in ZONES), STREET])
        cameras = np.array([*(zone.camera for zone in ZONES), DOOR_CAMERA])
        lost = self.rng.random(len(start)) < LOST
        stay = np.round(np.maximum(1.0, stay * np.where(lost, self.rng.uniform(0.3, 1.0, len(start)), 1.0)), 3)
        return self.table(
            "visits",
            start,
            camera_id=cameras[place],
            person_id=_join(
                people.at(journeys.person, journeys.start), random_ids(len(journeys.passed), self.rng), staff_ids
            ),
            zone_id=zones[place],
            left_t=_times(start + stay),
            dwell_s=stay,
            ended=np.where(lost, "lost", "left"),
            role=np.repeat(["unknown", "staff"], [len(start) - rounds, rounds]),
        )

    def waits(self, journeys: Journeys, people: _People) -> pa.Table:
        return self.table(
            "waits",
            journeys.joined,
            camera_id=TILL_CAMERA,
            person_id=people.at(journeys.buyer, journeys.joined),
            zone_id=QUEUE.slug,
            ended_t=_times(journeys.ended),
            wait_s=np.round(journeys.ended - journeys.joined, 3),
            outcome=np.where(journeys.served, "served", "abandoned"),
        )

    def receipts(self, journeys: Journeys, hours: tuple[float, float]) -> pa.Table:
        """One for each who was served; 1 % corrected later, and now and then a refund."""
        paid = np.sort(journeys.paid[journeys.served])
        items = 1 + self.rng.poisson(0.9, len(paid))
        totals = np.round(self.profile.ticket_minor / 1.7 * items * self.rng.lognormal(0.0, 0.45, len(paid)))
        corrected = np.flatnonzero(self.rng.random(len(paid)) < 0.01)
        refunds = self.rng.poisson(0.007 * len(paid))
        numbers = np.arange(len(paid) + refunds)
        number = np.concatenate([numbers[: len(paid)], corrected, numbers[len(paid) :]])
        return self.table(
            "receipts",
            np.concatenate([paid, paid[corrected], self.rng.uniform(*hours, refunds)]),
            source="tills",
            receipt_id=[f"{self.day:%y%m%d}-{index + 1:04}" for index in number],
            revision=np.concatenate([np.ones(len(paid)), np.full(len(corrected), 2), np.ones(refunds)]),
            total_minor=np.concatenate(
                [totals, np.round(totals[corrected] * 0.8), -self.profile.ticket_minor * np.ones(refunds)]
            ),
            currency=self.profile.currency,
            items=np.concatenate([items, items[corrected], np.ones(refunds)]),
        )

    def presence(self, journeys: Journeys, hours: tuple[float, float]) -> pa.Table:
        edges = np.arange(hours[0], hours[1] + 1, 60.0)
        cameras = np.array([zone.camera for zone in ZONES])[journeys.place]
        means = [
            np.diff(_person_seconds(journeys.start[cameras == camera], journeys.end[cameras == camera], edges)) / 60
            for camera in CAMERAS
        ]
        mean = np.concatenate(means)
        return self.table(
            "presence",
            np.tile(edges[:-1], len(CAMERAS)),
            camera_id=np.repeat(CAMERAS, len(edges) - 1),
            people_mean=np.round(mean, 2),
            people_max=np.ceil(mean) + self.rng.binomial(2, 0.5, len(mean)) * (mean > 0),
            watched_s=60.0,
        )

    def gaps(self) -> pa.Table:
        start, until = self.gap or (0.0, 0.0)
        count = 1 if self.gap else 0
        return self.table(
            "gaps",
            np.full(count, start),
            camera_id=DOOR_CAMERA,
            until_t=_times(np.full(count, until)),
            gap_s=until - start,
            reason="stream lost",
        )

    def heat(self, segments: floorwork.Segments) -> pa.Table:
        samples = floorwork.sample(segments, self.rng, every_s=4.0)
        cells = floorwork.heat_cells(samples)
        return self.table(
            "heat",
            cells.hour,
            camera_id=np.array(CAMERAS)[cells.camera],
            ix=cells.ix,
            iy=cells.iy,
            cell_cm=floorwork.CELL_CM,
            seconds=np.round(cells.seconds, 2),
        )

    def positions(self, segments: floorwork.Segments, people: _People, *, every_s: float | None) -> pa.Table:
        if every_s is None:
            return FLOOR_TABLES["positions"].schema.empty_table()
        samples = floorwork.sample(segments, self.rng, every_s=every_s)
        return self.table(
            "positions",
            samples.t,
            camera_id=np.array(CAMERAS)[samples.camera],
            person_id=people.at(samples.person, samples.t),
            x_cm=np.round(samples.x_m * 100),
            y_cm=np.round(samples.y_m * 100),
        )


def _person_seconds(start: Floats, end: Floats, edges: Floats) -> Floats:
    """Seconds that everybody together had been there by each edge: Σ min(end, edge) − min(start, edge)."""

    def before(moments: Floats) -> Floats:
        ordered = np.sort(moments)
        total = np.concatenate([[0.0], np.cumsum(ordered - edges[0])])
        reached = np.searchsorted(ordered, edges)
        seconds: Floats = reached * (edges - edges[0]) - total[reached]
        return seconds

    return before(start) - before(end)


def _times(t: Floats) -> pa.Array:
    return pa.array(np.round(t * 1e6).astype(np.int64)).cast(pa.timestamp("us", "UTC"))


def _join(*arrays: pa.Array) -> pa.Array:
    return pa.concat_arrays(arrays)


def _column(values: Any, kind: pa.DataType, count: int) -> pa.Array:
    """A whole column from an array or from one value for every row."""
    if isinstance(values, (pa.Array, list)):
        return pa.array(values, kind) if isinstance(values, list) else values
    if isinstance(values, np.ndarray):
        return pa.array(values.astype(kind.to_pandas_dtype()) if values.dtype.kind in "fiu" else values, kind)
    return pa.repeat(pa.scalar(values, kind), count)
