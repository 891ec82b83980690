"""How good the search is, honestly: photos whose answers are known, shares with their intervals. Pure but for the CSV.

A query's answer is an offer id, or `shop/offer id` where two shops use the same one; several may be right. It counts as
found at k when one of the first k products has such an offer. Categories are those of the CSV where it has a column
`category`, else "".
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from vitrina.errors import InputError
from vitrina.lens.found import BoxFractions, Found, FoundProduct
from vitrina.lens.likeness import EXACT_AT, SIMILAR_AT
from vitrina.worth.interval import Interval, wilson

AT = (1, 5, 10)
"""Recall is told at these ranks."""

BOX_COLUMNS = ("x1", "y1", "x2", "y2")


@dataclass(frozen=True, slots=True)
class Query:
    """box_xyxy: pixels of the upright photo; None where the CSV has none. line: of the CSV."""

    line: int
    photo: Path
    answers: frozenset[str]
    box_xyxy: tuple[float, float, float, float] | None = None
    category: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """products: best first. rank: of the first right one, from 1; None when none of them is right.

    alike: whether the search said that something is alike at all. looked: the crop that the first product was found by.
    """

    query: Query
    rank: int | None
    products: tuple[FoundProduct, ...]
    cpu_ms: float
    alike: bool = True
    looked: BoxFractions | None = None


@dataclass(frozen=True, slots=True)
class Score:
    """recall: share of queries found at each of AT. nothing_alike: share for which the page would show nothing."""

    recall: dict[int, Interval]
    nothing_alike: Interval
    queries: int
    cpu_ms_per_query: float


def read_queries(path: Path, *, ignore_boxes: bool = False) -> list[Query]:
    """The rows of a CSV with the columns photo, answer and, where people drew one, x1, y1, x2, y2.

    InputError names the line and the column that is wrong; a query without a photo costs the run, not the truth.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            queries = list(_rows(path, csv.DictReader(file), ignore_boxes))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: cannot be read as CSV in UTF-8: {error}") from error
    if not queries:
        raise InputError(f"{path}: has no queries; expected lines under a header with photo and answer")
    return queries


def _rows(path: Path, reader: csv.DictReader[str], ignore_boxes: bool) -> Iterator[Query]:
    columns = reader.fieldnames or []
    if missing := {"photo", "answer"} - set(columns):
        found = ", ".join(columns) or "an empty file"
        raise InputError(
            f"{path}: expected the columns photo and answer, no {' and '.join(sorted(missing))} in {found}"
        )
    for row in reader:
        where = f"{path}:{reader.line_num}"
        photo = _photo(path, row["photo"] or "")
        if photo is None:
            looked = f"beside the CSV and in {path.stem}/"
            raise InputError(f"{where}: photo: there is no file {row['photo']!r}; it is looked for {looked}")
        answers = frozenset(part.strip() for part in (row["answer"] or "").split("|") if part.strip())
        if not answers:
            raise InputError(f"{where}: answer: expected an offer id, or several with | between them, found nothing")
        box = None if ignore_boxes else _box(row, where)
        yield Query(reader.line_num, photo, answers, box, (row.get("category") or "").strip())


def _photo(path: Path, name: str) -> Path | None:
    """Beside the CSV, or in a folder beside it that is called as it is."""
    places = (path.parent / name, path.parent / path.stem / name)
    return next((place for place in places if place.is_file()), None)


def _box(row: dict[str, str], where: str) -> tuple[float, float, float, float] | None:
    """Pixels; None where all four are empty or no column is there."""
    texts = [(row.get(name) or "").strip() for name in BOX_COLUMNS]
    if not any(texts):
        return None
    try:
        left, top, right, bottom = (float(text) for text in texts)
    except ValueError as error:
        raise InputError(f"{where}: box: expected four numbers in x1, y1, x2, y2, found {', '.join(texts)}") from error
    if not (left < right and top < bottom):
        raise InputError(f"{where}: box: expected x1 < x2 and y1 < y2, found {', '.join(texts)}")
    return left, top, right, bottom


def fractions(box_xyxy: tuple[float, float, float, float], size_wh: tuple[int, int]) -> BoxFractions:
    width, height = size_wh
    left, top, right, bottom = box_xyxy
    return left / width, top / height, right / width, bottom / height


def outcome(query: Query, found: Found) -> Outcome:
    """found: of a search that shows everything, so that its order is measured; alike is what its thresholds say."""
    products = (*found.exact, *found.similar)
    rank = next((place for place, one in enumerate(products, start=1) if _names(one) & query.answers), None)
    alike = any(one.likeness >= EXACT_AT or one.same_kind >= SIMILAR_AT for one in products)
    return Outcome(query, rank, products, found.cpu_ms, alike, found.box)


def _names(product: FoundProduct) -> set[str]:
    return {name for offer in product.offers for name in (offer.offer_id, f"{offer.shop}/{offer.offer_id}")}


def score(outcomes: Sequence[Outcome]) -> Score:
    """Shares with Wilson's intervals (worth.interval)."""
    n = len(outcomes)
    return Score(
        {k: wilson(sum(one.rank is not None and one.rank <= k for one in outcomes), n) for k in AT},
        wilson(sum(not one.alike for one in outcomes), n),
        n,
        sum(one.cpu_ms for one in outcomes) / n if n else 0.0,
    )


def by_category(outcomes: Sequence[Outcome]) -> dict[str, Score]:
    """Category → its score, the ones with most queries first."""
    groups: dict[str, list[Outcome]] = {}
    for one in outcomes:
        groups.setdefault(one.query.category, []).append(one)
    return {name: score(some) for name, some in sorted(groups.items(), key=lambda pair: (-len(pair[1]), pair[0]))}


def confused(outcomes: Iterable[Outcome]) -> list[Outcome]:
    """Queries whose first product is wrong, the worst first."""
    wrong = [one for one in outcomes if one.rank != 1]
    return sorted(wrong, key=lambda one: (one.rank is not None, -(one.rank or 0), one.query.line))
