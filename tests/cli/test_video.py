"""Looking at one recording from the command line, as typed by a user."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import av
import numpy as np
import pytest
from tests.floor.camera.test_camera import write_video

from vitrina.cli.video import parse_line
from vitrina.errors import InputError
from vitrina.floor.tracking.mot import read_mot

SHARED = Path(__file__).parents[3] / "shared" / "data" / "floor"
CORRIDOR = SHARED / "caviar-corridor.mpg"


def vitrina(home: Path, *words: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "vitrina.cli.main", *map(str, words)]
    environ = os.environ | {"VITRINA_HOME": str(home / "home")}
    return subprocess.run(command, env=environ, capture_output=True, text=True, cwd=home, timeout=300)


@pytest.mark.slow
@pytest.mark.skipif(not CORRIDOR.exists(), reason="the shared recordings are not here")
def test_one_man_walks_into_the_shop_in_the_corridor_and_one_walks_out(tmp_path: Path) -> None:
    done = vitrina(tmp_path, "floor", "count", CORRIDOR, "--line", "90,120 90,230", "--json")

    answer = json.loads(done.stdout)
    assert (answer["in"], answer["out"]) == (1, 1)
    assert answer["frames"] == 383


def test_nobody_in_the_picture_is_a_right_answer(tmp_path: Path) -> None:
    video = write_video(tmp_path / "empty.mp4", [k / 10 for k in range(12)], size_wh=(320, 240))

    counted = vitrina(tmp_path, "floor", "count", video, "--line", "160,200 160,40", "--json")
    tracked = vitrina(tmp_path, "floor", "track", video, "--mot", "tracks.txt", "--json")

    assert json.loads(counted.stdout)["in"] == 0
    assert json.loads(tracked.stdout)["frames"] == 12
    assert len(read_mot(tmp_path / "tracks.txt")) == 0


def test_somebody_elses_boxes_are_tracked_through_every_frame(tmp_path: Path) -> None:
    video = write_video(tmp_path / "clip.mp4", [k / 10 for k in range(30)], size_wh=(320, 240))
    rows = [f"{frame},-1,{10 + 4 * frame},60,40,120,0.9" for frame in range(1, 31)]
    (tmp_path / "boxes.txt").write_text("\n".join(rows))

    done = vitrina(tmp_path, "floor", "track", video, "--mot", "tracks.txt", "--boxes", "boxes.txt", "--json")

    found = read_mot(tmp_path / "tracks.txt")
    assert json.loads(done.stdout)["tracks"] == 1
    assert found.frames.tolist() == list(range(1, 31))
    assert np.allclose(found.boxes_xyxy[-1], [130, 60, 170, 180], atol=4)


def test_the_overlay_is_a_video_of_the_layouts_size(tmp_path: Path) -> None:
    street = Path(__file__).parents[2] / "src" / "vitrina" / "floor" / "demo" / "street.toml"
    video = write_video(tmp_path / "clip.mp4", [k / 10 for k in range(12)], size_wh=(384, 288))

    done = vitrina(tmp_path, "floor", "overlay", video, "--shop", street, "--out", "seen.mp4")

    assert "12 frames" in done.stdout, done.stderr
    with av.open(str(tmp_path / "seen.mp4")) as container:
        assert (container.streams.video[0].width, container.streams.video[0].height) == (768, 576)


@pytest.mark.parametrize(
    ("words", "exit_code", "said"),
    [
        (("count", "none.mp4", "--line", "1,1 9,9"), 8, "there is no such file"),
        (("count", "text.mp4", "--line", "1,1 9,9"), 8, "not a video"),
        (("count", "clip.mp4", "--line", "1,1"), 2, "expected two points"),
        (("count", "clip.mp4", "--line", "1,1 9,9", "--input", "300x300"), 2, "multiples of 32"),
        (("count", "clip.mp4", "--line", "1,1 9,9", "--fps", "-3"), 2, "above 0"),
        (("track", "clip.mp4", "--mot", "out.txt", "--boxes", "late.txt"), 2, "has boxes of frame 99"),
        (("overlay", "clip.mp4", "--shop", "nowhere", "--out", "o.mp4"), 3, "there is no shop"),
        (("overlay", "clip.mp4", "--shop", "nowhere", "--out", "o.avi"), 2, ".mp4 or .webm"),
        (("report", "--shop", "nowhere"), 3, "there is no shop"),
        (("watch", "clip.mp4"), 2, "--shop"),
    ],
)
def test_a_mistake_is_one_line_and_never_a_traceback(
    tmp_path: Path, words: tuple[str, ...], exit_code: int, said: str
) -> None:
    write_video(tmp_path / "clip.mp4", [0.0, 0.1], size_wh=(320, 240))
    (tmp_path / "text.mp4").write_text("no video\n" * 99)
    (tmp_path / "late.txt").write_text("99,-1,1,1,5,5,1\n")

    done = vitrina(tmp_path, "floor", *words)

    assert done.returncode == exit_code, done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("text", ["", "1,1", "1,1 2", "1,1 2,2 3,3", "a,b c,d"])
def test_what_is_no_line_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="two points in pixels"):
        parse_line(text)
