"""From offers to an index that can be searched: pictures, vectors, entries, products; each step goes on where it ended.

Every step asks what is missing and adds just that. A process that is killed between two of them, or within one, has
lost only what the next run does again: an address is fetched, a vector computed, an entry put twice at worst.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from vitrina.errors import ConflictError, NotFoundError
from vitrina.lens import census, pictures, product, store
from vitrina.lens.decisions import load_decisions
from vitrina.lens.embedding import embed_missing
from vitrina.lens.index import Index
from vitrina.lens.indexing.client import address_of, index_of
from vitrina.lens.pairs import find_pairs
from vitrina.lens.places import bring_up, forget, retire_others
from vitrina.lens.places import indexed_model as indexed_model
from vitrina.lens.product import NO_DECISIONS, Decisions
from vitrina.lens.shops import find_shop, list_feeds
from vitrina.lens.vectors import VectorStore
from vitrina.models.manifest import IMAGE_EMBEDDER, Model
from vitrina.models.registry import running_model
from vitrina.settings import Settings
from vitrina.storage.database import Database
from vitrina.storage.spool import lock_alone
from vitrina.work.worker import RunningJob, TryAgain

BUSY_WAIT_S = 300.0
"""A job that finds another sync under way comes again after so long."""

Progress = Callable[[str, int, int], None]
"""Called with the step ("pictures", "vectors", "index", "pairs"), how much of it is done, and how much there is."""


def say_nothing(_step: str, _done: int, _all: int) -> None:
    pass


@dataclass(frozen=True, slots=True)
class Synced:
    """What a run did. pictures: how many ended in which state. unreadable: kept pictures that cannot be read. pairs: of
    pictures that were found to be one picture.
    """

    pictures: Mapping[str, int]
    vectors: int
    unreadable: int
    added: int
    removed: int
    entries: int
    products: int
    pairs: int = 0


def sync(
    settings: Settings,
    model: Model,
    index: Index,
    *,
    shops: Collection[str] = (),
    private: Collection[str] = (),
    decisions: Callable[[], Decisions] = lambda: NO_DECISIONS,
    on_progress: Progress = say_nothing,
) -> Synced:
    """Bring pictures, vectors and index to what the catalog says; of some shops only, where they are named.

    private: feeds whose pictures may be at private addresses. decisions: asked when offers are merged, as editors go on
    deciding while pictures are fetched. on_progress: what it raises ends the run early.
    Raises ConflictError while another process does the same.
    """
    folder = settings.lens
    path = folder / "catalog.db"
    with alone(folder), closing(store.open_catalog(path)) as catalog:
        fetched = _fetch(
            folder, catalog, partial(pictures.due, catalog, time.time(), shops=shops, private=private), on_progress
        )
        vectors, shown = VectorStore(folder / "vectors"), _shown(catalog, shops)
        embedded, unreadable = embed_missing(settings, model, vectors, shown, partial(on_progress, "vectors"))
        pictures.fetch_again(catalog, unreadable)
        if unreadable or not census.are_feeds_counted(catalog):
            census.count_all_feeds(catalog)
        added, removed = bring_up(
            path,
            model.name,
            index,
            vectors,
            address=address_of(settings),
            shops=shops,
            on_progress=partial(on_progress, "index"),
        )
        merged = _merge(catalog, decisions)  # for who looks while pictures are compared
        pairs = find_pairs(
            settings, catalog, model.name, index, vectors, shops=shops, on_progress=partial(on_progress, "pairs")
        )
        if pairs:
            merged = _merge(catalog, decisions)
        return Synced(fetched, embedded, len(unreadable), added, removed, index.count(), merged.products, pairs)


def sync_all(
    settings: Settings,
    database: Database,
    *,
    shops: Collection[str] = (),
    rebuild: bool = False,
    on_progress: Progress = say_nothing,
) -> Synced:
    """`sync` with what the database says: the embedder that runs, the feeds of a network of ours, editors' decisions.

    rebuild: empty the index first. Raises NotFoundError where nothing was imported yet, and ConflictError.
    """
    if not (settings.lens / "catalog.db").exists():
        raise NotFoundError("there is no catalog yet: vitrina lens import FEED --shop NAME")
    with database.reading() as session:
        model = running_model(session, settings.home, IMAGE_EMBEDDER)
        private = [feed.feed_id for feed in list_feeds(session) if feed.allow_private]
        for slug in shops:
            find_shop(session, slug)
    with alone(settings.lens):
        retire_others(settings.lens / "catalog.db", model.name, partial(index_of, settings))
    with closing(index_of(settings, model.name)) as index:
        if rebuild:
            with alone(settings.lens):
                forget(settings.lens / "catalog.db", model.name, index)
        decided = partial(_decided, database)
        return sync(settings, model, index, shops=shops, private=private, decisions=decided, on_progress=on_progress)


def sync_job(settings: Settings, database: Database, job: RunningJob) -> str:
    """Handler of `lens.sync`."""

    def on_progress(_step: str, done: int, all_: int) -> None:
        job.check()
        job.progress = done / all_ if all_ else 0.0

    try:
        return sentence(sync_all(settings, database, shops=job.payload.get("shops", ()), on_progress=on_progress))
    except ConflictError as busy:
        raise TryAgain(str(busy), wait_s=BUSY_WAIT_S) from busy


def sentence(done: Synced) -> str:
    """How a run ended, for a log and a command line."""
    fetched = ", ".join(f"{count:,} {state}" for state, count in sorted(done.pictures.items())) or "none new"
    return (
        f"pictures: {fetched}; {done.vectors:,} new vectors; index: {done.added:,} put, {done.removed:,} removed, "
        f"{done.entries:,} entries; {done.pairs:,} new pairs of one picture; {done.products:,} products"
    )


def _decided(database: Database) -> Decisions:
    with database.reading() as session:
        return load_decisions(session)


def _merge(catalog: sqlite3.Connection, decisions: Callable[[], Decisions]) -> product.Refreshed:
    """Once more where an editor decides meanwhile: what was merged without that would undo it on the page."""
    while True:
        decided = decisions()
        merged = product.refresh_products(catalog, decided)
        if decisions() == decided:
            return merged


def _fetch(
    folder: Path, catalog: sqlite3.Connection, due: Callable[[], Collection[pictures.Due]], on_progress: Progress
) -> dict[str, int]:
    """How many ended in which state. What feeds have of them is counted now and then: the first time takes days."""
    ended: Counter[str] = Counter()
    while wanted := due():
        before = sum(ended.values())

        def told(done: int, all_: int, before: int = before) -> None:
            on_progress("pictures", before + done, before + all_)

        ended.update(pictures.fetch_pictures(folder, wanted, on_progress=told))
        census.count_feeds_that_show(catalog, [one.picture_key for one in wanted])
    return dict(ended)


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Raises ConflictError while another process syncs or forgets."""
    lock = lock_alone(
        folder / "sync.lock", busy="another `vitrina lens sync` is under way here; wait until it has ended"
    )
    try:
        yield
    finally:
        os.close(lock)


def _shown(catalog: sqlite3.Connection, shops: Collection[str]) -> list[str]:
    """Pictures that live offers show."""
    where = f" AND shop IN ({','.join('?' * len(shops))})" if shops else ""
    rows = catalog.execute(
        "SELECT DISTINCT sha256 FROM pictures JOIN offer_pictures USING(picture_key) JOIN offers USING(offer_key)"  # noqa: S608
        f" WHERE state = 'ok' AND sha256 IS NOT NULL AND gone_at IS NULL{where} ORDER BY sha256",
        tuple(shops),
    )
    return [row[0] for row in rows]
