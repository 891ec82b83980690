"""What a machine carries, measured on a clip of a second."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.cli.test_video import vitrina
from tests.floor.camera.test_camera import write_video

from vitrina.cli.capacity import Capacity, Price
from vitrina.errors import CameraError, InputError
from vitrina.floor.worker.capacity import Played, Task, play, together
from vitrina.models.manifest import shipped_models


def task(clip: Path, *, seconds: float = 1.0) -> Task:
    return Task(clip, shipped_models()[0], (96, 128), fps=5.0, seconds=seconds)


def test_a_clip_is_played_over_and_over_and_every_part_costs_something(tmp_path: Path) -> None:
    clip = write_video(tmp_path / "clip.mp4", [k / 10 for k in range(10)], size_wh=(320, 240))

    played = play(task(clip))

    assert played.stream_s > 1.0  # longer than the clip
    assert played.frames == pytest.approx(5 * played.stream_s, rel=0.2)  # five a second were looked at
    assert min(played.decode_s, played.look_s, played.rest_s) > 0
    assert played.cameras == pytest.approx(played.stream_s / played.cpu_s)


def test_what_is_no_clip_is_said_at_once(tmp_path: Path) -> None:
    with pytest.raises(CameraError, match="no such file"):
        play(task(tmp_path / "none.mp4"))


def test_a_box_carries_what_its_cores_carry_less_the_reserve() -> None:
    one = Played(stream_s=100, frames=1000, people=3000, share=0.2, decode_s=4, look_s=12, rest_s=4)
    found = Capacity(Path("clip.mp4"), (1920, 1080), 25, 10, (320, 416), 4, one, together([one] * 4))

    assert found.per_core == 5.0
    assert found.cameras == 15  # 4 × 5, a quarter left free
    assert found.together.share == pytest.approx(0.2)


@pytest.mark.parametrize(("box", "years"), [(0, 4), (300, 0), (-1, 4)])
def test_a_price_that_cannot_be_is_refused(box: float, years: float) -> None:
    with pytest.raises(InputError, match="above 0"):
        Price(box, years)


@pytest.mark.slow
def test_the_doctor_says_how_many_cameras_the_box_carries_and_what_one_costs(tmp_path: Path) -> None:
    write_video(tmp_path / "clip.mp4", [k / 10 for k in range(20)], size_wh=(640, 480))

    done = vitrina(tmp_path, "doctor", "--cameras", "clip.mp4", "--seconds", 3, "--box-price", 300, "--json")

    told = json.loads(done.stdout)
    assert told["cameras"] >= 1, done.stderr
    assert told["price_a_camera_and_year"] == pytest.approx(300 / told["cameras"] / 4, abs=0.01)
    assert set(told["ms_a_camera_frame"]) == {"decoding", "looking", "tracking and counting"}
