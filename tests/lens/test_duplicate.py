"""Whether two pictures are one picture."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from vitrina.lens.crop import Rgb
from vitrina.lens.demo.assortment import SHOPS
from vitrina.lens.demo.design import Design, make_designs
from vitrina.lens.demo.drawing import draw
from vitrina.lens.demo.studio import shop_picture, to_jpeg
from vitrina.lens.duplicate import difference, is_duplicate, see
from vitrina.lens.photo import read_photo

DESIGN = next(one for one in make_designs(50, seed=4) if one.kind == "jacket" and one.emblem == "word")


def shown(design: Design = DESIGN) -> Rgb:
    return shop_picture(draw(design), SHOPS[0].studio, [1])


def padded(picture: Rgb) -> Rgb:
    return np.asarray(cv2.copyMakeBorder(picture, 0, 0, 90, 90, cv2.BORDER_CONSTANT, value=(255, 255, 255)), np.uint8)


def same(one: Rgb, other: Rgb) -> bool:
    forth, back = is_duplicate(see(one), see(other)), is_duplicate(see(other), see(one))
    assert forth == back
    return forth


@pytest.mark.parametrize(
    "again",
    [
        lambda picture: picture,
        lambda picture: read_photo(to_jpeg(picture, 50)),
        lambda picture: cv2.resize(picture, None, fx=0.85, fy=0.85, interpolation=cv2.INTER_AREA),
        lambda picture: cv2.resize(picture, None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC),
        lambda picture: picture[10:-6, 4:-14],
        padded,
    ],
    ids=["the same", "saved again", "smaller", "larger", "cut", "padded"],
)
def test_a_picture_is_known_again(again: object) -> None:
    assert same(shown(), again(shown()))  # type: ignore[operator]


@pytest.mark.parametrize(
    "other",
    [
        {"main": "burgundy" if DESIGN.main == "red" else "red"},
        {"accent": "coral" if DESIGN.accent != "coral" else "mint"},
        {"text": "DUNE" if DESIGN.text != "DUNE" else "ECHO"},
        {"emblem": "leaf"},
        {"cloth": "dots" if DESIGN.cloth != "dots" else "stripes"},
    ],
    ids=lambda change: next(iter(change)),
)
def test_another_colour_or_print_of_the_same_garment_is_another_picture(other: dict[str, str]) -> None:
    assert not same(shown(), shown(replace(DESIGN, **other)))


def test_all_of_it_a_little_darker_is_another_colour() -> None:
    picture = shown()

    assert not same(picture, np.asarray(picture * 0.85, np.uint8))


def test_another_label_on_the_same_pack_is_another_picture() -> None:
    packs = []
    for text in ("500 g", "750 g"):
        pack = shown()
        cv2.rectangle(pack, (130, 180), (210, 205), (250, 250, 250), -1)
        cv2.putText(pack, text, (134, 200), cv2.FONT_HERSHEY_SIMPLEX, 0.7, (30, 30, 30), 2, cv2.LINE_AA)
        packs.append(pack)

    assert not same(*packs)


def test_a_part_of_a_picture_is_not_the_whole() -> None:
    assert not same(shown(), shown()[40:260, 60:280])


def test_a_turned_picture_is_another_one() -> None:
    picture = shown()
    turn = cv2.getRotationMatrix2D((168, 168), 6, 1)
    turned = cv2.warpAffine(picture, turn, (336, 336), borderMode=cv2.BORDER_REPLICATE)

    assert not same(picture, np.asarray(turned, np.uint8))


def test_of_a_picture_too_small_for_labels_nothing_is_said() -> None:
    small = np.asarray(cv2.resize(shown(), (240, 240), interpolation=cv2.INTER_AREA), np.uint8)

    assert difference(see(small), see(small)) is None


@pytest.mark.parametrize("side", [4, 60, 250, 400])
def test_of_an_empty_or_tiny_picture_nothing_is_said(side: int) -> None:
    empty = np.full((side, side, 3), 200, np.uint8)

    assert difference(see(empty), see(empty)) is None
    assert not is_duplicate(see(empty), see(shown()))
