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
from vitrina.lens.link import plain_link
from vitrina.lens.photo import read_photo, to_webp
from vitrina.outlet.download import UNKNOWN, Version, download

logger = logging.getLogger(__name__)

NEW, OK, RETRY, FAILED = "new", "ok", "retry", "failed"

LARGEST_BYTES = 10_000_000
LONGEST_PX = 384
"""Of the picture that is kept: enough for a card on a phone, for every embedder and for geometry."""

LARGEST_MP = 80.0
RECHECK_S = 30 * 86_400.0
"""So long a picture is taken to be what its address shows; then the server is asked whether it changed."""

RETRY_AFTER_S = (600.0, 3600.0, 6 * 3600.0, 86_400.0, 3 * 86_400.0)
"""After each failure that may pass; after the last one it is failed."""

MOST_DUE = 100_000
"""Pictures that are fetched before it is asked for more."""

AT_ONCE = 50
"""Outcomes that are written in one transaction."""


@dataclass(frozen=True, slots=True)
class Manners:
    """How servers are asked. at_once: pictures that are fetched at a time, of one host at most `a_host`.

    pause_s: between two from one host. silence_s: one that says nothing for so long is left. deadline_s: for a picture.
    """

    at_once: int = 12
    a_host: int = 2
    pause_s: float = 0.1
    silence_s: float = 15.0
    deadline_s: float = 60.0


POLITE = Manners()


@dataclass(frozen=True, slots=True)
class Due:
    """A picture to fetch. allow_private: a feed that shows it may name addresses in a network of ours.

    sha256: of the one that is kept, where it is only asked whether it changed.
    """

    picture_key: int
    url: str
    version: Version
    tries: int
    allow_private: bool
    sha256: str | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one. sha256, width, height: of the picture, where there is a new one."""

    picture_key: int
    state: str
    reason: str = ""
    sha256: str | None = None
    version: Version = UNKNOWN
    width: int | None = None
    height: int | None = None
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
    catalog: sqlite3.Connection,
    now: float,
    *,
    shops: Collection[str] = (),
    private: Collection[str] = (),
    limit: int = MOST_DUE,
) -> list[Due]:
    """Pictures of live offers that are new, or whose time has come: to be tried again, or asked about again.

    private: feeds that may name private addresses.
    """
    shop_marks, feed_marks = (",".join("?" * len(some)) for some in (shops, private))
    where = f" AND offers.shop IN ({shop_marks})" if shops else ""
    rows = catalog.execute(
        "SELECT picture_key, pictures.url, sha256, etag, last_modified, tries,"  # noqa: S608
        f" max(feed_id IN ({feed_marks})) AS is_private"
        " FROM pictures JOIN offer_pictures USING(picture_key) JOIN offers USING(offer_key)"
        f" WHERE gone_at IS NULL{where} AND (state = 'new' OR (state = 'retry' AND retry_at <= ?)"
        "  OR (state = 'ok' AND fetched_at <= ? AND pictures.url NOT LIKE 'file:%'))"
        " GROUP BY picture_key ORDER BY picture_key LIMIT ?",
        (*private, *shops, now, now - RECHECK_S, limit),
    )
    return [
        Due(row["picture_key"], row["url"], Version(row["etag"], row["last_modified"]), row["tries"],
            bool(row["is_private"]), row["sha256"])
        for row in rows
    ]  # fmt: skip


def fetch_pictures(
    folder: Path,
    wanted: Collection[Due],
    *,
    manners: Manners = POLITE,
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
        for outcome in _outcomes(folder, wanted, manners):
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
            store.note_change(catalog)


def _outcomes(folder: Path, wanted: Collection[Due], manners: Manners) -> Iterator[Outcome]:
    """In lanes that each go from one address to the next; a host has few of them, so that we are no burden."""
    lanes, stop = _lanes(wanted, manners), threading.Event()
    done: SimpleQueue[Outcome | None] = SimpleQueue()
    with ThreadPoolExecutor(manners.at_once, thread_name_prefix="pictures") as pool:
        try:
            for lane in lanes:
                pool.submit(_go_along, folder, lane, manners, stop, done)
            ended = 0
            while ended < len(lanes):
                outcome = done.get()
                if outcome is None:
                    ended += 1
                else:
                    yield outcome
        finally:
            stop.set()


def _lanes(wanted: Collection[Due], manners: Manners) -> list[list[Due]]:
    """A host's addresses in a few lanes; files in as many as there may be."""
    by_host: dict[str, list[Due]] = defaultdict(list)
    for one in wanted:
        by_host[_host(one.url)].append(one)
    return [
        lane for host, some in by_host.items() for lane in _split(some, manners.a_host if host else manners.at_once)
    ]


