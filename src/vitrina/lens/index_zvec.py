"""The index on zvec: embedded, on disk, filtered while it searches. One process at a time may have it open.

Texts become tokens of letters and digits before they reach an entry or a filter, so nothing that a feed says can end a
quotation in a filter's language.
"""

from __future__ import annotations

import shutil
import threading
from collections.abc import Collection, Iterator, Sequence
from functools import cache
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vitrina.errors import InputError, MissingError, StorageError
from vitrina.lens.index import EVERYTHING, Entry, Filter, Floats, Hit, check_queries
from vitrina.lens.snapshot import fresh_draft, keep_draft

AT_ONCE = 500
"""Entries in one call; zvec takes 1,024."""

MOST_HITS = 2048
"""zvec looks at no more candidates than that for a query."""
NEIGHBOURS, BUILD_EFFORT, EFFORT = 32, 200, 256
"""Links of a vector, candidates looked at for each of them, and candidates looked at for a query (Malkov 2016)."""

APART = 0.001
"""How far each vector is moved before zvec gets it, in a direction that is drawn anew each time. Of identical vectors
(a picture in two shops, an entry put again at a new price) zvec 0.8 makes a graph that searches do not find out of:
some of them then miss what is nearest, or end with two or three hits. A score changes by less than 0.0001.
"""

_VECTOR = "vector"
_TEXTS = ("shop", "category", "brand", "currency")


