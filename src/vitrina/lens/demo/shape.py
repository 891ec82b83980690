"""What outlines are made of: areas, lines and dots, in fractions of the picture. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float32]
Pairs = Sequence[tuple[float, float]]

CLOTH, MAIN, SECOND, ACCENT, DARK, LIGHT = "cloth", "main", "second", "accent", "dark", "light"


@dataclass(frozen=True, slots=True)
class Area:
    """points: (N, 2), a closed outline."""

    points: Points
    ink: str


@dataclass(frozen=True, slots=True)
class Line:
    points: Points
    ink: str
    width: float = 0.006


@dataclass(frozen=True, slots=True)
class Dot:
    x: float
    y: float
    radius: float
    ink: str


Mark = Area | Line | Dot
Cut = tuple[float, ...]


def curve(pairs: Pairs, *, closed: bool = True, steps: int = 8) -> Points:
    """(N, 2): a smooth line through the points (Catmull and Rom, 1974)."""
    p = np.asarray(pairs, np.float32)
    if closed:
        before, after, last = np.roll(p, 1, 0), np.roll(p, -1, 0), np.roll(p, -2, 0)
    else:
        before, after = np.vstack([p[:1], p[:-1]]), np.vstack([p[1:], p[-1:]])
        last = np.vstack([p[2:], p[-1:], p[-1:]])
    t = np.linspace(0, 1, steps, endpoint=False, dtype=np.float32)[None, :, None]
    a, b, c, d = (one[:, None, :] for one in (before, p, after, last))
    found = 0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3)
    return np.asarray(found.reshape(-1, 2), np.float32)


def line(*pairs: tuple[float, float]) -> Points:
    return np.asarray(pairs, np.float32)


def both(half: Pairs) -> Points:
    """The right half of an outline, from top to bottom and measured from the middle, on both sides."""
    right = np.asarray(half, np.float32)
    left = right[::-1] * np.array([-1, 1], np.float32)
    return np.asarray(np.vstack([right, left]) + np.array([0.5, 0], np.float32), np.float32)


def mirrored(area: Area) -> Area:
    return Area(np.asarray(area.points * np.array([-1, 1], np.float32) + np.array([1, 0], np.float32)), area.ink)


def ellipse(x: float, y: float, wide: float, high: float, first: float = 0, last: float = 360) -> Points:
    angle = np.radians(np.linspace(first, last, 40, dtype=np.float32))
    return np.stack([x + wide * np.cos(angle), y + high * np.sin(angle)], axis=1).astype(np.float32)


def box(left: float, top: float, right: float, bottom: float, round_: float = 0.02) -> Points:
    r = round_
    pairs = [
        (left + r, top),
        (right - r, top),
        (right, top + r),
        (right, bottom - r),
        (right - r, bottom),
        (left + r, bottom),
        (left, bottom - r),
        (left, top + r),
    ]
    return line(*pairs)
