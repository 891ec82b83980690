"""How a shop photographs a product, and how a person does: on light paper, or among other things. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from vitrina.lens.demo.cloth import Rgb
from vitrina.lens.demo.drawing import Rgba

PICTURE_PX = 336
PHOTO_WH = (900, 1200)

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Studio:
    """A shop's way to take pictures. paper: RGB of its background. share: of the picture that the product fills.

    turn: degrees at most. light: how bright. warm: how much redder. quality: of its JPEG files.
    """

    paper: tuple[int, int, int]
    share: float
    turn: float
    light: float
    warm: float
    quality: int
    shadow: bool


def shop_picture(product: Rgba, studio: Studio, seed: Sequence[int], *, size: int = PICTURE_PX) -> Rgb:
    """(size, size, 3): the product as this shop shows it."""
    random = np.random.default_rng([*seed, 11])
    turn = random.uniform(-studio.turn, studio.turn)
    share = studio.share * random.uniform(0.96, 1.04)
    picture = np.empty((size, size, 3), np.uint8)
    picture[:] = studio.paper
    middle = size * (0.5 + random.uniform(-0.015, 0.015)), size * (0.5 + random.uniform(-0.015, 0.015))
    placed = _placed(product, (size, size), middle, share * size, turn)
    if studio.shadow:
        _cast(picture, placed, shift=(0, size // 60), strength=0.22)
    _over(picture, placed)
    tint = np.array([1 + studio.warm, 1.0, 1 - studio.warm]) * studio.light
    table = np.clip(np.arange(256)[:, None, None] * tint, 0, 255).astype(np.uint8)
    return np.asarray(cv2.LUT(picture, table), np.uint8)


@dataclass(frozen=True, slots=True)
class Placed:
    """A product in a photo. x, y, wide: fractions of the photo's width and height, and of its width."""

    product: Rgba
    x: float
    y: float
    wide: float
    turn: float


