"""What the page of one shop's period shows, prepared from the figures: tiles, charts and tables in one language."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from math import inf

from markupsafe import Markup

from vitrina.floor.measures import figures as notes
from vitrina.floor.measures.breaks import Break
from vitrina.floor.measures.compared import Compared, FunnelStep, PeriodFigures, QueuePeriod, ZonePeriod
from vitrina.floor.measures.figures import Figure
from vitrina.floor.measures.sums import END, START
from vitrina.floor.measures.walks import OTHER
from vitrina.web.charts import row_bar
from vitrina.web.pages.period_days import (
    WEEKS_FROM_DAYS,
    Cell,
    day_rows,
    gap_rows,
    occupancy_grid,
    series_chart,
    span_text,
)
from vitrina.web.periods import ShopPeriod, presets
from vitrina.web.sankey import sankey
from vitrina.web.wording import Told, amount, tell, tell_points, tell_share
from vitrina.web.words import Words


@dataclass(frozen=True, slots=True)
class Beside:
    """One figure and what became of it. was: the other period's value; change: with its 95 % interval; clear: not 0."""

    told: Told
    was: str = ""
    change: str = ""
    change_interval: str = ""
    clear: bool = False


@dataclass(frozen=True, slots=True)
class Tile:
    title: str
    card: str
    beside: Beside


@dataclass(frozen=True, slots=True)
class Row:
    """A place's figures, in the order of the table's columns."""

    name: str
    kind: str
    cells: list[Beside]


@dataclass(frozen=True, slots=True)
class FunnelRow:
    name: str
    count: str
    bar: Markup
    share: Beside | None
    of_before: Beside | None


@dataclass(frozen=True, slots=True)
class PeriodView:
    empty: bool
    closed: bool
    span: str
    against: str
    nothing_before: str
    watched: str
    left_out: str
    little_before: str
    breaks: list[str]
    tiles: list[Tile]
    series: Markup
    series_by_week: bool
    days: list[tuple[str, str, str, str]]
    zones: list[Row]
    queues: list[Row]
    funnel: list[FunnelRow]
    flows: Markup
    transitions: list[tuple[str, str, str, str, str]]
    paths: list[tuple[str, str]]
    hours: list[str]
    occupancy: list[tuple[str, list[Cell]]]
    gaps: list[tuple[str, str, str, str]]


def period_view(words: Words, asked: ShopPeriod, found: PeriodFigures, zone: str) -> PeriodView:
    name = _names(words, asked, found)
    hours, occupancy = occupancy_grid(words, found)
    return PeriodView(
        empty=_is_empty(found),
        closed=found.period.closed == found.period.days,
        span=span_text(words, asked.period),
        against=span_text(words, asked.against) if asked.against and found.against else "",
        nothing_before=span_text(words, asked.against) if asked.against and not found.against else "",
        watched=tell_share(words, found.period.watched_share) if found.period.watched_share is not None else "",
        left_out=_left_out(words, found),
        little_before=_little_before(words, found),
        breaks=[_break(words, each, name) for each in found.breaks],
        tiles=_tiles(words, found),
        series=series_chart(words, found),
        series_by_week=len(found.series) > WEEKS_FROM_DAYS,
        days=day_rows(words, found),
        zones=[_zone(words, place, found.currency) for place in found.zones if place.kind != "outside"],
        queues=[_queue(words, place, found.currency) for place in found.queues],
        funnel=_funnel(words, found, zone, name),
        flows=_flows(words, found, name),
        transitions=_transitions(words, found, name),
        paths=[(" → ".join(map(name, row["path"])), words.number(row["people"])) for row in found.paths],
        hours=hours,
        occupancy=occupancy,
        gaps=gap_rows(words, found),
    )


def _is_empty(found: PeriodFigures) -> bool:
    """Nobody watched and nothing is recorded: that is not a period without people."""
    seen = found.figures["footfall"].now.n
    visited = any(zone.visitors.now.n is None or zone.visitors.now.n for zone in found.zones)
    return found.period.watched_share is None and seen == 0 and not visited


