"""Drawings for many shops at once: interval bars around a median, small lines, series of several shops, hour profiles.

Like those of `charts.py`: SVG from the server, positions along x in shares, colours by class, so that one drawing
serves light, dark, paper and a phone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite

from markupsafe import Markup

from vitrina.web.charts import Format, nice_ticks

_HEAD_PX = 8
_TICKS_PX = 24


@dataclass(frozen=True, slots=True)
class Series:
    """One shop's values along x, None where there is none. number: its place among the compared, for its colour."""

    name: str
    number: int
    values: Sequence[float | None]
    tips: Sequence[str]


@dataclass(frozen=True, slots=True)
class Break:
    """Where the layout of a shop changed: `at`, a share of the way along x."""

    at: float
    tip: str


def interval_bar(
    value: float | None, low: float | None, high: float | None, *, top: float, middle: float | None, label: str
) -> Markup:
    """A dot with its interval from 0 to `top`, and the line of the median that it is compared with."""
    if value is None or not top > 0:
        return Markup("")
    parts = [Markup('<line class="rail" x1="0" x2="100%" y1="9" y2="9"/>')]
    if middle is not None:
        parts.append(Markup('<line class="middle" x1="{0}" x2="{0}" y1="0" y2="18"/>').format(_part(middle, top)))
    if low is not None and high is not None:
        ends = _part(low, top), _part(high, top)
        parts.append(Markup('<line class="whisker" x1="{}" x2="{}" y1="9" y2="9"/>').format(*ends))
    parts.append(Markup('<circle cx="{}" cy="9" r="4"/>').format(_part(value, top)))
    return Markup('<svg class="dot" role="img" aria-label="{0}" height="18" data-tip="{0}">{1}</svg>').format(
        label, Markup("").join(parts)
    )


def small_line(values: Sequence[float | None], *, top: float, label: str, middle: float | None = None,
               height_px: int = 34) -> Markup:  # fmt: skip
    """A line of a period's days without axes, from 0 to `top`; a day without a value breaks it."""
    if not top > 0:
        return Markup("")
    shapes = [_run(run, len(values), top, height_px, number=None) for run in _runs(values)]
    if middle is not None and isfinite(middle):
        y = _number(_y(middle, top, height_px))
        shapes.insert(0, Markup('<line class="middle" x1="0" x2="1000" y1="{0}" y2="{0}"/>').format(y))
    base = Markup('<line class="base" x1="0" x2="1000" y1="{0}" y2="{0}"/>').format(height_px - 0.5)
    return Markup(
        '<svg class="small-line" role="img" aria-label="{}" width="100%" height="{h}" viewBox="0 0 1000 {h}" '
        'preserveAspectRatio="none">{}{}</svg>'
    ).format(label, base, Markup("").join(shapes), h=height_px)


def several_lines(
    series: Sequence[Series],
    *,
    ticks: Sequence[tuple[float, str]],
    label: str,
    form: Format,
    breaks: Sequence[Break] = (),
    height_px: int = 230,
) -> Markup:
    """The series of a few shops over the same days or hours, from 0; colours and dashes tell them apart."""
    values = [value for one in series for value in one.values if value is not None]
    scale = nice_ticks(max(values, default=0.0))
    lines = [
        _run(run, len(one.values), scale[-1], height_px, number=one.number)
        for one in series
        for run in _runs(one.values)
    ]
    marks = [
        Markup('<line class="break" x1="{0}" x2="{0}" y1="0" y2="{1}"/><rect class="hit" x="{0}" width="8" y="0" '
               'height="{1}" data-tip="{2}"/>').format(_share(one.at), height_px, one.tip)
        for one in breaks
    ]  # fmt: skip
    inside = Markup("").join(
        [
            *(_rule(tick, scale[-1], height_px) for tick in scale),
            Markup(
                '<svg class="stretch" width="100%" height="{h}" viewBox="0 0 1000 {h}" '
                'preserveAspectRatio="none">{}</svg>'
            ).format(Markup("").join(lines), h=height_px),
            *_hits(series, height_px),
            *marks,
            *(_tick(at, text, height_px, minor=index % 2 == 1) for index, (at, text) in enumerate(ticks)),
        ]
    )
    names = Markup("").join(
        Markup('<text x="100%" y="{}">{}</text>').format(_number(_y(tick, scale[-1], height_px) + 4), form(tick))
        for tick in scale
    )
    return Markup(
        '<div class="chart" role="img" aria-label="{}"><svg class="axis" height="{h}" aria-hidden="true">{}</svg>'
        '<svg class="plot" height="{h}" aria-hidden="true">{}</svg></div>'
    ).format(label, names, inside, h=height_px + _TICKS_PX)


def key_of(number: int) -> Markup:
    """The legend's sample of a series."""
    return Markup(
        '<svg class="key" aria-hidden="true"><line class="series s{}" x1="0" x2="14" y1="5" y2="5"/></svg>'
    ).format(number)


def _run(run: Sequence[tuple[int, float]], count: int, top: float, height_px: int, *, number: int | None) -> Markup:
    name = "line" if number is None else f"series s{number}"
    points = [f"{_number(1000 * (place + 0.5) / count)} {_number(_y(value, top, height_px))}" for place, value in run]
    if len(points) == 1:  # one day alone is a short dash, not nothing
        middle, y = points[0].split(" ")
        half = 300 / count
        points = [f"{_number(float(middle) - half)} {y}", f"{_number(float(middle) + half)} {y}"]
    return Markup('<path class="{}" d="M{}"/>').format(name, "L".join(points))


def _runs(values: Sequence[float | None]) -> list[list[tuple[int, float]]]:
    runs: list[list[tuple[int, float]]] = [[]]
    for place, value in enumerate(values):
        if value is None:
            runs.append([])
        else:
            runs[-1].append((place, value))
    return [run for run in runs if run]


def _hits(series: Sequence[Series], height_px: int) -> list[Markup]:
    """One place to point at for each step along x; it tells the value of every series."""
    count = max((len(one.values) for one in series), default=0)
    return [
        Markup('<rect class="hit" x="{}" width="{}" y="0" height="{}" data-tip="{}"/>').format(
            _share(place / count), _share(1 / count), height_px, "\n".join(one.tips[place] for one in series)
        )
        for place in range(count)
    ]


def _rule(tick: float, top: float, height_px: int) -> Markup:
    return Markup('<line class="{}" x1="0" x2="100%" y1="{y}" y2="{y}"/>').format(
        "rule" if tick else "base", y=_number(_y(tick, top, height_px))
    )


def _tick(at: float, text: str, height_px: int, *, minor: bool) -> Markup:
    return Markup('<text class="tick{}" x="{}" y="{}">{}</text>').format(
        " minor" if minor else "", _share(at), height_px + 17, text
    )


def _y(value: float, top: float, height_px: int) -> float:
    return height_px - (height_px - _HEAD_PX) * min(1.0, max(0.0, value / top))


def _part(value: float, top: float) -> str:
    return _share(min(1.0, max(0.0, value / top)))


def _share(part: float) -> str:
    return f"{_number(part * 100)}%"


def _number(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")
