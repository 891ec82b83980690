"""Near-duplicate pictures: how many are found, and that nothing else is, on the demo's drawings and on real pictures.

Alike: a picture saved again, resized, cut by up to 5 % a side, padded to a square, with a watermark. Not alike: the
same product in another colour, with another print or label, of another cut; other products. Every picture goes through
what a sync keeps of it (384 px, WebP).
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.table import Report
from vitrina.lens.demo.assortment import SHOPS
from vitrina.lens.demo.design import COLOURS, Design, make_designs
from vitrina.lens.demo.drawing import draw
from vitrina.lens.demo.studio import shop_picture, to_jpeg
from vitrina.lens.duplicate import Seen, is_duplicate, see
from vitrina.lens.photo import read_photo, to_webp
from vitrina.lens.pictures import LONGEST_PX

DATA = Path(__file__).parents[2] / "shared" / "data" / "lens"
SEED = 31
DESIGNS, CLOTHES, PAIRED = 50, 40, 24
"""How many drawings and photos are changed; how many pictures of a set are compared each with each."""

ROOMY = 480
"""Pictures of so many pixels are resized to 60–80 %, smaller ones to 85–95 %: below 275 pixels nothing is said."""

VISIBLE = 0.002
"""Share of the pixels that must change by more than 24 levels for a change to be one that anybody could see."""

Rgb = NDArray[np.uint8]


@dataclass(frozen=True)
class Case:
    of: str
    kind: str
    alike: bool
    one: Seen
    other: Seen


def run() -> Report:
    """A row for each set and change; the bars are that nothing is taken for what it is not, and what is found."""
    cv2.setNumThreads(1)
    counts: dict[tuple[str, bool, str], list[bool]] = {}
    began, compared = time.thread_time(), 0.0
    for case in cases():
        at = time.thread_time()
        said = is_duplicate(case.one, case.other)
        compared += time.thread_time() - at
        counts.setdefault((case.of, case.alike, case.kind), []).append(said)
    made = time.thread_time() - began - compared
    rows: list[list[object]] = []
    for (of, alike, kind), said_so in sorted(counts.items(), key=lambda one: (not one[0][1], one[0])):
        rows.append([f"{of}: {kind}", len(said_so), "yes" if alike else "no", sum(said_so)])
    total = sum(len(some) for some in counts.values())
    rows.append(
        [
            "processor: comparing, ms a pair; making them ready, s",
            total,
            "–",
            f"{1000 * compared / total:.1f}; {made:.0f}",
        ]
    )
    wrong = sum(sum(some) for (_, alike, _), some in counts.items() if not alike)
    others = sum(len(some) for (_, alike, _), some in counts.items() if not alike)
    plain = {of: float(np.mean(found)) for of, found in of_copies(counts).items()}
    bars = [(f"of {others:,} pairs that are not one picture, taken for one", float(wrong), "= 0", not wrong)]
    bars += [
        (f"{of}: copies found, without watermarks", share, "≥ 0.9", share >= 0.9)
        for of, share in plain.items()
        if of != "grocery"
    ]
    return Report("Near-duplicate pictures", ["pair", "pairs", "one picture", "taken for one"], rows, bars)


def of_copies(counts: dict[tuple[str, bool, str], list[bool]]) -> dict[str, list[bool]]:
    """Set → of copies without a watermark, whether each was found. Grocery's have too few pixels: no bar."""
    found: dict[str, list[bool]] = {}
    for (of, alike, kind), some in counts.items():
        if alike and "watermark" not in kind:
            found.setdefault(of, []).extend(some)
    return found


def cases() -> Iterator[Case]:
    yield from of_drawings()
    if DATA.exists():
        yield from of_photos()


def of_drawings() -> Iterator[Case]:
    dice = np.random.default_rng(SEED)
    for design in make_designs(DESIGNS, seed=SEED):
        base = drawn(design)
        one = kept(base, 90)
        for kind, other in again(base, dice):
            yield Case("demo", kind, alike=True, one=one, other=other)
        for kind, changed in other_designs(design):
            picture = drawn(changed)
            moved = np.abs(picture.astype(int) - base).max(axis=2) > 24
            if moved.mean() > VISIBLE:
                yield Case("demo", kind, alike=False, one=one, other=kept(picture, 85))


