"""Boxes as corners: (N, 4) pixels, x1, y1, x2, y2, y pointing down."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vitrina.errors import InputError

Floats = NDArray[np.float64]
LARGEST_PX = 1e6


def checked_boxes(boxes_xyxy: NDArray[np.floating], scores: NDArray[np.floating], t: float) -> tuple[Floats, Floats]:
    """As float64, or InputError for shapes that do not fit, NaN, infinity, and boxes without an inside."""
    xyxy, values = np.asarray(boxes_xyxy, np.float64), np.asarray(scores, np.float64)
    if xyxy.ndim != 2 or xyxy.shape[1] != 4 or values.shape != xyxy.shape[:1]:
        raise InputError(f"Expected boxes (N, 4) and scores (N,), got {xyxy.shape} and {values.shape} at t = {t}.")
    if not (np.isfinite(t) and np.isfinite(xyxy).all() and np.isfinite(values).all()):
        raise InputError(f"Expected finite numbers as time, boxes and scores, got NaN or infinity at t = {t}.")
    if (np.abs(xyxy) > LARGEST_PX).any():
        raise InputError(f"Expected pixels, got the coordinate {xyxy[np.abs(xyxy) > LARGEST_PX][0]:g} at t = {t}.")
    if not (xyxy[:, 2:] > xyxy[:, :2]).all():
        worst = xyxy[np.argmin((xyxy[:, 2:] - xyxy[:, :2]).min(axis=1))]
        raise InputError(f"Expected x1 < x2 and y1 < y2 in each box, got {worst.tolist()} at t = {t}.")
    return xyxy, values


def overlaps(a_xyxy: Floats, b_xyxy: Floats) -> tuple[Floats, Floats]:
    """(N, M) intersection over union, and (N, M) share of each box of `a` that lies inside each box of `b`."""
    top_left = np.maximum(a_xyxy[:, None, :2], b_xyxy[None, :, :2])
    bottom_right = np.minimum(a_xyxy[:, None, 2:], b_xyxy[None, :, 2:])
    shared = np.maximum(bottom_right - top_left, 0.0).prod(axis=2)
    area_a = (a_xyxy[:, 2:] - a_xyxy[:, :2]).prod(axis=1)[:, None]
    area_b = (b_xyxy[:, 2:] - b_xyxy[:, :2]).prod(axis=1)
    return shared / (area_a + area_b - shared), shared / area_a
