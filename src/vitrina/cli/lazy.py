"""Groups of commands that import a command when it is asked for: `vitrina floor count` waits for no web framework."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

import typer
from typer.core import TyperGroup


def lazy_typer(commands: Mapping[str, str], **options: Any) -> typer.Typer:
    """A Typer application whose commands stand in a table: name → 'module:function' or 'module:typer app'."""

    class Group(_LazyGroup):
        table: ClassVar[dict[str, str]] = dict(commands)

    application = typer.Typer(cls=Group, no_args_is_help=True, rich_markup_mode="rich", **options)
    application.callback()(_nothing)
    return application


def _nothing() -> None:
    """Typer makes a group only of what has a callback."""


class _LazyGroup(TyperGroup):
    table: ClassVar[dict[str, str]] = {}

    def list_commands(self, _context: Any) -> list[str]:
        return list(self.table)

    def get_command(self, _context: Any, name: str) -> Any:
        if name not in self.table:
            return None
        module, attribute = self.table[name].split(":")
        found = getattr(importlib.import_module(module), attribute)
        if not isinstance(found, typer.Typer):
            single = typer.Typer(rich_markup_mode="rich", pretty_exceptions_enable=False, add_completion=False)
            single.command(name)(found)
            found = single
        command = typer.main.get_command(found)
        command.name = name
        return command


def leaves(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every command below a group with the words that lead to it."""
    if not hasattr(command, "list_commands"):
        yield path, command
        return
    for name in command.list_commands(None):
        yield from leaves(command.get_command(None, name), (*path, name))
