"""Cameras on workers: as even as can be, and nobody moves without need."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from vitrina.floor.worker.share import Place, shares

PLACES = st.sets(st.tuples(st.sampled_from(["riga-1", "riga-2"]), st.text("abcdef", min_size=1)), max_size=40)
WORKERS = st.integers(1, 6)


@given(PLACES, WORKERS)
def test_every_camera_has_one_worker_and_no_worker_has_two_more_than_its_share(
    places: set[Place], workers: int
) -> None:
    found = shares(places, workers)

    assert found.keys() == places
    assert max(Counter(found.values()).values(), default=0) <= -(-len(places) // workers)


@given(PLACES, WORKERS)
def test_one_camera_more_moves_at_most_one_other_for_each_pair_of_workers(places: set[Place], workers: int) -> None:
    before = shares(places, workers)
    after = shares(places | {("riga-3", "new")}, workers)

    assert sum(before[place] != after[place] for place in places) <= workers * (workers - 1) / 2


def test_every_process_comes_to_the_same_answer_whatever_order_it_reads_them_in() -> None:
    places = [("riga-1", f"camera-{number}") for number in range(12)]

    assert shares(places, 2) == shares(reversed(places), 2)
    assert Counter(shares(places, 2).values()) == {0: 6, 1: 6}
