"""`vitrina export`: each day's tables as files, for other systems."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from vitrina.cli.connect import AsJson, moment, print_json, split, whoami
from vitrina.cli.session import database_session
from vitrina.errors import InputError
from vitrina.floor.extract import TABLES
from vitrina.floor.setup import shops
from vitrina.outlet import export
from vitrina.outlet.export import FORMATS, Export, ExportRun, ExportSettings
from vitrina.product import parse_day
from vitrina.settings import Settings
from vitrina.storage.secrets import SecretBox

app = typer.Typer(
    help="Write each day's tables as files.", no_args_is_help=True, add_completion=False, rich_markup_mode="rich"
)

_Name = Annotated[str, typer.Argument(help="Name of the export.")]


@app.command()
def add(
    context: typer.Context,
    name: _Name,
    to: Annotated[str, typer.Option(help="Folder below the setting `export_folder`, or s3://BUCKET/PREFIX.")],
    tables: Annotated[str, typer.Option(help=f"Comma-separated, out of: {', '.join(TABLES)}.")] = "chain,hourly",
    shop: Annotated[list[str] | None, typer.Option(help="Slug of a shop, may be repeated; none: every shop.")] = None,
    form: Annotated[str, typer.Option("--format", help=f"One of {', '.join(FORMATS)}.")] = "parquet",
    cron: Annotated[str, typer.Option(help="When: minute, hour, week days, such as '30 6' or '0 7 mon-fri'.")] = "30 6",
    timezone: Annotated[str, typer.Option(help="Clock of `--cron`; the setting `timezone` when left out.")] = "",
    first: Annotated[str, typer.Option("--from", help="Oldest day that is written (YYYY-MM-DD); else yesterday.")] = "",
    endpoint: Annotated[str, typer.Option(help="Address of the object store, if it is not Amazon's.")] = "",
    region: Annotated[str, typer.Option(help="Region of the bucket.")] = "us-east-1",
    access_key: Annotated[str, typer.Option(help="Access key of the object store.")] = "",
    secret_key_file: Annotated[Path | None, typer.Option(help="File with its secret key on the first line.")] = None,
    allow_private: Annotated[
        bool, typer.Option("--allow-private", help="The store is in a network of yours; plain http is allowed then.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Add an export. Each run writes every day that is over and not written yet; nothing is left out by a stop.

    \b
    Examples:
      vitrina export add nightly --to warehouse --tables chain,hourly,zones
      vitrina export add lake --to s3://shop-data/vitrina --tables lake.crossings --access-key AK --secret-key-file key
    """
    settings: Settings = context.obj
    given = ExportSettings(
        name=name,
        tables=tuple(split(tables)),
        target=to,
        shops=tuple(shop or ()),
        format=form,
        cron=cron,
        timezone=timezone or settings.timezone,
        endpoint=endpoint,
        region=region,
        access_key=access_key,
        secret_key=_first_line(secret_key_file) if secret_key_file else "",
        allow_private=allow_private,
        first_day=parse_day(first, "--from") if first else None,
    )
    with database_session(settings) as session:
        for slug in given.shops:
            shops.load_shop(session, slug)
        row = export.add_export(
            session, given, known_tables=TABLES, root=settings.exports, box=SecretBox(settings.home), by=whoami()
        )
    if as_json:
        print_json(_export(row))
    else:
        Console().print(f"added {row.name}; it runs next at {moment(row.next_at)} UTC", highlight=False)


@app.command("list")
def list_(context: typer.Context, as_json: AsJson = False) -> None:
    """List the exports with what they wrote last, and the days that could not be written.

    \b
    Example:
      vitrina export list --json
    """
    with database_session(context.obj) as session:
        failing = export.failing(session)
        rows = [(row, export.runs(session, name=row.name, limit=1)) for row in export.list_exports(session)]
    if as_json:
        print_json(
            [_export(row) | {"last": _runs(last), "failing": _runs(failing.get(row.name, []))} for row, last in rows]
        )
        return
    shown = Table("name", "tables", "shops", "to", "format", "when", "next (UTC)", "last")
    for row, last in rows:
        said = f"{last[0].day}: {last[0].outcome}" if last else "never ran"
        when, places = f"{row.cron} {row.timezone}", ", ".join(row.shops) or "all"
        shown.add_row(row.name, ", ".join(row.tables), places, row.target, row.format, when, moment(row.next_at), said)
    Console().print(shown)
    for name, days in failing.items():
        Console().print(
            f"{name}: {len(days)} days could not be written, first {days[0].day}: {days[0].reason}\n"
            f"  Each run tries them again. Once mended: vitrina export run {name}",
            highlight=False,
            markup=False,
            soft_wrap=True,
        )


@app.command()
def run(
    context: typer.Context,
    name: _Name,
    day: Annotated[str, typer.Option(help="One day (YYYY-MM-DD), though it was written before.")] = "",
) -> None:
    """Write now what is missing, or one day again: late rows are in it then. Needs `vitrina up` to be running.

    \b
    Examples:
      vitrina export run nightly
      vitrina export run nightly --day 2026-11-20
    """
    with database_session(context.obj) as session:
        export.ask_for_run(session, name, by=whoami(), day=parse_day(day, "--day") if day else None)
    Console().print("`vitrina up` writes it now; `vitrina export log` says how it went")


@app.command()
def log(
    context: typer.Context,
    name: Annotated[str, typer.Option("--name", help="Only of this export.")] = "",
    limit: Annotated[int, typer.Option(min=1, max=1000, help="So many at most.")] = 30,
    as_json: AsJson = False,
) -> None:
    """The last days that were written or could not be.

    \b
    Example:
      vitrina export log --name nightly
    """
    with database_session(context.obj) as session:
        rows = export.runs(session, name=name or None, limit=limit)
    if as_json:
        print_json(_runs(rows))
        return
    shown = Table("export", "day", "outcome", "files", "rows", "bytes", "ended (UTC)", "reason")
    for row in rows:
        sizes = (f"{row.files:,}", f"{row.rows:,}", f"{row.bytes:,}")
        shown.add_row(row.export_name, row.day, row.outcome, *sizes, moment(row.ended_at), row.reason)
    Console().print(shown)


@app.command()
def remove(context: typer.Context, name: _Name) -> None:
    """Remove an export with its log; the files that it wrote stay.

    \b
    Example:
      vitrina export remove nightly
    """
    with database_session(context.obj) as session:
        export.remove_export(session, name, by=whoami())
    Console().print("removed")


def _export(row: Export) -> dict[str, Any]:
    hidden = {"secret"}
    return {column.key: getattr(row, column.key) for column in row.__table__.columns if column.key not in hidden}


def _runs(rows: list[ExportRun]) -> list[dict[str, Any]]:
    return [{column.key: getattr(row, column.key) for column in row.__table__.columns} for row in rows]


def _first_line(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8").partition("\n")[0].strip()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{file}: cannot be read as text: {error}") from error
