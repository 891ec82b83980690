"""PyAV: from packets to upright RGB pictures with the stream's time."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator
from pathlib import Path

import av
import cv2
import numpy as np
from av.container import InputContainer
from av.video.reformatter import Interpolation, VideoReformatter
from av.video.stream import VideoStream
from numpy.typing import NDArray

from vitrina.errors import CameraError
from vitrina.floor.camera.health import Health

logger = logging.getLogger(__name__)


class Picture:
    """A decoded picture. t: the stream's time in seconds. Turning it into RGB costs, so it is done when asked for."""

    __slots__ = ("_converter", "_picture", "t")

    def __init__(self, t: float, picture: av.VideoFrame, converter: Converter) -> None:
        self.t = t
        self._picture = picture
        self._converter = converter

    def rgb(self) -> NDArray[np.uint8]:
        """(height, width, 3) uint8, upright, of the same size as the pictures before."""
        return self._converter.rgb(self._picture, self.t)


class Converter:
    """Makes RGB of one source's pictures, all in the size of the first.

    longest_px: the picture is halved until its longer side comes nearest to it. Halving is cheap, any other shrinking
    costs half as much as decoding (1080p: 2.2 ms; by swscale 4.0). None leaves the size as it is.
    """

    def __init__(self, *, name: str, longest_px: int | None = None) -> None:
        self._name = name
        self._longest_px = longest_px
        self._reformatter = VideoReformatter()
        self._first_wh: tuple[int, int] | None = None

    def rgb(self, picture: av.VideoFrame, t: float) -> NDArray[np.uint8]:
        """Raises CameraError when the shape of the picture (width : height) has changed."""
        turns = round(getattr(picture, "rotation", 0) / 90) % 4  # phones store the turn beside the picture
        upright_wh = (picture.height, picture.width) if turns % 2 else (picture.width, picture.height)
        self._first_wh = self._first_wh or upright_wh
        self._check_shape(upright_wh, t)
        width, height = self._first_wh[::-1] if turns % 2 else self._first_wh
        converted = self._reformatter.reformat(
            picture, width, height, "rgb24", interpolation=Interpolation.AREA, threads=1
        )
        rgb = np.asarray(converted.to_ndarray(), dtype=np.uint8)
        for _ in range(self._halvings(max(width, height))):
            rgb = _halved(rgb)
        return np.ascontiguousarray(np.rot90(rgb, turns)) if turns else rgb

    def _halvings(self, longest_px: int) -> int:
        return max(0, round(math.log2(longest_px / self._longest_px))) if self._longest_px else 0

    def _check_shape(self, size_wh: tuple[int, int], t: float) -> None:
        (width, height), (first_width, first_height) = size_wh, self._first_wh or size_wh
        if abs(width / height - first_width / first_height) > 0.02 * first_width / first_height:
            raise CameraError(
                f"{self._name}: at {t:.1f} s the picture changes from {first_width}×{first_height} to {width}×{height}."
                " That is another view. Cut a recording there; for a camera, set its size and draw its layout anew."
            )


def _halved(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Every 2×2 pixels become one; an odd row or column is cut off."""
    height, width = rgb.shape[0] // 2, rgb.shape[1] // 2
    whole = rgb[: height * 2, : width * 2]
    return np.asarray(cv2.resize(whole, (width, height), interpolation=cv2.INTER_AREA), np.uint8)


def open_container(address: str, *, name: str, format_: str | None = None) -> InputContainer:
    """A file or a device, opened. Raises CameraError with what to check."""
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
    return with_video(container, name=name)


def with_video(container: InputContainer, *, name: str) -> InputContainer:
    """The container, ready to be decoded in one thread; closed again with a CameraError where no video is in it."""
    if not container.streams.video:
        kinds = ", ".join(sorted({stream.type for stream in container.streams})) or "nothing that can be read"
        container.close()
        raise CameraError(f"{name}: the file has no video in it, only {kinds}.")
    container.streams.video[0].thread_type = "NONE"
    return container


def pictures(
    container: InputContainer, health: Health, *, name: str, longest_px: int | None = None
) -> Iterator[Picture]:
    """A file's or device's pictures; one without a time follows the one before at the claimed rate."""
    stream = container.streams.video[0]
    converter = Converter(name=name, longest_px=longest_px)
    step_s = 1.0 / health.fps_claimed if health.fps_claimed else 1.0
    t = 0.0
    for picture in decoded(_packets(container, health), health, name=name):
        t = t + step_s if picture.time is None else float(picture.time)
        yield Picture(t, picture, converter)
    if stream.frames and health.frames and health.frames + health.dropped < 0.98 * stream.frames:
        note = f"the file ends early: {health.frames} of {stream.frames} frames could be read"
        health.note(note)
        logger.warning("%s: %s", name, note)


def decoded(packets: Iterator[av.Packet[VideoStream]], health: Health, *, name: str) -> Iterator[av.VideoFrame]:
    """A damaged packet costs that packet."""
    for packet in packets:
        try:
            yield from packet.decode()
        except av.FFmpegError as error:
            health.damaged += 1
            logger.debug("%s: a damaged packet: %s", name, reason_of(error))


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


def reason_of(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error)
