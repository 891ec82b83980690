"""An XML feed cut into its records before a parser sees it.

A parser that reads the whole document must believe it: one wrong byte ends it, and an attribute of 1 GB or an entity
that holds a million others is a matter of its limits. Cut out of the bytes, a record is small or it is refused, and
what is wrong in it costs that record only.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

LARGEST_RECORD = 2_000_000
CHUNK = 1 << 18
_LONGEST_MARK = 200
"""Bytes kept at the end of what was read, as a mark may continue in what comes next."""

_USUAL = 1 << 14
"""Most records are smaller."""

_SECTION_ENDS = {b"<!--": b"-->", b"<![CDATA[": b"]]>", b"<?": b"?>"}
_SECTION = re.compile(rb"<!--|<!\[CDATA\[")
_NO_RECORDS = rb"<!--|<!\[CDATA\[|<\?|<!DOCTYPE[^<>\[]*\["
"""What begins a stretch whose text is no record; a document type's own part ends with its bracket."""
_OPENING_TAG = re.compile(rb"""<(?:[^<>"']++|"[^"]*+"|'[^']*+')*+>""")
_SLASH = ord("/")

Read = Callable[[int], bytes]


class Cut(NamedTuple):
    """One record. line: where it begins. problem: "" for a whole one; else `content` is only its beginning."""

    tag: bytes
    line: int
    content: bytes
    problem: str = ""


