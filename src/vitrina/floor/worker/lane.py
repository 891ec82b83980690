"""One live camera in a worker: a thread opens it, keeps its newest due frames, and opens it again after an error."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from threading import Event
from typing import Any

from vitrina.errors import CameraError, VitrinaError
from vitrina.floor.camera import Camera, Health, thin
from vitrina.floor.frame import Frame
from vitrina.floor.given import GivenBoxes
from vitrina.floor.look import Look, Looker
from vitrina.floor.watch import CameraWatch, Watch
from vitrina.floor.worker.address import What
from vitrina.floor.worker.inputs import InputChoice
from vitrina.floor.worker.newest import Newest, Seen
from vitrina.floor.worker.share import Place

logger = logging.getLogger(__name__)

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.5, 30.0
STEADY_S = 60.0
"""A camera that ran for so long is opened again at once."""
FRESH_S = 5.0
"""An older picture is not shown as if it were now."""
LATELY = 0.05
"""How much the newest frame counts in means."""
WAITING = 15
"""So many due frames wait for the analysis: seconds in which every camera has much to look at, or in which another
process holds this machine up, cost no frame. Who watches live is later by no more than that; 1080p, halved, takes
1.5 MB a frame meanwhile."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A camera that is ready. input_hw: the detector's input for it; while it is None, `choice` looks for one."""

    camera: Camera
    under: CameraWatch
    looker: Looker | GivenBoxes
    input_hw: tuple[int, int] | None = None
    choice: InputChoice | None = None


