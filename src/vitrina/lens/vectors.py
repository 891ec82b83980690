"""Vectors by embedder and picture, in Parquet files: an index can be made anew from them without any picture.

A file holds what one commit added and is never changed; it is there whole or not at all. Who adds a picture that is
there already changes nothing: the first vectors count, and `compact` makes one file of many.
"""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from vitrina.errors import InputError, StorageError
from vitrina.product import new_id
from vitrina.storage.spool import sync_folder

Floats = NDArray[np.float32]

_MODEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}")
_SCHEMA = pa.schema([("sha256", pa.string()), ("crops", pa.int8()), ("vectors", pa.binary())])


class VectorStore:
    """The vectors below one folder, of any number of embedders. Safe for several threads, and processes that add."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._places: dict[str, dict[str, tuple[Path, int]]] = {}
        self._known: dict[str, set[Path]] = {}
        self._lock = threading.Lock()

    def missing(self, model: str, shas: Iterable[str]) -> list[str]:
        """Those of the pictures that have no vectors of this embedder yet, each once, in the given order."""
        there = self._look(model)
        return [sha for sha in dict.fromkeys(shas) if sha not in there]

    def append(self, model: str, shas: Sequence[str], vectors: Sequence[Floats]) -> None:
        """vectors: for each picture (crops, dim). On disk when this returns. Raises InputError or StorageError."""
        if len(shas) != len(vectors) or any(one.ndim != 2 for one in vectors):
            raise InputError(f"vectors: expected (crops, dim) for each of {len(shas)} pictures, got {len(vectors)}")
        if shas:
            columns = [
                pa.array(shas, pa.string()),
                pa.array([len(one) for one in vectors], pa.int8()),
                pa.array([np.ascontiguousarray(one, np.float32).tobytes() for one in vectors], pa.binary()),
            ]
            self._write(model, pa.Table.from_arrays(columns, schema=_SCHEMA))

    def read(self, model: str, shas: Iterable[str]) -> dict[str, Floats]:
        """Picture → (crops, dim), for those that are there."""
        there, by_file = self._look(model), dict[Path, list[tuple[str, int]]]()
        for sha in dict.fromkeys(shas):
            if sha in there:
                path, row = there[sha]
                by_file.setdefault(path, []).append((sha, row))
        found: dict[str, Floats] = {}
        for path, wanted in by_file.items():
            rows = pq.read_table(path, columns=["crops", "vectors"], memory_map=True).take([row for _, row in wanted])
            for (sha, _), crops, packed in zip(wanted, *(column.to_pylist() for column in rows.columns), strict=True):
                found[sha] = np.frombuffer(packed, np.float32).reshape(crops, -1)
        return found

    def models(self) -> list[str]:
        return sorted(path.name for path in self._folder.glob("*") if path.is_dir())

    def compact(self, model: str) -> int:
        """One file of all, each picture once; gives how many files went. Not while another process compacts."""
        files = sorted(self._files(model))
        if len(files) < 2:
            return 0
        whole = pa.concat_tables([pq.read_table(path, schema=_SCHEMA) for path in files])
        first = pc.index_in(whole["sha256"].unique(), value_set=whole["sha256"])
        self._write(model, whole.take(first))
        for path in files:
            path.unlink(missing_ok=True)
        with self._lock:
            self._places.pop(model, None)
            self._known.pop(model, None)
        return len(files)

    def _write(self, model: str, rows: pa.Table) -> None:
        folder = self._path(model)
        draft = folder / f".{new_id()}.draft"
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            pq.write_table(rows, draft, compression="NONE", use_dictionary=False)
            with draft.open("rb") as file:
                os.fsync(file.fileno())
            draft.replace(folder / f"{draft.stem.removeprefix('.')}.parquet")
            sync_folder(folder)
        except OSError as error:
            draft.unlink(missing_ok=True)
            raise StorageError(f"{folder}: vectors cannot be written: {error.strerror}. Free some space.") from error

    def _look(self, model: str) -> dict[str, tuple[Path, int]]:
        """Picture → file and row; only files that came since are opened. One that was compacted away is forgotten."""
        files = set(self._files(model))
        with self._lock:
            places, known = self._places.setdefault(model, {}), self._known.setdefault(model, set())
            if known - files:
                places.clear()
                known.clear()
            for path in sorted(files - known):
                for row, sha in enumerate(pq.read_table(path, columns=["sha256"])["sha256"].to_pylist()):
                    places.setdefault(sha, (path, row))
                known.add(path)
            return dict(places)

    def _files(self, model: str) -> list[Path]:
        return list(self._path(model).glob("*.parquet"))

    def _path(self, model: str) -> Path:
        if not _MODEL.fullmatch(model):
            raise InputError(f"vectors: expected the name of a model, got {model!r}")
        return self._folder / model
