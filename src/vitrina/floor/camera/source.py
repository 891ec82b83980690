"""What the text of a source means: which camera stands behind it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from threading import Event
from typing import Protocol

from vitrina.errors import InputError
from vitrina.floor.camera.boxes import BoxesCamera, parse_scene
from vitrina.floor.camera.file import FileCamera
from vitrina.floor.camera.health import Health
from vitrina.floor.camera.loop import LoopCamera
from vitrina.floor.camera.stream import StreamCamera
from vitrina.floor.camera.webcam import WebcamCamera
from vitrina.floor.frame import Frame

AnyCamera = BoxesCamera | FileCamera | LoopCamera | StreamCamera | WebcamCamera


LONGEST_PX = 960
"""As large as pictures need be to find people, to be looked at by somebody, and for the picture of the empty shop."""


class Camera(Protocol):
    """What the pipeline reads from. `frames` may be iterated once."""

    camera_id: str
    health: Health
    live: bool

    def frames(self) -> Iterator[Frame]: ...


def open_camera(
    source: str,
    *,
    camera_id: str,
    start: datetime | None = None,
    fps: float | None = None,
    stop: Event | None = None,
    fps_wanted: float = 0.0,
    longest_px: int | None = None,
) -> AnyCamera:
    """The camera that `source` names: an address such as `rtsp://user:password@host/path` or `http://host/mjpeg`, a
    path to a file, `webcam:0` (or `/dev/video0`), or `loop:PATH`, which plays a file again and again in real time,
    with `?fps=7` behind it where the file's header lies about its rate; `boxes:FILE?size=640x480` is a scene of known
    boxes (`boxes.py`).

    start: when a recorded file began. fps: its true rate, where the header lies. stop: ends a live source.
    fps_wanted: at most so many frames a second are given, 0 for all. longest_px: the picture is halved until its
    longer side comes nearest to it; both save most of the cost of large pictures.
    Raises InputError for a text that cannot be a source, CameraError for a source that does not open.
    """
    if "://" in source:
        return StreamCamera(source, camera_id=camera_id, stop=stop, fps_wanted=fps_wanted, longest_px=longest_px)
    if source.startswith("webcam:"):
        number = source.removeprefix("webcam:")
        if not number.isdigit():
            raise InputError(f"expected webcam:NUMBER such as webcam:0, got {source!r}")
        return WebcamCamera(
            f"/dev/video{number}", camera_id=camera_id, stop=stop, fps_wanted=fps_wanted, longest_px=longest_px
        )
    if source.startswith("/dev/"):
        return WebcamCamera(source, camera_id=camera_id, stop=stop, fps_wanted=fps_wanted, longest_px=longest_px)
    if source.startswith("boxes:"):
        return BoxesCamera(parse_scene(source.removeprefix("boxes:")), camera_id=camera_id, stop=stop)
    if source.startswith("loop:"):
        path, _, rate = source.removeprefix("loop:").partition("?fps=")
        return LoopCamera(
            Path(path).expanduser(),
            camera_id=camera_id,
            fps=_rate(rate) if rate else fps,
            stop=stop,
            fps_wanted=fps_wanted,
            longest_px=longest_px,
        )
    return FileCamera(
        Path(source).expanduser(),
        camera_id=camera_id,
        start=start,
        fps=fps,
        fps_wanted=fps_wanted,
        longest_px=longest_px,
    )


def _rate(text: str) -> float:
    try:
        rate = float(text)
    except ValueError:
        rate = 0.0
    if not 0.0 < rate <= 1000.0:
        raise InputError(f"expected frames a second after ?fps=, such as ?fps=7, got {text!r}")
    return rate
