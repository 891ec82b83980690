"""One look at a source: whether it works, what it is, and what is wrong with it. Nothing is kept."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vitrina.errors import CameraError
from vitrina.floor.camera.source import AnyCamera, open_camera
from vitrina.floor.camera.stream import StreamCamera
from vitrina.floor.picture_check import BLURRED, COVERED, DARK, small_grey, traits

PATIENCE_S = 10.0
"""The first picture must come within this."""


@dataclass(frozen=True, slots=True)
class Glance:
    """name: the source without user and password. picture_rgb: the last one. first_s: until the first one came.

    health: `Health.snapshot()` at the end. doubts: what will give trouble, in sentences.
    """

    name: str
    picture_rgb: NDArray[np.uint8]
    first_s: float
    health: dict[str, Any]
    doubts: tuple[str, ...]


def glance(source: str, *, name: str, seconds: float) -> Glance:
    """Watch a source for so many seconds. Raises CameraError with what to check, InputError for what is no source."""
    stop = threading.Event()
    camera = open_source(source, stop)
    began = time.monotonic()
    first_s, picture = 0.0, None
    timer = threading.Timer(PATIENCE_S, stop.set)
    timer.daemon = True
    timer.start()
    try:
        for frame in camera.frames():
            if picture is None:
                first_s = time.monotonic() - began
            picture = frame.rgb
            if time.monotonic() - began >= first_s + seconds:
                break
    finally:
        stop.set()
        timer.cancel()
    if picture is None:
        raise CameraError(f"{name}: it opens, but no picture came within {PATIENCE_S:g} s. Restart the camera.")
    health = camera.health.snapshot() | {"state": "running" if camera.live else "ended"}
    health["size_wh"] = health["size_wh"] or [picture.shape[1], picture.shape[0]]
    return Glance(name, picture, first_s, health, tuple(_doubts(health, picture, live=camera.live)))


def open_source(source: str, stop: threading.Event) -> AnyCamera:
    """The camera behind a source, which fails at once when something is wrong."""
    if "://" in source:
        return StreamCamera(source, camera_id="check", stop=stop, patient=False)
    return open_camera(source, camera_id="check", stop=stop)


def _doubts(health: dict[str, Any], picture_rgb: NDArray[np.uint8], *, live: bool) -> list[str]:
    got, claimed = health["fps_got"], health["fps_claimed"]
    width, height = health["size_wh"]
    seen = traits(small_grey(picture_rgb))
    found = []
    if live and 0.0 < got < 5.0:
        found.append(f"{got:.1f} frames a second are few: people are followed well from 5 on.")
    if live and claimed and got and abs(got - claimed) > 0.1 * claimed:
        found.append(f"it says {claimed:g} frames a second and gives {got:.1f}; times are taken from the stream.")
    if width * height > 1.1 * 1920 * 1080:
        found.append(f"{width}×{height} costs much to decode and helps little; the camera's second stream is enough.")
    if max(width, height) < 480:
        found.append(f"{width}×{height} is small: people further away than a few metres may not be seen.")
    if health["lag_s"] > 1.0:
        found.append(f"pictures come {health['lag_s']:.1f} s late: the network or the camera is busy.")
    if health["damaged"]:
        found.append(f"{health['damaged']} damaged packets: is the network good?")
    if seen.bright < DARK:
        found.append("the picture is dark.")
    elif seen.flat > COVERED:
        found.append("the picture shows nothing: is the lens covered?")
    elif seen.blur > BLURRED:
        found.append("the picture is blurred: clean the lens, set its focus.")
    return [*found, *health["notes"]]
