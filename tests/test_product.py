from __future__ import annotations

import itertools
from datetime import UTC, date, datetime, time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vitrina.errors import InputError
from vitrina.product import Money, ShopClock, new_id, parse_day

BERLIN = ShopClock("Europe/Berlin")


def test_ids_are_version_7_and_sort_by_the_time_they_were_made() -> None:
    ids = [new_id() for _ in range(100)]

    assert ids == sorted(ids)
    assert len(set(ids)) == 100
    assert {one[14] for one in ids} == {"7"}


@pytest.mark.parametrize(
    ("amount", "currency", "minor"),
    [("12.50", "EUR", 1250), ("12.505", "EUR", 1251), ("1250", "JPY", 1250), ("1.234", "KWD", 1234)],
)
def test_money_is_read_in_the_currencys_own_minor_units(amount: str, currency: str, minor: int) -> None:
    assert Money.parse(amount, currency) == Money(minor, currency)


def test_money_of_two_currencies_is_not_added() -> None:
    with pytest.raises(InputError, match="cannot add RUB to EUR"):
        Money(1, "EUR") + Money(1, "RUB")


@pytest.mark.parametrize(
    ("amount", "currency"),
    [
        ("twelve", "EUR"),
        ("12", "EURO"),
        *((amount, "EUR") for amount in ("nan", "sNaN", "inf", "-Infinity", "1e20", "1e999999", "-10000000000000.01")),
    ],
)
def test_what_is_no_money_is_refused(amount: str, currency: str) -> None:
    with pytest.raises(InputError):
        Money.parse(amount, currency)


def test_the_largest_amount_is_ten_million_millions() -> None:
    assert Money.parse("-10000000000000", "EUR") == Money(-(10**15), "EUR")


def test_a_sale_after_midnight_belongs_to_the_evening_before() -> None:
    assert BERLIN.business_day(datetime(2026, 6, 2, 1, 59, tzinfo=UTC)) == date(2026, 6, 1)
    assert BERLIN.business_day(datetime(2026, 6, 2, 2, 0, tzinfo=UTC)) == date(2026, 6, 2)


@pytest.mark.parametrize(("day", "hours"), [(date(2026, 3, 28), 23), (date(2026, 3, 29), 24), (date(2026, 10, 24), 25)])
def test_the_day_has_23_or_25_hours_when_the_clocks_change(day: date, hours: int) -> None:
    starts = BERLIN.hours(day)

    assert len(starts) == hours
    assert all(later - sooner == timedelta(hours=1) for sooner, later in itertools.pairwise(starts))
    assert {BERLIN.business_day(start) for start in starts} == {day}


@pytest.mark.parametrize("starts", [time(2), time(2, 30), time(3)])
@pytest.mark.parametrize("night", [datetime(2026, 3, 28, 22, tzinfo=UTC), datetime(2026, 10, 24, 22, tzinfo=UTC)])
def test_a_day_that_starts_while_the_clocks_change_begins_once_and_for_good(night: datetime, starts: time) -> None:
    clock = ShopClock("Europe/Berlin", starts)

    days = [clock.business_day(night + timedelta(minutes=minutes)) for minutes in range(360)]

    before = night.date()
    assert days == sorted(days)
    assert days.index(before + timedelta(days=1)) == (clock.day_bounds(before)[1] - night) / timedelta(minutes=1)


def test_closing_past_midnight_is_on_the_same_business_day() -> None:
    closes = BERLIN.at(date(2026, 6, 1), time(1, 30))

    assert closes == datetime(2026, 6, 1, 23, 30, tzinfo=UTC)
    assert BERLIN.business_day(closes) == date(2026, 6, 1)


@given(st.datetimes(datetime(2020, 1, 1), datetime(2035, 1, 1), timezones=st.just(UTC)))
def test_every_moment_lies_within_the_bounds_of_its_business_day(t: datetime) -> None:
    first, after = BERLIN.day_bounds(BERLIN.business_day(t))

    assert first <= t < after


def test_a_time_without_a_zone_is_refused() -> None:
    with pytest.raises(InputError, match="expected a time with a zone"):
        BERLIN.business_day(datetime(2026, 6, 1, 12))


def test_an_unknown_time_zone_is_refused() -> None:
    with pytest.raises(InputError, match="Europe/Berlin"):
        ShopClock("Mars/Olympus")


def test_a_day_is_written_as_a_date_or_where_today_is_known_as_a_word() -> None:
    today = date(2026, 11, 3)
    assert parse_day("2026-02-28") == date(2026, 2, 28)
    assert [parse_day(word, today=today) for word in ("today", "yesterday")] == [today, date(2026, 11, 2)]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("yesterday", "to: expected a date such as 2026-11-03, got 'yesterday'"),
        ("2026-02-30", "to: expected a date"),
        ("0001-01-01", "to: expected a day of the years 2000 to 2200, got 0001-01-01"),
        ("9999-12-31", "got 9999-12-31"),
    ],
)
def test_what_is_no_day_is_refused_with_the_field_that_said_it(text: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        parse_day(text, "to")
