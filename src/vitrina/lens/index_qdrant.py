"""The index on a Qdrant cluster, for catalogs that one machine does not hold. Many processes may use it at once.

A filter is handed over as values, never as text, so nothing that a feed says can end up in a filter's language.
"""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Collection, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from vitrina.errors import InputError, MissingError, StorageError
from vitrina.lens.index import EVERYTHING, Entry, Filter, Floats, Hit, check_queries
from vitrina.lens.snapshot import write_snapshot

AT_ONCE = 500
PATIENCE_S = 60
EFFORT = 256
"""Candidates looked at for a query, as in zvec's index."""

_NAMES = uuid.UUID("6f0e4bb4-6f1c-5f5b-9d2b-0b8f6b6f2d61")
"""Qdrant's ids are UUIDs or numbers: an entry's is made out of its own id in this space (RFC 9562, version 5)."""

_WORDS = ("shop", "category", "brand", "currency")


class QdrantIndex:
    """One embedder's entries, in a collection of their own that is made with the first entry. Safe for several threads.

    place: `https://host:6333`, or for tests and trying out a folder or `:memory:`.
    """

    def __init__(self, place: str, model: str, *, key: str = "") -> None:
        self._place, self._name = place, f"vitrina-{model}"
        self._is_server = place.startswith(("http://", "https://"))
        self._client, self._models = _connected(place, key), _qdrant().models
        self._dim, self._is_ready = 0, False

    def upsert(self, entries: Sequence[Entry]) -> None:
        if not entries:
            return
        with self._told():
            dim = self._ready(len(entries[0].vector))
            wrong = next((entry for entry in entries if len(entry.vector) != dim), None)
            if wrong is not None:
                raise InputError(f"entry {wrong.entry_id}: expected {dim} numbers, got {len(wrong.vector)}")
            for some in _portions(entries):
                self._client.upsert(self._name, [self._point(entry) for entry in some], wait=True)

    def delete(self, ids: Collection[str]) -> None:
        with self._told():
            if ids and self._there():
                for some in _portions(list(ids)):
                    points = self._models.PointIdsList(points=[_point_id(one) for one in some])
                    self._client.delete(self._name, points, wait=True)

    def delete_where(self, where: Filter) -> int:
        count = self.count(where)
        if count:
            with self._told():
                chosen = self._models.FilterSelector(filter=self._condition(where))
                self._client.delete(self._name, chosen, wait=True)
        return count

    def search(self, vectors: Floats, k: int, where: Filter = EVERYTHING) -> list[list[Hit]]:
        queries, ask = check_queries(vectors), self._models.QueryRequest
        with self._told():
            if not self._there():
                return [[] for _ in queries]
            told = {"filter": self._condition(where), "limit": k, "with_payload": ["entry_id"]}
            if self._is_server:  # elsewhere every vector is looked at
                told["params"] = self._models.SearchParams(hnsw_ef=max(EFFORT, k))
            asked = [ask(query=query.tolist(), **told) for query in queries]
            answers = self._client.query_batch_points(self._name, asked)
        return [[Hit(point.payload["entry_id"], float(point.score)) for point in one.points] for one in answers]

    def count(self, where: Filter = EVERYTHING) -> int:
        with self._told():
            if not self._there():
                return 0
            return int(self._client.count(self._name, count_filter=self._condition(where), exact=True).count)

    def settle(self) -> None:
        """Qdrant does that by itself, beside what it is asked."""

    def snapshot(self, folder: Path) -> None:
        with self._told():
            write_snapshot(folder, self._all() if self._there() else [])

    def destroy(self) -> None:
        with self._told():
            self._client.delete_collection(self._name)
        self._dim, self._is_ready = 0, False

    def close(self) -> None:
        self._client.close()

    def _all(self) -> Iterator[list[Entry]]:
        offset = None
        while True:
            points, offset = self._client.scroll(
                self._name, limit=AT_ONCE, offset=offset, with_payload=True, with_vectors=True
            )
            yield [Entry(vector=np.asarray(point.vector, np.float32), **point.payload) for point in points]
            if offset is None:
                return

    def _point(self, entry: Entry) -> Any:
        payload = {"entry_id": entry.entry_id, "price_minor": entry.price_minor, "available": entry.available}
        payload |= {name: getattr(entry, name) for name in _WORDS}
        vector = np.asarray(entry.vector, np.float32).tolist()
        return self._models.PointStruct(id=_point_id(entry.entry_id), vector=vector, payload=payload)

    def _there(self) -> int:
        """Numbers of a vector; 0 while there is no collection."""
        if not self._dim and self._client.collection_exists(self._name):
            self._dim = int(self._client.get_collection(self._name).config.params.vectors.size)
        return self._dim

    def _ready(self, dim: int) -> int:
        """Whoever runs the cluster may have made the collection, with shards and copies as they like."""
        if not self._is_ready:
            if not self._there():
                self._make(dim)
            if self._is_server:  # its local mode has no indexes, and warns about each
                self._index_fields()
            self._is_ready = True
        return self._there()

    def _make(self, dim: int) -> None:
        """Several processes may do it at once: who comes second finds it there."""
        models = self._models
        vector = models.VectorParams(
            size=dim, distance=models.Distance.DOT, datatype=models.Datatype.FLOAT16, on_disk=True
        )
        with contextlib.suppress(*_refused()):
            self._client.create_collection(self._name, vector)

    def _index_fields(self) -> None:
        kinds = dict.fromkeys(_WORDS, self._models.PayloadSchemaType.KEYWORD)
        kinds |= {
            "price_minor": self._models.PayloadSchemaType.INTEGER,
            "available": self._models.PayloadSchemaType.BOOL,
        }
        for name, kind in kinds.items():
            self._client.create_payload_index(self._name, name, kind)

    def _condition(self, where: Filter) -> Any:
        """None lets everything pass where one searches or counts; who deletes has to say everything."""
        models, must = self._models, []
        for name, words in (("shop", where.shops), ("brand", where.brands), ("category", where.categories)):
            if words:
                must.append(models.FieldCondition(key=name, match=models.MatchAny(any=list(words))))
        if where.currency:
            must.append(models.FieldCondition(key="currency", match=models.MatchValue(value=where.currency)))
        if where.available is not None:
            must.append(models.FieldCondition(key="available", match=models.MatchValue(value=where.available)))
        if (where.min_price_minor, where.max_price_minor) != (None, None):
            prices = models.Range(gte=where.min_price_minor, lte=where.max_price_minor)
            must.append(models.FieldCondition(key="price_minor", range=prices))
        return models.Filter(must=must)

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except _failures() as error:
            raise StorageError(
                f"Qdrant at {self._place} cannot do this now: {str(error)[:300]}. Check `lens_qdrant_url` and its log."
            ) from error


