from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vitrina.lens.ticket import make_ticket, read_ticket

KEY, WALLET = b"k" * 32, "ab" * 32
MADE = make_ticket(KEY, WALLET, shop="best", offer_id="1", now_s=1000.0)


def test_a_ticket_gives_the_wallet_that_it_was_made_for() -> None:
    assert read_ticket(KEY, MADE, shop="best", offer_id="1", now_s=1000.0) == WALLET
    assert len(MADE) == 70


@pytest.mark.parametrize(
    "changed",
    [{"shop": "bes"}, {"offer_id": "2"}, {"shop": "best1", "offer_id": ""}, {"now_s": 1000.0 + 24 * 3600}],
    ids=["another shop", "another offer", "shifted", "a day later"],
)
def test_it_is_good_for_one_offer_and_a_day(changed: dict[str, object]) -> None:
    asked = {"shop": "best", "offer_id": "1", "now_s": 1000.0} | changed
    assert read_ticket(KEY, MADE, **asked) is None  # type: ignore[arg-type]


def test_another_homes_key_makes_no_ticket_of_ours() -> None:
    assert read_ticket(b"x" * 32, MADE, shop="best", offer_id="1", now_s=1000.0) is None


@given(st.text(max_size=100))
def test_nothing_else_is_a_ticket(text: str) -> None:
    assert read_ticket(KEY, text, shop="best", offer_id="1", now_s=1000.0) is None


@given(st.integers(0, 69), st.sampled_from("ABCabc012-_"))
def test_a_changed_letter_spoils_it(place: int, letter: str) -> None:
    changed = MADE[:place] + letter + MADE[place + 1 :]
    found = read_ticket(KEY, changed, shop="best", offer_id="1", now_s=1000.0)
    assert found is None or changed == MADE or place == 69
