"""A chain of a thousand simulated shops as lake rows, fast: some thirty shops are simulated, the others vary them.

Every shop has its own share of its model's people and its own event ids; people's ids are random within a day, and days
do not share them, so nothing joins what should not be joined. All rows are marked as simulated. The chain's pages do
not read positions and heat, so there are none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from vitrina.floor.layout import Shop
from vitrina.floor.simulate.chain import simulate_day
from vitrina.floor.simulate.ids import event_ids
from vitrina.floor.simulate.plan import Profile, profiles, shop
from vitrina.floor.store import FLOOR_TABLES
from vitrina.storage.lake import Lake
from vitrina.storage.table import TableSpec

TABLES = ("crossings", "visits", "waits", "receipts", "presence", "gaps")
MODELS = 30
VISITORS_OF = 0.25
"""Small shops: a quarter of the demo chain's people, about 180 entries a day."""
LEAST_SHARE = 0.6


def tables(partition_by: tuple[str, ...]) -> dict[str, TableSpec]:
    return {name: replace(FLOOR_TABLES[name], partition_by=partition_by) for name in TABLES}


def shops(count: int) -> tuple[Shop, ...]:
    return tuple(shop(profile) for profile in _profiles(count))


def write(lake: Lake, count: int, days: int, *, end_day: date, seed: int = 1) -> int:
    """A commit per table and day; gives how many rows."""
    chain, rows = _profiles(count), 0
    for back in range(days):
        day = end_day - timedelta(days=back)
        models = [_model(profile, day, seed) for profile in chain[:MODELS]]
        rng = np.random.default_rng([seed, day.toordinal()])
        for name in TABLES:
            written = pa.concat_tables([FLOOR_TABLES[name].schema.empty_table(), *_parts(models, name, chain, rng)])
            lake.append(name, written, writer_id="large-chain", batch_no=back + 1)
            rows += written.num_rows
    return rows


def _profiles(count: int) -> tuple[Profile, ...]:
    return tuple(replace(each, visitors=each.visitors * VISITORS_OF, has_gap=True) for each in profiles(count))


def _model(profile: Profile, day: date, seed: int) -> Mapping[str, pa.Table]:
    return simulate_day(profile, day, layout_id=f"{profile.slug}-1", seed=seed, last_day=day, with_positions=False)


def _parts(
    models: list[Mapping[str, pa.Table]], name: str, chain: tuple[Profile, ...], rng: np.random.Generator
) -> list[pa.Table]:
    """Block after block of as many shops as there are models."""
    schema = FLOOR_TABLES[name].schema
    model = np.repeat(np.arange(len(models)), [each[name].num_rows for each in models])
    whole = pa.concat_tables([each[name] for each in models]).combine_chunks()
    times = whole["t"].cast(pa.int64()).to_numpy()
    person = _codes(whole, "person_id") if "person_id" in schema.names else np.arange(len(times))
    found = []
    for start in range(0, len(chain), MODELS):
        block = chain[start : start + MODELS]
        share = rng.uniform(LEAST_SHARE, 1.0, len(models)) if name not in ("presence", "gaps") else np.ones(len(models))
        keep = (model < len(block)) & (rng.random(int(person.max(initial=0)) + 1)[person] < share[model])
        slugs = pa.array([profile.slug for profile in block], pa.string())
        part = whole.filter(pa.array(keep))
        columns = {
            "shop_id": slugs.take(pa.array(model[keep])),
            "event_id": event_ids(times[keep], rng),
            "layout_id": pa.array([f"{profile.slug}-1" for profile in block]).take(pa.array(model[keep])),
        }
        arrays = [columns.get(field.name, part[field.name]) for field in schema]
        found.append(pa.Table.from_arrays(arrays, schema=schema))
    return found


def _codes(rows: pa.Table, column: str) -> NDArray[np.int64]:
    codes: NDArray[np.int64] = rows[column].combine_chunks().dictionary_encode().indices.to_numpy().astype(np.int64)
    return codes


def open_lake(path: Path, *, by_shop: bool, memory_mb: int = 512) -> Lake:
    """by_shop: in the product's layout, else with a partition per day alone."""
    partition_by = ("shop_id", "business_day") if by_shop else ("business_day",)
    return Lake(path, tables=tables(partition_by), memory_mb=memory_mb)
