"""Line counts over PETS09-S2L1: 50 seeded lines, through the real pipeline (tracker, then lines), against true paths.

The truth is the same line counter fed with the true identities. "True boxes with misses" are ground-truth boxes of
which one in ten is missing and each person is hidden for a second now and then, as behind others; the bars are for the
median of five seeds. A line is off when either of its counts is wrong by more than 1 and by more than 10 %.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from statistics import median

import numpy as np
from numpy.typing import NDArray

from benchmarks.evaluation import FRAMES, PETS, TIMES, pets_public_boxes, pets_truth
from benchmarks.table import Report
from benchmarks.tracking import our_boxes
from vitrina.errors import InputError
from vitrina.floor.counting.line import LineCounter, check_line
from vitrina.floor.geometry.ground import anchors
from vitrina.floor.layout import CameraLayout, Layout, Line, Plan
from vitrina.floor.pipeline import Pipeline
from vitrina.floor.tracking.mot import MotBoxes

CAMERA, SIZE_WH = "pets", (768, 576)
LINES, LINE_SEED, LENGTH_PX = 50, 7, (150.0, 400.0)
MISSED, HIDDEN_EACH_S, HIDDEN_S, MISS_SEEDS = 0.1, 12.0, 1.0, (8, 9, 10, 11, 12)
TOTAL_BAR, LINE_SHARE = 0.03, 0.10
TRUE_BOXES = "true boxes with misses"

Counts = dict[str, dict[str, int]]


@dataclass(frozen=True, slots=True)
class Outcome:
    """total_off: share by which the sum over all lines is wrong."""

    total: int
    total_off: float
    lines_off: int


def run() -> Report:
    title = f"Counting on {LINES} seeded lines over PETS09-S2L1"
    columns = ["boxes", "crossings", "total off by", "lines off"]
    if not PETS.exists():
        return Report(f"{title}: skipped, the shared recordings are not here", columns, [])
    truth = pets_truth()
    lines = seeded_lines(truth)
    true = count_true(truth, lines)
    given = {f"{TRUE_BOXES}, seed {seed}": with_misses(truth, seed) for seed in MISS_SEEDS}
    given |= {"our boxes": our_boxes(), "public boxes": pets_public_boxes()}
    outcomes = {name: compare(count_tracked(boxes, lines), true) for name, boxes in given.items()}
    rows: list[list[object]] = [["truth", _total(true), "", ""]]
    rows += [[name, o.total, f"{o.total_off:+.1%}", o.lines_off] for name, o in outcomes.items()]
    checked = [outcome for name, outcome in outcomes.items() if name.startswith(TRUE_BOXES)]
    total_off = median(abs(outcome.total_off) for outcome in checked)
    lines_off = float(median(outcome.lines_off for outcome in checked))
    bars = [
        (f"{TRUE_BOXES}: total off by", total_off, f"≤ {TOTAL_BAR:g}", total_off <= TOTAL_BAR),
        (f"{TRUE_BOXES}: lines off", lines_off, "0", lines_off == 0),
    ]
    return Report(title, columns, rows, bars)


def seeded_lines(truth: MotBoxes) -> tuple[Line, ...]:
    """Each through a place where somebody stood, at any angle; those that cannot be crossed are drawn again."""
    rng = np.random.default_rng(LINE_SEED)
    feet = anchors(truth.boxes_xyxy)
    lines: list[Line] = []
    for number in count():
        if len(lines) == LINES:
            break
        middle, angle = feet[rng.integers(len(feet))], rng.uniform(0, 2 * np.pi)
        half = rng.uniform(*LENGTH_PX) / 2 * np.array([np.cos(angle), np.sin(angle)])
        a, b = ((float(x), float(y)) for x, y in (middle - half, middle + half))
        try:
            check_line(a, b, SIZE_WH)
        except InputError:
            continue
        lines.append(Line(f"line-{number}", f"line {number}", "passage", a, b, CAMERA))
    return tuple(lines)


def with_misses(truth: MotBoxes, seed: int) -> MotBoxes:
    """One box in ten missing, and everybody hidden for a second each twelve on average."""
    rng = np.random.default_rng(seed)
    seen = rng.random(len(truth)) > MISSED
    for person in np.unique(truth.ids).tolist():
        for hidden_t in np.flatnonzero(rng.random(FRAMES) < TIMES[1] / HIDDEN_EACH_S) * TIMES[1]:
            t = TIMES[truth.frames - 1]
            seen &= (truth.ids != person) | (t < hidden_t) | (t > hidden_t + HIDDEN_S)
    return truth.take(seen)


def count_true(truth: MotBoxes, lines: tuple[Line, ...]) -> Counts:
    counter = LineCounter(lines)
    for there, t in zip(truth.by_frame(FRAMES), TIMES.tolist(), strict=True):
        counter.update(there.ids, anchors(there.boxes_xyxy), t, heights_px=_heights(there))
    counter.finish()
    return {line: {"in": counts["in"], "out": counts["out"]} for line, counts in counter.totals().items()}


def count_tracked(boxes: MotBoxes, lines: tuple[Line, ...]) -> Counts:
    camera = CameraLayout(CAMERA, CAMERA, "", SIZE_WH)
    pipeline = Pipeline(Layout("", datetime(2026, 1, 1, tzinfo=UTC), Plan(1, 1), (camera,), (), lines), CAMERA)
    for found, t in zip(boxes.by_frame(FRAMES), TIMES.tolist(), strict=True):
        pipeline.step(found.boxes_xyxy, found.scores, t)
    pipeline.finish()
    return pipeline.totals()


def compare(counted: Counts, true: Counts) -> Outcome:
    def is_off(line: str, way: str) -> bool:
        return abs(counted[line][way] - true[line][way]) > max(1.0, LINE_SHARE * true[line][way])

    return Outcome(
        total=_total(counted),
        total_off=_total(counted) / _total(true) - 1,
        lines_off=sum(any(is_off(line, way) for way in ("in", "out")) for line in counted),
    )


def _total(counts: Counts) -> int:
    return sum(sum(both.values()) for both in counts.values())


def _heights(boxes: MotBoxes) -> NDArray[np.float32]:
    return boxes.boxes_xyxy[:, 3] - boxes.boxes_xyxy[:, 1]
