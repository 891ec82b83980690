"""Edge: simulated rows into the lake, each shop's each day exactly once however often it is asked for."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date

import pyarrow as pa

from vitrina.floor.simulate.chain import Chain
from vitrina.floor.store import FLOOR_TABLES
from vitrina.storage.lake import Lake

CHUNK_ROWS = 600_000  # a commit's size: few commits, and memory that does not grow with the chain

WITNESS = "visits"
TABLES = (*(name for name in FLOOR_TABLES if name != WITNESS), WITNESS)

ShopDay = tuple[str, date]


@dataclass(slots=True)
class _Chunk:
    keys: list[ShopDay] = field(default_factory=list)
    rows: int = 0
    tables: dict[str, list[pa.Table]] = field(default_factory=lambda: {name: [] for name in FLOOR_TABLES})


def write_chain(lake: Lake, chain: Chain, *, on_day: Callable[[str, date], None] = lambda *_: None) -> dict[str, int]:
    """Append the chain's rows; returns how many were new, by table.

    A shop-day that is there already is left as it is: its visits, written last, say that it is whole. on_day: called
    for each shop's day that is done, for progress. Interrupted, it is simply run again.
    """
    shops = {shop.slug for shop in chain.shops}
    there = {name: _present(lake, name, shops, (chain.days[0], chain.days[-1])) for name in FLOOR_TABLES}
    written = dict.fromkeys(FLOOR_TABLES, 0)
    for chunk in _chunks(chain, there):
        digest = hashlib.sha256(repr((chain.seed, chunk.keys)).encode()).hexdigest()[:24]
        for name in TABLES:
            parts = chunk.tables[name]
            rows = pa.concat_tables(parts) if parts else FLOOR_TABLES[name].schema.empty_table()
            if rows.num_rows:
                lake.append(name, rows, writer_id=f"simulate-{digest}", batch_no=1)
                written[name] += rows.num_rows
        for shop_id, day in chunk.keys:
            on_day(shop_id, day)
    return written


def _present(lake: Lake, table: str, shops: set[str], days: tuple[date, date]) -> set[ShopDay]:
    stored = lake.expr(table, days=days).select("shop_id", "business_day").distinct().to_pyarrow()
    pairs = zip(stored["shop_id"].to_pylist(), stored["business_day"].to_pylist(), strict=True)
    return {(shop_id, day) for shop_id, day in pairs if shop_id in shops}


def _chunks(chain: Chain, there: dict[str, set[ShopDay]]) -> Iterator[_Chunk]:
    chunk = _Chunk()
    for shop, day, make_rows in chain.shop_days():
        key = (shop.slug, day)
        chunk.keys.append(key)
        missing = [] if key in there[WITNESS] else [name for name in TABLES if key not in there[name]]
        rows = make_rows() if missing else {}
        for name in missing:
            chunk.tables[name].append(rows[name])
            chunk.rows += rows[name].num_rows
        if chunk.rows >= CHUNK_ROWS:
            yield chunk
            chunk = _Chunk()
    yield chunk
