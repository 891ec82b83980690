"""Words about offers: what somebody types, made safe for the word index; and rankings joined."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Hashable, Sequence
from typing import TypeVar

Key = TypeVar("Key", bound=Hashable)

K = 60
"""Of reciprocal rank fusion (Cormack, Clarke and Büttcher 2009)."""

MOST_WORDS = 12
WEIGHTS = (4.0, 3.0, 1.0, 2.0)
"""How much a word counts in the name, the brand, the category and the parameters."""

_ENDING = re.compile(
    "(ыми|ими|ого|его|ому|ему|ая|яя|ое|ее|ые|ие|ый|ий|ой|ей|ую|юю|ых|их|ам|ям|ах|ях|ов|ев|ы|и|а|я|у|ю|е|о)$"
)
_WORD = re.compile(r"\w+", re.UNICODE)
_COMMON = frozenset(
    [
        *(
            "a",
            "an",
            "and",
            "are",
            "as",
            "at",
            "but",
            "by",
            "find",
            "for",
            "from",
            "get",
            "i",
            "in",
            "is",
            "it",
            "like",
        ),
        *("me", "my", "of", "on", "only", "or", "please", "same", "show", "something", "that", "the", "this", "to"),
        *("want", "with", "without", "you"),
        *("а", "без", "бы", "в", "во", "вот", "для", "и", "из", "или", "как", "к", "ко", "мне", "на", "не", "но", "о"),
        *("об", "от", "по", "под", "при", "с", "со", "такой", "такая", "такое", "такие", "только", "у", "хочу", "что"),
        *("чтобы", "это", "этот", "эта", "эти"),
    ]
)


def terms(text: str) -> list[str]:
    """The words that narrow a search, as they were typed: "but in red, please" → ["red"].

    Where nothing else was typed, common words count as well.
    """
    words = [word for word in _WORD.findall(text.lower()) if word.strip("_")]
    return list(dict.fromkeys([word for word in words if word not in _COMMON] or words))[:MOST_WORDS]


def query(text: str, *, every: bool = True) -> str | None:
    """In FTS5's language; None where no word was typed. every: an offer must have all of them, else any.

    Each word is quoted, so that nothing typed is taken for an operator; it may be the beginning of an offer's word,
    which also finds most inflected forms where it is cut by `_stem`.
    """
    # One letter begins a good part of all words: it is a word by itself, such as a size.
    words = [f'"{_stem(word)}"' + ("*" if len(word) > 1 else "") for word in terms(text)]
    return (" AND " if every else " OR ").join(words) or None


def search(catalog: sqlite3.Connection, text: str, *, limit: int) -> list[int]:
    """Keys of live offers by BM25, best first: those with every word, or, when there are none, with any."""
    for every in (True, False):
        asked = query(text, every=every)
        if asked is None:
            return []
        rows = catalog.execute(
            f"SELECT rowid FROM offer_words WHERE offer_words MATCH ? ORDER BY bm25(offer_words, {_weights()}), rowid"  # noqa: S608
            " LIMIT ?",
            (asked, limit),
        ).fetchall()
        if rows:
            return [row[0] for row in rows]
    return []


def matching(catalog: sqlite3.Connection, text: str, offer_keys: Sequence[int]) -> dict[int, int]:
    """Of these offers, those that have every word; key → place by BM25. Where none has, those that have any."""
    wanted = set(offer_keys)
    for every in (True, False):
        asked = query(text, every=every)
        if asked is None or not wanted:
            return {}
        marks = ",".join("?" * len(wanted))
        rows = catalog.execute(  # the + keeps FTS5 from looking the words up anew for each of the offers
            f"SELECT rowid FROM offer_words WHERE offer_words MATCH ? AND +rowid IN ({marks})"  # noqa: S608
            f" ORDER BY bm25(offer_words, {_weights()}), rowid",
            (asked, *wanted),
        ).fetchall()
        if rows:
            return {row[0]: place for place, row in enumerate(rows)}
    return {}


def fuse(*rankings: Sequence[Key]) -> list[Key]:
    """One ranking of several, best first: the sum of 1 / (K + rank); ties in the order of the first ranking."""
    scores: dict[Key, float] = {}
    for ranking in rankings:
        for place, key in enumerate(ranking, start=1):
            scores[key] = scores.get(key, 0.0) + 1.0 / (K + place)
    return sorted(scores, key=lambda key: -scores[key])


def _weights() -> str:
    return ", ".join(map(str, WEIGHTS))


def _stem(word: str) -> str:
    """Without the ending that Russian puts to words: `красные` finds `красное`. Latin words stay but for a plural s."""
    if re.search("[а-яё]", word):
        cut = _ENDING.sub("", word)
        return cut if len(cut) >= 3 else word
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith("ss") else word
