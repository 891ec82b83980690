"""From offers to an index that can be searched: pictures, then vectors, then entries; each step goes on where it ended.

Every step asks what is missing and adds just that. A process that is killed between two of them, or within one, has
lost only what the next run does again: an address is fetched, a vector computed, an entry put twice at worst.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vitrina.errors import InputError, NotFoundError
from vitrina.lens import pictures, product, store
from vitrina.lens.decisions import load_decisions
from vitrina.lens.embed import catalog_vectors
from vitrina.lens.index import Entry, Index, entry_id
from vitrina.lens.indexing.client import IndexClient
from vitrina.lens.product import NO_DECISIONS, Decisions
from vitrina.lens.shops import find_shop, list_feeds
from vitrina.lens.vectors import VectorStore
from vitrina.models.embedder import Embedder
from vitrina.models.manifest import IMAGE_EMBEDDER, Model
from vitrina.models.registry import running_model
from vitrina.settings import Settings
from vitrina.storage.database import Database
from vitrina.work.spread import spread
from vitrina.work.worker import RunningJob

TOGETHER = 24
"""Pictures that one worker embeds at a time: seconds of work, so that little is lost with a worker that dies."""

ADDED_AT_ONCE = 960
INDEXED_AT_ONCE = 500
MOST_CROPS = 3
COMPLETE = ""
"""In place of an entry's id: the index of this model holds all that the catalog had."""

Floats = NDArray[np.float32]
Progress = Callable[[str, int, int], None]
"""Called with the step ("pictures", "vectors", "index"), how much of it is done, and how much there is."""


def say_nothing(_step: str, _done: int, _all: int) -> None:
    pass


@dataclass(frozen=True, slots=True)
class Synced:
    """What a run did. pictures: how many ended in which state. unreadable: kept pictures that cannot be read."""

    pictures: Mapping[str, int]
    vectors: int
    unreadable: int
    added: int
    removed: int
    entries: int
    products: int


@dataclass(frozen=True, slots=True)
class Task:
    """Some pictures for one worker, who finds model and pictures under the same paths."""

    model: Model
    folder: Path
    shas: tuple[str, ...]


def sync(
    settings: Settings,
    model: Model,
    index: Index,
    *,
    shops: Collection[str] = (),
    private: Collection[str] = (),
    decisions: Decisions = NO_DECISIONS,
    on_progress: Progress = say_nothing,
) -> Synced:
    """Bring pictures, vectors and index to what the catalog says; of some shops only, where they are named.

    private: feeds whose pictures may be at private addresses. on_progress: what it raises ends the run early.
    """
    folder = settings.lens
    catalog = store.open_catalog(folder / "catalog.db")
    try:
        wanted = pictures.due(catalog, time.time(), shops=shops, private=private)
        fetched = pictures.fetch_pictures(
            folder, wanted, on_progress=lambda done, all_: on_progress("pictures", done, all_)
        )
        vectors = VectorStore(folder / "vectors")
        embedded, unreadable = _embed(settings, model, vectors, _shown(catalog, shops), on_progress)
        added, removed = _index(catalog, model.name, index, vectors, shops, on_progress)
        merged = product.refresh_products(catalog, decisions)
        return Synced(fetched, embedded, unreadable, added, removed, index.count(), merged.products)
    finally:
        catalog.close()


def sync_all(
    settings: Settings, database: Database, *, shops: Collection[str] = (), on_progress: Progress = say_nothing
) -> Synced:
    """`sync` with what the database says: the embedder that runs, the feeds of a network of ours, editors' decisions.

    Raises NotFoundError where nothing was imported yet.
    """
    if not (settings.lens / "catalog.db").exists():
        raise NotFoundError("there is no catalog yet: vitrina lens import FEED --shop NAME")
    with database.reading() as session:
        model = running_model(session, settings.home, IMAGE_EMBEDDER)
        decisions = load_decisions(session)
        private = [feed.feed_id for feed in list_feeds(session) if feed.allow_private]
        for slug in shops:
            find_shop(session, slug)
    index = IndexClient(settings, model.name)
    return sync(settings, model, index, shops=shops, private=private, decisions=decisions, on_progress=on_progress)


