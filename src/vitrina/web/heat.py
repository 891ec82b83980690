"""Where people spent their time, as a see-through picture: over the plan, or over a camera's picture of the floor."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from vitrina.floor.measures.figures import Heat

Floats = NDArray[np.float64]

RAMP = np.array(
    [[255, 214, 102, 0], [255, 196, 61, 120], [247, 129, 38, 180], [214, 48, 49, 210], [122, 12, 74, 225]], np.float64
)
"""From a cell that somebody only passed to the one where people stood longest: red, green, blue, alpha."""

CEILING_QUANTILE = 0.995
"""The cells above are drawn like the one at this quantile: one person who sat all day must not hide the rest."""

PLAN_SCALE = 4
MAX_SIDE_PX = 640


def on_plan(heat: Heat) -> NDArray[np.uint8]:
    """(ny · 4, nx · 4, 4) RGBA that covers the grid's rectangle, cells smoothed into one another."""
    scale = max(1, min(PLAN_SCALE, MAX_SIDE_PX // max(heat.nx, heat.ny)))
    y, x = np.mgrid[0 : heat.ny * scale, 0 : heat.nx * scale]
    return colours(_sample(levels(heat), (x + 0.5) / scale - 0.5, (y + 0.5) / scale - 0.5))


def on_picture(heat: Heat, to_plan: Callable[[Floats], Floats], size_wh: tuple[int, int]) -> NDArray[np.uint8]:
    """RGBA of at most 640 pixels a side that covers the camera's picture.

    to_plan: (N, 2) picture pixels → (N, 2) metres on the plan, NaN for what is not floor.
    """
    width, height = size_wh
    shrink = max(1.0, max(size_wh) / MAX_SIDE_PX)
    columns, rows = round(width / shrink), round(height / shrink)
    y, x = np.mgrid[0:rows, 0:columns]
    pixels = np.column_stack([(x.ravel() + 0.5) * shrink, (y.ravel() + 0.5) * shrink])
    cells = (to_plan(pixels) * 100 - (heat.x0, heat.y0)) / heat.cell_cm - 0.5
    return colours(_sample(levels(heat), cells[:, 0].reshape(rows, columns), cells[:, 1].reshape(rows, columns)))


def levels(heat: Heat) -> Floats:
    """(ny, nx) from 0 (nobody) to 1, by the square root: twice the colour is four times the time."""
    seconds = np.asarray(heat.seconds, np.float64).reshape(heat.ny, heat.nx)
    walked = seconds[seconds > 0]
    if not walked.size:
        return seconds
    ceiling = float(np.quantile(walked, CEILING_QUANTILE))
    return np.sqrt(np.clip(seconds / ceiling, 0.0, 1.0))


def colours(shares: Floats) -> NDArray[np.uint8]:
    """(H, W) shares of the ramp → (H, W, 4) RGBA."""
    steps = np.linspace(0.0, 1.0, len(RAMP))
    return np.stack([np.interp(shares, steps, RAMP[:, channel]) for channel in range(4)], axis=-1).astype(np.uint8)


def _sample(grid: Floats, x: Floats, y: Floats) -> Floats:
    """Bilinear values of `grid` at cell coordinates (0, 0 is the middle of the first cell); 0 outside and at NaN."""
    padded = np.pad(grid, 1)
    outside = ~(np.isfinite(x) & np.isfinite(y))
    column = np.where(outside, 0.0, np.clip(x + 1, 0, padded.shape[1] - 1.001))
    row = np.where(outside, 0.0, np.clip(y + 1, 0, padded.shape[0] - 1.001))
    left, top = column.astype(int), row.astype(int)
    right_part, low_part = column - left, row - top
    upper = padded[top, left] * (1 - right_part) + padded[top, left + 1] * right_part
    lower = padded[top + 1, left] * (1 - right_part) + padded[top + 1, left + 1] * right_part
    return np.asarray(np.where(outside, 0.0, upper * (1 - low_part) + lower * low_part))
