from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from vitrina.storage.lake import Lake
from vitrina.storage.table import TableSpec, column

FIRST_DAY = date(2026, 6, 1)

SIGHTINGS = TableSpec(
    "sightings",
    pa.schema(
        [
            column("event_id", pa.string(), "Id of the row."),
            column("t", pa.timestamp("us", "UTC"), "When."),
            column("business_day", pa.date32(), "The shop's day."),
            column("shop_id", pa.string(), "Slug of the shop."),
            column("person_id", pa.string(), "Who."),
            column("dwell_s", pa.float64(), "How long, when it is known.", nullable=True),
        ]
    ),
    "Who was seen, for tests.",
    keep_days="visits_days",
)
OTHERS = TableSpec("others", SIGHTINGS.schema, "A second table, without a rule.")


@pytest.fixture
def spec() -> TableSpec:
    return SIGHTINGS


@pytest.fixture
def row() -> Callable[..., dict[str, Any]]:
    """row(7): the seventh row; every hundred rows a new day, shops in turn."""

    def make(number: int, **changed: Any) -> dict[str, Any]:
        day = FIRST_DAY + timedelta(days=number // 100)
        made = {
            "event_id": f"event-{number}",
            "t": datetime(day.year, day.month, day.day, 12, tzinfo=UTC) + timedelta(seconds=number % 100),
            "business_day": day,
            "shop_id": ("riga", "vilnius")[number % 2],
            "person_id": f"person-{number}",
            "dwell_s": number / 2,
        }
        return made | changed

    return make


@pytest.fixture
def make_lake(tmp_path: Path) -> Callable[..., Lake]:
    """Another view of the same lake, as another process would have it."""

    def make(**options: Any) -> Lake:
        return Lake(
            tmp_path / "lake", tables={"sightings": SIGHTINGS, "others": OTHERS}, **({"commit_s": 60.0} | options)
        )

    return make


@pytest.fixture
def lake(make_lake: Callable[..., Lake]) -> Iterator[Lake]:
    return make_lake()


@pytest.fixture
def traces(tmp_path: Path) -> Callable[[str], list[str]]:
    """Every file under the test's folder that holds a text, be it packed in Parquet; in names of files as well."""
    return lambda text: find_traces(tmp_path, text)


def find_traces(folder: Path, text: str) -> list[str]:
    import pyarrow.parquet as pq

    found = []
    for path in (path for path in folder.rglob("*") if path.is_file()):
        hit = text in str(path) or text.encode() in path.read_bytes()
        if path.suffix == ".parquet":
            hit = hit or text in str(pq.ParquetFile(path).read().to_pylist())
        if hit:
            found.append(str(path.relative_to(folder)))
    return found
