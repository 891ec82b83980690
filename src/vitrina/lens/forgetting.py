"""What the catalog forgets: offers that are gone for long, then pictures that no offer shows, with all made of them.

Clicks, cashback and the lake keep what they need of an offer themselves, and lead to a shop only by offers that live.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from vitrina.errors import ConflictError
from vitrina.lens import census, pictures, store
from vitrina.lens.sync import BUSY_WAIT_S, alone
from vitrina.lens.vectors import VectorStore
from vitrina.settings import Settings
from vitrina.work.worker import RunningJob, TryAgain

DAY_S = 86_400.0
AT_ONCE = 500
"""Offers, or pictures, in one transaction."""

PAUSE_S = 0.1
"""Between two of them: an import that waits for the lock looks so often whether it is free."""


@dataclass(frozen=True, slots=True)
class Forgotten:
    """files: of vectors, without those of forgotten pictures now."""

    offers: int = 0
    pictures: int = 0
    files: int = 0


def forget_gone(
    settings: Settings, *, now: float | None = None, pause_s: float = PAUSE_S, check: Callable[[], None] = lambda: None
) -> Forgotten:
    """Offers that are gone for `lens_keep_gone_days`, and pictures that nobody shows and nobody fetched for so long.

    check: called between portions; what it raises ends the work, and what was forgotten until then stays so.
    Raises ConflictError while a sync is under way, which would find pictures gone that it fetches.
    """
    folder = settings.lens
    if not (folder / "catalog.db").exists():
        return Forgotten()
    before = (time.time() if now is None else now) - settings.lens_keep_gone_days * DAY_S

    def rest() -> None:
        check()
        time.sleep(pause_s)

    with alone(folder), closing(store.open_catalog(folder / "catalog.db")) as catalog:
        offers = _forget_offers(catalog, before, rest)
        forgotten = _forget_pictures(catalog, folder, before, rest)
        vectors, files = VectorStore(folder / "vectors"), 0
        for model in vectors.models():
            check()
            files += vectors.drop_others(model, _kept(catalog))
        return Forgotten(offers, forgotten, files)


def forget_job(settings: Settings, job: RunningJob) -> str:
    """Handler of `lens.forget`."""
    try:
        return sentence(forget_gone(settings, check=job.check))
    except ConflictError as busy:
        raise TryAgain(str(busy), wait_s=BUSY_WAIT_S) from busy


def sentence(done: Forgotten) -> str:
    counts = f"{done.offers:,} gone offers, {done.pictures:,} pictures"
    return f"forgotten: {counts}; {done.files:,} files of vectors made anew"


def _forget_offers(catalog: sqlite3.Connection, before: float, rest: Callable[[], None]) -> int:
    """The newest key stays: an import that is under way may name keys, and none of them may become another offer's."""
    count, shops = 0, set[str]()
    while True:
        with store.writing(catalog):
            rows = catalog.execute(_GONE, (before, AT_ONCE)).fetchall()
            keys = [row["offer_key"] for row in rows]
            for table in ("offer_pictures", "products", "offers"):  # words went when they were gone
                catalog.execute(f"DELETE FROM {table} WHERE offer_key IN ({store.marks(keys)})", keys)  # noqa: S608
        count += len(keys)
        shops |= {row["shop"] for row in rows}
        if len(keys) < AT_ONCE:
            break
        rest()
    for shop in sorted(shops):
        with store.writing(catalog):
            census.count_feeds(catalog, shop)
        rest()
    return count


_GONE = (
    "SELECT offer_key, shop FROM offers WHERE gone_at < ? AND offer_key < (SELECT max(offer_key) FROM offers)"
    " ORDER BY gone_at LIMIT ?"
)
_IS_SHOWN = "EXISTS (SELECT 1 FROM offer_pictures WHERE offer_pictures.picture_key = pictures.picture_key)"


def _forget_pictures(catalog: sqlite3.Connection, folder: Path, before: float, rest: Callable[[], None]) -> int:
    count, last = 0, 0
    while keys := _unshown(catalog, last, before):
        with store.writing(catalog):
            gone = catalog.execute(
                f"DELETE FROM pictures WHERE picture_key IN ({store.marks(keys)}) AND NOT {_IS_SHOWN} RETURNING sha256",  # noqa: S608
                keys,
            ).fetchall()
            _forget_made(catalog, folder, sorted({row[0] for row in gone if row[0]}))
        count, last = count + len(gone), keys[-1]
        rest()
    return count


def _unshown(catalog: sqlite3.Connection, last: int, before: float) -> list[int]:
    """One of an offer that lives is asked about again each month, so it is fetched later than `before`."""
    rows = catalog.execute(
        "SELECT picture_key FROM pictures WHERE picture_key > ? AND coalesce(fetched_at, 0) < ?"  # noqa: S608
        f" AND NOT {_IS_SHOWN} ORDER BY picture_key LIMIT ?",
        (last, before, AT_ONCE),
    )
    return [row[0] for row in rows]


def _forget_made(catalog: sqlite3.Connection, folder: Path, shas: Sequence[str]) -> None:
    """Of pictures that no address shows any more. Files first: one that is left would never be looked for again."""
    there = catalog.execute(f"SELECT sha256 FROM pictures WHERE sha256 IN ({store.marks(shas)})", shas)  # noqa: S608
    lost = sorted(set(shas) - {row[0] for row in there})
    if not lost:
        return
    for sha in lost:
        pictures.thumbnail_path(folder, sha).unlink(missing_ok=True)
    for table, column in (("compared", "sha256"), ("picture_pairs", "sha256"), ("picture_pairs", "other")):
        catalog.execute(f"DELETE FROM {table} WHERE {column} IN ({store.marks(lost)})", lost)  # noqa: S608
    store.note_change(catalog)


def _kept(catalog: sqlite3.Connection) -> Iterator[str]:
    rows = catalog.execute("SELECT sha256 FROM pictures WHERE sha256 IS NOT NULL ORDER BY sha256")
    return (row[0] for row in rows)
