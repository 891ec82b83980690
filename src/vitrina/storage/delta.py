"""One table of the lake on disk, as a Delta table: append, read, compact, delete, and leave no trace.

Two locks in one file beside the tables: whoever reads the log or writes holds it shared, whoever removes files holds
it alone. So a file that is on disk and in no version belongs to nobody.
"""

from __future__ import annotations

import fcntl
import logging
import os
import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any, Literal, TypeVar

import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, Field, Transaction, WriterProperties, write_deltalake
from deltalake.exceptions import CommitFailedError, DeltaError

from vitrina.errors import InputError, StorageError
from vitrina.storage.table import PARTITION_MARK, TableSpec

logger = logging.getLogger(__name__)

_ATTEMPTS = 40
_LONGEST_PAUSE_S = 1.0
_REMOVING = frozenset({"DELETE", "OPTIMIZE"})
_KEEP_LOG, _DROP_LOG = "interval 1 hours", "interval 0 seconds"
_CHECKPOINT_EVERY = {"delta.checkpointInterval": "20"}
"""Each entry since the last checkpoint is read by a thread of its own: with the usual 100, a worker had over 100."""
_CONFIGURATION = {
    **_CHECKPOINT_EVERY,
    "delta.logRetentionDuration": _KEEP_LOG,
    "delta.deletedFileRetentionDuration": _KEEP_LOG,
    # Statistics are copied into the log: only of the time, so that no id is in a file that a delete would not touch.
    "delta.dataSkippingStatsColumns": "t",
}
_GROWN = "vitrina.grown"
"""Property of a table that got columns after its first rows: some of its files do not have them."""
_SETTLED_NS = 100_000_000
"""A folder's time of change has steps of a few ms; from this age on, no later change can have the same time."""
_LISTS_KEPT = 512

_PARQUET = WriterProperties(compression="ZSTD", compression_level=3)

T = TypeVar("T")


