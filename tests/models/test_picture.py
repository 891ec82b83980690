from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vitrina.models.picture import Placement, fit_picture, place, to_tensor
from vitrina.models.preparation import Fit, Preparation

PLAIN = Preparation("rgb", (0.0, 0.0, 0.0), (1.0, 1.0, 1.0), "top-left", 114)


def test_a_picture_keeps_its_aspect_and_lies_top_left() -> None:
    assert place((768, 576), (320, 416), "top-left") == Placement((416 / 768, 416 / 768), (0.0, 0.0), (768, 576))


def test_a_centred_picture_has_equal_borders() -> None:
    assert place((200, 100), (640, 640), "centre") == Placement((3.2, 3.2), (0.0, 160), (200, 100))


def test_a_stretched_picture_fills_the_input() -> None:
    assert place((200, 100), (640, 640), "stretch").scale_xy == (3.2, 6.4)


def test_the_border_has_the_fill_value_and_the_rest_the_picture() -> None:
    canvas, _ = fit_picture(np.full((32, 64, 3), 7, np.uint8), (64, 64), PLAIN)

    assert canvas.shape == (64, 64, 3)
    assert canvas.dtype == np.uint8
    assert (canvas[:32] == 7).all()
    assert (canvas[32:] == 114).all()


def test_channels_are_ordered_and_normalised_as_the_network_wants() -> None:
    picture = np.zeros((32, 32, 3), np.uint8)
    picture[...] = [200, 100, 50]
    preparation = Preparation("bgr", (103.53, 116.28, 123.675), (57.375, 57.12, 58.395), "top-left", 0)

    tensor = to_tensor(picture, preparation)

    assert tensor.shape == (1, 3, 32, 32)
    assert tensor.dtype == np.float32
    expected = [(50 - 103.53) / 57.375, (100 - 116.28) / 57.12, (200 - 123.675) / 58.395]
    np.testing.assert_allclose(tensor[0, :, 5, 5], expected, rtol=1e-6)


@pytest.mark.parametrize("fit", ["top-left", "centre", "stretch"])
@given(
    size_wh=st.tuples(st.integers(1, 4000), st.integers(1, 4000)),
    input_hw=st.tuples(st.integers(1, 20), st.integers(1, 20)),
    corner=st.tuples(st.floats(0, 1), st.floats(0, 1)),
)
def test_boxes_come_back_to_where_they_were(
    fit: Fit, size_wh: tuple[int, int], input_hw: tuple[int, int], corner: tuple[float, float]
) -> None:
    placement = place(size_wh, (32 * input_hw[0], 32 * input_hw[1]), fit)
    box = np.array([[0.0, 0.0, corner[0] * size_wh[0], corner[1] * size_wh[1]]])

    there = box * np.tile(placement.scale_xy, 2) + np.tile(placement.offset_xy, 2)

    np.testing.assert_allclose(placement.to_picture(there.astype(np.float32)), box, atol=max(size_wh) * 1e-4)


@given(st.tuples(st.integers(1, 300), st.integers(1, 300)), st.sampled_from(["top-left", "centre", "stretch"]))
def test_every_picture_fits_into_every_input(size_wh: tuple[int, int], fit: Fit) -> None:
    width, height = size_wh
    preparation = Preparation("rgb", (0.0, 0.0, 0.0), (1.0, 1.0, 1.0), fit, 0)

    canvas, _ = fit_picture(np.zeros((height, width, 3), np.uint8), (64, 96), preparation)

    assert canvas.shape == (64, 96, 3)


def test_boxes_are_clipped_to_the_picture() -> None:
    placement = place((100, 50), (64, 64), "top-left")

    assert placement.to_picture(np.array([[-9, -9, 99, 99]], np.float32)).tolist() == [[0, 0, 100, 50]]
