"""Rows and the state they came from, on disk together, so that a killed worker goes on without losing or doubling.

A live worker notes what it made, and the state from which it would go on, as one entry that is written whole or not
at all. Entries are committed to the lake in groups; the group's transaction number is that of its last entry. After a
crash the entries that are left are committed again, which skips what is there, and the last one's state is restored.
Once in the lake, rows leave this disk: of the last entry only the state stays. Rows that the lake's tables do not take
any more, as those of an older version may be, are kept beside the entries, each in one file, and hold up nothing.
"""

from __future__ import annotations

import base64
import json
import logging
import os
import threading
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa

from vitrina.errors import ConflictError, InputError, NotFoundError, StorageError, VitrinaError
from vitrina.storage.lake import Lake
from vitrina.storage.spool import DAMAGED, REFUSED, lock_alone, sync_folder

logger = logging.getLogger(__name__)

State = dict[str, Any]
RowsByTable = Mapping[str, Sequence[Mapping[str, Any]]]

_LOCK = ".lock"


class Draft(NamedTuple):
    """An entry that is not on disk yet."""

    content: bytes
    rows: int


class Journal:
    """One worker's entries below `folder`, locked against other workers; `writer_id` is its own in the lake.

    A thread commits every `commit_s` seconds, and when `commit_rows` rows were noted.
    """

    def __init__(self, folder: Path, lake: Lake, *, writer_id: str, commit_s: float, commit_rows: int = 5000) -> None:
        """Raises ConflictError while another process (or object) has this journal open.

        An entry that cannot be read is set aside and logged: the camera goes on from the one before.
        """
        self._folder = folder
        self._lake = lake
        self._writer_id = writer_id
        self._commit_s, self._commit_rows = commit_s, commit_rows
        self._noted_rows = 0
        self._committing = threading.Lock()
        self._wake = threading.Event()
        self._closed = False
        self._lock = _lock(folder)
        try:
            _set_aside_damaged(folder)
            noted = [number for number, _ in _entries(folder)]
            committed = [lake.committed(table, writer_id) or 0 for table in lake.tables]
            self._last = max(noted + committed + _numbers_aside(folder), default=0)
            self._thread = threading.Thread(target=self._run, name="journal", daemon=True)
            self._thread.start()
        except BaseException:
            os.close(self._lock)
            raise

    def restore(self) -> State | None:
        """The state of the last entry; None for a worker that never ran. Raises StorageError for a damaged entry."""
        entries = list(_entries(self._folder))
        return _read(entries[-1][1]).state if entries else None

    def note(self, rows: RowsByTable, state: State) -> None:
        """Rows and state are safe on this machine's disk when this returns. Raises InputError or StorageError."""
        self.put(self.entry(rows, state))

    def entry(self, rows: RowsByTable, state: State) -> Draft:
        """What `put` will write: rows and state as they are now, whatever happens to them meanwhile. InputError."""
        tables = {table: self._lake.conform(table, list(some)) for table, some in rows.items() if some}
        return Draft(_content(_Entry(state, tables)), sum(table.num_rows for table in tables.values()))

    def put(self, draft: Draft) -> None:
        """Safe on this machine's disk when this returns, however long the disk takes. Raises StorageError."""
        self._check_open()
        self._last += 1
        _write(self._folder / f"{self._last:012d}.json", draft.content)
        self._noted_rows += draft.rows
        if self._noted_rows >= self._commit_rows:
            self._noted_rows = 0
            self._wake.set()

    def commit(self) -> None:
        """Put every entry's rows into the lake. The last entry's state stays: there the next worker goes on."""
        with self._committing:
            self._check_open()
            _commit(self._folder, self._lake, self._writer_id)

    def close(self) -> None:
        """Commit, and let others watch this camera. Rows that cannot be committed now wait for the next worker."""
        if self._closed:
            return
        try:
            with self._committing:
                self._closed = True
                _commit(self._folder, self._lake, self._writer_id)
        finally:
            self._wake.set()
            self._thread.join()
            os.close(self._lock)

    def _run(self) -> None:
        while True:
            self._wake.wait(self._commit_s)
            self._wake.clear()
            if self._closed:
                return
            try:
                self.commit()
            except Exception:  # the edge of a worker loop; the rows are safe in their entries
                if not self._closed:
                    logger.warning("rows wait on disk: the lake did not take them, they are tried again", exc_info=True)

    def _check_open(self) -> None:
        if self._closed:
            raise StorageError(f"{self._folder}: this journal is closed; open it again to note more")


def recover_journals(folder: Path, lake: Lake, *, keep: Collection[tuple[str, str]]) -> int:
    """Commit what workers left in `folder`/<shop>/<camera>; gives how many rows that were.

    keep: shop and camera of those that may be watched again; the folders of others go, with their state, unless rows
    were set aside there. A camera that is being watched now is left alone, and one whose rows cannot be committed is
    logged and keeps them.
    """
    recovered = 0
    for camera in sorted(path for path in folder.glob("*/*") if path.is_dir()):
        try:
            recovered += _recover(camera, lake, keep=keep)
        except (VitrinaError, OSError):
            logger.exception("%s: rows of a camera that nobody watches are not in the lake yet", camera)
    return recovered


