"""What the chain's page shows, prepared from the figures: cards, one line a shop, small drawings, in one language."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from urllib.parse import urlencode

import numpy as np
from markupsafe import Markup

from vitrina.floor.layout import Shop
from vitrina.floor.measures.chainmeasures import CHAIN_MEASURES, ChainMeasure
from vitrina.floor.measures.standing import Chain, Column, Total
from vitrina.web.chain import Asked, Period
from vitrina.web.chain_charts import interval_bar, small_line
from vitrina.web.wording import amount, between, tell_note, tell_points, tell_share
from vitrina.web.words import NOTHING, Words

A_PAGE = 25
OF_CHANCE = 0.05
SPARE = frozenset({"shopper_yield", "dwell_section", "dwell_promo", "stopping_power"})
"""Yield is conversion times ticket; the others say what single zones do, which the shop's own pages tell better."""


@dataclass(frozen=True, slots=True)
class TotalCard:
    title: str
    card: str
    value: str
    interval: str
    how: str
    n: str
    change: str
    clear: bool


@dataclass(frozen=True, slots=True)
class ShopLine:
    """One shop's row. others: the measures beside the chosen one, in the order of the table's columns."""

    shop: Shop
    value: str
    interval: str
    n: str
    note: str
    change: str
    swing: str
    clear: bool
    moved: str
    bar: Markup
    line: Markup
    standing: str
    standing_text: str
    watched: str
    partly: bool
    simulated: bool
    others: list[str]
    multiple: Markup


@dataclass(frozen=True, slots=True)
class Heading:
    """A column's title and the link that sorts by it. sorted: 'ascending', 'descending' or ''.

    whole: the measure's name, where the title is an abbreviation of it. spare: the first to go where there is no room.
    """

    title: str
    link: str
    sorted: str = ""
    whole: str = ""
    spare: bool = False


@dataclass(frozen=True, slots=True)
class ChainView:
    cards: list[TotalCard]
    lines: list[ShopLine]
    headings: dict[str, Heading]
    others: list[Heading]
    found: int
    page: int
    pages: int
    ranked: int
    by_chance: str
    medians: str
    apart: str
    unwatched: int
    simulated: int
    series_days: str


def links(path: str, state: dict[str, str], **changes: str) -> str:
    """The page's address with its state, changed here and there; what is empty is left out."""
    wanted = {name: value for name, value in (state | changes).items() if value}
    return f"{path}?{urlencode(wanted)}" if wanted else path


def find(chain: Chain, order: Sequence[int], text: str) -> list[int]:
    """Those whose name or slug contains the text, whatever the case."""
    wanted = text.strip().casefold()
    shops = chain.shops
    return [place for place in order if wanted in shops[place].name.casefold() or wanted in shops[place].slug]


