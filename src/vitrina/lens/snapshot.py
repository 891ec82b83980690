"""The entries of an index in Parquet files: a copy that any index can be filled from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import fields
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from vitrina.errors import ConflictError, InputError
from vitrina.lens.index import Entry
from vitrina.storage.spool import sync_folder

NAME = "entries.parquet"
_PLAIN = [one.name for one in fields(Entry) if one.name != "vector"]
_SCHEMA = pa.schema(
    [
        ("entry_id", pa.string()),
        ("shop", pa.string()),
        ("category", pa.string()),
        ("brand", pa.string()),
        ("price_minor", pa.int64()),
        ("currency", pa.string()),
        ("available", pa.bool_()),
        ("vector", pa.binary()),
    ]
)


def write_snapshot(folder: Path, portions: Iterable[Sequence[Entry]]) -> None:
    """folder: must not be there yet; it holds all of the entries when this returns, or is not there."""
    draft = fresh_draft(folder)
    with pq.ParquetWriter(draft / NAME, _SCHEMA) as writer:
        for some in portions:
            columns = {name: [getattr(entry, name) for entry in some] for name in _PLAIN}
            packed = [np.asarray(entry.vector, np.float32).tobytes() for entry in some]
            writer.write_table(pa.table(columns | {"vector": packed}, schema=_SCHEMA))
    keep_draft(draft, folder)


def read_snapshot(folder: Path) -> Iterator[list[Entry]]:
    """Some hundred entries at a time. Raises InputError for a folder that holds no snapshot."""
    try:
        file = pq.ParquetFile(folder / NAME)
    except (OSError, pa.ArrowInvalid) as error:
        raise InputError(f"{folder}: expected a snapshot of an index: {error}") from error
    with file:
        for rows in file.iter_batches(batch_size=500):
            vectors = [np.frombuffer(packed, np.float32) for packed in rows.column("vector").to_pylist()]
            told = rows.select(_PLAIN).to_pylist()
            yield [Entry(vector=vector, **row) for row, vector in zip(told, vectors, strict=True)]


def fresh_draft(folder: Path) -> Path:
    """An empty folder beside it, to be filled first. Raises ConflictError where something is there already."""
    if folder.exists():
        raise ConflictError(f"{folder}: something is there already; name a folder that is not there yet")
    draft = folder.with_name(f".{folder.name}.draft")
    draft.mkdir(parents=True, mode=0o700)
    return draft


def keep_draft(draft: Path, folder: Path) -> None:
    draft.rename(folder)
    sync_folder(folder.parent)
