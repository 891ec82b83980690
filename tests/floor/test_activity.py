"""What moved: what is too little, what is noise, what is light."""

from __future__ import annotations

import numpy as np
import pytest

from vitrina.floor.activity import ActivityMap, small_grey

ROWS, COLUMNS = 20, 26
NOBODY = np.zeros((ROWS, COLUMNS), np.bool_)
EVERYWHERE = np.ones((ROWS, COLUMNS), np.bool_)


def scene(*, spot: float = 0.0, light: float = 1.0, noise: float = 0.0, seed: int = 0) -> np.ndarray:
    """(80, 104) grey levels with some structure; a spot of 4 × 3 cells that is brighter by `spot`."""
    grey = np.full((ROWS * 4, COLUMNS * 4), 80, np.float32)
    grey[:, ::12] += 60
    grey[20:36, 40:52] += spot
    return grey * np.float32(light) + np.random.default_rng(seed).normal(0, noise, grey.shape).astype(np.float32)


def test_nothing_moved_in_the_same_picture() -> None:
    activity = ActivityMap(scene()).compare(scene(), NOBODY)

    assert not activity.busy.any()
    assert not activity.switched


def test_a_spot_that_changed_is_busy_and_nothing_else_is() -> None:
    busy = ActivityMap(scene()).compare(scene(spot=15), NOBODY).busy

    expected = NOBODY.copy()
    expected[5:9, 10:13] = True
    np.testing.assert_array_equal(busy, expected)


def test_a_speck_is_not_busy() -> None:
    grey = scene()
    grey[20:24, 40:44] += 50

    assert not ActivityMap(scene()).compare(grey, NOBODY).busy.any()


@pytest.mark.parametrize("light", [0.85, 1.15])
def test_automatic_exposure_is_no_movement(light: float) -> None:
    assert not ActivityMap(scene()).compare(scene(light=light), NOBODY).busy.any()


@pytest.mark.parametrize("light", [0.4, 1.7])
def test_a_switched_lamp_makes_everything_new(light: float) -> None:
    assert ActivityMap(scene()).compare(scene(light=light), NOBODY).switched


def test_slow_movement_adds_up_until_it_is_looked_at() -> None:
    activity_map = ActivityMap(scene())
    first_busy = None
    for step in range(1, 12):
        activity = activity_map.compare(scene(spot=step), EVERYWHERE)
        activity_map.learn(scene(spot=step), activity, looked=NOBODY, people=EVERYWHERE, dt=0.1)
        if activity.busy.any():
            first_busy = step
            break

    assert first_busy is not None
    assert 3 <= first_busy <= 7


def test_what_was_looked_at_is_no_longer_busy() -> None:
    activity_map = ActivityMap(scene())
    activity = activity_map.compare(scene(spot=30), NOBODY)
    activity_map.learn(scene(spot=30), activity, looked=activity.busy, people=activity.busy, dt=0.1)

    assert not activity_map.compare(scene(spot=30), activity.busy).busy.any()


def test_what_goes_back_to_the_background_where_nobody_was_needs_no_look() -> None:
    activity_map = ActivityMap(scene())
    activity = activity_map.compare(scene(spot=30), NOBODY)
    activity_map.learn(scene(spot=30), activity, looked=activity.busy, people=NOBODY, dt=0.1)

    assert not activity_map.compare(scene(), NOBODY).busy.any()
    assert activity_map.compare(scene(), activity.busy).busy.any()  # where somebody was, it does


def flicker(activity_map: ActivityMap, steps: int, *, people: bool) -> int:
    """How often a spot with a life of its own is busy; everything busy is looked at."""
    times, found = 0, NOBODY
    for step in range(steps):
        grey = scene(spot=(0, 14, 28)[step % 3])
        activity = activity_map.compare(grey, found)
        found = activity.busy if people else NOBODY
        activity_map.learn(grey, activity, looked=activity.busy, people=found, dt=0.2)
        times += bool(activity.busy.any())
    return times


def test_cells_in_which_nobody_is_found_grow_harder_to_disturb_and_the_others_do_not() -> None:
    assert flicker(ActivityMap(scene()), 60, people=False) < 15
    assert flicker(ActivityMap(scene()), 60, people=True) >= 30


def test_a_strong_change_is_never_taken_for_noise() -> None:
    activity_map = ActivityMap(scene())
    flicker(activity_map, 100, people=False)

    assert activity_map.compare(scene(spot=60), NOBODY).busy.any()


def test_a_noisy_sensor_soon_costs_nothing() -> None:
    activity_map = ActivityMap(scene(noise=3))
    busy = []
    for step in range(1, 80):
        grey = scene(noise=3, seed=step)
        activity = activity_map.compare(grey, NOBODY)
        activity_map.learn(grey, activity, looked=activity.busy, people=NOBODY, dt=0.2)
        busy.append(bool(activity.busy.any()))

    assert sum(busy) <= 4
    assert not any(busy[20:])


def test_the_small_picture_is_half_the_detectors_input() -> None:
    assert small_grey(np.full((320, 416, 3), 100, np.uint8)).shape == (160, 208)
    assert small_grey(np.full((64, 64, 3), 100, np.uint8)).tolist() == np.full((32, 32), 100.0).tolist()
