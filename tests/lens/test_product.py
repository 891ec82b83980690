"""Which offers are one product, and what speaks against it."""

from __future__ import annotations

from itertools import count
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from vitrina.lens.product import Decisions, Facts, merge, representatives

numbers = count(1)


def offer(shop: str, offer_id: str, **facts: Any) -> Facts:
    return Facts(next(numbers), shop, offer_id, **facts)


def groups(*offers: Facts, decisions: Decisions = Decisions()) -> list[tuple[set[str], str]]:
    names = {one.offer_key: f"{one.shop}/{one.offer_id}" for one in offers}
    found = merge(offers, decisions)
    return sorted(
        (({names[key] for key in one.offer_keys}, one.reason) for one in found), key=lambda one: sorted(one[0])
    )


def test_the_same_gtin_is_the_same_product() -> None:
    offers = [offer("a", "1", gtin="4006381333931"), offer("b", "9", gtin="4006381333931"), offer("b", "10")]

    assert groups(*offers) == [({"a/1", "b/9"}, "same GTIN"), ({"b/10"}, "")]


def test_the_same_brand_and_vendor_code_is_the_same_product_however_it_is_written() -> None:
    offers = [
        offer("a", "1", brand="Nike", vendor_code="DD-1391 100"),
        offer("b", "2", brand="NIKE", vendor_code="dd1391100"),
        offer("c", "3", brand="Puma", vendor_code="DD1391100"),
        offer("d", "4", brand="Nike", vendor_code="12"),
        offer("e", "5", brand="Nike", vendor_code="12"),
    ]

    assert groups(*offers) == [
        ({"a/1", "b/2"}, "same brand and vendor code"),
        ({"c/3"}, ""),
        ({"d/4"}, ""),
        ({"e/5"}, ""),  # two characters say too little
    ]


def test_a_vendor_code_never_joins_two_gtins() -> None:
    offers = [
        offer("a", "1", brand="Nike", vendor_code="DD1391", gtin="4006381333931"),
        offer("b", "2", brand="Nike", vendor_code="DD1391", gtin="73513537"),
        offer("c", "3", brand="Nike", vendor_code="DD1391"),
    ]

    assert groups(*offers) == [({"a/1", "c/3"}, "same brand and vendor code"), ({"b/2"}, "")]


def test_variants_that_a_shop_calls_one_group_are_one_product_and_those_of_another_shop_are_not() -> None:
    offers = [offer("a", "1", group_id="g"), offer("a", "2", group_id="g"), offer("b", "1", group_id="g")]

    assert groups(*offers) == [({"a/1", "a/2"}, "variants of one shop"), ({"b/1"}, "")]


def test_the_same_picture_in_two_shops_is_the_same_product_unless_something_speaks_against_it() -> None:
    same = [offer("a", "1", name="Shoe", pictures=("p",)), offer("b", "2", name="Sneaker", pictures=("p", "q"))]
    other_brand = [offer("a", "1", brand="Nike", pictures=("p",)), offer("b", "2", brand="Puma", pictures=("p",))]

    assert groups(*same) == [({"a/1", "b/2"}, "same picture")]
    assert groups(*other_brand) == [({"a/1"}, ""), ({"b/2"}, "")]


def test_another_amount_in_the_same_picture_is_another_product() -> None:
    large, small = (
        offer("a", "1", name="Tea, 1 kg", pictures=("p",)),
        offer("b", "2", name="Чай 500 г", pictures=("p",)),
    )
    as_large = offer("c", "3", name="Чай 1кг", pictures=("p",))

    assert groups(large, small, as_large) == [({"a/1", "c/3"}, "same picture"), ({"b/2"}, "")]


def test_a_chain_of_pictures_that_are_each_like_the_next_is_not_one_picture() -> None:
    assert representatives([("a", "b"), ("b", "c"), ("c", "d")]) == {"b": "a", "d": "c"}
    assert representatives([("c", "b"), ("b", "a"), ("c", "a")]) == {"b": "a", "c": "a"}
    assert representatives([]) == {}


def test_a_picture_that_a_shop_shows_for_different_things_joins_nothing() -> None:
    """A placeholder, or two colours on one picture."""
    offers = [
        offer("a", "1", name="Shoe, red", pictures=("p",)),
        offer("a", "2", name="Shoe, blue", pictures=("p",)),
        offer("b", "3", name="Shoe, red", pictures=("p",)),
    ]

    assert [members for members, _ in groups(*offers)] == [{"a/1"}, {"a/2"}, {"b/3"}]


def test_what_an_editor_split_stays_apart_and_what_was_joined_stays_together() -> None:
    offers = [offer("a", "1", gtin="73513537"), offer("b", "2", gtin="73513537"), offer("c", "3")]
    decided = Decisions(frozenset({("b", "2")}), ((("a", "1"), ("c", "3")),))

    assert groups(*offers, decisions=decided) == [({"a/1", "c/3"}, "joined by an editor"), ({"b/2"}, "")]


def test_a_product_keeps_its_id_when_offers_come_and_the_larger_part_keeps_it_when_it_is_split() -> None:
    one, two, three = (offer(shop, "1", gtin="73513537") for shop in "bcd")
    (before,) = merge([one, two])
    known = dict.fromkeys(before.offer_keys, before.product_id)

    (after,) = merge([offer("a", "0", gtin="73513537"), one, two, three], before=known)
    parts = merge([one, two, three], Decisions(frozenset({one.ref})), before=dict.fromkeys([1], "x") | known)

    assert after.product_id == before.product_id
    assert {two.offer_key, three.offer_key} == set(
        next(part.offer_keys for part in parts if part.product_id == before.product_id)
    )
    assert len({part.product_id for part in parts}) == 2


facts = st.builds(
    lambda shop, gtin, code, group, picture: (shop, gtin, code, group, picture),
    st.sampled_from("abc"),
    st.sampled_from(["", "73513537", "4006381333931"]),
    st.sampled_from(["", "X-100", "Y-200"]),
    st.sampled_from(["", "g"]),
    st.sampled_from(["", "p", "q"]),
)


@given(st.lists(facts, max_size=25))
def test_every_offer_is_in_exactly_one_product(rows: list[tuple[str, ...]]) -> None:
    offers = [
        Facts(
            n, shop, str(n), brand="B", vendor_code=code, gtin=gtin, group_id=group, pictures=(picture,) * bool(picture)
        )
        for n, (shop, gtin, code, group, picture) in enumerate(rows)
    ]

    found = merge(offers)

    assert sorted(key for one in found for key in one.offer_keys) == list(range(len(rows)))
    assert len({one.product_id for one in found}) == len(found)
    assert merge(offers) == found
