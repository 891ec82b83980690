from __future__ import annotations

from vitrina.chat.pace import Pace


def test_a_seconds_worth_goes_at_once_and_then_each_waits_its_turn() -> None:
    pace = Pace(4)

    waits = [pace.turn_in_s(100.0) for _ in range(7)]

    assert [round(max(0.0, wait), 2) for wait in waits] == [0, 0, 0, 0, 0.25, 0.5, 0.75]


def test_who_rested_longer_saves_no_more_than_a_second() -> None:
    pace = Pace(4)
    pace.turn_in_s(0.0)

    assert sum(pace.turn_in_s(500.0) <= 0 for _ in range(10)) == 4
