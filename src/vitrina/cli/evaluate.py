"""`vitrina lens evaluate`: how good the search is, on photos whose answers are known."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import track
from rich.table import Table

from vitrina.cli.connect import print_json
from vitrina.cli.fitting import fit_likeness
from vitrina.errors import InputError
from vitrina.lens import pictures, store
from vitrina.lens.catalog import Catalog
from vitrina.lens.confusions import write_page
from vitrina.lens.contest import Item, write_contest
from vitrina.lens.crop import Rgb
from vitrina.lens.evaluate import (
    AT,
    Outcome,
    Query,
    Score,
    by_category,
    confused,
    fractions,
    outcome,
    read_queries,
    score,
)
from vitrina.lens.photo import upright_size
from vitrina.settings import Settings
from vitrina.storage.database import Database


def evaluate(
    context: typer.Context,
    queries_csv: Annotated[Path, typer.Argument(metavar="QUERIES.csv", help="photo, answer and, where known, a box.")],
    ignore_boxes: Annotated[bool, typer.Option("--ignore-boxes", help="Search as if nobody had drawn a box.")] = False,
    confusions: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Write a page of the photos whose first product is wrong.")
    ] = None,
    contest: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Lay queries, catalog and answers out for a contest; no search."),
    ] = None,
    fit: Annotated[
        bool, typer.Option("--fit", help="Fit what scores mean on these photos, and search with that from now on.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the answer as JSON.")] = False,
) -> None:
    """Measure how often the right product is among the first 1, 5 and 10, with 95 % intervals.

    The CSV has the columns photo (a path relative to it), answer (offer ids, or shop/offer id, with | between several)
    and, where somebody drew a box, x1, y1, x2, y2 in pixels of the upright photo; also read: category.

    \b
    Examples:
      vitrina lens evaluate queries.csv
      vitrina lens evaluate queries.csv --ignore-boxes --json
      vitrina lens evaluate queries.csv --confusions look-at-these
      vitrina lens evaluate queries.csv --contest spring-contest
      vitrina lens evaluate half-of-them.csv --fit
    """
    settings: Settings = context.obj
    queries = read_queries(queries_csv, ignore_boxes=ignore_boxes)
    with closing(store.open_catalog(settings.lens / "catalog.db")) as catalog:
        known = {answer: _answer(catalog, answer) for query in queries for answer in query.answers}
        if contest is not None:
            _lay_out(contest, queries, settings, catalog, as_json=as_json)
            return
        queries = [_with_category(query, known) for query in queries]
        with _catalog(settings) as searched:
            if fit:
                fit_likeness(settings, searched, queries, queries_csv, as_json=as_json)
                return
            outcomes = _search(searched, queries, quiet=as_json)
    total = score(outcomes)
    missing = sum(not any(known[answer] for answer in query.answers) for query in queries)
    if confusions is not None:
        page = write_page(
            confusions,
            confused(outcomes),
            total,
            lambda sha256: _picture(settings, sha256),
            {answer: row["sha256"] or "" for answer, row in known.items() if row},
        )
        Console(stderr=True).print(f"Look at {page}", highlight=False)
    if as_json:
        categories = {name: _told(one) for name, one in by_category(outcomes).items()}
        print_json(_told(total) | {"answers_missing": missing, "categories": categories})
    else:
        _show(total, by_category(outcomes), missing)


@contextmanager
def _catalog(settings: Settings) -> Iterator[Catalog]:
    database = Database(settings.database)
    try:
        database.migrate()
        yield Catalog(settings, database)
    finally:
        database.dispose()


def _search(catalog: Catalog, queries: Sequence[Query], *, quiet: bool) -> list[Outcome]:
    """Every query once; the first one twice, because opening the network and the index is no query's cost."""
    _find(catalog, queries[0])
    return [_find(catalog, one) for one in track(queries, "Queries", console=Console(stderr=True), disable=quiet)]


