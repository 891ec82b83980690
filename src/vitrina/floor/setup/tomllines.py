"""On which line of a TOML text everything stands, so that an error can point there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

Path = tuple[str | int, ...]

_TOKEN = re.compile(
    r"""
      (?P<comment> \#[^\n]* )
    | (?P<string> \"{3}(?:\\.|[^\\])*?\"{3,5} | '{3}.*?'{3,5} | "(?:\\.|[^"\\\n])*" | '[^'\n]*' )
    | (?P<newline> \n )
    | (?P<space> [ \t\r]+ )
    | (?P<mark> [\[\]{},=.] )
    | (?P<bare> [^\s\[\]{},=.#"']+ )
    """,
    re.VERBOSE | re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    line: int


def find_lines(text: str) -> dict[Path, int]:
    """Line numbers, from 1, of every table, key and array element of a text that is known to be TOML.

    `("zone", 2, "polygon", 0)` is the first corner of the third `[[zone]]`.
    """
    return _Scan(text).lines


class _Scan:
    def __init__(self, text: str) -> None:
        self.lines: dict[Path, int] = {}
        self._counts: dict[Path, int] = {}
        self._tokens = list(_tokens(text))
        self._at = 0
        table: Path = ()
        while self._skip_blank():
            if self._peek().text == "[" and self._peek().kind == "mark":
                table = self._header()
            else:
                self._pair(table)

    def _header(self) -> Path:
        line = self._take().line
        of_array = self._peek().text == "["
        if of_array:
            self._take()
        keys = self._keys("]")
        path = self._resolve(keys[:-1])
        if of_array:
            self._take()
            count = self._counts.get((*path, keys[-1]), 0)
            self._counts[*path, keys[-1]] = count + 1
            self.lines.setdefault((*path, keys[-1]), line)
            path = (*path, keys[-1], count)
        else:
            path = self._resolve(keys)
        self.lines.setdefault(path, line)
        return path

    def _resolve(self, keys: list[str]) -> Path:
        """A header's keys as a path: an array of tables stands for its newest one."""
        path: Path = ()
        for key in keys:
            path = (*path, key)
            if path in self._counts:
                path = (*path, self._counts[path] - 1)
        return path

    def _pair(self, table: Path) -> None:
        line = self._peek().line
        path = table
        for key in self._keys("="):
            path = (*path, key)
            self.lines.setdefault(path, line)
        self._value(path)

    def _keys(self, end: str) -> list[str]:
        """The keys of `a.b."c"` up to the mark that ends them, which is taken too."""
        keys = []
        while (token := self._take()).text != end or token.kind != "mark":
            if token.kind in ("bare", "string"):
                keys.append(token.text.strip("\"'") if token.kind == "string" else token.text)
        return keys

    def _value(self, path: Path) -> None:
        self._skip_blank()
        token = self._take()
        self.lines.setdefault(path, token.line)
        if token.kind == "mark" and token.text == "[":
            self._items(path, "]")
        elif token.kind == "mark" and token.text == "{":
            self._items(path, "}")
        else:
            while self._at < len(self._tokens) and not self._ends_value():
                self._take()

    def _items(self, path: Path, end: str) -> None:
        index = 0
        while self._skip_blank():
            if self._peek().text == end:
                self._take()
                return
            if self._peek().text == ",":
                self._take()
            elif end == "]":
                self._value((*path, index))
                index += 1
            else:
                self._pair(path)

    def _ends_value(self) -> bool:
        token = self._peek()
        return token.kind == "newline" or (token.kind == "mark" and token.text in ",]}")

    def _skip_blank(self) -> bool:
        while self._at < len(self._tokens) and self._peek().kind == "newline":
            self._at += 1
        return self._at < len(self._tokens)

    def _peek(self) -> _Token:
        return self._tokens[self._at]

    def _take(self) -> _Token:
        self._at += 1
        return self._tokens[self._at - 1]


def _tokens(text: str) -> Iterator[_Token]:
    line = 1
    for found in _TOKEN.finditer(text):
        kind = found.lastgroup or ""
        if kind not in ("space", "comment"):
            yield _Token(kind, found[0], line)
        line += found[0].count("\n")
