"""Many small rows in, few large commits out, each row in the lake exactly once."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

import pyarrow as pa

from vitrina.errors import InputError, StorageError
from vitrina.storage.spool import Spool
from vitrina.storage.table import Rows

logger = logging.getLogger(__name__)

_RETRY_S = (1.0, 60.0)
"""First and longest pause after a commit that failed."""


class LakeWriter:
    """Spools rows and commits them every `commit_s` seconds or `commit_rows` rows, in a thread of its own.

    A segment of the spool is one batch: its number is the batch's number, and batches are committed in order, so that
    a batch whose commit was interrupted is either in the table (and skipped) or not (and committed).
    May be used by several threads. Comes from `Lake.writer`.
    """

    def __init__(
        self,
        spool: Spool,
        commit: Callable[[pa.Table, int], None],
        conform: Callable[[Rows], pa.Table],
        *,
        commit_s: float,
        commit_rows: int,
    ) -> None:
        self._spool, self._commit, self._conform = spool, commit, conform
        self._commit_s, self._commit_rows = commit_s, commit_rows
        self._spooling = threading.Lock()
        self._committing = threading.Lock()
        self._wake = threading.Event()
        self._closed = False
        if spool.segments():
            self._wake.set()
        self._thread = threading.Thread(target=self._run, name="lake-writer", daemon=True)
        self._thread.start()

    def add(self, rows: Rows) -> None:
        """Rows are safe on this machine's disk when this returns. Raises InputError or StorageError."""
        table = self._conform(rows)
        if not table.num_rows:
            return
        with self._spooling:
            if self._closed:
                raise StorageError("this lake writer is closed")
            self._spool.write(table)
            full = self._spool.open_rows >= self._commit_rows
        if full:
            self._wake.set()

    def flush(self) -> None:
        """Every row added so far is in the table when this returns. Raises StorageError; the rows then stay spooled."""
        with self._committing:
            with self._spooling:
                self._spool.seal()
                batches = self._spool.segments()
            for number in batches:
                commit_segment(self._spool, number, self._commit)

    def close(self) -> None:
        """Flush and stop. Rows that cannot be committed now wait for the next writer of this id."""
        with self._spooling:
            if self._closed:
                return
            self._closed = True
        self._wake.set()
        self._thread.join()
        try:
            self.flush()
        finally:
            self._spool.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _run(self) -> None:
        pause_s = self._commit_s
        failures = 0
        while True:
            self._wake.wait(pause_s)
            self._wake.clear()
            if self._closed:
                return
            try:
                self.flush()
                failures, pause_s = 0, self._commit_s
            except Exception as error:  # the edge of a worker loop; the rows are safe in the spool
                first_s, longest_s = _RETRY_S
                pause_s = min(first_s * 2**failures, longest_s)
                failures += 1
                logger.warning("the lake took no rows, they wait on disk; next try in %.0f s", pause_s, exc_info=error)


def commit_segment(spool: Spool, number: int, commit: Callable[[pa.Table, int], None]) -> None:
    """Put one sealed segment into the table, then off the disk. One that does not fit the table is set aside."""
    rows = spool.read(number)
    try:
        if rows is not None:
            commit(rows, number)
        spool.remove(number)
    except InputError:
        logger.exception("rows that the table refuses are kept in %s", spool.set_aside(number))
