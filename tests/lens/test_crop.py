"""Which parts of a picture are looked at, and what they say together."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vitrina.lens.crop import (
    Box,
    box_crops,
    candidate_boxes,
    catalog_crops,
    cut,
    off_centre,
    to_fractions,
    to_pixels,
    together,
)

sizes = st.tuples(st.integers(1, 3000), st.integers(1, 3000))
fractions = st.tuples(*[st.floats(-0.5, 1.5)] * 4)


def is_inside(box: Box, size_wh: tuple[int, int]) -> bool:
    left, top, right, bottom = box
    return 0 <= left < right <= size_wh[0] and 0 <= top < bottom <= size_wh[1]


def test_a_square_photo_has_two_windows_in_its_middle_and_four_around() -> None:
    assert candidate_boxes((400, 400)) == [
        (50, 50, 350, 350),
        (100, 100, 300, 300),
        (100, 0, 300, 200),
        (0, 100, 200, 300),
        (200, 100, 400, 300),
        (100, 200, 300, 400),
    ]


@given(sizes)
def test_every_window_is_a_square_inside_the_photo(size_wh: tuple[int, int]) -> None:
    for box in candidate_boxes(size_wh):
        assert is_inside(box, size_wh)
        assert box[2] - box[0] == box[3] - box[1]


@given(sizes, fractions)
def test_crops_of_any_box_are_squares_inside_the_photo(
    size_wh: tuple[int, int], box: tuple[float, float, float, float]
) -> None:
    assert is_inside(to_pixels(box, size_wh), size_wh)
    for crop in box_crops(size_wh, box):
        assert is_inside(crop, size_wh)
        assert crop[2] - crop[0] == crop[3] - crop[1]


def test_a_box_is_cut_to_the_square_in_its_middle_and_a_tighter_one() -> None:
    assert box_crops((1000, 500), (0.1, 0.2, 0.3, 0.7)) == [(100, 125, 300, 325), (120, 145, 280, 305)]


@pytest.mark.parametrize(
    ("size_wh", "ends"),
    [((100, 300), [(0, 0, 100, 100), (0, 200, 100, 300)]), ((300, 100), [(0, 0, 100, 100), (200, 0, 300, 100)])],
)
def test_of_a_long_box_both_ends_are_looked_at_too(size_wh: tuple[int, int], ends: list[Box]) -> None:
    middle, _, *found = box_crops(size_wh, (0.0, 0.0, 1.0, 1.0))

    assert found == ends
    assert middle not in ends


def test_a_box_drawn_from_the_other_corner_is_the_same_box() -> None:
    assert to_pixels((0.5, 0.6, 0.1, 0.2), (1000, 500)) == to_pixels((0.1, 0.2, 0.5, 0.6), (1000, 500))


def test_pixels_and_fractions_go_back_and_forth() -> None:
    assert to_fractions(to_pixels((0.1, 0.2, 0.5, 0.6), (1000, 500)), (1000, 500)) == (0.1, 0.2, 0.5, 0.6)


def test_cutting_copies_nothing() -> None:
    picture = np.zeros((20, 30, 3), np.uint8)

    assert cut(picture, (5, 0, 15, 10)).base is picture


@pytest.mark.parametrize(
    ("shape_hw", "sides"),
    [((300, 300), [300, 225]), ((300, 340), [300, 225]), ((600, 300), [300] * 3), ((300, 900), [300] * 3)],
)
def test_a_shops_picture_is_kept_as_two_or_three_squares(shape_hw: tuple[int, int], sides: list[int]) -> None:
    assert [crop.shape[:2] for crop in catalog_crops(np.zeros((*shape_hw, 3), np.uint8))] == [(s, s) for s in sides]


def test_a_long_picture_is_looked_at_in_its_middle_and_at_both_ends() -> None:
    picture = np.repeat(np.arange(90, dtype=np.uint8), 10)[:, None, None] * np.ones((1, 300, 3), np.uint8)

    middle, first, last = catalog_crops(picture)

    assert (first[0, 0, 0], middle[0, 0, 0], last[-1, 0, 0]) == (0, 30, 89)


def test_windows_lose_by_how_far_from_the_middle_they_stand() -> None:
    shares = off_centre((400, 400), candidate_boxes((400, 400)))

    np.testing.assert_allclose(shares, [0, 0, 0.5, 0.5, 0.5, 0.5])


def test_one_crop_alone_says_its_own_cosine() -> None:
    cosines = np.array([[0.3, 0.8]], np.float32)

    np.testing.assert_allclose(together(cosines, np.zeros(1, np.float32)), [0.3, 0.8], atol=1e-6)


def test_the_best_crop_decides_and_the_others_break_ties() -> None:
    cosines = np.array([[0.8, 0.8, 0.5], [0.3, 0.7, 0.5]], np.float32)

    first, second, third = together(cosines, np.zeros(2, np.float32))

    assert third < first < second


def test_a_window_at_the_side_counts_less() -> None:
    cosines = np.array([[0.6, 0.1], [0.1, 0.6]], np.float32)

    left, right = together(cosines, np.array([0.0, 0.05], np.float32))

    assert left > right


@given(st.lists(st.floats(-1, 1), min_size=1, max_size=8))
def test_together_is_never_above_the_best_crop(values: list[float]) -> None:
    cosines = np.array(values, np.float32)[:, None]

    (score,) = together(cosines, np.zeros(len(values), np.float32))

    assert cosines.mean() - 1e-5 <= score <= cosines.max() + 1e-5
