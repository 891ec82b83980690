"""Streams that are served in this process; a real RTSP server is broken in `test_breaks.py`."""

from __future__ import annotations

import json
import logging
import socket
import threading
import time
from itertools import islice, pairwise

import pytest

from vitrina.errors import CameraError
from vitrina.floor.camera import StreamCamera, open_camera
from vitrina.floor.camera.failure import StreamError
from vitrina.floor.camera.glance import glance


def first(address: str, *, patient: bool = False, **options) -> None:
    stop = threading.Event()
    try:
        next(StreamCamera(address, camera_id="door", stop=stop, patient=patient, **options).frames())
    finally:
        stop.set()


def test_a_stream_gives_frames_with_growing_times_of_now(pictures) -> None:
    stop = threading.Event()
    camera = open_camera(pictures.at("live"), camera_id="door", stop=stop)

    frames = list(islice(camera.frames(), 10))
    stop.set()

    assert camera.live
    assert frames[0].size_wh == (640, 360)
    assert all(a.t < b.t for a, b in pairwise(frames))
    assert abs(frames[-1].t - time.time()) < 5.0
    assert (camera.health.codec, camera.health.fps_claimed) == ("mjpeg", 0.0)


def test_only_the_frames_that_are_wanted_are_converted_and_only_as_large(pictures) -> None:
    stop = threading.Event()
    camera = open_camera(pictures.at("live"), camera_id="door", stop=stop, fps_wanted=5.0, longest_px=320)

    frames = list(islice(camera.frames(), 5))
    stop.set()

    assert frames[0].size_wh == (320, 180)
    assert min(b.t - a.t for a, b in pairwise(frames)) > 0.12
    assert camera.health.frames > 2 * len(frames)


def test_a_slow_consumer_gets_the_newest_frame_and_the_rest_is_counted(pictures) -> None:
    stop = threading.Event()
    camera = open_camera(pictures.at("live"), camera_id="door", stop=stop)
    frames = camera.frames()

    next(frames)
    time.sleep(1.0)
    late = next(frames)
    newest = next(frames)
    stop.set()

    assert newest.t - late.t < 0.5
    assert camera.health.dropped >= 5


def test_the_end_of_a_stream_is_a_loss_that_mends_itself_and_is_a_pause(pictures) -> None:
    stop = threading.Event()
    camera = open_camera(pictures.at("once"), camera_id="door", stop=stop)

    frames = list(islice(camera.frames(), 25))
    stop.set()

    assert pictures.opened >= 3
    assert camera.health.reconnects >= 2
    assert all(a.t < b.t for a, b in pairwise(frames))
    assert "connection lost" in {camera.health.reason_for(a.t, b.t) for a, b in pairwise(frames)}
    assert camera.health.reason_for(frames[0].t - 9.0, frames[0].t - 8.0) is None


def test_a_reader_that_is_blocked_ends_when_it_is_told_to(pictures) -> None:
    stop = threading.Event()
    camera = open_camera(pictures.at("silent"), camera_id="door", stop=stop)
    threading.Timer(0.3, stop.set).start()

    assert list(camera.frames()) == []

    assert camera.health.state == "ended"


@pytest.mark.parametrize(
    ("path", "reason", "said"),
    [
        ("nowhere", "no such stream", "no stream at this path"),
        ("words", "not a video", "not a video that can be read"),
    ],
)
def test_what_is_wrong_is_said_with_what_to_check(pictures, path: str, reason: str, said: str) -> None:
    with pytest.raises(StreamError, match=said) as caught:
        first(pictures.at(path))

    assert caught.value.reason == reason


def test_a_wrong_password_is_said_and_is_nowhere_to_be_read(pictures, caplog: pytest.LogCaptureFixture) -> None:
    pictures.password = "right"
    caplog.set_level(logging.DEBUG)

    with pytest.raises(StreamError, match="refuses the user name or password") as caught:
        first(pictures.at("live", credentials="viewer:s3cr%65t@"))

    stop = threading.Event()
    camera = open_camera(pictures.at("live", credentials="viewer:s3cret@"), camera_id="door", stop=stop)
    threading.Timer(0.8, stop.set).start()
    assert list(camera.frames()) == []
    told = f"{caught.value!r} {caught.value.__context__} {caught.value.__cause__} {caplog.text} {camera!r}"
    assert "s3cr" not in told + json.dumps(camera.health.snapshot())
    assert "viewer" not in told + json.dumps(camera.health.snapshot())
    assert "http://…@127.0.0.1" in caplog.text
    assert pictures.opened == 0


def test_a_password_with_any_signs_is_understood(pictures) -> None:
    pictures.password = "p@ss/w:rd#1"

    first(pictures.at("live", credentials="viewer:p@ss/w:rd#1@"))

    assert pictures.opened == 1


def test_nobody_there_is_said_with_host_and_port() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

    with pytest.raises(StreamError, match=f"nothing listens at 127.0.0.1, port {port}") as caught:
        first(f"rtsp://viewer:s3cret@127.0.0.1:{port}/1")

    assert "s3cret" not in str(caught.value)


def test_a_server_that_speaks_another_language_is_named(pictures) -> None:
    with pytest.raises(StreamError, match="does not speak RTSP"):
        first(pictures.at("live").replace("http", "rtsp"))


def test_a_host_that_does_not_exist_is_named() -> None:
    with pytest.raises(StreamError, match=r"no host called camera\.invalid"):
        first("http://camera.invalid/live")


def test_a_glance_says_what_a_source_is_and_what_is_wrong_with_it(pictures) -> None:
    pictures.fps = 4.0

    seen = glance(pictures.at("live"), name="door", seconds=2.5)

    assert seen.picture_rgb.shape == (360, 640, 3)
    assert seen.health["size_wh"] == [640, 360]
    assert seen.health["fps_got"] == pytest.approx(4.0, abs=0.7)
    assert any("frames a second are few" in doubt for doubt in seen.doubts)


def test_a_glance_at_a_broken_source_fails_at_once(pictures) -> None:
    with pytest.raises(CameraError, match="no stream at this path"):
        glance(pictures.at("nowhere"), name="door", seconds=2.0)
