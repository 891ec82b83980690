"""A camera's worker, killed with -9 at random moments. A hundred times, and every other process: `make soak`."""

from __future__ import annotations

import pytest
from benchmarks import kills


@pytest.mark.slow
def test_a_worker_killed_at_random_moments_loses_no_crossing_and_no_visit_and_counts_none_twice() -> None:
    outcome = kills.disturb_worker(kills=20, seed=7)

    assert [(label, value) for label, value, _, holds in kills.compare(outcome) if not holds] == []
    assert len(outcome.true["shop-0"]["visits"]) > 2
