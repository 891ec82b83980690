from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from vitrina.web import csrf


@given(st.text(min_size=1))
def test_a_token_is_valid_for_its_own_cookie_however_often_it_is_made(cookie: str) -> None:
    assert csrf.is_valid(csrf.make_token(cookie), cookie)
    assert csrf.make_token(cookie) != csrf.make_token(cookie)


@given(st.text(min_size=1), st.text())
def test_it_is_valid_for_no_other(cookie: str, other: str) -> None:
    assert csrf.is_valid(csrf.make_token(cookie), other) == (cookie == other)


@given(st.text())
def test_whatever_else_is_sent_is_refused(token: str) -> None:
    assert not csrf.is_valid(token, "cookie")
