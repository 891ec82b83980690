"""A home left running for a few minutes at ten times the speed. The long form is `make soak`."""

from __future__ import annotations

import pytest
from benchmarks.soak import KINDS, soak

pytestmark = pytest.mark.slow


def test_left_running_nothing_ends_and_nothing_is_held_without_bound() -> None:
    """A minute is too short for slopes: pools and caches still fill. `make soak` holds those to 5 %."""
    course = soak(seconds=60.0, speed=10.0)

    assert course.restarts == 0
    for kind in KINDS:
        assert max(count for _, count in course.series[f"{kind}: threads"]) <= 128, kind
        assert max(count for _, count in course.series[f"{kind}: open files"]) <= 256, kind
        assert max(size for _, size in course.series[f"{kind}: MB"]) <= 800, kind
    assert max(files for _, files in course.series["files in the journal"]) <= 60
    assert max(share for _, share in course.series["due frames looked at, %"]) > 10
