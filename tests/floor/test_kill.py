"""A camera's worker, killed with -9 at random moments. A hundred times, and every other process: `make soak`."""

from __future__ import annotations

import pytest
from benchmarks import kills


@pytest.mark.slow
def test_a_worker_killed_at_random_moments_loses_no_crossing_and_no_visit_and_counts_none_twice() -> None:
    """That somebody's visits before and after a pause are told as two people's is rare, and a bar of the benchmark."""
    outcome = kills.disturb_worker(kills=20, seed=7)

    bars = kills.compare(outcome)
    assert [(label, value) for label, value, _, holds in bars if not holds and not label.startswith("people")] == []
    assert len(outcome.true["shop-0"]["visits"]) > 2
