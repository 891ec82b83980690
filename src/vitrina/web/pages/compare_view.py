"""What the comparison of a few shops shows: their days and hours side by side, every measure with its difference."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from math import isfinite

import pyarrow as pa
from markupsafe import Markup

from vitrina.floor.layout import Shop
from vitrina.floor.measures.chainmeasures import CHAIN_MEASURES, SALES
from vitrina.floor.measures.figures import hidden
from vitrina.floor.measures.profile import hour_profile
from vitrina.floor.measures.standing import Chain, Column, differences
from vitrina.product import ShopClock
from vitrina.web.chain_charts import Break, Series, key_of, several_lines
from vitrina.web.charts import Format
from vitrina.web.pages.chain_view import series_of, told, told_between, told_change
from vitrina.web.wording import tell_note, tell_share
from vitrina.web.words import NOTHING, Words

Changes = Mapping[str, Sequence[datetime]]
"""Shop to the moments when its layout changed."""


@dataclass(frozen=True, slots=True)
class Compared:
    """One shop among the compared: its colour, and what has to be known before its figures are read."""

    shop: Shop
    key: Markup
    watched: str
    partly: bool
    simulated: bool


@dataclass(frozen=True, slots=True)
class Cell:
    """A shop's figure, and how far it is from the first shop's. clear: more than the days' ups and downs."""

    value: str
    interval: str
    n: str
    note: str
    difference: str
    swing: str
    clear: bool


@dataclass(frozen=True, slots=True)
class CompareView:
    compared: list[Compared]
    rows: list[tuple[str, str, list[Cell]]]
    days: Markup
    day_rows: list[tuple[str, list[str]]]
    hours: Markup
    hour_rows: list[tuple[str, list[str]]]
    hours_title: str
    breaks: list[str]
    differences: int


def compare_view(
    words: Words, chain: Chain, measure: str, hours: Mapping[str, pa.Table], changes: Changes, *, k_anonymity: int
) -> CompareView:
    column, profiled = chain.columns[measure], _profiled(measure)
    breaks = _breaks(words, chain, changes)
    by_hour = [_by_hour(chain, place, profiled, hours, k_anonymity) for place in range(len(chain.shops))]
    rows = [_row(words, chain, chain.columns[name]) for name in CHAIN_MEASURES]
    return CompareView(
        compared=[_compared(words, chain, place) for place in range(len(chain.shops))],
        rows=rows,
        days=_days(words, chain, column, breaks),
        day_rows=_day_rows(words, chain, column),
        hours=_hours(words, chain, profiled, by_hour),
        hour_rows=_hour_rows(words, chain, profiled, by_hour),
        hours_title=words.gettext("Entries a day, by hour") if profiled == "footfall" else _title(words, profiled),
        breaks=[one.tip for one in breaks],
        differences=sum(bool(cell.swing) for _, _, cells in rows for cell in cells[1:]),
    )


def _title(words: Words, measure: str) -> str:
    return words.gettext("{measure}, by hour").format(measure=words.gettext(CHAIN_MEASURES[measure].title))


def _profiled(measure: str) -> str:
    """What the hours are drawn of: sales measures of their own, everything else as footfall."""
    return measure if measure in SALES else "footfall"


def _compared(words: Words, chain: Chain, place: int) -> Compared:
    share = float(chain.watched[place])
    return Compared(
        shop=chain.shops[place],
        key=key_of(place),
        watched=tell_share(words, share) if isfinite(share) else NOTHING,
        partly=bool(chain.partly[place]),
        simulated=bool(chain.simulated[place]),
    )


def _row(words: Words, chain: Chain, column: Column) -> tuple[str, str, list[Cell]]:
    apart = differences(column, 0, [shop.currency for shop in chain.shops])
    cells = []
    for place, shop in enumerate(chain.shops):
        value, swing = float(column.value[place]), ("", "", False)
        if place:
            edges = (float(part[place]) for part in (apart.value, apart.low, apart.high))
            swing = told_change(words, column.measure, value, *edges)
        cells.append(
            Cell(
                told(words, column.measure, value, shop.currency),
                told_between(words, column.measure, column.low[place], column.high[place], shop.currency),
                words.number(int(column.n[place])) if column.n[place] else "",
                tell_note(words, column.notes[place]),
                *swing,
            )
        )
    return words.gettext(column.measure.title), column.measure.card, cells


def _days(words: Words, chain: Chain, column: Column, breaks: Sequence[Break]) -> Markup:
    series = []
    for place, shop in enumerate(chain.shops):
        values = series_of(column, place)
        tips = [
            ("" if place else words.day(day, form="EEE d MMM") + "\n")
            + f"{shop.name}: {told(words, column.measure, value, shop.currency)}"
            for day, value in zip(chain.days, values, strict=True)
        ]
        series.append(Series(shop.name, place, values, tips))
    title = words.gettext(column.measure.title)
    return several_lines(
        series,
        ticks=_day_ticks(words, chain.days),
        label=words.gettext("{measure}, day by day").format(measure=title),
        form=_form(words, chain, column.measure.name),
        breaks=breaks,
    )