class Cutter:
    """Iterate it: the records with one of the tags, in order. read: at most so many bytes of UTF-8, none at the end.

    root: the document's outermost tag; whether its end was seen is `is_closed`. line: how far it got.
    """

    def __init__(self, read: Read, tags: Sequence[bytes], root: bytes, *, largest: int = LARGEST_RECORD) -> None:
        names = b"|".join(map(re.escape, tags))
        self._openings = re.compile(
            _NO_RECORDS
            + rb"|<(?P<tag>"
            + names
            + rb")(?=[\s/>])|(?P<root></"
            + re.escape(root)
            + rb"\s*>)|</(?P<stray>"
            + names
            + rb")\s*>"
        )
        self._edges = {
            tag: re.compile(rb"(?P<end></%b\s*>)|<%b(?=[\s>])|</%b\s*>" % (tag, tag, re.escape(root))) for tag in tags
        }
        self._read, self._largest = read, largest
        self._buffer, self._at, self._ended = b"", 0, False
        self.line, self.is_closed = 1, False

    def __iter__(self) -> Iterator[Cut]:
        while True:
            found = self._openings.search(self._buffer, self._at)
            if found is None:
                self._forget(max(self._at, len(self._buffer) - _LONGEST_MARK))
                if not self._more():
                    self._forget(len(self._buffer))
                    return
            elif found["root"]:
                self.is_closed = True
                self._forget(found.end())
            elif found["tag"]:
                self._forget(found.start())
                yield self._record(found["tag"])
            elif found["stray"]:
                self._forget(found.start())
                name = found["stray"].decode()
                yield Cut(
                    found["stray"], self.line, b"", f"</{name}> without its <{name}>: what stood before it is lost"
                )
                self._at = found.end()
            else:
                self._skip(found.end(), _SECTION_ENDS.get(found[0], b"]"))

    def _record(self, tag: bytes) -> Cut:
        """The record that begins where we stand; we stand behind it afterwards."""
        begun = self.line
        while True:
            edge, is_end = self._edge(tag)
            if edge is None and len(self._buffer) - self._at <= self._largest:
                if not self._more():
                    return self._damaged(tag, begun, len(self._buffer), "the feed ends within it")
            elif edge is None or edge - self._at > self._largest:
                return self._too_large(tag, begun)
            elif is_end:
                content = self._buffer[self._at : edge]
                self._forget(edge)
                return Cut(tag, begun, content)
            else:
                return self._damaged(tag, begun, edge, f"<{tag.decode()}> is not closed where the next one begins")

    def _edge(self, tag: bytes) -> tuple[int | None, bool]:
        """Where the record ends (True) or, without having ended, the next one begins or the document ends.

        None: not to be seen yet. What nearly every record looks like is found by plain search, the rest by pattern.
        """
        buffer, begin = self._buffer, self._at
        near = begin + _USUAL
        closing = buffer.find(b">", begin, near)
        end = buffer.find(b"</" + tag + b">", closing, near) if closing > 0 else -1
        if end < 0 or buffer[closing - 1] == _SLASH or _quotes(buffer, begin, closing):
            return self._edge_by_pattern(tag)
        if buffer.find(b"<" + tag, closing, end) >= 0:
            return self._edge_by_pattern(tag)
        section = buffer.find(b"<!", closing, end)
        if section >= 0 and _open_section(buffer, section, end) is not None:
            return self._edge_by_pattern(tag)
        return end + len(tag) + 3, True

    def _edge_by_pattern(self, tag: bytes) -> tuple[int | None, bool]:
        buffer, begin = self._buffer, self._at
        opening = _OPENING_TAG.match(buffer, begin)
        if opening is not None and buffer[opening.end() - 2] == _SLASH:
            return opening.end(), True
        begin = begin + 1 if opening is None else opening.end()
        found = self._edges[tag].search(buffer, begin)
        while found is not None:
            resume = _open_section(buffer, begin, found.start())
            if resume is None:
                is_end = found["end"] is not None
                return (found.end() if is_end else found.start()), is_end
            begin = resume
            found = self._edges[tag].search(buffer, begin)
        return None, False

    def _damaged(self, tag: bytes, line: int, until: int, problem: str) -> Cut:
        content = self._buffer[self._at : min(until, self._at + _LONGEST_MARK)]
        self._forget(until)
        return Cut(tag, line, content, problem)

    def _too_large(self, tag: bytes, line: int) -> Cut:
        """Its beginning is kept to name it; the rest is read and forgotten until it ends or another begins."""
        content = self._buffer[self._at : self._at + _LONGEST_MARK]
        self._forget(self._at + 1)
        while (found := self._edges[tag].search(self._buffer, self._at)) is None:
            self._forget(max(self._at, len(self._buffer) - _LONGEST_MARK))
            if not self._more():
                self._forget(len(self._buffer))
                break
        else:
            self._forget(found.end() if found["end"] else found.start())
        return Cut(tag, line, content, f"it is larger than {self._largest:,} bytes")

    def _skip(self, begin: int, end: bytes) -> None:
        """To behind the next `end`, or to the end of the feed."""
        self._forget(begin)
        while (found := self._buffer.find(end, self._at)) < 0:
            self._forget(max(self._at, len(self._buffer) - len(end) + 1))
            if not self._more():
                self._forget(len(self._buffer))
                return
        self._forget(found + len(end))

    def _forget(self, until: int) -> None:
        """Stand there, with the lines before it counted."""
        self.line += self._buffer.count(b"\n", self._at, until)
        self._at = until

    def _more(self) -> bool:
        """Read on; False at the end of the feed."""
        if self._ended:
            return False
        chunk = self._read(CHUNK)
        self._ended = not chunk
        self._buffer, self._at = self._buffer[self._at :] + chunk, 0
        return bool(chunk)


def _quotes(buffer: bytes, begin: int, end: int) -> bool:
    """Whether a quote is open at the end, as far as counting says."""
    return bool((buffer.count(b'"', begin, end) | buffer.count(b"'", begin, end)) & 1)


def _open_section(buffer: bytes, begin: int, at: int) -> int | None:
    """Where the comment or CDATA ends that `at` lies in, len(buffer) if that is not to be seen; None outside of one."""
    if buffer.find(b"<!", begin, at) < 0:
        return None
    while (section := _SECTION.search(buffer, begin, at)) is not None:
        end = _SECTION_ENDS[section[0]]
        closed = buffer.find(end, section.end())
        if closed < 0:
            return len(buffer)
        begin = closed + len(end)
        if begin > at:
            return begin
    return None
