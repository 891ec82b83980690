"""Words beside a photo: safe whatever is typed, and the offers that have them."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vitrina.lens import store, words

NAMES = {
    1: ("Red leather boots", "Acme"),
    2: ("Blue canvas shoes", "Acme"),
    3: ("Красное платье из льна", "Лён"),
    4: ("Leather bag, brown", "Borsa"),
}


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Iterator[sqlite3.Connection]:
    with contextlib.closing(store.open_catalog(tmp_path_factory.mktemp("words") / "catalog.db")) as opened:
        with store.writing(opened):
            for key, (name, brand) in NAMES.items():
                opened.execute(
                    "INSERT INTO offers VALUES(?, 'shop', ?, x'00', ?, ?, '', '', '', 'Things', 100, NULL, 'EUR', 1,"
                    " '', '[]', '', 1, 'feed', NULL, 0)",
                    (key, str(key), name, brand),
                )
                opened.execute(
                    "INSERT INTO offer_words(rowid, name, brand, category, params) VALUES(?, ?, ?, 'Things', '')",
                    (key, name, brand),
                )
        yield opened


def test_common_words_say_nothing_unless_nothing_else_was_said() -> None:
    assert words.terms("but in red, please") == ["red"]
    assert words.terms("такое же, но в красном") == ["же", "красном"]
    assert words.terms("The") == ["the"]
    assert words.terms(" … ?! ") == []


def test_offers_with_every_word_are_found_and_with_any_only_when_none_has_all(catalog: sqlite3.Connection) -> None:
    assert words.search(catalog, "leather boots", limit=5) == [1]
    assert set(words.search(catalog, "leather shoes", limit=5)) == {1, 2, 4}
    assert words.search(catalog, "umbrella", limit=5) == []


def test_beginnings_plurals_and_endings_are_found(catalog: sqlite3.Connection) -> None:
    assert words.search(catalog, "leath boot", limit=5) == [1]
    assert words.search(catalog, "bags", limit=5) == [4]
    assert words.search(catalog, "красные платья", limit=5) == [3]


def test_of_given_offers_those_with_the_words_are_told_best_first(catalog: sqlite3.Connection) -> None:
    assert words.matching(catalog, "leather", [2, 4, 1]).keys() == {1, 4}
    assert words.matching(catalog, "leather", []) == {}
    assert words.matching(catalog, "", [1]) == {}


@given(st.text(max_size=60))
def test_whatever_is_typed_is_words_and_never_an_operator(catalog: sqlite3.Connection, text: str) -> None:
    words.search(catalog, text, limit=3)


def test_the_index_is_asked_once_for_all_given_offers(catalog: sqlite3.Connection) -> None:
    """FTS5 would else look every word up anew for each of thousands of offers."""
    asked: list[str] = []
    catalog.set_trace_callback(asked.append)
    words.matching(catalog, "leather", [1, 2, 3, 4])
    catalog.set_trace_callback(None)

    plans = [row["detail"] for row in catalog.execute(f"EXPLAIN QUERY PLAN {asked[0]}")]

    assert any("offer_words" in plan for plan in plans)
    assert not any("INDEX 0:=" in plan for plan in plans), plans


def test_one_letter_is_a_word_by_itself_and_no_beginning(catalog: sqlite3.Connection) -> None:
    assert words.search(catalog, "l", limit=5) == []
    assert words.search(catalog, "le", limit=5) == [1, 4]


@pytest.mark.parametrize("text", ['"', "red OR", "NOT boots", "a* b^2", "name:red", "(red", "col:*", "NEAR(red boots)"])
def test_operators_of_the_index_are_words(catalog: sqlite3.Connection, text: str) -> None:
    assert isinstance(words.search(catalog, text, limit=3), list)


def test_two_rankings_become_one_by_reciprocal_ranks() -> None:
    assert words.fuse(["a", "b", "c"], ["c", "b"]) == ["c", "b", "a"]
    assert words.fuse(["a", "b"]) == ["a", "b"]
    assert words.fuse() == []
