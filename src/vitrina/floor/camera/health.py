"""What a source claimed and what it gave: written by the camera's thread, read by everybody else."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass, field
from typing import Any, Literal

from vitrina.floor.picture_check import PROBLEMS, Problem

__all__ = ["LATE_S", "PROBLEMS", "Health", "Pause", "Problem", "State"]

LATE_S = 1.0
"""A frame older than the last by up to this came out of order; an older one means that the clock began anew."""

State = Literal["starting", "running", "lost", "ended"]

NOTES_KEPT = 50
PAUSES_KEPT = 100
MARK_EVERY_S = 1.0
SETTLE_S = 1.0


@dataclass(frozen=True, slots=True)
class Pause:
    """A time without pictures by the frames' own clock, from the last one before it until the first after it."""

    t: float
    until: float
    reason: str


@dataclass(slots=True)
class Health:
    """How one source is doing. No text in it holds a password.

    fps_claimed: frames a second by the header, 0 where it says none. fps_wanted: as many are looked at, 0 for all.
    frames: those that came. dropped: came late or out of order and were left out. damaged: could not be decoded.
    lag_s: the wall clock now less the newest frame's time by the stream's clock.
    reconnects: how often the source was opened again. clock_jumps: how often its clock was found wrong and set anew.
    last_wall_s: `time.time()` when the newest frame came. problems: what is wrong with the picture.
    recent_s: `fps_got` is over so many seconds; None: over the whole recording.
    """

    fps_claimed: float = 0.0
    frames: int = 0
    dropped: int = 0
    damaged: int = 0
    first_t: float | None = None
    last_t: float | None = None
    notes: list[str] = field(default_factory=list)
    state: State = "starting"
    fps_wanted: float = 0.0
    reconnects: int = 0
    lag_s: float = 0.0
    clock_jumps: int = 0
    last_error: str = ""
    last_wall_s: float | None = None
    problems: tuple[Problem, ...] = ()
    codec: str = ""
    size_wh: tuple[int, int] | None = None
    recent_s: float | None = None
    _pauses: deque[Pause] = field(default_factory=lambda: deque(maxlen=PAUSES_KEPT))
    _marks: deque[tuple[float, int]] = field(default_factory=deque)
    _settled_t: float | None = None

    @property
    def fps_got(self) -> float:
        begin_t, before = self._marks[0] if self._marks else (self.first_t, 1)
        if begin_t is None or self.last_t is None or self.last_t <= begin_t or self.state == "lost":
            return 0.0
        if self.recent_s is not None and not self._marks:
            return 0.0
        return (self.frames - before) / (self.last_t - begin_t)

    def note_frame(self, t: float) -> None:
        """A frame of time t came."""
        self.frames += 1
        self.first_t = t if self.first_t is None else self.first_t
        self.last_t = t
        self.last_wall_s = time.time()
        self.state = "running"
        if self.recent_s is not None:
            self._mark(t, self.recent_s)

    def _mark(self, t: float, recent_s: float) -> None:
        """The first second of a connection says nothing: what had gathered comes at once."""
        self._settled_t = t + SETTLE_S if self._settled_t is None else self._settled_t
        if t >= (self._marks[-1][0] + MARK_EVERY_S if self._marks else self._settled_t):
            self._marks.append((t, self.frames))
            while self._marks[0][0] < t - recent_s:
                self._marks.popleft()

    def is_late(self, t: float) -> bool:
        """Whether t does not go forward; a frame of such a time is counted as dropped."""
        late = self.last_t is not None and t <= self.last_t
        self.dropped += late
        return late

    def note(self, text: str) -> None:
        """Remember a remark; the oldest are forgotten."""
        self.notes.append(text)
        del self.notes[:-NOTES_KEPT]

    def note_pause(self, pause: Pause) -> None:
        """Pictures came again. What was measured before it says nothing about the rate from now on."""
        self._pauses.append(pause)
        self._marks.clear()
        self._settled_t = None

    def reason_for(self, t: float, until: float) -> str | None:
        """Why no frame was seen between two times, where a pause of the source is most of the reason."""
        shared = [(min(p.until, until) - max(p.t, t), p.reason) for p in tuple(self._pauses)]
        longest_s, reason = max(shared, default=(0.0, ""))
        return reason if longest_s > 0.5 * (until - t) else None

    def snapshot(self) -> dict[str, Any]:
        """Everything as JSON: for the worker's socket, the log, the health table."""
        return {
            "state": self.state,
            "fps_claimed": round(self.fps_claimed, 3),
            "fps_wanted": round(self.fps_wanted, 3),
            "fps_got": round(self.fps_got, 3),
            "frames": self.frames,
            "dropped": self.dropped,
            "damaged": self.damaged,
            "reconnects": self.reconnects,
            "clock_jumps": self.clock_jumps,
            "lag_s": round(self.lag_s, 3),
            "first_t": self.first_t,
            "last_t": self.last_t,
            "last_wall_s": self.last_wall_s,
            "last_error": self.last_error,
            "problems": list(self.problems),
            "notes": list(self.notes),
            "codec": self.codec,
            "size_wh": list(self.size_wh) if self.size_wh else None,
        }
