"""The picture of the empty shop: per-pixel median over time, with everybody who was seen left out.

It is the only picture that is kept, and nobody is on it.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

MAX_WIDTH_PX = 960
BAND_ROWS = 32
"""So many rows of all samples stay in the processor's cache."""
MARGIN = 0.15
"""People are cut out with this share of their box around them: feet and shadows reach beyond the box."""


class EmptyPicture:
    """Takes a frame every `every_s` seconds and keeps the last `samples` of them, without the people in them."""

    def __init__(self, *, every_s: float = 2.0, samples: int = 15) -> None:
        self._every_s = every_s
        self._samples = samples
        self._kept: list[NDArray[np.uint8]] = []
        self._known: NDArray[np.bool_] | None = None
        self._due: float | None = None
        self._taken = 0

    def add(self, frame_rgb: NDArray[np.uint8], boxes_xyxy: NDArray[np.float32], t: float) -> None:
        """frame_rgb: (H, W, 3). boxes_xyxy: (N, 4) pixels of that frame. t: seconds."""
        if self._due is not None and self._due - self._every_s <= t < self._due:
            return
        self._due = t + self._every_s
        small, scale = _shrink(frame_rgb)
        hidden = _mask(small.shape[:2], boxes_xyxy * scale)
        if self._kept and self._kept[-1].shape != small.shape:
            self._kept, self._known = [], None
        if self._kept:
            small = np.where(hidden[..., None], self._kept[-1], small)
        if self._known is None:
            self._known = ~hidden
        else:
            # Behind whom nobody had looked before: what is there now was there all along.
            newly = ~hidden & ~self._known
            self._kept = (
                [np.where(newly[..., None], small, sample) for sample in self._kept] if newly.any() else self._kept
            )
            self._known |= newly
        if len(self._kept) < self._samples:
            self._kept.append(small)
        else:
            self._kept[:-1], self._kept[-1] = self._kept[1:], small
        self._taken += 1

    @property
    def ready(self) -> bool:
        """Whether there are enough samples for a picture without passers-by."""
        return self._taken >= min(5, self._samples)

    def picture(self) -> NDArray[np.uint8] | None:
        """(h, w, 3) uint8, at most 960 wide; None before `ready`. A spot that was never free is grey."""
        if not self.ready or self._known is None:
            return None
        return np.where(self._known[..., None], _median(self._kept), np.uint8(128)).astype(np.uint8)


def to_jpeg(picture_rgb: NDArray[np.uint8], *, quality: int = 85) -> bytes:
    done, data = cv2.imencode(".jpg", picture_rgb[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not done:
        raise ValueError("the picture cannot be stored as JPEG")
    return data.tobytes()


def _median(pictures: list[NDArray[np.uint8]]) -> NDArray[np.uint8]:
    """Per pixel; of an even number the upper one.

    A network of comparisons, each of whole bands of rows: twenty times as fast as sorting every pixel, so that the
    analysis of the other cameras need not wait.
    """
    median = np.empty_like(pictures[0])
    for top in range(0, len(median), BAND_ROWS):
        band = [np.ascontiguousarray(picture[top : top + BAND_ROWS]) for picture in pictures]
        for last in range(len(band) - 1, len(band) // 2 - 1, -1):  # the brightest of the rest goes last
            for n in range(last):
                darker, brighter = cv2.min(band[n], band[n + 1]), cv2.max(band[n], band[n + 1])
                band[n], band[n + 1] = np.asarray(darker, np.uint8), np.asarray(brighter, np.uint8)
        median[top : top + BAND_ROWS] = band[len(band) // 2]
    return median


def _shrink(frame_rgb: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], float]:
    height, width = frame_rgb.shape[:2]
    scale = min(1.0, MAX_WIDTH_PX / width)
    if scale == 1.0:
        return frame_rgb, scale
    size_wh = (round(width * scale), round(height * scale))
    return np.asarray(cv2.resize(frame_rgb, size_wh, interpolation=cv2.INTER_AREA), np.uint8), scale


def _mask(shape_hw: tuple[int, ...], boxes_xyxy: NDArray[np.float32]) -> NDArray[np.bool_]:
    hidden = np.zeros(shape_hw, dtype=bool)
    for x1, y1, x2, y2 in boxes_xyxy:
        dx, dy = MARGIN * (x2 - x1), MARGIN * (y2 - y1)
        top, left = max(0, int(y1 - dy)), max(0, int(x1 - dx))
        hidden[top : max(0, int(y2 + dy)) + 1, left : max(0, int(x2 + dx)) + 1] = True
    return hidden
