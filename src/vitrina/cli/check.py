"""`vitrina floor check`: whether the rows behind the figures can be trusted."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from vitrina.cli.lake import open_lake
from vitrina.cli.place import find_shop
from vitrina.cli.session import database_session
from vitrina.floor.measures.quality import Finding, examine
from vitrina.floor.setup.shops import load_shops
from vitrina.settings import Settings

COLOURS = {"pass": "green", "warn": "yellow", "fail": "bold red", "none": "dim"}


def check(
    context: typer.Context,
    shop_name: Annotated[str, typer.Option("--shop", help="Only the shop with this slug.")] = "",
    everything: Annotated[bool, typer.Option("--all", help="Show the checks that pass as well.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print every finding as JSON.")] = False,
) -> None:
    """Check the last seven days' rows of every shop; end with 1 when a check fails.

    \b
    Examples:
      vitrina floor check
      vitrina floor check --shop riga-1 --all
      vitrina floor check --json
    """
    settings: Settings = context.obj
    if shop_name:
        places = [find_shop(settings, shop_name)]
    else:
        with database_session(settings) as session:
            places = load_shops(session)
    found = examine(open_lake(settings), places, datetime.now(UTC)).findings
    if as_json:
        Console().print_json(json.dumps([asdict(one) for one in found]))
    else:
        _show(Console(), found, everything=everything, shops=len(places))
    if any(one.verdict == "fail" for one in found):
        raise typer.Exit(1)


def _show(console: Console, found: Sequence[Finding], *, everything: bool, shops: int) -> None:
    shown = [one for one in found if everything or one.verdict in ("warn", "fail")]
    if shown:
        table = Table("shop", "", "table", "check", "found", "what to do", box=None)
        for one in shown:
            verdict = f"[{COLOURS[one.verdict]}]{one.verdict}[/]"
            table.add_row(one.shop, verdict, one.table, one.title, as_text(one), one.advice.replace("`", ""))
        console.print(table)
    counts = {verdict: sum(one.verdict == verdict for one in found) for verdict in COLOURS}
    console.print(
        f"{shops} shops: {counts['pass']} checks pass, {counts['warn']} warn, {counts['fail']} fail, "
        f"{counts['none']} have nothing to look at.",
        highlight=False,
    )


def as_text(one: Finding) -> str:
    if one.value is None:
        return "–"
    if one.unit == "share":
        return f"{one.value:.1%}"
    return f"{one.value:.1f} h" if one.unit == "hours" else f"{one.value:.0f}"
