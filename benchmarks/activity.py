"""What looking only where something moves costs, beside the detector on every frame, and what it loses.

Each frame goes through the detector whole and through the looker in turn, both timed as processor time of the thread,
so that a busy machine disturbs both alike. The hours:

- *empty*: the corridor without anybody (the median of the recording), with sensor noise, compressed as video.
- *crowded*: PETS09-S2L1 as it is, about six people in view, nearly all walking.
- *typical*: the middle one of the simulated shops, its mean hour (83 visitors), 3 cameras: door, floor, tills. How many
  people each camera has in view, and how many of them walk, comes from the simulated walks; what a frame with so many
  walking people costs comes from the two real recordings, in which nearly everybody walks. People who stand are as
  people who walk in the share of frames in which standing people of PETS09-S2L1 were in fact looked at again. The look
  at the whole picture each 5 s is in it, at 10 frames a second.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.detector import DATA, frames
from benchmarks.evaluation import FRAMES, PETS, TIMES, Scores, evaluate, pets_truth
from benchmarks.table import BarRow, Report
from vitrina.floor.frame import Frame
from vitrina.floor.look import Looker, LookOptions
from vitrina.floor.overlay import VideoFile
from vitrina.floor.people import PersonDetector
from vitrina.floor.simulate import shoppers
from vitrina.floor.simulate.plan import CITIES
from vitrina.floor.tracking.box import overlaps
from vitrina.floor.tracking.mot import MotBoxes, mot_boxes
from vitrina.floor.tracking.trajectory import track_boxes
from vitrina.models.manifest import shipped_models

REFERENCE_MS = 27.0
"""NanoDet at 320 × 416 on the machine for which the bar was set; costs are given as if every frame took this here."""

PETS_HW, CORRIDOR_HW = (320, 416), (256, 352)
CORRIDOR, CORRIDOR_FPS, EVERY = DATA / "caviar-corridor.mpg", 25.0, 3
STILL_S, FPS, NOISE = 40.0, 10.0, 3.0
SHAKEN = 40
SURE = 0.45
SHOP, MINUTES, WARM_UP_MIN, WALKS_M_S, SEED = CITIES[1], 75.0, 10.0, 0.15, 1
STANDS = 0.1
"""Body heights a second under which somebody stands."""


Row = tuple[int, int, float, float, float, float, float]


@dataclass(frozen=True, slots=True)
class Trial:
    """One recording both ways. people: (F,) in view; whole_ms, look_ms: (F,); share: (F,) of the picture looked at."""

    people: NDArray[np.int64]
    whole_ms: NDArray[np.float64]
    look_ms: NDArray[np.float64]
    share: NDArray[np.float64]
    whole: MotBoxes
    looked: MotBoxes

    @property
    def ratios(self) -> NDArray[np.float64]:
        """(F,): what each frame cost, of what a whole one costs."""
        return np.asarray(self.look_ms / self.whole_ms.mean(), np.float64)


def run() -> Report:
    title = "Looking only where something moves"
    columns = ["hour", "people", "every ms", "ours ms", "share", "as at 27 ms", "looked at", "HOTA, IDF1 (every frame)"]
    if not PETS.exists():
        return Report(f"{title}: skipped, the shared recordings are not here", columns, [])
    cv2.setNumThreads(1)
    crowded = trial(frames(), TIMES, PETS_HW)
    corridor = trial(corridor_frames(), np.arange(1000) * EVERY / CORRIDOR_FPS, CORRIDOR_HW)
    empty = trial(still_frames(), np.arange(1000) / FPS, CORRIDOR_HW)
    shaken = trial(shaken_frames(), np.arange(1000) / FPS, PETS_HW)
    standing = standing_looked_at(crowded)
    typical, in_view, bound = typical_ratio([corridor, crowded], empty, standing=standing)
    whole_ms = float(crowded.whole_ms.mean())
    before, after = (score(boxes) for boxes in (crowded.whole, crowded.looked))
    scores = f"{after.hota:.1f}, {after.idf1:.1f} ({before.hota:.1f}, {before.idf1:.1f})"
    rows: list[list[object]] = [
        [*_row("empty", empty), ""],
        [*_mixed("typical", in_view, typical, whole_ms), ""],
        [*_mixed("typical, nobody stands", in_view, bound, whole_ms), ""],
        [*_row("corridor, walking", corridor), ""],
        [*_row("crowded, PETS", crowded), scores],
        [*_row("shaking camera", shaken), ""],
    ]
    title += f"; who stands was looked at in {standing:.0%} of frames"
    return Report(title, columns, rows, bars(empty, typical, shaken, before, after))


def bars(empty: Trial, typical: float, shaken: Trial, before: Scores, after: Scores) -> list[BarRow]:
    still, busy = float(empty.ratios.mean()), float(shaken.ratios.mean())
    typical_ms, lost = REFERENCE_MS * typical, before.hota - after.hota
    return [
        ("typical hour, ms a camera frame where NanoDet takes 27", typical_ms, "≤ 8", typical_ms <= 8),
        ("HOTA lost on PETS", lost, "≤ 1", lost <= 1),
        ("empty hour, of every frame", still, "≤ 0.1", still <= 0.1),
        ("everything moves, of every frame", busy, "≤ 1.15", busy <= 1.15),
    ]


def trial(pictures: Iterable[NDArray[np.uint8]], times: NDArray[np.float64], input_hw: tuple[int, int]) -> Trial:
    """times: seconds of the frames, at least as many as there are."""
    detector = PersonDetector(shipped_models()[0], input_hw=input_hw)
    looker = Looker(detector)
    whole: list[Row] = []
    looked: list[Row] = []
    people, costs = [], []
    for number, (rgb, t) in enumerate(zip(pictures, times.tolist(), strict=False), start=1):
        start = time.thread_time()
        boxes_xyxy, scores = detector.detect(rgb)
        between = time.thread_time()
        (look,) = looker.look([Frame(t, rgb, "camera", number)])
        costs.append((1000 * (between - start), 1000 * (time.thread_time() - between), look.share))
        people.append(int((scores >= SURE).sum()))
        whole += mot_rows(number, boxes_xyxy, scores)
        looked += mot_rows(number, look.boxes_xyxy, look.scores)
    whole_ms, look_ms, share = np.array(costs).T
    return Trial(np.array(people), whole_ms, look_ms, share, mot_boxes(whole), mot_boxes(looked))


def mot_rows(number: int, boxes_xyxy: NDArray[np.float32], scores: NDArray[np.float32]) -> list[Row]:
    return [
        (number, -1, x1, y1, x2, y2, score)
        for (x1, y1, x2, y2), score in zip(boxes_xyxy.tolist(), scores.tolist(), strict=True)
    ]


def corridor_frames() -> Iterator[NDArray[np.uint8]]:
    with av.open(os.fspath(CORRIDOR)) as video:
        for frame in islice(video.decode(video=0), 0, None, EVERY):
            yield np.asarray(frame.to_ndarray(format="rgb24"), np.uint8)


def still_frames() -> Iterator[NDArray[np.uint8]]:
    """The corridor without people: sensor noise on its median picture, through a video encoder and back."""
    empty = np.median(np.stack(list(islice(corridor_frames(), 0, None, 4))), axis=0)
    rng = np.random.default_rng(SEED)
    height, width = empty.shape[:2]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "still.webm"
        with VideoFile(path, (width, height), fps=FPS) as video:
            for number in range(int(STILL_S * FPS)):
                noisy = np.clip(empty + rng.normal(0, NOISE, empty.shape), 0, 255).astype(np.uint8)
                video.write(noisy, number / FPS)
        with av.open(os.fspath(path)) as coded:
            for frame in coded.decode(video=0):
                yield np.asarray(frame.to_ndarray(format="rgb24"), np.uint8)


def shaken_frames() -> Iterator[NDArray[np.uint8]]:
    """PETS with every other frame moved by a few pixels, so that nothing stays where it was."""
    for number, rgb in enumerate(islice(frames(), SHAKEN)):
        yield np.roll(rgb, (9 * (number % 2), 14 * (number % 3)), axis=(0, 1))


def standing_looked_at(crowded: Trial) -> float:
    """Of the people who truly stand, the share of frames in which their box is not simply the one of before."""
    truth, found = list(pets_truth().by_frame(FRAMES)), list(crowded.looked.by_frame(FRAMES))
    looked = stood = 0
    for before, now, earlier, there in zip(found[:-1], found[1:], truth[:-1], truth[1:], strict=True):
        standing = _standing(earlier, there, TIMES[1])
        near, _ = overlaps(standing.astype(np.float64), now.boxes_xyxy.astype(np.float64))
        for person in near[near.max(axis=1, initial=0.0) >= 0.5]:
            box = now.boxes_xyxy[person.argmax()]
            held = (np.abs(before.boxes_xyxy - box) < 1e-3).all(axis=1).any()
            stood, looked = stood + 1, looked + (not held)
    return looked / max(stood, 1)


def _standing(before: MotBoxes, now: MotBoxes, step_s: float) -> NDArray[np.float32]:
    """(N, 4): true boxes of people whose feet moved less than `STANDS` body heights a second."""
    _, earlier, later = np.intersect1d(before.ids, now.ids, return_indices=True)
    a, b = before.boxes_xyxy[earlier], now.boxes_xyxy[later]
    feet = [np.column_stack([(box[:, 0] + box[:, 2]) / 2, box[:, 3]]) for box in (a, b)]
    speed = np.hypot(*(feet[1] - feet[0]).T) / (b[:, 3] - b[:, 1]) / step_s
    standing: NDArray[np.float32] = b[speed < STANDS]
    return standing


def typical_ratio(trials: list[Trial], empty: Trial, *, standing: float) -> tuple[float, float, float]:
    """The typical hour's cost of that of every frame; people in view; the cost if all of them moved always."""
    walking, still = simulated_views()
    rng = np.random.default_rng(SEED)
    cost = CostByPeople(trials, empty)
    moving = walking + rng.binomial(still, standing)
    in_view = walking + still
    return float(cost(moving).mean()), float(in_view.mean()), float(cost(in_view).mean())


