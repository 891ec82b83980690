"""Which outline each kind of product has, and where something is printed on it. Pure."""

from __future__ import annotations

from collections.abc import Callable

from vitrina.lens.demo import accessory, garment
from vitrina.lens.demo.shape import Cut, Mark


def marks_of(kind: str, cut: Cut) -> list[Mark]:
    """cut: six numbers from 0 to 1."""
    return _SHAPES[kind](cut)


def emblem_place(kind: str) -> tuple[float, float, float] | None:
    """x, y and size of what is printed on it."""
    return _EMBLEMS.get(kind)


_SHAPES: dict[str, Callable[[Cut], list[Mark]]] = {
    "T-shirt": garment.tee,
    "shirt": garment.shirt,
    "sweatshirt": garment.sweatshirt,
    "dress": garment.dress,
    "skirt": garment.skirt,
    "trousers": garment.trousers,
    "shorts": garment.shorts,
    "jacket": garment.jacket,
    "sneakers": accessory.sneakers,
    "boots": accessory.boots,
    "handbag": accessory.handbag,
    "backpack": accessory.backpack,
    "cap": accessory.cap,
    "hat": accessory.hat,
}

_EMBLEMS: dict[str, tuple[float, float, float]] = {
    "T-shirt": (0.5, 0.42, 0.12),
    "sweatshirt": (0.5, 0.42, 0.11),
    "jacket": (0.61, 0.36, 0.05),
    "sneakers": (0.27, 0.5, 0.045),
    "backpack": (0.5, 0.38, 0.08),
    "cap": (0.46, 0.47, 0.07),
}
