"""Whether two pictures show the very same thing: corners that match and agree on one way of turning and scaling it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

SIDE_PX = 400
CORNERS = 500
RATIO = 0.8
"""Lowe (2004): a match counts when its distance is below this share of the next best one's."""

TOLERANCE_PX = 8.0
SEED = 2004

Rgb = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Corners:
    """points_xy: (N, 2) float32, pixels of the shrunken picture. descriptors: (N, 32) uint8, ORB (Rublee 2011)."""

    points_xy: NDArray[np.float32]
    descriptors: NDArray[np.uint8]


def corners(picture_rgb: Rgb) -> Corners:
    """The picture's corners, so that a query is looked at once for all its candidates."""
    grey = cv2.cvtColor(_shrunk(picture_rgb), cv2.COLOR_RGB2GRAY)
    points, descriptors = cv2.ORB.create(nfeatures=CORNERS, fastThreshold=10).detectAndCompute(grey, _no_mask())
    if descriptors is None or not len(points):
        return Corners(np.empty((0, 2), np.float32), np.empty((0, 32), np.uint8))
    return Corners(np.array([point.pt for point in points], np.float32), np.asarray(descriptors, np.uint8))


def agreeing(query: Corners, candidate: Corners) -> int:
    """How many matches one similarity transform (turn, scale, shift) explains; 0 below the three that fix nothing."""
    return similarity(query, candidate)[1]


def similarity(
    query: Corners, candidate: Corners, *, tolerance_px: float = TOLERANCE_PX
) -> tuple[NDArray[np.float64] | None, int]:
    """The transform that most matches agree on, (2, 3) from the query to the candidate, and how many do; or None, 0."""
    if min(len(query.points_xy), len(candidate.points_xy)) < 4:
        return None, 0
    pairs = cv2.BFMatcher(cv2.NORM_HAMMING).knnMatch(query.descriptors, candidate.descriptors, k=2)
    good = [pair[0] for pair in pairs if len(pair) == 2 and pair[0].distance < RATIO * pair[1].distance]
    if len(good) < 4:
        return None, 0
    ours = query.points_xy[[match.queryIdx for match in good]]
    theirs = candidate.points_xy[[match.trainIdx for match in good]]
    cv2.setRNGSeed(SEED)
    matrix, inliers = cv2.estimateAffinePartial2D(ours, theirs, ransacReprojThreshold=tolerance_px, maxIters=500)
    return (None, 0) if matrix is None else (np.asarray(matrix, np.float64), int(inliers.sum()))


def confirm(query_rgb: Rgb, candidate_rgb: Rgb) -> int:
    """Matches that agree on how the thing lies in both pictures; about ten or more mean that it is the same thing.

    Only for a query that somebody drew a box around: in a cluttered photo the clutter matches too.
    """
    return agreeing(corners(query_rgb), corners(candidate_rgb))


def _shrunk(picture_rgb: Rgb) -> Rgb:
    height, width = picture_rgb.shape[:2]
    scale = SIDE_PX / max(height, width)
    if scale >= 1:
        return picture_rgb
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return np.asarray(cv2.resize(picture_rgb, size, interpolation=cv2.INTER_AREA), np.uint8)


def _no_mask() -> Any:
    """OpenCV's stubs want an array where the documentation says None."""
    return None
