"""`vitrina lens report`: from searches to money."""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta
from math import isnan
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from vitrina.cli.connect import print_json
from vitrina.cli.lake import open_lake
from vitrina.cli.session import database_session
from vitrina.errors import InputError
from vitrina.lens.clickthrough import ALL, CAVEAT
from vitrina.lens.report import SHEET, Report, make_report, sheet_rows, told
from vitrina.lens.sheet import to_csv
from vitrina.lens.trace import amount_of
from vitrina.worth.interval import Interval

USUAL_DAYS = 28


def report(
    context: typer.Context,
    first: Annotated[
        datetime | None, typer.Option("--from", formats=["%Y-%m-%d"], help="First day (UTC); four weeks back.")
    ] = None,
    last: Annotated[datetime | None, typer.Option("--to", formats=["%Y-%m-%d"], help="Last day (UTC); today.")] = None,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print the shops as CSV.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the answer as JSON.")] = False,
) -> None:
    """Show searches, clicks, orders and cashback by shop, and what photos found nothing, with 95-percent intervals.

    Orders are those after the period's clicks, whenever they came. Of searches that found something it shows how many
    led to a click, and at which place the clicked product stood: a weak signal of how good the search is.

    \b
    Examples:
      vitrina lens report
      vitrina lens report --from 2026-11-01 --to 2026-11-30 --json
    """
    if as_csv and as_json:
        raise InputError("--json and --csv: choose one of them")
    end = last.date() if last else datetime.now(UTC).date()
    begin = first.date() if first else end - timedelta(days=USUAL_DAYS - 1)
    with database_session(context.obj) as session:
        found = make_report(session, open_lake(context.obj), begin, end, few=context.obj.k_anonymity)
    if as_json:
        print_json(told(found))
    elif as_csv:
        sys.stdout.write(to_csv(SHEET, sheet_rows(found)))
    else:
        _show(found)


def _show(found: Report) -> None:
    title = f"{found.first} to {found.last}{', simulated' if found.simulated else ''}"
    shops = Table("shop", "searches", "then a click", "clicks", "then an order", "orders", "cashback", title=title)
    for line in found.shops:
        amounts = ", ".join(
            f"{amount_of(minor, currency)} {state}" for (currency, state), minor in line.cashback.items()
        )
        searches, clicks = _count(line.searches, found.few), _count(line.clicks, found.few)
        shops.add_row(
            line.name, searches, _rate(line.click_rate), clicks, _rate(line.order_rate), str(line.orders), amounts
        )
    Console().print(shops)
    categories = Table("nearest category", "searches", "found nothing", "share")
    for one in found.categories:
        categories.add_row(one.category or "unknown", str(one.searches), str(one.nothing), _rate(one.share))
    Console().print(categories)
    _show_clicks(found)
    if found.hidden:
        Console().print(
            f"{found.hidden} categories with fewer than {found.few} searches are not shown", highlight=False
        )


def _show_clicks(found: Report) -> None:
    if not found.clicked:
        return
    table = Table("searches that found something", "", "", "then a click", "at place 1", "mean of 1 / place")
    for one in found.clicked:
        name = one.name or ("" if one.by == ALL else "unknown")
        reciprocal = one.reciprocal
        told = "–" if reciprocal is None else f"{reciprocal.value:.2f} ({reciprocal.low:.2f} to {reciprocal.high:.2f})"
        table.add_row(one.by, name, f"{one.searches:,}", _rate(one.rate), _rate(one.first), told)
    Console().print(table)
    Console().print(CAVEAT, highlight=False)


def _count(count: int | None, few: int) -> str:
    return f"< {few}" if count is None else f"{count:,}"


def _rate(interval: Interval | None) -> str:
    if interval is None or isnan(interval.value):
        return "–"
    return f"{interval.value:.1%} ({interval.low:.1%} to {interval.high:.1%})"
