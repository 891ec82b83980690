"""A worker that was killed and started again: what its journal holds is all that the next one has."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, time
from functools import cache
from typing import Any

import numpy as np
import pytest

from vitrina.errors import NotFoundError, StorageError
from vitrina.floor.geometry.ground import fit_ground
from vitrina.floor.layout import CameraLayout, Layout, Line, Plan, Shop, Zone
from vitrina.floor.resume import STATE_VERSION, Resumed, resume

SIZE_WH = (640, 480)
# One metre is 40 pixels, straight from above.
GROUND = fit_ground(((0, 0), (640, 0), (640, 480), (0, 480)), ((0, 0), (16, 0), (16, 12), (0, 12)), SIZE_WH)
START = datetime(2026, 3, 2, 9, tzinfo=UTC).timestamp()
FPS = 10
HOW = {"detector": "one"}
Boxes = list[np.ndarray]
Facts = dict[str, list[dict[str, Any]]]


def shop(*, layout_id: str = "layout-1", zones: Sequence[Zone] | None = None) -> Shop:
    camera = CameraLayout("door", "Door", "webcam:0", SIZE_WH, GROUND)
    shelf = Zone("shelf", "Shelf", "section", ((4, 2), (12, 2), (12, 10), (4, 10)))
    till = Zone("till", "Till", "queue", ((12, 2), (16, 2), (16, 10), (12, 10)), till=(15, 7.5), serve_s=3.0)
    line = Line("entrance", "Entrance", "entrance", (320, 440), (320, 160), "door")
    kept = (shelf, till) if zones is None else tuple(zones)
    layout = Layout(layout_id, datetime(2026, 1, 1, tzinfo=UTC), Plan(16, 12), (camera,), kept, (line,))
    return Shop("riga-1", "Riga 1", "Europe/Riga", "EUR", layout, time(4))


def box(x: float, y: float = 300.0) -> np.ndarray:
    return np.array([[x - 20, y - 120, x + 20, y]], np.float32)


def walk(seconds: float = 9.0, *, speed_px_s: float = 60.0) -> Boxes:
    return [box(60 + speed_px_s * n / FPS) for n in range(round(seconds * FPS))]


def one_who_queues() -> Boxes:
    """Comes in over the line, waits in the queue for 2 s and stands at the till for 5 s, and goes back to the shelf."""
    return [*walk(7.5), *[box(510)] * 20, *walk(9.0)[75:], *[box(600)] * 50, *walk(9.0)[:60:-1], *[box(425)] * 20]


class Life:
    """Workers one after the other; only JSON passes between them. kept: what the journal holds, rows: what landed."""

    def __init__(self, place: Shop | None = None) -> None:
        self.place = place or shop()
        self.layouts = {self.place.layout.layout_id: self.place}
        self.rows: Facts = defaultdict(list)
        self.kept: Any = None
        self.now = self.begin()

    def begin(self, *, how: dict[str, str] = HOW) -> Resumed:
        self.layouts[self.place.layout.layout_id] = self.place
        self.now = resume(self.kept, self.place, "door", how=how, version=self.version)
        self.take(self.now.rows)
        return self.now

    def version(self, layout_id: str) -> Shop:
        if layout_id not in self.layouts:
            raise NotFoundError(f"no layout {layout_id}")
        return self.layouts[layout_id]

    def see(self, boxes: Boxes, frames: Sequence[int] | range, *, start: float = START) -> None:
        for n in frames:
            events = self.now.pipeline.step(boxes[n], np.full(len(boxes[n]), 0.9, np.float32), start + n / FPS)
            self.take(self.now.recorder.rows(events))
        self.kept = json.loads(json.dumps(self.now.state(), allow_nan=True))

    def take(self, rows: Facts) -> None:
        for table, some in rows.items():
            self.rows[table] += some

    def end(self) -> Facts:
        self.take(self.now.recorder.rows(self.now.pipeline.finish()))
        self.take(self.now.recorder.finish())
        return self.rows


def facts(rows: Facts) -> dict[str, list[tuple[Any, ...]]]:
    """What happened, without the ids that are new in each run."""
    random = {"event_id", "person_id"}
    return {
        table: sorted(tuple(str(value) for key, value in row.items() if key not in random) for row in some)
        for table, some in rows.items()
    }


def people(rows: Facts) -> set[str]:
    return {row["person_id"] for some in rows.values() for row in some if "person_id" in row}


@cache
def undisturbed() -> Facts:
    boxes, life = one_who_queues(), Life()
    life.see(boxes, range(len(boxes)))
    return life.end()


@pytest.mark.parametrize("cut", [1, 12, 44, 93, 170])
def test_a_worker_that_is_there_again_at_once_writes_what_an_undisturbed_one_writes(cut: int) -> None:
    """Unconfirmed people, crossings that may still be U-turns, waits and heat included; and it is one person."""
    boxes, life = one_who_queues(), Life()

    life.see(boxes, range(cut))
    life.begin()
    life.see(boxes, range(cut, len(boxes)))

    found = life.end()
    assert facts(found) == facts(undisturbed())
    assert len(people(found)) == 1


@pytest.mark.parametrize("cut", [14, 44, 89, 134])
@pytest.mark.parametrize("pause_s", [1.5, 3.0])
def test_over_a_short_pause_nothing_is_lost_nothing_is_split_and_the_pause_is_a_gap(cut: int, pause_s: float) -> None:
    boxes, life = one_who_queues(), Life()
    back = min(cut + round(pause_s * FPS), len(boxes) - 6)

    life.see(boxes, range(cut))
    life.begin()
    life.see(boxes, range(back, len(boxes)))

    found, whole = life.end(), undisturbed()
    assert len(people(found)) == 1
    assert [(row["line_id"], row["direction"]) for row in found["crossings"]] == [("entrance", "in")]
    assert [row["zone_id"] for row in found["visits"]] == [row["zone_id"] for row in whole["visits"]]
    for row, true in zip(found["visits"], whole["visits"], strict=True):
        assert row["dwell_s"] == pytest.approx(true["dwell_s"], abs=2 * pause_s)
    assert [(row["zone_id"], row["outcome"]) for row in found["waits"]] == [("till", "served")]
    gaps = [(row["reason"], round(row["gap_s"], 1)) for row in found["gaps"]] if "gaps" in found else []
    assert gaps == [("not running", round((back - cut + 1) / FPS, 1))] * (back - cut + 1 > 20)


def test_killed_again_and_again_after_one_frame_a_person_is_one_and_crosses_once() -> None:
    """One frame between two pauses is no slow camera: nobody was out of sight while nobody looked."""
    nobody = [np.empty((0, 4), np.float32)] * 60
    boxes, life = [*nobody, *walk(20.0, speed_px_s=28.0)], Life()

    life.see(boxes, range(10))
    for back in range(30, 150, 22):
        life.begin()
        life.see(boxes, [back])
    life.begin()
    life.see(boxes, range(165, len(boxes)))

    found = life.end()
    assert len(people(found)) == 1
    assert [(row["line_id"], row["direction"]) for row in found["crossings"]] == [("entrance", "in")]
    assert [row["zone_id"] for row in found["visits"]] == ["shelf", "till"]


def test_over_a_long_pause_visits_end_where_they_were_last_seen_and_people_of_now_are_others() -> None:
    boxes, life = walk(), Life()

    life.see(boxes, range(60))
    life.begin()
    life.see(boxes, range(40, 68), start=START + 600)

    found = life.end()
    assert [row["ended"] for row in found["visits"]] == ["lost", "finished"]
    assert [row["direction"] for row in found["crossings"]] == ["in", "in"]
    assert len(people(found)) == 2
    (gap,) = found["gaps"]
    assert (gap["reason"], round(gap["gap_s"])) == ("not running", 598)


def test_a_gap_of_the_camera_later_on_is_not_told_as_ours() -> None:
    boxes, life = walk(), Life()

    life.see(boxes, range(30))
    life.begin()
    life.see(boxes, range(30, 50))
    life.see(boxes, range(50, 90), start=START + 300)

    assert [row["reason"] for row in life.end()["gaps"]] == ["no frames"]


def test_killed_again_before_the_first_frame_is_killed_once() -> None:
    boxes, life = one_who_queues(), Life()

    life.see(boxes, range(70))
    for _ in range(5):
        life.begin()
        life.see(boxes, [])
    life.see(boxes, range(70, len(boxes)))

    assert facts(life.end()) == facts(undisturbed())


def test_under_another_layout_what_was_open_ends_under_the_one_it_was_seen_with() -> None:
    boxes, life = walk(), Life()

    life.see(boxes, range(60))
    life.place = shop(layout_id="layout-2", zones=())
    life.begin()
    life.see(boxes, range(60, 90))

    found = life.end()
    assert [(row["layout_id"], row["ended"]) for row in found["visits"]] == [("layout-1", "finished")]
    assert [row["layout_id"] for row in found["crossings"]] == ["layout-1"]
    assert len(people(found)) == 2


def test_with_another_detector_nobody_is_taken_for_somebody_of_before() -> None:
    boxes, life = walk(), Life()

    life.see(boxes, range(60))
    life.begin(how={"detector": "two"})
    life.see(boxes, range(60, 90))

    assert len(people(life.end())) == 2


def test_a_person_has_another_id_on_the_next_business_day_also_over_a_restart() -> None:
    end_of_day = datetime(2026, 3, 3, 2, tzinfo=UTC).timestamp()  # four in the morning in Riga
    boxes, life = walk(), Life()

    life.see(boxes, range(40), start=end_of_day - 4.0)
    life.begin()
    life.see(boxes, range(50, 90), start=end_of_day - 4.0)

    found = life.end()
    days = {(row["business_day"].isoformat(), row["person_id"]) for row in found["positions"]}
    assert sorted(day for day, _ in days) == ["2026-03-02", "2026-03-03"]
    assert len(people(found)) == 2
    assert len(found["crossings"]) == 1


def test_a_clock_that_was_set_back_while_nobody_ran_ends_what_was_open() -> None:
    boxes, life = walk(), Life()

    life.see(boxes, range(60))
    life.begin()
    life.see(boxes, range(50, 68), start=START - 3600)

    found = life.end()
    assert [row["ended"] for row in found["visits"]] == ["lost", "finished"]
    assert [row["reason"] for row in found["gaps"]] == ["clock set back"]
    assert len(people(found)) == 2


@pytest.mark.parametrize("back_s", [3.0, 30.0, 59.0, 3600.0])
def test_who_crosses_after_a_clock_was_set_back_is_counted_however_far(back_s: float) -> None:
    boxes, life = walk(), Life()

    life.see(boxes, range(len(boxes)))
    life.begin()
    life.see(boxes, range(len(boxes)), start=START + len(boxes) / FPS - back_s)

    found = life.end()
    assert [row["direction"] for row in found["crossings"]] == ["in", "in"]
    assert len(found["visits"]) == 4
    assert [row["reason"] for row in found["gaps"]] == ["clock set back"]


def test_who_was_known_as_staff_is_staff_after_a_restart() -> None:
    office = Zone("office", "Office", "staff", ((0, 0), (7, 0), (7, 12), (0, 12)), stop_s=2.0)
    boxes, life = walk(), Life(shop(zones=[office]))

    life.see(boxes, range(75))
    life.begin()
    life.see(boxes, range(75, 90))

    assert [row["role"] for row in life.end()["crossings"]] == ["staff"]


def broken(kept: dict[str, Any], how: str) -> Any:
    match how:
        case "newer":
            return kept | {"version": STATE_VERSION + 1}
        case "older":
            return {key: value for key, value in kept.items() if key != "version"}
        case "no tracker":
            return kept | {"pipeline": {key: value for key, value in kept["pipeline"].items() if key != "tracker"}}
        case "cut short":
            rows = kept["pipeline"]["tracker"]["rows"]
            rows[2] = rows[2][: len(rows[2]) // 2]
            return kept
        case "unknown layout":
            return kept | {"layout_id": "layout-0"}
        case "no key":
            return kept | {"person_key": "not hex"}
        case _:
            return []


@pytest.mark.parametrize("how", ["newer", "older", "no tracker", "cut short", "unknown layout", "no key", "a list"])
def test_a_state_that_cannot_be_used_is_logged_and_the_worker_begins_anew(
    how: str, caplog: pytest.LogCaptureFixture
) -> None:
    boxes, life = walk(), Life()
    life.see(boxes, range(60))

    life.kept = broken(life.kept, how)
    life.begin()
    life.see(boxes, range(40, 68), start=START + 60)

    assert "camera door of riga-1 begins anew" in caplog.text
    assert [row["zone_id"] for row in life.end()["visits"]] == ["shelf"]


def test_a_database_that_is_away_costs_nothing_that_is_open() -> None:
    """The camera is opened again, and then the layout of before is there."""
    boxes, life = walk(), Life()
    life.see(boxes, range(60))

    def away(_layout_id: str) -> Shop:
        raise StorageError("the database cannot do this now: it is locked")

    with pytest.raises(StorageError, match="it is locked"):
        resume(life.kept, shop(layout_id="layout-2", zones=()), "door", how=HOW, version=away)


def test_what_is_kept_grows_with_the_people_in_view_and_not_with_time() -> None:
    life, sizes = Life(), []
    for minute in range(60):
        life.see(walk(speed_px_s=180.0), range(30), start=START + 60 * minute)
        sizes.append(len(json.dumps(life.kept)))

    assert max(sizes[30:]) <= 1.05 * max(sizes[:30])


def test_two_shops_with_the_same_people_have_other_ids() -> None:
    one, other = Life(), Life(replace(shop(), slug="riga-2"))
    for life in (one, other):
        life.see(walk(), range(90))

    assert people(one.end()).isdisjoint(people(other.end()))
