"""What an import reads: every part of a feed into the staging, with pictures that lie beside it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO
from urllib.parse import quote

from vitrina.errors import InputError
from vitrina.lens.feed.facts import Facts
from vitrina.lens.feed.reading import read_feed
from vitrina.lens.offer import Offer, Reject
from vitrina.lens.staging import Staging

AT_ONCE = 500

_WEB = ("http://", "https://")


@dataclass(frozen=True, slots=True)
class Part:
    """One file of a feed. name: as messages call it, without secrets. folder: where its pictures' paths begin."""

    name: str
    open: Callable[[], contextlib.AbstractContextManager[BinaryIO]]
    size: int = 0
    folder: Path | None = None


@dataclass(frozen=True, slots=True)
class Order:
    """What is imported. currency: of prices that name none. allow_files: pictures may be paths beside the feed."""

    shop: str
    feed_id: str
    currency: str = ""
    format: str = "auto"
    is_full: bool = True
    mapping: Mapping[str, str] = field(default_factory=dict)
    allow_files: bool = False

    @property
    def mode(self) -> str:
        return "full" if self.is_full else "partial"


Progress = Callable[[int, int], None]
"""Called now and then with the bytes read and the offers found so far. What it raises ends the import."""


class Reader:
    """Reads every part of a feed into the staging. damage: why the last part could not be read to its end."""

    def __init__(self, order: Order, stage: Staging, on_progress: Progress) -> None:
        self._order, self._stage, self._on_progress = order, stage, on_progress
        self._bytes = 0
        self.damage = ""
        self.notes: list[str] = []

    def read(self, parts: Iterable[Part]) -> Reader:
        for part in parts:
            facts = Facts()
            try:
                with part.open() as stream:
                    reading = read_feed(
                        _Counted(stream, self._count),
                        self._order.shop,
                        currency=self._order.currency,
                        form=self._order.format,
                        mapping=self._order.mapping,
                        name=part.name,
                    )
                    facts = reading.facts
                    self._take(reading, part, facts)
            except InputError as error:
                self.damage = str(error)
                break
            finally:
                self.notes += facts.sentences()
        return self

    def _take(self, reading: Iterable[Offer | Reject], part: Part, facts: Facts) -> None:
        batch: list[Offer] = []
        folder = part.folder.resolve() if part.folder is not None and self._order.allow_files else None
        try:
            for one in reading:
                if isinstance(one, Reject):
                    self._stage.reject(one)
                    continue
                for url in one.pictures:
                    if not url.startswith(_WEB):
                        one = _with_pictures(one, folder, facts)
                        break
                batch.append(one)
                if len(batch) >= AT_ONCE:
                    self._add(batch)
                    batch = []
        except InputError:
            self._add(batch)  # what came before the damage
            raise
        self._add(batch)

    def _add(self, batch: Sequence[Offer]) -> None:
        if batch:
            self._stage.add(batch)
        self._on_progress(self._bytes, self._stage.offers)

    def _count(self, size: int) -> None:
        self._bytes += size


class _Counted:
    """A stream whose bytes are counted while they are read; its errors say where."""

    def __init__(self, stream: BinaryIO, count: Callable[[int], None]) -> None:
        self._stream, self._count = stream, count

    def read(self, size: int, /) -> bytes:
        try:
            given = self._stream.read(size)
        except OSError as error:
            raise InputError(f"the feed cannot be read on: {error.strerror or error}") from error
        self._count(len(given))
        return given


def _with_pictures(offer: Offer, folder: Path | None, facts: Facts) -> Offer:
    """Paths among the pictures become `file:` addresses where that is allowed, and are left out where not."""
    found = []
    for url in offer.pictures:
        if url.startswith(_WEB):
            found.append(url)
            continue
        address = file_address(folder, url) if folder is not None else ""
        if address:
            found.append(address)
        else:
            why = "is no file in the feed's folder" if folder else "is no address (--allow-files takes paths)"
            facts.note(f"a picture {why}, left out", offer.line, repr(url[:60]))
    return offer._replace(pictures=tuple(dict.fromkeys(found)))


def file_address(folder: Path, text: str) -> str:
    """`file:` address of a file below the folder (which is resolved); "" for what is outside, or is not there."""
    try:
        path = (folder / text).resolve()
        if not path.is_relative_to(folder) or not path.is_file():
            return ""
    except (OSError, ValueError):
        return ""
    return "file://" + quote(path.as_posix())
