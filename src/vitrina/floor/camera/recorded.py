"""Frames that are in memory already: for tests and for those who decode by themselves."""

from __future__ import annotations

from collections.abc import Iterator

from vitrina.floor.camera.health import Health
from vitrina.floor.frame import Frame


class RecordedCamera:
    """Gives the frames it was made with, once."""

    live = False

    def __init__(self, frames: list[Frame], *, camera_id: str = "recorded") -> None:
        self.camera_id = camera_id
        self.health = Health()
        self._frames = frames

    def frames(self) -> Iterator[Frame]:
        for frame in self._frames:
            self.health.note_frame(frame.t)
            yield frame
        self.health.state = "ended"
