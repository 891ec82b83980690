"""What a simulated product looks like, in numbers and words: enough to draw it again. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

Rgb255 = tuple[int, int, int]

COLOURS: dict[str, Rgb255] = {
    "black": (38, 38, 42),
    "white": (238, 237, 233),
    "grey": (142, 146, 152),
    "navy": (34, 46, 88),
    "blue": (44, 98, 190),
    "light blue": (142, 190, 226),
    "teal": (22, 122, 124),
    "green": (42, 126, 68),
    "olive": (108, 112, 58),
    "mint": (162, 218, 194),
    "yellow": (244, 206, 66),
    "mustard": (198, 146, 38),
    "orange": (232, 118, 42),
    "red": (200, 38, 46),
    "burgundy": (112, 26, 48),
    "pink": (238, 150, 178),
    "purple": (108, 66, 150),
    "beige": (214, 196, 164),
    "brown": (112, 74, 48),
    "coral": (240, 112, 98),
}

BRANDS = (
    "Norrvik", "Almeda Row", "Pelto", "Karsa", "Ludvo", "Mirabo", "Oakhem", "Tessaly", "Vantor", "Zelva", "Brinnon",
    "Caldra",
)  # fmt: skip

MODELS = (
    "Alva", "Bero", "Cira", "Dunmore", "Eskil", "Fenna", "Galt", "Hedda", "Ilmar", "Juna", "Kolm", "Lyra", "Mads",
    "Nela", "Orin", "Petra", "Quill", "Runa", "Sorrel", "Tarn", "Ulla", "Vero", "Wren", "Yara", "Zeno",
)  # fmt: skip

CLOTHS = ("plain", "stripes", "bars", "diagonal", "checks", "gingham", "dots", "flowers", "camouflage", "halves",
          "fade", "chevron", "leopard", "triangles")  # fmt: skip

EMBLEMS = ("", "star", "sun", "mountains", "wave", "heart", "leaf", "bolt", "ring", "number", "word", "cat", "diamond")

WORDS = ("NORTH", "PLAY", "OHM", "LUNA", "WILD", "ECHO", "SLOW", "KIWI", "MOSS", "DUNE", "RIVER", "ATLAS")


@dataclass(frozen=True, slots=True)
class Kind:
    """weight: how often it is made. price: from, to in major units. cloths: patterns it comes in, none: all."""

    name: str
    category: tuple[str, ...]
    weight: int
    price: tuple[int, int]
    sizes: tuple[str, ...]
    cloths: tuple[str, ...] = ()
    has_emblem: bool = False


_LETTERS = ("XS", "S", "M", "L", "XL")
_NUMBERS = ("30", "32", "34", "36")
_FEET = ("38", "39", "40", "41", "42", "43")
_CALM = ("plain", "stripes", "checks", "diagonal", "camouflage", "fade", "halves")

KINDS: tuple[Kind, ...] = (
    Kind("T-shirt", ("Clothing", "T-shirts"), 16, (12, 35), _LETTERS, has_emblem=True),
    Kind("shirt", ("Clothing", "Shirts"), 9, (29, 79), _LETTERS),
    Kind("sweatshirt", ("Clothing", "Sweatshirts"), 9, (35, 89), _LETTERS, has_emblem=True),
    Kind("dress", ("Clothing", "Dresses"), 12, (39, 159), _LETTERS),
    Kind("skirt", ("Clothing", "Skirts"), 6, (25, 79), _LETTERS),
    Kind("trousers", ("Clothing", "Trousers"), 7, (35, 109), _NUMBERS, _CALM),
    Kind("shorts", ("Clothing", "Shorts"), 5, (19, 49), _NUMBERS),
    Kind("jacket", ("Clothing", "Jackets"), 9, (69, 259), _LETTERS, _CALM, has_emblem=True),
    Kind("sneakers", ("Shoes", "Sneakers"), 11, (49, 149), _FEET, has_emblem=True),
    Kind("boots", ("Shoes", "Boots"), 5, (79, 219), _FEET, ("plain", "halves", "fade", "leopard")),
    Kind("handbag", ("Accessories", "Bags"), 7, (39, 199), ()),
    Kind("backpack", ("Accessories", "Backpacks"), 6, (45, 129), (), has_emblem=True),
    Kind("cap", ("Accessories", "Hats"), 4, (15, 39), (), has_emblem=True),
    Kind("hat", ("Accessories", "Hats"), 4, (19, 69), ()),
)
_BY_NAME = {kind.name: kind for kind in KINDS}


@dataclass(frozen=True, slots=True)
class Design:
    """main, second, accent: names of colours. cut: six numbers from 0 to 1 that the shape is made of. price_minor:
    what the maker recommends. vendor_code: of this colour.
    """

    number: int
    kind: str
    brand: str
    model: str
    main: str
    second: str
    accent: str
    cloth: str
    scale: float
    emblem: str
    text: str
    cut: tuple[float, ...]
    price_minor: int
    vendor_code: str

    @property
    def of(self) -> Kind:
        return _BY_NAME[self.kind]

    @property
    def name(self) -> str:
        cloth = "" if self.cloth == "plain" else f" with {_SAID.get(self.cloth, self.cloth)}"
        return f"{self.model} {self.kind}, {self.main}{cloth}"


_SAID = {
    "bars": "vertical stripes",
    "diagonal": "diagonal stripes",
    "fade": "a colour gradient",
    "halves": "two halves",
    "leopard": "leopard print",
    "camouflage": "camouflage print",
}


def make_designs(count: int, *, seed: int = 1) -> list[Design]:
    """So many products, each in looks of its own."""
    random = Random(seed)  # noqa: S311 - nothing secret
    kinds = [kind for kind in KINDS for _ in range(kind.weight)]
    return [_design(random, number, random.choice(kinds)) for number in range(count)]


def _design(random: Random, number: int, kind: Kind) -> Design:
    main, second, accent = random.sample(list(COLOURS), 3)
    low, high = kind.price
    brand = BRANDS[number % len(BRANDS)]
    return Design(
        number=number,
        kind=kind.name,
        brand=brand,
        model=random.choice(MODELS),
        main=main,
        second=second,
        accent=accent,
        cloth=random.choice(kind.cloths or CLOTHS) if random.random() < 0.75 else "plain",
        scale=random.uniform(0.6, 1.7),
        emblem=random.choice(EMBLEMS) if kind.has_emblem else "",
        text=random.choice(WORDS) if random.random() < 0.6 else str(random.randint(1, 99)),
        cut=tuple(random.random() for _ in range(6)),
        price_minor=100 * random.randint(low, high) - random.choice((1, 5, 10, 100)),
        vendor_code=f"{brand[:2].upper()}-{10_000 + 7 * number}",
    )


def with_check_digit(digits: str) -> str:
    """GTIN-13 of twelve digits (GS1 General Specifications, 7.9). Those from 952 on are for examples."""
    total = sum(int(digit) * (3 if place % 2 else 1) for place, digit in enumerate(digits))
    return f"{digits}{-total % 10}"
