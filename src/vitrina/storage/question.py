"""DuckDB over lists of Parquet files: nothing is downloaded, and a stranger's SQL reads those files and no others."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import duckdb
import pyarrow as pa

from vitrina.errors import DeniedError, InputError, LimitError
from vitrina.storage.table import TableSpec

_TYPES = {
    pa.string(): "VARCHAR",
    pa.bool_(): "BOOLEAN",
    pa.int32(): "INTEGER",
    pa.int64(): "BIGINT",
    pa.float64(): "DOUBLE",
    pa.date32(): "DATE",
    pa.timestamp("us", "UTC"): "TIMESTAMPTZ",
}
"""Types that a table of the lake may have, and their names in DuckDB."""


def open_duckdb(*, memory_mb: int, threads: int | None) -> duckdb.DuckDBPyConnection:
    """A database in memory that never loads an extension and never spills rows into files."""
    config: dict[str, str | bool | int | float | list[str]] = {
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
        "python_enable_replacements": False,
        # It keeps nothing of local files but a kilobyte for each that was ever read, for as long as the process lives.
        "enable_external_file_cache": False,
        "memory_limit": f"{memory_mb}MB",
        "temp_directory": "",
    }
    if threads is not None:
        config["threads"] = threads
    # It says so of each answer of `execute` that becomes Arrow; ours are small.
    warnings.filterwarnings("ignore", message="Arrow output on a DB-API result", category=UserWarning)
    connection = duckdb.connect(":memory:", config=config)
    connection.execute("SET GLOBAL TimeZone='UTC'")
    return connection


def select_files(spec: TableSpec, files: Sequence[str], *, grown: bool = False) -> str:
    """SQL that gives the table's columns out of these files, and the same columns without rows when there are none.

    grown: files may lack columns, which are null in their rows; it takes a look at each file before the first row.
    """
    nothing = ", ".join(f'CAST(NULL AS {_TYPES[field.type]}) AS "{field.name}"' for field in spec.schema)
    if not files:
        return f"SELECT {nothing} WHERE FALSE"
    columns = ", ".join(f'"{name}"' for name in spec.schema.names)
    if not grown:
        return f"SELECT {columns} FROM read_parquet({_list(files)}, hive_partitioning=false)"  # noqa: S608 - our own files
    rows = f"read_parquet({_list(files)}, hive_partitioning=false, union_by_name=true)"
    return f"SELECT {columns} FROM (SELECT {nothing} WHERE FALSE UNION ALL BY NAME FROM {rows})"  # noqa: S608


def ask(
    query: str,
    tables: Mapping[str, tuple[TableSpec, Sequence[str], bool]],
    *,
    memory_mb: int,
    threads: int | None,
    timeout_s: float,
    max_rows: int,
) -> pa.Table:
    """The answer to one SELECT over the given tables: each with its files and whether they may lack columns.

    Raises InputError for anything but one SELECT and for mistakes in it, DeniedError when it reaches for another file,
    LimitError when it needs too much memory, time or rows.
    """
    with open_duckdb(memory_mb=memory_mb, threads=threads) as connection:
        for name, (spec, files, grown) in tables.items():
            connection.execute(f'CREATE VIEW "{name}" AS {select_files(spec, files, grown=grown)}')
        connection.execute(f"SET allowed_paths={_list([file for _, files, _ in tables.values() for file in files])}")
        connection.execute("SET enable_external_access=false")
        connection.execute("SET lock_configuration=true")
        with _explained(timeout_s, memory_mb), _interrupted_after(connection, timeout_s):
            _check_select(connection, query)
            return _first_rows(connection.sql(query), max_rows)


def ask_rows(
    query: str, tables: Mapping[str, pa.Table], *, memory_mb: int, threads: int | None, timeout_s: float, max_rows: int
) -> pa.Table:
    """The answer to one SELECT over tables that are in memory, and over nothing else. Raises as `ask` does."""
    with open_duckdb(memory_mb=memory_mb, threads=threads) as connection:
        for name, rows in tables.items():
            connection.register(name, rows)
        connection.execute("SET enable_external_access=false")
        connection.execute("SET lock_configuration=true")
        with _explained(timeout_s, memory_mb), _interrupted_after(connection, timeout_s):
            _check_select(connection, query)
            return _first_rows(connection.sql(query), max_rows)


def _first_rows(answer: duckdb.DuckDBPyRelation, max_rows: int) -> pa.Table:
    reader: pa.RecordBatchReader = answer.to_arrow_reader(10_000)
    batches, rows = [], 0
    for batch in reader:
        batches.append(batch)
        rows += batch.num_rows
        if rows > max_rows:
            raise LimitError(f"the answer has more than {max_rows} rows; add a LIMIT or group the rows")
    return pa.Table.from_batches(batches, reader.schema)


def _check_select(connection: duckdb.DuckDBPyConnection, query: str) -> None:
    statements = connection.extract_statements(query)
    if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
        kinds = ", ".join(statement.type.name for statement in statements) or "nothing"
        raise InputError(f"expected one SELECT, got {kinds}; the lake can only be read")


@contextmanager
def _interrupted_after(connection: duckdb.DuckDBPyConnection, timeout_s: float) -> Iterator[None]:
    timer = threading.Timer(timeout_s, connection.interrupt)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        timer.join()


@contextmanager
def _explained(timeout_s: float, memory_mb: int) -> Iterator[None]:
    try:
        yield
    except duckdb.PermissionException as error:
        raise DeniedError("SQL may read the tables of the lake, and no file, address or setting besides") from error
    except duckdb.InterruptException as error:
        raise LimitError(f"the question took longer than {timeout_s:g} s; ask for fewer days or shops") from error
    except duckdb.OutOfMemoryException as error:
        raise LimitError(
            f"the question needs more than {memory_mb} MB; ask for fewer days, or raise query_memory_mb"
        ) from error
    except duckdb.Error as error:
        raise InputError(f"SQL: {error}") from error


def _list(files: Sequence[str]) -> str:
    return "[" + ", ".join("'" + file.replace("'", "''") + "'" for file in files) + "]"
