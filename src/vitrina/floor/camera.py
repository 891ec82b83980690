"""Opens a video source and gives frames with the stream's own time.

A source is written as text: a path to a file, `webcam:0` (or `/dev/video0`), or `loop:PATH`, which plays a file
again and again in real time (for demos and tests), with `?fps=7` behind it where the file's header lies about its rate.
What a source did is in its `Health`.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Protocol

import av
import cv2
import numpy as np
from av.container import InputContainer
from av.video.stream import VideoStream
from numpy.typing import NDArray

from vitrina.errors import CameraError, InputError
from vitrina.floor.frame import Frame

logger = logging.getLogger(__name__)

LATE_S = 1.0
"""A frame older than the last by up to this came out of order; an older one means that the clock began anew."""


@dataclass(slots=True)
class Health:
    """What a source claimed and what it gave.

    fps_claimed: frames a second by the header, 0 where it says none. fps_got: by the frames' own times.
    dropped: frames that came late or out of order and were left out. damaged: packets that could not be decoded.
    """

    fps_claimed: float = 0.0
    frames: int = 0
    dropped: int = 0
    damaged: int = 0
    first_t: float | None = None
    last_t: float | None = None
    notes: list[str] = field(default_factory=list)

    @property
    def fps_got(self) -> float:
        if self.frames < 2 or self.first_t is None or self.last_t is None or self.last_t <= self.first_t:
            return 0.0
        return (self.frames - 1) / (self.last_t - self.first_t)


class Camera(Protocol):
    """What the pipeline reads from. `frames` may be iterated once."""

    camera_id: str
    health: Health
    live: bool

    def frames(self) -> Iterator[Frame]: ...


class RecordedCamera:
    """Frames that are in memory already: for tests and for those who decode by themselves."""

    live = False

    def __init__(self, frames: list[Frame], *, camera_id: str = "recorded") -> None:
        self.camera_id = camera_id
        self.health = Health()
        self._frames = frames

    def frames(self) -> Iterator[Frame]:
        for frame in self._frames:
            _note_frame(self.health, frame.t)
            yield frame


class FileCamera:
    """A video file, from its first frame to its last.

    start: the moment (UTC) the recording began. fps: the true frame rate, where the header lies about it.
    """

    live = False

    def __init__(self, path: Path, *, camera_id: str, start: datetime | None = None, fps: float | None = None) -> None:
        if fps is not None and not 0.0 < fps <= 1000.0:
            raise InputError(f"--fps: expected the true frames a second, above 0, such as 7; got {fps:g}")
        self.path = path
        self.camera_id = camera_id
        self.health = Health()
        self.duration_s: float | None = None
        self._fps = fps
        with closing(_open(str(path), name=str(path))) as container:
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
        with closing(_open(str(self.path), name=str(self.path))) as container:
            base: float | None = None
            for picture in _pictures(container, self.health, name=str(self.path)):
                own_s = picture.t * scale
                base = self.start.timestamp() - own_s if base is None else base
                if self.health.last_t is not None and base + own_s < self.health.last_t - LATE_S:
                    # Two recordings in one file: the second one's clock goes on where the first one's ended.
                    base = self.health.last_t + 1.0 / (self._fps or self.health.fps_claimed or 10.0) - own_s
                    self.health.notes.append(f"the file's clock begins anew at {picture.t:.1f} s")
                t = base + own_s
                if _is_late(self.health, t):
                    continue
                _note_frame(self.health, t)
                yield Frame(t=t, rgb=picture.rgb, camera_id=self.camera_id, index=self.health.frames - 1)
        if self.health.frames == 0:
            raise CameraError(f"{self.path}: no picture could be decoded. Is the file complete? Try playing it.")

    @property
    def fps_used(self) -> float:
        """The frame rate that times are computed with."""
        return self._fps or self.health.fps_claimed

    def _clock_scale(self) -> float:
        claimed = self.health.fps_claimed
        return claimed / self._fps if self._fps and claimed else 1.0


class LoopCamera:
    """Plays a file again and again in real time, as a live camera would deliver it."""

    live = True

    def __init__(self, path: Path, *, camera_id: str, fps: float | None = None) -> None:
        self.path = path
        self.camera_id = camera_id
        self.health = Health()
        self._fps = fps
        self.health.fps_claimed = FileCamera(path, camera_id=camera_id, fps=fps).health.fps_claimed

    def frames(self) -> Iterator[Frame]:
        index = 0
        while True:
            clip = FileCamera(self.path, camera_id=self.camera_id, fps=self._fps)
            # Paced by the clock that nobody sets.
            began, began_mono, first_t = time.time(), time.monotonic(), None
            for frame in clip.frames():
                first_t = frame.t if first_t is None else first_t
                passed_s = frame.t - first_t
                wait_s = began_mono + passed_s - time.monotonic()
                time.sleep(max(0.0, wait_s))
                if wait_s < -LATE_S:
                    self.health.dropped += 1  # we are too slow: a live camera would not wait for us
                    continue
                _note_frame(self.health, began + passed_s)
                yield Frame(t=began + passed_s, rgb=frame.rgb, camera_id=self.camera_id, index=index)
                index += 1


class WebcamCamera:
    """A camera at a USB port, through Video4Linux. Its clock is the machine's, which may be set while we watch."""

    live = True

    def __init__(self, device: str, *, camera_id: str) -> None:
        self.device = device
        self.camera_id = camera_id
        self.health = Health()

    def frames(self) -> Iterator[Frame]:
        with closing(_open(self.device, name=self.device, format_="v4l2")) as container:
            self.health.fps_claimed = float(container.streams.video[0].average_rate or 0)
            for picture in _pictures(container, self.health, name=self.device):
                t = time.time()
                if self.health.last_t is not None and self.health.last_t - LATE_S < t <= self.health.last_t:
                    self.health.dropped += 1
                    continue
                _note_frame(self.health, t)
                yield Frame(t=t, rgb=picture.rgb, camera_id=self.camera_id, index=self.health.frames - 1)
        raise CameraError(f"{self.device}: the camera stopped delivering. Is it still plugged in?")