def choices(words: Words, asked: ShopPeriod, state: Mapping[str, str]) -> list[tuple[str, str, bool]]:
    """Presets as links that keep the rest of the page's state: name, query, whether it is what is shown."""
    _ = words.gettext
    names = {
        "yesterday": _("Yesterday"),
        "7 days": _("7 days"),
        "28 days": _("28 days"),
        "this month": _("This month"),
        "last month": _("Last month"),
        "this quarter": _("This quarter"),
        "a year": _("52 weeks"),
    }
    kept = {key: value for key, value in state.items() if key in ("against", "zone") and value not in ("", "custom")}
    found = []
    for key, (first, last) in presets(asked.today):
        query = {"from": first.isoformat(), "to": last.isoformat(), **kept}
        found.append(
            (names[key], "&".join(f"{name}={value}" for name, value in query.items()), asked.period == (first, last))
        )
    return found


# Figures -----------------------------------------------------------------------------------------------------------


def beside(words: Words, figure: Compared, currency: str) -> Beside:
    now, before = figure.now, figure.before
    told = tell(words, now, currency)
    if now.name.endswith("_a_day") and now.n is not None:
        told = replace(told, count=words.ngettext("{n} day", "{n} days", now.n).format(n=words.number(now.n)))
    if before is None:
        return Beside(told)
    was = amount(words, before.value, before.unit, currency) if before.value is not None else ""
    change = now.change
    if change is None or now.value is None:
        return Beside(told, was)
    form, scale = _change_form(words, now, before)
    if scale is None:
        return Beside(told, was)
    interval = ""
    if change.low is not None and change.high is not None:
        low = form(max(change.low / scale, _least(now)))
        interval = words.gettext("{low} to {high}").format(low=low, high=form(change.high / scale))
    clear = change.low is not None and change.high is not None and (change.low > 0 or change.high < 0)
    return Beside(told, was, form(change.value / scale), interval, clear)


def _change_form(words: Words, now: Figure, before: Figure) -> tuple[Callable[[float], str], float | None]:
    """Shares change by points, everything else by per cent of what it was."""
    if now.unit in ("share", "ratio"):
        return (lambda part: tell_points(words, part)), 1.0
    digits = 1
    return (lambda part: words.percent(part, digits=digits, sign=True)), before.value or None


def _least(now: Figure) -> float:
    """What cannot be below 0 falls by all that there was, at most, however wide the interval."""
    return -1.0 if now.unit in ("people", "s") else -inf


def _tiles(words: Words, found: PeriodFigures) -> list[Tile]:
    _ = words.gettext
    titles = (
        ("footfall", _("Footfall"), "footfall"),
        ("footfall_a_day", _("Footfall a day"), "footfall"),
        ("capture_rate", _("Capture rate"), "capture_rate"),
        ("conversion", _("Conversion"), "conversion"),
        ("average_ticket", _("Average ticket"), "average_ticket"),
        ("shopper_yield", _("Sales per visitor"), "shopper_yield"),
        ("sales_a_day", _("Sales a day"), "shopper_yield"),
        ("dwell_median", _("Dwell in a zone, median"), "dwell_median"),
        ("queue_wait_median", _("Queue wait, median"), "queue_wait_median"),
        ("queue_wait_p90", _("Queue wait, longest tenth"), "queue_wait_p90"),
        ("abandonment", _("Queue abandoned"), "abandonment"),
    )
    return [
        Tile(title, card, beside(words, found.figures[name], found.currency))
        for name, title, card in titles
        if name in found.figures and _applies(found, found.figures[name].now)
    ]


def _applies(found: PeriodFigures, figure: Figure) -> bool:
    if figure.name in ("queue_wait_median", "queue_wait_p90", "abandonment"):
        return bool(found.queues)
    return figure.value is not None or figure.note not in (notes.NO_OUTSIDE, notes.NO_RECEIPTS)


def _zone(words: Words, place: ZonePeriod, currency: str) -> Row:
    figures = (
        place.visitors_a_day,
        place.exposure,
        place.stopping_power,
        place.holding_power,
        place.dwell_median,
        place.dwell_p90,
    )
    return Row(place.name, place.kind, [beside(words, figure, currency) for figure in figures])


def _queue(words: Words, place: QueuePeriod, currency: str) -> Row:
    figures = (
        place.joined,
        place.length_max,
        place.length_mean,
        place.wait_median,
        place.wait_p90,
        place.abandonment,
    )
    return Row(place.name, "queue", [beside(words, figure, currency) for figure in figures])


