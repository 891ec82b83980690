"""A picture with its time: what a camera gives and everything after it takes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class KnownBoxes:
    """Where people are in a frame, told by its source. boxes_xyxy: (N, 4) pixels. scores: (N,)."""

    boxes_xyxy: NDArray[np.float32]
    scores: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Frame:
    """One decoded picture.

    t: seconds since the epoch (UTC), from the stream's own clock, never from counting frames.
    rgb: (height, width, 3) uint8.
    index: position in the stream, from 0.
    known: where people are, of a source that knows; None of all that must be looked at.
    """

    t: float
    rgb: NDArray[np.uint8]
    camera_id: str
    index: int
    known: KnownBoxes | None = None

    @property
    def size_wh(self) -> tuple[int, int]:
        height, width = self.rgb.shape[:2]
        return width, height
