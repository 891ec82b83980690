"""`vitrina floor shop`: shops as files, in and out of the database."""

from __future__ import annotations

import getpass
import json
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from sqlalchemy.orm import Session

from vitrina.cli.session import database_session
from vitrina.errors import ConflictError, InputError
from vitrina.floor.layout import Shop
from vitrina.floor.setup import shops
from vitrina.floor.setup.shopfile import ShopFile, parse
from vitrina.settings import Settings
from vitrina.storage.secrets import SecretBox

app = typer.Typer(help="Set up shops from files.", no_args_is_help=True, add_completion=False, rich_markup_mode="rich")

_AsJson = Annotated[bool, typer.Option("--json", help="Print the answer as JSON.")]


@app.command()
def init(
    file: Annotated[Path, typer.Argument(help="Where to write it.")] = Path("shop.toml"),
) -> None:
    """Write a starter shop file with a comment at everything; never over a file that is there.

    \b
    Examples:
      vitrina floor shop init
      vitrina floor shop init riga-1.toml
    """
    starter = resources.files("vitrina.floor").joinpath("demo/starter.toml").read_text(encoding="utf-8")
    try:
        with file.open("x", encoding="utf-8") as new:
            new.write(starter)
    except FileExistsError as error:
        raise ConflictError(f"{file} is there already and stays as it is; name another file.") from error
    except OSError as error:
        raise InputError(f"{file}: cannot write it: {error.strerror}") from error
    _say(f"→ {file}. Fill it in, then: vitrina floor shop apply {file} --dry-run")


@app.command("apply")
def apply_command(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="The shop file.", show_default=False)],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would change.")] = False,
    as_json: _AsJson = False,
) -> None:
    """Make a shop what its file says, and show what changes. Moved geometry makes a new layout version.

    \b
    Examples:
      vitrina floor shop apply shop.toml --dry-run
      vitrina floor shop apply shop.toml
    """
    settings: Settings = context.obj
    read = read_file(file)
    with database_session(settings) as session:
        if dry_run:
            changes, layout_id = shops.changes_of(session, read, box=SecretBox(settings.home)), None
        else:
            applied = shops.apply(session, read, _who(), box=SecretBox(settings.home))
            changes, layout_id = list(applied.changes), applied.shop.layout.layout_id
    if as_json:
        answer = {"shop": read.shop.slug, "dry_run": dry_run, "changes": changes, "layout_id": layout_id}
        Console().print_json(json.dumps(answer))
    else:
        _say_changes(read.shop, changes, dry_run=dry_run)
        for doubt in doubts(read.shop, file.parent):
            _say(f"Note: {doubt}")


def doubts(shop: Shop, folder: Path) -> Iterator[str]:
    """What is no mistake in the file and yet will not work: sources that cannot be opened from here, now."""
    for camera in shop.layout.cameras:
        if "://" in camera.source:
            continue  # `vitrina floor camera check` opens it
        path = Path(camera.source.removeprefix("loop:").removeprefix("boxes:").partition("?")[0]).expanduser()
        if not camera.source.startswith("webcam:") and not path.exists() and not (folder / path).exists():
            yield f"camera {camera.slug}: there is no file {path} now; name one when you watch: CAMERA=FILE."


@app.command()
def export(
    context: typer.Context,
    slug: Annotated[str, typer.Argument(help="The shop's slug.", show_default=False)],
    out: Annotated[Path | None, typer.Option(help="Write to this file instead of printing.")] = None,
) -> None:
    """Print a shop as a shop file; passwords in addresses are shown as `***` and stay stored when it is applied.

    \b
    Examples:
      vitrina floor shop export riga-1
      vitrina floor shop export riga-1 --out riga-1.toml
    """
    with database_session(context.obj) as session:
        text = shops.export(session, slug)
    if out is None:
        typer.echo(text, nl=False)
        return
    try:
        out.write_text(text, encoding="utf-8")
    except OSError as error:
        raise InputError(f"{out}: cannot write it: {error.strerror}") from error
    _say(f"→ {out}")


@app.command("list")
def list_command(context: typer.Context, as_json: _AsJson = False) -> None:
    """List the shops, with the layout that is valid now.

    \b
    Examples:
      vitrina floor shop list
      vitrina floor shop list --json
    """
    with database_session(context.obj) as session:
        found = [shops.load_shop(session, row.slug) for row in shops.list_shops(session)]
    if as_json:
        Console().print_json(json.dumps([_facts(shop) for shop in found]))
    elif not found:
        _say("There is no shop yet. Begin with: vitrina floor shop init")
    else:
        Console().print(_table(found))


def read_file(file: Path) -> ShopFile:
    """Read a shop file. Raises InputError with file, line and field."""
    try:
        return parse(file.read_bytes(), name=str(file))
    except OSError as error:
        raise InputError(
            f"{file}: cannot read it: {error.strerror}. A starter is written by: vitrina floor shop init {file}"
        ) from error


def apply_file(session: Session, settings: Settings, file: Path, *, console: Console) -> Shop:
    """Apply a shop file on the way to something else, saying what changed; returns the shop."""
    applied = shops.apply(session, read_file(file), _who(), box=SecretBox(settings.home))
    for sentence in applied.changes:
        console.print(sentence, markup=False, highlight=False)
    return applied.shop


def _say_changes(shop: Shop, changes: list[str], *, dry_run: bool) -> None:
    for sentence in changes:
        _say(sentence)
    if not changes:
        _say(f"{shop.slug}: nothing changes.")
    elif dry_run:
        _say(f"{shop.slug}: nothing was changed yet. Without --dry-run it will be.")
    else:
        _say(f"{shop.slug}: applied.")


def _facts(shop: Shop) -> dict[str, object]:
    layout = shop.layout
    return {
        "slug": shop.slug,
        "name": shop.name,
        "timezone": shop.timezone,
        "currency": shop.currency,
        "cameras": [camera.slug for camera in layout.cameras],
        "zones": [zone.slug for zone in layout.zones],
        "lines": [line.slug for line in layout.lines],
        "layout_id": layout.layout_id,
        "valid_from": layout.valid_from.isoformat(),
    }


def _table(found: list[Shop]) -> Table:
    table = Table("shop", "name", "time zone", "cameras", "zones", "lines", "layout since", box=None)
    for shop in found:
        layout = shop.layout
        counts = (str(len(rows)) for rows in (layout.cameras, layout.zones, layout.lines))
        table.add_row(shop.slug, escape(shop.name), shop.timezone, *counts, f"{layout.valid_from:%Y-%m-%d %H:%M} UTC")
    return table


def _say(text: str) -> None:
    Console(soft_wrap=True).print(text, markup=False, highlight=False)


def _who() -> str:
    return f"cli:{getpass.getuser()}"
