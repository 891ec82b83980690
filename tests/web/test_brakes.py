from __future__ import annotations

import pytest

from vitrina.errors import LimitError
from vitrina.web.brakes import MOST_ADDRESSES, Brakes


def test_so_many_may_come_at_once_and_then_one_by_one() -> None:
    now = [0.0]
    brakes = Brakes(lambda: now[0])

    def ask(address: str = "a", name: str = "go") -> None:
        brakes.count(name, address, per_minute=6, at_once=3)

    for _ in range(3):
        ask()
    with pytest.raises(LimitError, match="in 10 s"):
        ask()
    ask("b")
    ask(name="find")
    now[0] = 10.0
    ask()
    with pytest.raises(LimitError):
        ask()


def test_addresses_that_asked_long_ago_are_forgotten() -> None:
    brakes = Brakes(lambda: 0.0)
    for number in range(MOST_ADDRESSES + 5):
        brakes.count("go", str(number), per_minute=1, at_once=1)
    brakes.count("go", "0", per_minute=1, at_once=1)
    with pytest.raises(LimitError):
        brakes.count("go", str(MOST_ADDRESSES), per_minute=1, at_once=1)
