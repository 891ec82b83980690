"""Where a feed comes from: a file, a folder of files, or an address that is fetched as it changes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from vitrina.errors import InputError
from vitrina.lens.address import hide, is_address
from vitrina.lens.reader import Part
from vitrina.outlet.download import UNKNOWN, Version, download

SUFFIXES = (".xml", ".yml", ".csv", ".tsv", ".txt", ".rss", ".atom")
"""What is read of a folder, each also with `.gz` behind it."""

LARGEST_FETCH = 20_000_000_000
"""Bytes as they come over the line, mostly packed."""


@dataclass(frozen=True, slots=True)
class Sourced:
    """parts: nothing where `is_unchanged`. version: to ask with the next time."""

    parts: tuple[Part, ...]
    version: Version = UNKNOWN
    is_unchanged: bool = False


def open_source(
    source: str,
    *,
    cache: Path,
    known: Version = UNKNOWN,
    allow_private: bool = False,
    on_progress: Callable[[int, int], None] = lambda _got, _all: None,
) -> Sourced:
    """cache: file that an address is fetched to; whoever calls removes it.

    Raises InputError where there is nothing, and for addresses what `outlet.download` raises.
    """
    if not is_address(source):
        return Sourced(local_parts(Path(source)))
    shown = hide(source)[0]
    got = download(
        source, cache, known=known, allow_private=allow_private, largest=LARGEST_FETCH, on_progress=on_progress
    )
    if got.is_unchanged:
        return Sourced((), known, is_unchanged=True)
    return Sourced((Part(shown, lambda: cache.open("rb"), got.size),), got.version)


def local_parts(path: Path) -> tuple[Part, ...]:
    """A file, or the files of a folder in the order of their names: together they are one feed."""
    if path.is_dir():
        files = sorted(one for one in path.iterdir() if one.is_file() and _is_feed(one.name))
        if not files:
            raise InputError(f"{path}: expected feeds ({', '.join(SUFFIXES)}, also .gz) in this folder, there is none.")
        return tuple(_part(file, path) for file in files)
    if not path.is_file():
        raise InputError(f"{path}: there is no such file or folder.")
    return (_part(path, path.parent),)


def _part(file: Path, folder: Path) -> Part:
    return Part(file.name, lambda: file.open("rb"), file.stat().st_size, folder)


def _is_feed(name: str) -> bool:
    return name.lower().removesuffix(".gz").endswith(SUFFIXES)
