"""PyAV: from packets to upright RGB pictures with the stream's time."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import av
import cv2
import numpy as np
from av.container import InputContainer
from av.video.stream import VideoStream
from numpy.typing import NDArray

from vitrina.errors import CameraError
from vitrina.floor.camera.health import Health

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Picture:
    t: float
    rgb: NDArray[np.uint8]


def open_container(address: str, *, name: str, format_: str | None = None) -> InputContainer:
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
        raise CameraError(f"{name}: not a video that can be opened ({reason_of(error)}).") from error
    if not container.streams.video:
        kinds = ", ".join(sorted({stream.type for stream in container.streams})) or "nothing that can be read"
        container.close()
        raise CameraError(f"{name}: the file has no video in it, only {kinds}.")
    container.streams.video[0].thread_type = "NONE"
    return container


def pictures(container: InputContainer, health: Health, *, name: str) -> Iterator[Picture]:
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
            logger.debug("%s: damaged packet near %.1f s: %s", name, t, reason_of(error))
            continue
        for picture in decoded:
            t = t + step_s if picture.time is None else float(picture.time)
            rgb = _upright(picture)
            size_wh = size_wh or (rgb.shape[1], rgb.shape[0])
            yield Picture(t, _same_size(rgb, size_wh, name=name, t=t))
    if stream.frames and health.frames and health.frames + health.dropped < 0.98 * stream.frames:
        note = f"the file ends early: {health.frames} of {stream.frames} frames could be read"
        health.note(note)
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


def reason_of(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error)
