from __future__ import annotations

import json
import random
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from vitrina.errors import InputError
from vitrina.floor.counting.line import Crossing, LineCounter, LineOptions, check_line
from vitrina.floor.layout import PLAN, Line
from vitrina.floor.packed import unpack

SIZE = (640, 480)
DOOR = Line("door", "Door", "entrance", (200, 240), (440, 240), "cam")
"""Runs to the right, so its right-hand side, *in*, is below it in the picture."""

Path = Sequence[tuple[float, float]]


def walk(
    *paths: Path, line: Line = DOOR, fps: float = 5.0, options: LineOptions | None = None, start: float = 1000.0
) -> LineCounter:
    """Feed paths (track ids 1, 2, …), a point a frame, and come to the end."""
    counter = LineCounter([line], options=options)
    for frame in range(max(map(len, paths))):
        here = [(track_id, path[frame]) for track_id, path in enumerate(paths, start=1) if frame < len(path)]
        ids, points = zip(*here, strict=True)
        counter.update(ids, points, start + frame / fps)
    counter.finish()
    return counter


def counts(counter: LineCounter, slug: str = "door") -> tuple[int, int]:
    totals = counter.totals()[slug]
    return totals["in"], totals["out"]


def straight(a: tuple[float, float], b: tuple[float, float], frames: int = 20) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in np.linspace(a, b, frames)]


def test_in_is_from_the_left_of_the_direction_to_its_right_as_seen_in_the_picture() -> None:
    downwards, upwards = straight((300, 140), (300, 340)), straight((320, 340), (320, 140))

    assert counts(walk(downwards)) == (1, 0)
    assert counts(walk(upwards)) == (0, 1)
    assert counts(walk(downwards, upwards)) == (1, 1)


def test_the_moment_of_a_crossing_is_the_moment_on_the_line() -> None:
    counter = LineCounter([DOOR])
    for frame, point in enumerate(straight((300, 190), (300, 290), 11)):
        counter.update([7], [point], 1000.0 + frame)

    assert counter.finish() == [Crossing("door", 7, pytest.approx(1005.0), "in")]


def test_a_line_is_a_finite_segment() -> None:
    past_its_end = straight((460, 140), (460, 340))
    through_its_end = straight((430, 140), (430, 340))
    round_its_end = [
        *straight((300, 200), (500, 200)),
        *straight((500, 210), (500, 300)),
        *straight((490, 300), (300, 300)),
    ]

    assert counts(walk(past_its_end)) == (0, 0)
    assert counts(walk(through_its_end)) == (1, 0)
    assert counts(walk(round_its_end)) == (0, 0)


def test_in_through_the_segment_and_round_its_end_and_in_again_is_twice_in() -> None:
    loop = [*straight((300, 140), (300, 340)), *straight((310, 340), (500, 340)), *straight((500, 330), (500, 140))]

    assert counts(walk([*loop, *straight((490, 140), (310, 140)), *straight((300, 140), (300, 340))])) == (2, 0)


def test_standing_on_a_line_counts_nothing() -> None:
    assert counts(walk([(300.0, 240.0)] * 200)) == (0, 0)
    jitter = random.Random(4)
    assert counts(walk([(300.0, 240 + jitter.uniform(-10, 10)) for _ in range(1000)])) == (0, 0)


@pytest.mark.parametrize("stands_at", [232, 240, 249])
@pytest.mark.parametrize("walks_on", [False, True])
def test_a_jitter_of_10_px_counts_nothing_twice(stands_at: float, walks_on: bool) -> None:
    jitter = random.Random(stands_at)
    stands = [(300 + jitter.uniform(-10, 10), stands_at + jitter.uniform(-10, 10)) for _ in range(600)]
    comes = straight((300, 140), (300, stands_at))
    goes = straight((300, stands_at), (300, 340)) if walks_on else []

    ins, outs = counts(walk([*comes, *stands, *goes]))

    assert outs == 0
    assert ins == 1 if walks_on else ins <= 1


def test_a_person_who_stops_on_the_line_is_counted_once() -> None:
    assert counts(
        walk([*straight((300, 140), (300, 240)), *[(300.0, 240.0)] * 50, *straight((300, 240), (300, 340))])
    ) == (1, 0)


def test_a_u_turn_on_it_cancels_out() -> None:
    there, back = straight((300, 140), (300, 300)), straight((300, 300), (300, 140))

    assert counts(walk([*there, *back])) == (0, 0)
    assert counts(walk([*there, *back, *there])) == (1, 0)
    assert counts(walk([*there, *back, *there, *back])) == (0, 0)


