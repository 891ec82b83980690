from __future__ import annotations

import pyarrow as pa
import pytest

from vitrina.floor.camera import Health
from vitrina.floor.healthlog import HealthLog, HealthSpan
from vitrina.floor.layout import Layout, Plan, Shop
from vitrina.floor.record import Recorder
from vitrina.floor.store import FLOOR_TABLES

NINE = 1_795_338_000.0
"""A full five minutes."""


def run(health: Health, log: HealthLog, begin: float, seconds: int, *, fps: int = 5) -> list[HealthSpan]:
    over = []
    for second in range(seconds):
        for frame in range(fps):
            health.note_frame(begin + second + frame / fps)
        over += log.note(health.snapshot(), begin + second)
    return over


def test_five_minutes_of_a_good_camera_are_one_record() -> None:
    log = HealthLog()

    (span,) = run(Health(fps_claimed=25.0, fps_wanted=5.0), log, NINE, 301)

    assert span.t == NINE
    assert span.watched_s == pytest.approx(299)
    assert span.running_s == pytest.approx(299)
    assert span.fps_got == pytest.approx(5, abs=0.1)
    assert (span.state, span.problems, span.last_error) == ("running", set(), "")
    assert (span.fps_claimed, span.fps_wanted) == (25.0, 5.0)


def test_what_went_wrong_is_counted_in_the_minutes_in_which_it_did() -> None:
    health, log = Health(), HealthLog()
    run(health, log, NINE, 100)
    health.state, health.last_error, health.reconnects, health.dropped = "lost", "nothing listens", 3, 7
    for second in range(100, 160):
        log.note(health.snapshot(), NINE + second)
    health.problems = ("dark",)

    first, second = [*run(health, log, NINE + 160, 300), *log.finish()]

    assert (first.reconnects, first.dropped, first.last_error, first.problems) == (3, 7, "nothing listens", {"dark"})
    assert first.watched_s - first.running_s == pytest.approx(60)
    assert (second.reconnects, second.dropped) == (0, 0)


def test_a_camera_opened_anew_counts_from_nothing_and_loses_nothing() -> None:
    log = HealthLog()
    run(Health(), log, NINE, 50)
    run(Health(), log, NINE + 50, 50)

    (span,) = log.finish()

    assert span.frames == 500


def test_a_time_in_which_nobody_watched_is_not_counted() -> None:
    log, health = HealthLog(), Health()
    run(health, log, NINE, 10)
    run(health, log, NINE + 200, 10)

    (span,) = log.finish()

    assert span.watched_s == pytest.approx(18)


def test_one_look_is_no_record() -> None:
    log = HealthLog()
    log.note(Health().snapshot(), NINE)

    assert log.finish() == []


def test_a_record_becomes_a_row_of_the_lake() -> None:
    log = HealthLog()
    run(Health(), log, NINE, 20)
    layout = Layout("L1", None, Plan(10, 10))
    recorder = Recorder(Shop("riga-1", "Riga", "Europe/Riga", "EUR", layout), "door", person_key=b"k" * 32)

    (row,) = pa.Table.from_pylist(
        [recorder.health_row(span) for span in log.finish()], schema=FLOOR_TABLES["health"].schema
    ).to_pylist()

    assert (row["shop_id"], row["camera_id"], row["layout_id"]) == ("riga-1", "door", "L1")
    assert row["t"].timestamp() == NINE
    assert row["frames"] == 100
    assert row["problems"] == ""
    assert None not in row.values()
