"""Cards of the measures: definition, query, what it hides, and for one shop the checks and the newest rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cache

import ibis

from vitrina.floor.layout import Shop
from vitrina.floor.measures.cards import MEASURES, Measure, measure
from vitrina.floor.measures.queries import Marks, Tables
from vitrina.floor.store import FLOOR_TABLES
from vitrina.storage.lake import Lake

CHECKED_DAYS = 28


@dataclass(frozen=True, slots=True)
class Checked:
    """A question whose answer should be 0, and its answer."""

    title: str
    found: int


@dataclass(frozen=True, slots=True)
class Loaded:
    """What a table holds of the shop: rows of the last four weeks, and when the newest of them happened."""

    table: str
    comment: str
    rows: int
    newest: datetime | None


@dataclass(frozen=True, slots=True)
class Lineage:
    """A measure's rows in one shop."""

    checks: tuple[Checked, ...]
    loads: tuple[Loaded, ...]


@cache
def unbound_tables() -> Tables:
    """The lake's tables by name and columns alone, to write queries for any engine."""
    return {name: ibis.table(ibis.Schema.from_pyarrow(spec.schema), name=name) for name, spec in FLOOR_TABLES.items()}


def query_text(card: Measure, shop: Shop | None) -> str:
    """The measure in SQL, as it is asked for `shop`; for a shop with one `entrance` when there is none."""
    marks = Marks.of(shop) if shop else Marks(("entrance",), ("tills",), ("street",), ("section",))
    return str(ibis.to_sql(card.query(unbound_tables(), marks), dialect="duckdb"))


def lineage(lake: Lake, card: Measure, shop: Shop, today: date) -> Lineage:
    days = (today - timedelta(days=CHECKED_DAYS - 1), today)
    tables: Mapping[str, ibis.Table] = {name: lake.expr(name, shop_id=shop.slug, days=days) for name in card.tables}
    checks = tuple(Checked(check.title, int(check.count(tables).to_pyarrow().as_py())) for check in card.checks)
    return Lineage(checks, tuple(_loaded(name, table) for name, table in tables.items()))


def _loaded(name: str, table: ibis.Table) -> Loaded:
    row = table.agg(rows=table.count(), newest=table.t.max()).to_pyarrow().to_pylist()[0]
    return Loaded(name, FLOOR_TABLES[name].comment, row["rows"], row["newest"])


__all__ = ["MEASURES", "Checked", "Lineage", "Loaded", "lineage", "measure", "query_text"]
