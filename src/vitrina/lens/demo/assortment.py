"""Which simulated shop sells what, and what it says about it. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from random import Random

from vitrina.lens.demo.design import Design, with_check_digit
from vitrina.lens.demo.studio import Studio

CURRENCY = "EUR"
SIMULATED = "(simulated)"


@dataclass(frozen=True, slots=True)
class DemoShop:
    """form: of its feed. takes: how likely it sells a product. price: times what the maker recommends.

    knows_gtin, knows_code, knows_brand: what its feed says. by_size: one offer for each size. cashback: category ("":
    all of them) → `6%` of the price, or a fixed `4.00`.
    """

    slug: str
    title: str
    form: str
    takes: float
    price: float
    studio: Studio
    knows_gtin: bool = True
    knows_code: bool = True
    knows_brand: bool = True
    by_size: bool = False
    cashback: dict[str, str] = field(default_factory=dict)
    countries: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return f"{self.title} {SIMULATED}"

    @property
    def site(self) -> str:
        """`.example` belongs to nobody (RFC 2606)."""
        return f"https://{self.slug}.example"


SHOPS: tuple[DemoShop, ...] = (
    DemoShop("ostrand", "Ostrand", "yml", 0.46, 1.0, Studio((246, 246, 246), 0.98, 0.0, 1.0, 0.0, 90, False),
             cashback={"": "6%", "Shoes": "9%", "Accessories": "4.00"}, countries=("DE", "FI", "PL")),
    DemoShop("kappel", "Kappel 7", "yml", 0.26, 0.96, Studio((238, 234, 228), 0.9, 3.0, 0.97, 0.02, 80, True),
             knows_gtin=False, cashback={"": "4.5%"}, countries=("DE",)),
    DemoShop("velmora", "Velmora", "google", 0.22, 1.06, Studio((255, 255, 255), 1.06, 1.5, 1.03, -0.015, 86, False),
             by_size=True, cashback={"": "10%", "Clothing › Dresses": "14%"}, countries=("DE", "FR", "IT")),
    DemoShop("sportello", "Sportello", "tsv", 0.16, 0.93, Studio((228, 232, 236), 0.94, 4.0, 1.0, -0.02, 78, True),
             knows_gtin=False, cashback={"": "3%", "Shoes › Sneakers": "12%"}),
    DemoShop("tuli", "Tuli Outlet", "yml", 0.1, 0.71, Studio((246, 246, 246), 0.98, 0.0, 1.0, 0.0, 90, False),
             knows_gtin=False, knows_code=False, knows_brand=False, countries=("FI", "EE")),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Listing:
    """One offer of a shop. picture: file beside the feed. size: "" where the offer is for all `sizes`."""

    shop: DemoShop
    design: Design
    offer_id: str
    price_minor: int
    old_price_minor: int | None
    available: bool
    picture: str
    sizes: tuple[str, ...]
    size: str = ""
    gtin: str = ""
    group_id: str = ""


def stocked(designs: Sequence[Design], *, seed: int = 1) -> dict[str, list[Design]]:
    """Shop → what it sells. Every product has a shop; a third of them has several."""
    random = Random(seed)  # noqa: S311 - nothing secret
    found: dict[str, list[Design]] = {shop.slug: [] for shop in SHOPS}
    for design in designs:
        some = [shop for shop in SHOPS if random.random() < shop.takes] or [random.choice(SHOPS)]
        for shop in some:
            found[shop.slug].append(design)
    return found


def listings(shop: DemoShop, designs: Sequence[Design], *, seed: int = 1) -> Iterator[Listing]:
    """What the shop's feed holds, before anything is wrong with it."""
    for design in designs:
        random = Random(f"{shop.slug}-{design.number}-{seed}")  # noqa: S311 - nothing secret
        price = round(design.price_minor * shop.price * random.uniform(0.96, 1.05) / 10) * 10 - 1
        old = round(price * random.uniform(1.15, 1.6) / 100) * 100 if random.random() < 0.2 else None
        sizes = _sizes(design, random)
        group = f"{shop.slug[:2].upper()}{design.number:05d}"
        variants = [*enumerate(sizes)] if shop.by_size and sizes else [(0, "")]
        for place, size in variants:
            yield Listing(
                shop=shop,
                design=design,
                offer_id=f"{group}-{size}" if size else group,
                price_minor=price,
                old_price_minor=old,
                available=random.random() < 0.93,
                picture=picture_name(design),
                sizes=sizes,
                size=size,
                gtin=with_check_digit(f"952{design.number:06d}{place:03d}") if shop.knows_gtin else "",
                group_id=group if size else "",
            )


def picture_name(design: Design) -> str:
    """File beside the feed."""
    return f"pictures/{design.number:05d}.jpg"


def _sizes(design: Design, random: Random) -> tuple[str, ...]:
    """A run of three to all of them."""
    all_ = design.of.sizes
    if not all_:
        return ()
    first = random.randint(0, max(0, len(all_) - 3))
    return all_[first : first + random.randint(3, len(all_))]
