from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from vitrina.errors import ConflictError, InputError, NotFoundError
from vitrina.lens import shops, terms
from vitrina.lens.terms import Terms, TermSettings
from vitrina.product import Money
from vitrina.storage import audit
from vitrina.storage.database import Database

TODAY = date(2026, 6, 15)


@pytest.fixture
def shop(database: Database) -> Database:
    with database.session() as session:
        shops.save_shop(session, "best", by="me", currency="EUR")
    return database


def set_term(database: Database, *, replace: bool = False, **given: Any) -> str:
    change = terms.replace_term if replace else terms.set_term
    with database.session() as session:
        return change(session, TermSettings("best", **given), by="me", today=TODAY).term_id


def cashback(database: Database, category: tuple[str, ...], minor: int, on: date = TODAY) -> int | None:
    with database.reading() as session:
        found = Terms.load(session).cashback("best", category, Money(minor, "EUR"), on)
    return found.minor if found else None


def test_terms_are_kept_and_answer_for_an_offer(shop: Database) -> None:
    set_term(shop, percent="5")
    set_term(shop, category=("Shoes",), percent="7,5 %", cap="3.00")
    set_term(shop, category=("Bags",), amount="2.50")

    assert cashback(shop, ("Hats",), 4999) == 249
    assert cashback(shop, ("Shoes", "Boots"), 1000) == 75
    assert cashback(shop, ("shoes",), 9999) == 300
    assert cashback(shop, ("Bags",), 9999) == 250
    assert cashback(shop, ("Bags",), 9999, date(2026, 6, 14)) is None


def test_a_shop_without_terms_gives_nothing_back(shop: Database) -> None:
    assert cashback(shop, (), 1000) is None


def test_a_term_that_overlaps_another_is_refused_and_says_which(shop: Database) -> None:
    first = set_term(shop, category=("Shoes",), percent="5", last=date(2026, 6, 30))
    set_term(shop, category=("Shoes",), percent="6", first=date(2026, 7, 1))
    with pytest.raises(ConflictError, match=f"from 2026-06-15 to 2026-06-30 already .{first}.*--replace"):
        set_term(shop, category=("SHOES",), percent="7", first=date(2026, 6, 30))
    with pytest.raises(ConflictError, match="2026-07-01 to further notice"):
        set_term(shop, category=("Shoes",), percent="7", first=date(2027, 1, 1))


def test_a_term_takes_the_place_of_older_ones(shop: Database) -> None:
    set_term(shop, percent="5", first=date(2026, 1, 1))
    set_term(shop, percent="6", replace=True)
    set_term(shop, percent="7", replace=True)

    assert cashback(shop, (), 10000, date(2026, 6, 14)) == 500
    assert cashback(shop, (), 10000) == 700
    with shop.reading() as session:
        assert [(term.percent, term.last) for term in terms.list_terms(session)] == [(5, date(2026, 6, 14)), (7, None)]


def test_a_term_is_removed_by_the_end_of_its_id(shop: Database) -> None:
    term_id = set_term(shop, percent="5")
    with shop.session() as session:
        terms.remove_term(session, term_id[-6:], by="me")
        with pytest.raises(NotFoundError):
            terms.remove_term(session, term_id, by="me")

    assert cashback(shop, (), 1000) is None
    with shop.reading() as session:
        log = [entry.action for entry in audit.entries(session, object=f"lens-term:{term_id}")]
    assert log == ["lens.term.remove", "lens.term.set"]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "either"),
        ({"percent": "5", "amount": "2"}, "not both"),
        ({"percent": "101"}, "at most 100"),
        ({"percent": "0"}, "more than 0"),
        ({"percent": "much"}, "percent"),
        ({"amount": "0"}, "amount"),
        ({"amount": "nan"}, "expected an amount such as 12.50"),
        ({"amount": "1e20"}, "expected an amount such as 12.50"),
        ({"percent": "5", "cap": "inf"}, "expected an amount such as 12.50"),
        ({"amount": "5", "currency": "EURO"}, "ISO 4217"),
        ({"percent": "5", "cap": "-1"}, "cap"),
        ({"percent": "5", "hold_days": -1}, "hold days"),
        ({"percent": "5", "last": date(2026, 6, 14)}, "2026-06-15 or later"),
    ],
)
def test_a_term_that_does_not_fit_is_refused(shop: Database, given: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        set_term(shop, **given)


def test_a_term_of_a_shop_that_is_not_there_is_refused(database: Database) -> None:
    with pytest.raises(NotFoundError), database.session() as session:
        terms.set_term(session, TermSettings("none", percent="5"), by="me", today=TODAY)
