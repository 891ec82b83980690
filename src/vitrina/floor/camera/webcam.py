"""A camera at a USB port, through Video4Linux."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing
from threading import Event

from vitrina.errors import CameraError
from vitrina.floor.camera.decode import open_container, pictures
from vitrina.floor.camera.health import LATE_S, Health
from vitrina.floor.camera.thin import Thinning
from vitrina.floor.frame import Frame

RECENT_S = 60.0


class WebcamCamera:
    """Its clock is the machine's, which may be set while we watch."""

    live = True

    def __init__(
        self,
        device: str,
        *,
        camera_id: str,
        stop: Event | None = None,
        fps_wanted: float = 0.0,
        longest_px: int | None = None,
    ) -> None:
        self.device = device
        self.camera_id = camera_id
        self.health = Health(recent_s=RECENT_S, fps_wanted=fps_wanted)
        self._stop = stop or Event()
        self._longest_px = longest_px

    def frames(self) -> Iterator[Frame]:
        with closing(open_container(self.device, name=self.device, format_="v4l2")) as container:
            thinning = Thinning(fps=self.health.fps_wanted)
            self.health.fps_claimed = float(container.streams.video[0].average_rate or 0)
            for picture in pictures(container, self.health, name=self.device, longest_px=self._longest_px):
                if self._stop.is_set():
                    self.health.state = "ended"
                    return
                t = time.time()
                if self.health.last_t is not None and self.health.last_t - LATE_S < t <= self.health.last_t:
                    self.health.dropped += 1
                    continue
                self.health.note_frame(t)
                if thinning.keeps(t):
                    yield Frame(t=t, rgb=picture.rgb(), camera_id=self.camera_id, index=self.health.frames - 1)
        self.health.state = "lost"
        raise CameraError(f"{self.device}: the camera stopped delivering. Is it still plugged in?")
