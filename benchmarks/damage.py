"""Feeds that are damaged in every way we could think of, read and imported: `python -m benchmarks.damage COUNT SEED`.

What must hold of each: no crash, an error that says what is wrong, a catalog that has all of it or nothing.
"""

from __future__ import annotations

import gzip
import json
import random
import re
import resource
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, cast

from vitrina.errors import InputError
from vitrina.lens import store
from vitrina.lens.feed.reading import read_feed
from vitrina.lens.importing import DONE, FAILED, HELD, import_feed
from vitrina.lens.offer import Offer, Reject
from vitrina.lens.reader import Order, Part

OFFERS = 40
HUGE = 1 << 30
WORDS = ["красный", "red", "синий", "blau", "cotton", "&", "<b>wool</b>", "leather", "size", "42", "—", "½"]

Damage = Callable[[bytes, random.Random], "bytes | Endless"]


class Endless:
    """A stream of a head, a filling of any length that takes no memory, and a tail."""

    def __init__(self, head: bytes, filling: bytes, size: int, tail: bytes) -> None:
        self._parts, self._filling, self._left = [head, tail], filling, size

    def read(self, size: int, /) -> bytes:
        if self._parts[0]:
            given, self._parts[0] = self._parts[0][:size], self._parts[0][size:]
            return given
        if self._left > 0:
            count = min(size, self._left) // len(self._filling) or 1
            self._left -= count * len(self._filling)
            return self._filling * count
        given, self._parts[1] = self._parts[1][:size], self._parts[1][size:]
        return given


# Feeds before anything happened to them ------------------------------------------------------------------------------


def yml(dice: random.Random) -> bytes:
    offers = "".join(
        f'<offer id="{n}" available="{dice.choice(["true", "false"])}" group_id="g{n // 3}">\n'
        f"<url>https://a.example/{n}?a=1&amp;b=2</url><price>{dice.randint(1, 9999)}.50</price>"
        f"<currencyId>RUR</currencyId><categoryId>{n % 4}</categoryId>"
        f"<picture>https://a.example/{n // 2}.jpg</picture>\n"
        f"<name>{dice.choice(WORDS[:4])} {n}</name><vendor>Brand</vendor><barcode>4006381333931</barcode>"
        f"<description><![CDATA[{' '.join(dice.choices(WORDS, k=12))}]]></description>"
        '<param name="Цвет">красный</param></offer>\n'
        for n in range(OFFERS)
    )
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE yml_catalog SYSTEM "shops.dtd">\n<yml_catalog><shop>'
        '<name>Магазин</name><currencies><currency id="RUR" rate="1"/></currencies><categories><category id="1">Обувь'
        '</category><category id="2" parentId="1">Кеды</category></categories>\n<offers>\n'
        f"{offers}</offers></shop></yml_catalog>\n"
    ).encode()


def google(dice: random.Random) -> bytes:
    items = "".join(
        f"<item><g:id>{n}</g:id><g:title>{dice.choice(WORDS[:4])} {n}</g:title><g:link>https://a.example/{n}</g:link>\n"
        f"<g:price>{dice.randint(1, 999)}.00 EUR</g:price><g:image_link>https://a.example/{n}.jpg</g:image_link></item>\n"
        for n in range(OFFERS)
    )
    return (
        '<?xml version="1.0"?>\n<rss version="2.0" xmlns:g="http://base.google.com/ns/1.0"><channel><title>S</title>\n'
        f"{items}</channel></rss>"
    ).encode()


def table(dice: random.Random) -> bytes:
    rows = "".join(
        f'{n};"{dice.choice(WORDS[:4])} ""{n}""";https://a.example/{n};{dice.randint(1, 999)} EUR;a;"two\nlines"\n'
        for n in range(OFFERS)
    )
    return f"id;name;url;price;brand;description\n{rows}".encode()


FEEDS = (yml, google, table)


# What happens to them ------------------------------------------------------------------------------------------------


def flipped(content: bytes, dice: random.Random) -> bytes:
    changed = bytearray(content)
    for _ in range(dice.choice([1, 3, 30, 300])):
        changed[dice.randrange(len(changed))] ^= 1 << dice.randrange(8)
    return bytes(changed)


def cut_out(content: bytes, dice: random.Random) -> bytes:
    begin = dice.randrange(len(content))
    return content[:begin] + content[begin + dice.choice([1, 10, 500, 5000]) :]


def ended(content: bytes, dice: random.Random) -> bytes:
    return content[: dice.randrange(len(content))]


def tags_cut(content: bytes, dice: random.Random) -> bytes:
    chance = dice.choice([0.005, 0.05, 0.3])
    return re.sub(rb"</?[a-zA-Z:]+[^<>]*>", lambda tag: b"" if dice.random() < chance else tag[0], content)


