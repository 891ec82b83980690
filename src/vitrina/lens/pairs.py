"""Which kept pictures are one picture: neighbours in the index, compared (`duplicate`) and noted in the catalog.

Only what is new is looked at, against all that is there; what was noted counts when a run is killed.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from vitrina.errors import InputError
from vitrina.lens import pictures, store
from vitrina.lens.duplicate import Seen, is_duplicate, see
from vitrina.lens.index import Index, split_entry
from vitrina.lens.photo import read_photo
from vitrina.lens.vectors import VectorStore
from vitrina.settings import Settings
from vitrina.work.spread import spread

NEAR = 0.85
"""Cosine from which two pictures are compared. Of pictures saved again or cropped a little all are nearer to what they
were, of padded ones most; of 200 pieces of clothing, none is so near to another (benchmarks/same_picture.py).
"""

NEIGHBOURS = 24
"""Entries that are looked at for each crop."""

TOGETHER = 40
"""Pictures that one worker compares with their neighbours at a time."""

REMEMBERED = 1_000_000
"""Pairs of this run that are not compared again when the other picture's turn comes: most are near both ways."""

AHEAD = 32
"""Tasks that are made before they are handed out."""

Pair = tuple[str, str]
"""SHA-256 of two pictures, the smaller one first."""


@dataclass(frozen=True, slots=True)
class Task:
    """looked: pictures whose neighbours these pairs are. contents: of every picture in them, as it is kept."""

    looked: tuple[str, ...]
    pairs: tuple[Pair, ...]
    contents: dict[str, bytes]


def find_pairs(
    settings: Settings,
    catalog: sqlite3.Connection,
    model: str,
    index: Index,
    vectors: VectorStore,
    *,
    shops: Collection[str] = (),
    on_progress: Callable[[int, int], None] = lambda _done, _all: None,
) -> int:
    """Compare the first pictures of offers that nobody compared yet; how many pairs were found.

    model: whose vectors these are. shops: only their pictures, against those of all.
    """
    new = _new(catalog, shops)
    found = done = 0
    for task, confirmed in _compared(settings, _tasks(settings.lens, model, index, vectors, new)):
        with store.writing(catalog):
            catalog.executemany("INSERT OR IGNORE INTO picture_pairs VALUES(?, ?)", confirmed)
            catalog.executemany("INSERT OR IGNORE INTO compared VALUES(?)", [(sha,) for sha in task])
            if confirmed:
                store.note_change(catalog)
        found += len(confirmed)
        done += len(task)
        on_progress(done, len(new))
    return found


def _compared(settings: Settings, tasks: Iterator[Task]) -> Iterator[tuple[tuple[str, ...], list[Pair]]]:
    """In workers, but for what has nothing to compare or is one task alone."""
    while some := list(islice(tasks, AHEAD)):
        yield from map(compare, (one for one in some if not one.pairs))
        busy = [one for one in some if one.pairs]
        if len(busy) == 1:
            yield compare(busy[0])
        elif busy:
            yield from spread(compare, busy, workers=settings.workers, cluster=settings.cluster or None)


def compare(task: Task) -> tuple[tuple[str, ...], list[Pair]]:
    """What was looked at, and which pairs are one picture; in a worker."""
    cv2.setNumThreads(1)
    seen: dict[str, Seen | None] = {sha: _seen(content) for sha, content in task.contents.items()}
    confirmed = []
    for pair in task.pairs:
        one, other = seen[pair[0]], seen[pair[1]]
        if one is not None and other is not None and is_duplicate(one, other):
            confirmed.append(pair)
    unread = {sha for sha, one in seen.items() if one is None}
    return tuple(sha for sha in task.looked if sha not in unread), confirmed


def _seen(content: bytes) -> Seen | None:
    try:
        return see(read_photo(content))
    except InputError:  # it was cleared away, or is damaged; the next sync fetches it again
        return None


def _new(catalog: sqlite3.Connection, shops: Collection[str]) -> list[str]:
    """The first pictures of live offers that were not compared yet."""
    where = f" AND shop IN ({','.join('?' * len(shops))})" if shops else ""
    rows = catalog.execute(
        "SELECT DISTINCT sha256 FROM (SELECT sha256, min(position) FROM offers JOIN offer_pictures USING(offer_key)"  # noqa: S608
        f" JOIN pictures USING(picture_key) WHERE gone_at IS NULL AND sha256 IS NOT NULL{where} GROUP BY offer_key)"
        " WHERE sha256 NOT IN (SELECT sha256 FROM compared) ORDER BY sha256",
        tuple(shops),
    )
    return [row[0] for row in rows]


def _tasks(folder: Path, model: str, index: Index, vectors: VectorStore, shas: Sequence[str]) -> Iterator[Task]:
    made: set[Pair] = set()
    for some in vectors.portions(model, shas):
        names = list(some)
        for first in range(0, len(names), TOGETHER):
            looked = names[first : first + TOGETHER]
            pairs = [pair for pair in _near(index, looked, [some[sha] for sha in looked]) if pair not in made]
            if len(made) > REMEMBERED:
                made.clear()
            made.update(pairs)
            contents = {sha: _kept(folder, sha) for sha in sorted({sha for pair in pairs for sha in pair})}
            yield Task(tuple(looked), tuple(pairs), contents)


def _near(index: Index, shas: Sequence[str], vectors: Sequence[NDArray[np.float32]]) -> list[Pair]:
    """Each of the pictures with those that are near to one of its crops."""
    owners = [sha for sha, crops in zip(shas, vectors, strict=True) for _ in crops]
    found: set[Pair] = set()
    for sha, hits in zip(owners, index.search(np.concatenate(vectors), NEIGHBOURS), strict=True):
        near = {split_entry(hit.entry_id)[0] for hit in hits if hit.score >= NEAR} - {sha}
        found.update((min(sha, other), max(sha, other)) for other in near)
    return sorted(found)


def _kept(folder: Path, sha256: str) -> bytes:
    try:
        return pictures.thumbnail_path(folder, sha256).read_bytes()
    except OSError:
        return b""
