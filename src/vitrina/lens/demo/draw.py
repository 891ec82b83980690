"""Products and photos as pictures: an outline, a pattern in it, light, and the way a shop shows its things."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from vitrina.lens.demo.goods import COLOURS, Good
from vitrina.lens.demo.shapes import SHAPES, Points

SIDE_PX = 320
BITS = 4
"""Outlines are drawn to a sixteenth of a pixel."""

PHOTO_WH = (720, 900)

Rgb = NDArray[np.uint8]
Floats = NDArray[np.float32]

_BACKGROUNDS = ((250, 250, 250), (243, 241, 236), (236, 240, 244), (248, 246, 250), (240, 244, 238))


def draw(good: Good, shop: int, *, side: int = SIDE_PX) -> Rgb:
    """(side, side, 3) as the shop with this number shows it: turned a little, nearer or further away, its own light."""
    rng = np.random.default_rng([good.seed, shop])
    turn, size = rng.uniform(-6, 6), rng.uniform(0.86, 1.0)
    thing, alpha = _thing(good, side, float(turn), float(size))
    paper = np.full((side, side, 3), _BACKGROUNDS[shop % len(_BACKGROUNDS)], np.float32)
    shadow = cv2.GaussianBlur(np.roll(alpha, (side // 50, side // 64), (0, 1)), (0, 0), side / 50)
    paper *= 1 - 0.25 * np.asarray(shadow, np.float32)[..., None]
    light = 1.0 + float(rng.uniform(-0.06, 0.06))
    picture = paper * (1 - alpha[..., None]) + thing * light * alpha[..., None]
    return np.clip(picture + rng.normal(0, 1.5, picture.shape), 0, 255).astype(np.uint8)


def photo(good: Good, seed: int) -> Rgb:
    """(900, 720, 3): the product on a cluttered table, turned, in other light, with a sensor's noise."""
    rng = np.random.default_rng([seed, good.seed])
    width, height = PHOTO_WH
    scene = _clutter(rng, width, height)
    side = int(rng.integers(430, 520))
    thing, alpha = _thing(good, side, float(rng.uniform(-16, 16)), 0.95)
    left, top = int(rng.integers(40, width - side - 40)), int(rng.integers(120, height - side - 120))
    place = scene[top : top + side, left : left + side]
    shadow = cv2.GaussianBlur(np.roll(alpha, (10, 8), (0, 1)), (0, 0), 9)
    place *= 1 - 0.45 * np.asarray(shadow, np.float32)[..., None]
    place[:] = place * (1 - alpha[..., None]) + thing * alpha[..., None]
    tint = np.array([rng.uniform(0.94, 1.08), 1.0, rng.uniform(0.9, 1.04)], np.float32)
    fall = np.linspace(rng.uniform(0.8, 1.0), rng.uniform(0.9, 1.1), width, dtype=np.float32)[None, :, None]
    noisy = scene * tint * fall + rng.normal(0, 5, scene.shape)
    return np.clip(noisy, 0, 255).astype(np.uint8)


def _thing(good: Good, side: int, turn: float, size: float) -> tuple[Floats, Floats]:
    """The product (side, side, 3) and how much of each pixel is it (side, side), 0 to 1."""
    big = side
    matrix = np.asarray(cv2.getRotationMatrix2D((0.5 * big, 0.5 * big), turn, size), np.float64)
    shape = SHAPES[good.shape]
    alpha = _mask(shape.outline, matrix, big)
    colour = _pattern(good, big)
    second = np.array(COLOURS[good.second], np.float32)
    for part in shape.parts:
        mask = _mask(part, matrix, big)
        colour = colour * (1 - mask[..., None]) + second * 0.92 * mask[..., None]
        alpha = np.maximum(alpha, mask)
    if good.print_ != "none":
        mask = _print_mask(good, matrix, big) * alpha
        colour = colour * (1 - mask[..., None]) + (255 - second * 0.35) * mask[..., None]
    colour = colour * _folds(good, big)[..., None]
    edge = alpha - np.asarray(cv2.erode(alpha, np.ones((3, 3), np.uint8)), np.float32)
    colour = (colour * (1 - 0.45 * edge[..., None])).astype(np.float32)
    return np.asarray(cv2.GaussianBlur(colour, (0, 0), 0.6), np.float32), alpha


def _mask(points: Points, matrix: NDArray[np.float64], side: int) -> Floats:
    corners = np.array(points) * side
    turned = corners @ matrix[:, :2].T + matrix[:, 2]
    mask = np.zeros((side, side), np.uint8)
    cv2.fillPoly(mask, [np.round(turned * (1 << BITS)).astype(np.int32)], (255,), cv2.LINE_AA, BITS)
    return mask.astype(np.float32) / np.float32(255)


