"""A shop's day on one page that needs nothing else: for mail, for print, for a folder. Pure: figures in, text out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from vitrina.floor.measures.cards import MEASURES
from vitrina.floor.measures.figures import DayFigures, Figure, QueueDay, ZoneDay
from vitrina.product import Money

STYLE = """
:root { color-scheme: light dark; --ink: #1c2529; --soft: #5d6b71; --line: #d9e0e2; --accent: #0f766e; --paper: #fff }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6ecee; --soft: #9aa8ae; --line: #2f3b40; --accent: #2dd4bf; --paper: #14191b }
}
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); margin: 2rem auto;
  max-width: 58rem; padding: 0 1rem }
h1 { font-size: 1.5rem; margin: 0 } h2 { font-size: 1.05rem; margin: 2rem 0 .5rem }
p, small { color: var(--soft) } .mark { color: #fff; background: #b45309; padding: .1rem .5rem; border-radius: 4px }
table { border-collapse: collapse; width: 100% } th, td { text-align: left; padding: .35rem .75rem .35rem 0;
  border-bottom: 1px solid var(--line); vertical-align: top }
td.n { text-align: right; font-variant-numeric: tabular-nums }
th { font-weight: 600; color: var(--soft) } tr { break-inside: avoid } meter { width: 12rem; height: .8rem }
"""


def as_text(figure: Figure, currency: str) -> str:
    """The value as people read it: '1 204', '12.5 %', '3 min 20 s', '€14.20'; '–' when it is not shown."""
    value = figure.value
    if value is None:
        return "–"
    return _number(value, figure.unit, currency)


def interval_text(figure: Figure, currency: str) -> str:
    """'1 160 to 1 250' (95 %), or nothing where there is no interval."""
    if figure.low is None or figure.high is None:
        return ""
    return f"{_number(figure.low, figure.unit, currency)} to {_number(figure.high, figure.unit, currency)}"


def change_text(figure: Figure, currency: str) -> str:
    """Against the mean of the same week days before, with its sign."""
    if figure.change is None:
        return ""
    value = figure.change.value
    if figure.unit == "share":
        return f"{value * 100:+.1f} points".replace("-", "−")
    size = _number(abs(value), figure.unit, currency)
    sign = "" if size == _number(0.0, figure.unit, currency) else "+" if value > 0 else "−"
    return sign + size


def rows_of(day: DayFigures) -> list[tuple[str, str, str, str, str, str]]:
    """The headline figures as rows: title, value, 95 % interval, n, change, note."""
    return [_row(title_of(name), figure, day.currency) for name, figure in day.figures.items()]


def to_html(day: DayFigures, *, shop_name: str) -> str:
    """One HTML page without scripts and without anything from elsewhere."""
    mark = ' <span class="mark">Simulated data</span>' if day.simulated else ""
    watched = "" if day.watched_share is None else f"{day.watched_share:.0%} of the open time was watched. "
    parts = [
        f"<h1>{escape(shop_name)}{mark}</h1>",
        f"<p>{escape(day.day)}. {watched}Intervals are 95 %. Changes are against the same week day of up to four weeks "
        "before.</p>",
        table("Figures", ("", "value", "95 %", "n", "change", ""), rows_of(day)),
        _hours(day),
        _places("Zones", day.zones, day.currency),
        _places("Queues", day.queues, day.currency),
        table(
            "Not watched",
            ("camera", "from (UTC)", "until (UTC)", "why"),
            [(gap["camera"], gap["start"], gap["until"], gap["reason"]) for gap in day.gaps],
        ),
    ]
    title = escape(f"{shop_name}, {day.day}")
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{title}</title><style>{STYLE}</style><body>{''.join(parts)}</body></html>\n"
    )


def _number(value: float, unit: str, currency: str) -> str:
    match unit:
        case "share":
            return f"{value * 100:.1f} %"
        case "ratio":
            return f"{value:.2f}"
        case "s":
            minutes, seconds = divmod(round(value), 60)
            return f"{minutes} min {seconds} s" if minutes else f"{seconds} s"
        case "money":
            return Money(round(value), currency).format("en")
        case _:
            return f"{value:,.0f}".replace(",", " ") if abs(value) >= 10 or value == round(value) else f"{value:.1f}"


def _row(title: str, figure: Figure, currency: str) -> tuple[str, str, str, str, str, str]:
    n = "" if figure.n is None else str(figure.n)
    return (
        title,
        as_text(figure, currency),
        interval_text(figure, currency),
        n,
        change_text(figure, currency),
        figure.note,
    )


def title_of(name: str) -> str:
    return MEASURES[name].title if name in MEASURES else name.replace("_", " ").capitalize()


def _places(title: str, places: Sequence[ZoneDay | QueueDay], currency: str) -> str:
    """One row a place, one column a figure, with the interval under the value."""
    if not places:
        return ""
    names = [name for name in places[0].__slots__ if isinstance(getattr(places[0], name), Figure)]
    head = "".join(f"<th>{escape(title_of(getattr(places[0], name).name))}" for name in names)
    rows = "".join(
        f"<tr><td>{escape(place.name)}" + "".join(_cell(getattr(place, name), currency) for name in names)
        for place in places
    )
    return f"<h2>{escape(title)}</h2><table><tr><th>{head}{rows}</table>"


def _cell(figure: Figure, currency: str) -> str:
    below = interval_text(figure, currency) or figure.note
    return f"<td>{escape(as_text(figure, currency))}<br><small>{escape(below)}</small>"


def _hours(day: DayFigures) -> str:
    if not day.hourly:
        return ""
    most = max((hour["in"] or 0 for hour in day.hourly), default=0) or 1
    rows = "".join(
        f"<tr><td>{escape(hour['hour'])}<td class=n>{'–' if hour['in'] is None else hour['in']}"
        f"<td class=n>{'–' if hour['out'] is None else hour['out']}"
        f"<td><meter min=0 max={most} value={hour['in'] or 0}></meter><td><small>{escape(hour['note'] or '')}</small>"
        for hour in day.hourly
    )
    return f"<h2>Hours</h2><table><tr><th>from<th>in<th>out<th><th>{rows}</table>"


def table(title: str, heads: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    body = "".join("<tr>" + "".join(f"<td>{escape(str(cell))}" for cell in row) for row in rows)
    if not body:
        return ""
    head = "".join(f"<th>{escape(name)}" for name in heads)
    return f"<h2>{escape(title)}</h2><table><tr>{head}{body}</table>"
