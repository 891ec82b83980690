"""A picture with its time: what a camera gives and everything after it takes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Frame:
    """One decoded picture.

    t: seconds since the epoch (UTC), from the stream's own clock, never from counting frames.
    rgb: (height, width, 3) uint8.
    index: position in the stream, from 0.
    """

    t: float
    rgb: NDArray[np.uint8]
    camera_id: str
    index: int

    @property
    def size_wh(self) -> tuple[int, int]:
        height, width = self.rgb.shape[:2]
        return width, height
