"""The lake: rows a second into it, and the time of a question before and after compaction."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path

import pyarrow as pa

from benchmarks.table import Report
from vitrina.floor.store import FLOOR_TABLES
from vitrina.product import new_id
from vitrina.storage.lake import Lake

SHOP, DAY = "bench", date(2026, 3, 10)
START = datetime(2026, 3, 10, 9, tzinfo=UTC)
COMMITS, ROWS_PER_COMMIT = 349, 200  # about an hour of one camera that commits every 10 s
ADDS = 500
COMPACTED_S, FASTER, SPOOLED_PER_S = 0.1, 3.0, 100.0


def run() -> Report:
    with tempfile.TemporaryDirectory() as folder:
        lake = Lake(Path(folder) / "lake", tables=FLOOR_TABLES)
        add_s = _spool(lake)
        commit_s = _commit(lake)
        _ask(lake)  # the process' first question loads the engine
        before_s, files = _median_s(lambda: _ask(lake)), len(lake.files("positions"))
        compact_s = _seconds(lambda: lake.compact(grace_s=0))
        after_s, files_after = _median_s(lambda: _ask(lake)), len(lake.files("positions"))
    return Report(
        title=f"The lake: {COMMITS} commits of {ROWS_PER_COMMIT} positions, then one question for a shop's day",
        columns=["step", "seconds", "rows", "files"],
        rows=[
            ["spool one row, safe on disk (median)", round(add_s, 5), 1, ""],
            ["commit (median)", round(commit_s, 4), ROWS_PER_COMMIT, 1],
            ["question, small files (median)", round(before_s, 4), COMMITS * ROWS_PER_COMMIT, files],
            ["compaction", round(compact_s, 3), COMMITS * ROWS_PER_COMMIT, files_after],
            ["question, compacted (median)", round(after_s, 4), COMMITS * ROWS_PER_COMMIT, files_after],
        ],
        bars=[
            ("question, compacted, s", after_s, f"≤ {COMPACTED_S}", after_s <= COMPACTED_S),
            ("faster by compaction", before_s / after_s, f"≥ {FASTER:g}", before_s / after_s >= FASTER),
            ("rows spooled one by one, per s", 1 / add_s, f"≥ {SPOOLED_PER_S:g}", 1 / add_s >= SPOOLED_PER_S),
        ],
    )


def _spool(lake: Lake) -> float:
    """Seconds for one row to be safe on disk."""
    rows = _positions(0, ADDS)
    with lake.writer("positions", "spooling") as writer:
        return statistics.median(_seconds(partial(writer.add, rows.slice(at, 1))) for at in range(ADDS))


def _commit(lake: Lake) -> float:
    """Seconds of one commit."""
    taken = []
    for batch in range(COMMITS):
        rows = _positions(batch, ROWS_PER_COMMIT)
        taken.append(_seconds(partial(lake.append, "positions", rows, writer_id="committing", batch_no=batch)))
    return statistics.median(taken)


def _ask(lake: Lake) -> None:
    """How many people were in each square metre, the question behind a heat map."""
    positions = lake.expr("positions", shop_id=SHOP, days=(DAY, DAY))
    cells = positions.group_by(x_m=positions.x_cm // 100, y_m=positions.y_cm // 100)
    cells.agg(n=positions.person_id.nunique()).to_pyarrow()


def _positions(batch: int, count: int) -> pa.Table:
    times = [START + timedelta(seconds=10 * batch, milliseconds=50 * number) for number in range(count)]
    columns = {
        "event_id": [new_id() for _ in range(count)],
        "t": times,
        "business_day": [DAY] * count,
        "shop_id": [SHOP] * count,
        "layout_id": ["layout"] * count,
        "simulated": [True] * count,
        "camera_id": ["camera"] * count,
        "person_id": [f"person-{batch // 6}-{number % 20}" for number in range(count)],
        "x_cm": [(37 * number + 11 * batch) % 2000 for number in range(count)],
        "y_cm": [(53 * number + 7 * batch) % 1200 for number in range(count)],
    }
    return pa.table(columns, schema=FLOOR_TABLES["positions"].schema)


def _median_s(action: Callable[[], object], times: int = 7) -> float:
    return statistics.median(_seconds(action) for _ in range(times))


def _seconds(action: Callable[[], object]) -> float:
    start = time.perf_counter()
    action()
    return time.perf_counter() - start
