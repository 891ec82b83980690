"""Looking only where something moved: what is found, and what is not spent."""

from __future__ import annotations

import tracemalloc
from functools import cache
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vitrina.floor.frame import Frame
from vitrina.floor.look import Look, Looker
from vitrina.floor.people import PersonDetector
from vitrina.floor.tracking.box import overlaps
from vitrina.models.manifest import shipped_models
from vitrina.models.picture import Placement, fit_picture
from vitrina.models.preparation import Preparation

SHARED = Path(__file__).parents[3] / "shared" / "data" / "floor"
SIZE_WH = (416, 320)
INPUT_HW = (320, 416)
PERSON_WH = (24, 64)
PLAIN = Preparation("rgb", (0.0, 0.0, 0.0), (1.0, 1.0, 1.0), "top-left", 0)


class BlobFinder:
    """Finds the green blobs of a picture, and counts how often and at how much it looked."""

    is_fixed = False

    def __init__(self, *, takes_parts: bool = True) -> None:
        self.takes_parts = takes_parts
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
    rgb = shop(light, seed, noise).copy()
    for x, y in people:
        rgb[max(0, y) : y + PERSON_WH[1], max(0, x) : max(0, x + PERSON_WH[0])] = (40, 200, 40)
    return rgb


@cache
def shop(light: float, seed: int, noise: float) -> np.ndarray:
    rgb = np.full((SIZE_WH[1], SIZE_WH[0], 3), 90, np.float64)
    rgb[:, ::48] += 50
    rgb[200:] -= 30
    rgb = rgb * light + np.random.default_rng(seed).normal(0, noise, rgb.shape)
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


def settled(looker: Looker, *people: tuple[int, int]) -> int:
    """Look at a picture until everything about it is known; the index of the next frame."""
    for index in range(10):
        one(looker, picture(*people), index)
    return 10


def corners(look: Look) -> list[tuple[int, int]]:
    """Left top corners, rounded, of the boxes found."""
    return sorted((round(x), round(y)) for x, y in look.boxes_xyxy[:, :2].tolist())


@pytest.mark.parametrize("place", [(-16, 120), (408, 120), (200, -50), (200, 304)])
def test_who_enters_at_the_edge_is_found_at_once_and_not_by_looking_everywhere(place: tuple[int, int]) -> None:
    looker = Looker(BlobFinder())
    index = settled(looker, (100, 100))

    look = one(looker, picture((100, 100), place), index)

    assert len(look.boxes_xyxy) == 2
    assert 0 < look.share < 0.2


def test_who_walks_is_followed_while_who_stands_holds() -> None:
    looker = Looker(BlobFinder())
    index = settled(looker, (100, 100), (300, 200))
    shares = []

    for step in range(1, 20):
        look = one(looker, picture((100 + 6 * step, 100), (300, 200)), index + step)
        assert corners(look) == sorted([(100 + 6 * step, 100), (300, 200)])
        shares.append(look.share)

    assert shares.count(1.0) == 1  # the look at the whole picture that was due
    assert sorted(shares)[-2] < 0.2


def test_who_leaves_is_gone() -> None:
    looker = Looker(BlobFinder())
    index = settled(looker, (100, 100), (300, 200))

    assert corners(one(looker, picture((300, 200)), index)) == [(300, 200)]


def test_who_stood_while_the_background_was_learnt_leaves_no_ghost() -> None:
    looker = Looker(BlobFinder())
    for index in range(150):
        one(looker, picture((100, 100)), index)

    assert corners(one(looker, picture(), 150)) == []
    assert corners(one(looker, picture((100, 100)), 151)) == [(100, 100)]


def test_a_screen_that_flickers_is_looked_at_less_and_less() -> None:
    finder = BlobFinder()
    looker = Looker(finder)
    for index in range(200):
        rgb = picture()
        rgb[40:90, 40:120] += np.uint8(40 * (index % 2))
        one(looker, rgb, index)
        if index == 100:
            finder.looks = 0

    assert finder.looks <= 20 / 5 + 2

    rgb[30:94, 60:84] = (40, 200, 40)
    assert corners(one(looker, rgb, 200)) == [(60, 30)]


def test_a_detector_that_needs_whole_pictures_gets_them_only_when_something_moved() -> None:
    looker = Looker(BlobFinder(takes_parts=False))
    index = settled(looker, (100, 100))

    assert one(looker, picture((100, 100)), index).share == 0.0
    assert one(looker, picture((110, 100)), index + 1).share == 1.0


