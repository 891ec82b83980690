"""How the shops of a chain stand to one another: each measure with its interval, its change and an honest rank. Pure.

A shop is above or below the chain's median when its whole interval is; every other one is not distinguishable from
it. A shop that was watched for less than nine tenths of its open camera time is not ranked at all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from math import nan
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from vitrina.floor.layout import Shop
from vitrina.floor.measures import figures as notes
from vitrina.floor.measures.breaks import Moved
from vitrina.floor.measures.chainmeasures import CHAIN_MEASURES, SALES, ChainMeasure, Parts
from vitrina.floor.measures.chainrows import WATCHED_ENOUGH, ChainRows, Floats, Mask
from vitrina.worth import daily
from vitrina.worth.daily import Daily
from vitrina.worth.interval import Interval, wilson

Standing = Literal["above", "below", "alike", "unranked"]

UNRANKED: Standing = "unranked"
FEWEST_RANKED = 3
"""With fewer shops the median is a shop itself, and says which."""

COUNTED_AT: Mapping[str, frozenset[str]] = {
    **dict.fromkeys(("footfall", "conversion", "shopper_yield"), frozenset({"entrance"})),
    "dwell_section": frozenset({"section"}),
    "dwell_promo": frozenset({"promo"}),
    "stopping_power": frozenset({"section", "promo"}),
    **dict.fromkeys(("queue_wait_p90", "abandonment"), frozenset({"queue"})),
}
"""The kinds of places that a measure is made at: when one was drawn anew, before and after are not compared."""


@dataclass(frozen=True, slots=True)
class Column:
    """One measure of every shop; arrays are (shops,), NaN where nothing is known or shown, and `notes` says why.

    made: of which days; it may know more than may be shown. moved: whose places were drawn anew, so that nothing is
    compared with the days before.
    series: (shops, days), NaN where a day has no value or too few people. medians: of the ranked shops, by currency
    for money and under '' for everything else. ranked: how many those are.
    """

    measure: ChainMeasure
    made: Daily
    value: Floats
    low: Floats
    high: Floats
    n: NDArray[np.int64]
    change: Floats
    change_low: Floats
    change_high: Floats
    moved: Mask
    standing: tuple[Standing, ...]
    notes: tuple[str, ...]
    series: Floats
    medians: Mapping[str, float]
    ranked: int


@dataclass(frozen=True, slots=True)
class Total:
    """A measure of all shops together; currency is '' but for money. how: 'sum', 'together' or 'median'."""

    measure: ChainMeasure
    currency: str
    how: str
    found: Interval
    change: Interval
    shops: int


@dataclass(frozen=True, slots=True)
class Chain:
    """A period of the shops that somebody may see. whole: (shops, days) that were watched well enough to compare.

    moved: where each shop's layout changed among the days compared.
    """

    shops: tuple[Shop, ...]
    days: tuple[date, ...]
    against: tuple[date, ...]
    paired: bool
    columns: Mapping[str, Column]
    totals: tuple[Total, ...]
    watched: Floats
    partly: Mask
    unseen: Mask
    whole: Mask
    simulated: Mask
    moved: tuple[Moved | None, ...]

    def order(self, sort: str, measure: str) -> list[int]:
        """Places of the shops sorted by 'name', 'value', 'change' or 'watched', downwards with a '-' before it.

        Shops without a value stand last either way; money is sorted within its currency, never across.
        """
        down, key = sort.startswith("-"), sort.lstrip("-")
        names = sorted(range(len(self.shops)), key=lambda place: self._name(place), reverse=down and key == "name")
        if key == "name":
            return names
        column = self.columns[measure]
        values = {"value": column.value, "change": column.change, "watched": self.watched}[key]
        by_currency = column.measure.unit == "money" and key != "watched"

        def rank(place: int) -> tuple[bool, str, float]:
            value = float(values[place])
            missing = not np.isfinite(value)
            currency = self.shops[place].currency if by_currency else ""
            return missing, currency, 0.0 if missing else (-value if down else value)

        return sorted(names, key=rank)

    def _name(self, place: int) -> tuple[str, str]:
        return self.shops[place].name.casefold(), self.shops[place].slug


SORTS = ("name", "value", "change", "watched")


def compose(
    shops: Sequence[Shop],
    rows: ChainRows,
    before: ChainRows | None,
    *,
    k_anonymity: int,
    moved: Mapping[str, Moved] | None = None,
) -> Chain:
    """rows, before: of exactly these shops, in this order. before: the period to compare with.

    moved: by slug, the shops whose layout changed within both periods or between them.
    """
    breaks = tuple((moved or {}).get(shop.slug) for shop in shops)
    watched = rows.watched_share
    partly, unseen = watched < WATCHED_ENOUGH, rows.unseen
    paired = before is not None and belong_together(rows.days, before.days)
    columns, totals = {}, []
    for measure in CHAIN_MEASURES.values():
        parts, earlier = measure.parts(rows), measure.parts(before) if before else None
        hidden = _hidden(parts, k_anonymity)
        places = COUNTED_AT.get(measure.name, frozenset())
        apart = np.array([each is not None and bool(each.kinds & places) for each in breaks], dtype=bool)
        column = _column(measure, parts, earlier, apart, paired=paired, k_anonymity=k_anonymity)
        column = replace(column, notes=_notes(measure, rows, column, hidden, k_anonymity))
        columns[measure.name] = _stand(column, shops, eligible=~(partly | unseen) & np.isfinite(column.low))
        totals += _totals(measure, shops, parts, earlier, column, paired=paired)
    return Chain(
        shops=tuple(shops),
        days=rows.days,
        against=before.days if before else (),
        paired=paired,
        columns=columns,
        totals=tuple(totals),
        watched=watched,
        partly=partly,
        unseen=unseen,
        whole=rows.whole,
        simulated=rows.simulated,
        moved=breaks,
    )


def differences(column: Column, base: int, currencies: Sequence[str]) -> daily.Bounds:
    """Every shop less the one at `base`, day by day; NaN where one of both is not shown, or pays in other money."""
    made = column.made
    same = np.full(len(made.value), base)
    one = Daily(made.value[same], made.pull[same], made.days[same], made.n[same])
    found = daily.difference(made, one, paired=True)
    unknown = ~np.isfinite(column.value) | ~np.isfinite(column.value[base])
    if column.measure.unit == "money":
        unknown = unknown | np.array([currency != currencies[base] for currency in currencies])
    return daily.Bounds(*(np.where(unknown, np.nan, part) for part in (found.value, found.low, found.high)))


def belong_together(days: Sequence[date], others: Sequence[date]) -> bool:
    """Whether each day has the same week day in the other period."""
    return len(days) == len(others) and (days[0] - others[0]).days % 7 == 0


def bounds(measure: ChainMeasure, made: Daily) -> daily.Bounds:
    """The interval over days; a share's is never narrower than Wilson's, and no bound is below 0 or above all."""
    found = daily.bounds(made)
    low, high = found.low, found.high
    if measure.unit == "share":
        pairs = zip(made.value.tolist(), made.n.tolist(), strict=True)
        scores = [wilson(round(value * n), n) if n and value == value else None for value, n in pairs]
        low = np.fmin(low, [score.low if score else np.nan for score in scores])
        high = np.minimum(1.0, np.fmax(high, [score.high if score else np.nan for score in scores]))
    return daily.Bounds(made.value, np.maximum(0.0, low) if measure.name != "shopper_yield" else low, high)


def suppress(counts: Floats, k_anonymity: int) -> Mask:
    """(rows, days): which counts may not be shown.

    A single hidden one takes the smallest other with it, because it could be worked out from the total.
    """
    hidden = (counts > 0) & (counts < k_anonymity)
    for row in np.flatnonzero(hidden.sum(axis=1) == 1):
        others = np.where(hidden[row] | (counts[row] <= 0), np.inf, counts[row])
        if np.isfinite(others).any():
            hidden[row, int(np.argmin(others))] = True
    return hidden


def _hidden(parts: Parts, k_anonymity: int) -> Mask:
    """(shops,): whose figure is about too few people."""
    people = parts.counts.sum(axis=1)
    return np.asarray((people > 0) & (people < k_anonymity))


def _column(
    measure: ChainMeasure, parts: Parts, earlier: Parts | None, moved: Mask, *, paired: bool, k_anonymity: int
) -> Column:
    hidden = _hidden(parts, k_anonymity)
    found = bounds(measure, parts.daily)
    nothing = np.full(len(hidden), np.nan)
    change = daily.Bounds(nothing, nothing, nothing)
    if earlier is not None:
        change = daily.difference(parts.daily, earlier.daily, paired=paired)
    unknown = hidden | moved | _hidden(earlier, k_anonymity) if earlier else hidden

    def shown(values: Floats, which: Mask = hidden) -> Floats:
        return np.where(which, np.nan, values)

    return Column(
        measure=measure,
        made=parts.daily,
        value=shown(found.value),
        low=shown(found.low),
        high=shown(found.high),
        n=np.where(hidden, 0, parts.daily.n),
        change=shown(change.value, unknown),
        change_low=shown(change.low, unknown),
        change_high=shown(change.high, unknown),
        moved=moved,
        standing=tuple(UNRANKED for _ in hidden),
        notes=("",) * len(hidden),
        series=np.where(suppress(parts.counts, k_anonymity) | hidden[:, None], np.nan, parts.by_day),
        medians={},
        ranked=0,
    )


def _notes(measure: ChainMeasure, rows: ChainRows, column: Column, hidden: Mask, k_anonymity: int) -> tuple[str, ...]:
    said, sales = [], measure.name in SALES
    unseen, bought = rows.unseen, rows.receipts.sum(axis=1) > 0
    for place, value in enumerate(column.value.tolist()):
        if hidden[place]:
            said.append(notes.TOO_FEW.format(k=k_anonymity))
        elif unseen[place]:
            said.append(notes.NOT_WATCHED)
        elif sales and not bought[place]:
            said.append(notes.NO_RECEIPTS)
        elif value != value:
            said.append(notes.PARTLY_WATCHED if measure.whole_days else notes.NOTHING_SEEN)
        elif measure.unit == "money" and rows.foreign[place]:
            said.append(notes.OTHER_CURRENCY)
        elif measure.name == "footfall" and rows.unknown[place]:
            said.append(notes.INCL_STAFF)
        else:
            said.append("")
    return tuple(said)


def _stand(column: Column, shops: Sequence[Shop], *, eligible: Mask) -> Column:
    """Where each shop stands to the median of its group: all ranked shops, or for money those of its currency."""
    money = column.measure.unit == "money"
    groups = np.array([shop.currency if money else "" for shop in shops], dtype=object)
    standing: list[Standing] = ["unranked" for _ in shops]
    medians: dict[str, float] = {}
    for group in sorted(set(groups[eligible].tolist())):
        members = np.flatnonzero(eligible & (groups == group))
        if len(members) < FEWEST_RANKED:
            continue
        medians[group] = float(np.median(column.value[members]))
        for place in members:
            above, below = column.low[place] > medians[group], column.high[place] < medians[group]
            standing[place] = "above" if above else "below" if below else "alike"
    ranked = sum(place != "unranked" for place in standing)
    return replace(column, standing=tuple(standing), medians=medians, ranked=ranked)


# All shops together ------------------------------------------------------------------------------------------------


def _totals(
    measure: ChainMeasure,
    shops: Sequence[Shop],
    parts: Parts,
    earlier: Parts | None,
    column: Column,
    *,
    paired: bool,
) -> list[Total]:
    """Only of shops whose own figure is shown, so that no total tells a hidden one."""
    known = np.isfinite(column.value)
    if measure.unit != "money":
        return [_total(measure, "", parts, earlier, known, column, paired=paired)] if known.any() else []
    currencies = np.array([shop.currency for shop in shops], dtype=object)
    return [
        _total(measure, currency, parts, earlier, known & (currencies == currency), column, paired=paired)
        for currency in sorted(set(currencies[known].tolist()))
    ]


def _total(
    measure: ChainMeasure,
    currency: str,
    parts: Parts,
    earlier: Parts | None,
    which: Mask,
    column: Column,
    *,
    paired: bool,
) -> Total:
    """The change is like for like: of the shops that have a value in both periods."""
    count, n = int(which.sum()), int(column.n[which].sum())
    nothing = Interval(nan, nan, nan, 0)
    if parts.above is None:
        middle = Interval(float(np.median(column.value[which])), nan, nan, n)
        return Total(measure, currency, "median", middle, nothing, count)
    summed = measure.name == "footfall"
    together = _sum if summed else _together
    found, change = _first(bounds(measure, together(parts, which)), n), nothing
    both = which & np.isfinite(column.change)
    if earlier is not None and both.any():
        moved = daily.difference(together(parts, both), together(earlier, both), paired=paired)
        change = _first(moved, int(both.sum()))
    return Total(measure, currency, "sum" if summed else "together", found, change, count)


def _first(found: daily.Bounds, n: int) -> Interval:
    return Interval(float(found.value[0]), float(found.low[0]), float(found.high[0]), n)


def _sum(parts: Parts, which: Mask) -> Daily:
    """The sum of the shops' means: a day on which one shop was not watched does not look like a bad day."""
    made = parts.daily
    pull = made.pull[which].sum(axis=0, keepdims=True)
    days = (parts.below[which] > 0).any(axis=0).sum(keepdims=True) if parts.below is not None else made.days[:1]
    return Daily(made.value[which].sum(keepdims=True), pull, days, made.n[which].sum(keepdims=True))


def _together(parts: Parts, which: Mask) -> Daily:
    if parts.above is None or parts.below is None:
        raise TypeError("a quantile of several shops is not made of their quantiles")
    above, below = (part[which].sum(axis=0, keepdims=True) for part in (parts.above, parts.below))
    return daily.ratio(above, below, below > 0)
