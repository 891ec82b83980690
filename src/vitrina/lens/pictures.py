"""The pictures of offers: each address fetched once, politely, checked, and kept as a small picture.

What fails says why, is tried again later, and stops nobody else. The key of a picture is the SHA-256 of the bytes that
the shop sent, so the same picture at six addresses is one.
"""

from __future__ import annotations

import hashlib
import logging
import os
import sqlite3
import tempfile
import threading
import time
import zlib
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from urllib.parse import unquote, urlsplit

import numpy as np
from numpy.typing import NDArray

from vitrina.errors import DeniedError, InputError, LimitError, VitrinaError
from vitrina.lens import store
from vitrina.lens.photo import read_photo, to_webp
from vitrina.outlet.download import UNKNOWN, Version, download
from vitrina.work.worker import TryAgain

logger = logging.getLogger(__name__)

NEW, OK, RETRY, FAILED = "new", "ok", "retry", "failed"

LARGEST_BYTES = 10_000_000
LONGEST_PX = 384
"""Of the picture that is kept: enough for a card on a phone, for every embedder and for geometry."""

LARGEST_MP = 80.0
SILENCE_S = 15.0
LANES, A_HOST, PAUSE_S = 12, 2, 0.1
"""Addresses that are fetched at once, of one host at most `A_HOST`, and the pause between two in a lane."""

RETRY_AFTER_S = (600.0, 3600.0, 6 * 3600.0, 86_400.0, 3 * 86_400.0)
"""After each failure that may pass; after the last one it is failed."""

AT_ONCE = 50
"""Outcomes that are written in one transaction."""


@dataclass(frozen=True, slots=True)
class Due:
    """A picture to fetch. allow_private: a feed that shows it may name addresses in a network of ours."""

    picture_key: int
    url: str
    version: Version
    tries: int
    allow_private: bool


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one. sha256, width, height: of the picture, where there is one."""

    picture_key: int
    state: str
    reason: str = ""
    sha256: str | None = None
    version: Version = UNKNOWN
    width: int = 0
    height: int = 0
    tries: int = 0


def thumbnail_path(folder: Path, sha256: str) -> Path:
    """folder: `settings.lens`."""
    return folder / "pictures" / sha256[:2] / f"{sha256}.webp"


def read_thumbnail(folder: Path, sha256: str) -> NDArray[np.uint8]:
    """(H, W, 3) uint8 RGB. Raises InputError for a picture that is not there or damaged."""
    try:
        return read_photo(thumbnail_path(folder, sha256).read_bytes(), name=f"picture {sha256[:12]}")
    except OSError as error:
        raise InputError(f"picture {sha256[:12]} is not kept here any more; run `vitrina lens sync`") from error


def due(
    catalog: sqlite3.Connection, now: float, *, shops: Collection[str] = (), private: Collection[str] = ()
) -> list[Due]:
    """Pictures of live offers that are new, or whose time has come. private: feeds that may name private addresses."""
    shop_marks, feed_marks = (",".join("?" * len(some)) for some in (shops, private))
    where = f" AND offers.shop IN ({shop_marks})" if shops else ""
    rows = catalog.execute(
        f"SELECT picture_key, pictures.url, etag, last_modified, tries, max(feed_id IN ({feed_marks})) AS is_private"  # noqa: S608
        " FROM pictures JOIN offer_pictures USING(picture_key) JOIN offers USING(offer_key)"
        f" WHERE gone_at IS NULL{where} AND (state = 'new' OR (state = 'retry' AND retry_at <= ?))"
        " GROUP BY picture_key ORDER BY picture_key",
        (*private, *shops, now),
    )
    return [
        Due(row["picture_key"], row["url"], Version(row["etag"], row["last_modified"]), row["tries"],
            bool(row["is_private"]))
        for row in rows
    ]  # fmt: skip


def fetch_pictures(
    folder: Path,
    wanted: Collection[Due],
    *,
    now: Callable[[], float] = time.time,
    on_progress: Callable[[int, int], None] = lambda _done, _all: None,
) -> dict[str, int]:
    """Fetch them and write down what became of each; gives how many ended in which state.

    folder: `settings.lens`. on_progress: what it raises ends the work; what was fetched until then counts.
    """
    ended: dict[str, int] = defaultdict(int)
    catalog = store.open_catalog(folder / "catalog.db")
    try:
        some: list[Outcome] = []
        for outcome in _outcomes(folder, wanted):
            some.append(outcome)
            ended[outcome.state] += 1
            if len(some) >= AT_ONCE:
                _write_down(catalog, some, now())
                some = []
            on_progress(sum(ended.values()), len(wanted))
        _write_down(catalog, some, now())
    finally:
        catalog.close()
    return dict(ended)


def fetch_again(catalog: sqlite3.Connection, shas: Collection[str]) -> None:
    """Whatever happened to what was kept of these pictures: they are new to us."""
    if shas:
        with store.writing(catalog):
            catalog.executemany(
                "UPDATE pictures SET state = 'new', sha256 = NULL, etag = '', last_modified = '',"
                " reason = 'the picture that was kept is damaged' WHERE sha256 = ?",
                [(sha,) for sha in shas],
            )


def _outcomes(folder: Path, wanted: Collection[Due]) -> Iterator[Outcome]:
    """In lanes that each go from one address to the next; a host has few of them, so that we are no burden."""
    lanes, stop = _lanes(wanted), threading.Event()
    done: SimpleQueue[Outcome | None] = SimpleQueue()
    with ThreadPoolExecutor(LANES, thread_name_prefix="pictures") as pool:
        try:
            for lane in lanes:
                pool.submit(_go_along, folder, lane, stop, done)
            ended = 0
            while ended < len(lanes):
                outcome = done.get()
                if outcome is None:
                    ended += 1
                else:
                    yield outcome
        finally:
            stop.set()


def _lanes(wanted: Collection[Due]) -> list[list[Due]]:
    """A host's addresses, in at most `A_HOST` lanes."""
    by_host: dict[str, list[Due]] = defaultdict(list)
    for one in wanted:
        by_host[urlsplit(one.url).netloc.rpartition("@")[2].lower()].append(one)
    return [lane for host, some in by_host.items() for lane in _split(some, A_HOST if host else LANES)]


