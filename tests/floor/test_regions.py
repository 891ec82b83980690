"""Regions around what moved, and how they lie side by side."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from vitrina.floor.regions import CANVAS_PX, area, cells_of, merged, pack, regions_of, touched

SHAPE = (40, 52)

SIZES = st.lists(st.tuples(st.integers(8, 416), st.integers(8, 320)), max_size=20)
REGIONS = st.lists(
    st.tuples(st.integers(0, 300), st.integers(0, 200), st.integers(8, 100), st.integers(8, 100)).map(
        lambda xywh: (xywh[0], xywh[1], xywh[0] + xywh[2], xywh[1] + xywh[3])
    ),
    max_size=12,
)


def busy(*places: tuple[int, int]) -> np.ndarray:
    cells = np.zeros(SHAPE, np.bool_)
    for row, column in places:
        cells[row, column] = True
    return cells


def test_a_box_touches_the_cells_it_reaches_into() -> None:
    cells = cells_of(np.array([[9, 0, 16, 17]], np.float32), SHAPE)

    assert np.argwhere(cells).tolist() == [[0, 1], [1, 1], [2, 1]]
    assert touched(np.array([[9, 0, 16, 17], [17, 0, 30, 30]], np.float32), busy((2, 1))).tolist() == [True, False]


def test_a_moving_foot_calls_for_the_whole_person_with_their_surroundings() -> None:
    person = np.array([[100, 96, 124, 160]], np.float32)

    (region,) = regions_of(busy((19, 13), (19, 14)), person)

    assert region == (80, 88, 144, 168)


def test_somebody_new_may_be_larger_than_what_moved() -> None:
    (left, top, right, bottom), = regions_of(busy((20, 20), (20, 21)), np.zeros((0, 4), np.float32))  # fmt: skip

    assert (right - left, bottom - top) == (64, 88)
    assert left < 160 < 176 < right


def test_regions_stay_inside_the_picture() -> None:
    for left, top, right, bottom in regions_of(busy((0, 0), (0, 51), (39, 0), (39, 51)), np.zeros((0, 4), np.float32)):
        assert 0 <= left < right <= 416
        assert 0 <= top < bottom <= 320


def test_two_regions_become_one_where_that_is_no_dearer() -> None:
    assert merged([(0, 0, 64, 64), (32, 0, 96, 64)]) == [(0, 0, 96, 64)]
    assert sorted(merged([(0, 0, 64, 64), (200, 200, 264, 264)])) == [(0, 0, 64, 64), (200, 200, 264, 264)]


@given(REGIONS)
def test_merging_loses_nothing_and_never_costs_more(regions: list[tuple[int, int, int, int]]) -> None:
    found = merged(regions)

    assert sum(map(area, found)) <= sum(map(area, regions))
    for left, top, right, bottom in regions:
        assert any(a <= left and b <= top and c >= right and d >= bottom for a, b, c, d in found)


@given(SIZES)
@settings(deadline=None)
def test_every_part_lies_on_one_canvas_and_on_no_other_part(sizes_wh: list[tuple[int, int]]) -> None:
    canvases = pack(sizes_wh)

    assert sorted(part for canvas in canvases for part, _, _ in canvas.places) == list(range(len(sizes_wh)))
    for canvas in canvases:
        width, height = canvas.size_wh
        assert width % 32 == height % 32 == 0
        assert len(canvas.places) == 1 or width * height <= CANVAS_PX
        filled = np.zeros((height, width), int)
        for part, left, top in canvas.places:
            wide, high = sizes_wh[part]
            assert left + wide <= width
            assert top + high <= height
            filled[top : top + high, left : left + wide] += 1
        assert filled.max() == 1


def test_small_parts_share_a_small_canvas() -> None:
    (canvas,) = pack([(64, 96), (64, 96), (64, 64), (64, 32)])

    assert canvas.size_wh[0] * canvas.size_wh[1] == 192 * 96