def _day_ticks(words: Words, days: Sequence[date]) -> list[tuple[float, str]]:
    step = max(1, -(-len(days) // 8))
    return [
        ((place + 0.5) / len(days), words.day(day, form="d MMM")) for place, day in enumerate(days) if not place % step
    ]


def _day_rows(words: Words, chain: Chain, column: Column) -> list[tuple[str, list[str]]]:
    values = [series_of(column, place) for place in range(len(chain.shops))]
    return [
        (
            words.day(day, form="EEE d MMM"),
            [
                told(words, column.measure, values[place][when], shop.currency)
                for place, shop in enumerate(chain.shops)
            ],
        )
        for when, day in enumerate(chain.days)
    ]  # fmt: skip


def _breaks(words: Words, chain: Chain, changes: Changes) -> list[Break]:
    """Where a layout changed within the period: figures before and after are of different zones or lines."""
    found = []
    for shop in chain.shops:
        clock = ShopClock(shop.timezone, shop.day_starts)
        for moment in list(changes.get(shop.slug, ()))[1:]:
            day = clock.business_day(moment)
            if chain.days[0] <= day <= chain.days[-1]:
                at = ((day - chain.days[0]).days) / len(chain.days)
                text = words.gettext("{shop}: new layout on {day}")
                found.append(Break(at, text.format(shop=shop.name, day=words.day(day, form="d MMM"))))
    return found


def _by_hour(
    chain: Chain, place: int, measure: str, hours: Mapping[str, pa.Table], k_anonymity: int
) -> list[float | None]:
    """By hour of the shop's clock, over the days that were watched well enough; hours with too few people hidden."""
    shop = chain.shops[place]
    days = [day for day, whole in zip(chain.days, chain.whole[place], strict=True) if whole]
    entered = hour_profile(hours["quarters"], "entries", shop, days)
    if measure == "footfall":
        return [
            None if hidden(round(total), k_anonymity) else mean
            for total, mean in zip(entered.sums, entered.a_day(), strict=True)
        ]
    above = {"conversion": "receipts", "average_ticket": "purchased", "shopper_yield": "minor"}[measure]
    sales = hour_profile(hours["sales_quarters"], above, shop, days, currency=shop.currency)
    below = entered
    if measure == "average_ticket":
        below = hour_profile(hours["sales_quarters"], "receipts", shop, days, currency=shop.currency)
    pairs = zip(sales.sums, below.sums, strict=True)
    return [top / n if n >= max(1, k_anonymity) else None for top, n in pairs]


def _hours(words: Words, chain: Chain, measure: str, by_hour: Sequence[Sequence[float | None]]) -> Markup:
    first, last = _open(by_hour)
    if last <= first:
        return Markup("")
    series = []
    for place, shop in enumerate(chain.shops):
        values = by_hour[place][first:last]
        tips = [
            ("" if place else f"{first + step:02d}:00\n")
            + f"{shop.name}: {told(words, CHAIN_MEASURES[measure], value, shop.currency)}"
            for step, value in enumerate(values)
        ]
        series.append(Series(shop.name, place, values, tips))
    ticks = [((step + 0.5) / (last - first), f"{first + step:02d}") for step in range(last - first)]
    return several_lines(
        series, ticks=ticks, label=words.gettext("By hour of the day"), form=_form(words, chain, measure), height_px=200
    )


def _hour_rows(
    words: Words, chain: Chain, measure: str, by_hour: Sequence[Sequence[float | None]]
) -> list[tuple[str, list[str]]]:
    first, last = _open(by_hour)
    return [
        (
            f"{hour:02d}:00",
            [
                told(words, CHAIN_MEASURES[measure], by_hour[place][hour], shop.currency)
                for place, shop in enumerate(chain.shops)
            ],
        )
        for hour in range(first, last)
    ]


def _open(by_hour: Sequence[Sequence[float | None]]) -> tuple[int, int]:
    """The hours in which anybody came anywhere."""
    used = [hour for hour in range(24) if any(values[hour] for values in by_hour)]
    return (min(used), max(used) + 1) if used else (0, 0)


def _form(words: Words, chain: Chain, measure: str) -> Format:
    """How the axis is lettered; money of several currencies has no common letters."""
    unit = CHAIN_MEASURES[measure].unit
    if unit == "money":
        currencies = {shop.currency for shop in chain.shops}
        return lambda value: words.money(value, min(currencies)) if len(currencies) == 1 else NOTHING
    if unit == "s":
        return words.duration
    if unit in ("share", "ratio"):
        return lambda value: tell_share(words, value)
    return words.compact