def _pattern(good: Good, side: int) -> Floats:
    y, x = np.mgrid[:side, :side].astype(np.float32) / side
    step = 0.035 + 0.09 * good.pattern_scale
    first, second = (np.array(COLOURS[name], np.float32) for name in (good.colour, good.second))
    match good.pattern:
        case "striped":
            share = ((y / step) % 1 < 0.5).astype(np.float32)
        case "pinstriped":
            share = ((x / (step * 0.8)) % 1 < 0.18).astype(np.float32)
        case "dotted":
            share = (((x / step) % 1 - 0.5) ** 2 + ((y / step) % 1 - 0.5) ** 2 < 0.07).astype(np.float32)
        case "checked":
            share = 0.5 * ((x / step) % 1 < 0.5) + 0.5 * ((y / step) % 1 < 0.5)
        case "zigzag":
            share = (((y + 0.5 * np.abs((x / step) % 2 - 1) * step) / step) % 1 < 0.5).astype(np.float32)
        case "speckled":
            rough = (
                np.random.default_rng(good.seed).random((round(1 / step) * 3, round(1 / step) * 3)).astype(np.float32)
            )
            share = (cv2.resize(rough, (side, side), interpolation=cv2.INTER_CUBIC) > 0.68).astype(np.float32)
        case "two-tone":
            share = (y > 0.35 + 0.3 * good.pattern_scale).astype(np.float32)
        case "diagonal":
            share = (((x + y) / (step * 1.4)) % 1 < 0.45).astype(np.float32)
        case _:
            share = np.zeros((side, side), np.float32)
    return np.asarray(first * (1 - share[..., None]) + second * share[..., None], np.float32)


def _print_mask(good: Good, matrix: NDArray[np.float64], side: int) -> Floats:
    x, y = good.print_place
    r = 0.09
    turns = np.linspace(0, 2 * np.pi, 11)[:-1]
    outlines: dict[str, Points] = {
        "circle": tuple((x + r * np.cos(a), y + r * np.sin(a)) for a in np.linspace(0, 2 * np.pi, 40)),
        "star": tuple(
            (x + r * (1 - 0.55 * (n % 2)) * np.sin(a), y - r * (1 - 0.55 * (n % 2)) * np.cos(a))
            for n, a in enumerate(turns)
        ),
        "triangle": ((x, y - r), (x + r, y + r * 0.8), (x - r, y + r * 0.8)),
        "square": ((x - r, y - r), (x + r, y - r), (x + r, y + r), (x - r, y + r)),
        "cross": (
            (x - r / 3, y - r), (x + r / 3, y - r), (x + r / 3, y - r / 3), (x + r, y - r / 3), (x + r, y + r / 3),
            (x + r / 3, y + r / 3), (x + r / 3, y + r), (x - r / 3, y + r), (x - r / 3, y + r / 3), (x - r, y + r / 3),
            (x - r, y - r / 3), (x - r / 3, y - r / 3),
        ),
        "wave": (
            *((x - r + r * n / 8, y - r / 4 + r / 3 * np.sin(n)) for n in range(17)),
            *((x + r - r * n / 8, y + r / 4 + r / 3 * np.sin(16 - n)) for n in range(17)),
        ),
    }  # fmt: skip
    return _mask(outlines[good.print_], matrix, side)


def _folds(good: Good, side: int) -> Floats:
    """Light over cloth: some soft folds, the same wherever the product is shown."""
    rng = np.random.default_rng(good.seed)
    rough = rng.uniform(0.86, 1.08, (5, 4)).astype(np.float32)
    return np.asarray(cv2.resize(rough, (side, side), interpolation=cv2.INTER_CUBIC), np.float32)


def _clutter(rng: np.random.Generator, width: int, height: int) -> Floats:
    """A table with things on it that nobody sells."""
    grain = cv2.resize(
        rng.uniform(0.8, 1.1, (90, 6)).astype(np.float32), (width, height), interpolation=cv2.INTER_CUBIC
    )
    scene = np.array([168, 132, 96], np.float32) * np.asarray(grain, np.float32)[..., None]
    for _ in range(26):
        colour = [float(value) for value in rng.integers(20, 235, 3)]
        x, y = int(rng.integers(0, width)), int(rng.integers(0, height))
        size = (int(rng.integers(25, 90)), int(rng.integers(25, 90)))
        if rng.random() < 0.5:
            cv2.ellipse(scene, (x, y), size, float(rng.uniform(0, 180)), 0, 360, colour, -1, cv2.LINE_AA)
        else:
            corners = cv2.boxPoints(((x, y), size, float(rng.uniform(0, 90))))
            cv2.fillPoly(scene, [np.round(corners).astype(np.int32)], colour, cv2.LINE_AA)
    return np.asarray(cv2.GaussianBlur(scene, (0, 0), 1.2), np.float32)