def test_who_shops_for_ten_minutes_in_sight_of_one_camera_came_in_and_went_out() -> None:
    inside = [(300.0, 340.0)] * (5 * 600)

    assert counts(walk([*straight((300, 140), (300, 340)), *inside, *straight((300, 340), (300, 140))])) == (1, 1)


def test_a_crossing_is_reported_when_it_can_no_longer_be_a_u_turn_and_never_taken_back() -> None:
    counter = LineCounter([DOOR], options=LineOptions(uturn_s=10))
    reported = []
    for frame in range(100):
        point = (300.0, min(340.0, 140.0 + 20 * frame))
        found = counter.update([1], [point], 1000.0 + frame / 5)
        reported += [(frame, crossing.direction) for crossing in found]
        assert counts(counter) == ((1, 0) if frame >= 6 else (0, 0))  # the live total knows at once

    assert reported == [(57, "in")]  # clear of the line at frame 6, settled 10 s later


def test_a_track_that_ends_settles_its_crossings_at_once() -> None:
    counter = LineCounter([DOOR])
    for frame, point in enumerate(straight((300, 140), (300, 340))):
        counter.update([1], [point], 1000.0 + frame / 5)

    settled = [
        (t, c.direction) for t in np.arange(1004.0, 1010.0, 0.5) for c in counter.update([], np.empty((0, 2)), t)
    ]
    assert settled == [(1009.0, "in")]


def test_while_nobody_looks_no_track_ends_and_who_is_over_the_line_afterwards_has_crossed_it() -> None:
    counter = LineCounter([DOOR])
    for frame, point in enumerate(straight((300, 140), (300, 220))):
        counter.update([1], [point], 1000.0 + frame / 5)
    before = counter.totals()
    t = 1000.0 + frame / 5
    hidden = [counter.update([], np.empty((0, 2)), t + n / 5) for n in range(1, 6)]
    found = counter.update([1], [(300, 340)], t + 5.9)  # a second behind a pillar, and 4.9 s without a frame

    assert [*hidden, found] == [[]] * 6
    assert before == {"door": {"in": 0, "out": 0}}
    assert counter.totals() == {"door": {"in": 1, "out": 0}}
    (crossing,) = counter.finish()
    assert 1000.0 + frame / 5 < crossing.t < t + 5.9


def test_who_vanishes_in_the_doorway_just_behind_the_line_has_crossed() -> None:
    comes = straight((300, 140), (300, 236))

    assert counts(walk([*comes, (300.0, 247.0)])) == (1, 0)
    assert counts(walk([*comes, (300.0, 241.0)])) == (0, 0)  # that may be noise


def test_who_appears_in_the_doorway_just_before_the_line_and_walks_away_over_it_has_crossed() -> None:
    goes = straight((300, 244), (300, 340))

    assert counts(walk([(300.0, 233.0), *goes])) == (1, 0)
    assert counts(walk([(300.0, 239.0), *goes])) == (0, 0)


def test_an_occlusion_on_the_line_is_bridged_and_a_gap_of_ten_minutes_is_not() -> None:
    def jump(gap_s: float) -> tuple[int, int]:
        counter = LineCounter([DOOR])
        counter.update([1], [(300, 200)], 1000.0)
        counter.update([1], [(300, 280)], 1000.0 + gap_s)
        counter.finish()
        return counts(counter)

    assert jump(2.0) == (1, 0)
    assert jump(600.0) == (0, 0)


def test_the_band_grows_with_the_box_and_in_metres_on_the_plan() -> None:
    counter = LineCounter([DOOR])
    for frame, y in enumerate([200, 255, 258]):
        counter.update([1], [(300, y)], 1000.0 + frame, heights_px=[400])  # 6 % of 400 px: 24 px
    assert counts(counter) == (0, 0)

    on_plan = Line("door", "Door", "entrance", (2, 5), (6, 5), PLAN)
    assert counts(walk(straight((4, 4), (4, 5.2)) * 2 + straight((4, 5.2), (4, 4)), line=on_plan)) == (0, 0)
    assert counts(walk(straight((4, 4), (4, 6)), line=on_plan)) == (1, 0)


