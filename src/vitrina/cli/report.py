"""`vitrina floor report`: one shop's day as text, JSON or a page."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from vitrina.cli.lake import open_lake
from vitrina.cli.period import report_period, write_page
from vitrina.cli.place import find_shop
from vitrina.cli.session import database_session
from vitrina.errors import InputError
from vitrina.floor.measures.day import day_figures
from vitrina.floor.measures.report import rows_of, to_html
from vitrina.floor.setup.shops import on_day
from vitrina.product import ShopClock, parse_day
from vitrina.settings import Settings

AsJson = Annotated[bool, typer.Option("--json", help="Print the answer as JSON.")]


def report(
    context: typer.Context,
    shop_name: Annotated[str, typer.Option("--shop", help="The shop's slug.")],
    day: Annotated[str, typer.Option(help="The business day, YYYY-MM-DD, 'today' or 'yesterday'.")] = "today",
    first: Annotated[str, typer.Option("--from", help="A period instead of a day: its first day.")] = "",
    last: Annotated[str, typer.Option("--to", help="The period's last day; yesterday unless said otherwise.")] = "",
    against: Annotated[
        str, typer.Option(help="Another period beside it: 'before', 'year', 'none' or FIRST..LAST.")
    ] = "before",
    as_json: AsJson = False,
    html: Annotated[Path | None, typer.Option(help="Write a page to this file instead.")] = None,
) -> None:
    """Report one shop's day, or a period beside another: every figure with its count, 95 % interval and change.

    \b
    Examples:
      vitrina floor report --shop riga-1
      vitrina floor report --shop riga-1 --day 2026-11-20 --json
      vitrina floor report --shop riga-1 --day yesterday --html yesterday.html
      vitrina floor report --shop riga-1 --from 2026-11-01 --to 2026-11-28 --against year
    """
    if as_json and html is not None:
        raise InputError("--json and --html: choose one of them")
    settings: Settings = context.obj
    if first or last:
        report_period(settings, shop_name, first, last, against, as_json=as_json, html=html)
        return
    place = find_shop(settings, shop_name)
    now = datetime.now(UTC)
    today = ShopClock(place.timezone, place.day_starts).business_day(now)
    wanted = parse_day(day, "--day", today=today)
    if wanted > today:
        raise InputError(f"--day: {wanted} has not been yet")
    with database_session(settings) as session:
        place = on_day(session, place, wanted)
    figures = day_figures(
        open_lake(settings, engine=settings.engine),
        place,
        wanted,
        k_anonymity=settings.k_anonymity,
        now=now if wanted == today else None,
    )
    if html is not None:
        write_page(html, to_html(figures, shop_name=place.name))
    elif as_json:
        Console().print_json(json.dumps(asdict(figures)))
    else:
        title = f"{escape(place.name)}, {wanted}" + (" (simulated data)" if figures.simulated else "")
        table = Table("", "value", "95 %", "n", "change", "", title=title, title_justify="left", box=None)
        for row in rows_of(figures):
            table.add_row(*row)
        Console().print(table)