def tags_moved(content: bytes, dice: random.Random) -> bytes:
    tags = re.findall(rb"</?[a-zA-Z:]+[^<>]*>", content) or [b"<x>"]
    for _ in range(dice.choice([1, 5, 50])):
        place = dice.randrange(len(content))
        content = content[:place] + dice.choice(tags) + content[place:]
    return content


MARKS = (
    b"<![CDATA[",
    b"]]>",
    b"<!--",
    b"-->",
    b"&",
    b"&#0;",
    b"&#x110000;",
    b"&lol;",
    b'"',
    b"\0",
    b"<",
    b">",
    b"\xff",
)


def marks(content: bytes, dice: random.Random) -> bytes:
    for _ in range(dice.choice([1, 4, 40])):
        place = dice.randrange(len(content))
        content = content[:place] + dice.choice(MARKS) + content[place:]
    return content


def entities(content: bytes, dice: random.Random) -> bytes:
    """Billion laughs, quadratic blow-up, files and addresses as entities."""
    laughs = b"".join(b'<!ENTITY l%d "%b">' % (n, b"&l%d;" % (n - 1) * 10 if n else b"lol") for n in range(12))
    outside = b'<!ENTITY l99 SYSTEM "file:///etc/passwd"><!ENTITY % p SYSTEM "http://127.0.0.1:9/x">%p;'
    which = dice.choice([laughs, outside, laughs + outside])
    head = b'<?xml version="1.0"?><!DOCTYPE x [' + which + b"]>"
    body = re.sub(rb"<\?xml[^>]*>\s*|<!DOCTYPE[^>]*>", b"", content)
    return head + body.replace(b"red", b"&l11;").replace(b"blau", b"&l99;")


def huge(content: bytes, dice: random.Random, size: int = 4_000_000) -> Endless:
    """Very much in one place: an attribute, a text, a comment, CDATA, a tag's name, a line, an end that never comes."""
    place = dice.choice([found.start() for found in re.finditer(rb"<offer|<item|\n", content)] or [0])
    head, tail = content[:place], content[place:]
    begin, filling, end = dice.choice(
        [
            (b'<offer id="', b"x", b'">'),
            (b"<offer id='1'><name>", b"y ", b"</name></offer>"),
            (b"<!--", b"- ", b"-->"),
            (b"<offer id='1'><description><![CDATA[", b"z]", b"]]></description></offer>"),
            (b"<", b"n", b">"),
            (b'1;"', b"w;", b'"'),
            (b"", b"<offer ", b""),
            (b"", b"<a>", b""),
            (b"<offer id='1'>", b"<b>", b"</offer>"),
            (b'<offer a="', b"\n>", b""),
            (b"", b"&amp;", b""),
            (b"", b"\0", b""),
        ]
    )
    return Endless(head + begin, filling, size, end + tail)


def written_otherwise(content: bytes, dice: random.Random) -> bytes:
    """Another encoding than the feed says, or one with its mark in the wrong place."""
    text = content.decode()
    wrong = dice.choice(["cp1251", "koi8-r", "utf-16", "utf-16-le", "utf-32", "cp866", "latin-1", "utf-7", "utf-8-sig"])
    written = text.encode(wrong, "replace")
    half = len(written) // 2
    return dice.choice([written, content[:half] + written[half:], b"\xef\xbb\xbf" + written])


def packed(content: bytes, dice: random.Random) -> bytes:
    whole = gzip.compress(content, 1)
    return dice.choice([whole, flipped(whole, dice), ended(whole, dice), whole + whole[:40], gzip.compress(whole[:-9])])


def noise(content: bytes, dice: random.Random) -> bytes:
    return dice.choice(
        [dice.randbytes(5000), content[:100] + dice.randbytes(5000), b"", b"<", b"\x1f\x8b", b"\xff\xfe"]
    )


def mixed(content: bytes, dice: random.Random) -> bytes:
    other = dice.choice(FEEDS)(dice)
    return content[: dice.randrange(len(content))] + other[dice.randrange(len(other)) :]


DAMAGES: dict[str, Damage] = {
    "bytes flipped": flipped,
    "cut out": cut_out,
    "ended early": ended,
    "tags cut": tags_cut,
    "tags moved": tags_moved,
    "marks put in": marks,
    "entities": entities,
    "4 MB in one place": huge,
    "wrong encoding": written_otherwise,
    "packed": packed,
    "noise": noise,
    "two feeds in one": mixed,
}


# Reading them --------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Told:
    """wrong: what must not happen, in words."""

    feeds: int = 0
    offers: int = 0
    rejects: int = 0
    errors: int = 0
    slowest_ms: float = 0.0
    slowest: str = ""
    wrong: list[str] = field(default_factory=list)
    states: Counter[str] = field(default_factory=Counter)


