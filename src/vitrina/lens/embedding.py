"""Kept pictures into kept vectors, spread over processes of this machine or over a cluster.

A worker is sent the pictures themselves, so that machines of a cluster need no folder in common; of what it does when
it is killed, only its own two dozen pictures are done again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vitrina.errors import InputError
from vitrina.lens import pictures
from vitrina.lens.embed import catalog_vectors
from vitrina.lens.photo import read_photo
from vitrina.lens.vectors import VectorStore
from vitrina.models.embedder import Embedder
from vitrina.models.manifest import Model
from vitrina.settings import Settings
from vitrina.work.spread import spread

TOGETHER = 24
"""Pictures that one worker embeds at a time: seconds of work, so that little is lost with a worker that dies."""

ADDED_AT_ONCE = 960
COMPACT_ABOVE = 40
"""Files of vectors; with more of them they are made fewer."""

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Task:
    """Some pictures for one worker, who has the model under the same path. contents: b"" where one is not kept here."""

    model: Model
    shas: tuple[str, ...]
    contents: tuple[bytes, ...]


def embed_missing(
    settings: Settings,
    model: Model,
    vectors: VectorStore,
    shas: Sequence[str],
    on_progress: Callable[[int, int], None] = lambda _done, _all: None,
) -> tuple[int, list[str]]:
    """How many pictures got vectors, and which are not kept here or cannot be read."""
    missing = vectors.missing(model.name, shas)
    unreadable: list[str] = []
    found: dict[str, Floats] = {}
    done = 0
    try:
        for some in _embedded(settings, model, missing):
            unreadable += [sha for sha, one in some.items() if one is None]
            found |= {sha: one for sha, one in some.items() if one is not None}
            done += len(some)
            if len(found) >= ADDED_AT_ONCE:
                vectors.append(model.name, list(found), list(found.values()))
                found = {}
            on_progress(done, len(missing))
    finally:
        vectors.append(model.name, list(found), list(found.values()))
    vectors.compact_above(model.name, COMPACT_ABOVE)
    return done - len(unreadable), unreadable


def _embedded(settings: Settings, model: Model, shas: Sequence[str]) -> Iterator[Mapping[str, Floats | None]]:
    if shas:
        tasks = _tasks(settings.lens, model, shas)
        yield from spread(embed_some, tasks, workers=settings.workers, cluster=settings.cluster or None)


def _tasks(folder: Path, model: Model, shas: Sequence[str]) -> Iterator[Task]:
    for first in range(0, len(shas), TOGETHER):
        some = shas[first : first + TOGETHER]
        yield Task(model, tuple(some), tuple(_kept(folder, sha) for sha in some))


def _kept(folder: Path, sha256: str) -> bytes:
    try:
        return pictures.thumbnail_path(folder, sha256).read_bytes()
    except OSError:
        return b""


def embed_some(task: Task) -> dict[str, Floats | None]:
    """Picture → (crops, dim), in a worker; None for one that cannot be read."""
    found: dict[str, Floats | None] = dict.fromkeys(task.shas)
    shown = {}
    for sha, content in zip(task.shas, task.contents, strict=True):
        try:
            shown[sha] = read_photo(content)
        except InputError:
            continue
    if shown:
        vectors = catalog_vectors(_embedder(_Chosen(task.model)), list(shown.values()))
        found.update(zip(shown, vectors, strict=True))
    return found


class _Chosen:
    """A model by the sum of its file: tables of its manifest cannot be compared quickly."""

    def __init__(self, model: Model) -> None:
        self.model = model

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Chosen) and other.model.sha256 == self.model.sha256

    def __hash__(self) -> int:
        return hash(self.model.sha256)


@lru_cache(maxsize=1)
def _embedder(chosen: _Chosen) -> Embedder:
    """Built once in a worker."""
    return Embedder(chosen.model)
