"""Rows of a source that can be read again from its start, such as a recorded file: each lands once.

The source gives the same rows in the same order each time. The transaction number of a commit is how many rows of the
table came before it, so a second run, after a crash or by mistake, skips as many as are there. Two runs at one time
would both find the same number and both go on from it, so a lock lets only one of them begin.
"""

from __future__ import annotations

import os
import time
import weakref
from collections.abc import Mapping, Sequence
from typing import Any

from vitrina.errors import StorageError
from vitrina.storage.lake import Lake
from vitrina.storage.spool import lock_alone

RowsByTable = Mapping[str, Sequence[Mapping[str, Any]]]


class Replay:
    """Collects rows and commits them every `commit_s` seconds or `commit_rows` rows of a table."""

    def __init__(self, lake: Lake, *, writer_id: str, commit_s: float, commit_rows: int) -> None:
        """Raises ConflictError while another process (or object) has this source: until its `close`, or its end."""
        self._lake = lake
        self._writer_id = writer_id
        self._commit_s = commit_s
        self._commit_rows = commit_rows
        self._made = dict.fromkeys(lake.tables, 0)
        self._waiting: dict[str, list[Mapping[str, Any]]] = {table: [] for table in lake.tables}
        self._committed_at = time.monotonic()
        self.skipped = 0
        busy = "another process is watching this recording now; wait until it is through, or stop it"
        self._release = weakref.finalize(self, os.close, lock_alone(lake.lock_path(writer_id), busy=busy))
        try:
            self._there = {table: lake.committed(table, writer_id) or 0 for table in lake.tables}
        except BaseException:
            self._release()
            raise

    def add(self, rows: RowsByTable) -> None:
        """Take the source's next rows."""
        self._check_open()
        for table, some in rows.items():
            known = min(len(some), max(0, self._there[table] - self._made[table]))
            self.skipped += known
            self._made[table] += len(some)
            self._waiting[table] += some[known:]
        full = max(map(len, self._waiting.values())) >= self._commit_rows
        if full or time.monotonic() - self._committed_at >= self._commit_s:
            self.commit()

    def commit(self) -> None:
        """Put what waits into the lake. Raises StorageError; the rows then still wait."""
        self._check_open()
        for table, rows in self._waiting.items():
            if rows:
                self._lake.append(table, rows, writer_id=self._writer_id, batch_no=self._made[table])
                self._waiting[table] = []
        self._committed_at = time.monotonic()

    def close(self) -> None:
        """Commit, and let others watch this source. Raises StorageError; the source's next run makes the rows again."""
        if not self._release.alive:
            return
        try:
            self.commit()
        finally:
            self._release()

    def _check_open(self) -> None:
        if not self._release.alive:
            raise StorageError("this recording's rows are closed; open it again to add more")
