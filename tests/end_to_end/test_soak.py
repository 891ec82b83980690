"""A home left running for a few minutes at ten times the speed. The long form is `make soak`."""

from __future__ import annotations

import pytest
from benchmarks.soak import KINDS, soak

pytestmark = pytest.mark.slow


def test_left_running_nothing_ends_and_neither_files_nor_threads_nor_memory_grow_without_end() -> None:
    course = soak(seconds=60.0, speed=10.0)

    assert course.restarts == 0
    for kind in KINDS:
        assert course.growth(f"{kind}: threads") <= 0.1, kind
        assert course.growth(f"{kind}: open files") <= 0.1, kind
        assert course.growth(f"{kind}: MB") <= 0.15, kind  # so early, caches still fill
    assert max(files for _, files in course.series["files in the journal"]) <= 60