def snapshot(things: Sequence[Placed], *, seed: int, size_wh: tuple[int, int] = PHOTO_WH) -> Rgb:
    """(H, W, 3): things as a person sees them, turned, in uneven light, with clutter around."""
    random = np.random.default_rng([seed, 13])
    picture = _room(size_wh, random)
    for thing in things:
        middle = thing.x * size_wh[0], thing.y * size_wh[1]
        placed = _placed(thing.product, size_wh, middle, thing.wide * size_wh[0], thing.turn)
        _cast(picture, placed, shift=(size_wh[0] // 50, size_wh[1] // 60), strength=0.45)
        _over(picture, placed)
    return _exposed(picture, random)


def to_jpeg(picture: Rgb, quality: int) -> bytes:
    done, content = cv2.imencode(".jpg", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not done:
        raise ValueError("the picture cannot be written as JPEG")
    return content.tobytes()


def _placed(product: Rgba, size_wh: tuple[int, int], middle: tuple[float, float], wide: float, turn: float) -> Rgba:
    """The product on an empty picture of this size."""
    side = product.shape[0]
    turned = cv2.getRotationMatrix2D((side / 2, side / 2), turn, wide / side)
    turned[:, 2] += np.array(middle) - side / 2
    return np.asarray(
        cv2.warpAffine(product, turned, size_wh, flags=cv2.INTER_AREA if wide < side else cv2.INTER_LINEAR)
    )


def _over(picture: Rgb, placed: Rgba) -> None:
    alpha = placed[..., 3]
    box = _bounds(alpha)
    if box is None:
        return
    share = alpha[box][..., None].astype(np.uint16)
    mixed = picture[box].astype(np.uint16) * (255 - share) + placed[box][..., :3].astype(np.uint16) * share
    picture[box] = (mixed // 255).astype(np.uint8)


def _cast(picture: Rgb, placed: Rgba, *, shift: tuple[int, int], strength: float) -> None:
    """A soft shadow, a little beside."""
    height, width = placed.shape[:2]
    small = cv2.resize(placed[..., 3], (width // 4, height // 4), interpolation=cv2.INTER_AREA)
    blur = max(3, min(width, height) // 80) | 1
    soft = cv2.GaussianBlur(small, (blur, blur), 0)
    moved = cv2.warpAffine(
        soft, np.array([[1, 0, shift[0] / 4], [0, 1, shift[1] / 4]], np.float32), (width // 4, height // 4)
    )
    shade = 255 - (cv2.resize(moved, (width, height), interpolation=cv2.INTER_LINEAR) * strength).astype(np.uint8)
    picture[:] = cv2.multiply(picture, cv2.merge([shade, shade, shade]), scale=1 / 255)


def _bounds(alpha: NDArray[np.uint8]) -> Any:
    x, y, width, height = cv2.boundingRect(alpha)
    return (slice(y, y + height), slice(x, x + width)) if width else None


# ── a room ──────────────────────────────────────────────────────────────────────────────────────

_WALLS = ((196, 186, 170), (176, 188, 190), (206, 196, 182), (168, 178, 166), (190, 176, 170))
_FLOORS = ((128, 98, 70), (150, 140, 128), (96, 84, 76), (164, 132, 96), (110, 112, 118))
_THINGS = ((74, 92, 110), (178, 142, 84), (112, 128, 84), (150, 84, 72), (88, 78, 104), (210, 204, 190), (60, 58, 60))


def _room(size_wh: tuple[int, int], random: np.random.Generator) -> Rgb:
    """A wall, a floor with boards, and things that stand about near the edges, a little out of focus."""
    width, height = size_wh
    picture = np.empty((height, width, 3), np.uint8)
    picture[:] = _WALLS[random.integers(len(_WALLS))]
    edge = round(height * random.uniform(0.5, 0.66))
    floor = np.array(_FLOORS[random.integers(len(_FLOORS))])
    picture[edge:] = floor
    for number in range(9):
        x = width * (number / 8 - 0.25 * (number / 8 - 0.5))
        far, near = (round(x), edge), (round(width / 2 + (x - width / 2) * 2.4), height)
        cv2.line(picture, far, near, tuple(int(one * 0.82) for one in floor), max(2, width // 220), cv2.LINE_AA)
    cv2.line(picture, (0, edge), (width, edge), (232, 228, 220), max(4, height // 90))
    for _ in range(9):
        _thing(picture, edge, random)
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), width / 300), np.uint8)


def _thing(picture: Rgb, edge: int, random: np.random.Generator) -> None:
    height, width = picture.shape[:2]
    colour = tuple(int(one) for one in np.array(_THINGS[random.integers(len(_THINGS))]) + random.integers(-14, 15, 3))
    side = random.choice([0.09, 0.91]) + random.uniform(-0.09, 0.09)
    x, y = round(side * width), round(random.uniform(0.08, 0.95) * height)
    wide, high = (round(random.uniform(0.05, 0.13) * width) for _ in range(2))
    match int(random.integers(4)):
        case 0:
            cv2.rectangle(picture, (x - wide, y - high), (x + wide, y + high), colour, -1, cv2.LINE_AA)
            cv2.rectangle(picture, (x - wide, y - high), (x + wide, y + high), (240, 236, 228), 5, cv2.LINE_AA)
        case 1:
            cv2.ellipse(picture, (x, y), (wide, high), float(random.uniform(0, 90)), 0, 360, colour, -1, cv2.LINE_AA)
        case 2:
            cv2.rectangle(
                picture, (x - wide // 3, y - 3 * high), (x + wide // 3, max(y, edge)), colour, -1, cv2.LINE_AA
            )
            cv2.circle(picture, (x, y - 3 * high), wide, (226, 212, 170), -1, cv2.LINE_AA)
        case _:
            for leaf in range(7):
                tip = x + round(1.4 * wide * np.cos(leaf * 0.9)), y - round(1.6 * high * abs(np.sin(leaf * 0.9)))
                cv2.line(picture, (x, y), tip, (70, 112 + 8 * leaf, 66), max(5, wide // 4), cv2.LINE_AA)
            cv2.rectangle(picture, (x - wide // 2, y), (x + wide // 2, y + high), colour, -1, cv2.LINE_AA)


def _exposed(picture: Rgb, random: np.random.Generator) -> Rgb:
    """Light from one side, warm, with noise and the blur of a hand."""
    height, width = picture.shape[:2]
    x = np.linspace(0, 1, width, dtype=np.float32)[None, :, None]
    y = np.linspace(0, 1, height, dtype=np.float32)[:, None, None]
    lean_x, lean_y = random.uniform(-0.28, 0.28, 2)
    light = 1.0 + np.float32(lean_x) * (x - 0.5) + np.float32(lean_y) * (y - 0.5)
    tint = np.array([1.05, 1.0, 0.92], np.float32)
    noise = random.standard_normal((height, width, 1), dtype=np.float32) * 6
    done = np.clip(picture * light * tint + noise, 0, 255).astype(np.uint8)
    return np.asarray(cv2.GaussianBlur(done, (3, 3), 0), np.uint8)
