"""Every process of `vitrina up` killed with -9 at random moments. The long form is `make soak`."""

from __future__ import annotations

import pytest
from benchmarks import kills

pytestmark = pytest.mark.slow


def test_processes_killed_at_random_moments_come_back_lose_nothing_and_count_nothing_twice() -> None:
    """That somebody's visits before and after a pause are told as two people's is rare, and a bar of the benchmark."""
    outcome = kills.disturb(kills=8, shops=1, seconds=90.0, seed=3)

    told = f"{outcome.killed}, took {outcome.took_s:.0f} s\n{outcome.log}"
    missed = [(label, value) for label, value, _, holds in kills.compare(outcome) if not holds]
    assert [one for one in missed if not one[0].startswith("people")] == [], told
    assert outcome.killed.total() >= 3, told
    assert outcome.true["shop-0"]["visits"], told
