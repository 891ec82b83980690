"""Opening hours as people write them.

`09:00-21:00`, `09:00-13:00, 14:00-20:00`, past midnight `20:00-02:00`, `00:00-24:00`, `closed`.
"""

from __future__ import annotations

import re
from datetime import time
from itertools import pairwise

from vitrina.errors import InputError
from vitrina.floor.layout import Hours

CLOSED = "closed"
ALL_DAY = "00:00-24:00"
_DAY_MIN = 24 * 60


def parse_time(text: str) -> time:
    """`09:30`; `24:00` is midnight. Raises InputError."""
    found = re.fullmatch(r"(\d{1,2}):(\d\d)", text.strip())
    hour, minute = (int(part) for part in found.groups()) if found else (99, 99)
    if minute > 59 or hour > 24 or (hour == 24 and minute):
        raise InputError(f"expected a time such as 09:30, got {text.strip()!r}")
    return time(hour % 24, minute)


def parse_day(text: str, day_starts: time) -> tuple[Hours, ...]:
    """One day's hours, each within the business day from `day_starts` on; none when closed. Raises InputError."""
    if text.strip().lower() == CLOSED:
        return ()
    if text.replace(" ", "") == ALL_DAY:
        return (Hours(time(0), time(0)),)
    hours = tuple(_span(part, day_starts) for part in text.split(","))
    for earlier, later in pairwise(hours):
        if _minutes(later.opens, day_starts) < _minutes(earlier.closes, day_starts, end=True):
            raise InputError(f"expected hours one after the other, got {text!r}: some overlap or are out of order")
    return hours


def format_day(hours: tuple[Hours, ...]) -> str:
    """What `parse_day` reads."""
    if any(span.all_day for span in hours):
        return ALL_DAY
    return ", ".join(f"{span.opens:%H:%M}-{span.closes:%H:%M}" for span in hours) or CLOSED


def _span(text: str, day_starts: time) -> Hours:
    opens, dash, closes = text.replace("–", "-").partition("-")
    if not dash:
        raise InputError(f"expected hours such as 09:00-21:00, or {CLOSED}, got {text.strip()!r}")
    hours = Hours(parse_time(opens), parse_time(closes))
    if _minutes(hours.opens, day_starts) >= _minutes(hours.closes, day_starts, end=True):
        raise InputError(
            f"{text.strip()} closes before it opens, for a shop whose day runs from {day_starts:%H:%M} on. "
            "Turn the hours round, or move day_starts when the shop is open at that time."
        )
    return hours


def _minutes(moment: time, day_starts: time, *, end: bool = False) -> int:
    """Minutes since the business day began; its very end is 24 h, not 0."""
    passed = (moment.hour * 60 + moment.minute - day_starts.hour * 60 - day_starts.minute) % _DAY_MIN
    return _DAY_MIN if end and passed == 0 else passed
