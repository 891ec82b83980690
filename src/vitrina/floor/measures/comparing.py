"""From estimates of two periods to what may be shown of them: hidden when small, with interval and difference. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import isfinite

import numpy as np

from vitrina.floor.measures import figures
from vitrina.floor.measures.compared import PAIRS, Compared
from vitrina.floor.measures.figures import Change, Figure, hidden, known
from vitrina.floor.measures.rows import Floats, Mask, doubles
from vitrina.floor.measures.stretch import Stretch
from vitrina.worth import days
from vitrina.worth.days import ENOUGH, DayQuantile, DayRatio
from vitrina.worth.estimate import Count, Estimate, Ratio, Share
from vitrina.worth.interval import Interval

Make = Callable[[Stretch], Estimate]


@dataclass(frozen=True)
class Comparison:
    """Two stretches of days and the rules for showing them. before None: nothing is compared.

    aligned: the n-th days of both have the same week day and the same place.
    """

    now: Stretch
    before: Stretch | None
    aligned: bool
    k_anonymity: int

    def figure(
        self,
        name: str,
        unit: str,
        make: Make,
        *,
        people: Callable[[Stretch], float] | None = None,
        note: str = "",
        comparable: bool = True,
    ) -> Compared:
        """One estimate of both periods, and the difference where both may be shown.

        people: how many persons the estimate is about, when that is not its `n`.
        """
        estimates = [(part, make(part)) for part in (self.now, self.before) if part is not None]
        told = [self._told(name, unit, part, estimate, people) for part, estimate in estimates]
        now, now_interval = told[0]
        change = None
        if comparable and len(told) == 2:
            change = _change(now_interval, told[1][1])
        return Compared(_noted(now, note, change), told[1][0] if len(told) == 2 else None)

    def a_day(
        self,
        name: str,
        unit: str,
        count: Callable[[Stretch], Floats],
        *,
        people: Callable[[Stretch], Floats] | None = None,
        used: Callable[[Stretch], Mask] = lambda part: part.complete,
        comparable: bool = True,
    ) -> Compared:
        """The mean over complete days. With aligned periods, days that are complete in both are compared in pairs.

        people: by day, whom it is about, when that is not the count itself. used: the days that are complete.
        """
        about = people or count
        shown = self.figure(
            name,
            unit,
            lambda part: DayRatio(count(part)[used(part)], np.ones(int(used(part).sum()))),
            people=lambda part: float(about(part)[used(part)].sum()),
            comparable=comparable and not self.aligned,
        )
        if not (self.aligned and comparable and self.before):
            return shown
        both = used(self.now) & used(self.before)
        if shown.now.value is None or shown.before is None or shown.before.value is None or not both.any():
            return shown
        steps = count(self.now)[both] - count(self.before)[both]
        found = days.ratio(steps, np.ones(len(steps)))
        alone = both.sum() < max(used(self.now).sum(), used(self.before).sum())
        note = PAIRS.format(n=int(both.sum())) if alone else ""
        return Compared(_noted(shown.now, note, _known(found)), shown.before)

    def _told(
        self, name: str, unit: str, part: Stretch, estimate: Estimate, people: Callable[[Stretch], float] | None
    ) -> tuple[Figure, Interval | None]:
        about = estimate.n if people is None else round(people(part))
        if hidden(about, self.k_anonymity):
            return Figure(name, None, unit, None, note=figures.TOO_FEW.format(k=self.k_anonymity)), None
        if not isfinite(estimate.value):
            return Figure(name, None, unit, estimate.n, note=figures.NOTHING_SEEN), None
        found = estimate.interval()
        return Figure(name, found.value, unit, found.n, known(found.low), known(found.high)), found


def share(part: Floats, whole: Floats, chosen: Mask | None = None) -> Estimate:
    """A part of a whole, both by day; of a few days by its people, of more by its days."""
    above, below = (part, whole) if chosen is None else (part[chosen], whole[chosen])
    if len(below) < ENOUGH:
        return Share(round(float(above.sum())), round(float(below.sum())))
    return DayRatio(above, below, share=True)


def part_of(part: Floats, whole: Floats, chosen: Mask) -> Estimate:
    """A share while it can be one. Beyond the whole it is a ratio, which one cluster gives no interval."""
    above, below = part[chosen], whole[chosen]
    if above.sum() <= below.sum():
        return share(above, below)
    return DayRatio(above, below) if len(below) >= ENOUGH else Ratio(above.sum(keepdims=True), below.sum(keepdims=True))


def quantile(part: Stretch, name: str, column: str, q: float, where: dict[str, str] | None = None) -> Estimate:
    return DayQuantile(part.listed(name, column, where), q)


def total(count: Floats) -> Estimate:
    return Count(round(float(count.sum())))


def noted(figure: Compared, note: str) -> Compared:
    """The same with a note of its own, where it has a value."""
    return Compared(_noted(figure.now, note, figure.now.change), figure.before)


def _noted(figure: Figure, note: str, change: Change | None) -> Figure:
    text = figure.note or note
    return Figure(figure.name, figure.value, figure.unit, figure.n, figure.low, figure.high, change=change, note=text)


def _change(now: Interval | None, before: Interval | None) -> Change | None:
    if now is None or before is None:
        return None
    return _known(days.difference(now, before))


def _known(found: Interval) -> Change:
    return Change(found.value, known(found.low), known(found.high), ())


def hour_sums(part: Stretch, name: str, column: str, chosen: Mask, where: dict[str, str] | None = None) -> Floats:
    """A column summed by the hours of the chosen days, one after the other: (days · 25,)."""
    rows = part.sums[name]
    day, hour = part.hour_of(rows)
    inside = chosen[day] & part.chosen(name, where)
    weights = doubles(rows, column)[inside]
    cells = day[inside] * 25 + hour[inside]
    sums = np.bincount(cells, weights=weights, minlength=part.length * 25).reshape(part.length, 25)
    lengths = np.diff(part.starts) // 3_600_000_000
    return sums[chosen][np.arange(25) < lengths[chosen, None]].astype(np.float64)


def per_entry(part: Stretch, column: str, entries: tuple[str, str] = ("doors", "inbound")) -> Estimate:
    """Receipts or takings per entry: of a few days by their hours, of more by its days.

    Of days that were watched in full and have receipts. entries: which sum's column they are divided by.
    """
    chosen = part.counted & part.sold
    if chosen.sum() < ENOUGH:
        return Ratio(hour_sums(part, "sales", column, chosen, dict(part.own)), hour_sums(part, *entries, chosen))
    return DayRatio(part.count("sales", column, part.own)[chosen], part.count(*entries)[chosen])


__all__ = ["Comparison", "hour_sums", "noted", "part_of", "per_entry", "quantile", "share", "total"]
