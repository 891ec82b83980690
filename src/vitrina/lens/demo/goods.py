"""Made-up products: what each looks like, what it is called, who sells it for how much. Seeded, so always the same."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vitrina.lens.demo.shapes import SHAPES

COLOURS = {
    "red": (196, 40, 44), "blue": (44, 84, 170), "navy": (28, 36, 78), "green": (46, 122, 70), "olive": (112, 114, 58),
    "yellow": (232, 190, 48), "orange": (226, 116, 36), "pink": (230, 136, 168), "violet": (112, 66, 150),
    "black": (34, 34, 38), "grey": (128, 130, 134), "white": (240, 240, 236), "beige": (212, 190, 156),
    "brown": (112, 74, 48), "turquoise": (52, 164, 164), "burgundy": (108, 26, 44),
}  # fmt: skip
PATTERNS = ("plain", "striped", "pinstriped", "dotted", "checked", "zigzag", "speckled", "two-tone", "diagonal")
PRINTS = ("none", "circle", "star", "triangle", "cross", "wave", "square")
MATERIALS = ("cotton", "linen", "wool", "denim", "leather", "canvas", "suede", "viscose")
BRANDS = (
    "Nordwind",
    "Calva",
    "Ostmark & Daughters",
    "Pelikan",
    "Terra Nova",
    "Lumi",
    "Brisa",
    "Kestrel",
    "Anvers",
    "Moda Sette",
)
SHOPS = ("Best Outfit", "Shoe Barn", "Lumen Fashion", "Corner & Co", "Outlet North")


@dataclass(frozen=True, slots=True)
class Good:
    """One product. pattern_scale: 0 (fine) to 1 (coarse). shops: numbers of those that sell it."""

    number: int
    shape: str
    colour: str
    second: str
    pattern: str
    pattern_scale: float
    print_: str
    print_place: tuple[float, float]
    material: str
    brand: str
    vendor_code: str
    gtin: str
    price_minor: int
    shops: tuple[int, ...]
    seed: int

    @property
    def name(self) -> str:
        look = "" if self.pattern == "plain" else f"{self.pattern} "
        printed = "" if self.print_ == "none" else f" with {self.print_} print"
        words = f"{look}{self.material} {self.shape.lower()}{printed}, {self.colour}"
        return f"{words[:1].upper()}{words[1:]} (simulated)"


def make_goods(count: int, *, seed: int = 1) -> list[Good]:
    """Each with its own mix of outline, colours, pattern and print."""
    rng = np.random.default_rng(seed)
    return [_good(number, rng) for number in range(count)]


def _good(number: int, rng: np.random.Generator) -> Good:
    first, second = rng.choice(list(COLOURS), 2, replace=False)
    brand = int(rng.integers(len(BRANDS)))
    sellers = int(rng.choice([1, 2, 3], p=[0.72, 0.2, 0.08]))
    return Good(
        number=number,
        shape=str(rng.choice(list(SHAPES))),
        colour=str(first),
        second=str(second),
        pattern=str(rng.choice(PATTERNS)),
        pattern_scale=float(rng.random()),
        print_=str(rng.choice(PRINTS)),
        print_place=(float(rng.uniform(0.42, 0.58)), float(rng.uniform(0.45, 0.62))),
        material=str(rng.choice(MATERIALS)),
        brand=BRANDS[brand],
        vendor_code=f"{BRANDS[brand][:2].upper()}-{number:05d}",
        gtin=gtin13(f"299{number:09d}"),
        price_minor=int(rng.integers(15, 180)) * 100 - 1,
        shops=tuple(sorted(rng.choice(len(SHOPS), sellers, replace=False).tolist())),
        seed=int(rng.integers(2**31)),
    )


def gtin13(twelve: str) -> str:
    """With its check digit (GS1 General Specifications, 7.9). Numbers from 200 to 299 are for use inside companies."""
    total = sum(int(digit) * (3 if place % 2 else 1) for place, digit in enumerate(twelve))
    return f"{twelve}{-total % 10}"
