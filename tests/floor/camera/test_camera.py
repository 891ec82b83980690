"""Real files, written here with PyAV: good ones and every kind of broken one."""

from __future__ import annotations

from datetime import UTC, datetime
from fractions import Fraction
from itertools import islice, pairwise
from pathlib import Path

import av
import numpy as np
import pytest

from vitrina.errors import CameraError, InputError
from vitrina.floor.camera import FileCamera, LoopCamera, RecordedCamera, open_camera, thin
from vitrina.floor.frame import Frame

START = datetime(2026, 3, 2, 9, tzinfo=UTC)


def write_video(
    path: Path,
    times_s: list[float],
    *,
    size_wh: tuple[int, int] = (64, 48),
    rate: int = 10,
    codec: str = "mpeg4",
    options: dict[str, str] | None = None,
) -> Path:
    with av.open(str(path), "w", options=options or {}) as container:
        stream = container.add_stream(codec, rate=rate)
        stream.width, stream.height = size_wh
        stream.pix_fmt = "yuv420p"
        # Only MP4 keeps a time for each picture; the other containers count in frames.
        tick = Fraction(1, 1000) if path.suffix == ".mp4" else Fraction(1, rate)
        stream.codec_context.time_base = tick
        for index, t in enumerate(times_s):
            picture = av.VideoFrame.from_ndarray(gradient(size_wh, index), format="rgb24")
            picture.pts, picture.time_base = round(t / tick), tick
            container.mux(stream.encode(picture))
        container.mux(stream.encode())
    return path


def gradient(size_wh: tuple[int, int], index: int) -> np.ndarray:
    width, height = size_wh
    picture = np.zeros((height, width, 3), np.uint8)
    picture[: height // 2, :, 0] = 200  # the upper half is red, so that a turn can be seen
    picture[:, :, 2] = index % 256
    return picture


def times(frames: list[Frame]) -> list[float]:
    return [round(frame.t - START.timestamp(), 3) for frame in frames]


def test_a_frames_time_comes_from_the_stream_and_not_from_counting(tmp_path: Path) -> None:
    path = write_video(tmp_path / "uneven.mp4", [0.0, 0.1, 0.5, 0.6, 2.0])

    frames = list(FileCamera(path, camera_id="door", start=START).frames())

    assert times(frames) == [0.0, 0.1, 0.5, 0.6, 2.0]
    assert [frame.index for frame in frames] == [0, 1, 2, 3, 4]
    assert frames[0].size_wh == (64, 48)


def test_a_camera_that_says_25_fps_and_delivers_21_is_found_out(tmp_path: Path) -> None:
    path = write_video(tmp_path / "slow.mp4", [k / 21 for k in range(42)], rate=25)
    camera = FileCamera(path, camera_id="door", start=START)

    frames = list(camera.frames())

    assert times(frames)[-1] == pytest.approx(41 / 21, abs=0.002)
    assert camera.health.fps_got == pytest.approx(21, rel=0.01)


@pytest.mark.parametrize("fps", [0.0, -3.0, float("nan"), float("inf")])
def test_a_frame_rate_that_cannot_be_is_refused(tmp_path: Path, fps: float) -> None:
    path = write_video(tmp_path / "clip.mp4", [0.0, 0.1])

    with pytest.raises(InputError, match="above 0"):
        FileCamera(path, camera_id="door", start=START, fps=fps)


def test_a_header_that_lies_about_the_frame_rate_can_be_corrected(tmp_path: Path) -> None:
    path = write_video(tmp_path / "seven.avi", [k / 10 for k in range(21)], rate=10)

    frames = list(FileCamera(path, camera_id="door", start=START, fps=7.0).frames())

    assert times(frames)[-1] == pytest.approx(20 / 7, abs=0.01)


def test_a_file_that_was_cut_gives_what_is_left_and_says_so(tmp_path: Path) -> None:
    whole = write_video(tmp_path / "whole.avi", [k / 10 for k in range(100)], size_wh=(320, 240))
    cut = tmp_path / "cut.avi"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    camera = FileCamera(cut, camera_id="door", start=START)

    frames = list(camera.frames())

    assert 20 < len(frames) < 100
    assert camera.health.notes
    assert "ends early" in camera.health.notes[0]


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"", "empty (0 bytes)"), (b"this is no video at all, only words\n" * 99, "not a video that can be opened")],
)
def test_what_is_not_a_video_is_refused_with_the_reason(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "clip.mp4"
    path.write_bytes(content)

    with pytest.raises(CameraError, match=r"clip\.mp4") as caught:
        FileCamera(path, camera_id="door")

    assert said in str(caught.value)


def test_a_file_with_sound_only_is_refused_with_the_reason(tmp_path: Path) -> None:
    path = tmp_path / "voice.wav"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000)
        sound = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), format="s16", layout="mono")
        sound.sample_rate, sound.pts = 8000, 0
        container.mux(stream.encode(sound))
        container.mux(stream.encode())

    with pytest.raises(CameraError, match="no video in it, only audio"):
        FileCamera(path, camera_id="door")