def test_a_line_too_near_the_frames_edge_to_be_crossed_is_refused_when_it_is_drawn_with_the_reason() -> None:
    for a, b, edge in [
        ((8, 50), (8, 400), "left"),
        ((634, 50), (634, 400), "right"),
        ((50, 5), (600, 5), "upper"),
        ((50, 474), (600, 474), "lower"),
    ]:
        with pytest.raises(InputError, match=f"too near the picture's {edge} edge to be crossed"):
            check_line(a, b, SIZE)
        with pytest.raises(InputError, match="to be crossed"):
            LineCounter([Line("door", "Door", "entrance", a, b, "cam")], SIZE)


@pytest.mark.parametrize(
    ("a", "b", "said"),
    [
        ((10, 10), (10, 10), "0 px long"),
        ((100, 100), (110, 100), "is 10 px long, expected at least 24"),
        ((-5, 10), (100, 100), "inside the picture of 640×480"),
        ((5, 10), (100, 481), "inside the picture"),
        ((float("nan"), 10), (100, 100), "inside the picture"),
    ],
)
def test_a_line_that_nobody_can_cross_is_refused(a: Any, b: Any, said: str) -> None:
    with pytest.raises(InputError, match=said):
        check_line(a, b, SIZE)


@pytest.mark.parametrize(
    ("a", "b"), [((0, 240), (640, 240)), ((320, 0), (320, 480)), ((0, 0), (640, 480)), ((40, 470), (60, 60))]
)
def test_a_line_from_edge_to_edge_is_fine(a: Any, b: Any) -> None:
    check_line(a, b, SIZE)


def test_frames_out_of_order_and_twice_are_left_out() -> None:
    counter = LineCounter([DOOR])
    path = straight((300, 140), (300, 340))
    for frame, point in enumerate(path):
        counter.update([1], [point], 1000.0 + frame / 5)
        counter.update([1], [point], 1000.0 + frame / 5)
        if frame >= 3:
            assert counter.update([1], [path[frame - 3]], 1000.0 + (frame - 3) / 5) == []
    assert counts(counter) == (1, 0)


def test_a_clock_set_back_an_hour_ends_the_tracks_and_keeps_the_counts() -> None:
    counter = LineCounter([DOOR])
    for frame, point in enumerate(straight((300, 140), (300, 340))):
        counter.update([1], [point], 10_000.0 + frame / 5)

    settled = counter.update([1], [(300, 140)], 6_400.0)  # not from below to above: the track began anew

    assert [crossing.direction for crossing in settled] == ["in"]
    assert counts(counter) == (1, 0)


def test_a_time_that_is_no_number_is_refused() -> None:
    with pytest.raises(InputError, match="expected a time in seconds since the epoch, got nan"):
        LineCounter([DOOR]).update([1], [(1, 1)], float("nan"))


def test_a_point_that_is_not_known_is_left_out() -> None:
    counter = LineCounter([DOOR])
    for frame, point in enumerate(straight((300, 140), (300, 340))):
        counter.update([1, 2], [point, (np.nan, np.nan)], 1000.0 + frame / 5)
    assert counts(counter) == (1, 0)


def test_restart_in_mid_day_counts_go_on_from_what_is_stored_nothing_is_counted_twice_or_forgotten() -> None:
    path = straight((300, 140), (300, 340), 40)
    whole = LineCounter([DOOR])
    undisturbed = feed(whole, path, range(40)) + whole.finish()

    for cut in range(40):
        first, second = LineCounter([DOOR]), LineCounter([DOOR])
        reported = feed(first, path, range(cut))
        second.restore(json.loads(json.dumps(first.state(), allow_nan=False)), same_tracks=True)
        reported += feed(second, path, range(cut, 40)) + second.finish()
        assert reported == undisturbed
        assert counts(second) == (1, 0)


def test_after_a_restart_without_its_tracker_nobody_is_taken_for_somebody_of_before() -> None:
    first, second = LineCounter([DOOR]), LineCounter([DOOR])
    feed(first, straight((300, 140), (300, 340)), range(20))  # one crossing, still waiting
    second.restore(json.loads(json.dumps(first.state())))

    reported = [crossing.direction for crossing in second.update([1], [(300, 300)], 1004.2)]  # the new track 1
    second.update([1], [(300, 200)], 1005.0)
    second.finish()

    assert reported == ["in"]
    assert counts(second) == (1, 1)


