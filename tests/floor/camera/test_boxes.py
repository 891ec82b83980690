"""A scene of known boxes, played in time."""

from __future__ import annotations

import time
from itertools import islice
from pathlib import Path
from threading import Event, Timer

import pytest

from vitrina.errors import CameraError, InputError
from vitrina.floor.camera import BoxesCamera, open_camera
from vitrina.floor.camera.boxes import frames_played
from vitrina.floor.given import GivenBoxes

SCENE = "".join(f"{frame},1,{10 * frame},20,30,60,0.9\n" for frame in range(1, 6))


def camera(folder: Path, text: str = SCENE, **told: object) -> BoxesCamera:
    (folder / "scene.txt").write_text(text)
    query = "&".join(f"{name}={value}" for name, value in ({"size": "320x240"} | told).items())
    found = open_camera(f"boxes:{folder / 'scene.txt'}?{query}", camera_id="door")
    assert isinstance(found, BoxesCamera)
    return found


def test_a_scene_is_played_in_time_again_and_again_with_its_boxes_and_patches(tmp_path: Path) -> None:
    began = time.monotonic()
    frames = list(islice(camera(tmp_path, fps=50).frames(), 12))

    assert time.monotonic() - began >= 10.5 / 50
    (first, again) = (GivenBoxes().look([frames[n]])[0].boxes_xyxy.tolist() for n in (0, 5))
    assert first == again == [[10, 20, 40, 80]]
    assert frames[11].t - frames[0].t == pytest.approx(11 / 50)
    assert frames[0].rgb.shape == (240, 320, 3)
    assert frames[0].rgb[50, 20, 0] < frames[0].rgb[50, 60, 0]


def test_a_scene_with_a_beginning_goes_on_while_nobody_watches(tmp_path: Path) -> None:
    start = "2026-03-02T09:00:00+00:00"
    first = next(iter(camera(tmp_path, start=start, fps=20).frames()))
    time.sleep(0.3)
    later = next(iter(camera(tmp_path, start=start, fps=20).frames()))

    assert 0.3 <= later.t - first.t <= 0.6
    assert later.t == pytest.approx(time.time(), abs=0.3)
    assert (later.index - first.index) / 20 == pytest.approx(later.t - first.t)


def test_a_scene_that_waits_goes_on_where_it_stood_when_nobody_watched(tmp_path: Path) -> None:
    start, file = "2026-03-02T09:00:00+00:00", tmp_path / "played"
    first = list(islice(camera(tmp_path, start=start, fps=20, waits=file).frames(), 3))
    time.sleep(0.3)
    later = next(iter(camera(tmp_path, start=start, fps=20, waits=file).frames()))

    assert [frame.index for frame in first] == [0, 1, 2]
    assert later.index == frames_played(file) == 2  # the third was shown, and nobody came for the next
    assert later.t - first[0].t == pytest.approx(2 / 20)
    with pytest.raises(CameraError, match="cannot keep how far the scene is"):
        next(iter(camera(tmp_path, waits=tmp_path / "nowhere" / "played").frames()))


def test_ten_seconds_of_a_fast_scene_pass_in_one(tmp_path: Path) -> None:
    frames = list(islice(camera(tmp_path, speed=10, fps=10).frames(), 21))

    assert frames[-1].t - frames[0].t == pytest.approx(2.0, abs=0.3)


def test_frames_without_anybody_at_the_end_belong_to_the_scene(tmp_path: Path) -> None:
    frames = list(islice(camera(tmp_path, fps=200, frames=8).frames(), 9))

    assert [len(look.boxes_xyxy) for look in GivenBoxes().look(frames)] == [1, 1, 1, 1, 1, 0, 0, 0, 1]


def test_a_scene_ends_when_it_is_told_to(tmp_path: Path) -> None:
    (tmp_path / "scene.txt").write_text(SCENE)
    stop = Event()
    Timer(0.2, stop.set).start()

    frames = list(open_camera(f"boxes:{tmp_path / 'scene.txt'}?size=320x240", camera_id="door", stop=stop).frames())

    assert 1 <= len(frames) <= 4


def test_a_scene_that_drops_does_so_at_its_own_times(tmp_path: Path) -> None:
    dropping = camera(tmp_path, fps=50, drops=0.5)

    with pytest.raises(CameraError, match="drops here"):
        list(dropping.frames())

    assert dropping.health.frames <= 26


@pytest.mark.parametrize("told", ["", "?size=320", "?size=320x240&speed=0", "?size=320x240&zoom=2", "?size=0x240"])
def test_what_is_no_scene_says_what_one_looks_like(told: str) -> None:
    with pytest.raises(InputError, match=r"boxes:scene.txt\?size=640x480"):
        open_camera(f"boxes:scene.txt{told}", camera_id="door")


def test_a_scene_without_anybody_is_none(tmp_path: Path) -> None:
    with pytest.raises(CameraError, match="has no boxes"):
        camera(tmp_path, "")
