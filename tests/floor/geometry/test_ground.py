from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vitrina.errors import InputError
from vitrina.floor.geometry.ground import GroundError, anchors, distort, fit_ground, metre_grid, undistort

SIZE = (1280, 720)
SQUARE_PX = [(400, 300), (880, 300), (1060, 660), (220, 660)]
SQUARE_M = [(3, 3), (7, 3), (7, 7), (3, 7)]
FLOOR_M = np.array([(x, y) for x in (1.5, 4.0, 6.5, 8.5) for y in (2.0, 5.0, 8.0)])

Camera = Any


def test_box_bottom_centre_is_the_anchor_taken_before_any_clipping_to_a_zone() -> None:
    boxes = np.array([[10, 20, 30, 80], [-6, 0, 4, 50]], np.float32)  # the second reaches over the picture's edge

    assert anchors(boxes).tolist() == [[20, 80], [-1, 50]]
    assert anchors(np.empty((0, 4), np.float32)).shape == (0, 2)


@pytest.mark.parametrize("k1", [0.0, -0.2, 0.15])
def test_the_floor_of_a_simulated_camera_is_found_exactly(simulated_camera: Camera, k1: float) -> None:
    camera = simulated_camera(k1=k1)
    clicks = FLOOR_M[[0, 2, 9, 11, 4, 7, 3, 8]]

    ground = fit_ground(camera.picture(clicks), clicks, SIZE)

    assert ground.k1 == pytest.approx(k1, abs=1e-4)
    assert np.abs(ground.to_plan(camera.picture(FLOOR_M)) - FLOOR_M).max() < 0.002
    assert max(ground.residual_cm) < 0.1


def test_four_points_fit_exactly_and_the_picture_maps_back() -> None:
    ground = fit_ground(SQUARE_PX, SQUARE_M, SIZE)

    assert ground.to_plan(SQUARE_PX) == pytest.approx(np.array(SQUARE_M), abs=1e-9)
    assert ground.to_picture(SQUARE_M) == pytest.approx(np.array(SQUARE_PX), abs=1e-6)
    assert (ground.k1, ground.k1_given) == (0.0, False)


def test_the_residual_is_the_distance_on_the_floor_in_centimetres() -> None:
    moved = [(3, 3), (7, 3), (7, 7), (3, 7), (5, 5.30)]
    straight = fit_ground(SQUARE_PX, SQUARE_M, SIZE)
    middle = straight.to_picture([(5, 5)])[0]

    ground = fit_ground([*SQUARE_PX, middle], moved, SIZE)

    by_hand = np.hypot(*(ground.to_plan([*SQUARE_PX, middle]) - np.array(moved)).T) * 100
    assert ground.residual_cm == pytest.approx(by_hand)
    assert 10 < max(ground.residual_cm) < 30


def test_what_is_above_the_horizon_is_not_floor() -> None:
    ground = fit_ground(SQUARE_PX, SQUARE_M, SIZE)

    above, below = ground.to_plan([(640, -400), (640, 700)])

    assert np.isnan(above).all()
    assert np.isfinite(below).all()
    assert np.isnan(ground.to_picture([(5, 500)])).all()  # far behind the camera


@given(
    k1=st.floats(-0.5, 0.5),
    x=st.floats(0, 1280),
    y=st.floats(0, 720),
)
def test_distort_is_the_exact_inverse_of_undistort_all_over_the_picture(k1: float, x: float, y: float) -> None:
    assert distort(undistort([(x, y)], k1, SIZE), k1, SIZE) == pytest.approx(np.array([(x, y)]), abs=1e-7)


def test_undistort_follows_the_division_model() -> None:
    corner = undistort([(1280, 720)], -0.2, SIZE)  # r = 1 there: 1 / (1 − 0.2) = 1.25 times as far from the middle

    assert corner == pytest.approx(np.array([(640 * 2.25, 360 * 2.25)]))


def test_k1_is_fitted_only_when_eight_points_ask_for_it(simulated_camera: Camera) -> None:
    bent = simulated_camera(k1=-0.2)
    clicks = FLOOR_M[[0, 2, 9, 11, 4, 7, 3, 8]]

    assert fit_ground(bent.picture(clicks[:7]), clicks[:7], SIZE).k1 == 0.0
    assert fit_ground(bent.picture(clicks), clicks, SIZE, k1=-0.1).k1 == -0.1

    jitter = np.random.default_rng(5).normal(0, 3, (8, 2))
    assert fit_ground(simulated_camera().picture(clicks) + jitter, clicks, SIZE).k1 == 0.0