def sync_job(settings: Settings, database: Database, job: RunningJob) -> str:
    """Handler of `lens.sync`."""

    def on_progress(_step: str, done: int, all_: int) -> None:
        job.check()
        job.progress = done / all_ if all_ else 0.0

    return sentence(sync_all(settings, database, shops=job.payload.get("shops", ()), on_progress=on_progress))


def sentence(done: Synced) -> str:
    """How a run ended, for a log and a command line."""
    fetched = ", ".join(f"{count:,} {state}" for state, count in sorted(done.pictures.items())) or "none new"
    return (
        f"pictures: {fetched}; {done.vectors:,} new vectors; index: {done.added:,} put, {done.removed:,} left, "
        f"{done.entries:,} entries; {done.products:,} products"
    )


def indexed_model(catalog: sqlite3.Connection, wanted: str) -> str:
    """The model whose index should be asked: the wanted one once it is complete, until then the one before it."""
    complete = [row[0] for row in catalog.execute("SELECT model FROM index_state WHERE entry_id = ?", (COMPLETE,))]
    return wanted if wanted in complete or not complete else max(complete)


# ── vectors ─────────────────────────────────────────────────────────────────────────────────────


def _shown(catalog: sqlite3.Connection, shops: Collection[str]) -> list[str]:
    """Pictures that live offers show."""
    where = f" AND shop IN ({','.join('?' * len(shops))})" if shops else ""
    rows = catalog.execute(
        "SELECT DISTINCT sha256 FROM pictures JOIN offer_pictures USING(picture_key) JOIN offers USING(offer_key)"  # noqa: S608
        f" WHERE state = 'ok' AND sha256 IS NOT NULL AND gone_at IS NULL{where} ORDER BY sha256",
        tuple(shops),
    )
    return [row[0] for row in rows]


def _embed(
    settings: Settings, model: Model, vectors: VectorStore, shas: Sequence[str], on_progress: Progress
) -> tuple[int, int]:
    """How many pictures got vectors, and how many could not be read."""
    missing = vectors.missing(model.name, shas)
    tasks = [
        Task(model, settings.lens, tuple(missing[first : first + TOGETHER]))
        for first in range(0, len(missing), TOGETHER)
    ]
    done, unreadable = 0, 0
    names: list[str] = []
    found: list[Floats] = []
    if not tasks:
        return 0, 0
    try:
        for some in spread(embed_some, tasks, workers=settings.workers, cluster=settings.cluster or None):
            readable = {sha: one for sha, one in some.items() if one is not None}
            unreadable += len(some) - len(readable)
            names += readable.keys()
            found += readable.values()
            done += len(some)
            if len(names) >= ADDED_AT_ONCE:
                vectors.append(model.name, names, found)
                names, found = [], []
            on_progress("vectors", done, len(missing))
    finally:
        vectors.append(model.name, names, found)
    return done - unreadable, unreadable


def embed_some(task: Task) -> dict[str, Floats | None]:
    """Picture → (crops, dim), in a worker; None for one that cannot be read."""
    found: dict[str, Floats | None] = dict.fromkeys(task.shas)
    readable, shown = [], []
    for sha in task.shas:
        try:
            shown.append(pictures.read_thumbnail(task.folder, sha))
            readable.append(sha)
        except InputError:
            pictures.thumbnail_path(task.folder, sha).unlink(missing_ok=True)
    if readable:
        found.update(zip(readable, catalog_vectors(_embedder(task.model.sha256, task.model), shown), strict=True))
    return found


@lru_cache(maxsize=1)
def _loaded(_sha256: str) -> list[Embedder]:
    return []


def _embedder(sha256: str, model: Model) -> Embedder:
    """Built once in a worker: a manifest's tables cannot be hashed, the file's sum can."""
    kept = _loaded(sha256)
    if not kept:
        kept.append(Embedder(model))
    return kept[0]


# ── index ───────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class _Place:
    """A picture in a shop: what its entries say."""

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
        return blake2b(repr(self).encode(), digest_size=12).digest()

    def entries(self, vectors: Floats) -> list[Entry]:
        return [
            Entry(entry_id(self.sha256, crop, self.shop), vector, self.shop, self.category, self.brand,
                  self.price_minor, self.currency, self.available)
            for crop, vector in enumerate(vectors)
        ]  # fmt: skip


