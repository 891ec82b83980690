from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from vitrina.errors import InputError
from vitrina.floor.tracking.options import TrackerOptions
from vitrina.floor.tracking.track import Tracker, Tracks

Scene = list[tuple[float, NDArray[np.float32], NDArray[np.float32]]]
"""(t, boxes_xyxy, scores) of each frame."""

WIDTH, HEIGHT = 40.0, 100.0


def box(x: float, y: float = 300.0, *, height: float = HEIGHT) -> list[float]:
    """Of a person whose feet stand at (x, y)."""
    return [x - WIDTH / 2, y - height, x + WIDTH / 2, y]


def frame(t: float, *boxes: list[float], score: float = 0.9) -> tuple[float, NDArray[np.float32], NDArray[np.float32]]:
    return t, np.array(boxes, np.float32).reshape(-1, 4), np.full(len(boxes), score, np.float32)


def walk(*, fps: float, seconds: float, speed: float = 60.0, hidden: tuple[float, float] = (0, 0)) -> Scene:
    """One person walks to the right at `speed` pixels a second, unseen between the two times."""
    times = np.arange(round(seconds * fps)) / fps
    return [frame(t, *[box(100 + speed * t)] * (not hidden[0] < t < hidden[1])) for t in times.tolist()]


def follow(scene: Iterable[tuple[float, NDArray[np.float32], NDArray[np.float32]]]) -> list[Tracks]:
    tracker = Tracker()
    return [tracker.update(boxes, scores, t) for t, boxes, scores in scene]


def ids(answers: list[Tracks]) -> set[int]:
    return {track_id for tracks in answers for track_id in tracks.track_ids.tolist()}


def crowd(seed: int, *, people: int = 8, frames: int = 60, fps: float = 7.0) -> Scene:
    rng = np.random.default_rng(seed)
    places, steps = rng.uniform(100, 700, (people, 2)), rng.normal(0, 6, (people, 2))
    scene = []
    for number in range(frames):
        places = places + steps
        seen = places[rng.random(people) > 0.15] + rng.normal(0, 3, 2)
        boxes = np.array([box(x, y) for x, y in seen.tolist()], np.float32).reshape(-1, 4)
        scene.append((number / fps, boxes, rng.uniform(0.2, 0.95, len(boxes)).astype(np.float32)))
    return scene


# ---------------------------------------------------------------------- confirmation


def test_a_track_that_is_not_confirmed_never_counts() -> None:
    answers = follow([frame(0.0, box(100)), frame(0.14, box(103)), frame(0.28), *(frame(0.42 + k) for k in range(5))])
    assert ids(answers) == set()
    assert all(not tracks.backfill and not len(tracks.ended) for tracks in answers)


def test_boxes_that_flicker_at_random_places_are_nobody() -> None:
    rng = np.random.default_rng(3)
    assert not ids(follow(frame(k / 7, box(*rng.uniform(100, 900, 2).tolist())) for k in range(200)))


def test_a_person_gets_an_id_with_the_third_box_and_the_earlier_ones_with_it() -> None:
    answers = follow(walk(fps=7, seconds=1))
    first = next(tracks for tracks in answers if len(tracks.track_ids))
    assert first.t == pytest.approx(2 / 7)
    assert [(earlier.t, earlier.track_id) for earlier in first.backfill] == [(0.0, 1), (pytest.approx(1 / 7), 1)]
    np.testing.assert_allclose(first.backfill[0].measured_xyxy, box(100))


def test_many_frames_a_second_do_not_confirm_sooner_than_few() -> None:
    def confirmed_at(fps: float) -> float:
        return next(tracks.t for tracks in follow(walk(fps=fps, seconds=2)) if len(tracks.track_ids))

    assert confirmed_at(50) == pytest.approx(confirmed_at(7), abs=0.1)


def test_weak_boxes_alone_are_nobody_but_carry_on_a_track() -> None:
    weak = [(t, boxes, scores * 0.4) for t, boxes, scores in walk(fps=7, seconds=3)]
    assert not ids(follow(weak))
    answers = follow(walk(fps=7, seconds=3)[:12] + weak[12:16])
    assert answers[-1].track_ids.tolist() == [1]
    assert answers[-1].observed.tolist() == [True]


