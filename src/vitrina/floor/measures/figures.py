"""What a page shows of one shop's day: every figure with its count, its interval and its change."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from math import isfinite
from typing import Any

import pyarrow as pa

from vitrina.worth.estimate import Estimate
from vitrina.worth.interval import against_days

NOT_AUDITED = "not audited"
INCL_STAFF = "incl. staff"
TOO_FEW = "fewer than {k} people: not shown"
NO_RECEIPTS = "no receipts"
NO_FOOTFALL = "nobody was counted at an entrance"
NO_OUTSIDE = "no zone outside the shop"
NOTHING_SEEN = "nothing seen"
NOT_WATCHED = "not watched"
PARTLY_WATCHED = "partly watched"
MORE_THAN_FOOTFALL = "more visitors than footfall"
OTHER_CURRENCY = "receipts in another currency are left out"
CLOSED = "closed"

START, END = "(start)", "(end)"


@dataclass(frozen=True, slots=True)
class Change:
    """Against the mean of the same week day in up to four weeks before; `days` are those that were used."""

    value: float
    low: float | None
    high: float | None
    days: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Figure:
    """One number as it may be shown. value None: not known or not shown, and `note` says why.

    unit: as on the measure's card. n: what the value stands on. low, high: 95 % interval, None where there is none.
    """

    name: str
    value: float | None
    unit: str
    n: int | None
    low: float | None = None
    high: float | None = None
    change: Change | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class ZoneDay:
    zone: str
    name: str
    kind: str
    visitors: Figure
    exposure: Figure
    dwell_median: Figure
    dwell_p90: Figure
    stopping_power: Figure
    holding_power: Figure


@dataclass(frozen=True, slots=True)
class QueueDay:
    zone: str
    name: str
    length_max: Figure
    length_mean: Figure
    wait_median: Figure
    wait_p90: Figure
    abandonment: Figure


@dataclass(frozen=True, slots=True)
class Heat:
    """seconds[iy][ix]: person-seconds in the cell whose upper left corner is (x0 + ix·cell, y0 + iy·cell) in cm."""

    cell_cm: int
    x0: int
    y0: int
    nx: int
    ny: int
    seconds: list[list[float]]


@dataclass(frozen=True, slots=True)
class DayFigures:
    """One shop's day; `dataclasses.asdict` gives JSON.

    watched_share: part of the open camera time that was really analysed; None when nothing says.
    gaps: {camera, start, until, gap_s, reason}; times are ISO 8601 in UTC.
    hourly: {hour 'HH:00' in shop time, t ISO 8601 UTC, in, out, low, high, watched, note}.
    occupancy: {t 'HH:MM' in shop time, people}; people is None while no entrance was watched; empty when there were
    too few to be shown.
    paths: {path: zone slugs, people}. transitions: {from, to, people} with '(start)' and '(end)'.
    """

    shop: str
    day: str
    currency: str
    simulated: bool
    layout_ids: tuple[str, ...]
    watched_share: float | None
    gaps: list[dict[str, Any]]
    figures: dict[str, Figure]
    hourly: list[dict[str, Any]]
    occupancy: list[dict[str, Any]]
    zones: list[ZoneDay]
    queues: list[QueueDay]
    heat: Heat | None
    paths: list[dict[str, Any]]
    transitions: list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Shown:
    """How estimates become figures on this page.

    earlier_days: ISO days that may be compared with, in the order of every list of earlier values; empty when
    today has a gap, because a sum over part of a day says nothing against a whole one.
    watched: False when no camera saw anything of the day; nobody seen is then not nobody there.
    """

    k_anonymity: int
    earlier_days: tuple[str, ...]
    watched: bool = True

    def figure(
        self,
        name: str,
        unit: str,
        today: Estimate,
        earlier: Sequence[Estimate] = (),
        *,
        people: Sequence[int] = (),
        note: str = "",
    ) -> Figure:
        """people: how many persons each estimate is about, today's before the earlier ones; without it, its `n`."""
        about, *about_earlier = people or [estimate.n for estimate in (today, *earlier)]
        if not self.watched and not about and isfinite(today.value):
            return Figure(name, None, unit, 0, note=NOT_WATCHED)
        if hidden(about, self.k_anonymity):
            return Figure(name, None, unit, None, note=TOO_FEW.format(k=self.k_anonymity))
        if not isfinite(today.value):
            return Figure(name, None, unit, today.n, note=note or NOTHING_SEEN)
        shown = today.interval()
        return Figure(
            name,
            shown.value,
            unit,
            shown.n,
            known(shown.low),
            known(shown.high),
            self._change(today, zip(earlier, about_earlier, strict=True)),
            note,
        )

    def _change(self, today: Estimate, earlier: Iterable[tuple[Estimate, int]]) -> Change | None:
        """Earlier days on which the figure would not be shown are left out."""
        usable = [
            (day, estimate.value)
            for day, (estimate, people) in zip(self.earlier_days, earlier, strict=False)
            if isfinite(estimate.value) and not hidden(people, self.k_anonymity)
        ]
        if not usable:
            return None
        change = against_days(today.value, [value for _, value in usable])
        return Change(change.value, known(change.low), known(change.high), tuple(day for day, _ in usable))


