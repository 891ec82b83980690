"""A camera in the network: RTSP over TCP (H.264, H.265), MJPEG and other streams over HTTP. It comes back by itself.

A thread of its own reads and decodes, so that neither a slow consumer nor a camera that hangs holds anybody up: the
consumer gets the newest frame, and `stop` ends it at once.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from threading import Event
from typing import Any, TypeVar

import av
from av.container import InputContainer
from av.video.stream import VideoStream

from vitrina.errors import CameraError
from vitrina.floor.camera.clock import StreamClock
from vitrina.floor.camera.decode import Converter, decoded, with_video
from vitrina.floor.camera.failure import CLOCK_SET, HUNG, LATE, NO_VIDEO, RETRY_S, StreamError, ended, explain
from vitrina.floor.camera.health import Health, Pause
from vitrina.floor.camera.thin import Thinning
from vitrina.floor.frame import Frame
from vitrina.floor.setup.address import check_address, openable, without_credentials

logger = logging.getLogger(__name__)

WITHOUT_TIMES = ("mpjpeg", "mjpeg")
"""Formats without timestamps; FFmpeg makes some up, 25 to the second."""

OPEN_S, READ_S = 5.0, 3.0
FIRST_WAIT_S, LONGEST_WAIT_S = 0.2, 5.0
STEADY_S = 5.0
"""Who gave pictures for so long is opened again at once; who breaks sooner waits longer each time."""
STUCK_S = 20.0
"""A reader that neither returned nor failed by then is given up: some errors keep FFmpeg beyond its time-outs."""
SILENT_S = 2.0
"""So long without a picture on an open connection is a pause of the camera's."""
RECENT_S = 60.0
TAKE_S = 0.25

T = TypeVar("T")


class StreamCamera:
    """Never ends by itself: a stream that breaks is opened again until `stop` is set.

    fps_wanted: at most so many frames a second, 0 for all; the others are not even converted. longest_px: the
    picture is halved until its longer side comes nearest to it. patient: False for who only wants to see whether it
    works; `frames` then raises a StreamError instead of trying again.
    """

    live = True

    def __init__(
        self,
        address: str,
        *,
        camera_id: str,
        stop: Event | None = None,
        fps_wanted: float = 0.0,
        longest_px: int | None = None,
        patient: bool = True,
    ) -> None:
        self.name = without_credentials(check_address(address))
        self.camera_id = camera_id
        self.health = Health(recent_s=RECENT_S, fps_wanted=fps_wanted)
        self._address = openable(address)
        self._stop = stop or Event()
        self._clock = StreamClock()
        self._converter = Converter(name=self.name, longest_px=longest_px)
        self._newest = _Newest()
        self._patient = patient

    def frames(self) -> Iterator[Frame]:
        """The newest frame, each time one is taken; what came meanwhile is counted as dropped."""
        reader = self._start()
        try:
            while not self._stop.is_set():
                frame = self._newest.take(TAKE_S)
                if frame is not None:
                    yield frame
                elif reader.failed is not None:
                    raise reader.failed
                elif reader.is_stuck():
                    reader.given_up.set()
                    logger.warning("camera %s: the reader hangs and is replaced", self.camera_id)
                    reader = self._start()
        finally:
            reader.given_up.set()
            self.health.state = "ended"

    def _start(self) -> _Reader:
        reader = _Reader(
            self._address,
            self.camera_id,
            health=self.health,
            clock=self._clock,
            converter=self._converter,
            newest=self._newest,
            stop=self._stop,
            patient=self._patient,
        )
        reader.start()
        return reader


