"""`vitrina lens sync`: pictures, vectors and index brought to what the catalog says."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from vitrina.cli.connect import AsJson, print_json
from vitrina.lens import forgetting
from vitrina.lens.sync import sentence, sync_all
from vitrina.settings import Settings
from vitrina.storage.database import Database

STEPS = {
    "pictures": "fetching pictures",
    "vectors": "looking at pictures",
    "index": "filling the index",
    "pairs": "comparing pictures",
}


def sync(
    context: typer.Context,
    shop: Annotated[list[str] | None, typer.Option(help="Only this shop; may be repeated.")] = None,
    rebuild: Annotated[
        bool, typer.Option("--rebuild", help="Empty the index first, and fill it from the vectors that are kept.")
    ] = False,
    forget_gone: Annotated[
        bool,
        typer.Option(
            "--forget-gone", help="Then forget what is gone for `lens_keep_gone_days`, as happens each night."
        ),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Fetch pictures of offers, turn them into vectors, and bring the index up to date. Ctrl-C loses nothing.

    Pictures are looked at by `workers` processes, or by the Dask `cluster`. What is there already is not done again.

    \b
    Examples:
      vitrina lens sync
      vitrina lens sync --shop best-shop --json
      vitrina lens sync --forget-gone
    """
    settings: Settings = context.obj
    database = Database(settings.database)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    try:
        database.migrate()
        with Progress(*columns, console=Console(stderr=True), disable=as_json, transient=True) as bar:
            tasks = {step: bar.add_task(text, total=None, visible=False) for step, text in STEPS.items()}
            done = sync_all(
                settings,
                database,
                shops=tuple(shop or ()),
                rebuild=rebuild,
                on_progress=lambda step, count, all_: bar.update(
                    tasks[step], completed=count, total=all_, visible=True
                ),
            )
    finally:
        database.dispose()
    forgotten = forgetting.forget_gone(settings) if forget_gone else None
    if as_json:
        print_json(asdict(done) | ({"forgotten": asdict(forgotten)} if forgotten else {}))
        return
    Console().print(sentence(done), highlight=False)
    if forgotten:
        Console().print(forgetting.sentence(forgotten), highlight=False)
