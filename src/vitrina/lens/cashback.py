"""Cashback: which term holds for an offer, and what it gives. Pure.

All arithmetic is decimal and rounds down to minor units, so nobody is promised a cent that the rule does not give.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import ROUND_DOWN, Decimal, InvalidOperation, localcontext
from typing import Any

from vitrina.errors import InputError
from vitrina.product import Money

PERCENT, FIXED = KINDS = ("percent", "fixed")
LONGEST_HOLD_DAYS = 730
FINEST_PERCENT = 4
"""Decimal places of a percentage."""

_LEVELS = re.compile(r"\s*[›>]\s*")


@dataclass(frozen=True, slots=True)
class Term:
    """What a shop gives back.

    category: from the widest level on, () for the whole shop; it holds for everything below. percent: of the price.
    amount, cap: minor units of `currency`. first, last: days on which it holds, both included; last None: until
    further notice. hold_days: from the order until it can be paid, so that things can be sent back.
    """

    term_id: str
    shop: str
    category: tuple[str, ...]
    kind: str
    percent: Decimal
    amount_minor: int
    cap_minor: int | None
    currency: str
    hold_days: int
    first: date
    last: date | None
    created_at: datetime

    def holds_on(self, day: date) -> bool:
        return self.first <= day and (self.last is None or day <= self.last)

    def covers(self, category: Sequence[str]) -> bool:
        """Whether an offer of this category is meant; upper and lower case are the same."""
        return _plain(self.category) == _plain(category[: len(self.category)])

    def overlaps(self, other: Term) -> bool:
        """Whether both hold for exactly the same category on some day."""
        same = self.shop == other.shop and _plain(self.category) == _plain(other.category)
        return same and _ends_after(self, other) and _ends_after(other, self)


def best_term(terms: Iterable[Term], category: Sequence[str], on: date) -> Term | None:
    """The one with the most specific category that holds on the day; the newest of several."""
    fitting = [term for term in terms if term.holds_on(on) and term.covers(category)]
    return max(fitting, key=lambda term: (len(term.category), term.created_at, term.term_id), default=None)


class TermTable:
    """What `best_term` answers, at once for any number of terms and offers."""

    def __init__(self, terms: Iterable[Term]) -> None:
        self._by_category: dict[tuple[str, tuple[str, ...]], list[Term]] = {}
        for term in sorted(terms, key=lambda one: (one.created_at, one.term_id), reverse=True):
            self._by_category.setdefault((term.shop, _plain(term.category)), []).append(term)

    def best(self, shop: str, category: Sequence[str], on: date) -> Term | None:
        plain = _plain(category)
        for depth in range(len(plain), -1, -1):
            for term in self._by_category.get((shop, plain[:depth]), ()):
                if term.holds_on(on):
                    return term
        return None


def amount(term: Term, price: Money) -> Money | None:
    """What the term gives for this price: never more than the price; None for nothing or another currency."""
    if term.currency and term.currency != price.currency:
        return None
    if term.kind == FIXED:
        minor = term.amount_minor
    else:
        with localcontext() as context:
            context.prec = 60
            minor = int((Decimal(price.minor) * term.percent / 100).to_integral_value(ROUND_DOWN))
    bounds = [minor, price.minor] if term.cap_minor is None else [minor, price.minor, term.cap_minor]
    least = min(bounds)
    return Money(least, price.currency) if least > 0 else None


def parse_percent(text: str) -> Decimal:
    """`7.5`, `7,5 %` → Decimal. Raises InputError outside of 0 to 100, both of no use."""
    try:
        percent = Decimal(text.strip().removesuffix("%").strip().replace(",", "."))
        fits = 0 < percent <= 100 and percent == round(percent, FINEST_PERCENT)
    except InvalidOperation:
        fits = False
    if not fits:
        raise InputError(
            f"percent: expected more than 0, at most 100, with up to {FINEST_PERCENT} places, such as 7.5, got {text!r}"
        )
    return Decimal(f"{percent.normalize():f}")


def parse_category(text: str) -> tuple[str, ...]:
    """`Shoes > Boots` or `Shoes › Boots` → ("Shoes", "Boots"); nothing → ()."""
    text = text.strip()
    levels = tuple(_LEVELS.split(text)) if text else ()
    if not all(levels):
        raise InputError(f"category: expected levels such as 'Shoes > Boots', got {text!r}")
    return levels


def check_term(term: Term) -> Term:
    """The term itself. Raises InputError for what cannot be meant."""
    if term.kind not in KINDS:
        raise InputError(f"kind: expected one of {', '.join(KINDS)}, got {term.kind!r}")
    if term.kind == FIXED and (term.amount_minor <= 0 or not term.currency):
        raise InputError(f"amount: expected more than 0 and its currency, such as 5.00 EUR, got {term.amount_minor}")
    if term.kind == PERCENT and not 0 < term.percent <= 100:
        raise InputError(f"percent: expected more than 0 and at most 100, got {term.percent}")
    if term.cap_minor is not None and (term.cap_minor <= 0 or not term.currency):
        raise InputError(f"cap: expected more than 0 and its currency, got {term.cap_minor}")
    if not 0 <= term.hold_days <= LONGEST_HOLD_DAYS:
        raise InputError(f"hold days: expected 0 to {LONGEST_HOLD_DAYS}, got {term.hold_days}")
    if term.last is not None and term.last < term.first:
        raise InputError(f"valid to: expected {term.first} or later, got {term.last}")
    return term


def snapshot(term: Term) -> dict[str, Any]:
    """What was promised, to be kept with a click: a term that changes later changes no promise."""
    return {
        "term_id": term.term_id,
        "kind": term.kind,
        "percent": str(term.percent),
        "amount_minor": term.amount_minor,
        "cap_minor": term.cap_minor,
        "currency": term.currency,
        "hold_days": term.hold_days,
        "first": term.first.isoformat(),
    }


def promised(shop: str, kept: dict[str, Any]) -> Term:
    """The term of a click, from its `snapshot`."""
    return Term(
        term_id=kept["term_id"],
        shop=shop,
        category=(),
        kind=kept["kind"],
        percent=Decimal(kept["percent"]),
        amount_minor=kept["amount_minor"],
        cap_minor=kept["cap_minor"],
        currency=kept["currency"],
        hold_days=kept["hold_days"],
        first=date.fromisoformat(kept["first"]),
        last=None,
        created_at=datetime.min,
    )


def _ends_after(first: Term, second: Term) -> bool:
    return first.last is None or first.last >= second.first


def _plain(category: Sequence[str]) -> tuple[str, ...]:
    return tuple(" ".join(level.split()).casefold() for level in category)
