"""What is shown and in which order: exact and similar apart, the buyer's price after cashback, nothing that is rubbish.

Pure. Prices in different currencies are never compared: a shopper's own currency goes first, others in the order of
their codes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from vitrina.errors import InputError
from vitrina.lens.found import FoundOffer, FoundProduct
from vitrina.lens.likeness import EXACT_AT, SIMILAR_AT
from vitrina.lens.offer import Offer
from vitrina.product import Money

SIZE_NAMES = frozenset({"size", "размер", "größe", "taille"})
COLOUR_NAMES = frozenset({"color", "colour", "цвет", "farbe", "couleur"})


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the shopper wants; what is empty or None lets everything pass. categories: the widest level.

    currency: of a shopper who named no price. country: ISO 3166, where it must be delivered to.
    """

    shops: tuple[str, ...] = ()
    brands: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    min_price: Money | None = None
    max_price: Money | None = None
    in_stock_only: bool = False
    size: str = ""
    colour: str = ""
    country: str = ""
    currency: str = field(default="")

    def __post_init__(self) -> None:
        named = {money.currency for money in (self.min_price, self.max_price) if money is not None}
        if len(named) > 1:
            raise InputError(f"prices: expected one currency, got {' and '.join(sorted(named))}")

    @property
    def in_currency(self) -> str:
        """The currency of prices that were named, else the shopper's own; "" for any."""
        named = self.max_price or self.min_price
        return named.currency if named else self.currency

    def takes(self, offer: Offer, countries: Sequence[str] = ()) -> bool:
        """countries: where the shop delivers to; none: it does not say, and is shown."""
        return (
            (not self.shops or offer.shop in self.shops)
            and (not self.brands or offer.brand.lower() in {brand.lower() for brand in self.brands})
            and (not self.categories or offer.category[:1] in {(name,) for name in self.categories})
            and (not self.in_stock_only or offer.available)
            and self._takes_price(offer.price)
            and _says(offer, SIZE_NAMES, self.size)
            and (_says(offer, COLOUR_NAMES, self.colour) or (self.colour.lower() in offer.name.lower()))
            and (not self.country or not countries or self.country in countries)
        )

    def _takes_price(self, price: Money) -> bool:
        if self.min_price is None and self.max_price is None:
            return True
        if price.currency != self.in_currency:
            return False
        return (self.min_price is None or price.minor >= self.min_price.minor) and (
            self.max_price is None or price.minor <= self.max_price.minor
        )


NO_WISHES = Wishes()


def _says(offer: Offer, names: frozenset[str], wanted: str) -> bool:
    """Whether a parameter of one of these names has the wanted value; where none was asked for, everything does."""
    if not wanted:
        return True
    values = [value.lower() for name, value in offer.params if name.lower() in names]
    return any(wanted.lower() in {part.strip() for part in value.replace("/", ",").split(",")} for value in values)


def order_offers(offers: Iterable[FoundOffer], currency: str = "") -> tuple[FoundOffer, ...]:
    """In stock first, the shopper's currency first, then what the buyer pays once the cashback has come."""
    return tuple(
        sorted(
            offers,
            key=lambda one: (
                not one.available,
                one.after.currency != currency,
                one.after.currency,
                one.after.minor,
                one.shop,
                one.offer_id,
            ),
        )
    )


def split(
    products: Iterable[FoundProduct], *, limit: int, everything: bool = False
) -> tuple[tuple[FoundProduct, ...], tuple[FoundProduct, ...]]:
    """Exact and similar ones, each in the given order and at most `limit`; what is neither is not shown.

    everything: all of them as similar ones in the given order, to measure it.

    Of exact ones, those that somebody has in stock go first.
    """
    if everything:
        return (), tuple(products)[:limit]
    exact, similar = [], []
    for one in products:
        if one.likeness >= EXACT_AT:
            exact.append(one)
        elif one.same_kind >= SIMILAR_AT:
            similar.append(one)
    exact.sort(key=lambda one: not any(offer.available for offer in one.offers))
    return tuple(exact[:limit]), tuple(similar[:limit])


def after_cashback(price: Money, cashback: Money | None) -> Money:
    """What the buyer pays in the end; a cashback in another currency is not taken off."""
    if cashback is None or cashback.currency != price.currency:
        return price
    return Money(price.minor - cashback.minor, price.currency)