def hidden(people: int, k_anonymity: int) -> bool:
    """Whether a group is too small to be shown; an empty one says nothing about anybody."""
    return 0 < people < k_anonymity


def smallest_group(*groups: float) -> float:
    """Whom a ratio of groups is about: the smallest that has anybody, as it follows from the ratio and the others."""
    return min((group for group in groups if group), default=0)


def known(value: float) -> float | None:
    """NaN and infinity are no JSON and no figure."""
    return float(value) if isfinite(value) else None


def tables(day: DayFigures) -> dict[str, pa.Table]:
    """Every table that the day's page shows, as Arrow tables for CSV and Parquet: exactly what is shown, no more."""
    found = {
        "figures": _records(_flat({}, figure) for figure in day.figures.values()),
        "hourly": _records(day.hourly),
        "occupancy": _records(day.occupancy),
        "zones": _records(_by_place(day.zones)),
        "queues": _records(_by_place(day.queues)),
        "gaps": _records(day.gaps),
        "heat": _records(_heat_cells(day.heat)),
        "paths": _records({**row, "path": " > ".join(row["path"])} for row in day.paths),
        "transitions": _records(day.transitions),
    }
    return {name: _with_key(table, day) for name, table in found.items()}


def _flat(key: Mapping[str, Any], figure: Figure) -> dict[str, Any]:
    row = {**key, **asdict(figure)}
    change = row.pop("change") or {}
    return row | {f"change_{name}": change.get(name) for name in ("value", "low", "high")}


def _by_place(places: Iterable[ZoneDay | QueueDay]) -> Iterable[dict[str, Any]]:
    for place in places:
        figures = (getattr(place, name) for name in place.__slots__)
        for figure in (entry for entry in figures if isinstance(entry, Figure)):
            yield _flat({"zone": place.zone, "zone_name": place.name}, figure)


def _heat_cells(heat: Heat | None) -> Iterable[dict[str, Any]]:
    for iy, row in enumerate(heat.seconds if heat else []):
        for ix, seconds in enumerate(row):
            if heat and seconds:
                yield {"x_cm": heat.x0 + ix * heat.cell_cm, "y_cm": heat.y0 + iy * heat.cell_cm, "seconds": seconds}


def _records(rows: Iterable[Mapping[str, Any]]) -> pa.Table:
    return pa.Table.from_pylist(list(rows))


def _with_key(table: pa.Table, day: DayFigures) -> pa.Table:
    """Shop, day and whether the rows were simulated belong in every file that leaves the product."""
    for column, value in (("simulated", day.simulated), ("day", day.day), ("shop", day.shop)):
        table = table.add_column(0, column, pa.array([value] * table.num_rows, pa.scalar(value).type))
    return table
