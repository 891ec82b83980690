"""Records of an XML feed as elements: many at a time, one by one where something is wrong, mended where that is plain.

The parser resolves no entity, loads no document type and reaches nothing outside.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from vitrina.errors import MissingError
from vitrina.lens.feed.cut import Cut
from vitrina.lens.feed.facts import Facts
from vitrina.lens.offer import Reject

AT_ONCE = 64
LARGEST_BATCH = 4_000_000

_NAMED = re.compile(rb"&([A-Za-z][A-Za-z0-9]{0,31});")
_NUMBERED = re.compile(rb"&#(?:[xX]([0-9A-Fa-f]{1,8})|([0-9]{1,8}));")
_BARE = re.compile(rb"&(?!#?[A-Za-z0-9]{1,31};)")
_CONTROLS = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f]")
_PREFIX = re.compile(rb"</?([A-Za-z_][\w.-]*):")
_ATTRIBUTE_PREFIX = re.compile(rb"\s([A-Za-z_][\w.-]*):[\w.-]+\s*=")
_PLACE = re.compile(r",? line \d+(?:, column \d+)?(?: \(<string>, line \d+\))?")
_XML_NAMES = frozenset({b"amp", b"lt", b"gt", b"quot", b"apos"})


class Found(NamedTuple):
    """A record that could be read. element: lxml's."""

    tag: bytes
    line: int
    element: Any


class _Parser:
    """lxml with everything off that a feed could use against us. opening: the tag that a record is parsed in."""

    def __init__(self, opening: bytes) -> None:
        try:
            from lxml import etree
        except ModuleNotFoundError as error:
            raise MissingError('reading XML feeds needs lxml: pip install "vitrina[lens]"') from error
        self.opening, self.not_well_formed = opening, etree.XMLSyntaxError
        self._parse = etree.fromstring
        self._parser = etree.XMLParser(
            resolve_entities=False,
            no_network=True,
            load_dtd=False,
            huge_tree=False,
            remove_comments=True,
            remove_pis=True,
            collect_ids=False,
        )

    def parse(self, content: bytes, declarations: bytes = b"") -> Any:
        """The records as children of one element. Raises `not_well_formed`."""
        return self._parse(self.opening[:-1] + declarations + b">" + content + b"</r>", self._parser)


def elements(cuts: Iterable[Cut], namespaces: Mapping[str, str], facts: Facts) -> Iterator[Found | Reject]:
    """Records in order. namespaces: prefix → address, as the document's outermost tag declares them."""
    declared = b"".join(f' xmlns:{prefix}="{html.escape(name)}"'.encode() for prefix, name in namespaces.items())
    parser = _Parser(b"<r" + declared + b">")
    batch: list[Cut] = []
    size = 0
    for cut in cuts:
        if cut.problem:
            yield from _batch(batch, parser, facts)
            batch, size = [], 0
            yield Reject(cut.line, offer_id_in(cut.content), cut.problem)
            continue
        batch.append(cut)
        size += len(cut.content)
        if len(batch) >= AT_ONCE or size > LARGEST_BATCH:
            yield from _batch(batch, parser, facts)
            batch, size = [], 0
    yield from _batch(batch, parser, facts)


def offer_id_in(content: bytes) -> str:
    """The id of a record that cannot be parsed, as well as can be seen."""
    found = re.search(rb"""^<[^>]*?\sid\s*=\s*["']([^"'<>]{1,200})["']|<(?:g:)?id>\s*([^<>]{1,200}?)\s*</""", content)
    return (found[1] or found[2]).decode("utf-8", "replace") if found else ""


def _batch(cuts: list[Cut], parser: _Parser, facts: Facts) -> Iterator[Found | Reject]:
    if not cuts:
        return
    try:
        found = parser.parse(b"".join([cut.content for cut in cuts]))
    except parser.not_well_formed:
        found = ()
    if len(found) == len(cuts):
        for cut, element in zip(cuts, found, strict=True):
            yield Found(cut.tag, cut.line, element)
    else:
        for cut in cuts:
            yield _one(cut, parser, facts)


def _one(cut: Cut, parser: _Parser, facts: Facts) -> Found | Reject:
    try:
        return _parsed(cut, parser.parse(cut.content))
    except parser.not_well_formed as error:
        mended, what = mend(cut.content, parser.opening)
        if not what:
            return _reject(cut, error)
    try:
        found = _parsed(cut, parser.parse(mended, _undeclared(mended, parser.opening)))
    except parser.not_well_formed as error:
        return _reject(cut, error)
    if isinstance(found, Found):
        for one in what:
            facts.note(one, cut.line)
    return found


def _parsed(cut: Cut, root: Any) -> Found | Reject:
    if len(root) != 1:
        return Reject(
            cut.line, offer_id_in(cut.content), "expected one record, it closes and opens tags that are not its own"
        )
    return Found(cut.tag, cut.line, root[0])


def mend(content: bytes, opening: bytes = b"") -> tuple[bytes, list[str]]:
    """What is plainly meant, and what was done for it; mistakes that leave a doubt stay.

    opening: the tag around it, with the prefixes that are declared.
    """
    what = []
    try:
        content.decode()
    except UnicodeDecodeError:
        content = content.decode("utf-8", "ignore").encode()
        what.append("bytes that are no UTF-8 left out")
    for pattern, replace, said in (
        (_CONTROLS, lambda _: b"", "control characters left out"),
        (_NUMBERED, _number, "numbers of characters that XML does not know left out"),
        (_NAMED, _name, "HTML's names of characters (such as &nbsp;) read"),
        (_BARE, lambda _: b"&amp;", "& that stands alone read as itself"),
    ):
        mended = pattern.sub(replace, content)
        if mended != content:
            content = mended
            what.append(said)
    if _undeclared(content, opening):
        what.append("prefixes that nothing declares taken as they are")
    return content, what


def _number(found: re.Match[bytes]) -> bytes:
    code = int(found[1], 16) if found[1] else int(found[2])
    allowed = code in (9, 10, 13) or 0x20 <= code <= 0xD7FF or 0xE000 <= code <= 0xFFFD or 0x10000 <= code <= 0x10FFFF
    return found[0] if allowed else b""


def _name(found: re.Match[bytes]) -> bytes:
    if found[1] in _XML_NAMES:
        return found[0]
    letters = html.unescape(found[0].decode())
    return letters.encode() if letters != found[0].decode() else b"&amp;" + found[0][1:]


def _undeclared(content: bytes, opening: bytes) -> bytes:
    """Declarations for prefixes that are used and stand in no declaration."""
    used = {*_PREFIX.findall(content), *_ATTRIBUTE_PREFIX.findall(content)} - {b"xml", b"xmlns"}
    missing = sorted(one for one in used if b"xmlns:" + one + b"=" not in opening + content)
    return b"".join(b' xmlns:%b="urn:%b"' % (one, one) for one in missing)


def _reject(cut: Cut, error: Any) -> Reject:
    line = cut.line + max(0, (error.lineno or 1) - 1)
    said = _PLACE.sub("", str(error.msg)).strip()
    return Reject(cut.line, offer_id_in(cut.content), f"not well-formed XML at line {line}: {said}"[:300])
