"""When a picture of a stream was taken: the stream's own clock, checked against the machine's. Pure.

A stream's timestamps keep the true distance between pictures, however unevenly the network brings them. But they
begin anywhere, drift (100 ppm is 9 s a day), jump, begin anew after a reconnect, and sometimes run at a rate of their
own. So a picture's time is `timestamp + offset`, where the offset follows the least delayed pictures: a picture cannot
arrive before it was taken (the minimum filter of Cristian, "Probabilistic clock synchronization", 1989).
"""

from __future__ import annotations

from vitrina.floor.camera.health import LATE_S

FAR_S = 2.0
"""Clocks that differ by more than this do not drift: one of them was set."""
FAR_FOR_S = 3.0
LATE_FOR_S = 10.0
"""A stalled network, or a machine that has too much to do, brings old pictures, too, but catches up."""
SLEW = 0.01
"""Small differences are worked off so slowly that no dwell time changes by more than this share."""
WINDOW_S = 3.0
WRONG_RATE = 0.03
"""A stream clock that gains or loses so much in each of `WRONG_WINDOWS` windows does not count seconds."""
WRONG_WINDOWS = 3
STEADY = 0.25
"""A wrong clock gains as much in each window, within this share; a busy network or machine does not."""


class StreamClock:
    """Gives each picture its time in seconds since the epoch. Times only grow.

    jumps: how often a clock was found wrong and set anew; wall_jumps: of those, how often it was this machine's.
    lag_s: how late the last picture arrived.
    """

    def __init__(self) -> None:
        self.jumps = 0
        self.wall_jumps = 0
        self.lag_s = 0.0
        self.last_t: float | None = None
        self._wall: _Wall | None = None
        self._stream: _Stream | None = None
        self._mono_s = 0.0
        self._has_times = True

    @property
    def own(self) -> bool:
        """Whether the stream's own timestamps are used; otherwise a picture was taken when it arrives."""
        return self._has_times and not (self._stream is not None and self._stream.is_wrong)

    def connect(self, *, has_times: bool = True) -> None:
        """A new connection begins, with timestamps of its own or (MJPEG over HTTP) without any."""
        self._has_times = has_times
        self._stream = None

    def take(self, pts_s: float | None, *, mono_s: float, wall_s: float) -> float | None:
        """The time of a picture, or None when it came out of order.

        pts_s: its timestamp. mono_s, wall_s: `time.monotonic()` and `time.time()` when it arrived.
        """
        passed_s, self._mono_s = max(0.0, mono_s - self._mono_s), mono_s
        wall = self._wall = self._wall or _Wall(wall_s - mono_s)
        jumped = wall.follow(wall_s - mono_s, mono_s, passed_s, connecting=self._stream is None)
        self.jumps, self.wall_jumps = self.jumps + jumped, self.wall_jumps + jumped
        stream = self._stream = self._stream or _Stream(mono_s - (pts_s or 0.0), mono_s)
        if self.own and pts_s is not None:
            late, jumped = stream.take(pts_s, mono_s, passed_s)
            self.jumps += jumped
            if late:
                return None
            self.lag_s = max(0.0, mono_s - pts_s - stream.offset)
        else:
            self.lag_s = 0.0
        t = mono_s - self.lag_s + wall.base
        if self.last_t is not None and t <= self.last_t:
            return None
        self.last_t = t
        return t


class _Wall:
    """base: the wall clock less the clock that nobody sets."""

    def __init__(self, told: float) -> None:
        self.base = told
        self._far_since: float | None = None
        self._is_behind = False

    def follow(self, told: float, mono_s: float, passed_s: float, *, connecting: bool) -> bool:
        """Go by the wall clock; whether somebody set it.

        Small differences are slewed. Set forward, it is followed; set back, our time goes on and is slewed, because
        what was written already must not be written again.
        """
        if connecting:
            self.base = max(self.base, told)
        far, was_set = told - self.base, False
        if abs(far) <= FAR_S:
            self._far_since, self._is_behind = None, False
        elif self._far_since is None:
            self._far_since = mono_s
        elif mono_s - self._far_since > FAR_FOR_S:
            was_set = far > 0.0 or not self._is_behind
            self._is_behind = far < 0.0
            self.base = max(self.base, told)
        self.base += min(SLEW * passed_s, max(-SLEW * passed_s, told - self.base))
        return was_set


class _Stream:
    """offset: the clock that nobody sets, less the stream's. is_wrong: the stream's clock does not count seconds."""

    def __init__(self, delay: float, mono_s: float) -> None:
        self.offset = delay
        self.is_wrong = False
        self._pts_s: float | None = None
        self._far_since: float | None = None
        self._least_far = delay
        self._begin(delay, mono_s)

    def take(self, pts_s: float, mono_s: float, passed_s: float) -> tuple[bool, bool]:
        """Whether the picture came out of order, and whether the clock was set anew."""
        before, delay = self._pts_s, mono_s - pts_s
        if before is not None and before - LATE_S < pts_s <= before:
            return True, False
        self._pts_s = pts_s
        if (before is not None and pts_s <= before) or delay < self.offset - FAR_S:
            self.offset, self._far_since = delay, None
            self._begin(delay, mono_s)
            return False, True
        jumped = self._follow(delay, mono_s, passed_s)
        self._measure(delay, mono_s)
        return False, jumped

    def _follow(self, delay: float, mono_s: float, passed_s: float) -> bool:
        """A picture that came sooner than any before corrects at once; when all are late for long, a clock is wrong."""
        if self._least_before is not None and self._least_before > self.offset:
            self.offset += min(self._least_before - self.offset, SLEW * passed_s)
        self.offset = min(self.offset, delay)
        if delay - self.offset <= FAR_S:
            self._far_since = None
            return False
        if self._far_since is None:
            self._far_since, self._least_far = mono_s, delay
        self._least_far = min(self._least_far, delay)
        if mono_s - self._far_since <= LATE_FOR_S:
            return False
        self.offset, self._far_since = self._least_far, None
        return True

    def _begin(self, delay: float, mono_s: float) -> None:
        self._began_s, self._least = mono_s, delay
        self._least_before: float | None = None
        self._gained, self._windows = 0.0, 0

    def _measure(self, delay: float, mono_s: float) -> None:
        """Window by window: the least delay, and whether it keeps growing or shrinking faster than clocks drift."""
        self._least = min(self._least, delay)
        window_s = mono_s - self._began_s
        if window_s < WINDOW_S:
            return
        gained = 0.0 if self._least_before is None else (self._least - self._least_before) / window_s
        steady = abs(gained - self._gained) <= STEADY * abs(gained)
        self._windows = self._windows + 1 if steady and abs(gained) > WRONG_RATE else int(abs(gained) > WRONG_RATE)
        self._gained = gained
        self._began_s, self._least, self._least_before = mono_s, delay, self._least
        self.is_wrong = self.is_wrong or self._windows >= WRONG_WINDOWS