def _find(catalog: Catalog, query: Query) -> Outcome:
    content = query.photo.read_bytes()
    try:
        box = fractions(query.box_xyxy, upright_size(content)) if query.box_xyxy else None
        return outcome(query, catalog.find(content, box=box, limit=AT[-1], everything=True))
    except InputError as error:
        raise InputError(f"line {query.line}, {query.photo}: {error}") from error


def _answer(catalog: sqlite3.Connection, answer: str) -> sqlite3.Row | None:
    """The live offer that an answer names, with its first picture; None where there is none."""
    shop, slash, offer_id = answer.partition("/")
    row: sqlite3.Row | None = catalog.execute(
        "SELECT category, sha256 FROM offers LEFT JOIN offer_pictures USING(offer_key)"
        " LEFT JOIN pictures USING(picture_key) WHERE gone_at IS NULL"
        " AND (offer_id = ? OR (? AND shop = ? AND offer_id = ?)) ORDER BY position LIMIT 1",
        (answer, bool(slash), shop, offer_id),
    ).fetchone()
    return row


def _with_category(query: Query, known: dict[str, sqlite3.Row | None]) -> Query:
    """The narrowest level of the right offer's category, where the CSV names none."""
    rows = [row for answer in sorted(query.answers) if (row := known[answer])]
    if query.category or not rows:
        return query
    levels = store.category_of(rows[0]["category"])
    return replace(query, category=levels[-1] if levels else "")


def _picture(settings: Settings, sha256: str) -> Rgb | None:
    try:
        return pictures.read_thumbnail(settings.lens, sha256) if sha256 else None
    except InputError:
        return None


def _lay_out(
    folder: Path, queries: Sequence[Query], settings: Settings, catalog: sqlite3.Connection, *, as_json: bool
) -> None:
    offers = write_contest(folder, queries, _items(settings, catalog))
    answer = {"folder": str(folder), "queries": len(queries), "offers": offers}
    if as_json:
        print_json(answer)
    else:
        Console().print(f"{folder}: {len(queries)} queries, {offers} offers", highlight=False)


def _items(settings: Settings, catalog: sqlite3.Connection) -> Iterator[Item]:
    """Live offers whose first picture is kept."""
    rows = catalog.execute(
        "SELECT shop, offer_id, name, category, sha256 FROM offers JOIN offer_pictures USING(offer_key)"
        " JOIN pictures USING(picture_key) WHERE gone_at IS NULL AND position ="
        " (SELECT min(position) FROM offer_pictures AS first WHERE first.offer_key = offers.offer_key)"
        " AND sha256 IS NOT NULL ORDER BY shop, offer_id"
    )
    for row in rows:
        path = pictures.thumbnail_path(settings.lens, row["sha256"])
        if path.exists():
            yield Item(f"{row['shop']}/{row['offer_id']}", row["name"], row["category"], path)


def _told(one: Score) -> dict[str, Any]:
    shares = {f"recall@{k}": interval for k, interval in one.recall.items()} | {"nothing_alike": one.nothing_alike}
    told: dict[str, Any] = {
        name: {"value": round(share.value, 4), "low": round(share.low, 4), "high": round(share.high, 4)}
        for name, share in shares.items()
    }
    return told | {"queries": one.queries, "cpu_ms_per_query": round(one.cpu_ms_per_query, 1)}


def _show(total: Score, categories: dict[str, Score], missing: int) -> None:
    console = Console()
    table = Table("", "queries", *(f"recall@{k}" for k in AT), "nothing alike", "ms of processor", box=None)
    rows = {"all": total} | ({} if list(categories) == [""] else {name or "–": one for name, one in categories.items()})
    for name, one in rows.items():
        shares = [*one.recall.values(), one.nothing_alike]
        told = [f"{share.value:.1%} ({share.low:.0%}–{share.high:.0%})" for share in shares]
        table.add_row(name, str(one.queries), *told, f"{one.cpu_ms_per_query:.0f}")
    console.print(table)
    if missing:
        console.print(
            f"The answers of {missing} queries are not in the catalog: they cannot be found.", highlight=False
        )
