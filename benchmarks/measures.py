"""A shop's day from the lake: the demo chain (3 shops × 28 days) and a year of one shop, after the first question."""

from __future__ import annotations

import statistics
import tempfile
import time
from datetime import date, timedelta
from pathlib import Path

from benchmarks.table import Report
from vitrina.floor.layout import Shop
from vitrina.floor.measures.day import day_figures
from vitrina.floor.simulate.chain import Chain, simulate_chain
from vitrina.floor.simulate.write import write_chain
from vitrina.floor.store import FLOOR_TABLES
from vitrina.storage.lake import Lake

END_DAY = date(2026, 3, 10)
ASKED = 7  # days asked for, one after the other, in each shop
DEMO_S, YEAR_S, FILL_S, SIZE_MB = 0.3, 1.0, 20.0, 60.0


def run() -> Report:
    with tempfile.TemporaryDirectory() as folder:
        demo, fill_s, demo_s = _measure(Path(folder) / "demo", simulate_chain(3, 28, end_day=END_DAY))
        size_mb = sum(file.stat().st_size for file in (Path(folder) / "demo").rglob("*") if file.is_file()) / 1e6
        year, year_fill_s, year_s = _measure(Path(folder) / "year", simulate_chain(1, 365, end_day=END_DAY))
    return Report(
        title="One day's figures, seconds from the question to the answer, in a warm process",
        columns=["lake", "rows", "filled in s", "median s", "slowest s"],
        rows=[
            ["3 shops × 28 days", demo, round(fill_s, 1), statistics.median(demo_s), max(demo_s)],
            ["1 shop × 365 days", year, round(year_fill_s, 1), statistics.median(year_s), max(year_s)],
        ],
        bars=[
            ("demo chain, median day", statistics.median(demo_s), f"≤ {DEMO_S}", statistics.median(demo_s) <= DEMO_S),
            ("year of one shop, slowest day", max(year_s), f"≤ {YEAR_S}", max(year_s) <= YEAR_S),
            ("demo chain filled, s", fill_s, f"≤ {FILL_S}", fill_s <= FILL_S),
            ("demo chain on disk, MB", size_mb, f"≤ {SIZE_MB}", size_mb <= SIZE_MB),
        ],
    )


def _measure(home: Path, chain: Chain) -> tuple[int, float, list[float]]:
    """Rows, seconds to fill the lake, and seconds of each question after the process' first."""
    lake = Lake(home / "lake", tables=FLOOR_TABLES)
    start = time.perf_counter()
    rows = sum(write_chain(lake, chain).values())
    fill_s = time.perf_counter() - start
    day_figures(lake, chain.shops[0], END_DAY)
    days = [END_DAY - timedelta(days=back) for back in range(ASKED)]
    return rows, fill_s, [_seconds(lake, shop, day) for shop in chain.shops for day in days]


def _seconds(lake: Lake, shop: Shop, day: date) -> float:
    start = time.perf_counter()
    day_figures(lake, shop, day)
    return time.perf_counter() - start
