"""Rows and the state they came from, on disk together, so that a killed worker goes on without losing or doubling.

A live worker notes what it made, and the state from which it would go on, as one entry that is written whole or not
at all. Entries are committed to the lake in groups; the group's transaction number is that of its last entry. After a
crash the entries that are left are committed again, which skips what is there, and the last one's state is restored.
"""

from __future__ import annotations

import base64
import json
import logging
import os
import threading
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from vitrina.errors import StorageError
from vitrina.storage.lake import Lake

logger = logging.getLogger(__name__)

State = dict[str, Any]
RowsByTable = Mapping[str, Sequence[Mapping[str, Any]]]


class Journal:
    """One worker's entries below `folder`; `writer_id` is its own in the lake. A thread commits every `commit_s`."""

    def __init__(self, folder: Path, lake: Lake, *, writer_id: str, commit_s: float) -> None:
        self._folder = folder
        self._lake = lake
        self._writer_id = writer_id
        self._commit_s = commit_s
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._last = max(
            (number for number, _ in self._entries()),
            default=max(lake.committed(table, writer_id) or 0 for table in lake.tables),
        )
        self._committing = threading.Lock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="journal", daemon=True)
        self._thread.start()

    def restore(self) -> State | None:
        """The state of the last entry; None for a worker that never ran."""
        entries = list(self._entries())
        return _read(entries[-1][1])["state"] if entries else None

    def note(self, rows: RowsByTable, state: State) -> None:
        """Rows and state are safe on this machine's disk when this returns."""
        self._last += 1
        content = {
            "state": state,
            "rows": {table: _pack(self._lake.conform(table, list(some))) for table, some in rows.items() if some},
        }
        _write_whole(self._folder / f"{self._last:012d}.json", json.dumps(content).encode())

    def commit(self) -> None:
        """Put every entry's rows into the lake. The last entry stays: its state is where the next worker goes on."""
        with self._committing:
            entries = list(self._entries())
            tables: defaultdict[str, list[pa.Table]] = defaultdict(list)
            for number, path in entries:
                for table, packed in _read(path)["rows"].items():
                    # An entry that was noted while a commit was under way may share a group with rows that are there.
                    if number > (self._lake.committed(table, self._writer_id) or 0):
                        tables[table].append(_unpack(packed))
            for table, parts in tables.items():
                rows = pa.concat_tables(parts)
                self._lake.append(table, rows, writer_id=self._writer_id, batch_no=entries[-1][0])
            for _, path in entries[:-1]:
                path.unlink()

    def close(self) -> None:
        self._stop.set()
        self._thread.join()
        self.commit()

    def _run(self) -> None:
        while not self._stop.wait(self._commit_s):
            try:
                self.commit()
            except StorageError:
                logger.warning("rows wait on disk: the lake did not take them, they are tried again", exc_info=True)

    def _entries(self) -> Iterator[tuple[int, Path]]:
        for path in sorted(self._folder.glob("[0-9]*.json")):
            yield int(path.stem), path


def _write_whole(path: Path, content: bytes) -> None:
    draft = path.with_suffix(".draft")
    with draft.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


def _read(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_bytes())
    return content


def _pack(table: pa.Table) -> str:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return base64.b64encode(sink.getvalue()).decode("ascii")


def _unpack(packed: str) -> pa.Table:
    return pa.ipc.open_stream(base64.b64decode(packed)).read_all()