# Remarks -----------------------------------------------------------------------------------------------------------


def _left_out(words: Words, found: PeriodFigures) -> str:
    """Which days figures by day leave out; the first of them when there are many."""
    days = [date.fromisoformat(day) for day in found.period.left_out]
    if not days:
        return ""
    named = words.listed(words.day(day, form="d MMM") for day in days[:5])
    more = "" if len(days) <= 5 else "…"
    text = words.ngettext(
        "{n} day was not watched in full and is left out of what is counted by day: {days}",
        "{n} days were not watched in full and are left out of what is counted by day: {days}",
        len(days),
    )
    return text.format(n=words.number(len(days)), days=named + more)


def _little_before(words: Words, found: PeriodFigures) -> str:
    """How many days of the other period stand behind the changes, when it is not all of them."""
    before = found.against
    if before is None or not before.left_out:
        return ""
    text = words.gettext(
        "Watched in full of {span}: {watched} of {days} days. The changes say no more than these days do."
    )
    return text.format(
        span=span_text(words, (date.fromisoformat(before.first), date.fromisoformat(before.last))),
        watched=words.number(before.watched),
        days=words.number(before.days - before.closed),
    )


def _break(words: Words, each: Break, name: Callable[[str], str]) -> str:
    day = words.day(date.fromisoformat(each.day), form="d MMM y")
    if not each.known:
        return words.gettext(
            "The layout changed on {day}, and what it was before is not known: no zone is compared."
        ).format(day=day)
    if not each.zones:
        return words.gettext("The layout changed on {day}; no zone and no entrance was moved.").format(day=day)
    return words.gettext(
        "Moved on {day}: {zones}. Before and after are not the same zone, so they are not compared."
    ).format(day=day, zones=words.listed(map(name, each.zones)))


# Ways --------------------------------------------------------------------------------------------------------------


def _names(words: Words, asked: ShopPeriod, found: PeriodFigures) -> Callable[[str], str]:
    """Slug to what is written for it."""
    _ = words.gettext
    lines = {line.slug: line.name for layout in asked.layouts for line in layout.lines}
    zones = {zone.slug: zone.name for zone in asked.shop.layout.zones}
    zones |= {place.zone: place.name for place in found.zones} | {place.zone: place.name for place in found.queues}
    fixed = {START: _("Start"), END: _("Left"), OTHER: _("Others")}
    known = lines | zones | fixed
    return lambda slug: known.get(slug, slug)


def _funnel(words: Words, found: PeriodFigures, zone: str, name: Callable[[str], str]) -> list[FunnelRow]:
    _ = words.gettext
    steps = found.funnels.get(zone, found.funnels[""])
    section = name(zone) if zone in found.funnels and zone else _("Any section")
    titles = {
        "entered": _("Came in"),
        "section": section,
        "queue": _("Stood at the till"),
        "served": _("Were served"),
        "receipts": _("Receipts"),
    }
    top = max([step.count or 0 for step in steps] + [1])
    return [_funnel_row(words, step, titles[step.step], top, found.currency) for step in steps]


def _funnel_row(words: Words, step: FunnelStep, title: str, top: int, currency: str) -> FunnelRow:
    between_steps = None if step.step in ("entered", "receipts") else beside(words, step.of_before, currency)
    bar = row_bar(step.count or 0, None, None, None, top=top, tip=f"{title}\n{words.number(step.count)}")
    share = None if step.step == "entered" else beside(words, step.share, currency)
    return FunnelRow(title, words.number(step.count), bar, share, between_steps)


def _flows(words: Words, found: PeriodFigures, name: Callable[[str], str]) -> Markup:
    _ = words.gettext
    heads = [_("Start"), *(_("Stop {n}").format(n=number) for number in range(1, 9))]
    label = _("Where people went from stop to stop; the table below says the same")
    return sankey(found.flows, name=name, form=words.number, heads=heads, label=label)


def _transitions(
    words: Words, found: PeriodFigures, name: Callable[[str], str]
) -> list[tuple[str, str, str, str, str]]:
    return [
        (
            name(row["from"]),
            name(row["to"]),
            words.number(row["steps"]),
            tell_share(words, row["share"]),
            words.number(row["n"]),
        )
        for row in found.transitions
    ]