def chain_view(words: Words, chain: Chain, asked: Asked, *, q: str, page: int, state: dict[str, str]) -> ChainView:
    column = chain.columns[asked.measure]
    found = find(chain, chain.order(asked.sort, asked.measure), q)
    pages = max(1, -(-len(found) // A_PAGE))
    page = min(page, pages)
    others = [measure for name, measure in CHAIN_MEASURES.items() if name != asked.measure]
    shown, reach = found[(page - 1) * A_PAGE : page * A_PAGE], tops(chain, column)
    return ChainView(
        cards=[_card(words, total) for total in chain.totals],
        lines=[_line(words, chain, column, place, others, top=reach[place]) for place in shown],
        headings=_headings(words, asked, state),
        others=[_heading(words, measure, state) for measure in others],
        found=len(found),
        page=page,
        pages=pages,
        ranked=column.ranked,
        by_chance=words.number(column.ranked * OF_CHANCE, digits=1),
        medians=words.listed(
            told(words, column.measure, median, currency) for currency, median in column.medians.items()
        ),
        apart=words.number(sum(standing in ("above", "below") for standing in column.standing)),
        unwatched=int((chain.partly | chain.unseen).sum()),
        simulated=int(chain.simulated.sum()),
        series_days=period_text(words, asked.period),
    )


def told(words: Words, measure: ChainMeasure, value: float | None, currency: str) -> str:
    """A value as people read it; a mean of many people without its decimals."""
    if value is None or not isfinite(value):
        return NOTHING
    if measure.unit == "people" and abs(value) >= 20:
        value = float(round(value))
    return amount(words, value, measure.unit, currency)


def told_between(words: Words, measure: ChainMeasure, low: float, high: float, currency: str) -> str:
    if not (isfinite(low) and isfinite(high)):
        return ""
    if measure.unit == "people" and high >= 20:
        low, high = float(round(low)), float(round(high))
    return between(words, low, high, measure.unit, currency)


def told_change(
    words: Words, measure: ChainMeasure, value: float, change: float, low: float, high: float
) -> tuple[str, str, bool]:
    """Change, how far it may be off, and whether it is more than the days' own ups and downs.

    Shares change by points, everything else by per cent of what it was before.
    """
    if not (isfinite(change) and isfinite(value)):
        return "", "", False
    points, before = measure.unit in ("share", "ratio"), value - change
    if not points and before <= 0:
        return "", "", False
    scale = 1.0 if points else before

    def form(part: float) -> str:
        return tell_points(words, part) if points else words.percent(part, sign=True)

    known = isfinite(low) and isfinite(high)
    swing = words.gettext("{low} to {high}").format(low=form(low / scale), high=form(high / scale)) if known else ""
    return form(change / scale), swing, known and (low > 0 or high < 0)


def period_text(words: Words, period: Period) -> str:
    if period.first == period.last:
        return words.day(period.first, form="long")
    return f"{words.day(period.first, form='medium')} – {words.day(period.last, form='medium')}"


def against_text(words: Words, period: Period) -> str:
    if period.against is None:
        return ""
    first, last = (words.day(day, form="medium") for day in period.against)
    return words.gettext("against {first} – {last}").format(first=first, last=last)


def tops(chain: Chain, column: Column) -> list[float]:
    """Up to where each shop's drawings reach: the same for all that may be compared by eye."""
    money = column.measure.unit == "money"
    groups = np.array([shop.currency if money else "" for shop in chain.shops], dtype=object)
    reach = np.where(np.isfinite(column.value), column.value, 0.0)
    most = {group: float(reach[groups == group].max(initial=0.0)) for group in set(groups.tolist())}
    return [most[group] * 1.3 for group in groups]


def series_of(column: Column, place: int) -> list[float | None]:
    return [float(value) if isfinite(value) else None for value in column.series[place].tolist()]


def _heading(words: Words, measure: ChainMeasure, state: dict[str, str]) -> Heading:
    """Of a narrow column, which leads to the table by this measure."""
    link = links("/chain", state, measure=measure.name, sort="-value", page="")
    whole, short = words.gettext(measure.title), _abbreviation(words, measure.name)
    return Heading(short or whole, link, whole=whole if short else "", spare=measure.name in SPARE)


def _abbreviation(words: Words, measure: str) -> str:
    """What is understood in a column as narrow as its numbers; empty for names that are short enough."""
    return {
        "footfall": words.gettext("Footfall / day"),
        "shopper_yield": words.gettext("Yield"),
        "dwell_section": words.gettext("Section dwell, median"),
        "dwell_promo": words.gettext("Promo dwell, median"),
        "stopping_power": words.gettext("Stopped"),
        "queue_wait_p90": words.gettext("Queue wait, p90"),
    }.get(measure, "")


def _headings(words: Words, asked: Asked, state: dict[str, str]) -> dict[str, Heading]:
    titles = {
        "name": words.gettext("Shop"),
        "value": words.gettext(CHAIN_MEASURES[asked.measure].title),
        "change": words.gettext("Changed by"),
        "watched": words.gettext("Watched"),
    }
    down, key = asked.sort.startswith("-"), asked.sort.removeprefix("-")
    found = {}
    for name, title in titles.items():
        first = "name" if name == "name" else f"-{name}"
        turned = name if key == name and down else f"-{name}" if key == name else first
        order = ("descending" if down else "ascending") if key == name else ""
        found[name] = Heading(title, links("/chain", state, sort=turned, page=""), order)
    return found


def _card(words: Words, total: Total) -> TotalCard:
    _, measure, currency = words.gettext, total.measure, total.currency
    how = {
        "sum": words.ngettext("{n} shop added up", "{n} shops added up", total.shops),
        "together": words.ngettext("{n} shop alone", "{n} shops taken together", total.shops),
        "median": words.ngettext("median of {n} shop", "median of {n} shops", total.shops),
    }[total.how].format(n=words.number(total.shops))
    change, swing, clear = told_change(
        words, measure, total.found.value, total.change.value, total.change.low, total.change.high
    )
    if change and total.change.n < total.shops:
        like = _("of {n} shops that both periods have").format(n=words.number(total.change.n))
        swing = f"{swing} · {like}" if swing else like
    return TotalCard(
        title=_(measure.title) + (f" · {currency}" if currency else ""),
        card=measure.card,
        value=told(words, measure, total.found.value, currency),
        interval=told_between(words, measure, total.found.low, total.found.high, currency),
        how=how,
        n=words.number(total.found.n) if total.how != "median" and total.found.n else "",
        change=f"{change} ({swing})" if change and swing else change,
        clear=clear,
    )


def _line(
    words: Words, chain: Chain, column: Column, place: int, others: Sequence[ChainMeasure], *, top: float
) -> ShopLine:
    shop, measure = chain.shops[place], column.measure
    value = told(words, measure, column.value[place], shop.currency)
    change, swing, clear = told_change(
        words, measure, column.value[place], column.change[place], column.change_low[place], column.change_high[place]
    )
    interval = told_between(words, measure, column.low[place], column.high[place], shop.currency)
    series, by_day = series_of(column, place), words.gettext("{shop}, day by day").format(shop=shop.name)
    return ShopLine(
        shop=shop,
        value=value,
        interval=interval,
        n=words.number(int(column.n[place])) if column.n[place] else "",
        note=tell_note(words, column.notes[place]),
        change=change,
        swing=swing,
        clear=clear,
        moved=moved_text(words, chain, column, place),
        bar=_bar(shop, column, place, top, f"{shop.name}: {value}" + (f" ({interval})" if interval else "")),
        line=small_line(series, top=max((v for v in series if v is not None), default=0.0), label=by_day),
        multiple=small_line(series, top=top, label=by_day, middle=_middle(shop, column), height_px=64),
        standing=column.standing[place],
        standing_text=standing_text(words, chain, column, place),
        watched=tell_share(words, float(chain.watched[place])) if isfinite(chain.watched[place]) else NOTHING,
        partly=bool(chain.partly[place]),
        simulated=bool(chain.simulated[place]),
        others=[
            told(words, other, chain.columns[other.name].value[place], shop.currency) for other in others
        ],
    )  # fmt: skip


def moved_text(words: Words, chain: Chain, column: Column, place: int) -> str:
    """That the layout changed among the days compared, and whether the change is told in spite of it."""
    if (found := chain.moved[place]) is None:
        return ""
    _, day = words.gettext, words.day(found.day, form="d MMM")
    text = _("new layout on {day}: not compared") if column.moved[place] else _("new layout on {day}")
    return text.format(day=day)


def standing_text(words: Words, chain: Chain, column: Column, place: int) -> str:
    _, standing = words.gettext, column.standing[place]
    if standing == "unranked":
        if chain.unseen[place]:
            return _("not watched")
        if chain.partly[place]:
            return _("partly watched, not ranked")
        return ""
    return {"above": _("above the median"), "below": _("below the median"), "alike": _("not distinguishable")}[standing]


def _bar(shop: Shop, column: Column, place: int, top: float, label: str) -> Markup:
    value, low, high = (_known(part[place]) for part in (column.value, column.low, column.high))
    return interval_bar(value, low, high, top=top, middle=_middle(shop, column), label=label)


def _middle(shop: Shop, column: Column) -> float | None:
    return column.medians.get(shop.currency if column.measure.unit == "money" else "")


def _known(value: float) -> float | None:
    return float(value) if isfinite(value) else None
