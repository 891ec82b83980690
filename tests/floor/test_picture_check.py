"""Pictures spoiled in every way that happens to cameras, and real recordings in which nothing was wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from vitrina.floor.camera import FileCamera
from vitrina.floor.picture_check import PictureCheck, small_grey

SHARED = Path(__file__).parents[3] / "shared" / "data" / "floor"
RECORDINGS = ("pets09-s2l1.avi", "caviar-corridor.mpg")
EVERY_S = 5.0

Grey = np.ndarray


def room(seed: int = 1) -> Grey:
    """A rendered shop: shelves, boxes, tiles, and a little noise of the sensor."""
    rng = np.random.default_rng(seed)
    picture = np.full((240, 320), 140.0)
    for _ in range(70):
        x, y, w, h = rng.integers(0, 300), rng.integers(0, 220), rng.integers(8, 60), rng.integers(6, 40)
        picture[y : y + h, x : x + w] = rng.integers(30, 230)
    return cv2.GaussianBlur(picture, (0, 0), 0.7)


def with_people(picture: Grey, number: int) -> Grey:
    """Some people, elsewhere in each picture."""
    rng = np.random.default_rng(number)
    crowded = picture.copy()
    for _ in range(5):
        x, y = rng.integers(0, 290), rng.integers(0, 160)
        crowded[y : y + 80, x : x + 30] = cv2.GaussianBlur(
            rng.uniform(20, 200, (80, 30))[: 240 - y, : 320 - x], (0, 0), 3
        )
    return crowded


def noisy(picture: Grey, number: int) -> Grey:
    noise = np.random.default_rng(number).normal(0, 2, picture.shape)
    return np.clip(picture + noise, 0, 255).astype(np.uint8)


def shifted(picture: Grey, dx: float, dy: float = 0.0, turn_deg: float = 0.0, zoom: float = 1.0) -> Grey:
    matrix = cv2.getRotationMatrix2D((160, 120), turn_deg, zoom)
    matrix[:, 2] += (dx, dy)
    return cv2.warpAffine(picture, matrix, (320, 240), borderMode=cv2.BORDER_REFLECT)


SPOILED: dict[str, tuple[str, Callable[[Grey], Grey]]] = {
    "lights out": ("dark", lambda p: p * 0.08),
    "a bag over it": ("covered", lambda p: np.full_like(p, 90.0)),
    "sprayed": ("covered", lambda p: cv2.GaussianBlur(p, (0, 0), 60)),
    "out of focus": ("blurred", lambda p: cv2.GaussianBlur(p, (0, 0), 3.5)),
    "knocked": ("moved", lambda p: shifted(p, 6.0, 3.0)),
    "turned": ("moved", lambda p: shifted(p, 0.0, turn_deg=6.0)),
    "another view": ("moved", lambda p: p[:, ::-1]),
    "zoomed": ("moved", lambda p: shifted(p, 0.0, zoom=1.3)),
}
FINE: dict[str, Callable[[Grey], Grey]] = {
    "as ever": lambda p: p,
    "brighter": lambda p: p * 1.5,
    "dim": lambda p: p * 0.35,
    "sun from one side": lambda p: p * np.linspace(0.5, 1.4, 320),
}


def watch(check: PictureCheck, pictures: Iterator[Grey], begin: float = 0.0) -> list[tuple[float, tuple[str, ...]]]:
    return [
        (begin + number * EVERY_S, check.look(noisy(picture, number), begin + number * EVERY_S))
        for number, picture in enumerate(pictures)
    ]


def busy(picture: Grey, count: int, spoil: Callable[[Grey], Grey] = lambda p: p) -> Iterator[Grey]:
    return (spoil(with_people(picture, number)) for number in range(count))


@pytest.mark.parametrize("name", FINE)
def test_people_and_light_raise_no_alarm(name: str) -> None:
    check = PictureCheck(reference=noisy(room(2), 0))

    assert {problems for _, problems in watch(check, busy(room(2), 20, FINE[name]))} == {()}


@pytest.mark.parametrize("name", SPOILED)
def test_each_problem_is_found_within_a_minute_and_goes_when_it_is_mended(name: str) -> None:
    problem, spoil = SPOILED[name]
    check = PictureCheck(reference=noisy(room(1), 0))
    watch(check, busy(room(1), 4))

    spoiled = watch(check, busy(room(1), 15, spoil), 100.0)
    mended = watch(check, busy(room(1), 6), 300.0)

    found = next(t for t, problems in spoiled if problems)
    assert found <= 165.0
    assert spoiled[-1][1] == (problem,)
    assert mended[-1][1] == ()


def test_what_lasts_a_moment_is_no_problem() -> None:
    check = PictureCheck(reference=noisy(room(), 0))

    hand = [np.full((240, 320), 90.0)] * 3
    seen = watch(check, iter([room(), *hand, room(), *hand, room()]))

    assert {problems for _, problems in seen} == {()}


def test_a_picture_that_never_changes_at_all_is_frozen() -> None:
    check, still = PictureCheck(), noisy(room(), 1)

    seen = [check.look(still, number * EVERY_S) for number in range(15)]
    after = watch(check, busy(room(), 4), 80.0)

    assert seen[10] == ()
    assert seen[-1] == ("frozen",)
    assert after[-1][1] == ()


def test_without_a_reference_the_first_good_pictures_become_it() -> None:
    check = PictureCheck()
    watch(check, busy(room(), 12))

    assert check.reference is not None
    assert watch(check, busy(room(), 20, lambda p: shifted(p, 9.0)), 100.0)[-1][1] == ("moved",)


def test_a_camera_that_was_soft_from_the_first_day_is_not_blurred() -> None:
    soft = cv2.GaussianBlur(room(), (0, 0), 3.5)
    check = PictureCheck(reference=soft.astype(np.uint8))

    assert watch(check, busy(soft, 20, lambda p: cv2.GaussianBlur(p, (0, 0), 1)))[-1][1] == ()


def greys(name: str) -> list[Grey]:
    """A picture for every second of a recording; the file's own time is stretched to the rhythm of the check."""
    path = SHARED / name
    if not path.exists():
        pytest.skip(f"{path.name} is not here")
    return [small_grey(frame.rgb) for frame in FileCamera(path, camera_id="a", fps_wanted=1.0).frames()]


@pytest.mark.slow
@pytest.mark.parametrize("name", RECORDINGS)
@pytest.mark.parametrize("known", [True, False], ids=["reference", "learned"])
def test_a_real_recording_raises_no_alarm(name: str, known: bool) -> None:
    pictures = greys(name)
    check = PictureCheck(reference=np.median(np.stack(pictures), axis=0).astype(np.uint8) if known else None)

    assert {problems for _, problems in watch(check, iter(pictures * 3))} == {()}


@pytest.mark.slow
@pytest.mark.parametrize("spoiled", SPOILED)
@pytest.mark.parametrize("name", RECORDINGS)
def test_each_problem_is_found_in_a_real_recording(name: str, spoiled: str) -> None:
    pictures = (greys(name) * 3)[:40]
    problem, spoil = SPOILED[spoiled]
    check = PictureCheck(reference=np.median(np.stack(pictures), axis=0).astype(np.uint8))

    seen = watch(check, (spoil(picture.astype(float)) for picture in pictures))

    assert seen[-1][1] == (problem,)