def _connected(place: str, key: str) -> Any:
    client = _qdrant().QdrantClient
    if place.startswith(("http://", "https://")):
        return client(url=place, api_key=key or None, timeout=PATIENCE_S, check_compatibility=False)
    # Not guarded by sqlite's own check, for several threads ask: the client has a lock of its own.
    return client(location=place) if place == ":memory:" else client(path=place, force_disable_check_same_thread=True)


def _point_id(entry_id: str) -> str:
    return str(uuid.uuid5(_NAMES, entry_id))


def _portions(rows: Sequence[Any]) -> Iterator[list[Any]]:
    for first in range(0, len(rows), AT_ONCE):
        yield list(rows[first : first + AT_ONCE])


@cache
def _qdrant() -> Any:
    try:
        import qdrant_client
    except ModuleNotFoundError as error:
        raise MissingError('an index on Qdrant needs its client: pip install "vitrina[qdrant]"') from error
    return qdrant_client


def _refused() -> tuple[type[Exception], ...]:
    """What is said where a collection of this name is there already: by a server, and in local mode."""
    from qdrant_client.http.exceptions import UnexpectedResponse

    return UnexpectedResponse, ValueError


def _failures() -> tuple[type[Exception], ...]:
    from qdrant_client.http.exceptions import ApiException

    return ApiException, OSError
