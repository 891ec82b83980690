from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vitrina.errors import InputError
from vitrina.floor.counting.visit import Visit, VisitCounter
from vitrina.floor.layout import Zone

SHOES = Zone("shoes", "Shoes", "section", ((2, 2), (6, 2), (6, 6), (2, 6)))
INSIDE, OUTSIDE = (4.0, 4.0), (8.0, 4.0)
HIDDEN = None

Moment = tuple[float, tuple[float, float] | None]


def watch(moments: Iterable[Moment], *zones: Zone, counter: VisitCounter | None = None) -> list[Visit]:
    """One person, track 1: (time, place) or None where nobody sees them. The file's end is the last visit's end."""
    counter = counter or VisitCounter(zones or [SHOES])
    visits = []
    for t, place in moments:
        seen = [] if place is None else [place]
        visits += counter.update([1] * len(seen), np.array(seen).reshape(-1, 2), t)
    return visits + counter.finish()


def stay(place: tuple[float, float] | None, start: float, end: float, fps: float = 5.0) -> list[Moment]:
    return [(start + n / fps, place) for n in range(round((end - start) * fps))]


def test_a_visit_lasts_from_the_first_moment_inside_to_the_last() -> None:
    visits = watch([*stay(OUTSIDE, 0, 3), *stay(INSIDE, 3, 13), *stay(OUTSIDE, 13, 20)])

    assert visits == [Visit("shoes", 1, 3.0, pytest.approx(12.8), pytest.approx(9.8), "left")]


@pytest.mark.parametrize("fps", [2.0, 5.0, 21.0, 25.0, 29.97])
def test_enter_and_leave_debounce_are_in_seconds(fps: float) -> None:
    touched = [*stay(INSIDE, 0, 0.9, fps), *stay(OUTSIDE, 0.9, 6, fps)]
    looked_away = [*stay(INSIDE, 0, 5, fps), *stay(OUTSIDE, 5, 6.5, fps), *stay(INSIDE, 6.5, 10, fps)]
    went_away = [*stay(INSIDE, 0, 5, fps), *stay(OUTSIDE, 5, 8, fps), *stay(INSIDE, 8, 12, fps)]

    assert watch(touched) == []
    assert [visit.dwell_s for visit in watch(looked_away)] == pytest.approx([10], abs=1.1 / fps)
    assert [visit.dwell_s for visit in watch(went_away)] == pytest.approx([5, 4], abs=1.1 / fps)


@pytest.mark.parametrize("begins", np.arange(0.4, 9.0, 0.7))
def test_a_1_s_occlusion_neither_ends_a_visit_nor_starts_a_second_one(begins: float) -> None:
    moments = [(t, HIDDEN if begins <= t < begins + 1 else place) for t, place in stay(INSIDE, 0, 10)]

    visits = watch([*moments, *stay(OUTSIDE, 10, 20)])

    assert len(visits) == 1
    assert visits[0].dwell_s == pytest.approx(9.8, abs=1.01)  # it may hide the very end


def test_a_1_s_occlusion_of_somebody_outside_starts_nothing() -> None:
    assert watch([*stay(OUTSIDE, 0, 3), *stay(HIDDEN, 3, 4), *stay(OUTSIDE, 4, 8)]) == []


def test_a_person_who_vanished_behind_a_wall_leaves_the_zone_after_lost_s_not_never() -> None:
    counter = VisitCounter([SHOES])
    for t, place in stay(INSIDE, 0, 10):
        assert counter.update([1], [place], t) == []
    ended = [(t, visit) for t in np.arange(10.0, 16.0, 0.5) for visit in counter.update([], np.empty((0, 2)), t)]

    assert ended == [(15.0, Visit("shoes", 1, 0.0, 9.8, 9.8, "lost"))]
    assert counter.inside() == {"shoes": []}
    assert counter.finish() == []


