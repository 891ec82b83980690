"""Fewer frames a second, chosen by their times: evenly and without drifting. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from vitrina.floor.camera.health import LATE_S
from vitrina.floor.frame import Frame


class Thinning:
    """Says of each frame's time whether the frame is one of at most `fps` a second; 0 keeps all."""

    def __init__(self, *, fps: float) -> None:
        self._step_s = 1.0 / fps if fps else 0.0
        self._due: float | None = None

    def keeps(self, t: float) -> bool:
        step_s, due = self._step_s, self._due
        if due is not None and due - step_s - LATE_S < t < due - step_s * 0.25:
            return False
        self._due = t + step_s if due is None or t > due + step_s or t < due - step_s else due + step_s
        return True


def thin(frames: Iterator[Frame], *, fps: float) -> Iterator[Frame]:
    """At most `fps` frames a second. What was thinned to this rate already stays as it is."""
    thinning = Thinning(fps=fps)
    for frame in frames:
        if thinning.keeps(frame.t):
            yield frame