def damaged(count: int, seed: int, only: str = "") -> Iterator[tuple[str, Callable[[], BinaryIO]]]:
    """What was done, and the stream; the same ones for the same seed."""
    for number in range(count):
        name = only or list(DAMAGES)[number // len(FEEDS) % len(DAMAGES)]
        yield name, lambda number=number, name=name: _opened(seed, number, name)  # type: ignore[misc]


def _opened(seed: int, number: int, name: str) -> BinaryIO:
    """Made anew each time it is opened: kept, the large ones would be what takes memory."""
    dice = random.Random(f"{seed}-{number}")
    made = DAMAGES[name](FEEDS[number % len(FEEDS)](dice), dice)
    return cast(BinaryIO, _Closing(made)) if isinstance(made, Endless) else BytesIO(made)


class _Closing:
    """A stream that a `with` may hold."""

    def __init__(self, stream: object) -> None:
        self.read = cast(Endless, stream).read

    def __enter__(self) -> _Closing:
        return self

    def __exit__(self, *_: object) -> None:
        pass


def read_one(name: str, stream: BinaryIO, told: Told) -> None:
    """Read it to its end and look at what came."""
    began, line = time.perf_counter(), 0
    told.feeds += 1
    try:
        for one in read_feed(stream, "best", currency="EUR", name="feed"):
            if not isinstance(one, (Offer, Reject)) or one.line < 1:
                told.wrong.append(f"{name}: {one!r:.200}")
            line = max(line, one.line)
            told.offers += isinstance(one, Offer)
            told.rejects += isinstance(one, Reject)
    except InputError as error:
        told.errors += 1
        if not str(error).startswith("feed") or len(str(error)) > 700:
            told.wrong.append(f"{name}: says {error!s:.300}")
    except Exception as error:  # noqa: BLE001 - whatever else it is, it is the finding
        told.wrong.append(f"{name}: {type(error).__name__}: {error!s:.200}")
    took_ms = (time.perf_counter() - began) * 1000
    if took_ms > told.slowest_ms:
        told.slowest_ms, told.slowest = took_ms, name


def import_one(name: str, opened: Callable[[], BinaryIO], folder: Path, told: Told, *, is_full: bool) -> None:
    """Import it over a whole feed: the catalog has what the mode says, or what it had."""
    order = Order("best", "feed-1", currency="EUR", is_full=is_full)
    before = _catalog(folder)
    try:
        done = import_feed(folder, order, [Part("feed", opened)])
    except Exception as error:  # noqa: BLE001
        told.wrong.append(f"{name}: import: {type(error).__name__}: {error!s:.200}")
        return
    told.states[done.state] += 1
    after = _catalog(folder)
    live = sum(gone is None for _, gone in after.values())
    if done.state in (FAILED, HELD) and after != before:
        told.wrong.append(f"{name}: {done.state}, and the catalog changed")
    if done.state == DONE and is_full and live != done.offers:
        told.wrong.append(f"{name}: {live} offers in the catalog, the import says {done.offers}")
    if done.state != DONE and not done.reason:
        told.wrong.append(f"{name}: {done.state} without a reason")


def _catalog(folder: Path) -> dict[str, tuple[bytes, float | None]]:
    with closing(store.open_catalog(folder / "catalog.db")) as catalog:
        rows = catalog.execute("SELECT offer_id, digest, gone_at FROM offers").fetchall()
    return {row[0]: (row[1], row[2]) for row in rows}


def torment(count: int, seed: int, *, import_each: int = 10, only: str = "") -> Told:
    """Read `count` damaged feeds, and import each tenth over a catalog that holds a whole one."""
    told = Told()
    with tempfile.TemporaryDirectory() as folder:
        for number, (name, opened) in enumerate(damaged(count, seed, only)):
            with opened() as stream:
                read_one(name, stream, told)
            if number % import_each == 0:
                import_one(name, opened, Path(folder), told, is_full=number % (2 * import_each) == 0)
    return told


def peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def gigabytes(told: Told, seed: int) -> None:
    """1 GB in one place, each place once."""
    for number in range(24):
        dice = random.Random(f"{seed}-huge-{number}")
        content = FEEDS[number % len(FEEDS)](dice)
        read_one("1 GB in one place", cast(BinaryIO, huge(content, dice, HUGE)), told)


def main(arguments: list[str]) -> None:
    count, seed, is_huge = int(arguments[0]), int(arguments[1]), "huge" in arguments
    told = torment(count, seed)
    if is_huge:
        gigabytes(told, seed)
    facts = {
        name: getattr(told, name) for name in ("feeds", "offers", "rejects", "errors", "slowest_ms", "slowest", "wrong")
    }
    print(json.dumps(facts | {"states": told.states, "peak_mb": peak_mb()}))


if __name__ == "__main__":
    main(sys.argv[1:])
