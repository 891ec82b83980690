"""The days and hours of one shop's period: the series and its table, gaps, and how full each hour of the week was."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from markupsafe import Markup

from vitrina.floor.measures.compared import PeriodFigures
from vitrina.web.charts import Bar, bar_chart
from vitrina.web.words import NOTHING, Words

WEEKS_FROM_DAYS = 100  # a series of more days is drawn by week
LABELS = 9
LEVELS = 8


@dataclass(frozen=True, slots=True)
class Cell:
    """level: 0 to LEVELS, None where the shop is closed on that hour."""

    text: str
    tip: str
    level: int | None


def span_text(words: Words, span: tuple[date, date]) -> str:
    """`3 Nov 2026` or `1 – 28 Feb 2026`."""
    first, last = span
    if first == last:
        return words.day(first, form="EEE d MMM y")
    begins = (
        "d"
        if (first.year, first.month) == (last.year, last.month)
        else "d MMM"
        if first.year == last.year
        else "d MMM y"
    )
    return f"{words.day(first, form=begins)} – {words.day(last, form='d MMM y')}"


def series_chart(words: Words, found: PeriodFigures) -> Markup:
    """Bars of the days, or weeks; the other period's as a tick across each."""
    rows = found.series if len(found.series) <= WEEKS_FROM_DAYS else _weeks(found.series)
    if not any(row["in"] for row in rows):
        return Markup("")
    every = max(1, -(-len(rows) // LABELS)) | 1  # odd, so that every second label is one that a phone leaves out
    bars = [
        Bar(
            label=words.day(date.fromisoformat(row["day"]), form="d MMM") if number % every == 0 else "",
            value=row["in"],
            tip=_day_tip(words, row),
            mark=row["before"],
            watched=row["state"] not in ("unwatched", "partly"),
            broken=bool(row["layout"]),
        )
        for number, row in enumerate(rows)
    ]
    return bar_chart(bars, label=words.gettext("People who came in"), form=words.compact)


def _weeks(series: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Sums of seven days each, from the first; the last may have fewer. A week is as well watched as its worst day."""
    worst = ("unwatched", "partly", "running", "watched", "closed")
    found = []
    for start in range(0, len(series), 7):
        week = series[start : start + 7]
        counts, before = ([row[key] for row in week if row[key] is not None] for key in ("in", "before"))
        found.append(
            {
                "day": week[0]["day"],
                "until": week[-1]["day"],
                "in": sum(counts) if counts else None,
                "before": sum(before) if before else None,
                "before_day": week[0]["before_day"],
                "state": min((row["state"] for row in week), key=worst.index),
                "layout": next((row["layout"] for row in week if row["layout"]), None),
            }
        )
    return found


def _day_tip(words: Words, row: Mapping[str, Any]) -> str:
    _ = words.gettext
    day = date.fromisoformat(row["day"])
    until = date.fromisoformat(row.get("until", row["day"]))
    lines = [span_text(words, (day, until)), _("in: {n}").format(n=words.number(row["in"]))]
    if row["before_day"]:
        first = date.fromisoformat(row["before_day"])
        lines.append(f"{span_text(words, (first, first + (until - day)))}: {words.number(row['before'])}")
    if note := _state(words, row["state"]):
        lines.append(note)
    if row["layout"]:
        lines.append(_("new layout"))
    return "\n".join(lines)


def _state(words: Words, state: str) -> str:
    _ = words.gettext
    return {
        "partly": _("partly watched"),
        "unwatched": _("not watched"),
        "closed": _("closed"),
        "running": _("not over yet"),
    }.get(state, "")


def day_rows(words: Words, found: PeriodFigures) -> list[tuple[str, str, str, str]]:
    return [
        (
            words.day(date.fromisoformat(row["day"]), form="EEE d MMM y"),
            words.number(row["in"]),
            words.number(row["before"]) if row["before_day"] else "",
            "; ".join(
                part
                for part in (_state(words, row["state"]), words.gettext("new layout") if row["layout"] else "")
                if part
            ),
        )
        for row in found.series
    ]


def gap_rows(words: Words, found: PeriodFigures) -> list[tuple[str, str, str, str]]:
    return [
        (
            words.day(date.fromisoformat(row["day"]), form="EEE d MMM y"),
            row["camera"],
            words.number(row["gaps"]),
            words.duration(row["gap_s"]),
        )
        for row in found.gaps
    ]


def occupancy_grid(words: Words, found: PeriodFigures) -> tuple[list[str], list[tuple[str, list[Cell]]]]:
    """The hours that any week day has, and a row for each week day."""
    at = {(row["weekday"], row["hour"]): row for row in found.occupancy}
    hours = list(dict.fromkeys(row["hour"] for row in found.occupancy))
    first = min((_hour_order(row["hour"]) for row in found.occupancy), default=0)
    hours.sort(key=lambda hour: (_hour_order(hour) - first) % 24)
    top = max((row["inside"] or 0.0 for row in found.occupancy), default=0.0) or 1.0
    days = sorted({row["weekday"] for row in found.occupancy})
    rows = []
    for day in days:
        title = words.weekday(date(2024, 1, 1) + timedelta(days=day))
        rows.append((title, [_cell(words, at.get((day, hour)), title, hour, top) for hour in hours]))
    return [f"{hour:02d}" for hour in hours], rows


def _hour_order(hour: int) -> int:
    """Hours after midnight belong to the night before."""
    return (hour - 4) % 24


def _cell(words: Words, row: Mapping[str, Any] | None, day: str, hour: int, top: float) -> Cell:
    if row is None:
        return Cell("", "", None)
    _ = words.gettext
    if row["inside"] is None:
        return Cell(NOTHING, _("too few people to be shown"), 0)
    lines = [
        f"{day} {hour:02d}:00",
        _("inside: {n}").format(n=words.number(row["inside"], digits=1)),
        _("in: {n}").format(n=words.number(row["in"], digits=1)),
        words.ngettext("mean of {n} day", "mean of {n} days", row["days"]).format(n=row["days"]),
    ]
    inside = float(row["inside"])
    return Cell(words.number(inside, digits=0 if inside >= 9.5 else 1), "\n".join(lines), round(LEVELS * inside / top))
