"""What a page shows of one shop over a period, beside another period: values with counts, intervals and differences."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import pyarrow as pa

from vitrina.floor.measures.breaks import Break
from vitrina.floor.measures.figures import Figure

MOVED = "not the same zone before and after"
PARTLY_COUNTED = "some days were not watched in full: the sum is too low"
UNSOLD = "days without a receipt are left out"
PAIRS = "pairs of days compared: {n}"


@dataclass(frozen=True, slots=True)
class Compared:
    """One figure of a period, and the same of the other. `now.change` is the difference; its `days` stay empty.

    before is None when no other period was asked for.
    """

    now: Figure
    before: Figure | None = None


@dataclass(frozen=True, slots=True)
class Days:
    """Which days a period has and how they were watched.

    watched_share: of the open camera time of all days; None when nothing says.
    left_out: open days that figures by day leave out, because they were not watched in full or are not over.
    """

    first: str
    last: str
    days: int
    watched: int
    closed: int
    left_out: tuple[str, ...]
    watched_share: float | None
    layout_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ZonePeriod:
    zone: str
    name: str
    kind: str
    visitors: Compared
    visitors_a_day: Compared
    exposure: Compared
    dwell_median: Compared
    dwell_p90: Compared
    stopping_power: Compared
    holding_power: Compared


@dataclass(frozen=True, slots=True)
class QueuePeriod:
    zone: str
    name: str
    joined: Compared
    length_max: Compared
    length_mean: Compared
    wait_median: Compared
    wait_p90: Compared
    abandonment: Compared


@dataclass(frozen=True, slots=True)
class FunnelStep:
    """step: 'entered', 'section', 'queue', 'served' or 'receipts'.

    share: of those who entered. of_before: of those at the step before.
    Receipts are never joined to a person: their step is a ratio of two counts.
    """

    step: str
    count: int | None
    share: Compared
    of_before: Compared


@dataclass(frozen=True, slots=True)
class PeriodFigures:
    """One shop's period; `dataclasses.asdict` gives JSON.

    against: None when nothing was asked for, or nothing is recorded of it.
    aligned: both periods have the same week days in the same order, so days are compared in pairs.
    series: {day, in, state, before_day, before, before_state, layout}; a count is None where it may not be shown.
    funnels: by section; '' is any.
    transitions: {from, to, steps, people, share, n}; flows: {place, from, to, people} of the first places of all paths.
    occupancy: {weekday 0 = Monday, hour, inside, in, days}; inside and in are means over the days.
    """

    shop: str
    period: Days
    against: Days | None
    aligned: bool
    currency: str
    simulated: bool
    breaks: list[Break]
    figures: dict[str, Compared]
    series: list[dict[str, Any]]
    zones: list[ZonePeriod]
    queues: list[QueuePeriod]
    funnels: dict[str, list[FunnelStep]]
    transitions: list[dict[str, Any]]
    flows: list[dict[str, Any]]
    paths: list[dict[str, Any]]
    occupancy: list[dict[str, Any]]
    gaps: list[dict[str, Any]]


def tables(found: PeriodFigures) -> dict[str, pa.Table]:
    """Every table that the period's page shows, as Arrow tables for CSV and Parquet: exactly what is shown, no more."""
    records: dict[str, Iterable[Mapping[str, Any]]] = {
        "figures": (_flat({"name": name}, figure) for name, figure in found.figures.items()),
        "series": found.series,
        "zones": _by_place(found.zones),
        "queues": _by_place(found.queues),
        "funnel": (
            {"zone": zone or "(any)", "step": step.step, "count": step.count}
            | _named("share", step.share)
            | _named("of_before", step.of_before)
            for zone, steps in found.funnels.items()
            for step in steps
        ),
        "transitions": found.transitions,
        "flows": found.flows,
        "paths": ({**row, "path": " > ".join(row["path"])} for row in found.paths),
        "occupancy": found.occupancy,
        "gaps": found.gaps,
        "breaks": ({**asdict(each), "zones": ", ".join(each.zones)} for each in found.breaks),
    }
    return {name: _with_key(pa.Table.from_pylist(list(rows)), found) for name, rows in records.items()}


def _by_place(places: Iterable[ZonePeriod | QueuePeriod]) -> Iterable[dict[str, Any]]:
    for place in places:
        for name in place.__slots__:
            figure = getattr(place, name)
            if isinstance(figure, Compared):
                yield _flat({"zone": place.zone, "zone_name": place.name, "name": figure.now.name}, figure)


def _flat(key: Mapping[str, Any], figure: Compared) -> dict[str, Any]:
    now, before = figure.now, figure.before
    row = {**key, "unit": now.unit, "value": now.value, "n": now.n, "low": now.low, "high": now.high, "note": now.note}
    for name in ("value", "n", "low", "high"):
        row[f"before_{name}"] = getattr(before, name) if before else None
    for name in ("value", "low", "high"):
        row[f"change_{name}"] = getattr(now.change, name) if now.change else None
    return row


def _named(prefix: str, figure: Compared) -> dict[str, Any]:
    now, before = figure.now, figure.before
    return {
        prefix: now.value,
        f"{prefix}_low": now.low,
        f"{prefix}_high": now.high,
        f"{prefix}_before": before.value if before else None,
        f"{prefix}_change": now.change.value if now.change else None,
        f"{prefix}_change_low": now.change.low if now.change else None,
        f"{prefix}_change_high": now.change.high if now.change else None,
    }


def _with_key(table: pa.Table, found: PeriodFigures) -> pa.Table:
    """Shop, period and whether the rows were simulated belong in every file that leaves the product."""
    key = (
        ("simulated", found.simulated),
        ("last", found.period.last),
        ("first", found.period.first),
        ("shop", found.shop),
    )
    for column, value in key:
        table = table.add_column(
            0, f"period_{column}" if column in ("first", "last") else column, _repeat(value, table)
        )
    return table


def _repeat(value: Any, table: pa.Table) -> pa.Array:
    return pa.array([value] * table.num_rows, pa.scalar(value).type)