def test_while_nobody_looks_nobody_is_lost() -> None:
    """A second behind a pillar and 4.8 s without a frame are one second of absence."""
    counter = VisitCounter([SHOES])
    moments = [*stay(INSIDE, 0, 10), *stay(HIDDEN, 10, 11), *stay(HIDDEN, 15.6, 16), *stay(INSIDE, 16, 20)]

    assert [round(visit.dwell_s, 1) for visit in watch(moments, counter=counter)] == [19.8]


def test_a_camera_that_looks_every_two_seconds_loses_people_all_the_same() -> None:
    moments = [*stay(INSIDE, 0, 30, fps=0.5), *stay(HIDDEN, 30, 40, fps=0.5)]

    assert [visit.ended for visit in watch(moments)] == ["lost"]


def test_who_was_seen_going_out_and_vanished_has_left_and_was_not_lost() -> None:
    visits = watch([*stay(INSIDE, 0, 5), (5.0, OUTSIDE), *stay(HIDDEN, 5.2, 20)])

    assert [(visit.ended, visit.left) for visit in visits] == [("left", 4.8)]


def test_one_frame_outside_after_three_seconds_of_hiding_does_not_end_the_visit() -> None:
    moments = [*stay(INSIDE, 0, 5), *stay(HIDDEN, 5, 8), (8.0, OUTSIDE), *stay(INSIDE, 8.2, 12), *stay(OUTSIDE, 12, 16)]

    assert [round(visit.dwell_s) for visit in watch(moments)] == [12]


def test_several_zones_at_once_each_have_their_visit() -> None:
    promo = Zone("promo", "Promo", "promo", ((3, 3), (5, 3), (5, 5), (3, 5)))

    visits = watch([*stay(INSIDE, 0, 5), *stay((5.5, 5.5), 5, 10), *stay(OUTSIDE, 10, 15)], SHOES, promo)

    assert {visit.zone: round(visit.dwell_s, 1) for visit in visits} == {"promo": 4.8, "shoes": 9.8}


def test_a_zone_may_lie_in_a_cameras_pixels_but_not_two_spaces_in_one_counter() -> None:
    in_pixels = replace(SHOES, space="cam", polygon=((100, 100), (300, 100), (200, 300)))

    assert len(watch(stay((200, 200), 0, 5), in_pixels)) == 1
    with pytest.raises(InputError, match="the zones of one space"):
        VisitCounter([SHOES, in_pixels])


def test_a_camera_that_says_25_fps_and_delivers_21_changes_no_dwell() -> None:
    """Time is the stream's; frames are never counted."""
    jittered = np.cumsum(np.random.default_rng(1).uniform(0.5, 1.5, 400) / 21)

    visits = watch([(float(t), INSIDE) for t in jittered] + stay(OUTSIDE, jittered[-1] + 0.1, jittered[-1] + 5))

    assert visits[0].dwell_s == pytest.approx(jittered[-1] - jittered[0])


def test_frames_out_of_order_change_nothing() -> None:
    moments = [*stay(INSIDE, 0, 10), *stay(OUTSIDE, 10, 15)]
    late = [moment for n, at in enumerate(moments) for moment in ((at, moments[n - 5]) if n % 7 == 6 else (at,))]

    assert watch(late) == watch(moments)


def test_a_clock_that_jumps_back_an_hour_ends_visits_where_they_were_last_seen() -> None:
    visits = watch([*stay(INSIDE, 10_000, 10_010), *stay(INSIDE, 6_400, 6_405)])

    assert [(visit.ended, visit.entered, round(visit.dwell_s, 1)) for visit in visits] == [
        ("lost", 10_000.0, 9.8),
        ("finished", 6_400.0, 4.8),
    ]


def test_a_stream_that_drops_for_10_min_ends_the_visit_at_the_drop_and_begins_another_after_it() -> None:
    """Even when the tracker gave the same id on both sides."""
    visits = watch([*stay(INSIDE, 0, 10), *stay(INSIDE, 610, 620)])

    assert [(visit.entered, round(visit.left, 1), visit.ended) for visit in visits] == [
        (0.0, 9.8, "lost"),
        (610.0, 619.8, "finished"),
    ]