class Lane:
    """`take` and `step` are for the analysis' thread, `reply` for those who answer, `tend` for who looks after it.

    missed: frames that were due and that the analysis did not come to before `WAITING` newer ones.
    watched: what was seen since the camera was opened last. error: why it is not watched now.
    """

    def __init__(self, place: Place, open_: Callable[[Event], Opened], *, fps: float, arrived: Event) -> None:
        """open_: raises VitrinaError. fps: so many frames a second are due. arrived: set with each of them."""
        self.place = place
        self.newest = Newest()
        self.missed = 0
        self.error: Exception | None = None
        self._open_it, self._fps, self._arrived = open_, fps, arrived
        self._stop = Event()
        self._lock = threading.Lock()
        self._opened: Opened | None = None
        self.watched = Watch(Health())
        self.was_open = False
        self._trouble = ""
        self._since, self._state = time.time(), "starting"
        self._waiting: deque[Frame] = deque(maxlen=WAITING)
        self._is_new = False
        self._share, self._cost_s = 0.0, 0.0
        self._thread = threading.Thread(target=self._run, name="/".join(place), daemon=True)

    @property
    def camera_id(self) -> str:
        return "/".join(self.place)

    @property
    def looker(self) -> Looker | GivenBoxes | None:
        return self._opened.looker if self._opened else None

    @property
    def is_behind(self) -> bool:
        """Whether frames wait still."""
        return self._opened is not None and bool(self._waiting)

    @property
    def _health(self) -> Health:
        return self.watched.health

    def start(self) -> None:
        self._thread.start()

    def ask_to_stop(self) -> None:
        self._stop.set()

    def keep(self) -> None:
        """What was seen is safe on this disk, and reaches the lake even if nobody closes the camera any more."""
        with self._lock:
            if self._opened is not None:
                self._opened.under.sink.keep()

    def close(self, *, within_s: float = 6.0) -> None:
        """Put away what was seen, whether or not the camera lets go of its thread."""
        self._stop.set()
        self._let_go()
        self._thread.join(within_s)

    def take(self) -> Frame | None:
        """The oldest of the frames that wait: the tracker needs them in order."""
        opened = self._opened
        if opened is None or not self._waiting:
            return None
        if self._is_new:
            self._is_new = False
            opened.looker.forget(self.camera_id)
            if opened.input_hw is not None:
                opened.looker.set_input(self.camera_id, opened.input_hw)
        try:
            return self._waiting.popleft()
        except IndexError:  # it was let go meanwhile
            return None

    def step(self, frame: Frame, look: Look) -> None:
        """What was found in a frame. An error is this camera's own: it is noted, and the camera opened again."""
        start = time.thread_time()
        with self._lock:
            if self._opened is None or self.error is not None:
                return
            try:
                self._step(self._opened, frame, look)
            except Exception as error:  # noqa: BLE001 - the edge of a worker loop; `_run` says what it was
                self.error = error
        self._share += LATELY * (look.share - self._share)
        self._cost_s += LATELY * (look.cost_s + time.thread_time() - start - self._cost_s)

    def fail(self, error: Exception) -> None:
        self.error = error

    def tend(self) -> None:
        """Now and then, also while no frames come."""
        self._mark_state()
        with self._lock:
            opened = self._opened
            if opened is not None:
                opened.under.tend()
        if opened is not None and opened.choice is not None:
            opened.choice.keep()

    def reply(self, what: What) -> tuple[dict[str, Any], bytes | None]:
        seen = self.newest.seen
        if what == "health":
            return self.health(), None
        if seen is None or max(time.time() - seen.frame.t, time.monotonic() - self.newest.shown_s) > FRESH_S:
            return self._brief() | {"t": None, "size_wh": None, "boxes_xyxy": [], "points_m": []}, None
        return self._brief() | seen.as_json(), self.newest.jpeg(seen) if what == "newest" else None

    def health(self) -> dict[str, Any]:
        """since: when the present state began, seconds since the epoch."""
        state = self.watched if self._opened else Watch(self._health)
        return self._health.snapshot() | self._brief() | {
            "people": state.people,
            "inside": dict(state.inside),
            "analysed": self.watched.frames,
            "missed": self.missed,
            "looked_share": round(self._share, 4),
            "cost_ms": round(self._cost_s * 1000, 3),
            "encoded": self.newest.encoded,
            "pid": os.getpid(),
        }  # fmt: skip

    def _mark_state(self) -> None:
        """What made us open a camera again holds until a frame of it was analysed."""
        state = "lost" if self._trouble else self._health.state
        if state != self._state:
            self._state, self._since = state, time.time()

    def _brief(self) -> dict[str, Any]:
        self._mark_state()
        shop, camera = self.place
        return {
            "shop": shop,
            "camera": camera,
            "state": self._state,
            "since": self._since,
            "last_error": self._trouble or self._health.last_error,
            "problems": list(self._health.problems),
        }

    def _run(self) -> None:
        pause_s = FIRST_PAUSE_S
        while not self._stop.is_set():
            began = time.monotonic()
            try:
                self._read(self._open_it(self._stop))
            except Exception as error:  # noqa: BLE001 - the edge of a worker loop: the others go on
                self._note(error)
            if time.monotonic() - began >= STEADY_S:
                pause_s = FIRST_PAUSE_S
            self._stop.wait(pause_s)
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)

    def _read(self, opened: Opened) -> None:
        with self._lock:
            self._opened, self.watched, self.error = opened, opened.under.state, None
            self._health.fps_wanted, self._is_new, self.was_open = self._fps, True, True
        try:
            for frame in self._due(opened.camera):
                self.missed += len(self._waiting) == WAITING
                self._waiting.append(frame)
                self._arrived.set()
        finally:
            self._let_go()
        if self.error is not None:
            raise self.error
        if not self._stop.is_set():
            raise CameraError(f"camera {self.camera_id}: its source came to an end.")

    def _due(self, camera: Camera) -> Iterator[Frame]:
        for frame in thin(camera.frames(), fps=self._fps):
            if self._stop.is_set() or self.error is not None:
                return
            yield frame

    def _let_go(self) -> None:
        """Nothing is analysed any more; what is there is put away."""
        with self._lock:
            opened, self._opened = self._opened, None
            self._waiting.clear()
            self.newest.forget()
        if opened is not None:
            opened.under.close()

    def _step(self, opened: Opened, frame: Frame, look: Look) -> None:
        opened.under.step(frame, look.boxes_xyxy, look.scores)
        self._trouble = ""
        people = opened.under.pipeline.now()
        if people is not None:
            self.newest.show(Seen(frame, people, opened.under.layout.size_wh))
        if opened.choice is not None and (found := opened.choice.add(frame.size_wh, look.boxes_xyxy, look.scores)):
            opened.looker.set_input(self.camera_id, found)

    def _note(self, error: Exception) -> None:
        if isinstance(error, VitrinaError):
            logger.warning("camera %s: %s", self.camera_id, error)
        else:
            logger.error("camera %s: it is opened again", self.camera_id, exc_info=error)
        self.error = error
        self._trouble = str(error) if isinstance(error, VitrinaError) else type(error).__name__
        self._health.state, self._health.last_error = "lost", self._trouble