class _Newest:
    """Holds one frame, the last one that came."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._frame: Frame | None = None

    def put(self, frame: Frame) -> bool:
        """Whether nobody had taken the one before."""
        with self._condition:
            replaced, self._frame = self._frame is not None, frame
            self._condition.notify()
        return replaced

    def wake(self) -> None:
        """Let who waits for a frame see what happened."""
        with self._condition:
            self._condition.notify()

    def take(self, timeout_s: float) -> Frame | None:
        with self._condition:
            if self._frame is None:
                self._condition.wait(timeout_s)
            frame, self._frame = self._frame, None
        return frame


class _Reader(threading.Thread):
    """Reads one stream until it is given up. patient: what fails is tried again; otherwise it ends with `failed`."""

    def __init__(
        self,
        address: str,
        camera_id: str,
        *,
        health: Health,
        clock: StreamClock,
        converter: Converter,
        newest: _Newest,
        stop: Event,
        patient: bool,
    ) -> None:
        super().__init__(name=f"camera {camera_id}", daemon=True)
        self.failed: Exception | None = None
        self.given_up = Event()
        self._address = address
        self._camera_id = camera_id
        self._health = health
        self._clock = clock
        self._converter = converter
        self._newest = newest
        self._stop = stop
        self._patient = patient
        self._thinning = Thinning(fps=health.fps_wanted)
        self._moved_s = time.monotonic()
        self._wait_s = FIRST_WAIT_S
        self._why = ""

    def is_stuck(self) -> bool:
        return time.monotonic() - self._moved_s > STUCK_S

    def run(self) -> None:
        while not self._is_over():
            try:
                self._read()
            except CameraError as error:
                self._lose(error)
            except Exception as error:  # noqa: BLE001 - the edge of this thread: its consumer raises it
                self.failed = error
                self._newest.wake()
                return

    def _is_over(self) -> bool:
        return self._stop.is_set() or self.given_up.is_set()

    def _read(self) -> None:
        """From opening to the break. Raises CameraError when it breaks."""
        health = self._health
        opened_s = time.monotonic()
        with closing(self._open()) as container:
            stream = container.streams.video[0]
            has_times = container.format.name not in WITHOUT_TIMES
            health.codec = stream.codec_context.name
            health.fps_claimed = float(stream.average_rate or 0) if has_times else 0.0
            self._clock.connect(has_times=has_times)
            for picture in decoded(self._packets(container), health, name=self._camera_id):
                if self._is_over():
                    return
                self._take(picture)
                if time.monotonic() - opened_s > STEADY_S:
                    self._wait_s = FIRST_WAIT_S
        raise ended(self._address, silent_s=time.monotonic() - self._moved_s)

    def _open(self) -> InputContainer:
        self._moved_s = time.monotonic()
        if self._health.frames:
            self._health.reconnects += 1
        container = self._guarded(
            lambda: av.open(
                self._address, options=_options(self._address), timeout=(OPEN_S, READ_S), metadata_errors="ignore"
            ),
            opening=True,
        )
        name = without_credentials(self._address)
        if container.duration and self._address.startswith("http"):
            seconds = container.duration / av.time_base
            container.close()
            raise StreamError(
                NO_VIDEO, f"{name}: this is a recording of {seconds:.0f} s, not a stream. Download it, give the file."
            )
        return with_video(container, name=name)

    def _packets(self, container: InputContainer) -> Iterator[av.Packet[VideoStream]]:
        packets = container.demux(container.streams.video[0])
        while (packet := self._guarded(lambda: next(packets, None), opening=False)) is not None:
            self._moved_s = time.monotonic()
            yield packet

    def _guarded(self, call: Callable[[], T], *, opening: bool) -> T:
        """PyAV's errors hold the address with its password, so ours is raised when theirs is gone."""
        began_s = time.monotonic()
        try:
            return call()
        except (av.FFmpegError, OSError) as error:
            broken = explain(error, self._address, opening=opening, took_s=time.monotonic() - began_s)
        raise broken

    def _take(self, picture: av.VideoFrame) -> None:
        health, clock, had_own, was_set = self._health, self._clock, self._clock.own, self._clock.wall_jumps
        jumps = clock.jumps
        if picture.is_corrupt:
            health.damaged += 1
            return
        pts_s = None if picture.time is None else float(picture.time)
        t = clock.take(pts_s, mono_s=self._moved_s, wall_s=time.time())
        self._note_clock(had_own=had_own)
        if t is None or (health.last_t is not None and t <= health.last_t):
            health.dropped += 1
            return
        if health.state == "lost":
            self._note_recovery(t)
        elif health.last_t is not None and t - health.last_t > SILENT_S:
            reason = CLOCK_SET if clock.wall_jumps > was_set else LATE if clock.jumps > jumps else HUNG
            health.note_pause(Pause(health.last_t, t, reason))
        health.note_frame(t)
        health.size_wh = (picture.width, picture.height)
        if self._thinning.keeps(t):
            rgb = self._converter.rgb(picture, t)
            frame = Frame(t=t, rgb=rgb, camera_id=self._camera_id, index=health.frames - 1)
            health.dropped += self._newest.put(frame)

    def _note_clock(self, *, had_own: bool) -> None:
        health, clock = self._health, self._clock
        health.lag_s = clock.lag_s
        if clock.jumps > health.clock_jumps:
            health.note("a clock was set: the camera's, or this machine's; times go on by the wall clock")
        health.clock_jumps = clock.jumps
        if had_own and not clock.own:
            health.note("the stream's clock does not count seconds; pictures have the time of their arrival")

    def _note_recovery(self, t: float) -> None:
        health = self._health
        if health.last_t is not None:
            health.note_pause(Pause(health.last_t, t, self._why))
            logger.info("camera %s: pictures again after %.1f s", self._camera_id, t - health.last_t)
        self._why = ""

    def _lose(self, error: CameraError) -> None:
        """Say why, once for each loss, and wait until the next try."""
        if self._is_over():
            return
        reason = getattr(error, "reason", "connection lost")
        self._health.last_error = str(error)
        if not self._patient:
            self.failed = error
            self.given_up.set()
            self._newest.wake()
            return
        if self._health.state != "lost":
            self._health.state = "lost"
            self._why = reason
            logger.warning("camera %s: %s", self._camera_id, error)
        wait_s = max(self._wait_s, RETRY_S.get(reason, 0.0))
        self._wait_s = min(2.0 * self._wait_s, LONGEST_WAIT_S)
        self._moved_s = time.monotonic() + wait_s
        until = self._moved_s
        while not self._is_over() and time.monotonic() < until:
            self._stop.wait(min(0.5, max(0.0, until - time.monotonic())))


def _options(address: str) -> dict[str, Any]:
    options = {"timeout": "3000000", "analyzeduration": "500000"}
    return options | {"rtsp_transport": "tcp"} if address.startswith("rtsp") else options
