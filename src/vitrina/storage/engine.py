"""Which engine answers questions to the lake: DuckDB in this process, or Spark."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from vitrina.settings import Settings
from vitrina.storage.lake import Lake
from vitrina.storage.table import TableSpec


def open_lake(settings: Settings, tables: Mapping[str, TableSpec], *, engine: str = "duckdb") -> Lake:
    """The lake of these settings. engine: 'duckdb' or 'spark'; whoever only writes needs no other than the default.

    Raises MissingError when Spark is wanted and PySpark or Java is not there.
    """
    options: dict[str, Any] = {
        "tables": tables,
        "commit_s": settings.lake_commit_s,
        "commit_rows": settings.lake_commit_rows,
        "memory_mb": settings.query_memory_mb,
    }
    if engine == "duckdb":
        return Lake(settings.lake, **options)
    from vitrina.storage.spark import Spark, SparkLake

    spark = Spark(settings.spark_master, memory_mb=settings.spark_memory_mb)
    return SparkLake(settings.lake, spark=spark, **options)
