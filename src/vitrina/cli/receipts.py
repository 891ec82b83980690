"""`vitrina floor receipts`: what the tills sold, for conversion, average ticket and shopper yield."""

from __future__ import annotations

import csv
import os
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import track

from vitrina.cli.lake import open_lake
from vitrina.cli.place import find_shop
from vitrina.errors import InputError
from vitrina.floor.layout import Shop
from vitrina.floor.measures.queries import receipts as newest_revisions
from vitrina.floor.receipts import Known, Receipt, Rejected, by_receipt, read_receipts, rows
from vitrina.product import Money
from vitrina.storage.lake import Lake
from vitrina.storage.spool import lock_alone

SHOWN = 5
SOURCE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")

app = typer.Typer(help="What the tills sold.", no_args_is_help=True, rich_markup_mode="rich")


@app.callback()
def receipts() -> None:
    """Typer makes a group only of what has a callback."""


@app.command("import")
def import_receipts(
    context: typer.Context,
    files: Annotated[list[Path], typer.Argument(help="CSV files with a header line.")],
    shop_name: Annotated[str, typer.Option("--shop", help="The shop's slug.")] = "",
    source: Annotated[str, typer.Option(help="Which till system the numbers come from.")] = "tills",
    column: Annotated[
        list[str] | None,
        typer.Option(help="OURS=THEIRS, where the file has another name; t=DATE+TIME joins two columns."),
    ] = None,
    per_item: Annotated[bool, typer.Option("--per-item", help="The file has a line for each item sold.")] = False,
    encoding: Annotated[str, typer.Option(help="How the file's letters are written.")] = "utf-8-sig",
    rejected_to: Annotated[Path | None, typer.Option("--rejected", help="Write lines that do not fit here.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the answer as JSON.")] = False,
) -> None:
    """Put receipts into the lake. The same file twice counts once; a changed total becomes a new revision.

    Needed columns: receipt_id, t, total. Also read: currency, items, revision.

    \b
    Examples:
      vitrina floor receipts import monday.csv --shop riga-1
      vitrina floor receipts import export.csv --shop riga-1 --column receipt_id=Bon --column t=Datum+Zeit
      vitrina floor receipts import lines.csv --shop riga-1 --per-item --rejected wrong.csv --json
    """
    if not SOURCE.fullmatch(source):
        raise InputError(f"--source: expected letters, digits, dots and dashes such as till-2, got {source!r}")
    place, columns, lake = find_shop(context.obj, shop_name), _columns(column or []), open_lake(context.obj)
    console = Console(stderr=True)
    answers = []
    for file in track(files, description="Receipts", console=console, disable=len(files) < 2):
        found = list(read_receipts(_text(file, encoding), place, columns=columns))
        answers.append(_take(lake, place, file, found, source=source, per_item=per_item))
    if rejected_to is not None:
        _write_rejected(rejected_to, answers)
    if as_json:
        Console().print_json(data={"shop": place.slug, "files": [answer for answer, _ in answers]})
        return
    for answer, rejected in answers:
        Console().print(
            f"{answer['file']}: {answer['receipts']} receipts, {answer['new']} new or changed, "
            f"{len(rejected)} lines left out",
            highlight=False,
        )
        for one in rejected[:SHOWN]:
            console.print(f"  line {one.line}: {one.reason}", highlight=False, markup=False)
        if len(rejected) > SHOWN:
            console.print(f"  and {len(rejected) - SHOWN} more; --rejected FILE writes them all down")


def _take(
    lake: Lake, place: Shop, file: Path, found: Iterable[Receipt | Rejected], *, source: str, per_item: bool
) -> tuple[dict[str, object], list[Rejected]]:
    """One file's receipts into the lake, in one commit: all of it or, when we are killed, nothing."""
    lines = list(found)
    merged = list(by_receipt((one for one in lines if isinstance(one, Receipt)), per_item=per_item))
    good = [one for one in merged if isinstance(one, Receipt)]
    rejected = [one for one in (*lines, *merged) if isinstance(one, Rejected)]
    writer_id = f"receipts.{place.slug}.{source}"
    with _alone(lake, writer_id):
        new = rows(good, _known(lake, place, source), place, source=source)
        if new:
            number = (lake.committed("receipts", writer_id) or 0) + 1
            lake.append("receipts", new, writer_id=writer_id, batch_no=number)
    answer: dict[str, object] = {"file": str(file), "receipts": len(good), "new": len(new)}
    answer["rejected"] = [{"line": one.line, "reason": one.reason} for one in rejected]
    return answer, rejected


def _known(lake: Lake, place: Shop, source: str) -> dict[str, Known]:
    table = newest_revisions({"receipts": lake.expr("receipts", shop_id=place.slug)})
    there = table.filter(table.source == source).to_pyarrow().to_pylist()
    return {
        row["receipt_id"]: Known(
            row["revision"],
            row["t"].astimezone(UTC),
            row["business_day"],
            Money(row["total_minor"], row["currency"]),
            row["items"],
        )
        for row in there
    }


@contextmanager
def _alone(lake: Lake, writer_id: str) -> Iterator[None]:
    """Two imports of one source at a time would number the same receipt twice."""
    busy = "another import of this shop and source runs now; wait until it is through"
    lock = lock_alone(lake.lock_path(writer_id), busy=busy)
    try:
        yield
    finally:
        os.close(lock)


def _columns(typed: list[str]) -> dict[str, str]:
    pairs = [one.partition("=") for one in typed]
    wrong = next((ours for ours, equals, theirs in pairs if not (ours and equals and theirs)), None)
    if wrong is not None:
        raise InputError(f"--column: expected OURS=THEIRS such as total=Summe, got {wrong!r}")
    return {ours.strip(): theirs.strip() for ours, _, theirs in pairs}


def _text(file: Path, encoding: str) -> str:
    try:
        return file.read_text(encoding=encoding)
    except FileNotFoundError as error:
        raise InputError(f"{file}: there is no such file.") from error
    except (UnicodeDecodeError, LookupError) as error:
        raise InputError(f"{file}: not readable as {encoding} ({error}). Try --encoding cp1252 or cp1251.") from error
    except OSError as error:
        raise InputError(f"{file}: cannot be read: {error.strerror}.") from error


def _write_rejected(path: Path, answers: list[tuple[dict[str, object], list[Rejected]]]) -> None:
    try:
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(("file", "line", "reason"))
            writer.writerows((answer["file"], one.line, one.reason) for answer, rejected in answers for one in rejected)
    except OSError as error:
        raise InputError(f"{path}: cannot write it: {error.strerror}. The receipts are in the lake.") from error
