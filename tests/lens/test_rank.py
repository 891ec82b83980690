"""What is shown, and in which order."""

from __future__ import annotations

from typing import Any

import pytest

from vitrina.errors import InputError
from vitrina.lens.found import FoundOffer, FoundProduct
from vitrina.lens.offer import Offer
from vitrina.lens.rank import Wishes, after_cashback, order_offers, split
from vitrina.product import Money


def eur(minor: int) -> Money:
    return Money(minor, "EUR")


def found(shop: str, minor: int, *, back: int = 0, available: bool = True, currency: str = "EUR") -> FoundOffer:
    price, cashback = Money(minor, currency), Money(back, currency) if back else None
    return FoundOffer(shop, shop, "1", "Shoe", price, None, cashback, after_cashback(price, cashback), available)


def product(name: str, likeness: float, same_kind: float, *, available: bool = True) -> FoundProduct:
    return FoundProduct(name, name, "", (), "", likeness, same_kind, (found("a", 100, available=available),))


def offer(**facts: Any) -> Offer:
    given: dict[str, Any] = {"shop": "a", "offer_id": "1", "name": "Shoe", "url": "", "price": eur(5000)} | facts
    return Offer(**given)


def test_what_the_buyer_pays_in_the_end_decides_and_what_is_out_of_stock_comes_last() -> None:
    offers = [
        found("dear", 9000),
        found("gone", 100, available=False),
        found("back", 9500, back=1000),
        found("usd", 10, currency="USD"),
    ]

    assert [one.shop for one in order_offers(offers, "EUR")] == ["back", "dear", "usd", "gone"]


def test_a_cashback_in_another_currency_is_not_taken_off() -> None:
    assert after_cashback(eur(1000), Money(100, "USD")) == eur(1000)
    assert after_cashback(eur(1000), eur(70)) == eur(930)
    assert after_cashback(eur(1000), None) == eur(1000)


def test_exact_and_similar_are_apart_and_what_is_neither_is_not_shown() -> None:
    exact, similar = split(
        [product("same", 0.9, 0.95), product("kind", 0.2, 0.8), product("rubbish", 0.1, 0.2)], limit=5
    )

    assert [one.name for one in exact] == ["same"]
    assert [one.name for one in similar] == ["kind"]


def test_of_exact_ones_those_in_stock_go_first() -> None:
    exact, _ = split([product("sold out", 0.99, 1, available=False), product("there", 0.9, 1)], limit=5)

    assert [one.name for one in exact] == ["there", "sold out"]


@pytest.mark.parametrize(
    ("wishes", "fits"),
    [
        (Wishes(), True),
        (Wishes(shops=("a",)), True),
        (Wishes(shops=("b",)), False),
        (Wishes(brands=("acme",)), True),
        (Wishes(brands=("Other",)), False),
        (Wishes(categories=("Shoes",)), True),
        (Wishes(categories=("Boots",)), False),
        (Wishes(max_price=eur(5000)), True),
        (Wishes(max_price=eur(4999)), False),
        (Wishes(max_price=Money(999999, "USD")), False),
        (Wishes(min_price=eur(5001)), False),
        (Wishes(in_stock_only=True), True),
        (Wishes(size="39"), True),
        (Wishes(size="3"), False),
        (Wishes(colour="Red"), True),
        (Wishes(colour="blue"), False),
        (Wishes(country="DE"), True),
        (Wishes(country="US"), False),
    ],
)
def test_every_wish_is_kept(wishes: Wishes, fits: bool) -> None:
    one = offer(brand="Acme", category=("Shoes", "Boots"), params=(("Size", "38/39/40"), ("Color", "red")))

    assert wishes.takes(one, ("DE", "FR")) is fits


def test_a_shop_that_does_not_say_where_it_delivers_to_is_shown() -> None:
    assert Wishes(country="US").takes(offer(), ())


def test_prices_in_two_currencies_are_refused() -> None:
    with pytest.raises(InputError, match="one currency"):
        Wishes(min_price=eur(1), max_price=Money(2, "USD"))
