"""A shop's period on the command line, and the job that adds up days before anybody asks."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from vitrina.cli.lake import open_lake, retention_rules
from vitrina.cli.place import find_shop
from vitrina.cli.session import database_session
from vitrina.errors import InputError
from vitrina.floor.measures.chainledger import ChainLedger
from vitrina.floor.measures.chainrows import last_whole_day
from vitrina.floor.measures.compared import PeriodFigures
from vitrina.floor.measures.ledger import Ledger
from vitrina.floor.measures.period import Span, before, marks_of, period_figures, year_before
from vitrina.floor.measures.period_report import HEADS, heading, remarks, rows_of, to_html
from vitrina.floor.measures.rows import Source
from vitrina.floor.setup import shops
from vitrina.product import ShopClock, parse_day
from vitrina.settings import Settings
from vitrina.storage.lake import Lake

USUAL_DAYS = 28
FILLED_DAYS = 400


def report_period(
    settings: Settings, shop_name: str, first: str, last: str, against: str, *, as_json: bool, html: Path | None
) -> None:
    place = find_shop(settings, shop_name)
    today = ShopClock(place.timezone, place.day_starts).business_day(datetime.now(UTC))
    period = parse_period(first, last, today)
    with database_session(settings) as session:
        layouts = shops.layouts_of(session, place.slug)
    found = period_figures(
        open_ledger(settings, open_lake(settings, engine=settings.engine)),
        place,
        period,
        parse_against(against, period, today=today),
        today=today,
        layouts=layouts,
        k_anonymity=settings.k_anonymity,
    )
    if html is not None:
        write_page(html, to_html(found, shop_name=place.name))
    elif as_json:
        Console().print_json(json.dumps(asdict(found), allow_nan=False))
    else:
        _print(found, place.name)


def _print(found: PeriodFigures, name: str) -> None:
    title = f"{escape(name)}, {heading(found)}" + (" (simulated data)" if found.simulated else "")
    table = Table(*HEADS, title=title, title_justify="left", box=None)
    for row in rows_of(found):
        table.add_row(*row)
    Console().print(table)
    for text in remarks(found):
        Console().print(text)


def parse_period(first: str, last: str, today: date) -> Span:
    """Days as YYYY-MM-DD, 'today' or 'yesterday'.

    Without an end it ends yesterday, or on its first day when that is today; without a beginning it has 28 days.
    """
    start = parse_day(first, "--from", today=today) if first else None
    end = parse_day(last, "--to", today=today) if last else max(today - timedelta(days=1), start or date.min)
    return start or end - timedelta(days=USUAL_DAYS - 1), end


def parse_against(text: str, period: Span, *, today: date) -> Span | None:
    match text:
        case "before":
            return before(period)
        case "year":
            return year_before(period)
        case "none":
            return None
    first, dots, last = text.partition("..")
    if not dots:
        raise InputError(f"--against: expected before, year, none or FIRST..LAST, got {text!r}")
    return parse_day(first, "--against", today=today), parse_day(last, "--against", today=today)


def open_ledger(settings: Settings, lake: Source) -> Ledger:
    return Ledger(lake, settings.sums)


def add_up_days(settings: Settings, lake: Lake, *, check: Callable[[], None]) -> int:
    """Add up the days of every shop that are over; gives how many were missing. check: ends it early by raising."""
    added, book = 0, open_ledger(settings, lake)
    with database_session(settings) as session:
        slugs = [row.slug for row in shops.list_shops(session)]
        there = [(shops.load_shop(session, slug), shops.layouts_of(session, slug)) for slug in slugs]
    for shop, layouts in there:
        today = ShopClock(shop.timezone, shop.day_starts).business_day(datetime.now(UTC))
        first, last = today - timedelta(days=FILLED_DAYS), today - timedelta(days=1)
        added += book.fill(shop.slug, marks_of(shop, layouts), first, last, on_month=check)
    if len(there) > 1:  # one shop is no chain
        last = last_whole_day([shop for shop, _ in there], datetime.now(UTC))
        chain = ChainLedger(lake, settings.chain_sums)
        chain.fill([shop for shop, _ in there], last - timedelta(days=FILLED_DAYS), last, on_month=check)
    return added


def forget_sums(settings: Settings, lake: Lake, now: datetime) -> None:
    """Delete the sums of days whose visits the lake does not keep any longer."""
    first = lake.expired(retention_rules(settings), now).get("visits")
    if first is not None:
        open_ledger(settings, lake).forget_before(first)
        ChainLedger(lake, settings.chain_sums).forget_before(first)


def write_page(path: Path, page: str) -> None:
    try:
        path.write_text(page, encoding="utf-8")
    except OSError as error:
        raise InputError(f"{path}: cannot write it: {error.strerror}") from error
    Console().print(f"→ {path}")
