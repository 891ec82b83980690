from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from vitrina.floor.geometry.ground import Ground, fit_ground
from vitrina.floor.geometry.reach import floor_error_m, reach_m

SIZE = (1280, 720)
AT_7_TO_10_M = np.array([(x, y) for x in (4.0, 5.0, 6.0) for y in (2.0, 3.0, 4.0, 5.0)])
"""The simulated camera hangs at (5, 12)."""


def square(side_m: float, *, more: bool = False) -> Any:
    """Corners of a square around (5, 6.5), and the middles of its sides."""
    corners = [(-1, -1), (1, -1), (1, 1), (-1, 1), *([(0, -1), (1, 0), (0, 1), (-1, 0)] if more else [])]
    return np.array(corners) * side_m / 2 + np.array([5.0, 6.5])


def clicked(camera: Any, places_m: Any, seed: int, *, off_px: float = 3.0) -> Ground:
    jitter = np.random.default_rng(seed).normal(0, off_px, places_m.shape)
    return fit_ground(camera.picture(places_m) + jitter, places_m, SIZE, k1=0.0)


@pytest.mark.parametrize(("side_m", "more"), [(2.4, False), (4.0, False), (4.0, True)])
def test_the_expected_error_is_the_real_one_within_a_factor_of_two(
    simulated_camera: Any, side_m: float, more: bool
) -> None:
    camera = simulated_camera(pan_deg=0.0)
    pixels = camera.picture(AT_7_TO_10_M)
    real, expected = [], []
    for seed in range(60):
        ground = clicked(camera, square(side_m, more=more), seed)
        real.append(np.linalg.norm(ground.to_plan(pixels) - AT_7_TO_10_M, axis=1))
        expected.append(floor_error_m(ground, pixels))

    assert 0.5 < np.sqrt(np.mean(np.square(real))) / np.median(expected) < 2


def test_a_square_of_4_m_is_good_to_10_cm_at_7_m_where_2_4_m_is_not(simulated_camera: Any) -> None:
    camera = simulated_camera(pan_deg=0.0, focal_px=900.0)
    at_7_m = np.array([(4.0, 5.0), (5.0, 5.0), (6.0, 5.0)])

    def median_m(side_m: float) -> float:
        grounds = [clicked(camera, square(side_m), seed) for seed in range(40)]
        return float(np.median([np.linalg.norm(g.to_plan(camera.picture(at_7_m)) - at_7_m, axis=1) for g in grounds]))

    assert median_m(4.0) <= 0.10
    assert median_m(2.4) > median_m(4.0)


def test_the_reach_is_where_the_error_passes_25_cm(simulated_camera: Any) -> None:
    camera = simulated_camera(pan_deg=0.0)
    ground = fit_ground(camera.picture(square(4.0)), square(4.0), SIZE)

    reach = reach_m(ground)

    at_reach = camera.picture(np.array([(5.0, 12.0 - reach), (5.0, 12.0 - reach * 1.1)]))
    error, beyond = floor_error_m(ground, at_reach)
    assert error <= 0.27
    assert beyond > 0.25
    assert reach_m(ground, click_px=1.0) > reach > reach_m(ground, click_px=6.0)


def test_clicks_that_contradict_one_another_raise_the_expected_error(simulated_camera: Any) -> None:
    camera = simulated_camera(pan_deg=0.0)
    careful, careless = (clicked(camera, square(4.0, more=True), 1, off_px=off_px) for off_px in (1.0, 12.0))
    pixels = camera.picture(AT_7_TO_10_M)

    assert np.median(floor_error_m(careless, pixels)) > 2 * np.median(floor_error_m(careful, pixels))
