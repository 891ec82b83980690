"""The lines of a table out of its bytes, none longer than there is memory for, and its rows out of the lines."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator

LARGEST_LINE = 1_000_000
CHUNK = 1 << 18

Row = tuple[int, list[str], str]
"""Line where the row begins, its values, and what is wrong with it ("" for nothing)."""


class Lines:
    """Iterate it: text of UTF-8 lines with their ends. A line that is too long or no UTF-8 is in `problems`."""

    def __init__(self, read: Callable[[int], bytes], newline: bytes = b"\n", *, largest: int = LARGEST_LINE) -> None:
        self._read, self._newline, self._largest = read, newline, largest
        self.number = 0
        self.problems: dict[int, str] = {}
        self.pending: list[str] = []
        """Lines since it was emptied last."""

    def __iter__(self) -> Iterator[str]:
        rest, is_skipping = b"", False
        while chunk := self._read(CHUNK):
            *whole, rest = (rest + chunk).split(self._newline)
            for line in whole:
                if not is_skipping:
                    yield self._text(line)
                is_skipping = False
            if len(rest) > self._largest:
                if not is_skipping:
                    yield self._text(rest)
                rest, is_skipping = b"", True
        if rest:
            yield self._text(rest)

    def _text(self, line: bytes) -> str:
        self.number += 1
        if len(line) > self._largest:
            self.problems[self.number] = f"its line is longer than {self._largest:,} bytes"
            line = line[:200]
        try:
            text = line.decode()
        except UnicodeDecodeError:
            self.problems.setdefault(self.number, "its line is not UTF-8")
            text = line.decode("utf-8", "replace")
        text = text.rstrip("\r").replace("\0", "") + "\n"
        self.pending.append(text)
        return text


def rows(lines: Lines, delimiter: str, columns: int = 0) -> Iterator[Row]:
    """The rows, empty ones left out. columns: how many there should be; 0 takes the first row's.

    A quote that nobody closes swallows rows; these are then read line by line, quotes taken as letters.
    """
    reader = csv.reader(iter(lines), delimiter=delimiter)
    while True:
        begun = lines.number + 1
        lines.pending.clear()
        try:
            row = next(reader, None)
        except csv.Error:  # such as a field above the module's own limit of 131,072 letters
            row = []
            if len(lines.pending) == 1:
                yield from _line_by_line(lines, begun, delimiter, columns)
                continue
        if row is None:
            return
        if not columns and row:
            columns = len(row)
        if len(lines.pending) > 1 and len(row) != columns:
            yield from _line_by_line(lines, begun, delimiter, columns)
        elif any(map(str.strip, row)):
            yield begun, row, _problem(lines, begun, row, columns)


def _line_by_line(lines: Lines, begun: int, delimiter: str, columns: int) -> Iterator[Row]:
    for number, text in enumerate(list(lines.pending), begun):
        row = text.rstrip("\n").split(delimiter)
        problem = lines.problems.pop(number, "")
        if not problem and len(row) != columns:
            problem = f"expected {columns} columns, got {len(row)}; a quote before it may not be closed"
        if text.strip():
            yield number, row, problem


def _problem(lines: Lines, begun: int, row: list[str], columns: int) -> str:
    for number in range(begun, lines.number + 1):
        if number in lines.problems:
            return lines.problems.pop(number)
    return f"expected {columns} columns, got {len(row)}" if len(row) > columns else ""
