"""Rows on disk before they are anywhere else: what `write` has returned from survives `kill -9` and a power cut.

A spool is a folder of numbered segments. A segment is a mark, then records of length, CRC-32 and payload; the first
payload is the Arrow schema, each further one a record batch. A record that ends beyond the end of its file was being
written when the process died: nobody was told that it is safe, and it is left out.
"""

from __future__ import annotations

import fcntl
import logging
import os
import struct
import zlib
from collections.abc import Mapping
from datetime import UTC, date, datetime
from io import FileIO
from pathlib import Path

import pyarrow as pa

from vitrina.errors import ConflictError, StorageError

logger = logging.getLogger(__name__)

_MARK = b"VSPOOL1\n"
_HEAD = struct.Struct("<II")
_SUFFIX = ".rows"
BACKLOGS = ("spool", "journal")
"""Folders of a home in which rows wait for the lake."""
DAMAGED, REFUSED = ".damaged", ".refused"
"""What files end with that hold rows which are kept and not in the lake: unreadable, or not to a table's taste."""


class Spool:
    """One writer's segments. Not for several threads at once; the folder is locked against other processes."""

    def __init__(self, folder: Path) -> None:
        """Raises ConflictError when another process (or object) has this spool open."""
        self._folder = folder
        busy = f"{folder}: another process writes here; give each writer an id of its own"
        self._lock = lock_alone(folder / "lock", busy=busy)
        self._file: FileIO | None = None
        self._number = max(self.segments(), default=0)
        self.open_rows = 0

    def segments(self) -> list[int]:
        """Numbers of the segments on disk, oldest first."""
        return sorted(int(path.stem) for path in self._folder.glob(f"*{_SUFFIX}"))

    def skip_to(self, number: int) -> None:
        """New segments get numbers above this one."""
        self._number = max(self._number, number)

    def write(self, rows: pa.Table) -> None:
        """Append rows to the open segment; they are on the disk when this returns. Raises StorageError."""
        payloads = [batch.serialize() for batch in rows.combine_chunks().to_batches()]
        try:
            file = self._file or self._new_segment(rows.schema)
            start = file.tell()
            try:
                _write_records(file, payloads)
            except OSError:
                self.seal()  # half a record would hide those that follow it
                os.truncate(file.name, start)
                raise
        except OSError as error:
            raise StorageError(f"{self._folder}: rows cannot be written: {error.strerror}. Free some space.") from error
        self.open_rows += rows.num_rows

    def seal(self) -> None:
        """Nothing more goes into the open segment; the next write begins a new one."""
        if self._file is not None:
            self._file.close()
        self._file, self.open_rows = None, 0

    def read(self, number: int) -> pa.Table | None:
        """The rows of a segment; None when it holds none."""
        path = self._path(number)
        payloads = _records(path)
        if len(payloads) < 2:
            return None
        schema = pa.ipc.read_schema(pa.py_buffer(payloads[0]))
        return pa.Table.from_batches([pa.ipc.read_record_batch(pa.py_buffer(p), schema) for p in payloads[1:]], schema)

    def remove(self, number: int) -> None:
        self._path(number).unlink(missing_ok=True)

    def set_aside(self, number: int) -> Path:
        """Keep a segment that the table refuses, out of the way of those that follow it."""
        return self._path(number).rename(self._path(number).with_suffix(REFUSED))

    def close(self) -> None:
        """Give the folder free; segments that were not removed stay for the next one who opens it."""
        self.seal()
        os.close(self._lock)

    def _path(self, number: int) -> Path:
        return self._folder / f"{number:012d}{_SUFFIX}"

    def _new_segment(self, schema: pa.Schema) -> FileIO:
        path = self._path(self._number + 1)
        file = open(path, "xb", buffering=0)  # noqa: SIM115, PTH123 - it stays open, and unbuffered
        try:
            file.write(_MARK)
            _write_records(file, [schema.serialize()])
            sync_folder(self._folder)
        except OSError:
            file.close()
            path.unlink()
            raise
        self._number += 1
        self._file = file
        return file


def lock_alone(path: Path, *, busy: str) -> int:
    """Lock a file, which is made where it is missing, until the descriptor is closed or the process ends.

    Raises ConflictError with the message `busy` when somebody else holds it.
    """
    while True:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(path, os.O_CREAT | os.O_RDWR, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(descriptor)
            raise ConflictError(busy) from error
        if os.fstat(descriptor).st_nlink:
            return descriptor
        os.close(descriptor)  # who held it before removed it, so it would lock nobody out


def files_aside(folder: Path) -> list[Path]:
    """What spools and journals below the folder have set aside. Folders may go meanwhile."""
    there = (Path(parent, name) for parent, _, names in os.walk(folder) for name in names)
    return sorted(path for path in there if path.suffix in (DAMAGED, REFUSED))


def forget_aside(folder: Path, kept_from: Mapping[str, date | None]) -> int:
    """Delete what was set aside before the first day that its table keeps; gives how many files that were.

    kept_from: by table, None for one that keeps all. A file of which nobody can say whose rows it holds goes as early
    as those of the table that keeps the least.
    """
    forgotten, strictest = 0, max((day for day in kept_from.values() if day), default=None)
    for path in files_aside(folder):
        said = {*path.relative_to(folder).parts, *path.name.split(".")}
        first = next((day for table, day in kept_from.items() if table in said), strictest)
        if first is not None and datetime.fromtimestamp(path.stat().st_mtime, UTC).date() < first:
            path.unlink(missing_ok=True)
            forgotten += 1
    return forgotten


def sync_folder(folder: Path) -> None:
    """Names that were made or changed in the folder survive a power cut when this returns."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _write_records(file: FileIO, payloads: list[pa.Buffer]) -> None:
    for payload in payloads:
        record = memoryview(_HEAD.pack(payload.size, zlib.crc32(payload)) + payload.to_pybytes())
        while record:
            record = record[file.write(record) :]
    os.fdatasync(file.fileno())


def _records(path: Path) -> list[bytes]:
    """The payloads of a segment up to the first one that is not whole."""
    content = path.read_bytes()
    payloads: list[bytes] = []
    at = len(_MARK)
    while at + _HEAD.size <= len(content):
        size, checksum = _HEAD.unpack_from(content, at)
        payload = content[at + _HEAD.size : at + _HEAD.size + size]
        if size == 0 or len(payload) < size or zlib.crc32(payload) != checksum:
            _report_tail(path, content, at)
            break
        payloads.append(payload)
        at += _HEAD.size + size
    return payloads


def _report_tail(path: Path, content: bytes, at: int) -> None:
    """A torn tail is normal after a kill. A bad record in the middle is not: it is kept aside and said aloud."""
    size, _ = _HEAD.unpack_from(content, at)
    torn = at + _HEAD.size + size >= len(content) or not any(content[at:])
    if torn:
        logger.info("%s: left out an unfinished record at byte %d", path, at)
        return
    kept = path.with_suffix(DAMAGED)
    kept.write_bytes(content[at:])
    logger.error("%s: damaged at byte %d; the %d bytes from there on are kept in %s", path, at, len(content) - at, kept)
