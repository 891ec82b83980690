"""The heat as a picture: colours where people were, nothing elsewhere, the floor's perspective in a picture."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from vitrina.floor.geometry.ground import fit_ground
from vitrina.floor.measures.figures import Heat
from vitrina.web.heat import colours, levels, on_picture, on_plan
from vitrina.web.png import encode_rgba


def heat(seconds: list[list[float]], *, x0: int = 0, y0: int = 0, cell_cm: int = 25) -> Heat:
    return Heat(cell_cm=cell_cm, x0=x0, y0=y0, nx=len(seconds[0]), ny=len(seconds), seconds=seconds)


def test_where_nobody_was_nothing_is_drawn() -> None:
    assert not on_plan(heat([[0.0, 0.0], [0.0, 0.0]]))[..., 3].any()


def test_four_times_the_time_is_twice_the_level() -> None:
    assert levels(heat([[25.0, 100.0]]))[0].tolist() == pytest.approx([0.5, 1.0], abs=0.01)


def test_one_cell_in_which_somebody_sat_all_day_does_not_hide_the_rest() -> None:
    seconds = [[10.0] * 100 for _ in range(10)]
    seconds[5][5] = 36_000.0

    assert np.median(levels(heat(seconds))) > 0.9


def test_the_hottest_colour_is_where_people_were_longest() -> None:
    picture = on_plan(heat([[0, 0, 0], [0, 9, 0], [0, 0, 1]]))

    y, x = np.unravel_index(picture[..., 3].argmax(), picture.shape[:2])
    assert (y // 4, x // 4) == (1, 1)


def test_on_a_picture_the_heat_lies_where_the_floor_is() -> None:
    """Seen straight from above, 100 pixels a metre: the cell at (2 m, 1 m) is drawn around pixel (212, 112)."""
    ground = fit_ground([(0, 0), (400, 0), (400, 300), (0, 300)], [(0, 0), (4, 0), (4, 3), (0, 3)], (400, 300), k1=0.0)

    picture = on_picture(heat([[5.0]], x0=200, y0=100), ground.to_plan, (400, 300))

    ys, xs = np.nonzero(picture[..., 3] > 60)
    assert picture.shape == (300, 400, 4)
    assert (xs.mean(), ys.mean()) == pytest.approx((212, 112), abs=1)


def test_above_the_horizon_nothing_is_drawn() -> None:
    def nowhere(pixels: np.ndarray) -> np.ndarray:
        return np.full_like(pixels, np.nan)

    assert not on_picture(heat([[5.0]]), nowhere, (64, 48))[..., 3].any()


def test_the_png_is_what_was_drawn_as_another_library_reads_it() -> None:
    pixels = np.random.default_rng(3).integers(0, 256, (17, 31, 4), dtype=np.uint8)

    read_bgra = cv2.imdecode(np.frombuffer(encode_rgba(pixels), np.uint8), cv2.IMREAD_UNCHANGED)

    assert np.array_equal(read_bgra[..., [2, 1, 0, 3]], pixels)


def test_colours_become_stronger_with_the_level() -> None:
    alpha = colours(np.linspace(0, 1, 11)[None, :])[0, :, 3].astype(int)

    assert alpha[0] == 0
    assert (np.diff(alpha) > 0).all()
