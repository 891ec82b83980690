"""A feed read from its first byte: unpacked, decoded, found out what it is, and read as that."""

from __future__ import annotations

import codecs
import re
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import BinaryIO, Protocol

from vitrina.errors import InputError
from vitrina.lens.feed.cut import Cutter
from vitrina.lens.feed.detect import GOOGLE, GZIP, HEAD, TABLE, Kind, detect
from vitrina.lens.feed.facts import Facts
from vitrina.lens.feed.google import TAGS as GOOGLE_TAGS
from vitrina.lens.feed.google import read_google
from vitrina.lens.feed.table import read_table
from vitrina.lens.feed.wording import plain
from vitrina.lens.feed.yml import TAGS as YML_TAGS
from vitrina.lens.feed.yml import read_yml
from vitrina.lens.offer import Offer, Reject

LARGEST_FEED = 100_000_000_000
"""Bytes after unpacking; more is a bomb."""

MOST_REJECTS = 1_000_000
"""A feed with more records that do not fit is no feed, and each of them costs time."""

_SHOP_NAME = re.compile(r"<(?:shop|channel|feed)[^<>]*>\s*<(?:name|title)>\s*([^<>]{1,200}?)\s*</")


class Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


@dataclass(slots=True)
class Reading:
    """A feed that is being read. Iterate it once; `facts` fills meanwhile."""

    facts: Facts
    _offers: Iterator[Offer | Reject] = field(repr=False)

    def __iter__(self) -> Iterator[Offer | Reject]:
        return self._offers


def read_feed(
    stream: BinaryIO | Readable,
    shop: str,
    *,
    currency: str = "",
    form: str = "auto",
    mapping: Mapping[str, str] | None = None,
    now: datetime | None = None,
    name: str = "feed",
) -> Reading:
    """Raises InputError here for what is no feed; and while it is iterated where the feed is damaged for good.

    currency: of prices where neither they nor the feed name one. now: whether a sale price holds.
    name: how messages call the feed.
    """
    # Some servers pack for the way what was packed already.
    source = _Head(_limited(_unpacked(_unpacked(stream.read, name), name), name))
    kind = detect(source.head(HEAD), form=form, name=name)
    facts = Facts(format=kind.format, encoding=kind.encoding, shop_name=_shop_name(kind.text))
    if kind.doubt:
        facts.note(kind.doubt, 1)
    source.read(kind.skip)
    read = source.read if kind.encoding == "utf-8" else _transcoded(source.read, kind.encoding)
    at = now or datetime.now(UTC)
    if kind.format == TABLE:
        facts.currency = currency
        return Reading(facts, _bounded(_table(read, kind, shop, facts, mapping or {}, at, name), name))
    return Reading(facts, _bounded(_xml(read, kind, shop, facts, currency, at, name), name))


def _bounded(found: Iterator[Offer | Reject], name: str) -> Iterator[Offer | Reject]:
    rejects = 0
    for one in found:
        yield one
        if isinstance(one, Reject):
            rejects += 1
            if rejects > MOST_REJECTS:
                raise InputError(
                    f"{name}:{one.line}: more than {MOST_REJECTS:,} records do not fit; the rest was not read."
                )


def _table(
    read: Callable[[int], bytes],
    kind: Kind,
    shop: str,
    facts: Facts,
    mapping: Mapping[str, str],
    now: datetime,
    name: str,
) -> Iterator[Offer | Reject]:
    try:
        yield from read_table(read, kind, shop, facts, mapping=mapping, now=now)
    except InputError as error:
        raise InputError(str(error) if str(error).startswith(name) else f"{name}: {error}") from error


def _xml(
    read: Callable[[int], bytes], kind: Kind, shop: str, facts: Facts, currency: str, now: datetime, name: str
) -> Iterator[Offer | Reject]:
    namespaces = {"g": "http://base.google.com/ns/1.0"} | dict(kind.namespaces)
    namespaces.pop("xml", None)
    is_google = kind.format == GOOGLE
    cutter = Cutter(read, GOOGLE_TAGS if is_google else YML_TAGS, kind.root.encode())
    if is_google:
        facts.currency = currency
        yield from read_google(cutter, namespaces, shop, facts, now)
    else:
        yield from read_yml(cutter, namespaces, shop, facts, currency)
    if not cutter.is_closed:
        raise InputError(
            f"{name}:{cutter.line}: the feed ends in the middle: expected </{kind.root}>, got the end of the file. "
            "Its shop wrote half of it, or it was not fetched whole."
        )


def _shop_name(text: str) -> str:
    found = _SHOP_NAME.search(text)
    return plain(found[1], 200) if found else ""


class _Head:
    """A stream whose beginning can be looked at before it is read."""

    def __init__(self, read: Callable[[int], bytes]) -> None:
        self._read, self._kept = read, b""

    def head(self, size: int) -> bytes:
        while len(self._kept) < size and (more := self._read(size - len(self._kept))):
            self._kept += more
        return self._kept[:size]

    def read(self, size: int) -> bytes:
        if not self._kept:
            return self._read(size)
        given, self._kept = self._kept[:size], self._kept[size:]
        return given


def _unpacked(packed: Callable[[int], bytes], name: str) -> Callable[[int], bytes]:
    """What gzip packed is seen by its first bytes, whatever the file is called; members may follow one another."""
    plain = _Head(packed)
    if not plain.head(2).startswith(GZIP):
        return plain.read
    unpacker, waiting, is_open = zlib.decompressobj(wbits=31), b"", False

    def read(size: int) -> bytes:
        nonlocal unpacker, waiting, is_open
        while True:
            if not waiting:
                waiting = plain.read(size)
                if not waiting:
                    if is_open:
                        raise InputError(f"{name}: the feed ends in the middle of its gzip data; fetch it again.")
                    return b""
            if not is_open:
                waiting = waiting.lstrip(b"\0")  # some pad the end
                if not waiting:
                    continue
                unpacker, is_open = zlib.decompressobj(wbits=31), True
            try:
                given = unpacker.decompress(waiting, size)
            except zlib.error as error:
                raise InputError(f"{name}: its gzip data are damaged ({error}); fetch it again.") from error
            if unpacker.eof:
                waiting, is_open = unpacker.unused_data, False
            else:
                waiting = unpacker.unconsumed_tail
            if given:
                return given

    return read


def _limited(read: Callable[[int], bytes], name: str) -> Callable[[int], bytes]:
    total = 0

    def limited(size: int) -> bytes:
        nonlocal total
        given = read(size)
        total += len(given)
        if total > LARGEST_FEED:
            raise InputError(f"{name}: expected a feed of at most {LARGEST_FEED / 1e9:g} GB, got more.")
        return given

    return limited


def _transcoded(read: Callable[[int], bytes], encoding: str) -> Callable[[int], bytes]:
    """The same text in UTF-8; what the encoding does not know becomes the sign for that."""
    decoder = codecs.getincrementaldecoder(encoding)("replace")

    def transcoded(size: int) -> bytes:
        while True:
            chunk = read(size)
            given = decoder.decode(chunk, final=not chunk).encode("utf-8", "replace")
            if given or not chunk:
                return given

    return transcoded
