"""What people read, in their language: sentences by gettext, numbers, dates, durations and money by CLDR (Babel).

English is the source and needs no catalogue. The others are text files in `locale/`, compiled in memory at the
start, so that no binary file has to be built or kept.
"""

from __future__ import annotations

import gettext
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal
from functools import cached_property, lru_cache
from importlib.resources import files
from io import BytesIO

from babel import Locale
from babel.dates import format_date, format_datetime, format_time
from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.numbers import NumberPattern, format_compact_decimal, parse_pattern

from vitrina.product import Money
from vitrina.settings import LANGUAGES

NOTHING = "–"
"""Shown where there is no number; never a zero."""

LANGUAGE_NAMES = {"en": "English", "ru": "Русский"}


def read_catalogue(language: str) -> Catalog:
    """The translations of one language as they stand in `locale/`."""
    file = files("vitrina.web") / "locale" / language / "LC_MESSAGES" / "vitrina.po"
    with file.open("rb") as stream:
        return read_po(stream, locale=language, domain="vitrina")


@lru_cache(maxsize=len(LANGUAGES))
def _translations(language: str) -> gettext.NullTranslations:
    if language == "en":
        return gettext.NullTranslations()
    compiled = BytesIO()
    write_mo(compiled, read_catalogue(language))
    compiled.seek(0)
    return gettext.GNUTranslations(compiled)


@lru_cache(maxsize=8192)
def _written(value: float, pattern: str, locale: Locale) -> str:
    """Babel needs 30 µs for a number, and a page has a thousand, most of them small and many times the same."""
    return _minus(_pattern(pattern).apply(value, locale))


@dataclass(frozen=True)
class Words:
    """One language: its sentences and its way of writing numbers."""

    language: str

    @cached_property
    def _locale(self) -> Locale:
        return Locale.parse("en_GB" if self.language == "en" else self.language)

    def gettext(self, message: str) -> str:
        return _translations(self.language).gettext(message) if message else ""

    def ngettext(self, singular: str, plural: str, n: int) -> str:
        return _translations(self.language).ngettext(singular, plural, n)

    def number(self, value: float | None, *, digits: int = 0) -> str:
        """`1234.5` → `1,234.5`; None and NaN → a dash."""
        if value is None or _missing(value):
            return NOTHING
        return _written(value + 0, _decimals(digits), self._locale)  # -0.0 is 0.0 from here on

    def compact(self, value: float) -> str:
        """`12345` → `12K`, for the ticks of a chart."""
        return format_compact_decimal(value, locale=self._locale) if abs(value) >= 10_000 else self.number(value)

    def percent(self, share: float | None, *, digits: int = 0, sign: bool = False) -> str:
        """`0.083` → `8%`; with `sign`, `+8%`."""
        if share is None or _missing(share):
            return NOTHING
        space = "" if self.language == "en" else "\N{NO-BREAK SPACE}"
        text = _written(share + 0, f"{_decimals(digits)}{space}%", self._locale)
        rounds_to_none = text.lstrip("−").strip("0.,%\N{NO-BREAK SPACE}") == ""
        if rounds_to_none:
            return text.lstrip("−")
        return f"+{text}" if sign and share > 0 else text

    def exact_percent(self, percent: Decimal) -> str:
        """`Decimal("7.5")` → `7.5%`, with as many decimals as it has."""
        places = percent.normalize().as_tuple().exponent
        return self.percent(float(percent) / 100, digits=max(0, -int(places)))

    def duration(self, seconds: float | None) -> str:
        """`42.3` → `42 s`; `200` → `3:20 min`; `4000` → `1:06 h`."""
        if seconds is None or _missing(seconds):
            return NOTHING
        if seconds == 0:
            return "0"
        if seconds < 10:
            return self.gettext("{seconds} s").format(seconds=self.number(seconds, digits=1))
        whole = round(seconds)
        if whole < 60:
            return self.gettext("{seconds} s").format(seconds=self.number(whole))
        if whole < 3600:
            return self.gettext("{minutes}:{seconds:02d} min").format(minutes=whole // 60, seconds=whole % 60)
        minutes = round(seconds / 60)
        return self.gettext("{hours}:{minutes:02d} h").format(hours=minutes // 60, minutes=minutes % 60)

    def money(self, minor: float | None, currency: str) -> str:
        """An amount in minor units, rounded to a whole one."""
        return NOTHING if minor is None or _missing(minor) else Money(round(minor), currency).format(self._locale_name)

    def day(self, day: date, *, form: str = "full") -> str:
        """form: `full` (Tuesday, 3 November 2026), `long`, `medium`, `short`, or a CLDR pattern such as `EEE d MMM`."""
        return format_date(day, format=form, locale=self._locale)

    def weekday(self, day: date) -> str:
        return format_date(day, format="EEE", locale=self._locale)

    def clock(self, moment: datetime | time) -> str:
        return format_time(moment, format="HH:mm", locale=self._locale)

    def moment(self, moment: datetime) -> str:
        return format_datetime(moment, format="d MMM y, HH:mm", locale=self._locale)

    def pattern(self, moment: datetime, form: str) -> str:
        """In a CLDR pattern such as `EEE d MMM HH:mm`, by the moment's own clock."""
        return format_datetime(moment, format=form, locale=self._locale, tzinfo=moment.tzinfo)

    def listed(self, items: Iterable[str]) -> str:
        return ", ".join(items)

    @property
    def _locale_name(self) -> str:
        return str(self._locale)


def choose_language(wanted: str | None, accepted: str, default: str) -> str:
    """The person's own choice, else the browser's `Accept-Language`, else the setting.

    accepted: the header's value, such as `ru-RU,ru;q=0.9,en;q=0.8`.
    """
    if wanted in LANGUAGES:
        return str(wanted)
    ranked = sorted(((_quality(part), part) for part in accepted.split(",")), key=lambda item: -item[0])
    for quality, part in ranked:
        language = part.strip().partition(";")[0].partition("-")[0].lower()
        if quality > 0 and language in LANGUAGES:
            return language
    return default


def _quality(part: str) -> float:
    _, _, value = part.partition(";q=")
    try:
        return float(value) if value else 1.0
    except ValueError:
        return 0.0


@lru_cache(maxsize=64)
def _pattern(pattern: str) -> NumberPattern:
    return parse_pattern(pattern)


def _decimals(digits: int) -> str:
    return "#,##0" + ("." + "0" * digits if digits else "")


def _missing(value: float) -> bool:
    return value != value  # NaN is the one number that differs from itself


def _minus(text: str) -> str:
    return text.replace("-", "−")
