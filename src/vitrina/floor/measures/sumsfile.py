"""A file of sums: what a calendar month's days add up to, and for each day the fingerprint of what it was made of.

And the tables in it: by `business_day`, each day's rows to be taken out or replaced.
"""

from __future__ import annotations

import contextlib
import re
import tempfile
import time
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from vitrina.errors import StorageError
from vitrina.storage.table import PARTITION_MARK

Tables = Mapping[str, pa.Table]

PART, PART_S = ".part", 3600.0
"""How a file that is being written is called, and after how long nobody can be writing it any more."""

_DAY = re.compile(rf"{PARTITION_MARK}business_day=(\d{{4}}-\d\d-\d\d)")


def load(path: Path | None, schemas: Mapping[str, pa.Schema]) -> tuple[dict[date, str], Tables]:
    """By day its fingerprint, and the tables; nothing when it was kept by another version of us."""
    if path is None or not path.is_file():
        return {}, {}
    try:
        with pa.memory_map(str(path)) as source:
            kept, *tables = [pa.ipc.open_stream(source).read_all() for _ in range(1 + len(schemas))]
    except (pa.ArrowInvalid, OSError):
        return {}, {}
    if any(table.schema != schema for schema, table in zip(schemas.values(), tables, strict=True)):
        return {}, {}
    marks = zip(*(kept[name].to_pylist() for name in ("business_day", "fingerprint")), strict=True)
    return dict(marks), dict(zip(schemas, tables, strict=True))


def store(path: Path | None, tables: Tables, fingerprints: Mapping[date, str]) -> None:
    """Replace the month's file in one step, so that readers see the old one or the new one. Raises StorageError."""
    if path is None:
        return
    columns = {"business_day": pa.array(fingerprints, pa.date32()), "fingerprint": pa.array(fingerprints.values())}
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        _forget_parts(path.parent)
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".", suffix=PART, delete=False) as target:
            try:
                for table in (pa.table(columns), *tables.values()):
                    with pa.ipc.new_stream(target, table.schema) as stream:
                        stream.write_table(table)
                target.flush()
                Path(target.name).replace(path)
            except BaseException:
                Path(target.name).unlink(missing_ok=True)
                raise
    except OSError as error:
        raise StorageError(f"{path}: cannot keep the sums of {path.stem}: {error.strerror}") from error


def _forget_parts(folder: Path) -> None:
    """What processes that were killed left half-written."""
    for part in folder.glob(f".*{PART}"):
        with contextlib.suppress(FileNotFoundError):
            if time.time() - part.stat().st_mtime > PART_S:
                part.unlink()


def only(tables: Tables, days: Sequence[date]) -> dict[str, pa.Table]:
    """The rows of these days."""
    wanted = pa.array(days, pa.date32())

    def cut(table: pa.Table) -> pa.Table:
        inside = pc.is_in(table["business_day"], value_set=wanted)
        return table if pc.all(inside, min_count=0).as_py() else table.filter(inside)

    return {name: cut(table) for name, table in tables.items()}


def in_order(tables: Tables) -> dict[str, pa.Table]:
    return {name: table.sort_by("business_day") for name, table in tables.items()}


def in_utc(schema: pa.Schema) -> pa.Schema:
    """Times are in UTC, and said to be, whichever engine answered."""
    utc = pa.timestamp("us", "UTC")
    return pa.schema([field.with_type(utc) if pa.types.is_timestamp(field.type) else field for field in schema])


def day_of(file: str) -> date | None:
    """The business day whose rows a file of the lake holds, by the name of its partition."""
    named = _DAY.search(file)
    return date.fromisoformat(named[1]) if named else None


def by_month(days: Sequence[date]) -> dict[str, list[date]]:
    months: dict[str, list[date]] = {}
    for day in days:
        months.setdefault(f"{day:%Y-%m}", []).append(day)
    return months


def days_between(first: date, last: date) -> tuple[date, ...]:
    return tuple(first + timedelta(days=number) for number in range((last - first).days + 1))