def test_what_was_waiting_is_settled_even_when_no_frame_comes_any_more() -> None:
    first, second = LineCounter([DOOR]), LineCounter([DOOR])
    feed(first, straight((300, 140), (300, 340)), range(20))
    second.restore(json.loads(json.dumps(first.state())))

    assert [crossing.direction for crossing in second.finish()] == ["in"]
    assert counts(second) == (1, 0)


def test_a_line_that_was_moved_meanwhile_is_crossed_by_nobody_who_stood_still() -> None:
    first, second = LineCounter([DOOR]), LineCounter([Line("door", "Door", "entrance", (200, 340), (440, 340), "cam")])
    first.update([1], [(300, 300)], 1000.0)
    second.restore(json.loads(json.dumps(first.state())), same_tracks=True)
    second.update([1], [(300, 300)], 1000.2)

    second.finish()

    assert counts(second) == (0, 0)


def feed(counter: LineCounter, path: Path, frames: Iterable[int]) -> list[Crossing]:
    return [crossing for n in frames for crossing in counter.update([1], [path[n]], 1000.0 + n / 5)]


def test_a_line_that_was_taken_away_is_not_restored() -> None:
    counter = walk(straight((300, 140), (300, 340)))
    other = LineCounter([Line("other", "Other", "passage", (200, 100), (440, 100), "cam")])

    other.restore(counter.state())

    assert counter.totals() == {"door": {"in": 1, "out": 0}}
    assert other.totals() == {"other": {"in": 0, "out": 0}}


def test_24_h_of_running_holds_memory_flat_no_history_grows() -> None:
    counter = LineCounter([DOOR])
    sizes = []
    for frame in range(1440):  # a frame each minute, new people in each
        ids = np.arange(30) + 30 * frame
        counter.update(ids, np.column_stack([ids % 640, ids % 480]), 1000.0 + 60 * frame)
        sizes.append(unpack(counter.state()["tracks"]["ids"], np.int64, -1).size)
    assert max(sizes) == 30


def test_lines_of_two_spaces_do_not_go_into_one_counter() -> None:
    with pytest.raises(InputError, match="the lines of one space"):
        LineCounter([DOOR, Line("b", "B", "passage", (1, 1), (2, 2), PLAN)])


places = st.tuples(st.integers(0, 640), st.integers(0, 480))
paths = st.lists(places, min_size=2, max_size=40)


@given(st.lists(paths, min_size=1, max_size=4), places, places)
def test_swapping_the_ends_of_a_line_swaps_in_and_out(tracks: list[Path], a: Any, b: Any) -> None:
    if a == b:
        return
    forth = counts(walk(*tracks, line=Line("door", "Door", "entrance", a, b, "cam")))
    back = counts(walk(*tracks, line=Line("door", "Door", "entrance", b, a, "cam")))

    assert forth == back[::-1]


near_the_end_of_the_line = st.tuples(st.integers(425, 455), st.integers(222, 258))


@given(st.lists(st.one_of(places, near_the_end_of_the_line), min_size=2, max_size=40))
def test_the_same_way_walked_backwards_swaps_in_and_out(path: Path) -> None:
    """But for who is seen exactly on an end of the line, which is neither within it nor past it."""
    assume(DOOR.a not in path and DOOR.b not in path)
    assert counts(walk([*reversed(path)])) == counts(walk(path))[::-1]


@given(st.lists(st.one_of(places, near_the_end_of_the_line), min_size=2, max_size=40))
def test_there_and_back_by_the_same_way_is_nothing(path: Path) -> None:
    assume(DOOR.a not in path and DOOR.b not in path)
    assert counts(walk([*path, *reversed(path)])) == (0, 0)


@given(paths)
def test_net_crossings_of_an_endless_line_are_where_a_person_ended_against_where_they_began(path: Path) -> None:
    endless = Line("door", "Door", "entrance", (-9000, 240), (9000, 240), "cam")
    ins, outs = counts(walk(path, line=endless))

    assert abs(ins - outs) <= 1
    if all(abs(y - 240) > 10 for _, y in path):
        assert ins - outs == (np.sign(path[-1][1] - 240) - np.sign(path[0][1] - 240)) / 2


@settings(max_examples=40)
@given(st.lists(paths, min_size=2, max_size=4))
def test_people_do_not_disturb_one_another(tracks: list[Path]) -> None:
    together = counts(walk(*tracks))
    alone = [counts(walk(track)) for track in tracks]

    assert together == (sum(ins for ins, _ in alone), sum(outs for _, outs in alone))
