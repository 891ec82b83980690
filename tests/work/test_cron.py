from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vitrina.errors import InputError
from vitrina.work.cron import parse_cron

BERLIN = "Europe/Berlin"


def runs(text: str, first: str, last: str, timezone: str = BERLIN) -> list[str]:
    """The shop-local times at which it is due, after `first` up to `last` (both local)."""
    zone = ZoneInfo(timezone)
    cron, t = parse_cron(text, timezone), datetime.fromisoformat(first).replace(tzinfo=zone)
    end = datetime.fromisoformat(last).replace(tzinfo=zone)
    found = []
    while (t := cron.next_after(t)) <= end:
        found.append(t.astimezone(zone).strftime("%d %H:%M %Z"))
    return found


def test_a_time_of_day_comes_once_a_day_in_summer_and_winter() -> None:
    assert runs("30 4", "2026-07-01T12:00", "2026-07-03T12:00") == ["02 04:30 CEST", "03 04:30 CEST"]
    assert runs("30 4", "2026-03-28T12:00", "2026-03-30T12:00") == ["29 04:30 CEST", "30 04:30 CEST"]


def test_a_time_that_the_clocks_skip_is_made_up_for() -> None:
    assert runs("30 2", "2026-03-28T12:00", "2026-03-30T12:00") == ["29 03:30 CEST", "30 02:30 CEST"]


def test_a_time_that_comes_twice_counts_once() -> None:
    assert runs("30 2", "2026-10-24T12:00", "2026-10-26T12:00") == ["25 02:30 CEST", "26 02:30 CET"]


def test_every_hour_is_every_real_hour() -> None:
    assert len(runs("0 *", "2026-03-29T00:00", "2026-03-30T00:00")) == 23
    assert len(runs("0 *", "2026-10-25T00:00", "2026-10-26T00:00")) == 25
    assert runs("*/30 *", "2026-10-25T01:59", "2026-10-25T03:10")[:4] == [
        "25 02:00 CEST",
        "25 02:30 CEST",
        "25 02:00 CET",
        "25 02:30 CET",
    ]


def test_the_hour_of_a_zone_with_half_an_hour_is_its_own() -> None:
    assert runs("0 *", "2026-06-01T00:30", "2026-06-01T02:30", "Asia/Kolkata") == ["01 01:00 IST", "01 02:00 IST"]


def test_week_days_by_name_and_number() -> None:
    working = ["01 09:00 CEST", "02 09:00 CEST", "03 09:00 CEST", "04 09:00 CEST", "05 09:00 CEST", "08 09:00 CEST"]
    assert runs("0 9 mon-fri", "2026-06-01T00:00", "2026-06-08T12:00") == working
    assert runs("0 9 0-4", "2026-06-01T00:00", "2026-06-08T12:00") == working
    assert runs("0 9 sat,sun", "2026-06-01T00:00", "2026-06-08T12:00") == ["06 09:00 CEST", "07 09:00 CEST"]


@given(
    st.sampled_from(["30 4", "30 2", "0 *", "*/20 *", "5,35 1-3", "0 9 mon-fri", "15 * sun"]),
    st.sampled_from([BERLIN, "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "UTC"]),
    st.datetimes(datetime(2025, 1, 1), datetime(2027, 1, 1)),
)
def test_runs_are_in_the_future_in_order_and_on_their_minute(text: str, timezone: str, start: datetime) -> None:
    cron, times = parse_cron(text, timezone), [start.replace(tzinfo=UTC)]
    for _ in range(6):
        times.append(cron.next_after(times[-1]))
    assert all(earlier < later <= earlier + timedelta(days=8) for earlier, later in pairwise(times))
    for t in times[1:]:
        local = t.astimezone(ZoneInfo(timezone))
        assert local.weekday() in cron.weekdays
        assert local.second == 0
        skipped = local.replace(fold=0, tzinfo=None) != (t - timedelta(hours=2)).astimezone(ZoneInfo(timezone)).replace(
            tzinfo=None
        ) + timedelta(hours=2)
        assert local.minute in cron.minutes or skipped


@pytest.mark.parametrize(
    "text", ["", "30", "30 4 mon extra", "60 4", "30 24", "a b", "*/0 *", "30 4 mom", "5-1 4", "-1 4", "30 4 7"]
)
def test_what_is_no_schedule_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(InputError, match="schedule"):
        parse_cron(text, BERLIN)


def test_an_unknown_time_zone_is_refused() -> None:
    with pytest.raises(InputError, match="Mars"):
        parse_cron("30 4", "Mars/Olympus")
