from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from vitrina.floor.geometry.ground import Ground, fit_ground
from vitrina.floor.geometry.pose import check_heights, heights_m, pose

FLOOR_M = np.array([(3.0, 3.0), (7.0, 3.0), (7.0, 8.0), (3.0, 8.0), (5.0, 5.0)])
SIZE = (1280, 720)


def fitted(camera: Any) -> Ground:
    return fit_ground(camera.picture(FLOOR_M), FLOOR_M, SIZE, k1=camera.k1)


def box_of_a_person(camera: Any, x_m: float, y_m: float, height_m: float) -> list[float]:
    """From head to feet, 60 px wide."""
    (foot_x, foot_y), (_, head_y) = camera.picture(np.array([(x_m, y_m, 0.0), (x_m, y_m, height_m)]))
    return [foot_x - 30, head_y, foot_x + 30, foot_y]


@pytest.mark.parametrize("k1", [0.0, -0.15])
def test_the_cameras_place_is_recovered_from_its_floor(simulated_camera: Any, k1: float) -> None:
    found = pose(fitted(simulated_camera(height_m=2.8, x_m=4.0, y_m=12.5, pan_deg=-7.0, k1=k1)))

    assert found is not None
    assert found.centre_m == pytest.approx((4.0, 12.5, 2.8), abs=0.01)
    assert found.focal_px == pytest.approx(600, rel=0.01)


def test_a_camera_that_looks_straight_down_cannot_tell_its_height() -> None:
    straight_down = fit_ground(
        [(200, 100), (1000, 100), (1000, 700), (200, 700)], [(0, 0), (8, 0), (8, 6), (0, 6)], SIZE
    )

    assert pose(straight_down) is None
    assert np.isnan(heights_m(straight_down, np.array([[10, 10, 30, 90]], np.float32))).all()


def test_people_are_as_tall_as_they_are(simulated_camera: Any) -> None:
    camera = simulated_camera(pan_deg=0.0)
    tall = [1.55, 1.70, 1.90]
    boxes = np.array(
        [box_of_a_person(camera, x, y, h) for (x, y), h in zip([(4, 4), (5, 6), (6, 7)], tall, strict=True)]
    )

    assert heights_m(fitted(camera), boxes) == pytest.approx(tall, abs=0.01)


def test_heights_of_real_people_pass_and_a_wrong_scale_is_named() -> None:
    people = np.random.default_rng(3).normal(1.70, 0.09, 12)

    assert check_heights(people).warning is None
    too_large = check_heights([*(people * 1.35), np.nan])
    assert too_large.n == 12
    assert too_large.warning is not None
    assert "too large. Check the metres of the calibration points" in too_large.warning
    assert "too small" in str(check_heights(people * 0.7).warning)
    assert "nobody's height could be measured" in str(check_heights([np.nan]).warning)
