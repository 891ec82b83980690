"""What the page of one shop's day shows, prepared from the figures: tiles, charts and tables in one language."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Any

from markupsafe import Markup

from vitrina.floor.measures import figures as notes
from vitrina.floor.measures.figures import DayFigures, Figure, QueueDay, ZoneDay
from vitrina.product import ShopClock
from vitrina.web.charts import Bar, Sample, Span, bar_chart, interval_dot, row_bar, step_chart
from vitrina.web.shops import ShopDay
from vitrina.web.wording import Told, tell, tell_note, tell_reason, tell_share
from vitrina.web.words import NOTHING, Words

MINUTES_A_DAY = 24 * 60
A_MINUTE_S = 60.0
GAPS_SHOWN = 15


@dataclass(frozen=True, slots=True)
class Tile:
    title: str
    card: str
    told: Told


@dataclass(frozen=True, slots=True)
class ZoneRow:
    name: str
    kind: str
    visitors: Told
    exposure: Told
    exposure_dot: Markup
    dwell: Told
    dwell_p90: Told
    stopping: Told
    stopping_dot: Markup
    holding: Told


@dataclass(frozen=True, slots=True)
class DwellRow:
    zone: str
    bar: Markup
    median: str
    longest_tenth: str


@dataclass(frozen=True, slots=True)
class QueueRow:
    name: str
    longest: Told
    mean: Told
    wait: Told
    wait_p90: Told
    abandonment: Told


@dataclass(frozen=True, slots=True)
class DayView:
    simulated: bool
    empty: bool
    closed: bool
    watched: str
    tiles: list[Tile]
    footfall: Markup
    occupancy: Markup
    no_occupancy: str
    hours: list[tuple[str, str, str, str]]
    zones: list[ZoneRow]
    dwell: list[DwellRow]
    queues: list[QueueRow]
    gaps: list[tuple[str, str, str, str, str]]
    shorter_gaps: list[tuple[str, str, str, str, str]]
    paths: list[tuple[str, str]]


def day_view(words: Words, asked: ShopDay, figures: DayFigures) -> DayView:
    clock = ShopClock(asked.shop.timezone, asked.shop.day_starts)
    longest = longest_gaps(figures.gaps)
    return DayView(
        simulated=figures.simulated,
        empty=_is_empty(figures),
        closed=bool(asked.shop.opens) and not asked.shop.opens[asked.day.weekday()],
        watched=tell_share(words, figures.watched_share),
        tiles=tiles(words, figures),
        footfall=_footfall(words, figures),
        occupancy=_occupancy(words, clock, asked, figures),
        no_occupancy=_no_occupancy(words, figures.figures["occupancy_peak"]),
        hours=_hours(words, figures),
        zones=_zones(words, figures),
        dwell=_dwell(words, figures),
        queues=[_queue(words, queue, figures.currency) for queue in figures.queues],
        gaps=_gaps(words, clock, longest),
        shorter_gaps=_gaps(words, clock, [gap for gap in figures.gaps if gap not in longest]),
        paths=_paths(words, asked, figures),
    )


def _is_empty(figures: DayFigures) -> bool:
    """Nobody watched and nothing is recorded: that is not a day without people."""
    seen = [figures.figures["footfall"].n, *(zone.visitors.n for zone in figures.zones)]
    return figures.watched_share is None and not figures.gaps and not any(n is None or n > 0 for n in seen)


def tiles(words: Words, figures: DayFigures) -> list[Tile]:
    """The figures of the whole shop, in the order in which people ask about them."""
    _ = words.gettext
    titles = (
        ("footfall", _("Footfall"), "footfall"),
        ("occupancy_now", _("Inside now"), "occupancy"),
        ("occupancy_peak", _("Most inside at once"), "occupancy"),
        ("capture_rate", _("Capture rate"), "capture_rate"),
        ("dwell_median", _("Dwell in a zone, median"), "dwell_median"),
        ("queue_wait_median", _("Queue wait, median"), "queue_wait_median"),
        ("queue_wait_p90", _("Queue wait, longest tenth"), "queue_wait_p90"),
        ("abandonment", _("Queue abandoned"), "abandonment"),
        ("conversion", _("Conversion"), "conversion"),
        ("average_ticket", _("Average ticket"), "average_ticket"),
        ("shopper_yield", _("Sales per visitor"), "shopper_yield"),
    )
    return [
        Tile(title, card, tell(words, figures.figures[name], figures.currency))
        for name, title, card in titles
        if name in figures.figures and _applies(figures, figures.figures[name])
    ]


def _applies(figures: DayFigures, figure: Figure) -> bool:
    """Whether the shop has what this figure is about: what is not there is left out, not shown as empty."""
    if figure.name in ("queue_wait_median", "queue_wait_p90", "abandonment"):
        return bool(figures.queues)
    return figure.value is not None or figure.note not in (notes.NO_OUTSIDE, notes.NO_RECEIPTS, notes.CLOSED)


def _footfall(words: Words, figures: DayFigures) -> Markup:
    _ = words.gettext
    bars = [
        Bar(
            label=hour["hour"][:2],
            value=hour["in"],
            tip=_hour_tip(words, hour),
            low=hour["low"],
            high=hour["high"],
            mark=hour["out"],
            watched=hour["watched"] is None or hour["watched"] > 0,
        )
        for hour in figures.hourly
    ]
    return bar_chart(bars, label=_("People who came in, by hour"), form=words.compact) if bars else Markup("")


def _hour_tip(words: Words, hour: dict[str, Any]) -> str:
    _ = words.gettext
    lines = [
        hour["hour"],
        _("in: {n}").format(n=words.number(hour["in"])),
        _("out: {n}").format(n=words.number(hour["out"])),
    ]
    return "\n".join([*lines, tell_note(words, hour["note"])] if hour["note"] else lines)


def _hours(words: Words, figures: DayFigures) -> list[tuple[str, str, str, str]]:
    return [
        (hour["hour"], words.number(hour["in"]), words.number(hour["out"]), tell_note(words, hour["note"]))
        for hour in figures.hourly
    ]


def _occupancy(words: Words, clock: ShopClock, asked: ShopDay, figures: DayFigures) -> Markup:
    """The curve over the hours that it has, whole hours marked; it may run past midnight."""
    curve = figures.occupancy
    if not curve:
        return Markup("")
    minutes = _running([_minute(point["t"]) for point in curve])
    first, span = minutes[0], max(60, minutes[-1] + 5 - minutes[0])
    samples = [
        Sample((minute - first) / span, point["people"], f"{point['t']}\n{_people(words, point['people'])}")
        for minute, point in zip(minutes, curve, strict=True)
    ]
    hours = list(range(-(-first // 60) * 60, first + span, 60))
    return step_chart(
        samples,
        label=words.gettext("People inside, over the day"),
        form=words.compact,
        gaps=_gap_spans(words, figures, clock.at(asked.day, time(first // 60, first % 60)), timedelta(minutes=span))
        + _unwatched(words, samples),
        ticks=[((minute - first) / span, f"{minute // 60 % 24:02d}") for minute in hours],
    )


def _no_occupancy(words: Words, peak: Figure) -> str:
    """What stands in the place of a curve that has nothing."""
    return tell_note(words, peak.note) if peak.note else words.gettext("Nobody was counted.")


def _people(words: Words, people: int | None) -> str:
    if people is None:
        return words.gettext("not watched")
    return words.ngettext("{n} person inside", "{n} people inside", people).format(n=words.number(people))


def _gap_spans(words: Words, figures: DayFigures, first: datetime, length: timedelta) -> list[Span]:
    found = []
    for gap in figures.gaps:
        left = max(0.0, (_moment(gap["start"]) - first) / length)
        right = min(1.0, (_moment(gap["until"]) - first) / length)
        if right > left:
            found.append(Span(left, right, words.gettext("not watched: {camera}").format(camera=gap["camera"])))
    return found


def _unwatched(words: Words, samples: Sequence[Sample]) -> list[Span]:
    """The stretches for which nobody knows how many were inside."""
    ends = [sample.at for sample in samples[1:]] + [1.0]
    unknown = [(sample.at, end) for sample, end in zip(samples, ends, strict=True) if sample.value is None]
    joined: list[tuple[float, float]] = []
    for start, end in unknown:
        if joined and joined[-1][1] == start:
            joined[-1] = (joined[-1][0], end)
        else:
            joined.append((start, end))
    return [Span(start, end, words.gettext("not watched")) for start, end in joined]


def longest_gaps(gaps: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Those that matter most for the day's figures, by time; the others stand behind a click."""
    least_s = sorted((gap["gap_s"] for gap in gaps), reverse=True)[:GAPS_SHOWN][-1] if gaps else 0.0
    return [gap for gap in gaps if gap["gap_s"] >= least_s][:GAPS_SHOWN]


