"""The newest analysed frame of one camera, for those who watch live. Kept in memory, encoded only when asked for."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from vitrina.floor.empty import to_jpeg
from vitrina.floor.frame import Frame
from vitrina.floor.pipeline import Placed

LIVE_WIDTH_PX = 960
QUALITY = 75


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """A frame and who is in it. people: boxes in pixels of the layout (size_wh), points in metres on the plan."""

    frame: Frame
    people: Placed
    size_wh: tuple[int, int]

    def as_json(self) -> dict[str, Any]:
        """size_wh: what the boxes are measured in, whatever size the JPEG has."""
        points = [[round(x, 2), round(y, 2)] if np.isfinite(x) else None for x, y in self.people.points_m.tolist()]
        return {
            "t": self.frame.t,
            "size_wh": list(self.size_wh),
            "boxes_xyxy": np.round(self.people.boxes_xyxy, 1).astype(float).tolist(),
            "points_m": points,
        }


class Newest:
    """Written by the analysis, read by those who answer. encoded: JPEGs made so far, one a frame however many look.

    shown_s: `time.monotonic()` when the frame came here, since the machine's clock may be set back behind its time.
    """

    def __init__(self) -> None:
        self.seen: Seen | None = None
        self.shown_s = 0.0
        self.encoded = 0
        self._encoding = threading.Lock()
        self._kept: tuple[Seen, bytes] | None = None

    def show(self, seen: Seen) -> None:
        self.seen, self.shown_s = seen, time.monotonic()

    def forget(self) -> None:
        """No old picture is shown as if it were now."""
        self.seen = self._kept = None

    def jpeg(self, seen: Seen) -> bytes:
        """At most 960 pixels wide."""
        with self._encoding:
            if self._kept is None or self._kept[0] is not seen:
                self._kept = seen, to_jpeg(_shrunk(seen.frame.rgb), quality=QUALITY)
                self.encoded += 1
            return self._kept[1]


def _shrunk(frame_rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    height, width = frame_rgb.shape[:2]
    if width <= LIVE_WIDTH_PX:
        return frame_rgb
    size_wh = (LIVE_WIDTH_PX, round(height * LIVE_WIDTH_PX / width))
    return np.asarray(cv2.resize(frame_rgb, size_wh, interpolation=cv2.INTER_AREA), np.uint8)