class CostByPeople:
    """Moving people in view → cost of that of a whole look: the recordings' means, straight lines between them."""

    def __init__(self, trials: list[Trial], empty: Trial) -> None:
        people = np.concatenate([trial.people for trial in trials])
        ratios = np.concatenate([trial.ratios for trial in trials])
        self._known = [0, *(count for count in np.unique(people[people > 0]) if (people == count).sum() >= 5)]
        # Somebody was here a moment ago, so that the whole is looked at as often as when something moves.
        nobody = float(np.median(empty.ratios)) + 1 / (LookOptions().whole_s * FPS)
        self._costs = [nobody, *(float(ratios[people == count].mean()) for count in self._known[1:])]

    def __call__(self, people: NDArray[np.int64]) -> NDArray[np.float64]:
        return np.interp(people, self._known, self._costs)


def simulated_views() -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(cameras × steps,): people who walk and who stand in each camera's part of the shop, five times a second."""
    rng = np.random.default_rng(SEED)
    hours = SHOP.closes.hour - SHOP.opens.hour
    plans = shoppers.plan_day(SHOP, minutes=MINUTES, per_hour=SHOP.visitors / hours, rng=rng)
    walks = shoppers.walk(plans, SHOP, minutes=MINUTES, rng=rng)
    order = np.lexsort((walks.t, walks.person))
    x_m, y_m, person = walks.x_m[order], walks.y_m[order], walks.person[order]
    speed = np.hypot(np.diff(x_m, prepend=np.nan), np.diff(y_m, prepend=np.nan)) / shoppers.STEP_S
    walking = (speed > WALKS_M_S) | (np.diff(person, prepend=-1) != 0)
    x, y = x_m / SHOP.width_m, y_m / SHOP.depth_m
    camera = np.where((x > 0.72) & (y > 0.5) & (y < 1), 2, np.where(y > 0.55, 0, 1))
    step = np.round(walks.t[order] / shoppers.STEP_S).astype(int)
    first, last = int(WARM_UP_MIN * 60 / shoppers.STEP_S), int((MINUTES * 0.8) * 60 / shoppers.STEP_S)
    within = (step >= first) & (step < last)
    cell = camera * (last - first) + step - first
    counts = [np.bincount(cell[within & who], minlength=3 * (last - first)) for who in (walking, ~walking)]
    return counts[0], counts[1]


def score(boxes: MotBoxes) -> Scores:
    return evaluate(pets_truth(), track_boxes(boxes, TIMES).online(), FRAMES)


def _row(name: str, found: Trial) -> list[object]:
    ratio = float(found.ratios.mean())
    whole_ms, look_ms = float(found.whole_ms.mean()), float(found.look_ms.mean())
    seen = round(float(found.people.mean()), 1)
    return [
        name,
        seen,
        round(whole_ms, 1),
        round(look_ms, 1),
        f"{ratio:.1%}",
        round(REFERENCE_MS * ratio, 1),
        f"{found.share.mean():.1%}",
    ]


def _mixed(name: str, in_view: float, ratio: float, whole_ms: float) -> list[object]:
    return [
        name,
        round(in_view, 1),
        round(whole_ms, 1),
        round(whole_ms * ratio, 1),
        f"{ratio:.1%}",
        round(REFERENCE_MS * ratio, 1),
        "",
    ]