def _gaps(words: Words, clock: ShopClock, gaps: Sequence[dict[str, Any]]) -> list[tuple[str, str, str, str, str]]:
    return [
        (
            *(_edge(words, clock.local(_moment(gap[edge])), gap["gap_s"]) for edge in ("start", "until")),
            words.duration(gap["gap_s"]),
            gap["camera"],
            tell_reason(words, gap["reason"]),
        )
        for gap in gaps
    ]


def _edge(words: Words, moment: datetime, gap_s: float) -> str:
    return words.pattern(moment, "HH:mm:ss") if gap_s < A_MINUTE_S else words.clock(moment)


def _zones(words: Words, figures: DayFigures) -> list[ZoneRow]:
    return [_zone(words, zone, figures.currency) for zone in figures.zones if zone.kind != "outside"]


def _zone(words: Words, zone: ZoneDay, currency: str) -> ZoneRow:
    def told(figure: Figure) -> Told:
        return tell(words, figure, currency)

    return ZoneRow(
        name=zone.name,
        kind=zone.kind,
        visitors=told(zone.visitors),
        exposure=told(zone.exposure),
        exposure_dot=_dot(words, zone.exposure, zone.name),
        dwell=told(zone.dwell_median),
        dwell_p90=told(zone.dwell_p90),
        stopping=told(zone.stopping_power),
        stopping_dot=_dot(words, zone.stopping_power, zone.name),
        holding=told(zone.holding_power),
    )


