"""The demo street's calibration against the recording's own ground truth, where the shared data are there."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from vitrina.floor.geometry.ground import Ground, anchors
from vitrina.floor.geometry.pose import check_heights, heights_m
from vitrina.floor.setup.shopfile import parse

TRUTH = Path(__file__).parents[4] / "shared" / "data" / "floor" / "PETS09-S2L1" / "gt" / "gt.txt"
FPS = 7.0

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not TRUTH.is_file(), reason=f"the shared recording's ground truth is not at {TRUTH}"),
]


@pytest.fixture(scope="module")
def people() -> NDArray[np.float64]:
    """Rows: frame, id, left, top, width, height, flag, x and y in metres of the recording's own plan (y up)."""
    rows = np.loadtxt(TRUTH, delimiter=",")
    return rows[rows[:, 6] == 1]


@pytest.fixture(scope="module")
def ground() -> Ground:
    street = parse(resources.files("vitrina.floor").joinpath("demo", "street.toml").read_bytes()).shop
    ground = street.layout.cameras[0].ground
    assert ground is not None
    return ground


def boxes_xyxy(people: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.column_stack([people[:, 2:4], people[:, 2:4] + people[:, 4:6]])


def test_people_stand_where_the_ground_truth_has_them(people: NDArray[np.float64], ground: Ground) -> None:
    turn = np.radians(32.65)  # the camera looks that way on the recording's plan, from (-28.940, -19.529)
    away = people[:, 7:9] - (-28.940, -19.529)
    right, ahead = away @ (np.sin(turn), -np.cos(turn)), away @ (np.cos(turn), np.sin(turn))
    places = np.column_stack([12 + right, 38 - ahead])

    off_m = np.linalg.norm(ground.to_plan(anchors(boxes_xyxy(people))) - places, axis=1)

    assert np.median(off_m) < 0.15
    assert np.percentile(off_m, 95) < 0.30


def test_people_are_as_tall_as_people(people: NDArray[np.float64], ground: Ground) -> None:
    heights = heights_m(ground, boxes_xyxy(people))
    one_each = [np.median(heights[people[:, 1] == track]) for track in np.unique(people[:, 1])]

    assert check_heights(one_each).warning is None


def test_people_walk_as_fast_as_people(people: NDArray[np.float64], ground: Ground) -> None:
    places = ground.to_plan(anchors(boxes_xyxy(people)))
    speeds = []
    for track in np.unique(people[:, 1]):
        own = people[:, 1] == track
        path, frames = places[own], people[own, 0]
        apart_s = (frames[7:] - frames[:-7]) / FPS
        speeds += (np.linalg.norm(path[7:] - path[:-7], axis=1) / apart_s)[apart_s == 1.0].tolist()

    walking = [speed for speed in speeds if speed > 0.5]
    assert 0.9 < np.median(walking) < 1.5
    assert np.percentile(speeds, 99) < 2.5
