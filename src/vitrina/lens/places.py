"""What the index should hold, and what it holds: the difference is put and removed.

A place is a picture in a shop. Both sides are walked through in the same order, so that five million of them need no
more memory than a thousand.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vitrina.errors import VitrinaError
from vitrina.lens import store
from vitrina.lens.index import Entry, Filter, Index, entry_id
from vitrina.lens.vectors import VectorStore

logger = logging.getLogger(__name__)

AT_ONCE = 500
MOST_PICTURES = 1_000_000
"""Changed pictures that are gathered before they are put: their vectors are then read in the order of the disk."""

MOST_CROPS = 3
COMPLETE = ""
"""In place of an entry's id: the index of this model holds all that the catalog had."""

_MODELS = """
WITH RECURSIVE found(model) AS (
    SELECT min(model) FROM index_state
    UNION ALL SELECT (SELECT min(model) FROM index_state WHERE model > found.model) FROM found WHERE model IS NOT NULL)
SELECT model FROM found WHERE model IS NOT NULL"""
"""Each once, without a look at every one of millions of rows."""

Floats = NDArray[np.float32]
Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Place:
    """A picture in a shop: what its entries say. It is kept as `{sha256}-{shop}` in `index_state`."""

    sha256: str
    shop: str
    category: str
    brand: str
    price_minor: int
    currency: str
    available: bool

    @property
    def key(self) -> str:
        return f"{self.sha256}-{self.shop}"

    @property
    def digest(self) -> bytes:
        told = (self.category, self.brand, self.price_minor, self.currency, self.available)
        return blake2b(repr(told).encode(), digest_size=12).digest()

    def entries(self, vectors: Floats) -> list[Entry]:
        return [
            Entry(entry_id(self.sha256, crop, self.shop), vector, self.shop, self.category, self.brand,
                  self.price_minor, self.currency, self.available)
            for crop, vector in enumerate(vectors)
        ]  # fmt: skip


@dataclass(slots=True)
class _Difference:
    """shas: of pictures that a shop shows anew or at another price. gone: keys of places that nobody shows any more."""

    shas: list[str] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)


def bring_up(
    path: Path,
    model: str,
    index: Index,
    vectors: VectorStore,
    *,
    address: str = "",
    shops: Collection[str] = (),
    on_progress: Progress = lambda _done, _all: None,
) -> tuple[int, int]:
    """Put what is new or changed, remove what is gone; gives how many entries were put and how many places removed.

    path: of the catalog. address: where the index is, and how it is kept there; when that changed it is emptied first,
    for nobody knows what it holds. Pictures without vectors are left for the next time.
    """
    put, removed = 0, 0
    with closing(store.open_catalog(path)) as catalog, closing(store.open_catalog(path)) as walked:
        _forget_if_moved(catalog, model, index, address)
        _forget_if_lost(catalog, model, index)
        for some in _differences(walked, model, shops):
            put += _put_all(catalog, model, index, vectors, some.shas, shops, on_progress)
            for first in range(0, len(some.gone), AT_ONCE):
                _remove(catalog, model, index, some.gone[first : first + AT_ONCE])
            removed += len(some.gone)
        index.settle()  # also what a run before this one put and was cut off from settling
        if not shops:
            _note_complete(catalog, model)
    return put, removed


def forget(path: Path, model: str, index: Index) -> None:
    """Empty the index; it is filled from the kept vectors the next time."""
    index.delete_where(Filter())
    with closing(store.open_catalog(path)) as catalog:
        _forget(catalog, model)


def retire_others(path: Path, model: str, open_index: Callable[[str], Index]) -> None:
    """Remove the indexes of other embedders beside a complete one; their vectors are kept.

    To be called before `bring_up`, not after: a search that began before the last change may be asking another one yet.
    """
    with closing(store.open_catalog(path)) as catalog:
        models = [row[0] for row in catalog.execute(_MODELS)]
        if catalog.execute("SELECT 1 FROM index_state WHERE model = ? AND entry_id = ?", (model, COMPLETE)).fetchone():
            for other in set(models) - {model}:
                try:
                    with closing(open_index(other)) as index:
                        index.destroy()
                except VitrinaError as error:
                    logger.warning("the index of %s, which nobody asks any more, cannot be removed: %s", other, error)
                else:
                    _forget(catalog, other)


def indexed_model(catalog: sqlite3.Connection, wanted: str) -> str:
    """The model whose index should be asked: the wanted one once it is complete, until then the one before it."""
    complete = [row[0] for row in catalog.execute("SELECT model FROM index_state WHERE entry_id = ?", (COMPLETE,))]
    return wanted if wanted in complete or not complete else max(complete)


def _note_complete(catalog: sqlite3.Connection, model: str) -> None:
    """Only one is: an index that nobody keeps up to date any more is asked no more."""
    with store.writing(catalog):
        catalog.execute("DELETE FROM index_state WHERE entry_id = ? AND model <> ?", (COMPLETE, model))
        catalog.execute("INSERT OR REPLACE INTO index_state VALUES(?, ?, ?)", (model, COMPLETE, b""))


def _forget_if_moved(catalog: sqlite3.Connection, model: str, index: Index, address: str) -> None:
    name = f"index of {model}"
    kept = catalog.execute("SELECT value FROM kept WHERE name = ?", (name,)).fetchone()
    if (kept[0] if kept else "") != address:
        index.delete_where(Filter())
        with store.writing(catalog):
            catalog.execute("DELETE FROM index_state WHERE model = ?", (model,))
            catalog.execute("INSERT OR REPLACE INTO kept VALUES(?, ?)", (name, address))


