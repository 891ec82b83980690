"""Reading a table of a settings file field by field, so that every mistake says where it is and what was expected."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, time
from typing import Any, TypeVar

from vitrina.errors import InputError
from vitrina.floor.layout import Point
from vitrina.floor.setup.tomllines import Path

SLUG = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
LONGEST_SLUG = 64
LARGEST = 1e9

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Table:
    """A table of the file `file`. lines: of every path, as `find_lines` gives them; empty for what is no file."""

    file: str
    lines: Mapping[Path, int]
    path: Path
    values: Mapping[str, Any]

    def error(self, message: str, *path: str | int) -> InputError:
        """`shop.toml:12: zone[2].polygon: message`, with the line of the nearest thing that has one."""
        whole = (*self.path, *path)
        nearest = next((whole[:end] for end in range(len(whole), 0, -1) if whole[:end] in self.lines), None)
        line = f":{self.lines[nearest]}" if nearest else ""
        return InputError(f"{self.file}{line}: {_spelled(whole)}: {message}")

    def check_keys(self, known: Collection[str]) -> None:
        for key in self.values:
            if key not in known:
                raise self.error(f"unknown; {did_you_mean(key, known)}", key)

    def table(self, key: str) -> Table:
        value = self.values.get(key, {})
        if not isinstance(value, Mapping):
            raise self.error(f"expected a table [{key}], got {described(value)}", key)
        return Table(self.file, self.lines, (*self.path, key), value)

    def tables(self, key: str) -> Iterator[Table]:
        """The tables of an array `[[key]]`."""
        value = self.values.get(key, [])
        if not isinstance(value, list) or not all(isinstance(row, Mapping) for row in value):
            raise self.error(f"expected tables that start with [[{key}]], got {described(value)}", key)
        for index, row in enumerate(value):
            yield Table(self.file, self.lines, (*self.path, key, index), row)

    def text(self, key: str, *, default: str | None = None) -> str:
        value = self._value(key, "a text in quotes", default)
        if not isinstance(value, str):
            raise self.error(f"expected a text in quotes, got {described(value)}", key)
        if not value.strip():
            raise self.error("expected a text, got an empty one", key)
        return value

    def slug(self, key: str) -> str:
        value = self.text(key)
        if not SLUG.fullmatch(value) or len(value) > LONGEST_SLUG:
            raise self.error(
                f"expected small letters a-z, digits and single dashes, {LONGEST_SLUG} at most, got {value!r}", key
            )
        return value

    def choice(self, key: str, among: Collection[str], *, default: str | None = None) -> str:
        value = self.text(key, default=default)
        if value not in among:
            raise self.error(f"expected one of {', '.join(among)}, got {value!r}; {did_you_mean(value, among)}", key)
        return value

    def number(self, key: str, *, low: float, high: float, default: float | None = None, unit: str = "") -> float:
        expected = f"a number from {low:g} to {high:g}{f' {unit}' if unit else ''}"
        value = self._value(key, expected, default)
        if not is_number(value) or not low <= value <= high:
            raise self.error(f"expected {expected}, got {described(value)}", key)
        return float(value)

    def parsed(self, key: str, parse: Callable[[str], T], *, default: str | None = None) -> T:
        """What `parse` makes of a text; where it raises an InputError, that message at this place."""
        value = self.text(key, default=default)
        try:
            return parse(value)
        except InputError as error:
            raise self.error(str(error), key) from error

    def point(self, key: str, unit: str) -> Point:
        return self._numbers(self._value(key, f"[x, y] in {unit}", None), 2, f"[x, y] in {unit}", key)[:2]

    def points(self, key: str, unit: str) -> tuple[Point, ...]:
        return tuple((x, y) for x, y in self.rows(key, ("x", "y"), unit))

    def rows(self, key: str, columns: tuple[str, ...], unit: str) -> Iterator[tuple[float, ...]]:
        """Rows of finite numbers, such as `[[1, 2], [3, 4]]` with two columns."""
        row = f"[{', '.join(columns)}] in {unit}" if unit else f"[{', '.join(columns)}]"
        value = self._value(key, f"a list of {row}", None)
        if not isinstance(value, list):
            raise self.error(f"expected a list of {row}, got {described(value)}", key)
        for index, numbers in enumerate(value):
            yield self._numbers(numbers, len(columns), row, key, index)

    def whole_numbers(self, key: str, count: int, expected: str, *, low: int, high: int) -> tuple[int, ...]:
        value = self._value(key, expected, None)
        good = isinstance(value, list) and len(value) == count and all(type(item) is int for item in value)
        if not good or not all(low <= item <= high for item in value):
            raise self.error(f"expected {expected}, each from {low} to {high}, got {described(value)}", key)
        return tuple(value)

    def texts(self, key: str) -> tuple[str, ...]:
        value = self.values.get(key, [])
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise self.error(f"expected a list of texts in quotes, got {described(value)}", key)
        return tuple(value)

    def _numbers(self, value: Any, count: int, expected: str, *path: str | int) -> tuple[Any, ...]:
        if not isinstance(value, list) or len(value) != count or not all(map(is_number, value)):
            raise self.error(f"expected {expected}, got {described(value)}", *path)
        return tuple(float(item) for item in value)

    def _value(self, key: str, expected: str, default: Any) -> Any:
        value = self.values.get(key, default)
        if value is None:
            raise self.error(f"missing; expected {expected}", key)
        return value


def is_number(value: Any) -> bool:
    """A number that is neither NaN nor endless (TOML has both)."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= LARGEST


def did_you_mean(word: str, known: Collection[str]) -> str:
    near = difflib.get_close_matches(word.lower(), known, n=1)
    return f"did you mean {near[0]}?" if near else f"expected one of {', '.join(known)}"


def described(value: Any) -> str:
    """A value as its author would say it: with its type where that is the mistake."""
    if isinstance(value, str):
        return f"the text {_short(repr(value))}"
    if isinstance(value, bool):
        return f"{str(value).lower()} (true or false)"
    if isinstance(value, date | time):
        return f"{value} (a date or time; put it in quotes)"
    if isinstance(value, Mapping):
        return "a table"
    return _short(repr(value))


def _short(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:57]}…"


def _spelled(path: Path) -> str:
    """`zone[2].polygon[1]`: elements are counted from 1, as people do."""
    spelled = "".join(f"[{part + 1}]" if isinstance(part, int) else f".{part}" for part in path)
    return spelled.removeprefix(".") or "the file"
