"""What detectors put out, turned into boxes. Pure functions over arrays.

Every decoder returns `(boxes_xyxy, scores)`: (N, 4) float32 in pixels of the network's input, (N,) float32 of the
person class, at least `floor`. Cells of a grid come row by row, stride 8 first, then 16, then 32.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Detections = tuple[Floats, Floats]

STRIDES = (8, 16, 32)
BINS = 11
"""Bins of one side's distance in NanoDet-g (reg_max = 10)."""


def cell_count(input_hw: tuple[int, int]) -> int:
    """Cells of all strides; the input's sides are multiples of 32."""
    height, width = input_hw
    return sum((height // stride) * (width // stride) for stride in STRIDES)


@lru_cache(maxsize=512)
def cells(input_hw: tuple[int, int]) -> tuple[Floats, Floats]:
    """Column and row of each cell (cells, 2), and its stride (cells,)."""
    grids = [np.mgrid[: input_hw[0] // s, : input_hw[1] // s][::-1].reshape(2, -1) for s in STRIDES]
    strides = np.repeat(STRIDES, [grid.shape[1] for grid in grids])
    return np.concatenate(grids, axis=1).T.astype(np.float32), strides.astype(np.float32)


def decode_nanodet(person_cells: Floats, input_hw: tuple[int, int], *, floor: float) -> Detections:
    """person_cells: (45, cells): the person's logit, then 4 sides × 11 bins.

    A side's distance is the expectation of its bins times the stride, from the centre of the cell (generalised focal
    loss; Li et al., 2020, eq. 5).
    """
    scores = sigmoid(person_cells[0])
    keep = scores >= floor
    columns_rows, strides = cells(input_hw)
    strides = strides[keep, None]
    bins = person_cells[1:, keep].reshape(4, BINS, -1)
    weights = np.exp(bins - bins.max(axis=1, keepdims=True))
    distances = np.tensordot(np.arange(BINS), weights, axes=(0, 1)) / weights.sum(axis=1)
    centres = (columns_rows[keep] + 0.5) * strides
    near, far = distances[:2].T * strides, distances[2:].T * strides
    return np.concatenate([centres - near, centres + far], axis=1).astype(np.float32), scores[keep]


def decode_yolox(rows: Floats, input_hw: tuple[int, int], *, person_class: int, floor: float) -> Detections:
    """rows: (cells, 5 + classes): offsets in the cell, log size, object and class probability (Ge et al., 2021)."""
    columns_rows, strides = cells(input_hw)
    centres = (rows[:, :2] + columns_rows) * strides[:, None]
    sizes = np.exp(np.minimum(rows[:, 2:4], 20.0)) * strides[:, None]
    return decode_yolox_boxes(np.hstack([centres, sizes, rows[:, 4:]]), person_class=person_class, floor=floor)


def decode_yolox_boxes(rows: Floats, *, person_class: int, floor: float) -> Detections:
    """The same, exported with `--decode_in_inference`: centres and sizes are pixels already."""
    scores = rows[:, 4] * rows[:, 5 + person_class]
    keep = scores >= floor
    return corners(rows[keep, :4]), scores[keep].astype(np.float32)


def decode_rows(rows: Floats, *, person_class: int, floor: float) -> Detections:
    """rows: (N, 4 + classes): centre, size, class probabilities."""
    scores = rows[:, 4 + person_class]
    keep = scores >= floor
    return corners(rows[keep, :4]), scores[keep].astype(np.float32)


def corners(boxes_cxcywh: Floats) -> Floats:
    """Centre and size (N, 4) → left, top, right, bottom (N, 4)."""
    centres, halves = boxes_cxcywh[:, :2], boxes_cxcywh[:, 2:] / 2
    boxes: Floats = np.concatenate([centres - halves, centres + halves], axis=1).astype(np.float32)
    return boxes


def sigmoid(logits: Floats) -> Floats:
    """1 / (1 + e^−x), without overflow."""
    halves: Floats = np.tanh(0.5 * logits).astype(np.float32)
    return 0.5 + 0.5 * halves


def suppress(boxes_xyxy: Floats, scores: Floats, *, iou: float) -> NDArray[np.intp]:
    """Greedy non-maximum suppression: positions of the boxes kept, best first; ties in their given order."""
    order = np.argsort(-scores, kind="stable")
    near, far = boxes_xyxy[order, :2], boxes_xyxy[order, 2:]
    areas = (far - near).prod(axis=1)
    sides = np.minimum(far[:, None], far) - np.maximum(near[:, None], near)
    shared = np.maximum(sides, 0.0).prod(axis=2)
    same = shared > iou * (areas[:, None] + areas - shared)
    alive = np.ones(len(order), dtype=bool)
    for i in range(len(order)):
        if alive[i]:
            alive[i + 1 :] &= ~same[i, i + 1 :]
    return order[alive]