def _split(some: list[Due], count: int) -> list[list[Due]]:
    return [lane for first in range(min(count, len(some))) if (lane := some[first::count])]


def _go_along(folder: Path, lane: list[Due], stop: threading.Event, done: SimpleQueue[Outcome | None]) -> None:
    """Put each outcome, and None at the end."""
    try:
        for number, one in enumerate(lane):
            polite_s = PAUSE_S if number and not one.url.startswith("file:") else 0.0
            if stop.wait(polite_s):
                return
            done.put(fetch(folder, one))
    except Exception:  # the edge of a thread; the pictures that are left are due still
        logger.exception("fetching pictures of one host ended")
    finally:
        done.put(None)


def fetch(folder: Path, one: Due) -> Outcome:
    """One picture, checked and kept; never raises for what is wrong with it or with its server."""
    try:
        content, version = _content(folder, one)
        if content is None:
            return Outcome(one.picture_key, OK, version=version, tries=one.tries)
        picture = read_photo(_unpacked(content), largest_mp=LARGEST_MP, name="what came")
    except (DeniedError, LimitError) as error:
        return Outcome(one.picture_key, FAILED, str(error), tries=one.tries + 1)
    except (VitrinaError, TryAgain, OSError) as error:
        return _later(one, str(error) or type(error).__name__)
    sha256 = hashlib.sha256(content).hexdigest()
    _keep(thumbnail_path(folder, sha256), to_webp(picture, longest_px=LONGEST_PX))
    height, width = picture.shape[:2]
    return Outcome(one.picture_key, OK, sha256=sha256, version=version, width=width, height=height)


def _content(folder: Path, one: Due) -> tuple[bytes | None, Version]:
    """None: the server has the picture that was fetched before."""
    if one.url.startswith("file:"):
        path = Path(unquote(urlsplit(one.url).path))
        if path.stat().st_size > LARGEST_BYTES:
            raise LimitError(f"{path.name}: expected at most {LARGEST_BYTES / 1e6:g} MB")
        return path.read_bytes(), UNKNOWN
    parent = folder / "fetched"
    parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with tempfile.TemporaryDirectory(dir=parent) as place:
        to = Path(place) / "picture"
        got = download(
            one.url, to, allow_private=one.allow_private, largest=LARGEST_BYTES, tries=1, silence_s=SILENCE_S
        )
        return to.read_bytes(), got.version


def _unpacked(content: bytes) -> bytes:
    """Some servers pack pictures with gzip, and a bomb is packed well."""
    if not content.startswith(b"\x1f\x8b"):
        return content
    try:
        whole = zlib.decompressobj(wbits=31).decompress(content, LARGEST_BYTES + 1)
    except zlib.error as error:
        raise InputError(f"what came is damaged: {error}") from error
    if len(whole) > LARGEST_BYTES:
        raise LimitError(f"what came is more than {LARGEST_BYTES / 1e6:g} MB when it is unpacked")
    return whole


def _later(one: Due, reason: str) -> Outcome:
    tries = one.tries + 1
    return Outcome(one.picture_key, RETRY if tries <= len(RETRY_AFTER_S) else FAILED, reason, tries=tries)


def _keep(path: Path, content: bytes) -> None:
    """Whole or not at all, in place of one that is damaged. Two threads may keep the same picture at once."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = path.with_name(f".{path.stem}.{os.getpid()}.{threading.get_ident()}")
    draft.write_bytes(content)
    draft.replace(path)


def _write_down(catalog: sqlite3.Connection, some: Collection[Outcome], now: float) -> None:
    rows = [
        (
            one.state, one.sha256, one.version.etag, one.version.last_modified, one.reason[:500], one.tries,
            now + RETRY_AFTER_S[one.tries - 1] if one.state == RETRY else None, now, one.width, one.height,
            one.picture_key,
        )
        for one in some
    ]  # fmt: skip
    with store.writing(catalog):
        catalog.executemany(
            "UPDATE pictures SET state = ?, sha256 = ?, etag = ?, last_modified = ?, reason = ?, tries = ?,"
            " retry_at = ?, fetched_at = ?, width = ?, height = ? WHERE picture_key = ?",
            rows,
        )
