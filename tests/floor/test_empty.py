from __future__ import annotations

import numpy as np
import pytest

from vitrina.floor.empty import EmptyPicture, to_jpeg

NOBODY = np.zeros((0, 4), np.float32)


def test_people_who_were_seen_are_not_on_the_picture_even_when_they_stand_for_long() -> None:
    shop = np.full((60, 80, 3), 90, np.uint8)
    crowded = shop.copy()
    crowded[20:50, 30:40] = 255
    person = np.array([[30, 20, 40, 50]], np.float32)
    picture = EmptyPicture(every_s=1.0, samples=5)

    picture.add(shop, NOBODY, 0.0)
    for second in range(1, 30):
        picture.add(crowded, person, float(second))

    empty = picture.picture()
    assert empty is not None
    assert int(empty.max()) == 90


def test_a_spot_that_was_never_free_is_grey() -> None:
    crowded = np.full((60, 80, 3), 255, np.uint8)
    person = np.array([[30, 20, 40, 50]], np.float32)
    picture = EmptyPicture(every_s=1.0, samples=5)

    for second in range(10):
        picture.add(crowded, person, float(second))

    empty = picture.picture()
    assert empty is not None
    assert empty[35, 35].tolist() == [128, 128, 128]
    assert empty[5, 5].tolist() == [255, 255, 255]


def test_somebody_whom_the_detector_missed_now_and_then_fades_out() -> None:
    picture = EmptyPicture(every_s=1.0, samples=9)
    for second in range(9):
        frame = np.full((60, 80, 3), 90, np.uint8)
        frame[20:50, 8 * second : 8 * second + 8] = 255
        picture.add(frame, NOBODY, float(second))

    empty = picture.picture()
    assert empty is not None
    assert int(empty.max()) == 90


@pytest.mark.parametrize("samples", [5, 6, 15])
def test_each_pixel_is_the_median_of_what_was_there(samples: int) -> None:
    rng = np.random.default_rng(samples)
    frames = [rng.integers(0, 256, (75, 31, 3), np.uint8) for _ in range(samples)]
    picture = EmptyPicture(every_s=1.0, samples=samples)
    for second, frame in enumerate(frames):
        picture.add(frame, NOBODY, float(second))

    empty = picture.picture()

    assert empty is not None
    assert np.array_equal(empty, np.sort(np.stack(frames), axis=0)[samples // 2])


def test_there_is_no_picture_before_there_are_enough_samples() -> None:
    picture = EmptyPicture(every_s=1.0)

    picture.add(np.zeros((6, 8, 3), np.uint8), NOBODY, 0.0)

    assert picture.picture() is None


def test_memory_is_flat_and_a_large_frame_is_kept_small() -> None:
    picture = EmptyPicture(every_s=1.0, samples=5)
    for second in range(50):
        picture.add(np.full((1080, 1920, 3), second, np.uint8), NOBODY, float(second))

    empty = picture.picture()
    assert empty is not None
    assert empty.shape == (540, 960, 3)
    assert int(empty[0, 0, 0]) == 47
    assert to_jpeg(empty)[:2] == b"\xff\xd8"


def test_somebody_who_stood_there_at_the_start_is_not_on_it_either() -> None:
    shop = np.full((60, 80, 3), 90, np.uint8)
    crowded = shop.copy()
    crowded[20:50, 30:40] = 255
    person = np.array([[30, 20, 40, 50]], np.float32)
    picture = EmptyPicture(every_s=1.0, samples=15)

    for second in range(3):
        picture.add(crowded, person, float(second))
    for second in range(3, 5):
        picture.add(shop, NOBODY, float(second))

    empty = picture.picture()
    assert empty is not None
    assert int(empty.max()) == 90
    assert int(crowded.max()) == 255  # the caller's frames stay as they are
