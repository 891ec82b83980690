"""Cloth: the pattern of a fabric as a picture, and the light that falls on it. Pure."""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from vitrina.lens.demo.design import COLOURS, Design, Rgb255

Rgb = NDArray[np.uint8]
Floats = NDArray[np.float32]


def fabric(design: Design, size: int, random: np.random.Generator) -> Rgb:
    """(size, size, 3): the design's pattern in its colours."""
    main, second = (np.array(COLOURS[name], np.float32) for name in (design.main, design.second))
    share = _share(design.cloth, size, 0.075 * design.scale, random)
    steps = np.linspace(0, 1, 256, dtype=np.float32)[:, None]
    inks = (main * (1 - steps) + second * steps).astype(np.uint8)
    picture: Rgb = inks[(share * 255).astype(np.uint8)]
    if design.cloth == "flowers":
        _strew(picture, COLOURS[design.accent], design.scale, random)
    return picture


def light(size: int, random: np.random.Generator) -> Floats:
    """(size, size): light on cloth that hangs in folds, with its grain, about 1."""
    folds = random.standard_normal((6, 13)).astype(np.float32)
    hanging = cv2.resize(folds, (size, size), interpolation=cv2.INTER_CUBIC)
    lit: Floats = _side_light(size) + 0.075 * hanging
    shift = random.integers(0, size, 2)
    return lit + np.roll(_grain(size), shift, (0, 1))


@lru_cache(maxsize=4)
def _side_light(size: int) -> Floats:
    return np.asarray(1.03 - 0.12 * (_grid(size)[0] - 0.4), np.float32)


@lru_cache(maxsize=4)
def _grain(size: int) -> Floats:
    return np.random.default_rng(5).standard_normal((size, size), dtype=np.float32) * np.float32(0.03)


@lru_cache(maxsize=4)
def _grid(size: int) -> tuple[Floats, Floats]:
    at = np.linspace(0, 1, size, dtype=np.float32)
    x, y = np.meshgrid(at, at)
    return x, y


def _share(cloth: str, size: int, step: float, random: np.random.Generator) -> Floats:
    """(size, size): how much of the second colour shows."""
    x, y = _grid(size)
    thin = 0.35 + 0.3 * random.random()
    if cloth == "stripes":
        return _on((y / step) % 1 < thin)
    if cloth == "bars":
        return _on((x / step) % 1 < thin)
    if cloth == "diagonal":
        return _on(((x + y) / (1.4 * step)) % 1 < thin)
    if cloth == "checks":
        return 0.45 * _on((x / step) % 1 < thin) + 0.45 * _on((y / step) % 1 < thin)
    if cloth == "gingham":
        return 0.5 * _on((x / step) % 1 < 0.5) + 0.5 * _on((y / step) % 1 < 0.5)
    if cloth == "dots":
        u, v = (x / step) % 1 - 0.5, (y / step + 0.5 * (np.floor(x / step) % 2)) % 1 - 0.5
        return _on(u * u + v * v < (0.18 + 0.18 * thin) ** 2)
    if cloth == "chevron":
        return _on((y / step + np.abs((x / step) % 2 - 1)) % 1 < thin)
    if cloth == "triangles":
        u, v = (x / (1.5 * step)) % 1, (y / (1.5 * step)) % 1
        return _on(np.abs(u - 0.5) * 2 < v)
    return _organic(cloth, size, step, random)


def _organic(cloth: str, size: int, step: float, random: np.random.Generator) -> Floats:
    x, y = _grid(size)
    if cloth == "halves":
        return _on((x if random.random() < 0.4 else y) > 0.5)
    if cloth == "fade":
        return np.asarray(np.clip((y - 0.2) * 1.6, 0, 1), np.float32)
    if cloth == "flowers":
        return _flowers(size, step, random)
    if cloth in ("camouflage", "leopard"):
        cells = max(6, round(1.2 / step))
        rough = random.standard_normal((cells, cells)).astype(np.float32)
        smooth = cv2.resize(rough, (size, size), interpolation=cv2.INTER_CUBIC)
        return _on(smooth > 0.25) if cloth == "camouflage" else _on(np.abs(smooth - 0.6) < 0.22)
    return np.zeros((size, size), np.float32)


def _flowers(size: int, step: float, random: np.random.Generator) -> Floats:
    share = np.zeros((size, size), np.float32)
    for x, y, turn in _places(step, random):
        for petal in range(5):
            angle = turn + petal * 2 * np.pi / 5
            at = (x + 0.34 * step * np.cos(angle)) * size, (y + 0.34 * step * np.sin(angle)) * size
            cv2.circle(share, (round(at[0]), round(at[1])), max(1, round(0.27 * step * size)), 1.0, -1, cv2.LINE_AA)
    return share


def _strew(picture: Rgb, ink: Rgb255, scale: float, random: np.random.Generator) -> None:
    """Specks between the flowers."""
    size = picture.shape[0]
    for x, y, _ in _places(0.1 * scale, random):
        cv2.circle(
            picture, (round(x * size), round(y * size)), max(1, round(0.012 * scale * size)), ink, -1, cv2.LINE_AA
        )


def _places(step: float, random: np.random.Generator) -> list[tuple[float, float, float]]:
    """x, y, turn of things strewn about evenly."""
    pitch = 1.9 * step
    count = int(1 / pitch) + 1
    jitter = random.uniform(-0.25, 0.25, (count, count, 2))
    turns = random.uniform(0, 6.28, (count, count))
    return [
        ((i + 0.5 + jitter[i, j, 0]) * pitch, (j + 0.5 + jitter[i, j, 1]) * pitch, float(turns[i, j]))
        for i in range(count)
        for j in range(count)
    ]


def _on(where: NDArray[np.bool_]) -> Floats:
    return where.astype(np.float32)
