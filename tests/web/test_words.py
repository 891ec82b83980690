"""Numbers, times and sentences in both languages; every sentence has its translation."""

from __future__ import annotations

import importlib.util
import re
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from types import ModuleType

import pytest

from vitrina.floor.measures.figures import TOO_FEW, Change, Figure
from vitrina.settings import LANGUAGES
from vitrina.web.wording import NOTES, tell, tell_note
from vitrina.web.words import Words, choose_language, read_catalogue

EN, RU = Words("en"), Words("ru")
NBSP = "\N{NO-BREAK SPACE}"


def translations() -> ModuleType:
    path = Path(__file__).parents[2] / "tools" / "translations.py"
    spec = importlib.util.spec_from_file_location("translations", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("language", [language for language in LANGUAGES if language != "en"])
def test_every_sentence_has_a_translation_and_none_is_left_over(language: str) -> None:
    tool, catalogue = translations(), read_catalogue(language)
    wanted = {message.id for message in tool.wanted() if message.id}
    there = {message.id for message in catalogue if message.id}

    assert wanted - there == set(), "run: python tools/translations.py"
    assert there - wanted == set(), "run: python tools/translations.py"
    assert tool.untranslated(catalogue) == []


@pytest.mark.parametrize("language", [language for language in LANGUAGES if language != "en"])
def test_a_translation_has_the_same_places_to_fill_as_its_sentence(language: str) -> None:
    places = re.compile(r"%\(\w+\)s|\{\w+[^}]*\}")
    for message in read_catalogue(language):
        sources = message.id if isinstance(message.id, tuple) else (message.id,)
        targets = message.string if isinstance(message.string, tuple) else (message.string,)
        for target in targets:
            assert set(places.findall(target)) == set(places.findall(sources[-1])), message.id


@pytest.mark.parametrize(
    ("words", "value", "expected"),
    [
        (EN, 1234567, "1,234,567"),
        (RU, 1234567, f"1{NBSP}234{NBSP}567"),
        (EN, -3, "−3"),
        (EN, None, "–"),
        (EN, float("nan"), "–"),
        (EN, 0.0, "0"),
        (EN, -0.0, "0"),
    ],
)
def test_numbers(words: Words, value: float | None, expected: str) -> None:
    assert words.number(value) == expected


@pytest.mark.parametrize(
    ("words", "share", "expected"),
    [
        (EN, 0.083, "+8%"),
        (RU, 0.083, f"+8{NBSP}%"),
        (EN, -0.25, "−25%"),
        (EN, -0.001, "0%"),
        (EN, 0.001, "0%"),
        (EN, None, "–"),
    ],
)
def test_changes_in_per_cent_have_a_sign_unless_they_are_none(words: Words, share: float | None, expected: str) -> None:
    assert words.percent(share, sign=True) == expected


@pytest.mark.parametrize(
    ("words", "percent", "expected"),
    [
        (EN, "7.5", "7.5%"),
        (RU, "7.50", f"7,5{NBSP}%"),
        (EN, "10", "10%"),
        (EN, "0.0625", "0.0625%"),
        (EN, "1E+1", "10%"),
    ],
)
def test_a_rate_is_told_exactly(words: Words, percent: str, expected: str) -> None:
    assert words.exact_percent(Decimal(percent)) == expected


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [(0, "0"), (4.26, "4.3 s"), (42.4, "42 s"), (59.7, "1:00 min"), (200, "3:20 min"), (4000, "1:07 h"), (None, "–")],
)
def test_durations(seconds: float | None, expected: str) -> None:
    assert EN.duration(seconds) == expected


def test_days_and_moments() -> None:
    assert EN.day(date(2026, 11, 3)) == "Tuesday, 3 November 2026"
    assert RU.day(date(2026, 11, 3)).startswith("вторник, 3 ноября 2026")
    assert EN.moment(datetime(2026, 11, 3, 7, 5, tzinfo=UTC)) == "3 Nov 2026, 07:05"


def test_money_has_the_minor_units_of_its_currency() -> None:
    assert EN.money(123456.4, "EUR") == "€1,234.56"
    assert EN.money(4800, "JPY") == "JP¥4,800"


def test_russian_plurals() -> None:
    forms = [RU.ngettext("%(count)s shop", "%(count)s shops", n) % {"count": n} for n in (1, 2, 5, 21)]

    assert forms == ["1 магазин", "2 магазина", "5 магазинов", "21 магазин"]


@pytest.mark.parametrize(
    ("wanted", "accepted", "expected"),
    [
        ("ru", "en", "ru"),
        (None, "de, ru;q=0.5, en;q=0.7", "en"),
        (None, "ru-RU,ru;q=0.9", "ru"),
        (None, "fr", "en"),
        ("xx", "", "en"),
        (None, "ru;q=0", "en"),
        (None, "ru;q=x", "en"),
    ],
)
def test_the_language_is_the_persons_choice_then_the_browsers(wanted: str | None, accepted: str, expected: str) -> None:
    assert choose_language(wanted, accepted, "en") == expected


def figure(value: float | None, unit: str = "people", **more: object) -> Figure:
    return Figure("footfall", value, unit, 400, **more)  # type: ignore[arg-type]


def test_a_count_changes_by_per_cent_with_its_usual_swing() -> None:
    told = tell(EN, figure(440, change=Change(40, -20, 100, ("2026-03-03", "2026-02-24"))), "EUR")

    assert (told.change, told.against) == ("+10%", "vs. mean of 2 Tue · usual swing ±15%")
    assert not told.clear


def test_a_share_changes_by_points_and_more_than_chance_is_marked() -> None:
    told = tell(EN, figure(0.30, "share", change=Change(0.05, 0.01, 0.09, ("2026-03-03",))), "EUR")

    assert (told.change, told.against) == (f"+5.0{NBSP}pp", f"vs. 1 earlier Tue · usual swing ±4.0{NBSP}pp")
    assert told.clear


def test_a_figure_that_may_not_be_shown_says_why_in_the_readers_language() -> None:
    told = tell(RU, figure(None, note=TOO_FEW.format(k=5)), "EUR")

    assert (told.value, told.known, told.note) == ("–", False, "меньше 5 человек: не показано")


def test_joined_notes_are_translated_one_by_one() -> None:
    assert tell_note(RU, "not audited; incl. staff") == "не проверено; вместе с персоналом"


@pytest.mark.parametrize("note", NOTES)
def test_every_note_of_the_figures_has_a_translation(note: str) -> None:
    assert RU.gettext(note) != note
