"""How many people were in sight, minute by minute, and how much of each minute was really watched.

What was not watched is a gap with its reason, never an empty shop.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from vitrina.floor.counting.clock import Step, step

MINUTE_S = 60.0
Reason = Literal["no frames", "clock set back", "not running"]
SourceReason = Literal[
    "connection refused",
    "camera hung",
    "connection lost",
    "password refused",
    "no such stream",
    "camera not reachable",
    "not a video",
    "pictures late",
    "clock set forward",
]
"""What the camera itself says about a time without frames, in place of "no frames"."""


@dataclass(frozen=True, slots=True)
class Minute:
    """t: its start. people_mean: over the seconds that were watched."""

    t: float
    people_mean: float
    people_max: int
    watched_s: float


@dataclass(frozen=True, slots=True)
class Gap:
    """Seconds that nobody watched, from t until `until`. A clock set back by an hour makes one of no length."""

    t: float
    until: float
    gap_s: float
    reason: Reason


class PresenceCounter:
    """Takes the number of people at each moment. A pause longer than `gap_s` is a gap."""

    def __init__(self, *, gap_s: float = 2.0) -> None:
        self._gap_s = gap_s
        self._t: float | None = None
        self._people = 0
        self._person_s = 0.0
        self._watched_s = 0.0
        self._most = 0
        self._stopped_t: float | None = None

    def update(self, people: int, t: float) -> list[Minute | Gap]:
        """Returns the minutes that have ended and the gap before t, if there was one. A late frame is dropped."""
        order = step(self._t, t)
        if order is Step.STALE:
            return []
        last = self._t
        stopped = self._stopped_t is not None and t > self._stopped_t
        if stopped or order is Step.RESET:
            self._stopped_t = None
        if last is None:
            found: list[Minute | Gap] = []
        elif order is Step.RESET:
            found = [*self.finish(), Gap(t, t, 0.0, "clock set back")]
        elif t - last > self._gap_s:
            found = [*self._leave_minute(last, t), Gap(last, t, t - last, "not running" if stopped else "no frames")]
        else:
            found = list(self._watch(last, t))
        self._t, self._people, self._most = t, people, max(self._most, people)
        return found

    def finish(self) -> list[Minute]:
        """The minute so far, if any of it was watched; the next begins from nothing."""
        if self._t is None or self._watched_s == 0.0:
            return []
        minute = Minute(
            self._t // MINUTE_S * MINUTE_S, self._person_s / self._watched_s, self._most, round(self._watched_s, 6)
        )
        self._person_s, self._watched_s, self._most = 0.0, 0.0, 0
        return [minute]

    def state(self) -> dict[str, Any]:
        return {
            "t": self._t,
            "people": self._people,
            "person_s": self._person_s,
            "watched_s": self._watched_s,
            "most": self._most,
        }

    def restore(self, state: dict[str, Any], *, stopped_t: float | None = None) -> None:
        """Go on from `state()`; the time without frames after `stopped_t` (or the state's) is a gap: not running.

        stopped_t: the last frame of the worker before, which may not have been counted here yet.
        """
        self._t, self._people, self._most = state["t"], state["people"], state["most"]
        self._person_s, self._watched_s = state["person_s"], state["watched_s"]
        self._stopped_t = state["t"] if stopped_t is None else stopped_t

    def _watch(self, last: float, t: float) -> Iterator[Minute]:
        """Add the seconds since `last`, in which the people of then were there, to the minutes they belong to."""
        edge = (last // MINUTE_S + 1) * MINUTE_S
        if t < edge:
            self._add(t - last)
            return
        self._add(edge - last)
        yield from self.finish()
        self._t, self._most = edge, self._people if t > edge else 0
        self._add(t - edge)

    def _leave_minute(self, last: float, t: float) -> list[Minute]:
        return self.finish() if t // MINUTE_S != last // MINUTE_S else []

    def _add(self, seconds: float) -> None:
        self._watched_s += seconds
        self._person_s += seconds * self._people