def test_the_metre_grid_lies_in_the_picture_and_on_whole_metres(simulated_camera: Camera) -> None:
    ground = fit_ground(simulated_camera().picture(FLOOR_M), FLOOR_M, SIZE)

    lines = metre_grid(ground, 10, 12)

    assert len(lines) > 10
    for line in lines:
        assert ((line >= 0) & (line <= SIZE)).all()
        on_plan = ground.to_plan(line)
        assert np.isclose(on_plan, np.round(on_plan[0]), atol=1e-6).all(axis=0).any()  # one coordinate stays whole


@pytest.mark.parametrize(
    ("px", "metres", "said"),
    [
        (SQUARE_PX[:3], SQUARE_M[:3], "at least 4 points on the floor, got 3"),
        (SQUARE_PX, [(x, -y) for x, y in SQUARE_M], "mirrored: the plan's y must point down"),
        (SQUARE_PX, [(-x, y) for x, y in SQUARE_M], "mirrored"),
        (SQUARE_PX, [SQUARE_M[0], SQUARE_M[2], SQUARE_M[1], SQUARE_M[3]], "two of them seem to be swapped"),
        ([(100, 100), (200, 200), (300, 300), (400, 400)], SQUARE_M, "on one line in the picture"),
        (SQUARE_PX, [(1, 1), (2, 2), (3, 3), (6, 6)], "on one line on the plan"),
        (
            [(100, 100), (300, 100), (500, 100), (300, 500)],
            [(1, 1), (3, 1), (5, 1), (3, 5)],
            "all but one lie on one line",
        ),
        (SQUARE_PX, [(x / 2, y / 2) for x, y in SQUARE_M], "a square of 2.0 m only, expected at least 2.4 m"),
        ([*SQUARE_PX[:3], (1281, 660)], SQUARE_M, "point 4: (1281, 660) is outside the picture of 1280×720"),
        ([*SQUARE_PX[:3], (220, -1)], SQUARE_M, "point 4: (220, -1) is outside the picture"),
        ([*SQUARE_PX[:3], (float("nan"), 1)], SQUARE_M, "point 4: expected finite numbers"),
        ([*SQUARE_PX[:3], SQUARE_PX[0]], SQUARE_M, "point 4 is the same as point 1 in the picture"),
        (SQUARE_PX, [*SQUARE_M[:3], SQUARE_M[1]], "point 4 is the same as point 2 on the plan"),
        (SQUARE_PX, SQUARE_M[:3], "as many picture points as plan points"),
    ],
)
def test_points_that_cannot_tell_the_floor_are_refused_with_the_reason(px: Any, metres: Any, said: str) -> None:
    with pytest.raises(GroundError) as refused:
        fit_ground(px, metres, SIZE)

    assert said in str(refused.value)


def test_a_square_of_just_2_4_m_is_taken() -> None:
    assert fit_ground(SQUARE_PX, [(x * 0.6, y * 0.6) for x, y in SQUARE_M], SIZE).residual_median_cm < 1e-3


def test_k1_beyond_its_limits_is_refused() -> None:
    with pytest.raises(InputError, match=r"k1: expected a number from -0.5 to 0.5, got 0.9"):
        fit_ground(SQUARE_PX, SQUARE_M, SIZE, k1=0.9)


@given(st.permutations(range(4)))
def test_the_order_in_which_points_were_clicked_does_not_matter(order: list[int]) -> None:
    ground = fit_ground([SQUARE_PX[i] for i in order], [SQUARE_M[i] for i in order], SIZE)

    assert ground.to_plan([(640, 500)]) == pytest.approx(fit_ground(SQUARE_PX, SQUARE_M, SIZE).to_plan([(640, 500)]))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    tilt=st.floats(10, 70),
    pan=st.floats(-40, 40),
    height=st.floats(2.2, 8),
    focal=st.floats(500, 1500),
    k1=st.floats(-0.2, 0.2),
)
def test_any_camera_over_a_floor_is_fitted_or_refused_but_never_wrong(
    simulated_camera: Camera, tilt: float, pan: float, height: float, focal: float, k1: float
) -> None:
    camera = simulated_camera(height_m=height, tilt_deg=tilt, pan_deg=pan, focal_px=focal, k1=k1)
    pixels = camera.picture(FLOOR_M)
    seen = np.isfinite(pixels).all(axis=1) & (pixels >= 0).all(axis=1) & (pixels <= SIZE).all(axis=1)
    try:
        ground = fit_ground(pixels[seen], FLOOR_M[seen], SIZE, k1=k1)
    except GroundError:
        return
    assert np.abs(ground.to_plan(pixels[seen]) - FLOOR_M[seen]).max() < 1e-3
