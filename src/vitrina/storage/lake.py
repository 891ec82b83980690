"""The lake: things that happened, as append-only rows in Delta tables that every engine can read.

    lake = Lake(settings.lake, tables=FLOOR_TABLES)
    with lake.writer("crossings", "camera-3") as writer:
        writer.add([{...}])
    lake.expr("crossings", shop_id="riga-1", days=(first, last)).count().execute()

`add` returns when the rows are on this machine's disk; they reach the table within `commit_s`, each exactly once.
"""

from __future__ import annotations

import hashlib
import re
import threading
import time
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import pyarrow as pa

from vitrina.errors import ConflictError, InputError, NotFoundError
from vitrina.storage import question
from vitrina.storage.delta import DeltaFolder, literal
from vitrina.storage.spool import Spool
from vitrina.storage.table import PARTITION_MARK, Rows, TableSpec, comment_of, conform
from vitrina.storage.writer import LakeWriter, commit_segment

if TYPE_CHECKING:
    import ibis
    from ibis.backends.duckdb import Backend

GRACE_S = 60.0
"""A question may take this long from its first look at the table to its last file; deleted files wait for it."""

_VIEWS_KEPT = 256
_LEAST_VIEWS_KEPT, _FILES_IN_VIEWS = 32, 4000
"""A view takes half a kilobyte for each of its files and keeps apart what was freed around it, and one of a running day
is out of date with the next commit. A question of our own sees fewer than the least at once."""
_WRITER_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")


@dataclass(frozen=True, slots=True)
class ColumnDescription:
    name: str
    type: str
    comment: str


@dataclass(frozen=True, slots=True)
class TableDescription:
    """One table's entry in the data dictionary, with what it holds now."""

    name: str
    comment: str
    columns: tuple[ColumnDescription, ...]
    partition_by: tuple[str, ...]
    keep_days: str | None
    rows: int
    files: int
    bytes: int
    version: int


@dataclass
class _Asking(threading.local):
    """One thread's connection, and the views in it with how many files each has, least recently used first."""

    backend: Backend | None = None
    views: OrderedDict[str, int] = field(default_factory=OrderedDict)

    def is_full(self) -> bool:
        many = len(self.views) > _LEAST_VIEWS_KEPT and sum(self.views.values()) > _FILES_IN_VIEWS
        return many or len(self.views) > _VIEWS_KEPT


