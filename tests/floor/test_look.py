"""Looking only where something moved: what is found, and what is not spent."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from vitrina.floor.frame import Frame
from vitrina.floor.look import Look, Looker
from vitrina.models.picture import Placement, fit_picture
from vitrina.models.preparation import Preparation

SIZE_WH = (416, 320)
INPUT_HW = (320, 416)
PERSON_WH = (24, 64)
PLAIN = Preparation("rgb", (0.0, 0.0, 0.0), (1.0, 1.0, 1.0), "top-left", 0)


class BlobFinder:
    """Finds the green blobs of a picture, and counts how often and at how much it looked."""

    takes_parts = True

    def __init__(self) -> None:
        self.looks = 0
        self.pixels = 0

    def input_hw(self, size_wh: tuple[int, int]) -> tuple[int, int]:
        return INPUT_HW

    def fit(self, frame_rgb: np.ndarray, input_hw: tuple[int, int]) -> tuple[np.ndarray, Placement]:
        return fit_picture(frame_rgb, input_hw, PLAIN)

    def find(self, canvas_rgb: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        height, width = canvas_rgb.shape[:2]
        assert height % 32 == width % 32 == 0
        self.looks += 1
        self.pixels += height * width
        green = (canvas_rgb[..., 1] > canvas_rgb[..., 0].astype(int) + 60).astype(np.uint8)
        _, _, stats, _ = cv2.connectedComponentsWithStats(green)
        left, top, wide, high = stats[1:, :4].T
        boxes = np.column_stack([left, top, left + wide, top + high]).astype(np.float32)
        return boxes, np.full(len(boxes), 0.9, np.float32)


def picture(*people: tuple[int, int], light: float = 1.0, seed: int = 0, noise: float = 0.0) -> np.ndarray:
    """A shop with shelves, and green people whose top left corners are given."""
    rgb = np.full((SIZE_WH[1], SIZE_WH[0], 3), 90, np.float64)
    rgb[:, ::48] += 50
    rgb[200:] -= 30
    rgb *= light
    rgb += np.random.default_rng(seed).normal(0, noise, rgb.shape) if noise else 0.0
    for x, y in people:
        rgb[max(0, y) : y + PERSON_WH[1], max(0, x) : max(0, x + PERSON_WH[0])] = (40, 200, 40)
    return np.clip(rgb, 0, 255).astype(np.uint8)


def frame(rgb: np.ndarray, index: int, *, camera_id: str = "door", fps: float = 5.0) -> Frame:
    return Frame(index / fps, rgb, camera_id, index)


def one(looker: Looker, rgb: np.ndarray, index: int) -> Look:
    (look,) = looker.look([frame(rgb, index)])
    return look


def test_a_still_picture_costs_no_inference_after_the_first_look() -> None:
    finder = BlobFinder()
    looker = Looker(finder)

    shares = [one(looker, picture((100, 100)), index).share for index in range(90)]

    assert finder.looks == 1
    assert shares == [1.0] + [0.0] * 89


def test_a_person_who_stands_still_for_ten_minutes_is_there_all_the_time() -> None:
    finder = BlobFinder()
    looker = Looker(finder)

    pictures = [picture((100, 100), seed=seed, noise=2.0) for seed in range(8)]

    looks = [looker.look([frame(pictures[index % 8], index, fps=1.0)])[0] for index in range(600)]

    assert all(np.allclose(look.boxes_xyxy, [[100, 100, 124, 164]], atol=2) for look in looks)
    assert finder.looks <= 600 / 20 + 1


def test_the_light_is_switched_and_the_whole_picture_is_looked_at() -> None:
    looker = Looker(BlobFinder())
    for index in range(20):
        one(looker, picture((100, 100)), index)

    assert one(looker, picture((100, 100), light=0.4), 20).share == 1.0
    assert one(looker, picture((100, 100), light=0.4), 21).share == 0.0


def test_light_that_changes_slowly_costs_nothing() -> None:
    finder = BlobFinder()
    looker = Looker(finder)

    for index in range(90):
        one(looker, picture(light=1.0 - 0.001 * index), index)

    assert finder.looks == 1


def test_a_picture_of_another_size_is_a_new_view() -> None:
    looker = Looker(BlobFinder())
    one(looker, picture((100, 100)), 0)

    doubled = np.repeat(np.repeat(picture((100, 100)), 2, axis=0), 2, axis=1)
    look = one(looker, doubled, 1)

    assert look.share == 1.0
    np.testing.assert_allclose(look.boxes_xyxy, [[200, 200, 248, 328]], atol=3)


def test_no_frames_no_looks() -> None:
    assert Looker(BlobFinder()).look([]) == []


@pytest.mark.parametrize("t", [-1.0, -1e6])
def test_a_clock_that_was_set_back_is_a_new_beginning(t: float) -> None:
    looker = Looker(BlobFinder())
    one(looker, picture((100, 100)), 0)

    (look,) = looker.look([Frame(t, picture((100, 100)), "door", 1)])

    assert look.share == 1.0
    assert len(look.boxes_xyxy) == 1
