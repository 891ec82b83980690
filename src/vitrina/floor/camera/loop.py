"""A file played again and again in real time, as a live camera would deliver it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from threading import Event

from vitrina.floor.camera.file import FileCamera
from vitrina.floor.camera.health import LATE_S, Health
from vitrina.floor.frame import Frame

RECENT_S = 60.0


class LoopCamera:
    """For demos and tests. `stop` ends it within a frame."""

    live = True

    def __init__(
        self,
        path: Path,
        *,
        camera_id: str,
        fps: float | None = None,
        stop: Event | None = None,
        fps_wanted: float = 0.0,
        longest_px: int | None = None,
    ) -> None:
        self.path = path
        self.camera_id = camera_id
        self.health = Health(recent_s=RECENT_S, fps_wanted=fps_wanted)
        self._fps = fps
        self._longest_px = longest_px
        self._stop = stop or Event()
        self.health.fps_claimed = FileCamera(path, camera_id=camera_id, fps=fps).health.fps_claimed

    def frames(self) -> Iterator[Frame]:
        index = 0
        while not self._stop.is_set():
            clip = FileCamera(
                self.path,
                camera_id=self.camera_id,
                fps=self._fps,
                fps_wanted=self.health.fps_wanted,
                longest_px=self._longest_px,
            )
            # Paced by the clock that nobody sets.
            began, began_mono, first_t = time.time(), time.monotonic(), None
            for frame in clip.frames():
                first_t = frame.t if first_t is None else first_t
                passed_s = frame.t - first_t
                wait_s = began_mono + passed_s - time.monotonic()
                if self._stop.wait(max(0.0, wait_s)):
                    break
                if wait_s < -LATE_S:
                    self.health.dropped += 1  # we are too slow: a live camera would not wait for us
                    continue
                self.health.note_frame(began + passed_s)
                self.health.lag_s = max(0.0, -wait_s)
                yield Frame(t=began + passed_s, rgb=frame.rgb, camera_id=self.camera_id, index=index)
                index += 1
        self.health.state = "ended"
