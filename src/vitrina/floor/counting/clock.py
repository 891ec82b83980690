"""Guards what counts over time against a clock that goes wrong. The pipeline's time only grows; this makes sure."""

from __future__ import annotations

import math
from enum import Enum

from vitrina.errors import InputError

REORDER_S = 2.0
"""A step back shorter than this is a frame out of order, a longer one a new time base. As the tracker's `late_s`: whom
that tracks, no counter may leave out.
"""


class Step(Enum):
    """How a moment stands to the one before: go on; drop this frame; close everything and begin again."""

    FORWARD = "forward"
    STALE = "stale"
    RESET = "reset"


def step(last: float | None, t: float) -> Step:
    """t, last: seconds since the epoch. Raises InputError when t is no number."""
    if not math.isfinite(t):
        raise InputError(f"expected a time in seconds since the epoch, got {t}")
    if last is None or t >= last:
        return Step.FORWARD
    return Step.STALE if last - t < REORDER_S else Step.RESET