class DeltaFolder:
    """One table's folder. Safe to use from several threads and processes."""

    def __init__(self, folder: Path, spec: TableSpec) -> None:
        self._folder, self._spec = folder, spec
        self._lock_file = folder.parent / ".locks" / spec.name
        self._mutex = threading.Lock()
        self._opened: DeltaTable | None = None
        self._grown: bool | None = None
        self._log_changed_ns: int | None = None
        self._lists: dict[tuple[int, str | None, tuple[date, date] | None], list[str]] = {}

    def append(self, rows: pa.Table, *, writer_id: str, batch_no: int) -> None:
        """Commit a batch, unless this writer has committed this number or a later one. Retries conflicts."""
        data = self._spec.with_partitions(rows)

        def commit(table: DeltaTable) -> None:
            committed = table.transaction_version(writer_id)
            if committed is not None and committed >= batch_no:
                return
            self._grow(table)
            mark = CommitProperties(app_transactions=[Transaction(writer_id, batch_no)])
            # Beside a later version of ours the table has columns that this one does not know: they stay null.
            how: Literal["merge"] | None = "merge" if len(table.schema().fields) > len(data.column_names) else None
            write_deltalake(
                table, data, mode="append", schema_mode=how, commit_properties=mark, writer_properties=_PARQUET
            )

        self._retrying(commit)

    def committed(self, writer_id: str) -> int | None:
        """Number of the last batch that this writer has in the table."""
        with self._shared() as table:
            return None if table is None else table.transaction_version(writer_id)

    def version(self) -> int:
        """Grows with every change; -1 before the first."""
        with self._shared() as table:
            return -1 if table is None else int(table.version())

    def files(self, *, shop_id: str | None = None, days: tuple[date, date] | None = None) -> list[str]:
        """Paths of the Parquet files that hold the table now; of one shop, of business days from first to last."""
        with self._shared() as table:
            if table is None:
                return []
            asked = (int(table.version()), shop_id, days)
            if asked not in self._lists:
                if len(self._lists) >= _LISTS_KEPT or any(version != asked[0] for version, *_ in self._lists):
                    self._lists.clear()
                self._lists[asked] = self._find_files(table, shop_id, days)
            return list(self._lists[asked])

    def _find_files(self, table: DeltaTable, shop_id: str | None, days: tuple[date, date] | None) -> list[str]:
        wanted: list[tuple[str, str, str]] = []
        if shop_id is not None:
            wanted.append((PARTITION_MARK + "shop_id", "=", shop_id))
        if days is not None:
            first, last = days
            wanted.append((PARTITION_MARK + "business_day", ">=", first.isoformat()))
            wanted.append((PARTITION_MARK + "business_day", "<=", last.isoformat()))
        return sorted(self._path(uri) for uri in table.file_uris(file_pruning_predicate=wanted or None))

    def is_grown(self) -> bool:
        """Whether files of the table may lack columns, because it was made before they were thought of.

        As it was when the table was looked at last, so it holds for all files that were given out before.
        """
        if self._grown is None:
            self.version()
        return bool(self._grown)

    def _missing(self, table: DeltaTable) -> list[pa.Field]:
        there = {field.name for field in table.schema().fields}
        return [field for field in self._spec.stored_schema if field.name not in there]

    def _grow(self, table: DeltaTable) -> None:
        """Give the table the columns that it lacks. Its property comes first: a reader must never miss it."""
        if missing := self._missing(table):
            logger.info("lake table %s: new columns %s", self._spec.name, ", ".join(field.name for field in missing))
            table.alter.set_table_properties({_GROWN: "true"}, raise_if_not_exists=False)
            table.alter.add_columns([Field.from_arrow(field.with_nullable(True)) for field in missing])

    def size(self) -> tuple[int, int, int]:
        """Rows, files, bytes."""
        with self._shared() as table:
            if table is None:
                return 0, 0, 0
            added = pa.table(table.get_add_actions(flatten=True))
        rows, size = added.column("num_records").to_pylist(), added.column("size_bytes").to_pylist()
        return sum(rows), len(rows), sum(size)

    def compact(self) -> int:
        """Rewrite the small files of each partition as one; gives how many files went."""
        if self.version() < 0:
            return 0
        done = self._retrying(lambda table: table.optimize.compact(writer_properties=_PARQUET), long=True)
        return int(done["numFilesRemoved"])

    def delete(self, predicate: str) -> int:
        """Take the rows out of the table; gives how many. Their files stay on disk until `sweep`."""
        if self.version() < 0:
            return 0
        done = self._retrying(lambda table: table.delete(predicate, writer_properties=_PARQUET), long=True)
        return int(done["num_deleted_rows"])

    def sweep(self, *, grace_s: float) -> float:
        """Remove from disk what the table does not hold any more, and what was never committed.

        Files that left the table less than `grace_s` ago stay: a question that began before may still open them.
        Gives the seconds until they may go as well; 0 when all is gone, and then the log is cut too (a delete writes
        its condition there).
        """
        with self._locked(fcntl.LOCK_EX), self._mutex, _storage_errors(self._spec.name):
            table = self._open()
            if table is None:
                return 0.0
            removals = [entry for entry in table.history() if entry.get("operation") in _REMOVING]
            young = [entry for entry in removals if time.time() - entry["timestamp"] / 1000 < grace_s]
            gone = table.vacuum(
                retention_hours=0,
                enforce_retention_duration=False,
                dry_run=False,
                full=True,
                keep_versions=[entry["version"] - 1 for entry in young] or None,
            )
            if young:
                return float(max(entry["timestamp"] / 1000 + grace_s - time.time() for entry in young))
            if gone or removals:
                _cut_log(table)
            return 0.0

    def _path(self, uri: str) -> str:
        """Where the file is. Delta writes the folder of the table in the manner of addresses (`%20`)."""
        below = uri.rsplit("/", len(self._spec.partition_by) + 1)[1:]
        return str(self._folder.joinpath(*below))

    def _retrying(self, change: Callable[[DeltaTable], T], *, long: bool = False) -> T:
        """What `change` gives, after as many tries as other writers make necessary.

        A long one works on a handle of its own, so that this process' questions need not wait for it.
        """
        for attempt in range(_ATTEMPTS):
            try:
                with self._locked(fcntl.LOCK_SH), _storage_errors(self._spec.name):
                    if long:
                        return change(DeltaTable(self._folder))
                    with self._mutex:
                        return change(self._open() or self._create())
            except _LostRaceError as race:
                logger.debug("lake table %s: %s", self._spec.name, race)
            time.sleep(random.uniform(0, min(0.02 * 2**attempt, _LONGEST_PAUSE_S)))  # noqa: S311 - jitter
        raise StorageError(f"lake table {self._spec.name}: {_ATTEMPTS} tries to commit met another writer each time")

    @contextmanager
    def _shared(self) -> Iterator[DeltaTable | None]:
        with self._locked(fcntl.LOCK_SH), self._mutex, _storage_errors(self._spec.name):
            yield self._open()

    def _open(self) -> DeltaTable | None:
        """The table as it is now; None before its first commit. The log is read only when its folder changed."""
        changed_ns = self._last_change_ns()
        if self._opened is not None and changed_ns is not None and changed_ns == self._log_changed_ns:
            return self._opened
        self._log_changed_ns = changed_ns
        if self._opened is not None:
            try:
                self._opened.update_incremental()
            except DeltaError as error:
                logger.warning("lake table %s is opened anew: %s", self._spec.name, error)
                self._opened = None
        if self._opened is None and DeltaTable.is_deltatable(self._folder):
            self._opened = DeltaTable(self._folder)
        if self._opened is not None and not self._grown:
            self._grown = _GROWN in self._opened.metadata().configuration or bool(self._missing(self._opened))
        return self._opened

    def _last_change_ns(self) -> int | None:
        """When an entry of the log came or went; None while another change could still bear the same time."""
        try:
            changed_ns = (self._folder / "_delta_log").stat().st_mtime_ns
        except FileNotFoundError:
            return None
        return changed_ns if time.time_ns() - changed_ns > _SETTLED_NS else None

    def _create(self) -> DeltaTable:
        self._opened = DeltaTable.create(
            self._folder,
            self._spec.stored_schema,
            mode="ignore",
            partition_by=self._spec.partitions,
            name=self._spec.name,
            description=self._spec.comment,
            configuration=_CONFIGURATION,
        )
        return self._opened

    @contextmanager
    def _locked(self, how: int) -> Iterator[None]:
        self._lock_file.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self._lock_file, os.O_CREAT | os.O_RDWR, 0o600)
        try:
            fcntl.flock(descriptor, how)
            yield
        finally:
            os.close(descriptor)


class _LostRaceError(StorageError):
    """Somebody else committed first."""


@contextmanager
def _storage_errors(name: str) -> Iterator[None]:
    try:
        yield
    except CommitFailedError as error:
        raise _LostRaceError(f"lake table {name}: {error}") from error
    except (DeltaError, OSError) as error:
        raise StorageError(f"lake table {name}: {error}") from error


def _cut_log(table: DeltaTable) -> None:
    """Start the log anew at a checkpoint. The last entry before it is a change of properties, not a delete."""
    table.alter.set_table_properties({"delta.logRetentionDuration": _DROP_LOG})
    table.create_checkpoint()
    table.cleanup_metadata()
    # A table that an earlier version of ours made checkpoints more often from here on.
    table.alter.set_table_properties({"delta.logRetentionDuration": _KEEP_LOG, **_CHECKPOINT_EVERY})


def literal(value: Any) -> str:
    """A value as SQL writes it. Raises InputError for kinds that no condition here needs."""
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    if isinstance(value, date):
        return f"DATE '{value.isoformat()}'"
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    raise InputError(f"expected a text, a whole number or a day, got {value!r}")