class Lake:
    """All tables under one folder. Safe to use from several threads; after a fork, make a new one.

    tables: name to spec. spool: where rows wait, by default beside the lake. memory_mb, threads: what one process'
    questions may use.
    """

    dialect: ClassVar[str] = "duckdb"
    """Ibis' name of the SQL that `run` understands."""

    def __init__(
        self,
        path: Path,
        *,
        tables: Mapping[str, TableSpec],
        spool: Path | None = None,
        commit_s: float = 10.0,
        commit_rows: int = 5000,
        memory_mb: int = 512,
        threads: int | None = None,
    ) -> None:
        path = _plain(path)
        self._tables = dict(tables)
        self._folders = {name: DeltaFolder(path / name, spec) for name, spec in tables.items()}
        self._spool = spool or path.parent / "spool"
        self._commit_s, self._commit_rows = commit_s, commit_rows
        self._memory_mb, self._threads = memory_mb, threads
        self._duckdb_lock = threading.Lock()
        self._duckdb: Any = None
        self._asking = _Asking()

    @property
    def tables(self) -> list[str]:
        return list(self._tables)

    def version(self, table: str) -> int:
        """Grows with every change of the table; -1 before the first."""
        return self._folder(table).version()

    def committed(self, table: str, writer_id: str) -> int | None:
        """Number of the last batch that this writer has in the table; None before its first."""
        return self._folder(table).committed(_check_writer(writer_id))

    def conform(self, table: str, rows: Rows) -> pa.Table:
        """The rows in exactly the table's columns and types. Raises InputError for rows that do not fit."""
        return conform(rows, self._spec(table))

    # ── writing ─────────────────────────────────────────────────────────────────────────────────

    def append(self, table: str, rows: Rows, *, writer_id: str, batch_no: int) -> None:
        """Commit one batch, exactly once: a number that this writer has committed, or a lower one, is skipped.

        Numbers of one writer must grow. Raises InputError for rows that do not fit, StorageError when the disk or too
        many other writers prevent it; then the same batch may be appended again.
        """
        data = conform(rows, self._spec(table))
        if data.num_rows:
            self._folder(table).append(data, writer_id=_check_writer(writer_id), batch_no=batch_no)

    def writer(self, table: str, writer_id: str) -> LakeWriter:
        """A writer that spools. Commits first what an earlier writer of this id left behind.

        Raises ConflictError when a writer of this id is open already.
        """
        spool = Spool(self._spool / table / _check_writer(writer_id))
        spool.skip_to(self._folder(table).committed(writer_id) or 0)
        return LakeWriter(
            spool,
            partial(self._commit_batch, table, writer_id),
            partial(conform, spec=self._spec(table)),
            commit_s=self._commit_s,
            commit_rows=self._commit_rows,
        )

    def lock_path(self, writer_id: str) -> Path:
        """The lock file of a writer that appends without a spool, such as a recording's."""
        return self._spool / ".files" / _check_writer(writer_id)

    def recover(self) -> int:
        """Commit what writers left behind that nobody opens any more; gives how many batches.

        Sees the spools of `writer`. What workers noted in a journal, `journal.recover_journals` commits.
        """
        recovered = 0
        for folder in sorted(self._spool.glob("*/*")):
            table, writer_id = folder.parent.name, folder.name
            if table not in self._tables:
                continue
            try:
                spool = Spool(folder)
            except ConflictError:
                continue  # its writer is alive
            try:
                for number in spool.segments():
                    commit_segment(spool, number, partial(self._commit_batch, table, writer_id))
                    recovered += 1
            finally:
                spool.close()
        return recovered

    def _commit_batch(self, table: str, writer_id: str, rows: pa.Table, batch_no: int) -> None:
        self.append(table, rows, writer_id=writer_id, batch_no=batch_no)

    # ── reading ─────────────────────────────────────────────────────────────────────────────────

    def files(self, table: str, *, shop_id: str | None = None, days: tuple[date, date] | None = None) -> list[str]:
        """The Parquet files that hold the table now, for any engine to read; of one shop, of business days."""
        return self._folder(table).files(shop_id=shop_id, days=days)

    def connect(self) -> Backend:
        """The calling thread's Ibis backend: DuckDB in memory, with the network's extensions off."""
        import ibis

        if self._asking.backend is None:
            self._asking.backend = ibis.duckdb.from_connection(self._cursor())
        return self._asking.backend

    def expr(self, table: str, *, shop_id: str | None = None, days: tuple[date, date] | None = None) -> ibis.Table:
        """The table as it is now, as an Ibis expression of this thread's backend; of one shop, of business days."""
        spec, backend, views = self._spec(table), self.connect(), self._asking.views
        files = self.files(table, shop_id=shop_id, days=days)
        select = question.select_files(spec, files, grown=self._folder(table).is_grown())
        view = f"{table}_{hashlib.sha256(select.encode()).hexdigest()[:16]}"
        if view not in views:
            backend.con.execute(f'CREATE TEMP VIEW "{view}" AS {select}')
        views[view] = len(files)
        views.move_to_end(view)
        while self._asking.is_full():
            oldest, _ = views.popitem(last=False)
            backend.con.execute(f'DROP VIEW "{oldest}"')
        return backend.table(view)

    def relation(self, table: str, files: Sequence[str]) -> str:
        """What stands for these files of the table in SQL for `run`."""
        return f"({question.select_files(self._spec(table), files, grown=self._folder(table).is_grown())})"

    def run(self, sql: str) -> pa.Table:
        """The answer to SQL of our own, in this lake's dialect; the short way for what is compiled once."""
        with self._cursor() as cursor:
            # A relation (`cursor.sql`) is planned twice, which is a third of what a small question costs.
            return cursor.execute(sql).to_arrow_table()

    def _cursor(self) -> Any:
        with self._duckdb_lock:
            if self._duckdb is None:
                self._duckdb = question.open_duckdb(memory_mb=self._memory_mb, threads=self._threads)
            return self._duckdb.cursor()

    def sql(self, query: str, *, timeout_s: float = 60.0, max_rows: int = 1_000_000) -> pa.Table:
        """The answer to one SELECT, which sees the lake's tables and nothing else of this machine.

        Raises InputError, DeniedError or LimitError.
        """
        tables = {name: (spec, self.files(name), self._folder(name).is_grown()) for name, spec in self._tables.items()}
        return question.ask(
            query,
            tables,
            memory_mb=self._memory_mb,
            threads=self._threads,
            timeout_s=timeout_s,
            max_rows=max_rows,
        )

    def describe(self) -> list[TableDescription]:
        """The data dictionary."""
        return [self._describe(spec) for spec in self._tables.values()]

    def _describe(self, spec: TableSpec) -> TableDescription:
        rows, files, size = self._folder(spec.name).size()
        return TableDescription(
            name=spec.name,
            comment=spec.comment,
            columns=tuple(ColumnDescription(f.name, str(f.type), comment_of(f)) for f in spec.schema),
            partition_by=spec.partition_by,
            keep_days=spec.keep_days,
            rows=rows,
            files=files,
            bytes=size,
            version=self.version(spec.name),
        )

    # ── upkeep ──────────────────────────────────────────────────────────────────────────────────

    def compact(self, *, grace_s: float = GRACE_S) -> dict[str, int]:
        """Make one file of many small ones; gives how many went, by table. Does not wait: old ones go next time."""
        compacted = {name: folder.compact() for name, folder in self._folders.items()}
        for folder in self._folders.values():
            folder.sweep(grace_s=grace_s)
        return compacted

    def expired(self, rules: Mapping[str, int], now: datetime) -> dict[str, date]:
        """The first business day that each table with a rule keeps. rules: `keep_days` setting to days."""
        today = now.astimezone(UTC).date()
        return {
            spec.name: today - timedelta(days=rules[spec.keep_days])
            for spec in self._tables.values()
            if spec.keep_days is not None
        }

    def retain(self, rules: Mapping[str, int], now: datetime, *, grace_s: float = GRACE_S) -> dict[str, int]:
        """Delete what is older than the rules allow; gives how many rows, by table.

        When it returns, no file under the lake holds them: it waits up to `grace_s` for questions that are under way.
        """
        deleted = {
            name: self._folder(name).delete(f"{PARTITION_MARK}business_day < {literal(first)}")
            for name, first in self.expired(rules, now).items()
        }
        self._sweep(grace_s)
        return deleted

    def delete(self, table: str, column: str, value: str | int | date, *, grace_s: float = GRACE_S) -> int:
        """Delete the rows with this value, from the table and from every file under the lake; gives how many.

        Waits up to `grace_s` for questions that are under way. Rows that a writer still has in its spool are not the
        table's yet: flush it, or wait `commit_s`, before.
        """
        if column not in self._spec(table).schema.names:
            raise NotFoundError(f"lake table {table} has no column {column!r}")
        deleted = self._folder(table).delete(f'"{column}" = {literal(value)}')
        self._sweep(grace_s)
        return deleted

    def _sweep(self, grace_s: float) -> None:
        """Leave no file that the tables do not hold."""
        for folder in self._folders.values():
            while (wait_s := folder.sweep(grace_s=grace_s)) > 0:
                time.sleep(wait_s)

    def _spec(self, table: str) -> TableSpec:
        if table not in self._tables:
            raise NotFoundError(f"the lake has no table {table!r}; it has {', '.join(self._tables)}")
        return self._tables[table]

    def _folder(self, table: str) -> DeltaFolder:
        return self._folders[self._spec(table).name]


def _plain(path: Path) -> Path:
    """DuckDB takes some letters of a path for a pattern, and Delta one for an address."""
    if any(letter in str(path) for letter in "*?[]%"):
        raise InputError(f"the lake's folder may have no *, ?, [, ] or % in its path, got {path}")
    return path.absolute()


def _check_writer(writer_id: str) -> str:
    if not _WRITER_ID.fullmatch(writer_id):
        raise InputError(f"writer_id: expected up to 200 letters, digits, dots, dashes, got {writer_id!r}")
    return writer_id
