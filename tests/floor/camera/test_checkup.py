from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from vitrina.floor.camera import Health
from vitrina.floor.camera.checkup import Checkup, view_path
from vitrina.floor.empty import EmptyPicture
from vitrina.floor.frame import Frame

NOBODY = np.zeros((0, 4), np.float32)


def room(*, shift: int = 0) -> np.ndarray:
    rng = np.random.default_rng(4)
    picture = np.full((240, 320), 130, np.uint8)
    for _ in range(60):
        x, y, w, h = rng.integers(0, 300), rng.integers(0, 220), rng.integers(8, 60), rng.integers(6, 40)
        picture[y : y + h, x : x + w] = rng.integers(30, 230)
    return np.roll(cv2.cvtColor(picture, cv2.COLOR_GRAY2RGB), shift, axis=1)


def watch(checkup: Checkup, begin: float, seconds: int, picture: np.ndarray) -> None:
    empty, rng = EmptyPicture(), np.random.default_rng(1)
    for second in range(0, seconds, 2):
        noisy = np.clip(picture + rng.normal(0, 3, picture.shape), 0, 255).astype(np.uint8)
        empty.add(noisy, NOBODY, begin + second)
        checkup.look(Frame(begin + second, noisy, "door", second), empty)


def test_a_camera_that_was_moved_while_nobody_watched_is_found_by_what_it_showed_before(tmp_path: Path) -> None:
    view = view_path(tmp_path, "riga-1", "door", "L1")
    watch(Checkup(Health(), view=view), 0.0, 150, room())
    health = Health()

    watch(Checkup(health, view=view), 9000.0, 90, room(shift=12))

    assert health.problems == ("moved",)


def test_a_new_layout_begins_with_a_new_view(tmp_path: Path) -> None:
    old, new = (view_path(tmp_path, "riga-1", "door", layout) for layout in ("L1", "L2"))
    watch(Checkup(Health(), view=old), 0.0, 150, room())
    health = Health()

    watch(Checkup(health, view=new), 9000.0, 150, room(shift=12))

    assert health.problems == ()
    assert [path.name for path in new.parent.iterdir()] == [new.name]


def test_what_was_kept_and_cannot_be_read_is_kept_anew(tmp_path: Path) -> None:
    view = view_path(tmp_path, "riga-1", "door", "L1")
    view.parent.mkdir(parents=True)
    view.write_bytes(b"no picture")
    health = Health()

    watch(Checkup(health, view=view), 0.0, 150, room())

    assert health.problems == ()
    assert view.read_bytes().startswith(b"\x89PNG")
