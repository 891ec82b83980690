from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

import pyarrow as pa
import pytest

from vitrina.errors import InputError
from vitrina.storage.table import TableSpec, conform

Row = Callable[..., dict[str, Any]]


def test_records_become_a_table_of_exactly_the_specs_types(spec: TableSpec, row: Row) -> None:
    table = conform([row(1), row(2, dwell_s=None)], spec)
    assert table.schema.equals(spec.schema)
    assert table.column("dwell_s").to_pylist() == [0.5, None]


def test_a_table_with_its_columns_in_another_order_and_kind_is_put_right(spec: TableSpec, row: Row) -> None:
    given = pa.Table.from_pylist([row(1, dwell_s=3)])
    given = given.select(given.column_names[::-1])
    assert conform(given, spec).to_pylist() == [row(1, dwell_s=3.0)]


def test_wrong_columns_are_named(spec: TableSpec, row: Row) -> None:
    wrong = row(1, colour="red")
    del wrong["t"]
    with pytest.raises(InputError, match="missing: t; unknown: colour"):
        conform([wrong], spec)
    with pytest.raises(InputError, match="unknown: colour"):
        conform(pa.Table.from_pylist([row(1, colour="red")]), spec)


def test_a_null_where_none_may_be_is_refused_with_its_row(spec: TableSpec, row: Row) -> None:
    with pytest.raises(InputError, match="row 1 has no person_id"):
        conform([row(1), row(2, person_id=None)], spec)


def test_a_time_without_a_zone_is_refused(spec: TableSpec, row: Row) -> None:
    with pytest.raises(InputError, match="row 0: t is a time without a zone"):
        conform([row(1, t=datetime(2026, 6, 1))], spec)
    naive = pa.Table.from_pylist([row(1)]).cast(
        pa.schema([f if f.name != "t" else f.with_type(pa.timestamp("us")) for f in spec.schema])
    )
    with pytest.raises(InputError, match="time without a zone"):
        conform(naive, spec)


@pytest.mark.parametrize(("name", "value"), [("dwell_s", "long"), ("t", "noon"), ("business_day", 1.5)])
def test_a_value_of_another_kind_is_refused(spec: TableSpec, row: Row, name: str, value: object) -> None:
    with pytest.raises(InputError, match="does not fit"):
        conform([row(1, **{name: value})], spec)
