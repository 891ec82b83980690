"""Live cameras made of paper: frames when the test says so, people as written down, a clock that is the wall's."""

from __future__ import annotations

import queue
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np
from tests.floor.test_watch import SIZE_WH, open_lake, shop

from vitrina.errors import CameraError
from vitrina.floor.camera import Health
from vitrina.floor.frame import Frame
from vitrina.floor.look import Look, Looker
from vitrina.floor.watch import CameraWatch, open_live
from vitrina.floor.worker.inputs import InputChoice
from vitrina.floor.worker.lane import Opened
from vitrina.settings import load_settings

PERSON = np.array([[300, 180, 340, 300]], np.float32)


class PaperCamera:
    """Gives what is put into `coming`: a picture, or an error to raise. ahead_s: of its time before the machine's."""

    live = True

    def __init__(self, camera_id: str, stop: Event) -> None:
        self.camera_id, self.health, self.coming = camera_id, Health(), queue.Queue[Any]()
        self.ahead_s = 0.0
        self._stop = stop

    def frames(self) -> Iterator[Frame]:
        index = 0
        while not self._stop.is_set():
            try:
                thing = self.coming.get(timeout=0.05)
            except queue.Empty:
                continue
            if isinstance(thing, Exception):
                raise thing
            t = time.time() + self.ahead_s
            self.health.note_frame(t)
            yield Frame(t, thing, self.camera_id, index)
            index += 1


class PaperLooker(Looker):
    """Sees one person who stands still, in every picture that is not black; a white one is too much for it."""

    def __init__(self) -> None:
        self.rounds: list[list[str]] = []

    def look(self, frames: Sequence[Frame]) -> list[Look]:
        self.rounds.append([frame.camera_id for frame in frames])
        if any(frame.rgb.min() == 255 for frame in frames):
            raise ValueError("dazzled")
        people = [PERSON if frame.rgb.any() else np.zeros((0, 4), np.float32) for frame in frames]
        return [Look(boxes, np.full(len(boxes), 0.9, np.float32), share=0.5, cost_s=0.001) for boxes in people]

    def forget(self, camera_id: str) -> None:
        pass


def picture(grey: int = 99, size_wh: tuple[int, int] = SIZE_WH) -> np.ndarray:
    return np.full((size_wh[1], size_wh[0], 3), grey, np.uint8)


class Shopfloor:
    """The cameras of a test by name; each opening of one is a new `PaperCamera`, the last is in `cameras`."""

    def __init__(self, home: Path) -> None:
        self.home, self.looker = home, PaperLooker()
        self.cameras: dict[str, PaperCamera] = {}
        self.openings: dict[str, int] = {}
        self.broken: set[str] = set()
        self.choices: dict[str, InputChoice] = {}

    def door(self, slug: str) -> Callable[[Event], Opened]:
        def open_(stop: Event) -> Opened:
            if slug in self.broken:
                self.openings[slug] = self.openings.get(slug, 0) + 1
                raise CameraError(f"{slug}: nobody answers")
            camera = PaperCamera(f"riga-1/{slug}", stop)
            settings = load_settings({"VITRINA_HOME": str(self.home)})
            parts = open_live(shop(), slug, lake=open_lake(self.home), settings=settings, version=lambda _: shop())
            self.cameras[slug] = camera
            self.openings[slug] = self.openings.get(slug, 0) + 1
            under = CameraWatch(shop().layout.cameras[0], camera.health, parts)
            return Opened(camera, under, self.looker, choice=self.choices.get(slug))

        return open_
