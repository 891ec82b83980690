from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vitrina.lens.feed.gtin import check_digit, gtin
from vitrina.lens.feed.offers import is_available, levels, link, pictures
from vitrina.lens.feed.price import currency_code, parse_price
from vitrina.lens.feed.wording import plain, without_mark


@pytest.mark.parametrize(
    ("text", "price"),
    [
        ("600", (60000, "EUR")),
        ("450.00 CAD", (45000, "CAD")),
        ("CAD 450", (45000, "CAD")),
        ("1 299,50", (129950, "EUR")),
        ("1 299.50 RUB", (129950, "RUB")),
        ("1,299.00 USD", (129900, "USD")),
        ("1.299,00 EUR", (129900, "EUR")),
        ("1,299", (129900, "EUR")),
        ("1.299", (130, "EUR")),
        ("1.299.000", (129900000, "EUR")),
        ("1'299.95 CHF", (129995, "CHF")),
        ("590 руб.", (59000, "RUB")),
        ("€ 19.90", (1990, "EUR")),
        ("1500 JPY", (1500, "JPY")),
        ("0", (0, "EUR")),
    ],
)
def test_a_price_is_read_as_shops_write_it(text: str, price: tuple[int, str]) -> None:
    assert parse_price(text, "EUR") == price


@pytest.mark.parametrize("text", ["", "free", "-5", "12 apples", "1e5", "٣", "12 EUR EUR", "9" * 29])
def test_what_is_no_price_is_said(text: str) -> None:
    with pytest.raises(ValueError, match="expected a"):
        parse_price(text, "EUR")


@given(st.integers(0, 10**9))
def test_any_amount_comes_back(minor: int) -> None:
    assert parse_price(f"{minor // 100}.{minor % 100:02} EUR", "") == (minor, "EUR")
    assert parse_price(f"{minor // 100:,}.{minor % 100:02}", "EUR") == (minor, "EUR")


@pytest.mark.parametrize(("text", "code"), [("RUR", "RUB"), (" rub ", "RUB"), ("usd", "USD"), ("XXQ", ""), ("", "")])
def test_old_names_of_currencies_are_known(text: str, code: str) -> None:
    assert currency_code(text) == code


@pytest.mark.parametrize(
    ("text", "digits"),
    [
        ("4006381333931", "4006381333931"),
        (" 4006381-333931 ", "4006381333931"),
        ("036000291452", "036000291452"),
        ("96385074", "96385074"),
        ("4006381333932", ""),
        ("0000000000000", ""),
        ("2012345678900", ""),
        ("123", ""),
        ("٤٠٠٦٣٨١٣٣٣٩٣١", ""),
    ],
)
def test_a_gtin_has_a_right_check_digit_and_means_the_same_everywhere(text: str, digits: str) -> None:
    assert gtin(text) == digits


@given(st.integers(3 * 10**11, 9 * 10**11))
def test_a_made_up_gtin_is_taken_and_one_digit_off_is_not(body: int) -> None:
    digits = f"{body}{check_digit(str(body))}"

    assert gtin(digits) == digits
    assert gtin(f"{body}{(int(digits[-1]) + 1) % 10}") == ""


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("  two\n words ", "two words"),
        ("<p>Wool</p><br/>&amp; silk", "Wool & silk"),
        ("H&amp;amp;M", "H&M"),
        ("a" * 50, "a" * 20),
        ("5 < 6", "5 < 6"),
    ],
)
def test_a_text_is_plain_words(text: str, shown: str) -> None:
    assert plain(text, 20) == shown


def test_a_colour_loses_what_is_no_part_of_it() -> None:
    assert without_mark("Burgundy (Pre-order)") == ("Burgundy", "pre-order")
    assert without_mark("Red (dark)") == ("Red (dark)", "")


@pytest.mark.parametrize(
    ("said", "available"),
    [
        ([], True),
        ([""], True),
        (["in stock"], True),
        (["out_of_stock"], False),
        (["out of stock"], False),
        (["true", "false"], False),
        (["preorder"], True),
        (["Sold Out"], False),
    ],
)
def test_where_a_feed_says_it_twice_the_no_counts(said: list[str], available: bool) -> None:
    assert is_available(said) is available


def test_a_link_is_mended_where_that_is_plain() -> None:
    assert link(" //a.example/x y ") == "https://a.example/x%20y"
    for wrong in ("", "javascript:alert(1)", "a.example", "https://a.example/" + "x" * 3000):
        with pytest.raises(ValueError, match="address of its page"):
            link(wrong)


def test_each_picture_is_taken_once() -> None:
    assert pictures(["//a/1.jpg", "https://a/1.jpg", " ", "img/2.jpg", "a\nb"]) == ("https://a/1.jpg", "img/2.jpg")


def test_levels_are_divided_by_the_first_mark_there_is() -> None:
    assert levels("Women > Shoes > Boots/Wellies") == ("Women", "Shoes", "Boots/Wellies")
    assert levels("Women/Shoes") == ("Women", "Shoes")
    assert levels("") == ()
