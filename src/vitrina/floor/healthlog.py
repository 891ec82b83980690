"""A camera's health over time: snapshots in, one record for every five minutes out. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

SPAN_S = 300.0
LONGEST_STEP_S = 30.0
"""Snapshots further apart say nothing about the time between them: the worker slept, or its clock was set."""

COUNTED = ("frames", "dropped", "damaged", "reconnects", "clock_jumps")


@dataclass(slots=True)
class HealthSpan:
    """Five minutes of one camera, or the part of them in which somebody watched.

    t: their start. watched_s: that a worker looked after the camera. running_s: of those, with pictures coming.
    frames, dropped, damaged, reconnects, clock_jumps: how many in these minutes. lag_s: the worst.
    """

    t: float
    watched_s: float = 0.0
    running_s: float = 0.0
    fps_claimed: float = 0.0
    fps_wanted: float = 0.0
    frames: int = 0
    dropped: int = 0
    damaged: int = 0
    reconnects: int = 0
    clock_jumps: int = 0
    lag_s: float = 0.0
    state: str = "starting"
    problems: set[str] = field(default_factory=set)
    last_error: str = ""

    @property
    def fps_got(self) -> float:
        return self.frames / self.running_s if self.running_s else 0.0


class HealthLog:
    """Takes `Health.snapshot()` every second or so; one that counts from nothing again is of a camera opened anew."""

    def __init__(self) -> None:
        self._span: HealthSpan | None = None
        self._before: dict[str, int] = dict.fromkeys(COUNTED, 0)
        self._noted_s: float | None = None

    def note(self, snapshot: Mapping[str, Any], t: float) -> list[HealthSpan]:
        """t: the wall clock, seconds since the epoch. The five minutes that are over, if they are."""
        begin = t // SPAN_S * SPAN_S
        over = self.finish() if self._span is not None and self._span.t != begin else []
        span = self._span = self._span or HealthSpan(begin)
        step_s = 0.0 if self._noted_s is None else t - self._noted_s
        if 0.0 < step_s <= LONGEST_STEP_S:
            span.watched_s += step_s
            span.running_s += step_s if snapshot["state"] == "running" else 0.0
        self._noted_s = t
        self._count(span, snapshot)
        span.fps_claimed, span.fps_wanted = snapshot["fps_claimed"], snapshot["fps_wanted"]
        span.lag_s = max(span.lag_s, snapshot["lag_s"])
        span.state = snapshot["state"]
        span.problems |= set(snapshot["problems"])
        span.last_error = snapshot["last_error"] or span.last_error
        return over

    def finish(self) -> list[HealthSpan]:
        """What was noted since the last five minutes were over."""
        span, self._span = self._span, None
        return [span] if span is not None and span.watched_s > 0.0 else []

    def _count(self, span: HealthSpan, snapshot: Mapping[str, Any]) -> None:
        for name in COUNTED:
            now, before = snapshot[name], self._before[name]
            setattr(span, name, getattr(span, name) + (now - before if now >= before else now))
            self._before[name] = now
