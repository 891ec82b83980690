"""What a search found: products with their offers, exact ones and similar ones apart. Pure."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

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

    box: what of the photo was meant. nearest: widest level of the category of the nearest product,
    also of one that is not alike enough to be shown. others: other crops that could have been meant, best first.
    """

    search_id: str
    exact: tuple[FoundProduct, ...]
    similar: tuple[FoundProduct, ...]
    box: BoxFractions
    others: tuple[BoxFractions, ...]
    cpu_ms: float
    nearest: str = ""

    @property
    def nothing_alike(self) -> bool:
        return not (self.exact or self.similar)


def as_json(found: Found) -> dict[str, Any]:
    """For programs; amounts are text in major units."""
    return {
        "search_id": found.search_id,
        "nothing_alike": found.nothing_alike,
        "box": found.box,
        "other_boxes": found.others,
        "cpu_ms": round(found.cpu_ms, 1),
        "exact": [product_json(one) for one in found.exact],
        "similar": [product_json(one) for one in found.similar],
    }


def product_json(product: FoundProduct) -> dict[str, Any]:
    told = asdict(product) | {"likeness": round(product.likeness, 4), "same_kind": round(product.same_kind, 4)}
    told["offers"] = [{name: _plain(getattr(one, name)) for name in one.__slots__} for one in product.offers]
    return told


def _plain(value: Any) -> Any:
    return {"amount": str(value.major), "currency": value.currency} if isinstance(value, Money) else value
