"""A feed into the catalog: as a difference, all of it or nothing, and held where a feed shrinks as no shop does."""

from __future__ import annotations

import contextlib
import logging
import os
import sqlite3
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from vitrina.errors import ConflictError, NotFoundError, StorageError
from vitrina.lens import census, staging, store
from vitrina.lens.reader import Order, Part, Progress, Reader
from vitrina.lens.staging import Staging
from vitrina.product import new_id
from vitrina.storage.spool import lock_alone

logger = logging.getLogger(__name__)

ONE_IN = 3
"""A full feed that loses more than one in so many of its offers waits for a person."""

TOLD_IMPORTS = 30
"""Of a feed's newest imports it is kept what they left out and mended; how older ones ended stays.

Of its polls that found nothing new, so many are kept.
"""

RUNNING, DONE, HELD, FAILED, UNCHANGED = "running", "done", "held", "failed", "unchanged"


@dataclass(frozen=True, slots=True)
class Imported:
    """How an import ended. offers: those that the feed has, once each. notes: what was mended, with lines."""

    import_id: str
    feed_id: str
    shop: str
    mode: str
    state: str
    reason: str = ""
    offers: int = 0
    new: int = 0
    changed: int = 0
    gone: int = 0
    unchanged: int = 0
    rejected: int = 0
    notes: tuple[str, ...] = ()


def import_feed(
    folder: Path,
    order: Order,
    parts: Iterable[Part],
    *,
    now: float | None = None,
    on_progress: Progress = lambda _bytes, _offers: None,
) -> Imported:
    """folder: where the catalog is. A feed that cannot be read to its end fails, and its message says where.

    A full feed then changes nothing; of a partial one the offers before the damage count. Raises ConflictError when
    another import of the shop runs, and StorageError when the catalog cannot be written.
    """
    at = time.time() if now is None else now
    with _alone(folder, order.shop), contextlib.closing(store.open_catalog(folder / "catalog.db")) as catalog:
        catalog.execute(f"PRAGMA cache_size=-{staging.CACHE_KB}")
        _end_killed(catalog, folder, order.shop, at)
        begun = Imported(new_id(), order.feed_id, order.shop, order.mode, RUNNING)
        with store.writing(catalog):
            _write_import(catalog, begun, at)
        with _storage_errors(folder):
            stage = Staging(_staging_path(folder, begun.import_id), catalog, order.shop, order.feed_id)
            try:
                read = Reader(order, stage, on_progress).read(parts)
                stage.close()
                return _decide(catalog, folder, order, _counted(begun, stage), read, at)
            except BaseException as error:
                stage.discard()
                reason = str(error) if isinstance(error, Exception) else "it was stopped"
                with contextlib.suppress(sqlite3.Error), store.writing(catalog):
                    _write_end(catalog, replace(begun, state=FAILED, reason=reason[:1000]), at)
                raise


def approve(folder: Path, import_id: str, *, now: float | None = None) -> Imported:
    """Make an import true that was held. Raises NotFoundError, or ConflictError for one that is not held any more."""
    at = time.time() if now is None else now
    with contextlib.closing(store.open_catalog(folder / "catalog.db")) as catalog:
        held = find_import(catalog, import_id)
        with _alone(folder, held.shop), _storage_errors(folder):
            held = find_import(catalog, held.import_id)
            path = _staging_path(folder, held.import_id)
            if held.state != HELD or not path.is_file():
                raise ConflictError(f"import {import_id} is {held.state}, not held; import the feed again")
            return _apply(catalog, folder, held, at, has_waited=True)


def refuse(folder: Path, import_id: str, *, now: float | None = None) -> Imported:
    """Forget an import that was held; the catalog stays as it is."""
    at = time.time() if now is None else now
    with contextlib.closing(store.open_catalog(folder / "catalog.db")) as catalog:
        held = find_import(catalog, import_id)
        with _alone(folder, held.shop):
            held = find_import(catalog, held.import_id)
            if held.state != HELD:
                raise ConflictError(f"import {import_id} is {held.state}, not held")
            refused = replace(held, state=FAILED, reason=f"refused by a person; {held.reason}")
            with store.writing(catalog):
                _write_end(catalog, refused, at)
            _staging_path(folder, held.import_id).unlink(missing_ok=True)
            return refused


def retire_feed(folder: Path, shop: str, feed_id: str, *, now: float | None = None) -> int:
    """Every offer of a feed that was removed is gone; how many that were."""
    at = time.time() if now is None else now
    opened = contextlib.closing(store.open_catalog(folder / "catalog.db"))
    with _alone(folder, shop), opened as catalog, store.writing(catalog):
        gone = staging.retire(catalog, shop, feed_id, at)
        census.count_feeds(catalog, shop)
        return gone


