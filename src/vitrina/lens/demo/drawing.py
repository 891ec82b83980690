"""A design drawn: the product alone, with an alpha channel, and the mark that is printed on it. Pure."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from vitrina.lens.demo.cloth import Rgb, fabric, light
from vitrina.lens.demo.design import COLOURS, Design
from vitrina.lens.demo.outline import emblem_place, marks_of
from vitrina.lens.demo.shape import CLOTH, Area, Dot, Line, Mark, Points, curve

SIZE = 352
_BITS = 4
"""Outlines are drawn to a sixteenth of a pixel."""

Rgba = NDArray[np.uint8]
Colour = tuple[int, int, int]


def draw(design: Design, *, size: int = SIZE) -> Rgba:
    """(size, size, 4): the product on nothing."""
    random = np.random.default_rng([design.number, 7])
    cloth, lit = fabric(design, size, random), light(size, random)
    picture, alpha = np.zeros((size, size, 3), np.uint8), np.zeros((size, size), np.uint8)
    inks = _inks(design)
    for mark in marks_of(design.kind, design.cut):
        _put(picture, alpha, mark, cloth, inks)
    place = emblem_place(design.kind)
    if design.emblem and place is not None:
        _emblem(picture, design, inks, place)
    inside = cv2.blur(alpha, (size // 16, size // 16)).astype(np.float32) / 255
    lit *= 0.62 + 0.38 * inside
    shaded = cv2.multiply(picture, cv2.merge([lit, lit, lit]), dtype=cv2.CV_8U)
    return np.asarray(cv2.merge([shaded, alpha]), np.uint8)


def _inks(design: Design) -> dict[str, Colour]:
    main = COLOURS[design.main]
    return {
        "main": main,
        "second": COLOURS[design.second],
        "accent": COLOURS[design.accent],
        "dark": _mixed(main, (20, 20, 26), 0.62),
        "light": _mixed(main, (250, 249, 246), 0.86),
    }


def _mixed(one: Colour, other: Colour, share: float) -> Colour:
    red, green, blue = (round(a * (1 - share) + b * share) for a, b in zip(one, other, strict=True))
    return red, green, blue


def _put(picture: Rgb, alpha: NDArray[np.uint8], mark: Mark, cloth: Rgb, inks: dict[str, Colour]) -> None:
    size = alpha.shape[0]
    if isinstance(mark, Area) and mark.ink == CLOTH:
        mask = np.zeros_like(alpha)
        cv2.fillPoly(mask, [_fixed(mark.points, size)], 255, cv2.LINE_AA, _BITS)
        _lay(picture, cloth, mask)
        np.maximum(alpha, mask, out=alpha)
        return
    ink = inks[mark.ink]
    for target, value in ((picture, ink), (alpha, (255,))):
        if isinstance(mark, Area):
            cv2.fillPoly(target, [_fixed(mark.points, size)], value, cv2.LINE_AA, _BITS)
        elif isinstance(mark, Line):
            wide = max(1, round(mark.width * size))
            cv2.polylines(target, [_fixed(mark.points, size)], False, value, wide, cv2.LINE_AA, _BITS)
        else:
            _dot(target, mark, size, value)


def _dot(target: NDArray[np.uint8], dot: Dot, size: int, value: tuple[int, ...]) -> None:
    cv2.circle(
        target, (round(dot.x * size), round(dot.y * size)), max(1, round(dot.radius * size)), value, -1, cv2.LINE_AA
    )


def _lay(picture: Rgb, over: Rgb, mask: NDArray[np.uint8]) -> None:
    """Put `over` on the picture where the mask says, whole pixels copied and those at the edge mixed."""
    np.copyto(picture, over, where=(mask == 255)[..., None])
    rows, columns = np.nonzero((mask > 0) & (mask < 255))
    share = mask[rows, columns, None].astype(np.float32) / 255
    below = picture[rows, columns]
    picture[rows, columns] = (
        np.where(below.any(axis=1, keepdims=True), below, over[rows, columns]) * (1 - share)
        + over[rows, columns] * share
    ).astype(np.uint8)


def _fixed(points: Points, size: int) -> NDArray[np.int32]:
    return np.round(points * (size * (1 << _BITS))).astype(np.int32)


# ── emblems ─────────────────────────────────────────────────────────────────────────────────────


def _emblem(picture: Rgb, design: Design, inks: dict[str, Colour], place: tuple[float, float, float]) -> None:
    x, y, radius = place
    size = picture.shape[0]
    ink = inks["accent"]
    if design.emblem in ("number", "word"):
        text = design.text if design.emblem == "word" else str(design.number % 90 + 10)
        _write(picture, text, (x * size, y * size), 2.1 * radius * size, ink)
        return
    for number, outline in enumerate(_outlines(design.emblem)):
        points = np.asarray(outline * radius + np.array([x, y], np.float32), np.float32)
        colour = (ink, inks["second"], inks["light"])[number % 3]
        cv2.fillPoly(picture, [_fixed(points, size)], colour, cv2.LINE_AA, _BITS)


def _write(picture: Rgb, text: str, middle: tuple[float, float], wide: float, ink: Colour) -> None:
    font, thick = cv2.FONT_HERSHEY_DUPLEX, max(2, round(wide / 22))
    (width, height), _ = cv2.getTextSize(text, font, 1.0, thick)
    scale = min(wide / width, 0.75 * wide / height)
    at = round(middle[0] - width * scale / 2), round(middle[1] + height * scale / 2)
    cv2.putText(picture, text, at, font, scale, ink, thick, cv2.LINE_AA)


def _outlines(emblem: str) -> list[Points]:
    """Each about (0, 0), one over the other, within 1 of it."""
    angle = np.linspace(0, 2 * np.pi, 60, endpoint=False)
    circle = np.stack([np.cos(angle), np.sin(angle)], axis=1).astype(np.float32)
    match emblem:
        case "star":
            return [circle[::6] * np.where(np.arange(10) % 2, 0.42, 1.0)[:, None].astype(np.float32)]
        case "sun":
            return [circle[::3] * np.where(np.arange(20) % 2, 0.66, 1.0)[:, None].astype(np.float32), circle * 0.5]
        case "ring":
            return [circle, circle * 0.72, circle * 0.38]
        case "heart":
            x = 16 * np.sin(angle) ** 3
            y = 13 * np.cos(angle) - 5 * np.cos(2 * angle) - 2 * np.cos(3 * angle) - np.cos(4 * angle)
            return [np.stack([x / 17, -y / 17], axis=1).astype(np.float32)]
        case "mountains":
            return [
                _of((-1, 0.7), (-0.35, -0.5), (0.2, 0.4), (0.5, -0.1), (1, 0.7)),
                _of((-0.52, -0.18), (-0.35, -0.5), (-0.16, -0.18)),
                circle * 0.18 + np.array([0.6, -0.6], np.float32),
            ]
        case "wave":
            return [
                curve([(-1, 0.4), (-0.6, -0.3), (-0.1, 0.2), (0.3, -0.5), (0.7, -0.1), (1, 0.4), (0, 0.6)]),
                curve([(-1, 0.7), (-0.4, 0.3), (0.2, 0.6), (1, 0.5), (0.9, 0.9), (-0.9, 0.9)]),
            ]
        case "leaf":
            return [
                curve([(0, -1), (0.6, -0.2), (0.35, 0.6), (0, 0.9), (-0.35, 0.6), (-0.6, -0.2)]),
                _of((-0.05, -0.7), (0.05, -0.7), (0.06, 1), (-0.06, 1)),
            ]
        case "bolt":
            return [_of((0.2, -1), (-0.6, 0.2), (-0.1, 0.2), (-0.3, 1), (0.6, -0.25), (0.1, -0.25))]
        case "cat":
            return [
                _of(
                    (-0.8, -0.9),
                    (-0.3, -0.5),
                    (0.3, -0.5),
                    (0.8, -0.9),
                    (0.85, 0.2),
                    (0.4, 0.8),
                    (-0.4, 0.8),
                    (-0.85, 0.2),
                ),
                circle * 0.16 + np.array([-0.35, 0], np.float32),
                circle * 0.16 + np.array([0.35, 0], np.float32),
            ]
        case "diamond":
            return [_of((0, -1), (0.8, 0), (0, 1), (-0.8, 0)), _of((0, -0.5), (0.4, 0), (0, 0.5), (-0.4, 0))]
    return []


def _of(*pairs: tuple[float, float]) -> Points:
    return np.asarray(pairs, np.float32)