def _dot(words: Words, figure: Figure, zone: str) -> Markup:
    return interval_dot(figure.value, figure.low, figure.high, top=1.0, label=f"{zone}: {words.percent(figure.value)}")


def _dwell(words: Words, figures: DayFigures) -> list[DwellRow]:
    """Median dwell by zone with its interval, and the longest tenth as a tick; the longest last."""
    shown = [zone for zone in figures.zones if zone.kind != "outside" and zone.dwell_median.value]
    top = max((value for zone in shown for value in (zone.dwell_p90.value, zone.dwell_median.high) if value), default=1)
    rows = []
    for zone in sorted(shown, key=lambda zone: zone.dwell_median.value or 0):
        median = zone.dwell_median
        bar = row_bar(
            median.value or 0, median.low, median.high, zone.dwell_p90.value, top=top, tip=_dwell_tip(words, zone)
        )
        rows.append(DwellRow(zone.name, bar, words.duration(median.value), words.duration(zone.dwell_p90.value)))
    return rows


def _dwell_tip(words: Words, zone: ZoneDay) -> str:
    _ = words.gettext
    return "\n".join(
        (
            zone.name,
            _("half stayed longer than {time}").format(time=words.duration(zone.dwell_median.value)),
            _("one of ten longer than {time}").format(time=words.duration(zone.dwell_p90.value)),
            f"n = {words.number(zone.dwell_median.n)}",
        )
    )


def _queue(words: Words, queue: QueueDay, currency: str) -> QueueRow:
    parts = (queue.length_max, queue.length_mean, queue.wait_median, queue.wait_p90, queue.abandonment)
    return QueueRow(queue.name, *(tell(words, figure, currency) for figure in parts))


def _paths(words: Words, asked: ShopDay, figures: DayFigures) -> list[tuple[str, str]]:
    names = {zone.slug: zone.name for zone in asked.shop.layout.zones}
    return [
        (" → ".join(names.get(slug, slug) for slug in row["path"]), words.number(row["people"]))
        for row in figures.paths
    ]


def _minute(clock_time: str) -> int:
    hours, minutes = clock_time.split(":")
    return int(hours) * 60 + int(minutes)


def _running(minutes: Sequence[int]) -> list[int]:
    """Minutes of the day as a count that only grows: what comes after midnight belongs to the day before."""
    running = list(minutes[:1])
    for minute in minutes[1:]:
        behind = running[-1] - minute
        running.append(minute + MINUTES_A_DAY * max(0, -(-behind // MINUTES_A_DAY)))
    return running


def _moment(iso: str) -> datetime:
    return datetime.fromisoformat(iso)


def neighbours(asked: ShopDay) -> tuple[str, str]:
    """The days before and after; nothing after today."""
    after = asked.day + timedelta(days=1)
    return (asked.day - timedelta(days=1)).isoformat(), after.isoformat() if after <= asked.today else ""


__all__ = ["NOTHING", "DayView", "Tile", "day_view", "neighbours", "tiles"]
