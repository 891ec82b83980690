"""A scripted shop: people who come in, stay somewhere, wait at the till and go, as boxes; what kills and soaks play.

One metre is 40 pixels, straight from above. Everybody keeps to a lane of their own, and stays nowhere for less than
`STAY_S`, because what came and went while nobody watched nobody can know.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vitrina.floor.tracking.mot import MotBoxes, mot_boxes, write_mot

FPS = 10
SIZE_WH = (640, 480)
PERSON_WH = (36, 76)
LANES_PX = (160, 250, 340, 430)
INWARDS = (0, 2)
DOOR_PX, SHELF_PX, QUEUE_PX, TILL_PX, FAR_PX = 30, 420, 535, 575, 610
SPEED_PX_S = (36.0, 44.0)
STAY_S = (9.0, 15.0)
PAUSE_BETWEEN_S = (2.0, 6.0)
NOISE_PX = 0.6
EMPTY_S = 20.0
"""At the end nobody is there, so that all that was open ends."""

SHOP = """
[shop]
slug = "{slug}"
name = "{slug}"
timezone = "UTC"
currency = "EUR"

[plan]
width_m = 16
height_m = 12

[[camera]]
slug = "door"
name = "Door"
source = "{source}"
size = [640, 480]
points = [[0, 0, 0, 0], [640, 0, 16, 0], [640, 480, 16, 12], [0, 480, 0, 12]]

[[zone]]
slug = "shelf"
name = "Shelf"
kind = "section"
polygon = [[9, 1], [12, 1], [12, 12], [9, 12]]

[[zone]]
slug = "queue"
name = "Queue"
kind = "queue"
polygon = [[12.8, 3], [15, 3], [15, 5], [12.8, 5]]
till = [14.4, 4]
till_reach = 0.6

[[line]]
slug = "entrance"
name = "Entrance"
kind = "entrance"
a = [8, 11.8]
b = [8, 1]
"""


@dataclass(frozen=True, slots=True)
class Leg:
    """Where to (pixels from the left), and how long to stay there."""

    x_px: float
    stay_s: float = 0.0


def scene(seconds: float, *, seed: int) -> MotBoxes:
    """Boxes at `FPS` frames a second for `seconds`, of which nobody is there in the last `EMPTY_S`."""
    rows = []
    for lane, y in enumerate(LANES_PX):
        rng = np.random.default_rng([seed, lane])
        frame = 1 + round(FPS * rng.uniform(0.0, 8.0))
        while True:
            path = np.fromiter(_walk(lane, rng), np.float64)
            if frame + len(path) > (seconds - EMPTY_S) * FPS:
                break
            noise = rng.normal(0.0, NOISE_PX, (len(path), 2))
            for n, (x, (dx, dy)) in enumerate(zip(path, noise, strict=True)):
                left, bottom = x + dx - PERSON_WH[0] / 2, y + dy
                rows.append((frame + n, -1, left, bottom - PERSON_WH[1], left + PERSON_WH[0], bottom, 0.9))
            frame += len(path) + round(FPS * rng.uniform(*PAUSE_BETWEEN_S))
    return mot_boxes(rows)


def _walk(lane: int, rng: np.random.Generator) -> Iterator[float]:
    """One person's x, frame by frame."""
    step = rng.uniform(*SPEED_PX_S) / FPS
    begin, *legs = _legs(lane, rng)
    x = begin.x_px
    for leg in legs:
        count = max(1, round(abs(leg.x_px - x) / step))
        yield from np.linspace(x, leg.x_px, count, endpoint=False)
        yield from [leg.x_px] * round(leg.stay_s * FPS)
        x = leg.x_px


def _legs(lane: int, rng: np.random.Generator) -> list[Leg]:
    stay = Leg(SHELF_PX, rng.uniform(*STAY_S))
    if lane not in INWARDS:
        return [Leg(FAR_PX), stay, Leg(DOOR_PX)]
    if lane == 0:
        waits = Leg(QUEUE_PX, rng.uniform(*STAY_S))
        if rng.random() < 0.25:  # gives up, and looks at the shelf once more
            return [Leg(DOOR_PX), stay, waits, Leg(SHELF_PX, rng.uniform(*STAY_S)), Leg(DOOR_PX)]
        return [Leg(DOOR_PX), stay, waits, Leg(TILL_PX, rng.uniform(10.0, 16.0)), Leg(FAR_PX)]
    return [Leg(DOOR_PX), stay, Leg(DOOR_PX if rng.random() < 0.3 else FAR_PX)]


def write_shop(folder: Path, slug: str, boxes: MotBoxes, query: str) -> Path:
    """The scene and a shop that plays it; the shop's file. query: of the source, such as `fps=10&start=…`."""
    folder.mkdir(parents=True, exist_ok=True)
    played = folder / f"{slug}.txt"
    write_mot(played, boxes)
    source = f"boxes:{played}?size={SIZE_WH[0]}x{SIZE_WH[1]}&fps={FPS}&{query}"
    file = folder / f"{slug}.toml"
    file.write_text(SHOP.format(slug=slug, source=source), encoding="utf-8")
    return file
