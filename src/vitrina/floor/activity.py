"""What moved in one camera's picture since it was last looked at. Pure: small grey pictures in, cells out.

A cell is busy when it differs from the picture that was last *looked at* there, so that slow movement adds up, and from
the slow background too, so that what comes back to rest costs nothing. How much a cell differs without anybody being
there (noise, compression, a screen, leaves) is learnt from the detector's own verdicts: a busy cell in which it finds
nobody grows harder to disturb. Lamps and automatic exposure brighten the whole picture, so pictures are compared after
one gain was taken out; when that does not explain the difference, the light was switched.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Self

import cv2
import numpy as np
from numpy.typing import NDArray

Grey = NDArray[np.float32]
Cells = NDArray[np.bool_]

GREY_STEP = 2
"""The small picture has one pixel for so many of the detector's input, each way."""

CELL_PX = 4
"""Sides of a cell in pixels of the small picture."""

CELL_STEP = GREY_STEP * CELL_PX
"""Sides of a cell in pixels of the detector's input: a person is at least four cells high."""

DARK = 16.0
"""Added before pictures are divided, so that noise in the dark is no change of light."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ActivityOptions:
    """Differences are mean grey levels (0–255) of a cell.

    floor: what always is too little.  noise_times: so many times a cell's own noise is too little as well.
    ceiling: what always is enough.  quiet_s, background_s: over which time noise and background are learnt.
    false_alarm: share by which the noise of a busy cell nears what it just did, when nobody was found there.
    switched: share of busy cells, or change of gain, from which the whole picture is new.
    """

    floor: float = 4.0
    noise_times: float = 2.0
    ceiling: float = 30.0
    quiet_s: float = 5.0
    background_s: float = 10.0
    false_alarm: float = 0.3
    switched: float = 0.5
    switched_gain: float = 1.25


@dataclass(frozen=True, slots=True, eq=False)
class Activity:
    """What one picture says. busy: (rows, columns). change: mean grey levels of each cell. switched: all is new."""

    busy: Cells
    change: Grey
    switched: bool


def small_grey(canvas_rgb: NDArray[np.uint8]) -> Grey:
    """(H, W, 3) uint8 in the detector's input size → (H / 2, W / 2) float32, box-filtered and smoothed."""
    grey = cv2.cvtColor(canvas_rgb, cv2.COLOR_RGB2GRAY)
    height, width = grey.shape
    half = cv2.resize(grey, (width // GREY_STEP, height // GREY_STEP), interpolation=cv2.INTER_AREA)
    return cv2.blur(half, (3, 3)).astype(np.float32)


class ActivityMap:
    """One camera's memory, of fixed size. Ask `compare` what moved, then say with `learn` what was looked at."""

    def __init__(self, first: Grey, *, options: ActivityOptions | None = None) -> None:
        """first: (h, w), sides multiples of the cell; nothing is known but this picture."""
        self._options = options or ActivityOptions()
        self._looked = _Picture.of(first.copy())
        self._background = first.copy()
        self._noise = np.zeros_like(_cell_means(first))

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of cells."""
        rows, columns = self._noise.shape
        return rows, columns

    def compare(self, grey: Grey, people: Cells) -> Activity:
        """grey: (h, w). people: (rows, columns), where somebody was last seen: any change there is worth a look."""
        options = self._options
        now = _Picture.of(grey)
        change, gain = _difference(now, self._looked)
        enough = np.minimum(options.floor + options.noise_times * self._noise, options.ceiling)
        busy = change > enough
        if (busy & ~people).any():
            from_background, _ = _difference(now, _Picture.of(self._background))
            busy &= (from_background > enough) | people
        switched = float(busy.mean()) > options.switched or not 1 / options.switched_gain < gain < options.switched_gain
        return Activity(_without_specks(busy), change, switched)

    def learn(self, grey: Grey, activity: Activity, *, looked: Cells, people: Cells, dt: float) -> None:
        """looked: cells the detector has seen in `grey`; people: cells with a person now. dt: seconds since before."""
        options = self._options
        if activity.switched and looked.all():
            self._background = grey.copy()
        mistaken = activity.busy & looked & ~people
        quiet = ~activity.busy & ~people
        step = np.float32(_share(dt, options.quiet_s)) * quiet + np.float32(options.false_alarm) * mistaken
        if not activity.switched:
            self._noise += step * (activity.change - self._noise)
        if looked.any():
            cv2.copyTo(grey, _to_pixels(looked), self._looked.grey)
            self._looked = _Picture.of(self._looked.grey)
        learnt = _to_pixels(quiet | mistaken)
        cv2.accumulateWeighted(grey, self._background, _share(dt, options.background_s), learnt)


@dataclass(frozen=True, slots=True, eq=False)
class _Picture:
    """A small grey picture with the means of its cells."""

    grey: Grey
    means: Grey

    @classmethod
    def of(cls, grey: Grey) -> Self:
        return cls(grey, _cell_means(grey))


def _difference(now: _Picture, before: _Picture) -> tuple[Grey, float]:
    """Mean absolute difference of each cell once the common gain is taken out, and that gain."""
    gain = float(np.median((now.means + DARK) / (before.means + DARK)))
    expected = before.grey * np.float32(gain) + np.float32(DARK * (gain - 1))
    return _cell_means(np.abs(now.grey - expected)), gain


def _cell_means(grey: Grey) -> Grey:
    height, width = grey.shape
    size = (width // CELL_PX, height // CELL_PX)
    return np.asarray(cv2.resize(grey, size, interpolation=cv2.INTER_AREA), np.float32)


def _without_specks(busy: Cells) -> Cells:
    """Cells that are busy together with a neighbour."""
    around = cv2.boxFilter(busy.astype(np.uint8), -1, (3, 3), normalize=False, borderType=cv2.BORDER_CONSTANT)
    return busy & (around > 1)


def _to_pixels(cells: Cells) -> NDArray[np.uint8]:
    rows, columns = cells.shape
    size = (columns * CELL_PX, rows * CELL_PX)
    return np.asarray(cv2.resize(cells.view(np.uint8), size, interpolation=cv2.INTER_NEAREST), np.uint8)


def _share(dt: float, over_s: float) -> float:
    """The share with which a running mean over `over_s` takes in what lasted `dt`."""
    return -math.expm1(-max(dt, 0.0) / over_s)
