"""What a record's values make: an offer, or the reason why not."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from vitrina.lens.feed.gtin import gtin
from vitrina.lens.feed.price import currency_code, parse_price
from vitrina.lens.feed.wording import plain, without_mark
from vitrina.lens.offer import Offer, Reject
from vitrina.product import Money

LONGEST_ID = 200
LONGEST_NAME = 300
LONGEST_WORD = 200
LONGEST_URL = 2000
LONGEST_VALUE = 500
LONGEST_DESCRIPTION = 2000
MOST_PICTURES = 20
MOST_PARAMS = 60
MOST_LEVELS = 12

YES = frozenset(
    {"true", "yes", "1", "in_stock", "instock", "preorder", "backorder", "available", "available_for_order"}
)
NO = frozenset({"false", "no", "0", "out_of_stock", "outofstock", "soldout", "sold_out", "discontinued", "unavailable"})


@dataclass(slots=True)
class Record:
    """A record's values as they stand in the feed. currency: where the price names none. sale: a lower price."""

    line: int
    offer_id: str = ""
    name: str = ""
    url: str = ""
    price: str = ""
    sale: str = ""
    old_price: str = ""
    currency: str = ""
    available: Sequence[str] = ()
    group_id: str = ""
    brand: str = ""
    vendor_code: str = ""
    barcodes: Iterable[str] = ()
    category: tuple[str, ...] = ()
    pictures: Iterable[str] = ()
    params: Iterable[tuple[str, str]] = ()
    description: str = ""


def make_offer(shop: str, record: Record) -> Offer | Reject:
    """Everything checked and cut to a length that no honest offer needs."""
    offer_id = record.offer_id.strip()
    if not offer_id or len(offer_id) > LONGEST_ID:
        return Reject(record.line, offer_id[:40], f"expected an id of 1 to {LONGEST_ID} letters")
    try:
        prices = _prices(record)
        url = link(record.url)
        name = plain(record.name, LONGEST_NAME)
        if not name:
            raise ValueError("expected a name, got none")
    except ValueError as error:
        return Reject(record.line, offer_id, str(error))
    params, mark = _params(record.params)
    return Offer(
        shop=shop,
        offer_id=offer_id,
        name=name,
        url=url,
        price=prices[0],
        old_price=prices[1],
        available=is_available([*record.available, mark.replace("-", "")] if mark else record.available),
        group_id=record.group_id.strip()[:LONGEST_ID],
        brand=plain(record.brand, LONGEST_WORD),
        vendor_code=record.vendor_code.strip()[:LONGEST_WORD],
        gtin=_first_gtin(record.barcodes),
        category=record.category,
        pictures=pictures(record.pictures),
        params=params,
        description=plain(record.description, LONGEST_DESCRIPTION),
        line=record.line,
    )


def link(text: str) -> str:
    """The address of the shop's page. Raises ValueError."""
    url = text.strip()
    if not url:
        raise ValueError("expected the address of its page, got none")
    if url.startswith("//"):
        url = f"https:{url}"
    if " " in url:
        url = url.replace(" ", "%20")
    if not url.startswith(("http://", "https://")) or len(url) > LONGEST_URL or not url.isprintable():
        raise ValueError(f"expected the address of its page (https://…), got {url[:60]!r}")
    return url


def pictures(texts: Iterable[str]) -> tuple[str, ...]:
    """Addresses, and paths as they stand: whether these may be used is said at the import. Each once."""
    found: dict[str, None] = {}
    for text in texts:
        one = text.strip()
        if one.startswith("//"):
            one = f"https:{one}"
        if one and len(one) <= LONGEST_URL and one.isprintable():
            found[one.replace(" ", "%20") if one.startswith("http") else one] = None
    return tuple(found)[:MOST_PICTURES]


def is_available(said: Sequence[str]) -> bool:
    """Where a feed says it twice and they differ, the word that disappoints nobody later counts."""
    for text in said:
        if text == "true":
            continue
        word = text.strip().lower().replace(" ", "_").replace("-", "_")
        if word in NO or (word not in YES and word.replace("_", "") in NO):
            return False
    return True


def levels(text: str, separators: str = ">›/|") -> tuple[str, ...]:
    """`Women > Shoes` → the levels, by the first of the separators that is in it."""
    mark = next((one for one in separators if one in text), None)
    parts = text.split(mark) if mark else [text]
    return tuple(word for part in parts if (word := plain(part, LONGEST_WORD)))[:MOST_LEVELS]


def _first_gtin(texts: Iterable[str]) -> str:
    for text in texts:
        found = gtin(text)
        if found:
            return found
    return ""


def _prices(record: Record) -> tuple[Money, Money | None]:
    text = record.price.strip()
    if not text:
        raise ValueError("expected a price, got none")
    fallback = currency_code(record.currency) if record.currency else ""
    if record.currency and not fallback:
        raise ValueError(f"expected a currency such as EUR, got {record.currency.strip()[:20]!r}")
    price = _money(text, fallback)
    old = _optional(record.old_price, price.currency)
    sale = _optional(record.sale, price.currency)
    if sale is not None and sale.minor < price.minor:
        price, old = sale, price
    if price.minor <= 0:
        raise ValueError(f"expected a price above 0, got {text[:40]!r}")
    return price, old if old is not None and old.minor > price.minor else None


def _optional(text: str, currency: str) -> Money | None:
    """A second price that does not fit is left out: it costs the shop its comparison, not its offer."""
    if not text or not (text := text.strip()):
        return None
    try:
        money = _money(text, currency)
    except ValueError:
        return None
    return money if money.currency == currency and money.minor > 0 else None


@lru_cache(maxsize=32_768)
def _money(text: str, currency: str) -> Money:
    """Shops like certain prices: most of a feed's stand in it many times. Raises ValueError."""
    return Money(*parse_price(text, currency))


def _params(given: Iterable[tuple[str, str]]) -> tuple[tuple[tuple[str, str], ...], str]:
    """The pairs that say something, and the mark ("pre-order") that stood in one of them."""
    found, mark = [], ""
    for name, text in given:
        value = plain(text, LONGEST_VALUE)
        if "(" in value:
            value, seen = without_mark(value)
            mark = mark or seen
        if value and (name := plain(name, LONGEST_WORD)):
            found.append((name, value))
    if mark:
        found.append(("availability", mark))
    return tuple(found[:MOST_PARAMS]), mark
