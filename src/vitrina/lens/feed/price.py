"""Prices as feeds write them."""

from __future__ import annotations

import re
from decimal import ROUND_HALF_UP, Decimal
from functools import cache, lru_cache

from babel.numbers import get_currency_precision, list_currencies

ALIASES = {"RUR": "RUB", "BYR": "BYN", "РУБ": "RUB", "РУБ.": "RUB", "Р.": "RUB", "₽": "RUB", "€": "EUR", "$": "USD"}
LARGEST_MINOR = 10**13

_PRICE = re.compile(r"(?P<before>[^\d,.'+-]{1,4}\.?)?(?P<digits>[0-9][0-9,.']{0,24})(?P<after>[^\d,.'+-]{1,4}\.?)?")


@lru_cache(maxsize=256)
def currency_code(text: str) -> str:
    """The ISO 4217 code: `RUR` is RUB. "" for what is none."""
    code = text.strip().upper()
    code = ALIASES.get(code, code)
    return code if code in _codes() else ""


def parse_price(text: str, currency: str) -> tuple[int, str]:
    """Minor units and ISO code of `499.00 CAD`, `1 299,50`, `EUR 5`. currency: where the text names none.

    Raises ValueError, saying what came.
    """
    whole, _, cents = text.partition(".")
    if currency and len(text) < 12 and text.isascii() and whole.isdigit() and (cents.isdigit() or text == whole):
        precision = _precision(currency)
        if len(cents) <= precision:
            return int(whole) * 10**precision + int(cents.ljust(precision, "0") or 0), currency
    packed = "".join(text.split())  # also the no-break spaces of typographers
    found = _PRICE.fullmatch(packed)
    if found is None:
        raise ValueError(f"expected a price such as 499.00, got {text[:40]!r}")
    named = found["before"] or found["after"]
    code = currency_code(named) if named else currency
    if not code:
        said = f"got {named!r}" if named else "the feed names none; give the shop's with --currency"
        raise ValueError(f"expected a currency such as EUR, {said}")
    minor = int((Decimal(_plain(found["digits"])) * 10 ** _precision(code)).quantize(Decimal(1), ROUND_HALF_UP))
    if minor > LARGEST_MINOR:
        raise ValueError(f"expected a price, got {text[:40]!r}, which nobody pays")
    return minor, code


def _plain(digits: str) -> str:
    """With a point before the decimals. `1,299` are thousands, `1,29` is not; the last of two different marks counts.

    A single point is the decimal point whatever follows it, as both specifications say.
    """
    digits = digits.replace("'", "").rstrip(".,")
    comma, point = digits.rfind(","), digits.rfind(".")
    if comma > point >= 0:
        return digits.replace(".", "").replace(",", ".")
    if comma >= 0 and (point >= 0 or digits.count(",") > 1 or len(digits) - comma == 4):
        digits = digits.replace(",", "")
    elif digits.count(".") > 1:
        digits = digits.replace(".", "")
    return digits.replace(",", ".")


@cache
def _codes() -> frozenset[str]:
    return frozenset(list_currencies())


@cache
def _precision(currency: str) -> int:
    return int(get_currency_precision(currency))
