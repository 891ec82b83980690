"""Small values that every part shares: ids, money, shop time.

A shop's day is not the calendar's: it starts at `day_starts` (04:00 unless said otherwise), so that a bar that
closes at 02:00 has one day, and it has 23 or 25 hours when the clocks change.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation, Overflow
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

import uuid6
from babel.numbers import format_currency, get_currency_precision, list_currencies

from vitrina.errors import InputError

MOST_MINOR = 10**15
"""Minor units that an amount has at most; sums of thousands of them still fit 64 bits."""
FIRST_YEAR, LAST_YEAR = 2000, 2200
"""Of days that somebody may ask for: beyond them clocks and calendars end."""


def new_id() -> str:
    """A UUIDv7 (RFC 9562): unique everywhere, sortable by the time it was made."""
    return str(uuid6.uuid7())


@dataclass(frozen=True, slots=True, order=True)
class Money:
    """An amount in minor units (cents) of an ISO 4217 currency."""

    minor: int
    currency: str

    def __post_init__(self) -> None:
        check_currency(self.currency)

    @classmethod
    def parse(cls, amount: str, currency: str) -> Money:
        """`Money.parse("12.50", "EUR")`; halves are rounded away from zero. InputError also beyond `MOST_MINOR`."""
        check_currency(currency)
        try:
            minor = Decimal(amount).scaleb(get_currency_precision(currency)).quantize(Decimal(1), ROUND_HALF_UP)
            fits = abs(minor) <= MOST_MINOR
        except (InvalidOperation, Overflow):
            fits = False
        if not fits:
            raise InputError(f"expected an amount such as 12.50, got {amount!r}")
        return cls(int(minor), currency)

    @property
    def major(self) -> Decimal:
        return Decimal(self.minor).scaleb(-get_currency_precision(self.currency))

    def __add__(self, other: Money) -> Money:
        if other.currency != self.currency:
            raise InputError(f"cannot add {other.currency} to {self.currency}: convert one of them first")
        return Money(self.minor + other.minor, self.currency)

    def format(self, language: str) -> str:
        return format_currency(self.major, self.currency, locale=language)


def check_currency(code: str) -> str:
    """The code itself, when ISO 4217 knows it; else InputError."""
    if code not in _currencies():
        raise InputError(f"expected an ISO 4217 currency code such as EUR, got {code!r}")
    return code


def check_timezone(name: str) -> str:
    """The name itself, when the IANA database knows it; else InputError."""
    if name not in _timezones():
        raise InputError(f"expected an IANA time zone such as Europe/Berlin, got {name!r}")
    return name


@cache
def _currencies() -> frozenset[str]:
    return frozenset(list_currencies())  # copied at each call: 13 µs, and a catalog makes millions of prices


@cache
def _timezones() -> frozenset[str]:
    return frozenset(available_timezones())  # walks the whole database: 40 ms


def parse_day(text: str, name: str = "day", *, today: date | None = None) -> date:
    """A day as somebody wrote it: `2026-11-03`, and where it is known what day it is, `today` and `yesterday`.

    name: of the field, for the error. Raises InputError for what is no date, and for one so far off that no clock
    can reckon around it.
    """
    if today and text in ("today", "yesterday"):
        return today - timedelta(days=text == "yesterday")
    try:
        found = date.fromisoformat(text)
    except ValueError as error:
        such_as = "'today', 'yesterday' or a date such as 2026-11-03" if today else "a date such as 2026-11-03"
        raise InputError(f"{name}: expected {such_as}, got {text[:20]!r}") from error
    if not FIRST_YEAR <= found.year <= LAST_YEAR:
        raise InputError(f"{name}: expected a day of the years {FIRST_YEAR} to {LAST_YEAR}, got {found}")
    return found


@dataclass(frozen=True, slots=True)
class ShopClock:
    """Turns moments (UTC) into a shop's local time and business day."""

    timezone: str
    day_starts: time = time(4)

    def __post_init__(self) -> None:
        check_timezone(self.timezone)

    def local(self, t: datetime | float) -> datetime:
        return _utc(t).astimezone(ZoneInfo(self.timezone))

    def business_day(self, t: datetime | float) -> date:
        """By its first moment in UTC: a wall clock shows some times twice when it is set back."""
        day = self.local(t).date()
        return day if _utc(t) >= self._starts(day) else day - timedelta(days=1)

    def day_bounds(self, day: date) -> tuple[datetime, datetime]:
        """First moment of the business day and of the next one, in UTC."""
        return self._starts(day), self._starts(day + timedelta(days=1))

    def hours(self, day: date) -> list[datetime]:
        """The starts of the day's hours in UTC: 23, 24 or 25 of them."""
        first, last = self.day_bounds(day)
        count = round((last - first) / timedelta(hours=1))
        return [first + timedelta(hours=hour) for hour in range(count)]

    def at(self, day: date, wall: time) -> datetime:
        """The moment (UTC) when the shop's clock shows `wall` within the business day `day`."""
        calendar_day = day if wall >= self.day_starts else day + timedelta(days=1)
        return datetime.combine(calendar_day, wall, ZoneInfo(self.timezone)).astimezone(UTC)

    def _starts(self, day: date) -> datetime:
        return datetime.combine(day, self.day_starts, ZoneInfo(self.timezone)).astimezone(UTC)


def _utc(t: datetime | float) -> datetime:
    if isinstance(t, (int, float)):
        return datetime.fromtimestamp(t, UTC)
    if t.tzinfo is None:
        raise InputError(f"expected a time with a zone, got {t.isoformat()} without one")
    return t.astimezone(UTC)