# ---------------------------------------------------------------------- identity


def test_a_person_hidden_for_a_second_keeps_the_id() -> None:
    answers = follow(walk(fps=7, seconds=8, hidden=(4.0, 5.0)))
    assert ids(answers) == {1}
    assert answers[-1].track_ids.tolist() == [1]


def test_somebody_out_of_sight_is_told_where_they_should_be_for_a_moment_only() -> None:
    answers = follow(walk(fps=10, seconds=6, hidden=(3.0, 99.0)))
    coasting = [tracks for tracks in answers if tracks.t > 3.01 and len(tracks.track_ids)]
    assert [tracks.observed.tolist() for tracks in coasting] == [[False]] * 3
    middle_x = float(coasting[-1].boxes_xyxy[0, [0, 2]].mean())
    assert middle_x == pytest.approx(100 + 60 * coasting[-1].t, abs=5)
    np.testing.assert_allclose(coasting[-1].measured_xyxy[0, [0, 2]].mean(), 100 + 60 * 3.0, atol=0.1)


def test_two_people_who_walk_through_each_other_keep_their_ids() -> None:
    times = (np.arange(84) / 7).tolist()
    scene = [frame(t, box(100 + 50 * t), box(700 - 50 * t, 308)) for t in times]
    hidden = [
        frame(t, box(700 - 50 * t, 308)) if abs(600 - 100 * t) < 50 else whole
        for t, whole in zip(times, scene, strict=True)
    ]
    for answers in (follow(scene), follow(hidden)):
        left_first = answers[10].track_ids[np.argsort(answers[10].boxes_xyxy[:, 0])]
        left_last = answers[-1].track_ids[np.argsort(answers[-1].boxes_xyxy[:, 0])]
        assert left_last.tolist() == left_first[::-1].tolist()


def test_somebody_who_left_and_somebody_else_who_comes_later_do_not_share_an_id() -> None:
    later = [(t + 20, boxes, scores) for t, boxes, scores in walk(fps=7, seconds=3)]
    answers = follow([*walk(fps=7, seconds=3), *later])
    assert ids(answers) == {1, 2}
    assert [tracks.ended.tolist() for tracks in answers if len(tracks.ended)] == [[1]]


def test_an_id_that_has_ended_never_comes_back() -> None:
    tracker, ended = Tracker(), set()
    for visit in range(30):
        for t, boxes, scores in walk(fps=7, seconds=2):
            tracks = tracker.update(boxes, scores, t + visit * 10)
            ended.update(tracks.ended.tolist())
            assert not ended & set(tracks.track_ids.tolist())
    assert ended == set(range(1, 30))


def test_two_boxes_on_one_person_are_one_person() -> None:
    scene = [frame(t, *boxes.tolist(), (boxes[0] + [2, 1, -2, -45]).tolist()) for t, boxes, _ in walk(fps=7, seconds=4)]
    assert ids(follow(scene)) == {1}


def test_a_child_beside_a_grown_up_is_not_swallowed() -> None:
    scene = [frame(t / 7, box(100 + 5 * t), box(135 + 5 * t, height=60)) for t in range(40)]
    assert follow(scene)[-1].track_ids.tolist() == [1, 2]


# ---------------------------------------------------------------------- time


def test_a_camera_that_says_25_fps_and_delivers_21_gives_the_same_tracks() -> None:
    true = walk(fps=25, seconds=8, hidden=(3.0, 4.0))
    dropped = [given for number, given in enumerate(true) if number % 25 not in (3, 9, 15, 21)]
    whole, thinned = follow(true), follow(dropped)
    assert ids(whole) == ids(thinned) == {1}
    np.testing.assert_allclose(whole[-1].boxes_xyxy, thinned[-1].boxes_xyxy, atol=0.5)


@pytest.mark.parametrize("fps", [3.5, 7, 25, 60])
def test_the_frame_rate_does_not_matter(fps: float) -> None:
    assert ids(follow(walk(fps=fps, seconds=10, hidden=(5.0, 6.2)))) == {1}