def _host(url: str) -> str:
    """Empty for a file, and for what is no address: `fetch` says so."""
    try:
        return urlsplit(url).netloc.rpartition("@")[2].lower()
    except ValueError:
        return ""


def _split(some: list[Due], count: int) -> list[list[Due]]:
    return [lane for first in range(min(count, len(some))) if (lane := some[first::count])]


def _go_along(
    folder: Path, lane: list[Due], manners: Manners, stop: threading.Event, done: SimpleQueue[Outcome | None]
) -> None:
    """Put each outcome, and None at the end."""
    try:
        for number, one in enumerate(lane):
            polite_s = manners.pause_s if number and not one.url.startswith("file:") else 0.0
            if stop.wait(polite_s):
                return
            done.put(_fetched(folder, one, manners))
    finally:
        done.put(None)


def _fetched(folder: Path, one: Due, manners: Manners) -> Outcome:
    """Whatever happens has an outcome, or the same pictures would be due again and again."""
    try:
        return fetch(folder, one, manners)
    except Exception as error:  # the edge of a thread
        logger.exception("fetching picture %d", one.picture_key)
        return _failed(one, error)


def fetch(folder: Path, one: Due, manners: Manners = POLITE) -> Outcome:
    """One picture, checked and kept; never raises for what is wrong with it or with its server."""
    try:
        content, version = _content(folder, one, manners)
        if content is None:
            return Outcome(one.picture_key, OK, version=version)
        picture = read_photo(_unpacked(content), largest_mp=LARGEST_MP, name="what came")
        sha256 = hashlib.sha256(content).hexdigest()
        _keep(thumbnail_path(folder, sha256), to_webp(picture, longest_px=LONGEST_PX))
    except (VitrinaError, OSError) as error:
        return _failed(one, error)
    height, width = picture.shape[:2]
    return Outcome(one.picture_key, OK, sha256=sha256, version=version, width=width, height=height)


def _content(folder: Path, one: Due, manners: Manners) -> tuple[bytes | None, Version]:
    """None: the server has the picture that was fetched before."""
    if one.url.startswith("file:"):
        path = Path(unquote(urlsplit(one.url).path))
        if path.stat().st_size > LARGEST_BYTES:
            raise LimitError(f"{path.name}: expected at most {LARGEST_BYTES / 1e6:g} MB")
        return path.read_bytes(), UNKNOWN
    is_kept = one.sha256 is not None and thumbnail_path(folder, one.sha256).exists()
    parent = folder / "fetched"
    parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with tempfile.TemporaryDirectory(dir=parent) as place:
        to = Path(place) / "picture"
        got = download(
            _address(one.url),
            to,
            known=one.version if is_kept else UNKNOWN,
            allow_private=one.allow_private,
            largest=LARGEST_BYTES,
            tries=1,
            silence_s=manners.silence_s,
            deadline_s=manners.deadline_s,
        )
        return (None if got.is_unchanged else to.read_bytes()), got.version


def _address(url: str) -> str:
    """As it stands in a request: letters of other scripts encoded, without a fragment."""
    try:
        return plain_link(url).url.partition("#")[0]
    except InputError as error:  # no try will mend it
        raise DeniedError(str(error)) from error


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


def _failed(one: Due, error: Exception) -> Outcome:
    """A picture that is kept stays, whatever its server says now."""
    tries, reason = one.tries + 1, str(error) or type(error).__name__
    if one.sha256:
        return Outcome(one.picture_key, OK, reason, version=one.version)
    is_final = isinstance(error, DeniedError | LimitError) or tries > len(RETRY_AFTER_S)
    return Outcome(one.picture_key, FAILED if is_final else RETRY, reason, tries=tries)


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
            "UPDATE pictures SET state = ?, sha256 = coalesce(?, sha256), etag = ?, last_modified = ?, reason = ?,"
            " tries = ?, retry_at = ?, fetched_at = ?, width = coalesce(?, width), height = coalesce(?, height)"
            " WHERE picture_key = ?",
            rows,
        )
        if any(one.sha256 for one in some):
            store.note_change(catalog)