def _forget_if_lost(catalog: sqlite3.Connection, model: str, index: Index) -> None:
    """Somebody removed its folder, or it is another Qdrant now."""
    noted = catalog.execute("SELECT 1 FROM index_state WHERE model = ? AND entry_id <> '' LIMIT 1", (model,)).fetchone()
    if noted and not index.count():
        _forget(catalog, model)


def _forget(catalog: sqlite3.Connection, model: str) -> None:
    with store.writing(catalog):
        catalog.execute("DELETE FROM index_state WHERE model = ?", (model,))


# ── the difference ──────────────────────────────────────────────────────────────────────────────


def _differences(catalog: sqlite3.Connection, model: str, shops: Collection[str]) -> Iterator[_Difference]:
    """In portions of at most `MOST_PICTURES`. Both sides come by picture and shop."""
    there, some = _noted(catalog, model, shops), _Difference()
    noted = next(there, None)
    for place in _places(catalog, *_of_shops(shops)):
        key = place.key
        while noted is not None and noted[0] < key:
            some.gone.append(noted[0])
            noted = next(there, None)
        is_noted = noted is not None and noted[0] == key
        if not (is_noted and noted is not None and noted[1] == place.digest) and some.shas[-1:] != [place.sha256]:
            some.shas.append(place.sha256)
        if is_noted:
            noted = next(there, None)
        if max(len(some.shas), len(some.gone)) >= MOST_PICTURES:
            yield some
            some = _Difference()
    if noted is not None:
        some.gone += [noted[0], *(key for key, _ in there)]
    yield some


def _noted(catalog: sqlite3.Connection, model: str, shops: Collection[str]) -> Iterator[tuple[str, bytes]]:
    where = f" AND substr(entry_id, 66) IN ({store.marks(shops)})" if shops else ""
    rows = catalog.execute(
        f"SELECT entry_id, digest FROM index_state WHERE model = ? AND entry_id <> ''{where} ORDER BY entry_id",  # noqa: S608
        (model, *shops),
    )
    return ((row[0], row[1]) for row in rows)


def _of_shops(shops: Collection[str]) -> tuple[str, tuple[str, ...]]:
    return (f" AND shop IN ({store.marks(shops)})", tuple(shops)) if shops else ("", ())


def _places(catalog: sqlite3.Connection, where: str, values: Sequence[str]) -> Iterator[Place]:
    """The cheapest live offer of a shop that shows the picture speaks for the others; in stock when any of them is."""
    rows = catalog.execute(
        "SELECT sha256, shop, category, brand, price_minor, currency, available"  # noqa: S608
        " FROM pictures JOIN offer_pictures USING(picture_key) JOIN offers USING(offer_key)"
        f" WHERE state = 'ok' AND sha256 IS NOT NULL AND gone_at IS NULL{where}"
        " ORDER BY sha256, shop, available DESC, price_minor, offer_key",
        values,
    )
    last: tuple[str, str] | None = None
    for row in rows:
        if (row["sha256"], row["shop"]) != last:
            last = row["sha256"], row["shop"]
            widest = "".join(store.category_of(row["category"])[:1])
            yield Place(*last, widest, row["brand"], row["price_minor"], row["currency"], bool(row["available"]))


# ── changes ─────────────────────────────────────────────────────────────────────────────────────


def _put_all(
    catalog: sqlite3.Connection,
    model: str,
    index: Index,
    vectors: VectorStore,
    shas: Sequence[str],
    shops: Collection[str],
    on_progress: Progress,
) -> int:
    put, done = 0, 0
    of_shops, slugs = _of_shops(shops)
    for some in vectors.portions(model, shas):
        where = f" AND sha256 IN ({store.marks(some)}){of_shops}"
        put += _put(catalog, model, index, some, _changed(catalog, model, _places(catalog, where, (*some, *slugs))))
        done += len(some)
        on_progress(done, len(shas))
    return put


def _changed(catalog: sqlite3.Connection, model: str, places: Iterator[Place]) -> list[Place]:
    """A picture may be new in one shop and as it was in others."""
    some = list(places)
    marks = store.marks(some)
    rows = catalog.execute(
        f"SELECT entry_id, digest FROM index_state WHERE model = ? AND entry_id IN ({marks})",  # noqa: S608
        (model, *(place.key for place in some)),
    )
    noted = {row[0]: row[1] for row in rows}
    return [place for place in some if noted.get(place.key) != place.digest]


def _put(
    catalog: sqlite3.Connection, model: str, index: Index, vectors: Mapping[str, Floats], places: Sequence[Place]
) -> int:
    """The index first: put twice, an entry is the same; noted too early, it would be missing for ever."""
    entries = [entry for place in places for entry in place.entries(vectors[place.sha256])]
    if entries:
        index.upsert(entries)
    with store.writing(catalog):
        catalog.executemany(
            "INSERT OR REPLACE INTO index_state VALUES(?, ?, ?)", [(model, one.key, one.digest) for one in places]
        )
    return len(entries)


def _remove(catalog: sqlite3.Connection, model: str, index: Index, keys: Sequence[str]) -> None:
    index.delete([entry_id(key[:64], crop, key[65:]) for key in keys for crop in range(MOST_CROPS)])
    with store.writing(catalog):
        catalog.executemany("DELETE FROM index_state WHERE model = ? AND entry_id = ?", [(model, key) for key in keys])
