from __future__ import annotations

from datetime import time

import pytest

from vitrina.errors import InputError
from vitrina.floor.layout import Hours
from vitrina.floor.setup.hours import format_day, parse_day, parse_time

FOUR = time(4)


@pytest.mark.parametrize(
    ("text", "hours"),
    [
        ("09:00-21:00", (Hours(time(9), time(21)),)),
        ("9:00 – 13:00, 14:00-20:00", (Hours(time(9), time(13)), Hours(time(14), time(20)))),
        ("20:00-02:00", (Hours(time(20), time(2)),)),
        ("20:00-04:00", (Hours(time(20), time(4)),)),
        ("18:00-24:00", (Hours(time(18), time(0)),)),
        ("00:00-24:00", (Hours(time(0), time(0)),)),
        ("closed", ()),
    ],
)
def test_hours_are_read_and_written_past_midnight_too(text: str, hours: tuple[Hours, ...]) -> None:
    assert parse_day(text, FOUR) == hours
    assert parse_day(format_day(hours), FOUR) == hours


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("21:00-09:00", "21:00-09:00 closes before it opens, for a shop whose day runs from 04:00 on"),
        ("03:00-12:00", "closes before it opens"),
        ("09:00-09:00", "closes before it opens"),
        ("09:00", "expected hours such as 09:00-21:00, or closed, got '09:00'"),
        ("nine-five", "expected a time such as 09:30, got 'nine'"),
        ("09:00-25:00", "got '25:00'"),
        ("09:60-12:00", "got '09:60'"),
        ("09:00-12:00, 11:00-14:00", "some overlap or are out of order"),
        ("14:00-18:00, 09:00-12:00", "some overlap or are out of order"),
        ("", "expected hours"),
    ],
)
def test_hours_that_make_no_sense_are_refused(text: str, said: str) -> None:
    with pytest.raises(InputError) as refused:
        parse_day(text, FOUR)

    assert said in str(refused.value)


def test_when_the_day_starts_decides_what_is_reversed() -> None:
    assert parse_day("03:00-12:00", time(2)) == (Hours(time(3), time(12)),)
    assert parse_day("21:00-09:00", time(10)) == (Hours(time(21), time(9)),)


def test_a_time_is_hours_and_minutes() -> None:
    assert parse_time("4:05") == time(4, 5)
    assert parse_time("24:00") == time(0)
    with pytest.raises(InputError):
        parse_time("24:01")