def open_camera(
    source: str, *, camera_id: str, start: datetime | None = None, fps: float | None = None
) -> FileCamera | LoopCamera | WebcamCamera:
    """The camera that `source` names.

    Raises InputError for a text that cannot be a source, CameraError for a source that does not open.
    """
    if "://" in source:
        raise InputError(
            f"{source.split('://')[0]}:// sources are not read yet. Record a clip to a file, or give webcam:0."
        )
    if source.startswith("webcam:"):
        number = source.removeprefix("webcam:")
        if not number.isdigit():
            raise InputError(f"expected webcam:NUMBER such as webcam:0, got {source!r}")
        return WebcamCamera(f"/dev/video{number}", camera_id=camera_id)
    if source.startswith("/dev/"):
        return WebcamCamera(source, camera_id=camera_id)
    if source.startswith("loop:"):
        path, _, rate = source.removeprefix("loop:").partition("?fps=")
        return LoopCamera(Path(path).expanduser(), camera_id=camera_id, fps=_rate(rate) if rate else fps)
    return FileCamera(Path(source).expanduser(), camera_id=camera_id, start=start, fps=fps)


def _rate(text: str) -> float:
    try:
        rate = float(text)
    except ValueError:
        rate = 0.0
    if not 0.0 < rate <= 1000.0:
        raise InputError(f"expected frames a second after ?fps=, such as ?fps=7, got {text!r}")
    return rate


def thin(frames: Iterator[Frame], *, fps: float) -> Iterator[Frame]:
    """At most `fps` frames a second, chosen by their times, evenly, without drifting."""
    step_s = 1.0 / fps
    due: float | None = None
    for frame in frames:
        if due is not None and due - step_s - LATE_S < frame.t < due - step_s * 0.25:
            continue
        due = frame.t + step_s if due is None or frame.t > due + step_s else due + step_s
        yield frame


@dataclass(frozen=True, slots=True)
class _Picture:
    t: float
    rgb: NDArray[np.uint8]


