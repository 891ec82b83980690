"""The shipped detector on PETS09-S2L1: average precision, recall, and milliseconds of one thread, by input size."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from benchmarks.table import Report
from vitrina.floor.people import PersonDetector
from vitrina.models.manifest import shipped_models

DATA = Path(__file__).parents[2] / "shared" / "data" / "floor"
SIZES_HW = ((192, 256), (256, 352), (320, 416))
MEASURED = "320x416"
AT_PRECISION = 0.9
IOU = 0.5

Rows = NDArray[np.float64]


def run() -> Report:
    """Rows by input size, beside the recording's public boxes (Faster R-CNN); no rows when the data is not here."""
    title = "Person detector on PETS09-S2L1, 795 frames, one thread"
    columns = ["boxes", "AP", f"recall at precision {AT_PRECISION}", "ms a picture", "ms, fastest tenth"]
    if not (DATA / "PETS09-S2L1").exists():
        return Report(f"{title}: skipped, the shared recordings are not here", columns, [])
    truth = read_boxes(DATA / "PETS09-S2L1" / "gt" / "gt.txt")
    truth = truth[truth[:, 5] == 1]
    rows: list[list[object]] = []
    found: dict[str, tuple[float, float, float]] = {}
    for height, width in SIZES_HW:
        boxes, times_ms = detect((height, width))
        ap, recall = average_precision(boxes, truth)
        fast_ms = float(np.quantile(times_ms, 0.1))
        found[f"{height}x{width}"] = (ap, recall, fast_ms)
        median_ms = statistics.median(times_ms)
        rows.append([f"ours, {height}x{width}", round(ap, 3), round(recall, 3), round(median_ms, 1), round(fast_ms, 1)])
    ap, recall = average_precision(read_boxes(DATA / "PETS09-S2L1" / "det" / "det.txt"), truth)
    rows.append(["public boxes (Faster R-CNN)", round(ap, 3), round(recall, 3), "–", "–"])
    ap, recall, fast_ms = found[MEASURED]
    bars = [
        (f"AP at {MEASURED}", ap, "≥ 0.90", ap >= 0.90),
        (f"recall at precision {AT_PRECISION} at {MEASURED}", recall, "≥ 0.89", recall >= 0.89),
        (f"ms a picture at {MEASURED}, fastest tenth", fast_ms, "≤ 60", fast_ms <= 60),
    ]
    return Report(title, columns, rows, bars)


def detect(input_hw: tuple[int, int]) -> tuple[Rows, list[float]]:
    """Every box of the recording (frame, left, top, right, bottom, score), and the milliseconds of each picture."""
    detector = PersonDetector(shipped_models()[0], input_hw=input_hw)
    rows: list[Rows] = []
    times_ms: list[float] = []
    for number, frame_rgb in enumerate(frames(), start=1):
        start = time.thread_time()
        boxes_xyxy, scores = detector.detect(frame_rgb)
        times_ms.append((time.thread_time() - start) * 1000)
        rows.append(np.column_stack([np.full(len(scores), number), boxes_xyxy, scores]).astype(np.float64))
    return np.concatenate(rows), times_ms


def frames() -> Iterator[NDArray[np.uint8]]:
    with av.open(os.fspath(DATA / "pets09-s2l1.avi")) as video:
        for frame in video.decode(video=0):
            yield np.asarray(frame.to_ndarray(format="rgb24"), np.uint8)


def read_boxes(path: Path) -> Rows:
    """MOT-challenge rows as (frame, left, top, right, bottom, score)."""
    raw = np.loadtxt(path, delimiter=",", ndmin=2)
    return np.column_stack([raw[:, 0], raw[:, 2:4], raw[:, 2:4] + raw[:, 4:6], raw[:, 6]])


def average_precision(boxes: Rows, truth: Rows) -> tuple[float, float]:
    """Area under the precision envelope (Everingham et al., 2010, all points), and recall at precision 0.9."""
    boxes = boxes[np.argsort(-boxes[:, 5], kind="stable")]
    hits = np.zeros(len(boxes))
    for frame in np.unique(truth[:, 0]):
        people = truth[truth[:, 0] == frame, 1:5]
        ranks = np.flatnonzero(boxes[:, 0] == frame)
        shares = overlaps(boxes[ranks, 1:5], people)
        for rank, row in zip(ranks, shares, strict=True):
            best = int(row.argmax())
            if row[best] >= IOU:
                hits[rank] = 1
                shares[:, best] = -1.0
    recall = np.cumsum(hits) / len(truth)
    precision = np.cumsum(hits) / np.arange(1, len(hits) + 1)
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    ap = float(np.sum(np.diff(np.concatenate([[0.0], recall])) * envelope))
    return ap, float(recall[precision >= AT_PRECISION].max(initial=0.0))


def overlaps(boxes_xyxy: Rows, others_xyxy: Rows) -> Rows:
    """Intersection over union, (N, M)."""
    near = np.maximum(boxes_xyxy[:, None, :2], others_xyxy[None, :, :2])
    far = np.minimum(boxes_xyxy[:, None, 2:], others_xyxy[None, :, 2:])
    shared = np.prod(np.clip(far - near, 0.0, None), axis=2)
    areas, other_areas = (np.prod(b[:, 2:] - b[:, :2], axis=1) for b in (boxes_xyxy, others_xyxy))
    union: Rows = areas[:, None] + other_areas[None] - shared
    return np.asarray(shared / union, np.float64)
