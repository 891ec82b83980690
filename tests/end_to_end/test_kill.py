"""Every process of `vitrina up` killed with -9 at random moments. The long forms are `make soak`."""

from __future__ import annotations

import pytest
from benchmarks import kills

pytestmark = pytest.mark.slow


def test_processes_killed_at_random_moments_lose_nothing_and_count_nothing_twice() -> None:
    outcome = kills.disturb(kills=10, shops=2, seconds=90.0, seed=3)

    assert [(label, value) for label, value, _, holds in kills.compare(outcome) if not holds] == [], (
        f"{outcome.killed}, start {outcome.start_s:.1f} s\n{outcome.log}"
    )
    assert outcome.killed.total() >= 5
