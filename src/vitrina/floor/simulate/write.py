"""Edge: simulated rows into the lake, each exactly once however often they are asked for.

Days that are over go in large commits. Today goes by the hour: what has happened until the end of this hour, and the
rest with the next call, as if cameras were running.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime

import pyarrow as pa
import pyarrow.compute as pc

from vitrina.floor.layout import Shop
from vitrina.floor.simulate.chain import Chain, Rows
from vitrina.floor.store import FLOOR_TABLES
from vitrina.product import ShopClock
from vitrina.storage.lake import Lake

CHUNK_ROWS = 600_000  # a commit's size: few commits, and memory that does not grow with the chain
WITNESS = "visits"
TABLES = (*(name for name in FLOOR_TABLES if name != WITNESS), WITNESS)

ShopDay = tuple[str, date]
Written = dict[str, int]


@dataclass(slots=True)
class _Chunk:
    keys: list[ShopDay] = field(default_factory=list)
    rows: int = 0
    tables: dict[str, list[pa.Table]] = field(default_factory=lambda: {name: [] for name in TABLES})

    def add(self, name: str, rows: pa.Table) -> None:
        self.tables[name].append(rows)
        self.rows += rows.num_rows


def write_chain(lake: Lake, chain: Chain, *, on_day: Callable[[str, date], None] = lambda *_: None) -> Written:
    """Append the chain's rows; returns how many were new, by table.

    A day that is over and there already is left as it is: its visits, written last, say that it is whole.
    on_day: called for each shop's day that is done, for progress. Interrupted, it is simply run again.
    """
    written = dict.fromkeys(FLOOR_TABLES, 0)
    for chunk in _chunks(lake, chain, written):
        digest = hashlib.sha256(repr((chain.seed, chunk.keys)).encode()).hexdigest()[:24]
        for name in TABLES:
            if chunk.tables[name]:
                rows = pa.concat_tables(chunk.tables[name])
                lake.append(name, rows, writer_id=f"simulate-{digest}", batch_no=1)
                written[name] += rows.num_rows
        for shop_id, day in chunk.keys:
            on_day(shop_id, day)
    return written


def _chunks(lake: Lake, chain: Chain, written: Written) -> Iterator[_Chunk]:
    """Days that are over, gathered; days that are or were written by the hour are written on the way."""
    there = {name: _present(lake, name, (chain.days[0], chain.days[-1])) for name in TABLES}
    chunk = _Chunk()
    for shop, day, make_rows in chain.shop_days():
        key = (shop.slug, day)
        chunk.keys.append(key)
        if _by_the_hour(lake, chain, shop, day):
            _write_hours(lake, chain, shop, day, make_rows(), written)
        elif key not in there[WITNESS]:
            for name, rows in make_rows().items():
                if key not in there[name]:
                    chunk.add(name, rows)
        if chunk.rows >= CHUNK_ROWS:
            yield chunk
            chunk = _Chunk()
    yield chunk


def _present(lake: Lake, table: str, days: tuple[date, date]) -> set[ShopDay]:
    stored = lake.expr(table, days=days).select("shop_id", "business_day").distinct().to_pyarrow()
    return set(zip(stored["shop_id"].to_pylist(), stored["business_day"].to_pylist(), strict=True))


def _by_the_hour(lake: Lake, chain: Chain, shop: Shop, day: date) -> bool:
    """Whether this day is not over, or was begun when it was not."""
    if chain.until is None:
        return False
    return chain.until < _bounds(shop, day)[1] or lake.committed(WITNESS, _hour_writer(chain, shop, day)) is not None


def _write_hours(lake: Lake, chain: Chain, shop: Shop, day: date, rows: Rows, written: Written) -> None:
    """Append what is not there yet of the hours that have begun. A batch's number is the hour it goes up to."""
    writer_id = _hour_writer(chain, shop, day)
    end = _bounds(shop, day)[1] if chain.until is None else min(_bounds(shop, day)[1], chain.until)
    until = -int(-end.timestamp() // 3600)
    for name in TABLES:
        since = lake.committed(name, writer_id) or 0
        new = rows[name].filter(_between(rows[name]["t"], since, until))
        if new.num_rows and since < until:
            lake.append(name, new, writer_id=writer_id, batch_no=until)
            written[name] += new.num_rows


def _between(t: pa.ChunkedArray, since_hour: int, until_hour: int) -> pa.ChunkedArray:
    first, last = (
        pa.scalar(datetime.fromtimestamp(hour * 3600, UTC), pa.timestamp("us", "UTC"))
        for hour in (since_hour, until_hour)
    )
    return pc.and_(pc.greater_equal(t, first), pc.less(t, last))


def _bounds(shop: Shop, day: date) -> tuple[datetime, datetime]:
    return ShopClock(shop.timezone, shop.day_starts).day_bounds(day)


def _hour_writer(chain: Chain, shop: Shop, day: date) -> str:
    return f"simulate-{chain.seed}-{shop.slug}-{day}"
