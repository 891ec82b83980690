"""Boxes of parts put together into those of the whole picture: nobody twice, nobody in pieces. Pure.

Coordinates are pixels of the detector's input.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from vitrina.floor.regions import Region
from vitrina.floor.tracking.box import overlaps
from vitrina.models.decode import suppress

Boxes = NDArray[np.float32]

BORDER_PX = 3.0
"""A box that comes so near to a border inside the picture may be the piece of somebody."""

SAME_IOU = 0.5
PIECE_IOU, PIECE_INSIDE = 0.3, 0.6
"""A piece that overlaps a whole box so much, or lies so far in it, belongs to it."""


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """boxes_xyxy: (N, 4) float32. scores: (N,) float32."""

    boxes_xyxy: Boxes
    scores: NDArray[np.float32]

    @classmethod
    def nobody(cls) -> Self:
        return cls(np.zeros((0, 4), np.float32), np.zeros(0, np.float32))

    def with_inside(self) -> Found:
        """Those that are at least a pixel wide and high."""
        sides = self.boxes_xyxy[:, 2:] - self.boxes_xyxy[:, :2]
        return self.take(sides.min(axis=1, initial=np.inf) >= 1.0)

    def sure(self, least: float) -> Boxes:
        """(M, 4): the boxes that are at least so sure."""
        return self.boxes_xyxy[self.scores >= least]

    def take(self, which: NDArray[np.bool_] | NDArray[np.intp]) -> Found:
        return Found(self.boxes_xyxy[which], self.scores[which])

    def join(self, other: Found) -> Found:
        return Found(np.concatenate([self.boxes_xyxy, other.boxes_xyxy]), np.concatenate([self.scores, other.scores]))

    def __len__(self) -> int:
        return len(self.scores)


def part_of(found: Found, corner: tuple[int, int], region: Region) -> Found:
    """What was found of `region` when it lay with its left top at `corner` of a canvas; pixels of its own picture.

    A box belongs to the part in which its centre lies, and ends where that ends.
    """
    shift = np.tile(np.array(region[:2], np.float32) - np.array(corner, np.float32), 2)
    boxes_xyxy = found.boxes_xyxy + shift
    low, high = np.array(region[:2], np.float32), np.array(region[2:], np.float32)
    centres = (boxes_xyxy[:, :2] + boxes_xyxy[:, 2:]) / 2
    own = ((centres >= low) & (centres < high)).all(axis=1)
    clipped = np.clip(boxes_xyxy[own], np.tile(low, 2), np.tile(high, 2)).astype(np.float32)
    return Found(clipped, found.scores[own]).with_inside()


def stitch(before: Found, parts: Sequence[tuple[Region, Found]], size_wh: tuple[int, int]) -> tuple[Found, Boxes]:
    """The people of the whole picture, and the pieces among them that are nobody's known part.

    before: who was known and not touched by what moved. Who lies in a region is replaced by what was found there; who
    reaches out of it holds, and so pieces of them are dropped.
    """
    holding, whole, pieces = before, Found.nobody(), Found.nobody()
    for region, found in parts:
        holding = holding.take(~_inside(holding.boxes_xyxy, region, size_wh))
        cut = ~_inside(found.boxes_xyxy, region, size_wh)
        whole, pieces = whole.join(found.take(~cut)), pieces.join(found.take(cut))
    whole = whole.take(~_belongs(whole.boxes_xyxy, holding.boxes_xyxy, iou=SAME_IOU, inside=1.1))
    whole = whole.take(np.sort(suppress(whole.boxes_xyxy, whole.scores, iou=SAME_IOU)))
    known = holding.join(whole)
    pieces = pieces.take(~_belongs(pieces.boxes_xyxy, known.boxes_xyxy, iou=PIECE_IOU, inside=PIECE_INSIDE))
    pieces = pieces.take(suppress(pieces.boxes_xyxy, pieces.scores, iou=PIECE_IOU))
    return known.join(pieces), pieces.boxes_xyxy


def differing(before: Found, after: Found, *, sure: float) -> Boxes:
    """(N, 4): boxes at least so sure that only one of two looks has."""
    boxes, others = before.boxes_xyxy, after.boxes_xyxy
    gone = ~_belongs(boxes, others, iou=PIECE_IOU, inside=1.1) & (before.scores >= sure)
    new = ~_belongs(others, boxes, iou=PIECE_IOU, inside=1.1) & (after.scores >= sure)
    return np.concatenate([boxes[gone], others[new]])


def _inside(boxes_xyxy: Boxes, region: Region, size_wh: tuple[int, int]) -> NDArray[np.bool_]:
    """(N,): whether boxes lie in the region without touching a border of it inside the picture."""
    left, top, right, bottom = region
    low = np.array([left + BORDER_PX if left > 0 else -np.inf, top + BORDER_PX if top > 0 else -np.inf])
    high = np.array(
        [
            right - BORDER_PX if right < size_wh[0] else np.inf,
            bottom - BORDER_PX if bottom < size_wh[1] else np.inf,
        ]
    )
    return np.asarray(((boxes_xyxy[:, :2] >= low) & (boxes_xyxy[:, 2:] <= high)).all(axis=1), np.bool_)


def _belongs(boxes_xyxy: Boxes, known_xyxy: Boxes, *, iou: float, inside: float) -> NDArray[np.bool_]:
    """(N,): whether each box overlaps any known one so much, or lies so far in it."""
    if not len(boxes_xyxy) or not len(known_xyxy):
        return np.zeros(len(boxes_xyxy), np.bool_)
    shared, share = overlaps(boxes_xyxy.astype(np.float64), known_xyxy.astype(np.float64))
    return np.asarray(((shared >= iou) | (share >= inside)).any(axis=1), np.bool_)
