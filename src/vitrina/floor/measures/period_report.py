"""A shop's period beside another on one page that needs nothing else: for mail, for print, for a folder. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from html import escape
from typing import Any

from vitrina.floor.measures.compared import Compared, FunnelStep, PeriodFigures, QueuePeriod, ZonePeriod
from vitrina.floor.measures.figures import Figure
from vitrina.floor.measures.report import STYLE, as_text, change_text, interval_text, table, title_of

HEADS = ("", "value", "95 %", "n", "before", "change", "95 %", "")
_TITLES = {"footfall_a_day": "Footfall a day", "sales_a_day": "Sales a day", "visitors_a_day": "Visitors a day"}
_STEPS = {
    "entered": "came in",
    "section": "reached the section",
    "queue": "stood at the till",
    "served": "were served",
    "receipts": "receipts",
}
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


def rows_of(found: PeriodFigures) -> list[tuple[str, ...]]:
    """The headline figures as rows, in the order of HEADS."""
    return [_row(_title(name), figure, found.currency) for name, figure in found.figures.items()]


def heading(found: PeriodFigures) -> str:
    """`2026-02-10 to 2026-03-09, against 2026-01-13 to 2026-02-09`."""
    text = f"{found.period.first} to {found.period.last}"
    return text if found.against is None else f"{text}, against {found.against.first} to {found.against.last}"


def remarks(found: PeriodFigures) -> list[str]:
    """What one must know before reading: what was not watched, and what was moved."""
    told = []
    if found.period.watched_share is not None:
        told.append(f"{found.period.watched_share:.0%} of the opening hours were watched.")
    if found.period.left_out:
        told.append(f"Not watched in full, left out of what is counted by day: {', '.join(found.period.left_out)}.")
    for each in found.breaks:
        moved = ", ".join(each.zones) if each.known else "nobody knows what"
        told.append(f"The layout changed on {each.day}; moved: {moved or 'no zone'}. Moved zones are not compared.")
    return told


def to_html(found: PeriodFigures, *, shop_name: str) -> str:
    """One HTML page without scripts and without anything from elsewhere."""
    mark = ' <span class="mark">Simulated data</span>' if found.simulated else ""
    parts = [
        f"<h1>{escape(shop_name)}{mark}</h1>",
        f"<p>{escape(heading(found))}. Intervals are 95 %.</p>",
        *(f"<p>{escape(text)}</p>" for text in remarks(found)),
        table("Figures", HEADS, rows_of(found)),
        _places("Zones", found.zones, found.currency),
        _places("Queues", found.queues, found.currency),
        *(_funnel(zone, steps, found.currency) for zone, steps in found.funnels.items()),
        table(
            "From zone to zone",
            ("from", "to", "times", "share", "of"),
            [
                (row["from"], row["to"], str(row["steps"]), f"{row['share']:.0%}", str(row["n"]))
                for row in found.transitions
            ],
        ),
        table("Paths", ("", "people"), [(" → ".join(row["path"]), str(row["people"])) for row in found.paths]),
        _hours(found),
        table("Days", ("day", "in", "before", ""), [_day(row) for row in found.series]),
    ]
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(f'{shop_name}, {heading(found)}')}</title><style>{STYLE}</style>"
        f"<body>{''.join(parts)}</body></html>\n"
    )


def _row(title: str, figure: Compared, currency: str) -> tuple[str, ...]:
    now, before = figure.now, figure.before
    return (
        title,
        as_text(now, currency),
        interval_text(now, currency),
        "" if now.n is None else str(now.n),
        "" if before is None else as_text(before, currency),
        change_text(now, currency),
        _change_interval(now, currency),
        now.note,
    )


def _change_interval(now: Figure, currency: str) -> str:
    change = now.change
    if change is None or change.low is None or change.high is None:
        return ""
    ends = (replace(now, change=replace(change, value=end)) for end in (change.low, change.high))
    return " to ".join(change_text(end, currency) or "0" for end in ends)


def _title(name: str) -> str:
    return _TITLES.get(name) or title_of(name)


def _places(title: str, places: Sequence[ZonePeriod | QueuePeriod], currency: str) -> str:
    rows = [
        _row(f"{place.name}: {_title(figure.now.name)}", figure, currency)
        for place in places
        for figure in (getattr(place, name) for name in place.__slots__)
        if isinstance(figure, Compared)
    ]
    return table(title, HEADS, rows)


def _funnel(zone: str, steps: Sequence[FunnelStep], currency: str) -> str:
    rows = [
        (_STEPS[step.step], "–" if step.count is None else str(step.count), *_row("", step.share, currency)[1:])
        for step in steps
    ]
    title = f"Funnel over {zone or 'any section'}"
    return table(title, ("", "people", "of those who came in", "95 %", "of", "before", "change", "95 %", ""), rows)


def _hours(found: PeriodFigures) -> str:
    hours = list(dict.fromkeys(row["hour"] for row in found.occupancy))
    at = {(row["weekday"], row["hour"]): row["inside"] for row in found.occupancy}
    rows = [
        (_DAYS[day], *("" if at.get((day, hour)) is None else f"{at[day, hour]:.1f}" for hour in hours))
        for day in sorted({row["weekday"] for row in found.occupancy})
    ]
    return table("People inside, by week day and hour", ("", *(f"{hour:02d}" for hour in hours)), rows)


def _day(row: dict[str, Any]) -> tuple[str, ...]:
    counts = ("–" if row[key] is None else str(row[key]) for key in ("in", "before"))
    note = "" if row["state"] == "watched" else row["state"]
    return (row["day"], *counts, f"{note}; new layout" if row["layout"] else note)
