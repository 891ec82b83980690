"""`vitrina doctor`: what is here, what is missing and how to get it."""

from __future__ import annotations

import importlib
import importlib.util
import os
import platform
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from vitrina.errors import VitrinaError
from vitrina.models.library import known_models, verify
from vitrina.settings import SETTINGS, Settings
from vitrina.storage import spark
from vitrina.storage.database import Database
from vitrina.storage.spool import BACKLOGS, files_aside

State = Literal["ok", "warning", "missing"]
ENOUGH_DISK_GB = 5.0
REINSTALL = "pip install --force-reinstall --no-deps vitrina, or `vitrina models add` the file again"


@dataclass(frozen=True, slots=True)
class Finding:
    """What one look brought. mend: what to type or do, empty when nothing is to be done."""

    what: str
    state: State
    found: str
    mend: str = ""


def doctor(
    context: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="Print the findings as JSON.")] = False,
    settings_table: Annotated[
        bool, typer.Option("--settings", help="List every setting and its value instead.")
    ] = False,
    cameras: Annotated[
        Path | None, typer.Option(help="A clip: measure how many cameras like it this machine carries instead.")
    ] = None,
    seconds: Annotated[float, typer.Option(help="With --cameras: how long to measure, twice.", min=2)] = 20.0,
    box_price: Annotated[
        float | None, typer.Option(help="With --cameras: what this machine costs, in any currency.")
    ] = None,
    years: Annotated[float, typer.Option(help="With --box-price: over how many years it is written off.")] = 4.0,
) -> None:
    """Say what is missing and how to get it. Exit code 7 when something that is needed is missing.

    \b
    Examples:
      vitrina doctor
      vitrina doctor --json
      vitrina doctor --settings
      vitrina doctor --cameras entrance.mp4 --box-price 300 --years 4
    """
    settings: Settings = context.obj
    console = Console()
    if cameras is not None:
        # Imported here: the doctor itself must run where the libraries of a part are missing.
        from vitrina.cli import capacity

        price = capacity.Price(box_price, years) if box_price is not None else None
        capacity.report(console, settings, cameras, seconds=seconds, price=price, as_json=as_json)
        return
    if settings_table:
        _print_settings(console, settings)
        return
    findings = list(examine(settings))
    if as_json:
        console.print_json(data=[asdict(finding) for finding in findings])
    else:
        _print_findings(console, findings)
    if any(finding.state == "missing" for finding in findings):
        raise typer.Exit(7)


def examine(settings: Settings) -> Iterator[Finding]:
    """One finding after another; a look that fails is a finding, never an end."""
    yield Finding("Python", "ok", f"{platform.python_version()} at {sys.executable}")
    yield Finding("processors", "ok", f"{os.cpu_count()}")
    yield _library("floor", "av", "video in")
    yield _library("floor", "cv2", "picture work")
    yield _library("cluster", "distributed", "work over many machines", needed=False)
    yield _engine(settings)
    yield _look("models", lambda: _weights(settings.home))
    yield _look("home", lambda: _home(settings.home))
    yield _look("disk", lambda: _disk(settings.home))
    yield _look("database", lambda: _database(settings))
    yield _aside(settings.home)
    yield Finding(
        "lake", "ok", f"{settings.lake}" if settings.lake.exists() else "empty: it begins with the first rows"
    )


def _library(extra: str, module: str, what: str, *, needed: bool = True) -> Finding:
    if importlib.util.find_spec(module) is None:
        return Finding(
            what, "missing" if needed else "warning", f"{module} is not installed", f"pip install 'vitrina[{extra}]'"
        )
    version = getattr(importlib.import_module(module), "__version__", "")
    return Finding(what, "ok", f"{module} {version}")


def _engine(settings: Settings) -> Finding:
    """What answers questions to the lake; Spark is asked for only where it is wanted."""
    if settings.engine == "duckdb":
        return Finding("engine", "ok", "DuckDB, in this process")
    if lack := spark.missing():
        what, _, how = lack.partition(": ")
        return Finding("engine", "missing", what, how)
    return Finding("engine", "ok", f"Spark at {settings.spark_master}, Java {spark.java_version()}")


def _look(what: str, look: Callable[[], Finding]) -> Finding:
    try:
        return look()
    except VitrinaError as error:
        return Finding(what, "missing", str(error), "see the message")


def _weights(home: Path) -> Finding:
    checked = verify(known_models(home))
    broken = [one for one in checked if not one.ok]
    if broken:
        return Finding("models", "missing", "; ".join(f"{one.model.name}: {one.problem}" for one in broken), REINSTALL)
    runs = ", ".join(f"{one.model.name} ({one.run_ms:.0f} ms a picture)" for one in checked)
    return Finding("models", "ok", f"{runs}: checksums as in the manifest")


def _home(home: Path) -> Finding:
    place = home if home.exists() else next(parent for parent in home.parents if parent.exists())
    if not os.access(place, os.W_OK):
        return Finding("home", "missing", f"{home} cannot be written", "set VITRINA_HOME to a folder of yours")
    return Finding("home", "ok", str(home) if home.exists() else f"{home} will be made")


def _disk(home: Path) -> Finding:
    place = home if home.exists() else next(parent for parent in home.parents if parent.exists())
    free_gb = shutil.disk_usage(place).free / 1e9
    if free_gb < ENOUGH_DISK_GB:
        return Finding("disk", "warning", f"{free_gb:.1f} GB free", "free some, or set VITRINA_HOME to a larger disk")
    return Finding("disk", "ok", f"{free_gb:.0f} GB free")


def _aside(home: Path) -> Finding:
    """Rows that never reached the lake: written by another version, or damaged."""
    found = [path for place in BACKLOGS for path in files_aside(home / place)]
    if not found:
        return Finding("rows set aside", "ok", "none")
    said = f"{len(found)} files that no figure counts, such as {found[0]}"
    return Finding("rows set aside", "warning", said, "the log of that time says why; keep them, and report it")


def _database(settings: Settings) -> Finding:
    if not settings.database_url and not (settings.home / "vitrina.db").exists():
        return Finding("database", "ok", "none yet: `vitrina up` makes it")
    database = Database(settings.database)
    try:
        with database.connect() as connection:
            return Finding("database", "ok", connection.dialect.name)
    finally:
        database.dispose()


def _print_findings(console: Console, findings: list[Finding]) -> None:
    marks = {"ok": "[green]✓[/]", "warning": "[yellow]![/]", "missing": "[red]✗[/]"}
    width = max(len(finding.what) for finding in findings)
    for finding in findings:
        console.print(f"{marks[finding.state]} {finding.what:{width}}  {escape(finding.found)}", soft_wrap=True)
        if finding.mend:
            console.print(f"  {'':{width}}  → {escape(finding.mend)}", soft_wrap=True)


def _print_settings(console: Console, settings: Settings) -> None:
    table = Table("setting", "variable", "value", "unit", "meaning", box=None)
    for setting in SETTINGS:
        value = getattr(settings, setting.name)
        shown = ",".join(value) if isinstance(value, tuple) else str(value)
        # A database address may carry a password.
        shown = "(set)" if setting.name in ("database_url", "lens_qdrant_key") and shown else shown
        table.add_row(setting.name, setting.variable, shown, setting.unit, setting.help)
    console.print(table)
