"""Which parts of a picture are looked at. Pure.

The crop matters more than the network: a whole cluttered photo finds a fifth of what a crop around the thing finds.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vitrina.lens.found import BoxFractions

Box = tuple[int, int, int, int]
"""Left, top, right, bottom in pixels; right and bottom lie outside."""

Rgb = NDArray[np.uint8]

GRID = ((1.0, 1), (0.75, 2), (0.5, 3))
"""Side of a window as a share of the shorter side, and how many stand along each axis."""

BOX_SCALES = (1.0, 0.8)
"""A box that somebody drew is looked at whole and a little tighter."""


def candidate_boxes(size_wh: tuple[int, int]) -> list[Box]:
    """Squares over a photo without a box: what is meant fills one of them better than it fills the photo."""
    side = min(size_wh)
    return [
        _square(size_wh, round(side * share), column / max(1, count - 1), row / max(1, count - 1))
        if count > 1
        else _square(size_wh, round(side * share), 0.5, 0.5)
        for share, count in GRID
        for row in range(count)
        for column in range(count)
    ]


def box_crops(size_wh: tuple[int, int], box: BoxFractions) -> list[Box]:
    """Squares in the middle of the box that somebody drew; a squashed box finds less."""
    left, top, right, bottom = to_pixels(box, size_wh)
    width, height = right - left, bottom - top
    side = min(width, height)
    squares = []
    for scale in BOX_SCALES:
        x1, y1, x2, y2 = _square((width, height), max(1, round(side * scale)), 0.5, 0.5)
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
    """The parts of a shop's picture whose vectors are kept: squares in the middle and at both ends of a long one."""
    height, width = picture_rgb.shape[:2]
    side = min(width, height)
    places = [(0.5, 0.5)] if max(width, height) < 1.15 * side else [(0.5, 0.5), (0.0, 0.0), (1.0, 1.0)]
    return [cut(picture_rgb, _square((width, height), side, x, y)) for x, y in places]


def _square(size_wh: tuple[int, int], side: int, x: float, y: float) -> Box:
    """A square of `side` px; x, y: where it lies between the left (top) end, 0, and the right (bottom) end, 1."""
    left, top = round((size_wh[0] - side) * x), round((size_wh[1] - side) * y)
    return left, top, left + side, top + side
