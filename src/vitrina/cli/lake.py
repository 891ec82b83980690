"""`vitrina lake`: what is in the lake, questions to it, and its upkeep."""

from __future__ import annotations

import getpass
import json
import sys
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated, Any

import pyarrow as pa
import typer
from pyarrow import csv
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from vitrina.cli.sandbox import sandbox
from vitrina.errors import InputError
from vitrina.floor.store import FLOOR_TABLES
from vitrina.lens.lakestore import LENS_TABLES
from vitrina.settings import ENGINES, Settings
from vitrina.storage import audit
from vitrina.storage import engine as engines
from vitrina.storage.database import Database
from vitrina.storage.lake import GRACE_S, Lake, TableDescription
from vitrina.storage.spool import BACKLOGS, forget_aside
from vitrina.storage.table import TableSpec

app = typer.Typer(
    help="Ask the lake, and keep it in order.", no_args_is_help=True, add_completion=False, rich_markup_mode="rich"
)

TABLES_OF_PARTS: dict[str, dict[str, TableSpec]] = {"floor": FLOOR_TABLES, "lens": LENS_TABLES}

_AsJson = Annotated[bool, typer.Option("--json", help="Print the answer as JSON.")]
_Wait = Annotated[bool, typer.Option("--wait/--no-wait", help="Wait a minute for questions that are under way.")]


def open_lake(settings: Settings, *, engine: str = "duckdb") -> Lake:
    """The lake with the tables of the parts that run here. engine: what answers questions, one of ENGINES."""
    tables = {name: spec for part in settings.parts for name, spec in TABLES_OF_PARTS[part].items()}
    return engines.open_lake(settings, tables, engine=engine)


def retention_rules(settings: Settings) -> dict[str, int]:
    """Days to keep, by the name of the setting that says so."""
    names = ("positions_days", "visits_days", "lens_events_days")
    return {name: getattr(settings, name) for name in names}


@app.command()
def describe(context: typer.Context, as_json: _AsJson = False) -> None:
    """Print the data dictionary: every table and column with its meaning, and what is there now.

    \b
    Examples:
      vitrina lake describe
      vitrina lake describe --json
    """
    tables = open_lake(context.obj).describe()
    if as_json:
        _print_json([asdict(table) for table in tables])
    else:
        for table in tables:
            Console().print(_dictionary(table, retention_rules(context.obj)))


@app.command()
def sql(
    context: typer.Context,
    query: Annotated[str, typer.Argument(help="One SELECT in the engine's SQL; the tables are those of `describe`.")],
    as_json: _AsJson = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print the answer as CSV.")] = False,
    timeout_s: Annotated[float, typer.Option("--timeout", min=1, help="Give up after this many seconds.")] = 60.0,
    engine: Annotated[
        str, typer.Option(help="'duckdb' or 'spark'; without it, as the setting `engine` says.", show_default=False)
    ] = "",
) -> None:
    """Ask the lake one question. Nothing can be changed, no other file can be read, and the question is logged.

    \b
    Examples:
      vitrina lake sql "SELECT shop_id, count(*) AS n FROM crossings GROUP BY shop_id"
      vitrina lake sql "SELECT * FROM visits WHERE dwell_s > 60 LIMIT 10" --csv > visits.csv
      vitrina lake sql "SELECT shop_id, percentile(dwell_s, 0.9) AS p90 FROM visits GROUP BY shop_id" --engine spark
    """
    if as_json and as_csv:
        raise InputError("--json and --csv: choose one of them")
    engine = engine or context.obj.engine
    if engine not in ENGINES:
        raise InputError(f"--engine: expected one of {', '.join(ENGINES)}, got {engine!r}")
    _record(context.obj, "lake.sql", {"query": query[:2000], "engine": engine})
    answer = open_lake(context.obj, engine=engine).sql(query, timeout_s=timeout_s)
    if as_json:
        _print_json(answer.to_pylist())
    elif as_csv:
        csv.write_csv(answer, sys.stdout.buffer)
    else:
        Console().print(_answer(answer))


app.command()(sandbox)


@app.command()
def compact(context: typer.Context, as_json: _AsJson = False) -> None:
    """Make one file of many small ones, so that questions are answered faster. `vitrina up` does this each hour.

    \b
    Example:
      vitrina lake compact
    """
    with Console(stderr=True).status("compacting"):
        removed = open_lake(context.obj).compact()
    _print_counts(removed, "files replaced", as_json=as_json)


