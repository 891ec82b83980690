"""Queries and catalog laid out for a contest: what everybody may see apart from the answers.

    FOLDER/contest.toml           what is asked, and how an entry is scored
    FOLDER/public/queries.csv     query, photo, x1, y1, x2, y2
    FOLDER/public/photos/…        the photos, renamed so that their names tell nothing
    FOLDER/public/catalog.csv     offer (shop/offer id), name, category, picture
    FOLDER/public/pictures/…
    FOLDER/private/answers.csv    query, answer (several with | between them)

An entry is a CSV with query, rank (from 1), offer; it is scored by recall at 1, 5 and 10 as `vitrina lens evaluate` is.
"""

from __future__ import annotations

import csv
import random
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from vitrina.errors import ConflictError, InputError
from vitrina.lens.evaluate import BOX_COLUMNS, Query

SEED = 4

CONTEST = """title = "Which product is in the photo?"
metric = "recall@1"
also = ["recall@5", "recall@10"]
entry = "CSV with the columns query, rank, offer"
queries = {queries}
offers = {offers}
"""


@dataclass(frozen=True, slots=True)
class Item:
    """An offer of the catalog with its first picture's file."""

    name_of_offer: str
    name: str
    category: str
    picture: Path


def write_contest(folder: Path, queries: Sequence[Query], items: Iterable[Item]) -> int:
    """Write the layout into an empty or new folder; how many offers it has. Queries are shuffled, always alike."""
    if folder.exists() and any(folder.iterdir()):
        raise ConflictError(f"{folder} is not empty; name a new folder")
    order = list(queries)
    random.Random(SEED).shuffle(order)  # noqa: S311  (not a secret: only so that the order tells nothing)
    names = [f"q{number:05d}" for number in range(1, len(order) + 1)]
    try:
        for part in ("public/photos", "public/pictures", "private"):
            (folder / part).mkdir(parents=True, exist_ok=True)
        photos = [f"photos/{name}{query.photo.suffix.lower()}" for name, query in zip(names, order, strict=True)]
        for query, photo in zip(order, photos, strict=True):
            shutil.copyfile(query.photo, folder / "public" / photo)
        rows = zip(names, photos, order, strict=True)
        boxes = [[name, photo, *(query.box_xyxy or ("",) * 4)] for name, photo, query in rows]
        _write(folder / "public/queries.csv", ["query", "photo", *BOX_COLUMNS], boxes)
        answers = [[name, "|".join(sorted(query.answers))] for name, query in zip(names, order, strict=True)]
        _write(folder / "private/answers.csv", ["query", "answer"], answers)
        offers = _write_catalog(folder / "public", items)
        (folder / "contest.toml").write_text(CONTEST.format(queries=len(order), offers=offers), encoding="utf-8")
    except OSError as error:
        raise InputError(f"{folder}: cannot be written: {error.strerror} ({error.filename})") from error
    return offers


def _write_catalog(folder: Path, items: Iterable[Item]) -> int:
    rows = []
    for item in items:
        picture = f"pictures/{item.picture.name}"
        if not (folder / picture).exists():
            shutil.copyfile(item.picture, folder / picture)
        rows.append([item.name_of_offer, item.name, item.category, picture])
    _write(folder / "catalog.csv", ["offer", "name", "category", "picture"], rows)
    return len(rows)


def _write(path: Path, header: list[str], rows: Iterable[Sequence[object]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        writer.writerows(rows)
