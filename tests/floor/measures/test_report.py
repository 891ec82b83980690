from __future__ import annotations

from html.parser import HTMLParser

import pytest

from vitrina.floor.measures.figures import Change, DayFigures, Figure, QueueDay, ZoneDay
from vitrina.floor.measures.report import as_text, change_text, interval_text, rows_of, to_html


def figure(value: float | None, unit: str, **more: object) -> Figure:
    return Figure("footfall", value, unit, 7, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (1204.0, "people", "1 204"),
        (0.125, "share", "12.5 %"),
        (1.25, "ratio", "1.25"),
        (59.4, "s", "59 s"),
        (200.0, "s", "3 min 20 s"),
        (1420.0, "money", "€14.20"),
        (None, "people", "–"),
    ],
)
def test_a_value_reads_as_people_write_it(value: float | None, unit: str, text: str) -> None:
    assert as_text(figure(value, unit), "EUR") == text


def test_an_interval_is_left_out_where_there_is_none() -> None:
    assert interval_text(figure(5.0, "people"), "EUR") == ""
    assert interval_text(figure(0.5, "share", low=0.4, high=0.6), "EUR") == "40.0 % to 60.0 %"


@pytest.mark.parametrize(
    ("unit", "change", "text"),
    [("people", 12.0, "+12"), ("people", -12.0, "−12"), ("s", 0.2, "0 s"), ("share", -0.051, "−5.1 points")],
)
def test_a_change_has_its_sign_and_shares_change_in_points(unit: str, change: float, text: str) -> None:
    assert change_text(figure(1.0, unit, change=Change(change, None, None, ("2026-03-02",))), "EUR") == text


def day(**more: object) -> DayFigures:
    one = figure(5.0, "people", note="not audited")
    zone = ZoneDay("shelf", "Shoes & <bags>", "section", one, one, one, one, one, one)
    queue = QueueDay("till", "Till", one, one, one, one, one)
    fields: dict[str, object] = {
        "shop": "riga-1",
        "day": "2026-03-02",
        "currency": "EUR",
        "simulated": True,
        "layout_ids": ("l",),
        "watched_share": 0.5,
        "gaps": [{"camera": "door", "start": "10:00", "until": "11:00", "gap_s": 3600.0, "reason": "no frames"}],
        "figures": {"footfall": one},
        "hourly": [
            {"hour": "09:00", "in": 3, "out": 2, "note": ""},
            {"hour": "10:00", "in": None, "out": None, "note": "not watched"},
        ],
        "occupancy": [],
        "zones": [zone],
        "queues": [queue],
        "heat": None,
        "paths": [],
        "transitions": [],
    }
    return DayFigures(**{**fields, **more})  # type: ignore[arg-type]


class Text(HTMLParser):
    def __init__(self, page: str) -> None:
        super().__init__()
        self.words: list[str] = []
        self.tags: set[str] = set()
        self.feed(page)

    def handle_starttag(self, tag: str, _attributes: object) -> None:
        self.tags.add(tag)

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def test_the_page_says_that_data_is_simulated_and_what_was_not_watched() -> None:
    text = " ".join(Text(to_html(day(), shop_name="Riga 1")).words)

    assert "Simulated data" in text
    assert "50% of the open time was watched" in text
    assert "no frames" in text
    assert "not watched" in text
    assert "Simulated" not in to_html(day(simulated=False), shop_name="Riga 1")


def test_names_are_escaped_and_nothing_is_fetched_from_elsewhere() -> None:
    page = to_html(day(), shop_name="<script>alert(1)</script>")

    assert "script" not in Text(page).tags
    assert "Shoes & <bags>" in Text(page).words
    assert "http" not in page


def test_rows_carry_value_interval_count_change_and_note() -> None:
    assert rows_of(day()) == [("Footfall", "5", "", "7", "", "not audited")]


def test_an_empty_day_is_a_page_too() -> None:
    page = to_html(day(hourly=[], zones=[], queues=[], gaps=[], figures={}, watched_share=None), shop_name="Riga 1")

    assert "Riga 1" in page
