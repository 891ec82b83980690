"""Decoders against slow implementations written from the papers' formulas."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from vitrina.models import decode

INPUT_HW = (64, 96)
CELLS = 126


def grid() -> list[tuple[int, int, int]]:
    """Column, row and stride of every cell, by loops."""
    height, width = INPUT_HW
    return [(x, y, s) for s in (8, 16, 32) for y in range(height // s) for x in range(width // s)]


def slow_nanodet(cells: np.ndarray, floor: float) -> list[tuple[float, ...]]:
    found = []
    for i, (column, row, stride) in enumerate(grid()):
        score = 1 / (1 + math.exp(-cells[0, i]))
        if score < floor:
            continue
        sides = []
        for side in range(4):
            powers = [math.exp(cells[1 + 11 * side + k, i]) for k in range(11)]
            sides.append(sum(k * p for k, p in enumerate(powers)) / sum(powers) * stride)
        x, y = (column + 0.5) * stride, (row + 0.5) * stride
        found.append((x - sides[0], y - sides[1], x + sides[2], y + sides[3], score))
    return found


def slow_yolox(rows: np.ndarray, person_class: int, floor: float) -> list[tuple[float, ...]]:
    found = []
    for (column, row, stride), values in zip(grid(), rows.tolist(), strict=True):
        score = values[4] * values[5 + person_class]
        x, y = (values[0] + column) * stride, (values[1] + row) * stride
        width, height = math.exp(values[2]) * stride, math.exp(values[3]) * stride
        if score >= floor:
            found.append((x - width / 2, y - height / 2, x + width / 2, y + height / 2, score))
    return found


def slow_suppress(boxes: np.ndarray, scores: np.ndarray, iou: float) -> list[int]:
    def overlap(a: np.ndarray, b: np.ndarray) -> float:
        width, height = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
        shared = max(width, 0) * max(height, 0)
        union = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - shared
        return shared / union if union else 0.0

    kept: list[int] = []
    for i in sorted(range(len(scores)), key=lambda i: -scores[i]):
        if all(overlap(boxes[i], boxes[k]) <= iou for k in kept):
            kept.append(i)
    return kept


def rows_of(detections: decode.Detections) -> np.ndarray:
    return np.column_stack(detections)


def test_a_grid_has_the_cells_of_all_strides_row_by_row() -> None:
    columns_rows, strides = decode.cells(INPUT_HW)

    assert [(*xy, s) for xy, s in zip(columns_rows.tolist(), strides.tolist(), strict=True)] == grid()
    assert decode.cell_count(INPUT_HW) == CELLS


def test_nanodet_cells_are_read_as_in_the_paper() -> None:
    cells = np.random.default_rng(0).normal(0, 3, (45, CELLS)).astype(np.float32)

    found = rows_of(decode.decode_nanodet(cells, INPUT_HW, floor=0.3))

    np.testing.assert_allclose(found, slow_nanodet(cells, 0.3), rtol=1e-4, atol=1e-3)


def test_large_logits_do_not_overflow() -> None:
    cells = np.full((45, CELLS), 500.0, np.float32)

    boxes, scores = decode.decode_nanodet(cells, INPUT_HW, floor=0.1)

    assert np.isfinite(boxes).all()
    assert (scores == 1.0).all()


def test_yolox_rows_are_read_as_in_the_paper() -> None:
    rows = np.random.default_rng(1).uniform(-0.5, 1.0, (CELLS, 8)).astype(np.float32)

    found = rows_of(decode.decode_yolox(rows, INPUT_HW, person_class=2, floor=0.2))

    np.testing.assert_allclose(found, slow_yolox(rows, 2, 0.2), rtol=1e-4, atol=1e-3)


def test_decoded_yolox_rows_are_pixels() -> None:
    boxes, scores = decode.decode_yolox_boxes(
        np.array([[40, 32, 32, 16, 0.5, 0.8], [9, 9, 2, 2, 0.1, 0.1]], np.float32), person_class=0, floor=0.1
    )

    assert boxes.tolist() == [[24, 24, 56, 40]]
    assert scores.tolist() == np.array([0.4], np.float32).tolist()


def test_rows_without_an_object_score_are_read_by_class() -> None:
    rows = np.array([[10, 10, 4, 6, 0.2, 0.9], [20, 20, 4, 6, 0.9, 0.2]], np.float32)

    boxes, scores = decode.decode_rows(rows, person_class=1, floor=0.5)

    assert boxes.tolist() == [[8, 7, 12, 13]]
    assert scores.tolist() == np.array([0.9], np.float32).tolist()


def test_nothing_in_the_picture_gives_empty_arrays() -> None:
    boxes, scores = decode.decode_nanodet(np.full((45, CELLS), -9.0, np.float32), INPUT_HW, floor=0.1)

    assert boxes.shape == (0, 4)
    assert scores.shape == (0,)
    assert decode.suppress(boxes, scores, iou=0.5).shape == (0,)


def test_of_two_boxes_of_one_person_the_stronger_stays() -> None:
    boxes = np.array([[0, 0, 10, 20], [1, 0, 11, 20], [30, 0, 40, 20]], np.float32)

    assert decode.suppress(boxes, np.array([0.5, 0.9, 0.3], np.float32), iou=0.6).tolist() == [1, 2]


@given(
    arrays(np.int64, st.tuples(st.integers(0, 25), st.just(4)), elements=st.integers(0, 30)),
    st.sampled_from([0.3, 0.5, 0.6]),
    st.integers(0, 2**32 - 1),
)
def test_suppression_keeps_what_the_slow_one_keeps(corners: np.ndarray, iou: float, seed: int) -> None:
    near, far = np.minimum(corners[:, :2], corners[:, 2:]), np.maximum(corners[:, :2], corners[:, 2:]) + 1
    boxes = np.hstack([near, far]).astype(np.float32)
    scores = np.random.default_rng(seed).random(len(boxes)).astype(np.float32)

    assert decode.suppress(boxes, scores, iou=iou).tolist() == slow_suppress(boxes.astype(float), scores, iou)
