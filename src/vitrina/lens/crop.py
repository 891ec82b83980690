"""Which parts of a picture are looked at, and what they say together. Pure.

The crop matters more than the network: a whole cluttered photo finds a third of what the right crop of it finds.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from vitrina.lens.found import BoxFractions

Box = tuple[int, int, int, int]
"""Left, top, right, bottom in pixels; right and bottom lie outside."""

Rgb = NDArray[np.uint8]

WINDOWS = ((0.75, 0.5, 0.5), (0.5, 0.5, 0.5), (0.5, 0.5, 0.0), (0.5, 0.0, 0.5), (0.5, 1.0, 0.5), (0.5, 0.5, 1.0))
"""Windows over a photo without a box: side as a share of the shorter one, and where along each axis it stands.

Six of them find what fourteen found (benchmarks/photo.py): a large and a small one in the middle, four half-size ones
around it. Corners and the whole photo found nothing more and cost as much.
"""

BOX_SCALES = (1.0, 0.8)
"""A box that somebody drew is looked at whole and a little tighter."""

LONG_BOX = 1.5
"""Longer side by shorter side: the square in the middle of such a box would leave out a third of it."""

OFF_CENTRE = 0.1
"""What a cosine loses when its window stands as far from the middle as it can: people aim at what they mean."""

SHARPNESS = 30.0
"""How much the best crop counts beside the others: at 30, one that is 0.1 behind counts a twentieth."""

SQUARE_UP_TO = 1.15
"""Longer side by shorter side; a longer picture is looked at in its middle and at both ends."""


def candidate_boxes(size_wh: tuple[int, int]) -> list[Box]:
    """Squares over a photo without a box: what is meant fills one of them better than it fills the photo."""
    side = min(size_wh)
    return [_square(size_wh, max(1, round(side * share)), x, y) for share, x, y in WINDOWS]


def off_centre(size_wh: tuple[int, int], boxes_xyxy: Sequence[Box]) -> NDArray[np.float32]:
    """(N,): 0 for a box in the middle of the photo, 1 for one whose middle is half the shorter side away from it."""
    middles = np.array([((left + right) / 2, (top + bottom) / 2) for left, top, right, bottom in boxes_xyxy])
    away = np.linalg.norm(middles - np.array(size_wh) / 2, axis=1) / (min(size_wh) / 2)
    shares: NDArray[np.float32] = np.minimum(away, 1.0).astype(np.float32)
    return shares


def together(cosines: NDArray[np.float32], penalties: NDArray[np.float32]) -> NDArray[np.float32]:
    """One score for each candidate: (crops, candidates) cosines, less (crops,) penalties, → (candidates,).

    A soft maximum over the crops: the best one decides, and of two candidates that are as near, the one that other
    crops see too goes first. A candidate that a crop's neighbours do not hold gets the cosine of its last neighbour.
    """
    scores = (cosines - penalties[:, None]) * SHARPNESS
    best = scores.max(axis=0)
    mixed: NDArray[np.float32] = (best + np.log(np.exp(scores - best).mean(axis=0))) / SHARPNESS
    return mixed.astype(np.float32)


def box_crops(size_wh: tuple[int, int], box: BoxFractions) -> list[Box]:
    """Squares in the middle of the box that somebody drew, and of a long one at both ends too: all of it is searched.

    A squashed box finds less.
    """
    left, top, right, bottom = to_pixels(box, size_wh)
    width, height = right - left, bottom - top
    side = min(width, height)
    places = [(scale, 0.5, 0.5) for scale in BOX_SCALES]
    if max(width, height) >= LONG_BOX * side:
        places += [(1.0, 0.0, 0.0), (1.0, 1.0, 1.0)]
    squares = []
    for scale, x, y in places:
        x1, y1, x2, y2 = _square((width, height), max(1, round(side * scale)), x, y)
        squares.append((left + x1, top + y1, left + x2, top + y2))
    return squares


def to_pixels(box: BoxFractions, size_wh: tuple[int, int]) -> Box:
    """At least one pixel, inside the picture, whatever the fractions are."""
    width, height = size_wh
    left, right = sorted(min(max(value, 0.0), 1.0) * width for value in (box[0], box[2]))
    top, bottom = sorted(min(max(value, 0.0), 1.0) * height for value in (box[1], box[3]))
    x1, y1 = min(round(left), width - 1), min(round(top), height - 1)
    return x1, y1, max(round(right), x1 + 1), max(round(bottom), y1 + 1)


def to_fractions(box_xyxy: Box, size_wh: tuple[int, int]) -> BoxFractions:
    width, height = size_wh
    return box_xyxy[0] / width, box_xyxy[1] / height, box_xyxy[2] / width, box_xyxy[3] / height


def cut(picture_rgb: Rgb, box_xyxy: Box) -> Rgb:
    """The part of the picture inside the box, without copying it."""
    left, top, right, bottom = box_xyxy
    return picture_rgb[max(0, top) : max(0, bottom), max(0, left) : max(0, right)]


def catalog_crops(picture_rgb: Rgb) -> list[Rgb]:
    """The two or three squares of a shop's picture whose vectors are kept: of a square one all of it and its middle,
    of a longer one its middle and both ends.
    """
    height, width = picture_rgb.shape[:2]
    side = min(width, height)
    places = [(1.0, 0.5, 0.5), (1.0, 0.0, 0.0), (1.0, 1.0, 1.0)]
    if max(width, height) < SQUARE_UP_TO * side:
        places = [(1.0, 0.5, 0.5), (0.75, 0.5, 0.5)]
    return [cut(picture_rgb, _square((width, height), max(1, round(side * share)), x, y)) for share, x, y in places]


def _square(size_wh: tuple[int, int], side: int, x: float, y: float) -> Box:
    """A square of `side` px; x, y: where it lies between the left (top) end, 0, and the right (bottom) end, 1."""
    left, top = round((size_wh[0] - side) * x), round((size_wh[1] - side) * y)
    return left, top, left + side, top + side
