"""The command line's front door: settings, logging, one place where errors become messages and exit codes."""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path
from typing import Annotated

import structlog
import typer
from rich.console import Console

from vitrina import __version__
from vitrina.cli.lazy import lazy_typer
from vitrina.errors import VitrinaError
from vitrina.settings import Settings, load_settings

app = lazy_typer(
    {
        "up": "vitrina.cli.up:up",
        "demo": "vitrina.cli.up:demo",
        "doctor": "vitrina.cli.doctor:doctor",
        "floor": "vitrina.cli.floor:app",
        "lens": "vitrina.cli.lens:app",
        "lake": "vitrina.cli.lake:app",
        "models": "vitrina.cli.models:app",
        "connect": "vitrina.cli.connect:app",
        "chat": "vitrina.cli.chat:app",
        "export": "vitrina.cli.export:app",
    },
    name="vitrina",
    help="Vitrina: see your shop the way you see your website.",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        Console().print(f"vitrina {__version__}", highlight=False)
        raise typer.Exit


@app.callback()
def _start(
    context: typer.Context,
    _version: Annotated[
        bool, typer.Option("--version", help="Print the version and stop.", is_eager=True, callback=_print_version)
    ] = False,
    home: Annotated[Path | None, typer.Option(help="Where all data lives (VITRINA_HOME).")] = None,
) -> None:
    environ = dict(os.environ)
    if home:
        environ["VITRINA_HOME"] = str(home.resolve())
    context.obj = load_settings(environ, folder=Path.cwd())
    configure_logging(context.obj)


def configure_logging(settings: Settings) -> None:
    """Send every logger's records to standard error, as text for people or JSON for machines."""
    shared: list[structlog.typing.Processor] = [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    last: structlog.typing.Processor = (
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


def main() -> None:
    """Run the command; an error of ours is one line on standard error and its own exit code, never a traceback."""
    try:
        app()
    except VitrinaError as error:
        Console(stderr=True, soft_wrap=True, highlight=False).print(f"[bold red]vitrina:[/] {_plain(error)}")
        sys.exit(error.exit_code)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)


def _plain(error: VitrinaError) -> str:
    return str(error).replace("[", r"\[")


if __name__ == "__main__":
    main()
