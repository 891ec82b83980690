"""Global trade item numbers (GS1): the digits under a bar code."""

from __future__ import annotations

LENGTHS = (8, 12, 13, 14)


def check_digit(body: str) -> int:
    """body: all digits but the last. GS1 General Specifications, 7.9: weights 3, 1, 3 … from the right."""
    odd, even = body[::-1][::2], body[::-1][1::2]
    return -(3 * sum(map(int, odd)) + sum(map(int, even))) % 10


def gtin(text: str) -> str:
    """The digits when they are a GTIN that means the same in every shop, else "".

    Numbers that shops give out themselves (GS1 prefixes 02, 04, 20–29) would make different things one product.
    """
    digits = text.strip().replace("-", "").replace(" ", "").lstrip("'")
    if len(digits) not in LENGTHS or not (digits.isascii() and digits.isdigit()) or not digits.strip("0"):
        return ""
    if check_digit(digits[:-1]) != int(digits[-1]) or _is_internal(digits):
        return ""
    return digits


def _is_internal(digits: str) -> bool:
    """Restricted circulation (GS1 General Specifications, 1.4.4)."""
    if len(digits) == 8:
        return digits[0] in "02"
    thirteen = digits.zfill(14)[1:]
    return thirteen[0] == "2" or thirteen[:2] in ("02", "04")