def of_photos() -> Iterator[Case]:
    dice = np.random.default_rng(SEED)
    clothes = [
        read_photo(path.read_bytes())
        for path in sorted((DATA / "clothes" / "catalog").glob("*.jpg"))[:: 800 // CLOTHES]
    ]
    grocery = [read_photo(path.read_bytes()) for path in sorted((DATA / "grocery" / "iconic").glob("*.jpg"))[::2]]
    for of, pictures in (("clothes", clothes), ("grocery", grocery)):
        for base in pictures:
            one = kept(base, 92)
            for kind, other in again(base, dice):
                yield Case(of, kind, alike=True, one=one, other=other)
            for kind, moved in (("lighter", (9, 0, 0)), ("another hue", (0, 5, -5)), ("darker", (-14, 0, 0))):
                yield Case(of, kind, alike=False, one=one, other=kept(recoloured(base, moved), 85))
            for words, high in ((("500 g", "750 g"), 1.0), (("L", "M"), 1.0), (("1.5 %", "3.2 %"), 0.6)):
                labels = [kept(labelled(base, text, high), 85) for text in words]
                yield Case(of, f"label {' and '.join(words)}", alike=False, one=labels[0], other=labels[1])
        seen = [kept(picture, 90) for picture in pictures[:PAIRED]]
        for one, other in combinations(seen, 2):
            yield Case(of, "another product", alike=False, one=one, other=other)


# ── the same again ──────────────────────────────────────────────────────────────────────────────


def kept(picture: Rgb, quality: int) -> Seen:
    """As a sync keeps what a shop serves as JPEG of this quality."""
    served = read_photo(to_jpeg(picture, quality))
    return see(read_photo(to_webp(served, longest_px=LONGEST_PX)))


def again(picture: Rgb, dice: np.random.Generator) -> Iterator[tuple[str, Seen]]:
    height, width = picture.shape[:2]
    yield "saved again (JPEG 45)", kept(picture, 45)
    share = dice.uniform(0.6, 0.8) if max(height, width) >= ROOMY else dice.uniform(0.85, 0.95)
    small = cv2.resize(picture, (round(width * share), round(height * share)), interpolation=cv2.INTER_AREA)
    yield "resized", kept(np.asarray(small, np.uint8), 80)
    left, right, top, bottom = dice.uniform(0, 0.05, 4)
    inside = picture[
        round(top * height) : round((1 - bottom) * height), round(left * width) : round((1 - right) * width)
    ]
    yield "cut by up to 5 % a side", kept(np.ascontiguousarray(inside), 80)
    side = max(height, width) + 20
    padded = np.full((side, side, 3), 255, np.uint8)
    y, x = (side - height) // 2, (side - width) // 2
    padded[y : y + height, x : x + width] = picture
    yield "padded to a square", kept(padded, 80)
    for strength in (0.15, 0.3):
        yield f"watermark, {strength:.0%}", kept(watermarked(picture, strength), 80)


def watermarked(picture: Rgb, strength: float) -> Rgb:
    height, width = picture.shape[:2]
    marked = picture.copy()
    place, size = (round(0.08 * width), round(0.55 * height)), 0.9 * width / 300
    cv2.putText(marked, "www.shop.example", place, cv2.FONT_HERSHEY_SIMPLEX, size, (255, 255, 255), 2, cv2.LINE_AA)
    return np.asarray(cv2.addWeighted(marked, strength, picture, 1 - strength, 0), np.uint8)


# ── something else ──────────────────────────────────────────────────────────────────────────────


def drawn(design: Design) -> Rgb:
    return shop_picture(draw(design), SHOPS[design.number % 4].studio, [design.number])


def other_designs(design: Design) -> Iterator[tuple[str, Design]]:
    """As near to this one as the demo's numbers allow."""
    yield from (("another main colour", replace(design, main=name)) for name in nearest_colours(design.main, 2))
    yield "another accent", replace(design, accent=nearest_colours(design.accent, 1)[0])
    yield "another cut", replace(design, cut=tuple(one + 0.3 if one < 0.5 else one - 0.3 for one in design.cut))
    if design.cloth != "plain":
        yield "another second colour", replace(design, second=nearest_colours(design.second, 1)[0])
        yield "a larger print", replace(design, scale=1.15 * design.scale)
    if design.emblem:
        yield "another emblem", replace(design, emblem="star" if design.emblem == "leaf" else "leaf")
    if design.emblem == "word":
        yield "another word", replace(design, text="DUNE" if design.text == "ECHO" else "ECHO")
    if design.emblem == "number":
        yield "another number", replace(design, text="17" if design.text == "71" else "71")


def nearest_colours(name: str, count: int) -> list[str]:
    others = sorted(COLOURS, key=lambda one: float(np.linalg.norm(_lab(one) - _lab(name))))
    return others[1 : 1 + count]


def _lab(name: str) -> NDArray[np.float32]:
    colour = np.array([[COLOURS[name]]], np.float32) / 255
    return np.asarray(cv2.cvtColor(colour, cv2.COLOR_RGB2LAB)[0, 0], np.float32)


def recoloured(picture: Rgb, moved: tuple[float, float, float]) -> Rgb:
    """moved: CIELAB, of everything but white paper."""
    lab = np.asarray(cv2.cvtColor(picture.astype(np.float32) / 255, cv2.COLOR_RGB2LAB), np.float32)
    lab += np.clip((97 - lab[..., :1]) / 8, 0, 1) * np.array(moved, np.float32)
    lab[..., 0] = np.clip(lab[..., 0], 0, 100)
    return np.asarray(np.clip(cv2.cvtColor(lab, cv2.COLOR_LAB2RGB), 0, 1) * 255, np.uint8)


def labelled(picture: Rgb, text: str, high: float) -> Rgb:
    """With a small paper label. high: of its letters, in twenty-thirds of the longer side."""
    height, width = picture.shape[:2]
    unit, x, y = high * max(height, width) / 400, round(0.42 * width), round(0.6 * height)
    marked = picture.copy()
    corner = x + round(90 * unit), y + round(8 * unit)
    cv2.rectangle(marked, (x - 4, y - round(24 * unit)), corner, (245, 245, 240), -1)
    cv2.putText(
        marked, text, (x, y), cv2.FONT_HERSHEY_SIMPLEX, 0.8 * unit, (40, 40, 60), max(1, round(2 * unit)), cv2.LINE_AA
    )
    return marked
