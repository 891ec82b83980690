from __future__ import annotations

import hashlib
import hmac
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vitrina.errors import DeniedError, InputError
from vitrina.lens.link import NETWORKS
from vitrina.lens.postback import Conversion, once, read_conversion, sign, verify

SECRET = "a secret of the network"
GENERIC = NETWORKS["generic"]
ORDER = {"order_id": "A 1", "status": "approved", "subid": "click", "order_sum": "49,90", "currency": "eur"}


def test_a_signature_is_hmac_sha256_over_the_sorted_parameters() -> None:
    by_hand = hmac.new(SECRET.encode(), b"a=x%20y%26&b=%D1%8F", hashlib.sha256).hexdigest()

    assert sign(SECRET, {"b": "я", "a": "x y&", "sign": "whatever", "token": "t"}) == by_hand


def test_what_is_signed_is_believed() -> None:
    verify({**ORDER, "sign": sign(SECRET, ORDER)}, secret=SECRET, token=None)
    verify({**ORDER, "sign": sign(SECRET, ORDER).upper()}, secret=SECRET, token=None)
    verify({**ORDER, "token": "t" * 20}, secret=None, token="t" * 20)
    verify({**ORDER, "token": "t" * 20, "sign": sign(SECRET, ORDER)}, secret=SECRET, token="t" * 20)


@pytest.mark.parametrize(
    ("changed", "secret", "token"),
    [
        ({}, SECRET, None),
        ({"sign": ""}, SECRET, None),
        ({"sign": sign("another secret", ORDER)}, SECRET, None),
        ({"sign": sign(SECRET, ORDER), "order_sum": "4990"}, SECRET, None),
        ({"sign": sign(SECRET, ORDER), "more": "1"}, SECRET, None),
        ({"sign": "é"}, SECRET, None),
        ({"sign": sign(SECRET, ORDER)}, SECRET, "t" * 20),
        ({"token": "t" * 20}, SECRET, "t" * 20),
        ({"token": "t" * 19}, None, "t" * 20),
        ({"token": ""}, None, "t" * 20),
        ({"sign": sign("", ORDER), "token": ""}, None, None),
    ],
)
def test_what_is_not_signed_as_set_up_is_refused(
    changed: dict[str, str], secret: str | None, token: str | None
) -> None:
    with pytest.raises(DeniedError, match="does not belong"):
        verify({**ORDER, **changed}, secret=secret, token=token)


@given(st.dictionaries(st.text(max_size=5), st.text(max_size=5), min_size=1), st.data())
def test_a_signature_holds_for_no_other_parameters(parameters: dict[str, str], data: st.DataObject) -> None:
    parameters = {name: value for name, value in parameters.items() if name not in ("sign", "token")}
    other = data.draw(st.dictionaries(st.text(max_size=5), st.text(max_size=5)))
    other = {name: value for name, value in other.items() if name not in ("sign", "token")}

    assert (sign(SECRET, parameters) == sign(SECRET, other)) == (parameters == other)


def test_a_parameter_that_comes_twice_is_refused() -> None:
    with pytest.raises(InputError, match="once"):
        once([("status", "pending"), ("status", "approved")])


def test_a_postback_is_read_in_our_words() -> None:
    assert read_conversion(GENERIC, ORDER) == Conversion(
        "generic", "A 1", "", "click", "approved", Decimal("49.90"), None, "EUR"
    )


def test_each_network_has_words_of_its_own() -> None:
    admitad = {"order_id": "1", "payment_status": "declined", "type": "sale", "payment_sum": "3"}
    read = read_conversion(NETWORKS["admitad"], admitad)
    assert (read.state, read.action, read.commission) == ("rejected", "sale", 3)

    own = replace(GENERIC, fields={"state": "s", "order_id": "nr"}, states={"7": "approved"})
    assert read_conversion(own, {"nr": "1", "s": "7"}).state == "approved"


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"order_id": ""}, "order_id: expected the order's number"),
        ({"order_id": "x" * 201}, "at most 200"),
        ({"order_id": "1\n2"}, "order_id"),
        ({"subid": "x" * 121}, "subid"),
        ({"status": "shipped"}, "status: expected one of approved, declined, pending, rejected"),
        ({"order_sum": "-1"}, "order_sum"),
        ({"order_sum": "nan"}, "order_sum"),
        ({"order_sum": "1e9"}, "order_sum"),
        ({"order_sum": "1" * 13}, "order_sum"),
        ({"currency": "EURO"}, "ISO 4217"),
    ],
)
def test_a_postback_that_does_not_fit_is_refused_with_its_parameter(changed: dict[str, str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_conversion(GENERIC, {**ORDER, **changed})


def test_the_sender_that_the_documentation_shows_is_believed() -> None:
    text = (Path(__file__).parent.parent.parent / "docs" / "how-to" / "cashback.md").read_text(encoding="utf-8")
    code = text.partition("```python\n")[2].partition("```")[0]
    shown: dict[str, Any] = {}
    exec(code, shown)

    url = shown["postback"](SECRET, "https://vitrina.example/postback/generic", {**ORDER, "order_id": "я /&+"})

    verify(dict(parse_qsl(urlsplit(url).query)), secret=SECRET, token=None)
