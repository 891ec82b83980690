from __future__ import annotations

import tomllib
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from vitrina.floor.setup.shoptext import to_toml
from vitrina.floor.setup.tomllines import find_lines

TEXT = '''# a comment with [brackets] and "quotes"
top = 1

[shop] # comment
name = "not [a] # header"
nested.key = 4.5
words = """
many
lines"""

[[camera]]
slug = 'one'
points = [
  [1, 2], # a comment, with a comma
  [3,
   4],
]

[camera.lens]
k1 = 0.1

[[zone]]
at = 2026-11-20T09:00:00Z

[[camera]]
slug = "two"
inline = { a = 1, b = [
  5 ] }
'''


def test_every_table_key_and_element_has_its_line() -> None:
    lines = find_lines(TEXT)

    assert lines["top",] == 2
    assert lines["shop",] == 4
    assert lines["shop", "name"] == 5
    assert lines["shop", "nested", "key"] == 6
    assert lines["camera", 0] == 11
    assert lines["camera", 0, "points"] == 13
    assert lines["camera", 0, "points", 1] == 15
    assert lines["camera", 0, "points", 1, 1] == 16
    assert lines["camera", 0, "lens", "k1"] == 20
    assert lines["zone", 0, "at"] == 23
    assert lines["camera", 1, "slug"] == 26
    assert lines["camera", 1, "inline", "b", 0] == 28


def paths(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(below for key, child in items for below in paths(child, (*path, key)))]


def test_nothing_of_the_text_is_without_a_line() -> None:
    assert set(find_lines(TEXT)) | {()} == set(paths(tomllib.loads(TEXT)))


texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r"), max_size=12)
values = st.one_of(
    texts, st.integers(-(2**40), 2**40), st.lists(texts, max_size=4), st.lists(st.lists(st.integers()), max_size=4)
)
tables = st.dictionaries(st.from_regex(r"[a-z_]{1,6}", fullmatch=True), values, max_size=4)


@given(tables, st.lists(tables, min_size=1, max_size=3))
def test_any_document_that_we_write_is_toml_and_has_all_its_lines(table: Any, rows: Any) -> None:
    document = {"table": table, "row": rows}
    text = to_toml(document)

    assert tomllib.loads(text) == document
    assert set(find_lines(text)) | {()} == set(paths(document))
