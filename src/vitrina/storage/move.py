"""Move everything that people edited from one database to another: from SQLite to PostgreSQL, when a chain grows."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from vitrina.errors import ConflictError
from vitrina.storage.database import Database

_ROWS_AT_ONCE = 1000


def copy_database(source: Database, target: Database) -> dict[str, int]:
    """Copy every row of every table, all or nothing; gives how many, by table. Stop `vitrina up` before.

    Both are brought to the newest schema first. Raises ConflictError when the target holds rows already.
    """
    source.migrate()
    target.migrate()
    schema = sa.MetaData()
    with target.session() as writing, source.reading() as reading:
        schema.reflect(writing.connection())
        tables = [table for table in schema.sorted_tables if table.name != "alembic_version"]
        filled = [table.name for table in tables if writing.scalar(sa.select(sa.func.count()).select_from(table))]
        if filled:
            raise ConflictError(f"the target database is not empty: {', '.join(filled)}; give it a new one")
        return {table.name: _copy_table(table, reading, writing) for table in tables}


def _copy_table(table: sa.Table, reading: Session, writing: Session) -> int:
    source = sa.Table(table.name, sa.MetaData(), autoload_with=reading.connection())
    count = 0
    for rows in reading.execute(sa.select(source)).mappings().partitions(_ROWS_AT_ONCE):
        writing.execute(sa.insert(table), [{name: _zoned(value) for name, value in row.items()} for row in rows])
        count += len(rows)
    if writing.get_bind().dialect.name == "postgresql":
        _advance_counter(table, writing)
    return count


def _zoned(value: Any) -> Any:
    """SQLite keeps times in UTC without saying so."""
    return value.replace(tzinfo=UTC) if isinstance(value, datetime) and value.tzinfo is None else value


def _advance_counter(table: sa.Table, writing: Session) -> None:
    """Rows brought their numbers along; the next one must get a number above them."""
    for column in table.primary_key:
        counter = writing.scalar(sa.select(sa.func.pg_get_serial_sequence(table.name, column.name)))
        if counter is not None:
            writing.execute(sa.select(sa.func.setval(counter, sa.func.max(column))).having(sa.func.count() > 0))
