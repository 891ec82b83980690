"""Vectors by embedder and picture, in Parquet files: an index can be made anew from them without any picture.

A file holds what one commit added and is never changed; it is there whole or not at all. Who adds a picture that is
there already changes nothing: the first vectors count, and `compact` makes few files of many. Numbers are kept as
float16, as the index has them.
"""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from vitrina.errors import InputError, StorageError
from vitrina.product import new_id
from vitrina.storage.spool import sync_folder

Floats = NDArray[np.float32]

AT_ONCE = 500
"""Pictures in a row group: what is read together."""

LARGE = 100_000
"""Pictures in a file that is not made larger any more."""

DROPPED_FROM = 0.25
"""A file is made anew when so much of it is of no more use."""

MOST_LOOKS = 3
"""So often files are looked for that another process makes one of meanwhile."""

_MODEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}")
_SCHEMA = pa.schema([("sha256", pa.binary(32)), ("crops", pa.int8()), ("vectors", pa.binary())])
_KEY = "S32"


@dataclass(frozen=True, slots=True)
class _Places:
    """Where each picture is, sorted: keys (N,) of 32 bytes, with the file's number and the row in it."""

    files: tuple[Path, ...]
    keys: NDArray[np.bytes_]
    numbers: NDArray[np.int32]
    rows: NDArray[np.int32]

    def find(self, keys: NDArray[np.bytes_]) -> tuple[NDArray[np.bool_], NDArray[np.intp]]:
        """For each key whether it is there, and at which place here (its first one)."""
        at = np.searchsorted(self.keys, keys)
        inside = at < len(self.keys)
        at = np.where(inside, at, 0)
        return inside & (self.keys[at] == keys if len(self.keys) else False), at


_NOWHERE = _Places((), np.zeros(0, _KEY), np.zeros(0, np.int32), np.zeros(0, np.int32))


