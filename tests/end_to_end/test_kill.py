"""Every process of `vitrina up` killed with -9 at random moments. The long forms are `make soak`.

How long a process is away is up to the machine, and what came and went meanwhile nobody can know: that nothing is lost
over short pauses, `tests/floor/test_kill.py` holds. Nothing is twice, however long they are.
"""

from __future__ import annotations

from collections import Counter

import pytest
from benchmarks import kills

pytestmark = pytest.mark.slow


def test_processes_killed_at_random_moments_come_back_and_count_nothing_twice() -> None:
    outcome = kills.disturb(kills=8, shops=1, seconds=60.0, seed=3, back_s=2.5)

    told = f"{outcome.killed}, start {outcome.start_s:.1f} s\n{outcome.log}"
    true, found = outcome.true["shop-0"], outcome.found["shop-0"]
    twice = Counter(row["event_id"] for some in found.values() for row in some)
    assert outcome.killed.total() >= 3, told
    assert max(twice.values()) == 1, told
    assert found["crossings"], told
    for crossed in ("in", "out"):
        times = [sum(row["direction"] == crossed for row in side["crossings"]) for side in (found, true)]
        assert times[0] <= times[1], told
    watched = [(label, value) for label, value, _, holds in kills.compare(outcome) if "minute" in label and not holds]
    assert watched == [], told