@pytest.mark.parametrize("takes_parts", [True, False])
def test_a_detector_in_two_minds_is_not_asked_for_ever(takes_parts: bool) -> None:
    class Unsure(BlobFinder):
        def find(self, canvas_rgb: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            boxes, scores = super().find(canvas_rgb)
            return (boxes, scores) if self.looks % 2 else (boxes[:0], scores[:0])

    finder = Unsure(takes_parts=takes_parts)
    looker = Looker(finder)

    for index in range(90):
        one(looker, picture((100, 100)), index)

    assert finder.looks <= 4


def test_when_everything_moves_the_whole_picture_is_looked_at_once() -> None:
    finder = BlobFinder()
    looker = Looker(finder)
    before = [(x, y) for x in range(10, 400, 48) for y in range(5, 300, 80)]
    index = settled(looker, *before)
    looks = finder.looks

    look = one(looker, picture(*((x + 8, y) for x, y in before)), index)

    assert (look.share, finder.looks - looks) == (1.0, 1)
    assert len(look.boxes_xyxy) == len(before)


def test_regions_of_several_cameras_share_one_inference() -> None:
    finder = BlobFinder()
    looker = Looker(finder)
    for index in range(10):
        looker.look([frame(picture((100, 100)), index, camera_id=name) for name in "abc"])
    looks = finder.looks

    moved = [picture((106, 100)), picture((100, 100)), picture((100, 100), (300, 20))]
    found = looker.look([frame(rgb, 10, camera_id=name) for rgb, name in zip(moved, "abc", strict=True)])

    assert finder.looks == looks + 1
    assert [corners(look) for look in found] == [[(106, 100)], [(100, 100)], [(100, 100), (300, 20)]]
    assert found[1].share == 0.0


PLACES = st.lists(st.tuples(st.integers(0, 390), st.integers(0, 250)), max_size=7)


@given(PLACES, PLACES)
@settings(max_examples=40, deadline=None)
def test_looking_at_parts_finds_what_looking_at_the_whole_finds(
    before: list[tuple[int, int]], after: list[tuple[int, int]]
) -> None:
    looker = Looker(BlobFinder())
    index = settled(looker, *before)

    look = one(looker, picture(*after), index)
    again = one(looker, picture(*after), index + 1)

    expected, _ = BlobFinder().find(picture(*after))
    for found in (look, again):
        np.testing.assert_allclose(
            sorted(map(tuple, found.boxes_xyxy.tolist())), sorted(map(tuple, expected.tolist())), atol=1
        )


def test_what_is_remembered_does_not_grow() -> None:
    looker = Looker(BlobFinder())
    rng = np.random.default_rng(1)
    scenes = [picture(*rng.integers(0, 250, (3, 2)).tolist()) for _ in range(20)]

    def run(steps: range) -> None:
        for index in steps:
            looker.look([frame(scenes[(index + k) % 20], index, camera_id=name) for k, name in enumerate("ab")])

    run(range(50))
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    run(range(50, 150))
    after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert after - before < 1e6


def recorded(name: str, *, first: int, step: int, count: int) -> list[np.ndarray]:
    av = pytest.importorskip("av")
    if not (SHARED / name).exists():
        pytest.skip(f"the shared recording {name} is not here")
    with av.open(str(SHARED / name)) as video:
        wanted = islice(video.decode(video=0), first, first + step * count, step)
        return [frame.to_ndarray(format="rgb24") for frame in wanted]


@pytest.mark.slow
def test_two_cameras_looked_at_together_see_what_each_sees_alone() -> None:
    pictures = {
        "corridor": recorded("caviar-corridor.mpg", first=0, step=3, count=25),
        "street": recorded("pets09-s2l1.avi", first=0, step=1, count=25),
    }
    detector = PersonDetector(shipped_models()[0])
    alone, together = {name: Looker(detector) for name in pictures}, Looker(detector)
    for looker in (*alone.values(), together):
        looker.set_input("corridor", (256, 352))
        looker.set_input("street", (320, 416))
    sure = missed = shared = 0
    for index in range(25):
        frames = [frame(some[index], index, camera_id=name) for name, some in pictures.items()]
        both = together.look(frames)
        shared += all(0 < look.share < 1 for look in both)
        for one_frame, look in zip(frames, both, strict=True):
            (expected,) = alone[one_frame.camera_id].look([one_frame])
            boxes = expected.boxes_xyxy[expected.scores >= 0.45].astype(float)
            same, _ = overlaps(boxes, look.boxes_xyxy.astype(float))
            sure, missed = sure + len(boxes), missed + int((same.max(axis=1, initial=0) < 0.75).sum())

    assert shared >= 15
    assert sure > 100
    assert missed / sure < 0.02