def _recover(folder: Path, lake: Lake, *, keep: Collection[tuple[str, str]]) -> int:
    shop, camera = folder.parent.name, folder.name
    try:
        lock = _lock(folder)
    except ConflictError:
        return 0  # its worker is alive
    try:
        recovered = _commit(folder, lake, f"camera.{shop}.{camera}")
        if (shop, camera) not in keep:
            _remove(folder)
    finally:
        os.close(lock)
    return recovered


def _remove(folder: Path) -> None:
    """The lock goes last; a worker that takes a new one right then keeps the folder."""
    for _, path in _entries(folder):
        path.unlink()
    (folder / _LOCK).unlink()
    with suppress(OSError):
        folder.rmdir()
        folder.parent.rmdir()


def _lock(folder: Path) -> int:
    busy = f"{folder}: another process is watching this camera now; stop it before you start another"
    lock = lock_alone(folder / _LOCK, busy=busy)
    for draft in folder.glob("*.draft"):  # its writer was killed
        draft.unlink()
    return lock


class _Entry(NamedTuple):
    state: State
    rows: dict[str, pa.Table]


def _set_aside_damaged(folder: Path) -> None:
    for _, path in _entries(folder):
        try:
            _read(path)
        except StorageError as error:
            path.rename(path.with_suffix(DAMAGED))
            logger.error("%s It was set aside as %s.", error, path.with_suffix(DAMAGED).name)


def _numbers_aside(folder: Path) -> list[int]:
    """Of entries that were set aside, as a whole or in part: another with the same number would take their place."""
    names = [path.name.partition(".")[0] for path in folder.iterdir() if path.suffix in (DAMAGED, REFUSED)]
    return [int(name) for name in names if name.isdecimal()]


def _commit(folder: Path, lake: Lake, writer_id: str) -> int:
    """Gives how many rows the lake had not had."""
    entries = list(_entries(folder))
    there: dict[str, int] = {}
    waiting: defaultdict[str, list[pa.Table]] = defaultdict(list)
    last: _Entry | None = None
    for number, path in entries:
        last = _read(path)
        for table, rows in last.rows.items():
            if table not in there:
                there[table] = (lake.committed(table, writer_id) or 0) if table in lake.tables else 0
            # An entry that was noted while a commit was under way may share a group with rows that are there.
            if number > there[table]:
                waiting[table] += _taken(lake, table, rows, folder / f"{number:012d}.{table}{REFUSED}")
    for table, parts in waiting.items():
        if parts:
            lake.append(table, pa.concat_tables(parts), writer_id=writer_id, batch_no=entries[-1][0])
    for _, path in entries[:-1]:
        path.unlink()
    if last is not None and last.rows:
        _write(entries[-1][1], _content(_Entry(last.state, {})))
    return sum(part.num_rows for parts in waiting.values() for part in parts)


def _taken(lake: Lake, table: str, rows: pa.Table, aside: Path) -> list[pa.Table]:
    """The rows as the table takes them; none when it refuses them, and then they are safe in `aside`.

    What is there already stays there: a commit that was cut off before its end had put it there.
    """
    if aside.exists():
        return []
    try:
        return [lake.conform(table, rows)]
    except (InputError, NotFoundError) as error:
        _write(aside, _stream(rows))
        logger.error("%d rows that the lake refuses are kept in %s: %s", rows.num_rows, aside, error)
        return []


def _entries(folder: Path) -> Iterator[tuple[int, Path]]:
    for path in sorted(folder.glob("*.json")):
        if path.stem.isdecimal():
            yield int(path.stem), path


def _content(entry: _Entry) -> bytes:
    packed = {table: _pack(rows) for table, rows in entry.rows.items()}
    return json.dumps({"state": entry.state, "rows": packed}).encode()


def _write(path: Path, content: bytes | pa.Buffer) -> None:
    """Whole or not at all, also when the power is cut."""
    draft = path.with_suffix(".draft")
    try:
        with draft.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
        sync_folder(path.parent)
    except OSError as error:
        raise StorageError(f"{path}: rows cannot be written: {error.strerror}. Free some space.") from error


def _read(path: Path) -> _Entry:
    try:
        content = json.loads(path.read_bytes())
        return _Entry(content["state"], {table: _unpack(packed) for table, packed in content["rows"].items()})
    except (ValueError, LookupError, TypeError, AttributeError, OSError) as error:
        raise StorageError(
            f"{path}: a journal entry cannot be read ({error}). When its camera starts again it goes on from the entry "
            "before, or from new, and only this entry's rows are missing."
        ) from error


def _pack(table: pa.Table) -> str:
    return base64.b64encode(_stream(table)).decode("ascii")


def _stream(table: pa.Table) -> pa.Buffer:
    """In Arrow's own format, for any program that reads it."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue()


def _unpack(packed: str) -> pa.Table:
    return pa.ipc.open_stream(base64.b64decode(packed)).read_all()
