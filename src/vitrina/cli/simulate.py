"""`vitrina floor simulate`: a chain of shops that do not exist, to look at, to learn with and to load-test."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from vitrina.cli.lake import open_lake
from vitrina.errors import InputError
from vitrina.floor.layout import Shop
from vitrina.floor.setup import shops as stored_shops
from vitrina.floor.setup.shopfile import ShopFile
from vitrina.floor.simulate.chain import Chain, simulate_chain
from vitrina.floor.simulate.write import Written, write_chain
from vitrina.product import ShopClock, parse_day
from vitrina.settings import Settings
from vitrina.storage.database import Database
from vitrina.storage.secrets import SecretBox

MADE_BY = "simulator"
DEMO_DAYS = 30  # today and four whole weeks, wherever in the world today is: four same week days to compare with


def simulate(
    context: typer.Context,
    shops: Annotated[int, typer.Option(help="How many shops.", min=1, max=10_000)] = 3,
    days: Annotated[int, typer.Option(help="How many days, up to and with the last.", min=1, max=1500)] = 28,
    seed: Annotated[int, typer.Option(help="The same seed makes the same days.", min=0)] = 1,
    end_day: Annotated[str, typer.Option(help="The last day, YYYY-MM-DD; today by default.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print the answer as JSON.")] = False,
) -> None:
    """Fill the lake with a simulated chain: three kinds of shops, with lunch peaks, queues and a promo display.

    Every row says that it is simulated, and so does every page. Days that are there already stay as they are, so
    running it twice changes nothing. Today is written up to the end of this hour; run it again for the rest.

    \b
    Examples:
      vitrina floor simulate
      vitrina floor simulate --shops 10 --days 60 --seed 7 --json
    """
    chain = plan_chain(shops=shops, days=days, seed=seed, end_day=end_day, now=datetime.now(UTC))
    console = Console(stderr=True)
    written = fill(context.obj, chain, console=console)
    if as_json:
        answer = {"shops": [shop.slug for shop in chain.shops], "days": days, "seed": seed, "rows": written}
        Console().print_json(json.dumps(answer))
        return
    total = f"{sum(written.values()):,}".replace(",", " ")
    names = ", ".join(shop.slug for shop in chain.shops[:5]) + (" …" if shops > 5 else "")
    Console().print(f"{total} new rows for {shops} simulated shops ({names}), {days} days.", highlight=False)


def plan_chain(*, shops: int, days: int, seed: int, end_day: str, now: datetime) -> Chain:
    """The chain that was asked for. A last day in the past is simulated whole, and nothing after the present."""
    latest = max(
        ShopClock(shop.timezone).business_day(now) for shop in simulate_chain(shops, 1, end_day=now.date()).shops
    )
    last = parse_day(end_day, "--end-day") if end_day else latest
    if last > latest:
        raise InputError(f"--end-day: expected today ({latest}) or a day before, got {last}")
    return simulate_chain(shops, days, seed=seed, end_day=last, until=now)


def fill_chain(settings: Settings, *, console: Console) -> Written:
    """The demo's chain up to now."""
    return fill(settings, _demo_chain(), console=console)


def top_up(settings: Settings) -> Written:
    """What has happened in the demo's chain since it was filled."""
    return fill(settings, _demo_chain(), console=Console(quiet=True))


def _demo_chain() -> Chain:
    return plan_chain(shops=3, days=DEMO_DAYS, seed=1, end_day="", now=datetime.now(UTC))


def fill(settings: Settings, chain: Chain, *, console: Console) -> Written:
    """The chain's shops into the database, then its rows into the lake."""
    chain = replace(chain, shops=tuple(_store_shops(settings, chain)))
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("Simulating shop days", total=len(chain.shops) * len(chain.days))
        return write_chain(open_lake(settings), chain, on_day=lambda *_: progress.advance(task))


def _store_shops(settings: Settings, chain: Chain) -> list[Shop]:
    """As they are stored: their rows carry the layout's stored id."""
    settings.home.mkdir(parents=True, exist_ok=True, mode=0o700)
    database = Database(settings.database)
    try:
        database.migrate()
        box = SecretBox(settings.home)
        with database.session() as session:
            return [
                stored_shops.apply(session, ShopFile(shop, {}), MADE_BY, box=box, now=shop.layout.valid_from).shop
                for shop in chain.shops
            ]
    finally:
        database.dispose()
