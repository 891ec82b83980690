"""Line counts over PETS09-S2L1: 50 seeded lines, through the real pipeline (tracker, then lines), against true paths.

The truth is the same line counter fed with the true identities. "True boxes with misses" are ground-truth boxes of
which one in ten is missing and each person is hidden for a second now and then, as behind others; the bars are for the
median of five seeds.

Some true counts hang on a pixel: a foot that just misses a line's end, a recording that stops in mid-stride. So a line
is off when its count is more than 1 and more than 10 % outside the range that the true paths themselves give while the
line is moved by 3 px or its ends by 5 (annotations are no finer). Column "strict": against the line exactly as drawn.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
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
ACROSS_PX, ALONG_PX = 3.0, 5.0
TRUE_BOXES = "true boxes with misses"

Counts = dict[str, dict[str, int]]


@dataclass(frozen=True, slots=True)
class Outcome:
    """total_off: share by which the sum over all lines is wrong. Lines off: by > 1 and > 10 % either way."""

    total: int
    total_off: float
    lines_off: int
    strictly_off: int


def run() -> Report:
    title = f"Counting on {LINES} seeded lines over PETS09-S2L1"
    columns = ["boxes", "crossings", "total off by", "lines off", "strict"]
    if not PETS.exists():
        return Report(f"{title}: skipped, the shared recordings are not here", columns, [])
    truth = pets_truth()
    lines = seeded_lines(truth)
    variants = [count_true(truth, tuple(moved)) for moved in zip(*map(moved_lines, lines), strict=True)]
    given = {f"{TRUE_BOXES}, seed {seed}": with_misses(truth, seed) for seed in MISS_SEEDS}
    given |= {"our boxes": our_boxes(), "public boxes": pets_public_boxes()}
    outcomes = {name: compare(count_tracked(boxes, lines), variants) for name, boxes in given.items()}
    true_total = sum(sum(both.values()) for both in variants[0].values())
    rows: list[list[object]] = [["truth", true_total, "", "", ""]]
    rows += [[name, o.total, f"{o.total_off:+.1%}", o.lines_off, o.strictly_off] for name, o in outcomes.items()]
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


def moved_lines(line: Line) -> list[Line]:
    """As drawn, then moved across by ± `ACROSS_PX`, then longer and shorter by `ALONG_PX` at each end."""
    a, b = np.array(line.a), np.array(line.b)
    along = (b - a) / np.hypot(*(b - a))
    across = ACROSS_PX * np.array([-along[1], along[0]])
    longer = ALONG_PX * along
    ends = [(a, b), (a + across, b + across), (a - across, b - across), (a - longer, b + longer)]
    ends += [(a + longer, b - longer), (a - longer, b), (a + longer, b), (a, b + longer), (a, b - longer)]
    return [replace(line, a=(float(p[0]), float(p[1])), b=(float(q[0]), float(q[1]))) for p, q in ends]


def compare(counted: Counts, variants: list[Counts]) -> Outcome:
    """variants: the true counts of each line as drawn, and as moved a little."""
    total, true_total = (sum(sum(both.values()) for both in counts.values()) for counts in (counted, variants[0]))
    return Outcome(
        total=total,
        total_off=total / true_total - 1,
        lines_off=_lines_off(counted, variants),
        strictly_off=_lines_off(counted, variants[:1]),
    )


def _lines_off(counted: Counts, variants: list[Counts]) -> int:
    def is_off(line: str, way: str) -> bool:
        true = [counts[line][way] for counts in variants]
        outside = max(min(true) - counted[line][way], counted[line][way] - max(true))
        return outside > max(1.0, LINE_SHARE * variants[0][line][way])

    return sum(any(is_off(line, way) for way in ("in", "out")) for line in counted)


def _heights(boxes: MotBoxes) -> NDArray[np.float32]:
    return boxes.boxes_xyxy[:, 3] - boxes.boxes_xyxy[:, 1]