def _open(address: str, *, name: str, format_: str | None = None) -> InputContainer:
    if format_ is None and Path(address).is_dir():
        raise CameraError(f"{name}: is a folder; name the video file in it.")
    if format_ is None and not Path(address).is_file():
        raise CameraError(f"{name}: there is no such file.")
    if format_ is None and Path(address).stat().st_size == 0:
        raise CameraError(f"{name}: the file is empty (0 bytes). Copy or record it again.")
    try:
        container = av.open(address, format=format_, metadata_errors="ignore")
    except PermissionError as error:
        raise CameraError(f"{name}: no permission to read it.") from error
    except (av.FFmpegError, OSError) as error:
        raise CameraError(f"{name}: not a video that can be opened ({_reason(error)}).") from error
    if not container.streams.video:
        kinds = ", ".join(sorted({stream.type for stream in container.streams})) or "nothing that can be read"
        container.close()
        raise CameraError(f"{name}: the file has no video in it, only {kinds}.")
    container.streams.video[0].thread_type = "NONE"
    return container


def _pictures(container: InputContainer, health: Health, *, name: str) -> Iterator[_Picture]:
    """Decoded pictures with the stream's time in seconds; a damaged packet costs that packet."""
    stream = container.streams.video[0]
    step_s = 1.0 / health.fps_claimed if health.fps_claimed else 1.0
    size_wh: tuple[int, int] | None = None
    t = 0.0
    for packet in _packets(container, health):
        try:
            decoded = packet.decode()
        except av.FFmpegError as error:
            health.damaged += 1
            logger.debug("%s: damaged packet near %.1f s: %s", name, t, _reason(error))
            continue
        for picture in decoded:
            t = t + step_s if picture.time is None else float(picture.time)
            rgb = _upright(picture)
            size_wh = size_wh or (rgb.shape[1], rgb.shape[0])
            yield _Picture(t, _same_size(rgb, size_wh, name=name, t=t))
    if stream.frames and health.frames and health.frames + health.dropped < 0.98 * stream.frames:
        note = f"the file ends early: {health.frames} of {stream.frames} frames could be read"
        health.notes.append(note)
        logger.warning("%s: %s", name, note)


def _packets(container: InputContainer, health: Health) -> Iterator[av.Packet[VideoStream]]:
    packets = container.demux(container.streams.video[0])
    while True:
        try:
            packet = next(packets)
        except StopIteration:
            return
        except av.FFmpegError:
            health.damaged += 1
            return
        yield packet


def _upright(picture: av.VideoFrame) -> NDArray[np.uint8]:
    """Turned as the recording says (phones store the turn beside the picture)."""
    rgb = np.asarray(picture.to_ndarray(format="rgb24"), dtype=np.uint8)
    quarter_turns = round(getattr(picture, "rotation", 0) / 90) % 4
    return np.ascontiguousarray(np.rot90(rgb, quarter_turns)) if quarter_turns else rgb


def _same_size(rgb: NDArray[np.uint8], size_wh: tuple[int, int], *, name: str, t: float) -> NDArray[np.uint8]:
    """The picture in the size of the first one, as long as its shape (width : height) is the same."""
    height, width = rgb.shape[:2]
    if (width, height) == size_wh:
        return rgb
    if abs(width / height - size_wh[0] / size_wh[1]) > 0.02 * size_wh[0] / size_wh[1]:
        raise CameraError(
            f"{name}: at {t:.1f} s the picture changes from {size_wh[0]}×{size_wh[1]} to {width}×{height}. "
            "That is another view: cut the recording there and watch the second half as a camera of its own."
        )
    return np.asarray(cv2.resize(rgb, size_wh, interpolation=cv2.INTER_AREA), dtype=np.uint8)


def _is_late(health: Health, t: float) -> bool:
    """Whether a frame must be left out because its time does not go forward."""
    if health.last_t is not None and t <= health.last_t:
        health.dropped += 1
        return True
    return False


def _note_frame(health: Health, t: float) -> None:
    health.frames += 1
    health.first_t = t if health.first_t is None else health.first_t
    health.last_t = t


def _creation_time(container: InputContainer) -> datetime | None:
    text = container.metadata.get("creation_time", "")
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    # Cameras without a clock write 1970 or 1904.
    return moment.astimezone() if moment.year > 1990 else None


def _reason(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error)
