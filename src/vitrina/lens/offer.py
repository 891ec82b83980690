"""An offer: one thing that one shop sells, as its feed says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from vitrina.product import Money


class Offer(NamedTuple):
    """A tuple, as imports make millions: a frozen dataclass takes twice as long.

    shop, offer_id: the key. line: where in the feed it begins, from 1.

    group_id: what the shop calls variants of one thing, "" without. gtin: 8, 12, 13 or 14 digits with a right check
    digit, else "". category: from the widest to the narrowest. params: (name, value), in the feed's order.
    url: the shop's own page, or a link that the shop's network has made already.
    """

    shop: str
    offer_id: str
    name: str
    url: str
    price: Money
    old_price: Money | None = None
    available: bool = True
    group_id: str = ""
    brand: str = ""
    vendor_code: str = ""
    gtin: str = ""
    category: tuple[str, ...] = ()
    pictures: tuple[str, ...] = ()
    params: tuple[tuple[str, str], ...] = ()
    description: str = ""
    line: int = 0


@dataclass(frozen=True, slots=True)
class Reject:
    """A record of a feed that did not become an offer, and why. offer_id: "" where even that is unknown."""

    line: int
    offer_id: str
    reason: str