def test_an_unknown_place_counts_as_not_seen() -> None:
    nowhere = (float("nan"), float("nan"))

    assert [visit.ended for visit in watch([*stay(INSIDE, 0, 5), *stay(nowhere, 5, 15)])] == ["lost"]


def test_restart_in_mid_day_counts_go_on_from_what_is_stored_nothing_is_counted_twice_or_forgotten() -> None:
    moments = [*stay(INSIDE, 0, 6), *stay(OUTSIDE, 6, 7), *stay(INSIDE, 7, 9), *stay(OUTSIDE, 9, 13)]
    undisturbed = watch(moments)

    for cut in range(len(moments)):
        first, second = VisitCounter([SHOES]), VisitCounter([SHOES])
        visits = [visit for t, place in moments[:cut] for visit in first.update([1], [place], t)]
        second.restore(json.loads(json.dumps(first.state())), same_tracks=True)
        assert visits + watch(moments[cut:], counter=second) == undisturbed


def test_after_a_restart_without_its_tracker_open_visits_end_where_they_were_last_seen() -> None:
    first, second = VisitCounter([SHOES]), VisitCounter([SHOES])
    for t, place in stay(INSIDE, 0, 10):
        first.update([1], [place], t)
    second.restore(json.loads(json.dumps(first.state())))
    third = VisitCounter([SHOES])
    third.restore(json.loads(json.dumps(second.state())))  # stopped again before the first frame

    visits = watch(stay(INSIDE, 12, 14), counter=third)

    assert [(visit.entered, round(visit.left, 1), visit.ended) for visit in visits] == [
        (0.0, 9.8, "lost"),
        (12.0, 13.8, "finished"),
    ]


def test_24_h_of_running_holds_memory_flat_no_history_grows() -> None:
    counter = VisitCounter([SHOES])
    most = 0
    for frame in range(2880):  # a frame each 30 s, 20 new people inside in each
        counter.update(np.arange(20) + 20 * frame, np.full((20, 2), 4.0), 30.0 * frame)
        most = max(most, len(counter.stays))
    assert most == 20


coordinates = st.floats(0, 10)
moments_of_one = st.lists(
    st.tuples(st.floats(0.05, 3.0), st.one_of(st.none(), st.tuples(coordinates, coordinates))), min_size=1, max_size=60
)


@given(moments_of_one, st.floats(0, 3), st.floats(0.1, 5), st.floats(0.1, 8))
def test_visits_lie_within_what_was_watched_do_not_overlap_and_last_enter_s_at_least(
    moments: Any, enter_s: float, leave_s: float, lost_s: float
) -> None:
    zone = replace(SHOES, enter_s=enter_s, leave_s=leave_s, lost_s=lost_s)
    times = np.cumsum([step for step, _ in moments])

    visits = watch([(float(t), place) for t, (_, place) in zip(times, moments, strict=True)], zone)

    for visit in visits:
        assert times[0] <= visit.entered <= visit.left <= times[-1]
        assert visit.dwell_s == visit.left - visit.entered
        assert visit.dwell_s >= enter_s - 1e-9
    for earlier, later in pairwise(visits):
        assert earlier.left < later.entered
    assert sum(visit.dwell_s for visit in visits) <= times[-1] - times[0]


@given(moments_of_one, moments_of_one)
def test_people_do_not_disturb_one_another(first: Any, second: Any) -> None:
    def times(moments: Any) -> list[Moment]:
        return [(float(t), place) for t, (_, place) in zip(np.cumsum([s for s, _ in moments]), moments, strict=True)]

    seen = sorted((t, n, place) for n, m in ((1, first), (2, second)) for t, place in times(m) if place)
    together = VisitCounter([SHOES])
    visits = []
    for t, track_id, place in seen:
        visits += together.update([track_id], [place], t)
    found = [visit for visit in visits + together.finish() if visit.track_id == 1]

    # Alone in the same frames: whether anybody looked is no matter of who was there.
    alone = watch([(t, place if track_id == 1 else None) for t, track_id, place in seen])
    assert [(visit.entered, visit.left) for visit in found] == [(visit.entered, visit.left) for visit in alone]