def _index(
    catalog: sqlite3.Connection,
    model: str,
    index: Index,
    vectors: VectorStore,
    shops: Collection[str],
    on_progress: Progress,
) -> tuple[int, int]:
    """Entries that are new or changed are put, those of pictures that nobody shows any more go."""
    there = _noted(catalog, model, shops)
    changed: list[_Place] = []
    seen = set()
    for place in _places(catalog, shops):
        seen.add(place.key)
        if there.get(place.key) != place.digest:
            changed.append(place)
    gone = [key for key in there if key not in seen]
    done, put = 0, 0
    for first in range(0, len(changed), INDEXED_AT_ONCE):
        some = changed[first : first + INDEXED_AT_ONCE]
        put += _put(catalog, model, index, vectors.read(model, (place.sha256 for place in some)), some)
        done += len(some)
        on_progress("index", done, len(changed))
    for first in range(0, len(gone), INDEXED_AT_ONCE):
        _remove(catalog, model, index, gone[first : first + INDEXED_AT_ONCE])
    if changed:
        index.settle()
    if not shops:
        with store.writing(catalog):
            catalog.execute("INSERT OR REPLACE INTO index_state VALUES(?, ?, ?)", (model, COMPLETE, b""))
    return put, len(gone)


def _noted(catalog: sqlite3.Connection, model: str, shops: Collection[str]) -> dict[str, bytes]:
    rows = catalog.execute("SELECT entry_id, digest FROM index_state WHERE model = ? AND entry_id <> ''", (model,))
    noted = {row[0]: row[1] for row in rows}
    return {key: digest for key, digest in noted.items() if key.partition("-")[2] in shops} if shops else noted


def _places(catalog: sqlite3.Connection, shops: Collection[str]) -> Iterator[_Place]:
    """The cheapest live offer of a shop that shows the picture speaks for the others; in stock when any of them is."""
    where = f" AND shop IN ({','.join('?' * len(shops))})" if shops else ""
    rows = catalog.execute(
        "SELECT sha256, shop, category, brand, price_minor, currency, available"  # noqa: S608
        " FROM pictures JOIN offer_pictures USING(picture_key) JOIN offers USING(offer_key)"
        f" WHERE state = 'ok' AND sha256 IS NOT NULL AND gone_at IS NULL{where}"
        " ORDER BY sha256, shop, available DESC, price_minor, offer_key",
        tuple(shops),
    )
    last: tuple[str, str] | None = None
    for row in rows:
        if (row["sha256"], row["shop"]) != last:
            last = row["sha256"], row["shop"]
            widest = store.category_of(row["category"])[:1]
            yield _Place(*last, "".join(widest), row["brand"], row["price_minor"], row["currency"],
                         bool(row["available"]))  # fmt: skip


def _put(
    catalog: sqlite3.Connection, model: str, index: Index, vectors: Mapping[str, Floats], some: Sequence[_Place]
) -> int:
    """The index first: put twice, an entry is the same; noted too early, it would be missing for ever."""
    known = [place for place in some if place.sha256 in vectors]
    entries = [entry for place in known for entry in place.entries(vectors[place.sha256])]
    if entries:
        index.upsert(entries)
    with store.writing(catalog):
        catalog.executemany(
            "INSERT OR REPLACE INTO index_state VALUES(?, ?, ?)", [(model, place.key, place.digest) for place in known]
        )
    return len(entries)


def _remove(catalog: sqlite3.Connection, model: str, index: Index, keys: Sequence[str]) -> None:
    ids = [entry_id(*_parts(key, crop)) for key in keys for crop in range(MOST_CROPS)]
    index.delete(ids)
    with store.writing(catalog):
        catalog.executemany("DELETE FROM index_state WHERE model = ? AND entry_id = ?", [(model, key) for key in keys])


def _parts(key: str, crop: int) -> tuple[str, int, str]:
    sha256, _, shop = key.partition("-")
    return sha256, crop, shop
