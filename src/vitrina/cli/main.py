"""The command line's front door: settings, logging, one place where errors become messages and exit codes."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import structlog
import typer
from rich.console import Console

from vitrina import __version__
from vitrina.errors import VitrinaError
from vitrina.settings import Settings, load_settings

app = typer.Typer(
    name="vitrina",
    help="Vitrina: see your shop the way you see your website.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def _start(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version and stop.")] = False,
    home: Annotated[Path | None, typer.Option(help="Where all data lives (VITRINA_HOME).")] = None,
) -> None:
    if version:
        Console().print(f"vitrina {__version__}")
        raise typer.Exit
    environ = dict(os.environ)
    if home:
        environ["VITRINA_HOME"] = str(home.resolve())
    context.obj = load_settings(environ, folder=Path.cwd())
    configure_logging(context.obj)


def configure_logging(settings: Settings) -> None:
    """Send every logger's records to standard error, as text for people or JSON for machines."""
    shared = [structlog.processors.add_log_level, structlog.processors.TimeStamper(fmt="iso", utc=True)]
    last: Callable[..., object] = (
        structlog.processors.JSONRenderer()
        if settings.log_format == "json"
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[structlog.stdlib.add_logger_name, *shared, structlog.processors.format_exc_info],
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, last],
    )
    handler = logging.StreamHandler()
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(settings.log_level.upper())
    for noisy in ("alembic", "httpx", "uvicorn.access"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


def complete_app() -> typer.Typer:
    """The whole command, with every part's commands in it."""
    from vitrina.cli import doctor, floor, lake, models, up

    if not app.registered_groups:
        app.add_typer(floor.app, name="floor")
        app.add_typer(lake.app, name="lake")
        app.add_typer(models.app, name="models")
        app.command("doctor")(doctor.doctor)
        app.command("up")(up.up)
        app.command("demo")(up.demo)
    return app


def main() -> None:
    """Run the command; an error of ours is one line on standard error and its own exit code, never a traceback."""
    try:
        complete_app()()
    except VitrinaError as error:
        Console(stderr=True, soft_wrap=True, highlight=False).print(f"[bold red]vitrina:[/] {_plain(error)}")
        sys.exit(error.exit_code)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)


def _plain(error: VitrinaError) -> str:
    return str(error).replace("[", r"\[")
