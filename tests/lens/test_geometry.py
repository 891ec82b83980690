"""Whether two pictures show the very same thing."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from vitrina.lens.geometry import agreeing, confirm, corners

Rgb = NDArray[np.uint8]


def printed(seed: int, side: int = 300) -> Rgb:
    """A print of random blots, with corners of every size."""
    rng = np.random.default_rng(seed)
    picture = np.full((side, side, 3), 230, np.uint8)
    for _ in range(60):
        left, top = (int(v) for v in rng.integers(0, side, 2))
        colour = tuple(int(v) for v in rng.integers(0, 256, 3))
        cv2.rectangle(
            picture, (left, top), (left + int(rng.integers(5, 50)), top + int(rng.integers(5, 50))), colour, -1
        )
    return picture


def turned(picture: Rgb, degrees: float, scale: float) -> Rgb:
    height, width = picture.shape[:2]
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, scale)
    return np.asarray(cv2.warpAffine(picture, turn, (width, height), borderValue=(255, 255, 255)), np.uint8)


@pytest.mark.parametrize(("degrees", "scale"), [(0, 1), (12, 0.9), (-30, 0.7), (90, 1)])
def test_the_same_print_turned_and_scaled_is_confirmed(degrees: float, scale: float) -> None:
    assert confirm(turned(printed(1), degrees, scale), printed(1)) >= 15


def test_another_print_is_not() -> None:
    assert confirm(printed(1), printed(2)) < 10


def test_a_plain_picture_agrees_with_nothing() -> None:
    plain = np.full((100, 100, 3), 128, np.uint8)

    assert confirm(plain, plain) == 0
    assert len(corners(plain).points_xy) == 0


def test_the_answer_is_the_same_each_time() -> None:
    query, candidate = corners(turned(printed(3), 8, 0.8)), corners(printed(3))

    assert len({agreeing(query, candidate) for _ in range(5)}) == 1


def test_a_tiny_picture_is_no_error() -> None:
    assert confirm(np.zeros((3, 3, 3), np.uint8), printed(1)) == 0
