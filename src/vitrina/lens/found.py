"""What a search found: products with their offers, exact ones and similar ones apart. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from vitrina.product import Money

BoxFractions = tuple[float, float, float, float]
"""Left, top, right, bottom, each a fraction (0 to 1) of the upright photo's width or height."""


@dataclass(frozen=True, slots=True)
class FoundOffer:
    """One shop's offer of a product. after: what the buyer pays once the cashback has come; price without one."""

    shop: str
    shop_name: str
    offer_id: str
    name: str
    price: Money
    old_price: Money | None
    cashback: Money | None
    after: Money
    available: bool


@dataclass(frozen=True, slots=True)
class FoundProduct:
    """offers: cheapest after cashback first, those in stock before the others. picture: sha256 of the nearest one.

    likeness: probability that it is the same product (calibrated), 0 to 1. same_kind: that it is the same kind.
    why: why its offers are one product ("same GTIN", "same brand and vendor code", "same picture"), "" for one offer.
    """

    product_id: str
    name: str
    brand: str
    category: tuple[str, ...]
    picture: str
    likeness: float
    same_kind: float
    offers: tuple[FoundOffer, ...]
    why: str = ""


@dataclass(frozen=True, slots=True)
class Found:
    """exact, similar: best first, no product in both. Both empty: nothing alike was found.

    box: what of the photo was meant. others: other crops that could have been meant, best first.
    """

    search_id: str
    exact: tuple[FoundProduct, ...]
    similar: tuple[FoundProduct, ...]
    box: BoxFractions
    others: tuple[BoxFractions, ...]
    cpu_ms: float

    @property
    def nothing_alike(self) -> bool:
        return not (self.exact or self.similar)
