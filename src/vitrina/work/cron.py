"""When a recurring job is due, by a shop's own clock. Pure.

A time that is skipped when clocks go forward is made up for right after; a time that comes twice when they go back
counts once. With `*` as the hour, it is every real hour: 23 or 25 of them on those days.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from vitrina.errors import InputError
from vitrina.product import check_timezone

_MINUTE = timedelta(minutes=1)
_DAYS_AHEAD = 9
"""A week, and a day on each side for the zone."""


@dataclass(frozen=True, slots=True)
class Cron:
    """Minutes, hours and week days (0 is Monday) at which something is due. Comes from `parse_cron`."""

    minutes: frozenset[int]
    hours: frozenset[int]
    weekdays: frozenset[int]
    every_hour: bool
    timezone: str

    def next_after(self, t: datetime) -> datetime:
        """The first moment after `t` at which it is due, in UTC."""
        return self._next_real_hour(t) if self.every_hour else self._next_wall_time(t)

    def _next_real_hour(self, t: datetime) -> datetime:
        zone, moment = ZoneInfo(self.timezone), t.astimezone(UTC).replace(second=0, microsecond=0) + _MINUTE
        while True:
            local = moment.astimezone(zone)
            if local.minute in self.minutes and local.weekday() in self.weekdays:
                return moment
            moment += _MINUTE

    def _next_wall_time(self, t: datetime) -> datetime:
        today = t.astimezone(ZoneInfo(self.timezone)).date()
        days = [today + timedelta(days=ahead) for ahead in range(-1, _DAYS_AHEAD)]
        return min(moment for day in days for moment in self._moments(day) if moment > t)

    def _moments(self, day: date) -> list[datetime]:
        if day.weekday() not in self.weekdays:
            return []
        zone = ZoneInfo(self.timezone)
        walls = [time(hour, minute) for hour in sorted(self.hours) for minute in sorted(self.minutes)]
        return [datetime.combine(day, wall, zone).astimezone(UTC) for wall in walls]


def parse_cron(text: str, timezone: str) -> Cron:
    """`"30 4"` is 04:30 each day; `"0 9 mon-fri"` 09:00 on working days; `"*/15 *"` each quarter of an hour.

    Fields: minute, hour, week day (may be left out). Each is `*`, `*/n`, or a list of numbers and ranges.
    Raises InputError.
    """
    fields = text.split()
    if len(fields) not in (2, 3):
        raise InputError(f"schedule: expected 'minute hour [weekdays]' such as '30 4' or '0 9 mon-fri', got {text!r}")
    weekdays = fields[2] if len(fields) == 3 else "*"
    return Cron(
        minutes=_numbers(fields[0], 60, "minute", text),
        hours=_numbers(fields[1], 24, "hour", text),
        weekdays=_numbers(_named(weekdays), 7, "week day", text),
        every_hour=fields[1] == "*",
        timezone=check_timezone(timezone),
    )


def _named(weekdays: str) -> str:
    for number, name in enumerate(("mon", "tue", "wed", "thu", "fri", "sat", "sun")):
        weekdays = weekdays.lower().replace(name, str(number))
    return weekdays


def _numbers(field: str, count: int, what: str, text: str) -> frozenset[int]:
    numbers: set[int] = set()
    try:
        for part in field.split(","):
            numbers.update(_range(part, count))
    except ValueError as error:
        raise InputError(f"schedule {text!r}: expected a {what} from 0 to {count - 1}, got {field!r}") from error
    return frozenset(numbers)


def _range(part: str, count: int) -> range:
    if part == "*":
        return range(count)
    if part.startswith("*/"):
        return range(0, count, int(part[2:]))
    first, _, last = part.partition("-")
    numbers = range(int(first), int(last or first) + 1)
    if not numbers or numbers[-1] >= count or numbers[0] < 0:
        raise ValueError(part)
    return numbers
