"""Where simulated people stand between and during their stops: positions and heat."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vitrina.floor.simulate.journeys import Journeys
from vitrina.floor.simulate.plan import DOOR_CAMERA, FLOOR_CAMERA, PLACES, QUEUE, TILL_CAMERA, Profile

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

CELL_CM = 50
SPREAD_M = 0.3
_CAMERA = {DOOR_CAMERA: 0, FLOOR_CAMERA: 1, TILL_CAMERA: 2}


@dataclass(frozen=True, slots=True)
class Segments:
    """Straight walks and stays of everybody. person, camera, start, end: (G,). origin, goal: (G, 2) metres."""

    person: Ints
    camera: Ints
    start: Floats
    end: Floats
    origin: Floats
    goal: Floats
    size_m: tuple[float, float]


@dataclass(frozen=True, slots=True)
class Samples:
    """All (N,). t: seconds since the epoch. seconds: how much time the sample stands for."""

    t: Floats
    person: Ints
    camera: Ints
    x_m: Floats
    y_m: Floats
    seconds: Floats


@dataclass(frozen=True, slots=True)
class Cells:
    """All (C,). hour: its start, seconds since the epoch. camera: index."""

    hour: Floats
    camera: Ints
    ix: Ints
    iy: Ints
    seconds: Floats


def segments(journeys: Journeys, profile: Profile, rng: np.random.Generator) -> Segments:
    """From the door through every stop and back; each stop has its own spot in its zone."""
    spots = _spots(journeys.place, profile, rng)
    door = np.array([profile.width_m / 2, profile.depth_m])
    first = np.r_[True, journeys.person[1:] != journeys.person[:-1]]
    last = np.r_[first[1:], True]
    before_t = np.where(first, journeys.entered[journeys.person], np.roll(journeys.end, 1))
    before_m = np.where(first[:, None], door, np.roll(spots, 1, axis=0))
    leaving = journeys.person[last]
    camera = np.array([_CAMERA[zone.camera] for zone in (*PLACES, QUEUE)])[journeys.place]
    return Segments(
        person=np.concatenate([journeys.person, journeys.person, leaving]),
        camera=np.concatenate([camera, camera, np.full(len(leaving), _CAMERA[DOOR_CAMERA])]),
        start=np.concatenate([before_t, journeys.start, journeys.end[last]]),
        end=np.concatenate([journeys.start, journeys.end, journeys.left[leaving]]),
        origin=np.concatenate([before_m, spots, spots[last]]),
        goal=np.concatenate([spots, spots, np.tile(door, (len(leaving), 1))]),
        size_m=(profile.width_m, profile.depth_m),
    )


def _spots(place: Ints, profile: Profile, rng: np.random.Generator) -> Floats:
    """Near the shelf at the zone's upper side rather than in its middle."""
    boxes = np.array([zone.box for zone in (*PLACES, QUEUE)])[place]
    along = rng.beta(2.0, 2.0, len(place))
    deep = rng.beta(1.6, 3.0, len(place))
    x = (boxes[:, 0] + along * (boxes[:, 2] - boxes[:, 0])) * profile.width_m
    y = (boxes[:, 1] + deep * (boxes[:, 3] - boxes[:, 1])) * profile.depth_m
    return np.stack([x, y], axis=1)


def sample(segments: Segments, rng: np.random.Generator, *, every_s: float) -> Samples:
    """Points in time about `every_s` apart on each segment, at least one, with people's small unrest."""
    length = np.maximum(segments.end - segments.start, 0.0)
    count = np.maximum(1, np.round(length / every_s)).astype(np.int64)
    of = np.repeat(np.arange(len(count)), count)
    step = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
    share = (step + 0.5) / count[of]
    points = segments.origin[of] + share[:, None] * (segments.goal - segments.origin)[of]
    points = np.clip(points + rng.normal(0.0, SPREAD_M, points.shape), 0.0, segments.size_m)
    return Samples(
        t=segments.start[of] + share * length[of],
        person=segments.person[of],
        camera=segments.camera[of],
        x_m=points[:, 0],
        y_m=points[:, 1],
        seconds=(length / count)[of],
    )


def heat_cells(samples: Samples) -> Cells:
    """Seconds summed by hour, camera and cell."""
    hour = (samples.t // 3600).astype(np.int64)
    ix = (samples.x_m * 100 // CELL_CM).astype(np.int64)
    iy = (samples.y_m * 100 // CELL_CM).astype(np.int64)
    first_hour, wide, cameras = hour.min(), ix.max() + 1, len(_CAMERA)
    key = (((hour - first_hour) * cameras + samples.camera) * (iy.max() + 1) + iy) * wide + ix
    cells, place = np.unique(key, return_inverse=True)
    seconds: Floats = np.bincount(place, weights=samples.seconds).astype(np.float64)
    rest, ix = np.divmod(cells, wide)
    rest, iy = np.divmod(rest, iy.max() + 1)
    hours, camera = np.divmod(rest, cameras)
    return Cells((hours + first_hour) * 3600.0, camera, ix, iy, seconds)