def test_where_the_clock_began_does_not_matter() -> None:
    scene = crowd(5)
    now = 1_800_000_000.0
    for tracks, later in zip(follow(scene), follow((t + now, b, s) for t, b, s in scene), strict=True):
        assert tracks.track_ids.tolist() == later.track_ids.tolist()
        np.testing.assert_allclose(tracks.boxes_xyxy, later.boxes_xyxy, atol=0.05)


def test_a_frame_out_of_order_is_ignored_and_harms_nothing() -> None:
    scene = walk(fps=10, seconds=4)
    late = [*scene[:20], scene[17], scene[19], *scene[20:]]
    answers = follow(late)
    assert [tracks.accepted for tracks in answers[19:23]] == [True, False, False, True]
    assert answers[20].track_ids.tolist() == []
    undisturbed = follow(scene)
    np.testing.assert_array_equal(answers[-1].boxes_xyxy, undisturbed[-1].boxes_xyxy)


def test_a_clock_set_back_by_an_hour_ends_all_tracks_and_tracking_goes_on() -> None:
    scene = walk(fps=7, seconds=3)
    answers = follow([*((t + 3600, b, s) for t, b, s in scene), *scene])
    assert answers[len(scene)].ended.tolist() == [1]
    assert answers[-1].track_ids.tolist() == [2]


def test_a_clock_set_forward_by_an_hour_ends_all_tracks_and_tracking_goes_on() -> None:
    scene = walk(fps=7, seconds=3)
    answers = follow([*scene, *((t + 3600, b, s) for t, b, s in scene)])
    assert answers[len(scene)].ended.tolist() == [1]
    assert answers[-1].track_ids.tolist() == [2]


# ---------------------------------------------------------------------- where boxes come from


@pytest.mark.parametrize("score", [1.0, 100.0, -1.0, 0.8])
def test_a_constant_score_of_any_size_is_fine(score: float) -> None:
    scene = [(t, boxes, np.full(len(boxes), score, np.float32)) for t, boxes, _ in crowd(7)]
    reference = [(t, boxes, np.ones(len(boxes), np.float32)) for t, boxes, _ in crowd(7)]
    assert len(ids(follow(scene))) == len(ids(follow(reference)))


def test_scores_in_percent_are_as_good_as_shares() -> None:
    scene = [frame(0.0, box(-900), score=1.0), *((t + 1, b, s) for t, b, s in crowd(9))]
    percent = [(t, boxes, scores * 100) for t, boxes, scores in scene]
    for tracks, again in zip(follow(scene), follow(percent), strict=True):
        assert tracks.track_ids.tolist() == again.track_ids.tolist()


@pytest.mark.parametrize(
    ("boxes", "scores", "t"),
    [
        ([[0, 0, 1, np.nan]], [0.5], 0.0),
        ([[0, 0, np.inf, 1]], [0.5], 0.0),
        ([[0, 0, 9, 9]], [np.nan], 0.0),
        ([[0, 0, 9, 9]], [0.5], np.nan),
        ([[9, 0, 0, 9]], [0.5], 0.0),
        ([[0, 0, 9, 0]], [0.5], 0.0),
        ([[0, 0, 9]], [0.5], 0.0),
        ([[0, 0, 9, 9]], [0.5, 0.6], 0.0),
        ([[0, 0, 9, 1e9]], [0.5], 0.0),
    ],
)
def test_what_is_no_box_is_refused_and_changes_nothing(boxes: list[list[float]], scores: list[float], t: float) -> None:
    tracker = Tracker()
    with pytest.raises(InputError):
        tracker.update(np.array(boxes), np.array(scores), t)
    for t, boxes_xyxy, values in walk(fps=7, seconds=1):
        tracks = tracker.update(boxes_xyxy, values, t)
    assert tracks.track_ids.tolist() == [1]


