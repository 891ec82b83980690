"""A day's tables as files for other systems: what the pages show, the chain side by side, the lake's own rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date

import pyarrow as pa

from vitrina.floor.layout import Shop
from vitrina.floor.measures.figures import DayFigures, tables
from vitrina.floor.measures.running import Expressions
from vitrina.floor.store import FLOOR_TABLES
from vitrina.outlet.export import Part

SHOWN = ("figures", "hourly", "occupancy", "zones", "queues", "gaps", "heat", "paths", "transitions")
CHAIN = "chain"
RAW = "lake."
TABLES: Mapping[str, str] = {
    CHAIN: "figures",
    **dict.fromkeys(SHOWN, "figures"),
    **{RAW + name: "lake" for name in FLOOR_TABLES},
}
"""Every table that an export may name, and what it comes from."""

_TEXT = frozenset(
    "shop day name unit note zone zone_name hour t camera start until reason path from to".split()  # noqa: SIM905
)
_COUNT = frozenset({"n", "people", "in", "out", "x_cm", "y_cm"})


def rights_needed(chosen: Iterable[str]) -> frozenset[str]:
    """The actions that somebody needs in every shop of an export of these tables."""
    kinds = {TABLES[table] for table in chosen if table in TABLES}
    return frozenset({"figures": "figures.export", "lake": "lake.sql"}[kind] for kind in kinds)


def parts(
    lake: Expressions,
    days: Iterable[tuple[Shop, DayFigures | None]],
    chosen: Sequence[str],
    day: date,
) -> Iterator[Part]:
    """days: the shops with their figures of this day; None where no table of figures was chosen."""
    chain: list[pa.Table] = []
    for shop, figures in days:
        if figures is not None:
            shown = {name: typed(table) for name, table in tables(figures).items()}
            chain.append(shown["figures"])
            yield from (Part(shop.slug, name, shown[name]) for name in SHOWN if name in chosen)
        for name in FLOOR_TABLES:
            if RAW + name in chosen:
                rows = lake.expr(name, shop_id=shop.slug, days=(day, day))
                yield Part(shop.slug, RAW + name, rows.order_by("t", "event_id").to_pyarrow())
    if CHAIN in chosen and chain:
        yield Part(CHAIN, "figures", pa.concat_tables(chain, promote_options="default"))


def typed(table: pa.Table) -> pa.Table:
    """The same types each day, also where a column has no value on this one."""
    schema = pa.schema([(field.name, _type(field)) for field in table.schema])
    return table.cast(schema)


def _type(field: pa.Field) -> pa.DataType:
    if field.name in _TEXT:
        return pa.string()
    if field.name == "simulated":
        return pa.bool_()
    return pa.int64() if field.name in _COUNT else pa.float64()
