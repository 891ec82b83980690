"""Which parts of a picture are worth a look, and how parts of several pictures lie side by side in one. Pure.

Coordinates are pixels of the detector's input. A region is (left, top, right, bottom) in whole pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from vitrina.floor.activity import CELL_STEP, Cells

Boxes = NDArray[np.float32]
Region = tuple[int, int, int, int]

AROUND_WH = (16, 8)
"""What is left beside, and above and below, whatever moved: the detector judges people by their surroundings too."""

NEWCOMER_WH = (64, 96)
"""The least region where something moved and nobody is known: a foot may be all that moved of somebody."""

STEP_PX = 32
"""Sides of canvases are multiples of this."""

INFERENCE_PX = 6_000
"""What one more inference costs on its own, in pixels of canvas (measured: 1.7 ms, and 0.29 µs a pixel)."""

WIDTHS = range(64, 512, STEP_PX)
"""Canvases tried; a wider part makes a wider one."""

CANVAS_PX = 150_000
"""The largest canvas, unless one part alone is larger: about a whole look."""


@dataclass(frozen=True, slots=True)
class Canvas:
    """One input for the detector. places: (index of the part, left, top)."""

    size_wh: tuple[int, int]
    places: tuple[tuple[int, int, int], ...]


def cells_of(boxes_xyxy: Boxes, shape: tuple[int, int]) -> Cells:
    """(rows, columns): the cells that boxes (N, 4) touch."""
    cells = np.zeros(shape, np.bool_)
    for rows, columns in _spans(boxes_xyxy):
        cells[rows, columns] = True
    return cells


def touched(boxes_xyxy: Boxes, cells: Cells) -> NDArray[np.bool_]:
    """(N,): whether any of `cells` lies in each box."""
    if not cells.any():
        return np.zeros(len(boxes_xyxy), np.bool_)
    return np.array([cells[rows, columns].any() for rows, columns in _spans(boxes_xyxy)], np.bool_)


def regions_of(busy: Cells, people_xyxy: Boxes) -> list[Region]:
    """Regions that hold all busy cells, and whole every person any part of whom is busy.

    people_xyxy: (N, 4), where people were last seen.
    """
    disturbed = people_xyxy[touched(people_xyxy, busy)]
    known = cells_of(disturbed, (busy.shape[0], busy.shape[1]))
    count, labels, stats, _ = cv2.connectedComponentsWithStats((busy | known).astype(np.uint8), connectivity=8)
    of_people = set(np.unique(labels[known]).tolist())
    size_wh = (busy.shape[1] * CELL_STEP, busy.shape[0] * CELL_STEP)
    found = [
        _grown(stats[label, :4].tolist(), size_wh, least_wh=(0, 0) if label in of_people else NEWCOMER_WH)
        for label in range(1, count)
    ]
    return merged(found)


def merged(regions: Sequence[Region]) -> list[Region]:
    """Two regions become one wherever that costs no more pixels."""
    waiting, done = list(regions), list[Region]()
    while waiting:
        region = waiting.pop()
        for other in done:
            union = _union(region, other)
            if area(union) <= area(region) + area(other):
                done.remove(other)
                waiting.append(union)
                break
        else:
            done.append(region)
    return done


def area(region: Region) -> int:
    left, top, right, bottom = region
    return (right - left) * (bottom - top)


def pack(sizes_wh: Sequence[tuple[int, int]]) -> list[Canvas]:
    """Parts onto as few and small canvases as shelves allow, the highest parts first."""
    waiting = sorted(range(len(sizes_wh)), key=lambda part: (-sizes_wh[part][1], -sizes_wh[part][0]))
    canvases = []
    while waiting:
        canvas = _best_canvas(waiting, sizes_wh)
        placed = {part for part, _, _ in canvas.places}
        waiting = [part for part in waiting if part not in placed]
        canvases.append(canvas)
    return canvases


def cost_px(canvases: Sequence[Canvas]) -> int:
    """What they cost the detector, in pixels."""
    return sum(INFERENCE_PX + canvas.size_wh[0] * canvas.size_wh[1] for canvas in canvases)


def _best_canvas(parts: Sequence[int], sizes_wh: Sequence[tuple[int, int]]) -> Canvas:
    """The canvas that takes most of the parts, the smallest of those that take as many."""
    narrowest = _whole_steps(max(sizes_wh[part][0] for part in parts))
    highest = _whole_steps(max(sizes_wh[part][1] for part in parts))
    widths = [narrowest, *(width for width in WIDTHS if narrowest < width <= CANVAS_PX // highest)]
    canvases = [_shelves(parts, sizes_wh, width) for width in widths]
    return min(canvases, key=lambda canvas: (-len(canvas.places), canvas.size_wh[0] * canvas.size_wh[1]))


def _shelves(parts: Sequence[int], sizes_wh: Sequence[tuple[int, int]], width: int) -> Canvas:
    """Each part onto the first shelf with room, else onto a new one, as long as the canvas stays small enough."""
    shelves: list[tuple[int, int]] = []  # top and what is filled of the width
    places: list[tuple[int, int, int]] = []
    bottom = 0
    for part in parts:
        wide, high = sizes_wh[part]
        shelf = next((i for i, (_, filled) in enumerate(shelves) if filled + wide <= width), None)
        if shelf is None:
            if places and width * _whole_steps(bottom + high) > CANVAS_PX:
                continue
            shelf = len(shelves)
            shelves.append((bottom, 0))
            bottom += high
        top, filled = shelves[shelf]
        places.append((part, filled, top))
        shelves[shelf] = (top, filled + wide)
    return Canvas((width, _whole_steps(bottom)), tuple(places))


def _whole_steps(side: int) -> int:
    return max(2 * STEP_PX, -(-side // STEP_PX) * STEP_PX)


def _spans(boxes_xyxy: Boxes) -> list[tuple[slice, slice]]:
    """Rows and columns of cells that each box touches."""
    if not len(boxes_xyxy):
        return []
    first = np.floor(boxes_xyxy[:, :2] / CELL_STEP).clip(0).astype(int).tolist()
    last = np.ceil(boxes_xyxy[:, 2:] / CELL_STEP).clip(0).astype(int).tolist()
    return [(slice(top, bottom), slice(left, right)) for (left, top), (right, bottom) in zip(first, last, strict=True)]


def _grown(cells_xywh: Sequence[int], size_wh: tuple[int, int], *, least_wh: tuple[int, int]) -> Region:
    """The region around a rectangle of cells: with its surroundings, about so large at least, inside the picture."""
    spans = []
    for axis in (0, 1):
        start, length = cells_xywh[axis] * CELL_STEP, cells_xywh[axis + 2] * CELL_STEP
        around = max(AROUND_WH[axis], (least_wh[axis] - length) // 2 // CELL_STEP * CELL_STEP)
        first, last = start - around, start + length + around
        spans.append((max(0, first), min(size_wh[axis], last)))
    (left, right), (top, bottom) = spans
    return left, top, right, bottom


def _union(a: Region, b: Region) -> Region:
    return min(a[0], b[0]), min(a[1], b[1]), max(a[2], b[2]), max(a[3], b[3])
