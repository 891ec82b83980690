"""What a table of the lake is: its columns with a comment each, how it is divided, how long its rows are kept. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, TypeAlias

import pyarrow as pa

from vitrina.errors import InputError

PARTITION_MARK = "part_"
"""Partitions are copies of columns under this prefix, so that the columns themselves stay in every data file."""

Rows: TypeAlias = pa.Table | Sequence[Mapping[str, Any]]


def column(name: str, kind: pa.DataType, comment: str, *, nullable: bool = False) -> pa.Field:
    return pa.field(name, kind, nullable=nullable, metadata={"comment": comment})


@dataclass(frozen=True)
class TableSpec:
    """One table. A later version may add columns, which older files do not have; it takes none away.

    keep_days: name of the setting that says how many business days are kept; None: for ever.
    """

    name: str
    schema: pa.Schema
    comment: str
    partition_by: tuple[str, ...] = ("shop_id", "business_day")
    keep_days: str | None = None

    @property
    def partitions(self) -> list[str]:
        return [PARTITION_MARK + name for name in self.partition_by]

    @property
    def stored_schema(self) -> pa.Schema:
        """The columns and the partitions, as Delta sees them."""
        copies = [self.schema.field(name).with_name(PARTITION_MARK + name) for name in self.partition_by]
        return pa.schema([*self.schema, *copies])

    def with_partitions(self, rows: pa.Table) -> pa.Table:
        """Rows as they are appended: without comments, as Delta refuses one that differs from the table's own, and a
        table keeps those that it was made with.
        """
        columns = [*rows.columns, *(rows.column(name) for name in self.partition_by)]
        return pa.table(columns, schema=pa.schema([field.remove_metadata() for field in self.stored_schema]))


def comment_of(field: pa.Field) -> str:
    return str((field.metadata or {}).get(b"comment", b""), "utf-8")


def conform(rows: Rows, spec: TableSpec) -> pa.Table:
    """The rows as a table of exactly the spec's columns and types.

    A table, as an earlier version may have left it on disk, need not have the columns that may be null. Raises
    InputError for missing and unknown columns, values that do not fit, nulls where none may be, and times without a
    zone.
    """
    table = _with_nulls(rows, spec) if isinstance(rows, pa.Table) else _from_records(rows, spec)
    _check_columns(set(table.column_names), spec)
    for field in spec.schema:
        _check_values(table.column(field.name), field, spec)
    try:
        return table.select(spec.schema.names).cast(spec.schema)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, ValueError) as error:
        raise InputError(f"lake table {spec.name}: a value does not fit: {error}") from error


def _with_nulls(table: pa.Table, spec: TableSpec) -> pa.Table:
    for field in spec.schema:
        if field.nullable and field.name not in table.column_names:
            table = table.append_column(field, pa.nulls(table.num_rows, field.type))
    return table


def _check_values(values: pa.ChunkedArray, field: pa.Field, spec: TableSpec) -> None:
    if values.null_count and not field.nullable:
        row = values.is_null().index(True).as_py()
        raise InputError(f"lake table {spec.name}: row {row} has no {field.name}; every row needs one")
    if pa.types.is_timestamp(field.type) and pa.types.is_timestamp(values.type) and values.type.tz is None:
        raise InputError(f"lake table {spec.name}: {field.name} is a time without a zone; give it in UTC")


def _from_records(rows: Sequence[Mapping[str, Any]], spec: TableSpec) -> pa.Table:
    times = [field.name for field in spec.schema if pa.types.is_temporal(field.type)]
    for number, row in enumerate(rows):
        _check_columns(row.keys(), spec)
        for name in times:
            _check_time(row[name], f"lake table {spec.name}: row {number}: {name}")
    nullable = pa.schema([field.with_nullable(True) for field in spec.schema])
    try:
        return pa.Table.from_pylist(list(rows), schema=nullable)
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise InputError(f"lake table {spec.name}: a value does not fit: {error}") from error


def _check_time(value: object, where: str) -> None:
    """Arrow would take a bare number for microseconds or days, and a time without a zone for UTC."""
    if value is not None and not isinstance(value, date):
        raise InputError(f"{where} does not fit: expected a time or a day, got {value!r}")
    if isinstance(value, datetime) and value.tzinfo is None:
        raise InputError(f"{where} is a time without a zone: {value!r}")


def _check_columns(names: Any, spec: TableSpec) -> None:
    expected = set(spec.schema.names)
    if names == expected:
        return
    missing, unknown = sorted(expected - names), sorted(names - expected)
    parts = [f"missing: {', '.join(missing)}"] * bool(missing) + [f"unknown: {', '.join(unknown)}"] * bool(unknown)
    raise InputError(f"lake table {spec.name}: wrong columns ({'; '.join(parts)})")