@settings(max_examples=12, deadline=None)
@given(st.integers(0, 10_000))
def test_the_order_of_the_boxes_does_not_matter(seed: int) -> None:
    scene = crowd(seed, frames=25)
    rng = np.random.default_rng(seed + 1)
    shuffled = []
    for t, boxes, scores in scene:
        order = rng.permutation(len(boxes))
        shuffled.append((t, boxes[order], scores[order]))
    for tracks, again in zip(follow(scene), follow(shuffled), strict=True):
        assert tracks.track_ids.tolist() == again.track_ids.tolist()
        np.testing.assert_array_equal(tracks.boxes_xyxy, again.boxes_xyxy)


wild_box = st.tuples(
    st.floats(-2000, 2000, width=32), st.floats(-2000, 2000, width=32), st.floats(1, 900), st.floats(1, 900)
).map(lambda b: [b[0], b[1], b[0] + b[2], b[1] + b[3]])
wild_frame = st.lists(st.tuples(wild_box, st.floats(-2, 200, width=32)), max_size=5)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(wild_frame, st.floats(-3, 3)), max_size=15))
def test_ids_are_unique_in_a_frame_never_come_back_and_boxes_are_boxes(
    scene: list[tuple[list[tuple[list[float], float]], float]],
) -> None:
    tracker, ended, t = Tracker(), set(), 0.0
    for found, dt in scene:
        t += dt
        boxes = np.array([corners for corners, _ in found]).reshape(-1, 4)
        tracks = tracker.update(boxes, np.array([score for _, score in found]), t)
        ended |= set(tracks.ended.tolist())
        assert (np.diff(tracks.track_ids) > 0).all()
        assert not ended & set(tracks.track_ids.tolist())
        assert np.isfinite(tracks.boxes_xyxy).all()
        assert (tracks.boxes_xyxy[:, 2:] >= tracks.boxes_xyxy[:, :2]).all()


def test_options_are_one_setting_and_can_be_changed_by_name() -> None:
    never = Tracker(options=replace(TrackerOptions(), confirm_hits=1000))
    for t, boxes, scores in walk(fps=7, seconds=2):
        assert not len(never.update(boxes, scores, t).track_ids)
    assert {option.name for option in fields(TrackerOptions)} >= {"lost_s", "shown_s", "late_s"}


# ---------------------------------------------------------------------- memory


def held_bytes(thing: object, seen: set[int] | None = None) -> int:
    """Everything an object holds, arrays included."""
    seen = set() if seen is None else seen
    if id(thing) in seen:
        return 0
    seen.add(id(thing))
    size = thing.nbytes if isinstance(thing, np.ndarray) else sys.getsizeof(thing)
    if isinstance(thing, dict):
        return size + sum(held_bytes(part, seen) for pair in thing.items() for part in pair)
    if isinstance(thing, list | tuple):
        return size + sum(held_bytes(part, seen) for part in thing)
    return size + (held_bytes(vars(thing), seen) if hasattr(thing, "__dict__") else 0)


def run_a_day(tracker: Tracker, updates: int) -> int:
    """A stream of people who come, stand, go, and of rubbish; the most bytes held at any hundredth update."""
    rng = np.random.default_rng(11)
    most = 0
    for number in range(updates):
        walkers = [box(100 + (number * 4 + 150 * k) % 900, 200 + 60 * k) for k in range(3)]
        rubbish = [box(*rng.uniform(0, 900, 2).tolist())] if number % 3 == 0 else []
        boxes = np.array(walkers + rubbish, np.float32)
        scores = np.array([0.8, 0.9, 0.6] + [0.5] * len(rubbish), np.float32)
        tracker.update(boxes, scores, number / 7)
        if number % 100 == 0:
            most = max(most, held_bytes(tracker))
    return most


def test_memory_stays_flat() -> None:
    tracker = Tracker()
    early = run_a_day(tracker, 1_500)
    assert early < 20_000
    assert held_bytes(tracker) <= early


@pytest.mark.slow
def test_memory_stays_flat_over_a_hundred_thousand_frames() -> None:
    assert run_a_day(Tracker(), 100_000) <= 1.5 * run_a_day(Tracker(), 5_000)
