from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vitrina.errors import InputError
from vitrina.lens.address import check_address, hide, reveal


@pytest.mark.parametrize(
    ("address", "shown", "secrets"),
    [
        ("https://a.example/feed.xml", "https://a.example/feed.xml", ()),
        ("https://me:pa:ss@a.example/x", "https://me:***@a.example/x", ("pa:ss",)),
        ("https://a.example/x?code=1a&lang=ru", "https://a.example/x?code=***&lang=***", ("1a", "ru")),
        ("https://a.example/x?1a2b3c", "https://a.example/x?***", ("1a2b3c",)),
    ],
)
def test_what_may_be_secret_is_hidden_and_comes_back(address: str, shown: str, secrets: tuple[str, ...]) -> None:
    assert hide(address) == (shown, secrets)
    assert reveal(shown, secrets) == address


@given(st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=40))
def test_any_address_comes_back(rest: str) -> None:
    if "***" not in rest:
        address = f"https://a.example/{rest}"
        assert reveal(*hide(address)) == address


@pytest.mark.parametrize(
    "address",
    [
        "ftp://a.example/x",
        "https:///x",
        "https://a.example:port/x",
        "https://a.example/ä?k=s3cret",
        "https://a/x?k=***",
    ],
)
def test_what_is_no_address_is_refused_without_its_secrets(address: str) -> None:
    with pytest.raises(InputError) as refused:
        check_address(address)

    assert "s3cret" not in str(refused.value)


def test_a_secret_that_is_not_stored_is_missed() -> None:
    with pytest.raises(InputError, match="once more"):
        reveal("https://a.example/?k=***", ())
