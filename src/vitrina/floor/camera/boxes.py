"""A scene of known boxes, played in time as a live camera would deliver it: for tests, soaks and replays.

`boxes:FILE?size=640x480&fps=10` plays a MOT-challenge file again and again. With `&start=MOMENT` the scene began then,
and goes on whether or not somebody watches: who comes late is in the middle of it. `&speed=10` lets ten of its seconds
pass in one. `&frames=900` is how many frames there are, where nobody is in the last ones. `&drops=600` has the camera
drop every 600 s, as a stream does. With `&waits=FILE` the scene stands still while nobody watches (the file says how
many of its frames were played), so that what a killed worker misses is not up to how fast a machine starts another.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from threading import Event

import numpy as np
from numpy.typing import NDArray

from vitrina.errors import CameraError, InputError
from vitrina.floor.camera.health import LATE_S, Health
from vitrina.floor.frame import Frame, KnownBoxes
from vitrina.floor.tracking.mot import MotBoxes, read_mot

EXAMPLE = "boxes:scene.txt?size=640x480&fps=10"
GREY, DARK = 128, 64
RECENT_S = 60.0


@dataclass(frozen=True, slots=True)
class Scene:
    """What the text of a source says. start: seconds since the epoch, None: when somebody begins to watch."""

    path: Path
    size_wh: tuple[int, int]
    fps: float = 10.0
    speed: float = 1.0
    start: float | None = None
    frames: int = 0
    drops_s: float = 0.0
    waits: Path | None = None


def parse_scene(text: str) -> Scene:
    """'FILE?size=640x480&…' → Scene; InputError for what is something else."""
    path, _, query = text.partition("?")
    told = dict(part.partition("=")[::2] for part in query.split("&") if part)
    try:
        width, height = (int(side) for side in told.pop("size").split("x"))
        scene = Scene(Path(path).expanduser(), (width, height))
        if "start" in told:
            scene = replace(scene, start=datetime.fromisoformat(told.pop("start")).timestamp())
        scene = replace(scene, fps=float(told.pop("fps", scene.fps)), speed=float(told.pop("speed", scene.speed)))
        scene = replace(scene, frames=int(told.pop("frames", 0)), drops_s=float(told.pop("drops", 0.0)))
        if "waits" in told:
            scene = replace(scene, waits=Path(told.pop("waits")).expanduser())
        if told or min(width, height, scene.fps, scene.speed) <= 0:
            raise ValueError(f"what is {', '.join(told)}?" if told else "expected numbers above 0")
    except (KeyError, ValueError) as error:
        raise InputError(f"expected a source such as {EXAMPLE}, got boxes:{text} ({error})") from error
    return scene


class BoxesCamera:
    """Pictures with a dark patch for each person; their boxes come with the frame, so nobody has to find them."""

    live = True

    def __init__(self, scene: Scene, *, camera_id: str, stop: Event | None = None) -> None:
        self.camera_id = camera_id
        self.health = Health(fps_claimed=scene.fps, recent_s=RECENT_S)
        self._scene = scene
        self._stop = stop or Event()
        boxes = read_mot(scene.path)
        count = max(scene.frames, boxes.last_frame)
        if count == 0:
            raise CameraError(f"{scene.path}: has no boxes. Expected a MOT-challenge file.")
        self._boxes = boxes
        self._edges = np.searchsorted(boxes.frames, np.arange(1, count + 2))

    def frames(self) -> Iterator[Frame]:
        yield from self._going_on() if self._scene.waits is None else self._waiting(self._scene.waits)
        self.health.state = "ended"

    def _waiting(self, file: Path) -> Iterator[Frame]:
        """From where it stood, however late somebody comes."""
        scene = self._scene
        start = time.time() if scene.start is None else scene.start
        with _open_position(file) as descriptor:
            while not self._stop.wait(1 / (scene.fps * scene.speed)):
                index = _read_position(descriptor)
                t = start + index / scene.fps
                self.health.note_frame(t)
                yield self._frame(index, t)
                os.pwrite(descriptor, f"{index + 1:012d}".encode(), 0)

    def _going_on(self) -> Iterator[Frame]:
        """As time does."""
        scene = self._scene
        began, began_mono = time.time(), time.monotonic()
        start = began if scene.start is None else scene.start
        index = max(0, int(np.ceil((began - start) * scene.speed * scene.fps)))
        while True:
            due_s = start + index / (scene.fps * scene.speed) - began  # paced by the clock that nobody sets
            wait_s = began_mono + due_s - time.monotonic()
            if self._stop.wait(max(0.0, wait_s)):
                break
            if wait_s < -LATE_S:
                late = int(-wait_s * scene.fps * scene.speed)
                self.health.dropped += late  # we are too slow: a live camera would not wait for us
                index += late
            t = start + index / scene.fps
            if scene.drops_s and t // scene.drops_s != (self.health.last_t or t) // scene.drops_s:
                raise CameraError(f"camera {self.camera_id}: the scene drops here, as it was told to.")
            self.health.note_frame(t)
            yield self._frame(index, t)
            index += 1

    def _frame(self, index: int, t: float) -> Frame:
        number = index % (len(self._edges) - 1)
        there = self._boxes.take(np.arange(self._edges[number], self._edges[number + 1]))
        known = KnownBoxes(there.boxes_xyxy, there.scores)
        return Frame(t=t, rgb=_picture(self._scene.size_wh, there), camera_id=self.camera_id, index=index, known=known)


def frames_played(file: Path) -> int:
    """How far a scene with `&waits=FILE` is."""
    with _open_position(file) as descriptor:
        return _read_position(descriptor)


@contextmanager
def _open_position(file: Path) -> Iterator[int]:
    try:
        descriptor = os.open(file, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise CameraError(f"{file}: cannot keep how far the scene is: {error.strerror}.") from error
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _read_position(descriptor: int) -> int:
    return int(os.pread(descriptor, 12, 0) or b"0")


def _picture(size_wh: tuple[int, int], there: MotBoxes) -> NDArray[np.uint8]:
    width, height = size_wh
    rgb = np.full((height, width, 3), GREY, np.uint8)
    for left, top, right, bottom in there.boxes_xyxy.clip(0, [width, height, width, height]).astype(int).tolist():
        rgb[top:bottom, left:right] = DARK
    return rgb
