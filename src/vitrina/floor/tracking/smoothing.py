"""Where people were at one moment, from the boxes measured shortly before and after it.

Local linear regression with a Gaussian kernel (Cleveland 1979; Fan & Gijbels 1996, eq. 3.5), for all tracks at once: a
line through each track's boxes, in which the nearest in time weigh most. It halves the detector's jitter without the
lag of a filter, and says where somebody was whom the detector missed for a moment.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vitrina.floor.tracking import kalman

WIDTH_S = 0.35
"""Standard deviation of the kernel. From 0.2 to 0.5 s the counts on recordings are alike."""


@dataclass(frozen=True, slots=True)
class Measured:
    """Boxes of a stretch of time. t: (R,) s. track_ids: (R,) int64. boxes_xyxy: (R, 4) px."""

    t: NDArray[np.float64]
    track_ids: NDArray[np.int64]
    boxes_xyxy: NDArray[np.float64]


def smooth_at(t: float, measured: Measured) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """track_ids (N,) ascending and boxes_xyxy (N, 4) at `t`, of the tracks measured at `t` or on both sides of it."""
    since_s = measured.t - t
    ids, row = np.unique(measured.track_ids, return_inverse=True)
    there = np.zeros((2, len(ids)), bool)
    there[0, row[since_s <= 0]] = True
    there[1, row[since_s >= 0]] = True
    weights = np.exp(-0.5 * np.square(since_s / WIDTH_S))
    # Centred on each track's own mean time, the line's value and slope are two separate sums.
    total = _sums(row, weights, len(ids))
    mean_s = _sums(row, weights * since_s, len(ids)) / total
    apart_s = since_s - mean_s[row]
    spread = _sums(row, weights * np.square(apart_s), len(ids))
    places = np.empty((len(ids), 4))
    for column, values in enumerate(kalman.measure(measured.boxes_xyxy).T):
        slope = _sums(row, weights * apart_s * values, len(ids)) / np.maximum(spread, 1e-12)
        places[:, column] = _sums(row, weights * values, len(ids)) / total - slope * mean_s
    seen = there.all(axis=0)
    return ids[seen], kalman.boxes(places[seen]).astype(np.float32)


def _sums(row: NDArray[np.intp], values: NDArray[np.float64], rows: int) -> NDArray[np.float64]:
    return np.bincount(row, weights=values, minlength=rows).astype(np.float64)