@app.command()
def retain(
    context: typer.Context,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say from which day on rows are kept.")] = False,
    wait: _Wait = True,
    as_json: _AsJson = False,
) -> None:
    """Delete rows that are older than the settings allow, and every file that held them.

    It waits up to a minute for questions that are under way.

    \b
    Examples:
      vitrina lake retain --dry-run
      vitrina lake retain
    """
    lake, now = open_lake(context.obj), datetime.now(UTC)
    if dry_run:
        expired = lake.expired(retention_rules(context.obj), now)
        _print_counts({name: str(first) for name, first in expired.items()}, "kept from", as_json=as_json)
        return
    with Console(stderr=True).status("deleting"):
        deleted = delete_old(context.obj, lake, now, grace_s=GRACE_S if wait else 0.0)
    _record(context.obj, "lake.retain", {"rows": deleted})
    _print_counts(deleted, "rows deleted", as_json=as_json)


def delete_old(settings: Settings, lake: Lake, now: datetime, *, grace_s: float = GRACE_S) -> dict[str, int]:
    """Rows that are older than the settings allow, what days without rows added up to, and rows that were set aside.

    Gives how many rows went, by table.
    """
    from vitrina.cli.period import forget_sums  # which opens the lake by this module

    rules = retention_rules(settings)
    deleted, expired = lake.retain(rules, now, grace_s=grace_s), lake.expired(rules, now)
    forget_sums(settings, lake, now)
    kept_from = {table: expired.get(table) for table in lake.tables}
    for place in BACKLOGS:
        forget_aside(settings.home / place, kept_from)
    return deleted


@app.command()
def delete(
    context: typer.Context,
    table: Annotated[str, typer.Argument(help="Table, as in `describe`.")],
    column: Annotated[str, typer.Argument(help="Column, such as `person_id`.")],
    value: Annotated[str, typer.Argument(help="Rows with this text in the column go.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask back.")] = False,
    wait: _Wait = True,
    as_json: _AsJson = False,
) -> None:
    """Delete the rows of one id for good: from the table, and from every file under the lake.

    \b
    Example:
      vitrina lake delete positions person_id 3f0c9a5e --yes
    """
    if not yes:
        typer.confirm(f"Delete the rows of {table} with {column} = {value!r}, for good?", abort=True)
    with Console(stderr=True).status("deleting"):
        rows = open_lake(context.obj).delete(table, column, value, grace_s=GRACE_S if wait else 0.0)
    _record(context.obj, "lake.delete", {"table": table, "column": column, "rows": rows})
    _print_counts({table: rows}, "rows deleted", as_json=as_json)


def _record(settings: Settings, action: str, what: dict[str, Any]) -> None:
    database = Database(settings.database)
    database.migrate()
    with database.session() as session:
        audit.record(session, f"cli:{getpass.getuser()}", action, "lake", None, what)
    database.dispose()


def _dictionary(table: TableDescription, rules: dict[str, int]) -> Table:
    kept = f"{rules[table.keep_days]} days" if table.keep_days else "for ever"
    title = f"[bold]{table.name}[/]: {table.comment} {table.rows:,} rows, {table.bytes / 1e6:.1f} MB, kept {kept}."
    shown = Table(title=title, title_justify="left", title_style="", expand=False)
    for heading in ("column", "type", "meaning"):
        shown.add_column(heading)
    for column in table.columns:
        shown.add_row(column.name, column.type, column.comment)
    return shown


def _answer(answer: pa.Table) -> Table:
    shown = Table()
    for name in answer.column_names:
        shown.add_column(escape(name))
    for row in zip(*(column.to_pylist() for column in answer.columns), strict=True):
        shown.add_row(*("" if value is None else escape(str(value)) for value in row))
    return shown


def _print_counts(counts: dict[str, Any], what: str, *, as_json: bool) -> None:
    if as_json:
        _print_json(counts)
        return
    shown = Table("table", what)
    for name, count in counts.items():
        shown.add_row(name, f"{count:,}" if isinstance(count, int) else count)
    Console().print(shown)


def _print_json(value: Any) -> None:
    typer.echo(json.dumps(value, ensure_ascii=False, indent=2, default=str))
