from __future__ import annotations

import json
from collections.abc import Iterable

import numpy as np
import pytest

from vitrina.errors import InputError
from vitrina.floor.counting.queue import QueueCounter, Wait
from vitrina.floor.layout import Zone

QUEUE = Zone("till", "Till", "queue", ((0, 0), (2, 0), (2, 8), (0, 8)), enter_s=1, till=(1, 0.5), serve_s=8)
BACK, TILL, AWAY = (1.0, 6.0), (1.0, 1.0), (6.0, 6.0)

Moment = tuple[float, tuple[float, float] | None]


def stay(place: tuple[float, float] | None, start: float, end: float) -> list[Moment]:
    return [(start + n / 5, place) for n in range(round((end - start) * 5))]


def watch(moments: Iterable[Moment], counter: QueueCounter | None = None) -> list[Wait]:
    counter = counter or QueueCounter([QUEUE])
    waits = []
    for t, place in moments:
        seen = [] if place is None else [place]
        waits += counter.update([1] * len(seen), np.array(seen).reshape(-1, 2), t)
    return waits + counter.finish()


def test_who_comes_to_the_till_was_served_and_waited_until_then() -> None:
    waits = watch([*stay(BACK, 0, 60), *stay(TILL, 60, 90), *stay(AWAY, 90, 95)])

    assert waits == [Wait("till", 1, 0.0, 60.0, 60.0, "served")]


def test_who_leaves_from_the_back_has_given_up() -> None:
    waits = watch([*stay(BACK, 0, 60), *stay(AWAY, 60, 65)])

    assert waits == [Wait("till", 1, 0.0, pytest.approx(59.8), pytest.approx(59.8), "abandoned")]


def test_who_leaves_past_the_till_was_served_however_short() -> None:
    assert [wait.outcome for wait in watch([*stay(BACK, 0, 20), *stay(TILL, 20, 22), *stay(AWAY, 22, 26)])] == [
        "served"
    ]


def test_who_stood_at_the_till_and_goes_back_through_the_queue_was_served() -> None:
    waits = watch([*stay(BACK, 0, 20), *stay(TILL, 20, 29), *stay(BACK, 29, 33), *stay(AWAY, 33, 37)])

    assert [(wait.outcome, wait.wait_s) for wait in waits] == [("served", 20.0)]


def test_who_only_looks_at_the_till_and_goes_back_to_wait_has_not_been_served_yet() -> None:
    looked = [*stay(BACK, 0, 20), *stay(TILL, 20, 22), *stay(BACK, 22, 50)]

    assert [wait.outcome for wait in watch([*looked, *stay(AWAY, 50, 54)])] == ["abandoned"]
    assert [wait.wait_s for wait in watch([*looked, *stay(TILL, 50, 60), *stay(AWAY, 60, 64)])] == [50.0]


def test_who_vanishes_in_mid_queue_did_neither() -> None:
    assert [wait.outcome for wait in watch([*stay(BACK, 0, 30), *stay(None, 30, 40)])] == ["unknown"]
    assert [wait.outcome for wait in watch(stay(BACK, 0, 30))] == ["unknown"]  # the file ended


def test_who_only_walks_through_has_not_queued() -> None:
    assert watch([*stay(BACK, 0, 0.8), *stay(AWAY, 0.8, 5)]) == []


def test_an_occlusion_at_the_till_does_not_begin_the_service_again() -> None:
    waits = watch(
        [*stay(BACK, 0, 20), *stay(TILL, 20, 24), *stay(None, 24, 26), *stay(TILL, 26, 40), *stay(AWAY, 40, 44)]
    )

    assert [wait.wait_s for wait in waits] == [20.0]


def test_the_till_may_lie_outside_the_queues_polygon() -> None:
    at_the_desk = (1.0, -0.3)
    waits = watch([*stay(BACK, 0, 20), *stay(at_the_desk, 20, 40)])

    assert [(wait.outcome, round(wait.wait_s)) for wait in waits] == [("served", 20)]


def test_the_length_is_who_is_in_the_queue_now() -> None:
    counter = QueueCounter([QUEUE])
    for t in np.arange(0, 5, 0.2):
        counter.update([1, 2, 3, 4], [BACK, TILL, (1, 3), AWAY], t)
    assert counter.length() == {"till": 3}


def test_a_queue_without_a_till_is_refused() -> None:
    with pytest.raises(InputError, match="queue q: expected `till`, the place where people are served"):
        QueueCounter([Zone("q", "Q", "queue", ((0, 0), (1, 0), (1, 1)))])


def test_restart_in_mid_day_counts_go_on_from_what_is_stored_nothing_is_counted_twice_or_forgotten() -> None:
    moments = [*stay(BACK, 0, 6), *stay(TILL, 6, 16), *stay(AWAY, 16, 20)]
    undisturbed = watch(moments)

    for cut in range(0, len(moments), 3):
        first, second = QueueCounter([QUEUE]), QueueCounter([QUEUE])
        waits = [wait for t, place in moments[:cut] for wait in first.update([1], [place], t)]
        second.restore(json.loads(json.dumps(first.state())), same_tracks=True)
        assert waits + watch(moments[cut:], second) == undisturbed


def test_after_a_restart_without_its_tracker_who_was_at_the_till_was_served_and_the_others_are_unknown() -> None:
    first, second = QueueCounter([QUEUE]), QueueCounter([QUEUE])
    for t in np.arange(0, 5, 0.2):
        first.update([1, 2], [BACK, TILL], t)
    second.restore(json.loads(json.dumps(first.state())))

    waits = second.update([1], [AWAY], 9.0)

    assert {wait.track_id: wait.outcome for wait in waits} == {1: "unknown", 2: "served"}
    assert second.length() == {"till": 0}


def test_frames_out_of_order_and_a_clock_set_back_do_no_harm() -> None:
    counter = QueueCounter([QUEUE])
    for t, place in stay(BACK, 10_000, 10_030):
        counter.update([1], [place], t)
    assert counter.update([1], [TILL], 10_028.5) == []

    waits = counter.update([1], [BACK], 6_000.0)

    assert [(wait.outcome, round(wait.wait_s)) for wait in waits] == [("unknown", 30)]
