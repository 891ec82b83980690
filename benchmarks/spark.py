"""The chain's questions on DuckDB in one process and on a stand-alone Spark cluster of two workers: time, work, memory.

The larger the part of the lake that is asked about, the nearer the two come: the size is given in shop-days (100 shops
over 30 days are 3,000). `python -m benchmarks.spark --shops 1000 --days 30 --lake FOLDER` is the long form that
docs/how-to/outgrow-one-machine.md reports; it keeps its lake, and needs 3 GB of disk and an hour of two cores.
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import ibis
from rich.console import Console
from rich.table import Table

from benchmarks import large_chain
from benchmarks.spark_cluster import SparkCluster, cpu_s, peak_mb
from benchmarks.table import Report
from vitrina.floor.measures.chain import CHAIN, places
from vitrina.storage.lake import Lake
from vitrina.storage.spark import Spark, SparkLake, missing

END_DAY = date(2026, 3, 10)
DUCKDB_MB, EXECUTOR_MB = 8192, 1024
YEAR = 365

Asked = dict[str, tuple[float, float]]
"""Question → seconds, and seconds of processor in all processes."""


@dataclass(frozen=True, slots=True)
class Round:
    """One engine's answers to every question about the last `days`."""

    asked: Asked
    peak_mb: float

    @property
    def seconds(self) -> float:
        return sum(seconds for seconds, _ in self.asked.values())

    @property
    def work_s(self) -> float:
        return sum(work for _, work in self.asked.values())


def run() -> Report:
    with tempfile.TemporaryDirectory() as folder:
        return compare(Path(folder) / "lake", 100, 10)


def compare(path: Path, shops: int, days: int, *, spans: Sequence[int] = (1, 3, 10, 30)) -> Report:
    if reason := missing():
        raise SystemExit(reason)
    if not path.exists():
        large_chain.write(large_chain.open_lake(path, by_shop=False), shops, days, end_day=END_DAY)
    spans = [span for span in spans if span <= days]
    duckdb = dict(_on_duckdb(path, shops, spans))
    spark = dict(_on_spark(path, shops, spans))
    return Report(
        title=f"{len(CHAIN)} questions of the overview, {shops} simulated shops with a quarter of the demo's people",
        columns=[
            "shop-days",
            "DuckDB s",
            "Spark s",
            "DuckDB work s",
            "Spark work s",
            "work ratio",
            "DuckDB MB",
            "Spark MB",
        ],
        rows=[
            [
                f"{shops * span:,}",
                round(duckdb[span].seconds, 2),
                round(spark[span].seconds, 2),
                round(duckdb[span].work_s, 2),
                round(spark[span].work_s, 2),
                round(spark[span].work_s / duckdb[span].work_s, 1),
                round(duckdb[span].peak_mb),
                round(spark[span].peak_mb),
            ]
            for span in spans
        ]
        + _by_question(duckdb[spans[-1]], spark[spans[-1]]),
    )


def _by_question(duckdb: Round, spark: Round) -> list[list[object]]:
    return [
        [f"  {name}", *(round(each, 2) for each in (seconds, spark.asked[name][0], work, spark.asked[name][1])),
         round(spark.asked[name][1] / max(work, 1e-3), 1), "", ""]
        for name, (seconds, work) in duckdb.asked.items()
    ]  # fmt: skip


def _on_duckdb(path: Path, shops: int, spans: Sequence[int]) -> Iterator[tuple[int, Round]]:
    """Each size in a process of its own, so that its peak is its own."""
    for span in spans:
        with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
            yield span, pool.submit(_duckdb_round, path, shops, span).result()


def _duckdb_round(path: Path, shops: int, span: int) -> Round:
    lake = large_chain.open_lake(path, by_shop=False, memory_mb=DUCKDB_MB)
    _ask(lake, 30, 1, time.process_time)  # the process' first questions load the engine
    asked = _ask(lake, shops, span, time.process_time)
    return Round(asked, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def _on_spark(path: Path, shops: int, spans: Sequence[int]) -> Iterator[tuple[int, Round]]:
    with (
        SparkCluster(workers=2, memory_mb=EXECUTOR_MB + 512) as cluster,
        Spark(cluster.address, memory_mb=EXECUTOR_MB) as spark,
    ):
        lake = SparkLake(path, spark=spark, tables=large_chain.tables(("business_day",)))
        driver = spark.session.sparkContext._gateway.proc.pid

        def work() -> float:
            return time.process_time() + sum(map(cpu_s, (driver, *cluster.pids())))

        _ask(lake, 30, 1, work)
        for span in spans:
            yield span, Round(_ask(lake, shops, span, work), sum(map(peak_mb, (driver, *cluster.pids()))))


def _ask(lake: Lake, shops: int, span: int, work: Callable[[], float]) -> Asked:
    days = [END_DAY - timedelta(days=back) for back in range(span)]
    beside, asked = places(large_chain.shops(shops), days), {}
    for name, query in CHAIN.items():
        started, worked = time.perf_counter(), work()
        tables: dict[str, ibis.Table] = {
            table: lake.expr(table, days=(days[-1], days[0])) for table in large_chain.TABLES
        }
        query(tables | beside).to_pyarrow()
        asked[name] = (time.perf_counter() - started, work() - worked)
    return asked


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shops", type=int, default=1000)
    parser.add_argument("--days", type=int, default=30)
    parser.add_argument("--lake", type=Path, required=True, help="made when it is not there")
    parser.add_argument("--spans", type=int, nargs="+", default=[1, 3, 10, 30], help="ask about so many last days")
    options = parser.parse_args()
    report = compare(options.lake, options.shops, options.days, spans=options.spans)
    table = Table(*report.columns, title=report.title)
    for row in report.rows:
        table.add_row(*map(str, row))
    Console(width=140).print(table)


if __name__ == "__main__":
    main()
