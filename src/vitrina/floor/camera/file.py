"""A video file, from its first frame to its last."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import datetime
from pathlib import Path

import av
from av.container import InputContainer

from vitrina.errors import CameraError, InputError
from vitrina.floor.camera.decode import open_container, pictures
from vitrina.floor.camera.health import LATE_S, Health
from vitrina.floor.camera.thin import Thinning
from vitrina.floor.frame import Frame


class FileCamera:
    """A video file, from its first frame to its last.

    start: the moment (UTC) the recording began. fps: the true frame rate, where the header lies about it.
    fps_wanted: at most so many frames a second are given, 0 for all. longest_px: pictures are halved towards it.
    """

    live = False

    def __init__(
        self,
        path: Path,
        *,
        camera_id: str,
        start: datetime | None = None,
        fps: float | None = None,
        fps_wanted: float = 0.0,
        longest_px: int | None = None,
    ) -> None:
        if fps is not None and not 0.0 < fps <= 1000.0:
            raise InputError(f"--fps: expected the true frames a second, above 0, such as 7; got {fps:g}")
        self.path = path
        self.camera_id = camera_id
        self.health = Health(fps_wanted=fps_wanted)
        self.duration_s: float | None = None
        self._fps = fps
        self._longest_px = longest_px
        with closing(open_container(str(path), name=str(path))) as container:
            stream = container.streams.video[0]
            self.health.fps_claimed = float(stream.average_rate or 0)
            scale = self._clock_scale()
            if container.duration:
                self.duration_s = container.duration / av.time_base * scale
            told = start or _creation_time(container)
            self.start_is_guessed = told is None
            # The file was last written when the recording ended.
            self.start = told or datetime.fromtimestamp(path.stat().st_mtime - (self.duration_s or 0.0)).astimezone()

    def frames(self) -> Iterator[Frame]:
        scale = self._clock_scale()
        with closing(open_container(str(self.path), name=str(self.path))) as container:
            base: float | None = None
            thinning = Thinning(fps=self.health.fps_wanted)
            for picture in pictures(container, self.health, name=str(self.path), longest_px=self._longest_px):
                own_s = picture.t * scale
                base = self.start.timestamp() - own_s if base is None else base
                if self.health.last_t is not None and base + own_s < self.health.last_t - LATE_S:
                    # Two recordings in one file: the second one's clock goes on where the first one's ended.
                    base = self.health.last_t + 1.0 / (self._fps or self.health.fps_claimed or 10.0) - own_s
                    self.health.note(f"the file's clock begins anew at {picture.t:.1f} s")
                t = base + own_s
                if self.health.is_late(t):
                    continue
                self.health.note_frame(t)
                if thinning.keeps(t):
                    yield Frame(t=t, rgb=picture.rgb(), camera_id=self.camera_id, index=self.health.frames - 1)
        self.health.state = "ended"
        if self.health.frames == 0:
            raise CameraError(f"{self.path}: no picture could be decoded. Is the file complete? Try playing it.")

    @property
    def fps_used(self) -> float:
        """The frame rate that times are computed with."""
        return self._fps or self.health.fps_claimed

    def _clock_scale(self) -> float:
        claimed = self.health.fps_claimed
        return claimed / self._fps if self._fps and claimed else 1.0


def _creation_time(container: InputContainer) -> datetime | None:
    text = container.metadata.get("creation_time", "")
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    # Cameras without a clock write 1970 or 1904.
    return moment.astimezone() if moment.year > 1990 else None