class ZvecIndex:
    """Safe for several threads. folder: made with the first entry."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._zvec = folder, _zvec()
        self._opened: Any = None
        self._dice = np.random.default_rng()
        self._changing = threading.RLock()
        if folder.exists():
            self._opened = self._open()

    def upsert(self, entries: Sequence[Entry]) -> None:
        if entries:
            with self._changing:
                self._upsert(entries)

    def _upsert(self, entries: Sequence[Entry]) -> None:
        opened = self._opened or self._make(len(entries[0].vector))
        zvec, dim = self._zvec, opened.schema.vectors[0].dimension
        wrong = next((entry for entry in entries if len(entry.vector) != dim), None)
        if wrong is not None:
            raise InputError(f"entry {wrong.entry_id}: expected {dim} numbers, got {len(wrong.vector)}")
        for some in _portions(entries):
            answers = opened.upsert(
                [
                    zvec.Doc(
                        id=entry.entry_id,
                        vectors={_VECTOR: vector},
                        fields={name: token(getattr(entry, name)) for name in _TEXTS}
                        | {"price": entry.price_minor, "available": entry.available},
                    )
                    for entry, vector in zip(some, self._moved_apart(some), strict=True)
                ]
            )
            failed = next((one for one in answers if not one.ok()), None)
            if failed is not None:
                raise StorageError(f"{self._folder}: an entry was not taken: {failed.message()}")
        opened.flush()

    def _moved_apart(self, entries: Sequence[Entry]) -> NDArray[np.float16]:
        """(N, dim), each of length 1, no two alike."""
        vectors = np.stack([entry.vector for entry in entries])
        drawn = self._dice.standard_normal(vectors.shape, np.float32)
        moved = vectors + APART * drawn / np.linalg.norm(drawn, axis=1, keepdims=True)
        return np.asarray(moved / np.linalg.norm(moved, axis=1, keepdims=True), np.float16)

    def delete(self, ids: Collection[str]) -> None:
        if self._opened is None or not ids:
            return
        with self._changing:
            for some in _portions(list(ids)):
                self._opened.delete(some)
            self._opened.flush()

    def delete_where(self, where: Filter) -> int:
        if self._opened is None:
            return 0
        with self._changing:
            before = self.count()
            if before:
                self._opened.delete_by_filter(condition(where) or "price >= -9223372036854775807")
                self._opened.flush()
            return before - self.count()

    def search(self, vectors: Floats, k: int, where: Filter = EVERYTHING) -> list[list[Hit]]:
        queries = check_queries(vectors)
        if self._opened is None:
            return [[] for _ in queries]
        found, told = [], condition(where)
        param = self._zvec.HnswQueryParam(ef=max(EFFORT, min(k, MOST_HITS)))
        for query in queries:
            asked = self._zvec.Query(_VECTOR, vector=query.astype(np.float16), param=param)
            docs = self._opened.query(asked, topk=min(k, MOST_HITS), filter=told, output_fields=[])
            found.append([Hit(doc.id, float(doc.score)) for doc in docs])
        return found

    def count(self, where: Filter = EVERYTHING) -> int:
        """With a filter it counts what it finds, about a microsecond each."""
        if self._opened is None:
            return 0
        everything = int(self._opened.stats.doc_count)
        if where == EVERYTHING or not everything:
            return everything
        return len(self._opened.query(topk=everything, filter=condition(where), output_fields=[]))

    def settle(self) -> None:
        if self._opened is not None:
            with self._changing:
                self._opened.optimize()

    def snapshot(self, folder: Path) -> None:
        """The copy is opened as an index of its own. Who puts something waits meanwhile."""
        with self._changing:
            draft = fresh_draft(folder)
            if self._opened is not None:
                self._opened.flush()
                shutil.copytree(self._folder, draft, dirs_exist_ok=True)
                keep_draft(draft, folder)
            else:
                draft.rmdir()

    def destroy(self) -> None:
        """The folder leaves its place as a whole first: what a kill leaves of it is not taken for an index."""
        with self._changing:
            self.close()
            gone = self._folder.with_name(f".{self._folder.name}.gone")
            shutil.rmtree(gone, ignore_errors=True)
            if self._folder.exists():
                self._folder.rename(gone)
                shutil.rmtree(gone)

    def close(self) -> None:
        if self._opened is not None:
            self._opened.flush()
            self._opened.close()
            self._opened = None

    def _open(self) -> Any:
        try:
            return self._zvec.open(str(self._folder))
        except Exception as error:
            raise StorageError(
                f"{self._folder}: the index cannot be opened: {error}. When no other process has it, remove the folder "
                "and run `vitrina lens sync`: it is made anew from the vectors."
            ) from error

    def _make(self, dim: int) -> Any:
        """In a folder beside it first: one that was half made when we were killed is not taken for an index."""
        zvec, kinds = self._zvec, self._zvec.DataType
        lookup = zvec.InvertIndexParam()
        schema = zvec.CollectionSchema(
            "entries",
            fields=[
                *(zvec.FieldSchema(name, kinds.STRING, index_param=lookup) for name in _TEXTS),
                zvec.FieldSchema(
                    "price", kinds.INT64, index_param=zvec.InvertIndexParam(enable_range_optimization=True)
                ),
                zvec.FieldSchema("available", kinds.BOOL, index_param=lookup),
            ],
            vectors=[
                zvec.VectorSchema(
                    _VECTOR,
                    kinds.VECTOR_FP16,
                    dim,
                    index_param=zvec.HnswIndexParam(
                        metric_type=zvec.MetricType.IP, m=NEIGHBOURS, ef_construction=BUILD_EFFORT
                    ),
                )
            ],
        )
        self._folder.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        draft = self._folder.with_name(f".{self._folder.name}.draft")
        shutil.rmtree(draft, ignore_errors=True)
        zvec.create_and_open(str(draft), schema).close()
        draft.rename(self._folder)
        self._opened = self._open()
        return self._opened


def condition(where: Filter) -> str | None:
    """In zvec's language; None lets everything pass."""
    parts = [
        f"{name} = {_quoted(texts[0])}" if len(texts) == 1 else f"{name} in ({', '.join(map(_quoted, texts))})"
        for name, texts in (("shop", where.shops), ("brand", where.brands), ("category", where.categories))
        if texts
    ]
    if where.currency:
        parts.append(f"currency = {_quoted(where.currency)}")
    if where.available is not None:
        parts.append(f"available = {str(where.available).lower()}")
    if where.min_price_minor is not None:
        parts.append(f"price >= {int(where.min_price_minor)}")
    if where.max_price_minor is not None:
        parts.append(f"price <= {int(where.max_price_minor)}")
    return " and ".join(parts) or None


def token(text: str) -> str:
    """Letters and digits that stand for a text."""
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=10).hexdigest()


def _quoted(text: str) -> str:
    return f"'{token(text)}'"


def _portions(rows: Sequence[Any]) -> Iterator[list[Any]]:
    for first in range(0, len(rows), AT_ONCE):
        yield list(rows[first : first + AT_ONCE])


@cache
def _zvec() -> Any:
    try:
        import zvec
    except ModuleNotFoundError as error:
        raise MissingError('an index needs zvec: pip install "vitrina[lens]"') from error
    zvec.init(log_level=zvec.LogLevel.ERROR)
    return zvec