def note_unchanged(folder: Path, order: Order, reason: str, *, now: float | None = None) -> Imported:
    """Write down that a feed's server says that nothing changed."""
    at = time.time() if now is None else now
    with contextlib.closing(store.open_catalog(folder / "catalog.db")) as catalog:
        same = Imported(new_id(), order.feed_id, order.shop, order.mode, UNCHANGED, reason)
        with store.writing(catalog):
            _write_import(catalog, same, at)
            _write_end(catalog, same, at)
            _forget_unchanged(catalog, order.feed_id)
        return same


def note_failed(folder: Path, order: Order, reason: str, *, now: float | None = None) -> None:
    """Write down that a feed could not even be fetched."""
    at = time.time() if now is None else now
    with contextlib.closing(store.open_catalog(folder / "catalog.db")) as catalog, store.writing(catalog):
        failed = Imported(new_id(), order.feed_id, order.shop, order.mode, FAILED, reason[:1000])
        _write_import(catalog, failed, at)
        _write_end(catalog, failed, at)


def find_import(catalog: sqlite3.Connection, import_id: str) -> Imported:
    """By its id, or by the last letters of it. Raises NotFoundError."""
    found = catalog.execute("SELECT * FROM imports WHERE import_id = ?", (import_id,)).fetchall()
    if not found and len(import_id) >= 4:
        ending = "SELECT * FROM imports WHERE substr(import_id, -length(?)) = ? LIMIT 2"
        found = catalog.execute(ending, (import_id,) * 2).fetchall()
    if len(found) != 1:
        raise NotFoundError(f"there is no import {import_id!r}; `vitrina lens feeds list` shows those that are held")
    row = found[0]
    names = [name for name in Imported.__slots__ if name != "notes"]
    return Imported(**{name: row[name] for name in names}, notes=tuple(store.notes(catalog, row["import_id"])))


# ── deciding and applying ───────────────────────────────────────────────────────────────────────


def _decide(
    catalog: sqlite3.Connection, folder: Path, order: Order, read: Imported, reader: Reader, at: float
) -> Imported:
    read = replace(read, notes=tuple(reader.notes))
    reason = reader.damage
    if reason and (order.is_full or not read.offers):
        kept = "nothing of it was taken" if order.is_full else "no offer stood before that"
        return _leave(catalog, folder, replace(read, state=FAILED, reason=f"{reason} ({kept})"), at)
    before = staging.live_count(catalog, order.shop, order.feed_id)
    if order.is_full and not read.offers and not before:
        return _leave(catalog, folder, replace(read, state=FAILED, reason=_no_offer(read)), at)
    if order.is_full and (before - read.offers) * ONE_IN > before:
        reason = (
            f"the feed had {before:,} offers and has {read.offers:,} now: more than a third would be gone. "
            f"If that is right: vitrina lens feeds approve {read.import_id[-8:]}"
        )
        return _leave(catalog, folder, replace(read, state=HELD, reason=reason), at)
    return _apply(catalog, folder, replace(read, reason=reason), at)


def _counted(begun: Imported, stage: Staging) -> Imported:
    return replace(
        begun,
        offers=stage.offers,
        new=stage.new,
        changed=stage.changed,
        unchanged=stage.unchanged,
        rejected=stage.rejected,
    )


def _no_offer(read: Imported) -> str:
    if read.rejected:
        return f"no offer in it fits: {read.rejected:,} were rejected; the first reasons are on the feed's page"
    return "there is no offer in it"


def _apply(
    catalog: sqlite3.Connection, folder: Path, read: Imported, at: float, *, has_waited: bool = False
) -> Imported:
    path = _staging_path(folder, read.import_id)
    is_full = read.mode == "full"
    with _attached(catalog, path), store.writing(catalog):
        if has_waited:
            staging.look_again(catalog, read.shop)
        gone = staging.apply(catalog, shop=read.shop, feed_id=read.feed_id, now=at, is_full=is_full)
        done = replace(read, state=DONE, gone=gone, reason="" if has_waited else read.reason)
        _write_end(catalog, done, at)
        _keep_rejects(catalog, read.import_id)
        _supersede(catalog, folder, done, at)
        if done.new or done.changed or done.gone:
            census.count_feeds(catalog, read.shop)
    path.unlink(missing_ok=True)
    return done


