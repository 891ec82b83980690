from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vitrina.errors import InputError
from vitrina.lens.cashback import (
    Term,
    TermTable,
    amount,
    best_term,
    check_term,
    parse_category,
    parse_percent,
    promised,
    snapshot,
)
from vitrina.product import Money

DAY = date(2026, 6, 15)


def percent(text: str, **given: Any) -> Term:
    return replace(TERM, percent=Decimal(text), **given)


TERM = Term(
    "t", "best", (), "percent", Decimal(5), 0, None, "", 30, date(2026, 1, 1), None, datetime(2026, 1, 1, tzinfo=UTC)
)
FIXED = replace(TERM, kind="fixed", amount_minor=250, currency="EUR")


@pytest.mark.parametrize(
    ("term", "price", "expected"),
    [
        (percent("5"), Money(10000, "EUR"), 500),
        (percent("5"), Money(1999, "EUR"), 99),  # 99.95
        (percent("7.5"), Money(1333, "EUR"), 99),  # 99.975
        (percent("33.3333"), Money(300, "EUR"), 99),
        (percent("100"), Money(300, "EUR"), 300),
        (percent("0.0001"), Money(10**15, "EUR"), 10**9),
        (percent("5"), Money(19, "EUR"), None),  # 0.95
        (percent("5"), Money(0, "EUR"), None),
        (percent("10"), Money(1999, "JPY"), 199),
        (percent("50", cap_minor=400, currency="EUR"), Money(1000, "EUR"), 400),
        (percent("50", cap_minor=400, currency="EUR"), Money(1000, "USD"), None),
        (FIXED, Money(1000, "EUR"), 250),
        (FIXED, Money(100, "EUR"), 100),
        (FIXED, Money(1000, "USD"), None),
    ],
)
def test_cashback_is_rounded_down_and_never_more_than_cap_or_price(
    term: Term, price: Money, expected: int | None
) -> None:
    found = amount(term, price)
    assert found == (None if expected is None else Money(expected, price.currency))


@given(st.integers(0, 10**15), st.decimals("0.0001", "100", places=4), st.none() | st.integers(1, 10**12))
def test_cashback_is_the_exact_share_rounded_down(price: int, share: Decimal, cap: int | None) -> None:
    found = amount(percent(str(share), cap_minor=cap, currency="EUR"), Money(price, "EUR"))

    exact = price * Fraction(share) / 100
    expected = min(exact.numerator // exact.denominator, price, cap if cap is not None else price)
    assert (found.minor if found else 0) == expected


@pytest.mark.parametrize(
    ("category", "expected"),
    [
        (("Bags",), "shop"),
        (("Shoes",), "shoes"),
        (("shoes ", "Sandals"), "shoes"),
        (("Shoes", "Boots", "Winter"), "boots"),
        ((), "shop"),
    ],
)
def test_the_most_specific_category_counts(category: tuple[str, ...], expected: str) -> None:
    terms = [
        replace(TERM, term_id="shoes", category=("Shoes",)),
        replace(TERM, term_id="boots", category=("Shoes", "Boots")),
        replace(TERM, term_id="shop"),
    ]
    found = best_term(terms, category, DAY)
    assert found is not None
    assert found.term_id == expected


LEVELS = st.lists(st.sampled_from(["Shoes", "shoes", "Boots", "Bags"]), max_size=3).map(tuple)


@given(st.lists(st.tuples(LEVELS, st.integers(1, 28), st.none() | st.integers(0, 9)), max_size=12), LEVELS)
def test_a_table_of_terms_answers_as_the_rule_says(
    drawn: list[tuple[tuple[str, ...], int, int | None]], category: tuple[str, ...]
) -> None:
    terms = [
        replace(
            TERM,
            term_id=str(number),
            category=levels,
            first=date(2026, 6, first),
            last=None if length is None else date(2026, 6, first) + timedelta(days=length),
            created_at=datetime(2026, 1, 1 + number % 5, tzinfo=UTC),
        )
        for number, (levels, first, length) in enumerate(drawn)
    ]
    assert TermTable(terms).best("best", category, DAY) == best_term(terms, category, DAY)
    assert TermTable(terms).best("other", category, DAY) is None


def test_of_two_terms_for_one_category_the_newer_counts() -> None:
    newer = replace(TERM, term_id="newer", created_at=datetime(2026, 2, 1, tzinfo=UTC))
    assert best_term([newer, TERM], (), DAY) == newer


@pytest.mark.parametrize(("day", "holds"), [(14, False), (15, True), (16, True), (17, False)])
def test_a_term_holds_on_its_first_and_last_day(day: int, holds: bool) -> None:
    term = replace(TERM, first=date(2026, 6, 15), last=date(2026, 6, 16))
    assert (best_term([term], (), date(2026, 6, day)) is not None) == holds


@pytest.mark.parametrize(
    ("first", "last", "overlaps"),
    [
        (date(2026, 6, 1), date(2026, 6, 9), False),
        (date(2026, 6, 1), date(2026, 6, 10), True),
        (date(2026, 6, 12), date(2026, 6, 13), True),
        (date(2026, 6, 20), None, True),
        (date(2026, 6, 21), None, False),
    ],
)
def test_terms_overlap_when_they_share_a_day(first: date, last: date | None, overlaps: bool) -> None:
    one = replace(TERM, first=date(2026, 6, 10), last=date(2026, 6, 20))
    other = replace(TERM, first=first, last=last)

    assert one.overlaps(other) == other.overlaps(one) == overlaps
    assert not one.overlaps(replace(other, category=("Shoes",)))
    assert not one.overlaps(replace(other, shop="other"))


@pytest.mark.parametrize(("text", "expected"), [("7.5", "7.5"), (" 7,50 %", "7.5"), ("10", "10"), ("100", "100")])
def test_a_percentage_is_read(text: str, expected: str) -> None:
    assert str(parse_percent(text)) == expected


@pytest.mark.parametrize("text", ["", "0", "-1", "100.01", "nan", "inf", "1e400", "1.00001", "five"])
def test_what_is_no_percentage_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="percent: expected"):
        parse_percent(text)


def test_a_category_is_read_in_levels() -> None:
    assert parse_category("Shoes > Boots") == parse_category("Shoes›Boots ") == ("Shoes", "Boots")
    assert parse_category(" ") == ()
    with pytest.raises(InputError, match="levels"):
        parse_category("Shoes > > Boots")


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"kind": "gift"}, "kind"),
        ({"kind": "fixed"}, "amount"),
        ({"percent": Decimal(101)}, "percent"),
        ({"cap_minor": 5}, "currency"),
        ({"hold_days": 731}, "hold days"),
        ({"last": date(2025, 1, 1)}, "valid to"),
    ],
)
def test_a_term_that_cannot_be_meant_is_refused(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        check_term(replace(TERM, **wrong))


@pytest.mark.parametrize("term", [FIXED, percent("7.5", cap_minor=400, currency="EUR")])
def test_a_promise_survives_being_kept(term: Term) -> None:
    assert amount(promised("best", snapshot(term)), Money(99999, "EUR")) == amount(term, Money(99999, "EUR"))