def test_a_picture_that_a_phone_stored_turned_comes_upright(tmp_path: Path) -> None:
    upright = write_video(tmp_path / "upright.mp4", [0.0, 0.1])
    turned = tmp_path / "turned.mp4"
    turned.write_bytes(turn_by_180(upright.read_bytes()))

    first = next(FileCamera(turned, camera_id="door", start=START).frames())

    assert first.rgb[-4:, :, 0].mean() > 150  # red is at the bottom now
    assert first.rgb[:4, :, 0].mean() < 60


def turn_by_180(mp4: bytes) -> bytes:
    """The same file with the display matrix of its track (ISO/IEC 14496-12, `tkhd`) turned by half a turn."""
    one = (1 << 16).to_bytes(4, "big")
    minus_one = (-(1 << 16)).to_bytes(4, "big", signed=True)
    zero, w = bytes(4), (1 << 30).to_bytes(4, "big")
    identity = one + zero + zero + zero + one + zero + zero + zero + w
    turned = minus_one + zero + zero + zero + minus_one + zero + zero + zero + w
    place = mp4.index(identity, mp4.index(b"tkhd"))
    return mp4[:place] + turned + mp4[place + len(turned) :]


def test_a_view_that_changes_its_shape_in_the_middle_is_refused(tmp_path: Path) -> None:
    wide = write_video(tmp_path / "a.ts", [k / 25 for k in range(10)], size_wh=(64, 48), rate=25, codec="mpeg2video")
    tall = write_video(
        tmp_path / "b.ts", [1 + k / 25 for k in range(10)], size_wh=(48, 64), rate=25, codec="mpeg2video"
    )
    both = tmp_path / "both.ts"
    both.write_bytes(wide.read_bytes() + tall.read_bytes())

    with pytest.raises(CameraError, match=r"changes from 64×48 to 48×64"):
        list(FileCamera(both, camera_id="door", start=START).frames())


@pytest.mark.parametrize(
    ("size_wh", "shrunk_wh"),
    [((128, 96), (64, 48)), ((90, 64), (90, 64)), ((132, 100), (66, 50)), ((194, 98), (48, 24)), ((48, 128), (24, 64))],
)
def test_a_large_picture_is_halved_towards_what_is_wanted(
    tmp_path: Path, size_wh: tuple[int, int], shrunk_wh: tuple[int, int]
) -> None:
    path = write_video(tmp_path / "large.mp4", [0.0, 0.1], size_wh=size_wh)

    frames = list(FileCamera(path, camera_id="door", start=START, longest_px=64).frames())

    assert {frame.size_wh for frame in frames} == {shrunk_wh}
    assert frames[0].rgb[: shrunk_wh[1] // 2 - 2, :, 0].mean() > 150  # red is still above


def test_a_stream_that_changes_to_a_smaller_size_of_the_same_view_goes_on(tmp_path: Path) -> None:
    large = write_video(tmp_path / "a.ts", [k / 25 for k in range(10)], size_wh=(128, 96), rate=25, codec="mpeg2video")
    small = write_video(
        tmp_path / "b.ts", [1 + k / 25 for k in range(10)], size_wh=(64, 48), rate=25, codec="mpeg2video"
    )
    both = tmp_path / "both.ts"
    both.write_bytes(large.read_bytes() + small.read_bytes())

    sizes = {frame.size_wh for frame in FileCamera(both, camera_id="door", start=START).frames()}

    assert sizes == {(128, 96)}


def test_a_clock_that_begins_anew_in_mid_file_goes_on_where_it_was(tmp_path: Path) -> None:
    first = write_video(tmp_path / "a.ts", [k / 25 for k in range(50)], rate=25, codec="mpeg2video")
    twice = tmp_path / "twice.ts"
    twice.write_bytes(first.read_bytes() * 2)
    camera = FileCamera(twice, camera_id="door", start=START)

    seen = times(list(camera.frames()))

    assert seen == sorted(set(seen))
    assert seen[-1] == pytest.approx(99 / 25, abs=0.1)
    assert "begins anew" in camera.health.notes[0]


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("rtmp://user:secret@10.0.0.9/1", "expected an address that begins with rtsp://"),
        ("webcam:front", "webcam:NUMBER"),
        ("loop:clip.mp4?fps=fast", "such as ?fps=7"),
        ("/no/such/clip.mp4", "there is no such file"),
        ("/", "is a folder"),
    ],
)
def test_a_source_that_cannot_be_opened_says_what_to_give(source: str, said: str) -> None:
    with pytest.raises((InputError, CameraError)) as caught:
        open_camera(source, camera_id="door")

    assert said in str(caught.value)
    assert "secret" not in str(caught.value)


def test_a_loop_plays_on_in_real_time_past_the_end_of_the_file(tmp_path: Path) -> None:
    path = write_video(tmp_path / "short.mp4", [0.0, 0.02, 0.04])

    frames = list(islice(LoopCamera(path, camera_id="demo").frames(), 8))

    moments = [frame.t for frame in frames]
    assert moments == sorted(moments)
    assert [frame.index for frame in frames] == list(range(8))


def test_thinning_keeps_the_wanted_rate_without_drifting() -> None:
    frames = [Frame(t=k / 25, rgb=np.zeros((1, 1, 3), np.uint8), camera_id="a", index=k) for k in range(250)]

    kept = list(thin(RecordedCamera(frames).frames(), fps=10))

    assert len(kept) == pytest.approx(100, abs=1)
    assert max(b.t - a.t for a, b in pairwise(kept)) <= 0.1201
