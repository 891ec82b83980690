"""The rows of a few days of one shop, read once with one query per table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import date
from typing import Protocol

import ibis
import pyarrow as pa
import pyarrow.compute as pc
from ibis import _

from vitrina.floor import queries
from vitrina.floor.queries import Marks, Tables


@dataclass(frozen=True, slots=True)
class DayRows:
    """One business day of one shop. Staff are left out, receipts appear once, heat is summed over the day.

    crossings  t, line_id, camera_id, direction, role, person_id, layout_id, simulated     of entrance lines
    visits     t, left_t, zone_id, person_id, dwell_s, role, layout_id, simulated
    waits      t, ended_t, zone_id, person_id, wait_s, outcome
    receipts   t, total_minor, currency
    presence   t, camera_id, watched_s
    gaps       t, until_t, camera_id, gap_s, reason
    heat       cell_cm, ix, iy, seconds
    """

    crossings: pa.Table
    visits: pa.Table
    waits: pa.Table
    receipts: pa.Table
    presence: pa.Table
    gaps: pa.Table
    heat: pa.Table

    def until(self, moment_us: int) -> DayRows:
        """The rows that began before a moment (µs since the epoch); heat has no finer time and stays whole."""
        cut = pa.scalar(moment_us, pa.int64()).cast(pa.timestamp("us", "UTC"))
        return DayRows(
            **{
                name: rows.filter(pc.less(rows["t"], cut)) if "t" in rows.column_names else rows
                for name, rows in ((entry.name, getattr(self, entry.name)) for entry in fields(self))
            }
        )

    @property
    def empty(self) -> bool:
        return not any(getattr(self, entry.name).num_rows for entry in fields(self))


class Expressions(Protocol):
    """What the lake offers: a table of one shop and some days as an Ibis expression."""

    def expr(self, table: str, *, shop_id: str | None = None, days: tuple[date, date] | None = None) -> ibis.Table: ...


TABLES = tuple(entry.name for entry in fields(DayRows))


def lake_tables(lake: Expressions, shop_id: str, first: date, last: date) -> Tables:
    """The tables that a day's figures are made of, from the partitions of these days alone."""
    return {name: lake.expr(name, shop_id=shop_id, days=(first, last)) for name in TABLES}


def read_rows(tables: Tables, marks: Marks, days: Sequence[date], *, heat_of: date) -> dict[date, DayRows]:
    """The rows of each of `days`; heat of one day only, because only one is drawn."""
    wanted = {name: table.filter(_.business_day.isin(list(days))) for name, table in tables.items()}
    heat = tables["heat"].filter(_.business_day == heat_of)
    expressions = {
        "crossings": queries.entrance_crossings(wanted, marks).select(
            "business_day", "t", "line_id", "camera_id", "direction", "role", "person_id", "layout_id", "simulated"
        ),
        "visits": queries.customer_visits(wanted).select(
            "business_day", "t", "left_t", "zone_id", "person_id", "dwell_s", "role", "layout_id", "simulated"
        ),
        "waits": wanted["waits"].select("business_day", "t", "ended_t", "zone_id", "person_id", "wait_s", "outcome"),
        "receipts": queries.receipts(wanted).select("business_day", "t", "total_minor", "currency"),
        "presence": wanted["presence"].select("business_day", "t", "camera_id", "watched_s"),
        "gaps": wanted["gaps"].select("business_day", "t", "until_t", "camera_id", "gap_s", "reason"),
        "heat": heat.group_by("business_day", "cell_cm", "ix", "iy").agg(seconds=_.seconds.sum()),
    }
    read = {name: expression.to_pyarrow() for name, expression in expressions.items()}
    return {
        day: DayRows(**{name: table.filter(pc.equal(table["business_day"], day)) for name, table in read.items()})
        for day in days
    }