class VectorStore:
    """The vectors below one folder, of any number of embedders. Safe for several threads, and processes that add."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._places: dict[str, _Places] = {}
        self._lock = threading.Lock()

    def missing(self, model: str, shas: Iterable[str]) -> list[str]:
        """Those of the pictures that have no vectors of this embedder yet, each once, in the given order."""
        wanted = list(dict.fromkeys(shas))
        is_there, _ = self._look(model).find(_keys(wanted))
        return [sha for sha, there in zip(wanted, is_there.tolist(), strict=True) if not there]

    def append(self, model: str, shas: Sequence[str], vectors: Sequence[Floats]) -> None:
        """vectors: for each picture (crops, dim). On disk when this returns. Raises InputError or StorageError."""
        if len(shas) != len(vectors) or any(one.ndim != 2 for one in vectors):
            raise InputError(f"vectors: expected (crops, dim) for each of {len(shas)} pictures, got {len(vectors)}")
        if shas:
            columns = [
                pa.array([bytes.fromhex(sha) for sha in shas], pa.binary(32)),
                pa.array([len(one) for one in vectors], pa.int8()),
                pa.array([np.ascontiguousarray(one, np.float16).tobytes() for one in vectors], pa.binary()),
            ]
            self._write(model, new_id(), [pa.Table.from_arrays(columns, schema=_SCHEMA)])

    def read(self, model: str, shas: Iterable[str]) -> dict[str, Floats]:
        """Picture → (crops, dim), for those that are there."""
        return {sha: one for some in self.portions(model, shas) for sha, one in some.items()}

    def portions(self, model: str, shas: Iterable[str]) -> Iterator[dict[str, Floats]]:
        """The same, some hundred at a time and in the order of the disk: each piece of a file is read once."""
        left, given, tries = list(dict.fromkeys(shas)), set[str](), 0
        while left:
            try:
                for some in self._portions(model, left):
                    given.update(some)
                    yield some
                return
            except FileNotFoundError:  # somebody made one file of many meanwhile
                left, tries = [sha for sha in left if sha not in given], tries + 1
                if tries > MOST_LOOKS:
                    raise

    def models(self) -> list[str]:
        return sorted(path.name for path in self._folder.glob("*") if path.is_dir())

    def compact(self, model: str) -> int:
        """Few files of many, each picture once; gives how many files went. Not while another process compacts."""
        went, some, rows = 0, list[Path](), 0
        for path in self._files(model):
            count = pq.read_metadata(path).num_rows
            if count >= LARGE:
                continue
            if rows + count > LARGE:
                went += self._merge(model, some)
                some, rows = [], 0
            some.append(path)
            rows += count
        return went + self._merge(model, some)

    def drop_others(self, model: str, keep: Iterable[str]) -> int:
        """Without vectors of others than these pictures, from files that they are a quarter of; how many files those
        are. Not while another process compacts or adds.
        """
        wanted, renewed = _Places((), _sorted_keys(keep), _NOWHERE.numbers, _NOWHERE.rows), 0
        for path in self._files(model):
            stays, _ = wanted.find(_keys_of(path))
            if stays.all() or (~stays).mean() < DROPPED_FROM:
                continue
            if stays.any():
                self._write(model, f"{path.stem}c", _those(path, stays))
            path.unlink(missing_ok=True)
            renewed += 1
        if renewed:
            sync_folder(self._path(model))
        return renewed

    def compact_above(self, model: str, most_files: int) -> int:
        return self.compact(model) if len(self._files(model)) > most_files else 0

    def _portions(self, model: str, shas: Sequence[str]) -> Iterator[dict[str, Floats]]:
        places = self._look(model)
        is_there, at = places.find(_keys(shas))
        at = at[is_there]
        numbers, rows = places.numbers[at], places.rows[at]
        names = np.flatnonzero(is_there)
        for number in np.unique(numbers).tolist():
            chosen = numbers == number
            yield from _from_file(places.files[number], rows[chosen], [shas[one] for one in names[chosen]])

    def _merge(self, model: str, files: Sequence[Path]) -> int:
        """The new file stands where the first of them stood, so that the first vectors of a picture count still."""
        if len(files) < 2:
            return 0
        self._write(model, f"{files[0].stem}c", _each_once(files))
        for path in files:
            path.unlink(missing_ok=True)
        sync_folder(self._path(model))
        return len(files)

    def _write(self, model: str, name: str, portions: Iterable[pa.Table]) -> None:
        folder = self._path(model)
        draft = folder / f".{name}.draft"
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            with pq.ParquetWriter(draft, _SCHEMA, compression="NONE", use_dictionary=False) as writer:
                for rows in portions:
                    writer.write_table(rows, row_group_size=AT_ONCE)
            with draft.open("rb") as file:
                os.fsync(file.fileno())
            draft.replace(folder / f"{name}.parquet")
            sync_folder(folder)
        except OSError as error:
            draft.unlink(missing_ok=True)
            raise StorageError(f"{folder}: vectors cannot be written: {error.strerror}. Free some space.") from error

    def _look(self, model: str) -> _Places:
        """Only files that came since are opened; when some are gone, all are looked at again."""
        with self._lock:
            for _ in range(MOST_LOOKS):
                known, files = self._places.get(model, _NOWHERE), self._files(model)
                if set(files) == set(known.files):
                    return known
                if not set(known.files) <= set(files):
                    known = _NOWHERE
                try:
                    self._places[model] = _with_files(known, [path for path in files if path not in set(known.files)])
                except FileNotFoundError:  # made into one with others, between the two looks
                    continue
            return self._places[model]

    def _files(self, model: str) -> list[Path]:
        """The oldest first."""
        return sorted(self._path(model).glob("*.parquet"))

    def _path(self, model: str) -> Path:
        if not _MODEL.fullmatch(model):
            raise InputError(f"vectors: expected the name of a model, got {model!r}")
        return self._folder / model


def _keys(shas: Sequence[str]) -> NDArray[np.bytes_]:
    return np.frombuffer(bytes.fromhex("".join(shas)), _KEY)


def _keys_of(path: Path) -> NDArray[np.bytes_]:
    return np.frombuffer(b"".join(pq.read_table(path, columns=["sha256"])["sha256"].to_pylist()), _KEY)


def _sorted_keys(shas: Iterable[str]) -> NDArray[np.bytes_]:
    left, found = iter(shas), [_NOWHERE.keys]
    while some := list(islice(left, LARGE)):
        found.append(_keys(some))
    return np.sort(np.concatenate(found))


def _those(path: Path, chosen: NDArray[np.bool_]) -> Iterator[pa.Table]:
    """chosen: (rows,) of the file. A row group at a time."""
    with pq.ParquetFile(path) as file:
        first = 0
        for number in range(file.num_row_groups):
            table = file.read_row_group(number)
            yield table.filter(pa.array(chosen[first : first + len(table)]))
            first += len(table)


def _with_files(known: _Places, files: Sequence[Path]) -> _Places:
    """Where a picture is in several files, the first one counts."""
    keys, numbers, rows = [known.keys], [known.numbers], [known.rows]
    for number, path in enumerate(files, start=len(known.files)):
        some = _keys_of(path)
        keys.append(some)
        numbers.append(np.full(len(some), number, np.int32))
        rows.append(np.arange(len(some), dtype=np.int32))
    whole = np.concatenate(keys)
    order = np.argsort(whole, kind="stable")
    return _Places(
        known.files + tuple(files), whole[order], np.concatenate(numbers)[order], np.concatenate(rows)[order]
    )


def _from_file(path: Path, rows: NDArray[np.int32], shas: Sequence[str]) -> Iterator[dict[str, Floats]]:
    with pq.ParquetFile(path) as file:
        sizes = [file.metadata.row_group(number).num_rows for number in range(file.num_row_groups)]
        ends = np.cumsum(sizes)
        groups = np.searchsorted(ends, rows, side="right")
        for group in np.unique(groups).tolist():
            chosen = np.flatnonzero(groups == group)
            inside = rows[chosen] - (ends[group] - sizes[group])
            table = file.read_row_group(group, columns=["crops", "vectors"]).take(inside)
            yield {
                shas[name]: np.frombuffer(packed, np.float16).reshape(crops, -1).astype(np.float32)
                for name, crops, packed in zip(chosen.tolist(), *_columns(table), strict=True)
            }


def _columns(table: pa.Table) -> tuple[list[Any], ...]:
    return tuple(column.to_pylist() for column in table.columns)


def _each_once(files: Sequence[Path]) -> Iterator[pa.Table]:
    """A row group at a time."""
    seen: set[bytes] = set()
    for path in files:
        with pq.ParquetFile(path) as file:
            for number in range(file.num_row_groups):
                table = file.read_row_group(number)
                first = {key: row for row, key in reversed(list(enumerate(table["sha256"].to_pylist())))}
                fresh = sorted(row for key, row in first.items() if key not in seen)
                seen.update(first)
                yield table.take(pa.array(fresh, pa.int64()))