def _leave(catalog: sqlite3.Connection, folder: Path, read: Imported, at: float) -> Imported:
    """Nothing of it counts, at least not yet."""
    path = _staging_path(folder, read.import_id)
    with _attached(catalog, path):
        gone = staging.gone_count(catalog, read.shop, read.feed_id) if read.state == HELD else 0
        read = replace(read, gone=gone)
        with store.writing(catalog):
            _write_end(catalog, read, at)
            _keep_rejects(catalog, read.import_id)
            if read.state == HELD:
                _supersede(catalog, folder, read, at)
    if read.state != HELD:
        path.unlink(missing_ok=True)
    return read


def _supersede(catalog: sqlite3.Connection, folder: Path, newer: Imported, at: float) -> None:
    """An older import of the feed that is held means nothing any more."""
    older = catalog.execute(
        "UPDATE imports SET state = ?, ended_at = ?, reason = 'a newer import came; ' || reason"
        " WHERE feed_id = ? AND state = ? AND import_id <> ? RETURNING import_id",
        (FAILED, at, newer.feed_id, HELD, newer.import_id),
    ).fetchall()
    for row in older:
        _staging_path(folder, row["import_id"]).unlink(missing_ok=True)


def _write_import(catalog: sqlite3.Connection, begun: Imported, at: float) -> None:
    catalog.execute(
        "INSERT INTO imports(import_id, feed_id, shop, started_at, mode, state) VALUES(?, ?, ?, ?, ?, ?)",
        (begun.import_id, begun.feed_id, begun.shop, at, begun.mode, begun.state),
    )


def _write_end(catalog: sqlite3.Connection, ended: Imported, at: float) -> None:
    names = ("state", "reason", "offers", "new", "changed", "gone", "unchanged", "rejected")
    sets = ", ".join(f"{name} = ?" for name in names)
    values = [getattr(ended, name) for name in names]
    catalog.execute(
        f"UPDATE imports SET {sets}, ended_at = max(started_at, ?) WHERE import_id = ?",  # noqa: S608 - names of ours
        (*values, at, ended.import_id),
    )
    noted = [(ended.import_id, position, note) for position, note in enumerate(ended.notes)]
    catalog.executemany("INSERT OR REPLACE INTO notes VALUES(?, ?, ?)", noted)
    for table in ("rejects", "notes"):
        catalog.execute(
            f"DELETE FROM {table} WHERE import_id IN (SELECT import_id FROM imports WHERE feed_id = ?"  # noqa: S608
            " AND started_at <= (SELECT started_at FROM imports WHERE feed_id = ? ORDER BY started_at DESC"
            f" LIMIT 1 OFFSET {TOLD_IMPORTS}))",
            (ended.feed_id, ended.feed_id),
        )


def _forget_unchanged(catalog: sqlite3.Connection, feed_id: str) -> None:
    """A feed may be polled every few minutes for years."""
    catalog.execute(
        "DELETE FROM imports WHERE feed_id = ? AND state = ? AND started_at <= (SELECT started_at FROM imports"  # noqa: S608
        f" WHERE feed_id = ? AND state = ? ORDER BY started_at DESC LIMIT 1 OFFSET {TOLD_IMPORTS})",
        (feed_id, UNCHANGED, feed_id, UNCHANGED),
    )


def _keep_rejects(catalog: sqlite3.Connection, import_id: str) -> None:
    catalog.execute("DELETE FROM rejects WHERE import_id = ?", (import_id,))
    catalog.execute("INSERT INTO rejects SELECT ?, line, offer_id, reason FROM staging.rejects", (import_id,))


def _end_killed(catalog: sqlite3.Connection, folder: Path, shop: str, at: float) -> None:
    """We have the shop's lock, so what is said to run was killed."""
    with store.writing(catalog):
        killed = catalog.execute(
            "UPDATE imports SET state = ?, ended_at = ?, reason = 'it was killed; the next import made up for it'"
            " WHERE shop = ? AND state = ? RETURNING import_id",
            (FAILED, at, shop, RUNNING),
        ).fetchall()
    for row in killed:
        _staging_path(folder, row["import_id"]).unlink(missing_ok=True)


def _staging_path(folder: Path, import_id: str) -> Path:
    return folder / "staging" / f"{import_id}.db"


@contextlib.contextmanager
def _attached(catalog: sqlite3.Connection, path: Path) -> Iterator[None]:
    catalog.execute("ATTACH ? AS staging", (str(path),))
    try:
        yield
    finally:
        catalog.execute("DETACH staging")


@contextlib.contextmanager
def _alone(folder: Path, shop: str) -> Iterator[None]:
    busy = f"another import of shop {shop} runs now; wait until it is through"
    lock = lock_alone(folder / "locks" / f"{shop}.lock", busy=busy)
    try:
        yield
    finally:
        os.close(lock)


@contextlib.contextmanager
def _storage_errors(folder: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise StorageError(f"{folder}: the catalog cannot be written now: {error}") from error
