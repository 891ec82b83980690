"""`vitrina lake sandbox`: figures as files for an analyst."""

from __future__ import annotations

import getpass
import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import track

from vitrina.cli.session import database_session
from vitrina.errors import ConflictError, InputError
from vitrina.floor.layout import Shop
from vitrina.floor.setup import shops
from vitrina.floor.store import FLOOR_TABLES
from vitrina.product import ShopClock
from vitrina.storage import audit, engine

NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
MOST_DAYS = 800


def sandbox(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="Small letters, digits and dashes; the folder's name.")],
    days: Annotated[int, typer.Option(help="How many days, up to and with today.", min=1, max=MOST_DAYS)] = 90,
    shop_names: Annotated[list[str] | None, typer.Option("--shop", help="Only these shops.")] = None,
    folder: Annotated[
        Path | None, typer.Option(help="Where to put it. Default: `sandboxes` in the home.", show_default=False)
    ] = None,
    replace: Annotated[bool, typer.Option("--replace", help="Put it in the place of the one that is there.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the answer as JSON.")] = False,
) -> None:
    """Give an analyst a read-only copy to work with: Parquet files and a starter notebook.

    It holds the views of the page *Ask*: people counted by shop, day and place, nothing about groups under
    `k_anonymity`, and nobody's rows. So it may leave this machine.

    \b
    Examples:
      vitrina lake sandbox anna
      vitrina lake sandbox spring --days 120 --shop riga-1 --shop riga-2 --folder ~/work
    """
    # Imported here, because the other commands of `lake` do without Ibis.
    from vitrina.floor.measures.views import VIEWS, read_view
    from vitrina.floor.sandbox import is_sandbox, write_sandbox

    if not NAME.fullmatch(name):
        raise InputError(f"name: expected small letters, digits and dashes such as anna-spring, got {name!r}")
    target = (folder or context.obj.home / "sandboxes").expanduser() / name
    if target.exists() and not replace:
        raise ConflictError(f"{target}: is there already. Choose another name, or add --replace.")
    if target.exists() and not is_sandbox(target):
        raise ConflictError(f"{target}: is no sandbox, and stays. Choose another name or --folder.")
    chosen = _shops(context, shop_names or [])
    last = max(ShopClock(one.timezone, one.day_starts).business_day(datetime.now(UTC)) for one in chosen)
    first = last - timedelta(days=days - 1)
    lake = engine.open_lake(context.obj, FLOOR_TABLES, engine="duckdb")
    k, console = context.obj.k_anonymity, Console(stderr=True)
    found = {
        view: read_view(lake, view, chosen, first, last, k=k)
        for view in track(list(VIEWS), description="Views", console=console, transient=True, disable=as_json)
    }
    with database_session(context.obj) as session:
        what = {"name": name, "shops": [one.slug for one in chosen], "from": str(first), "to": str(last)}
        audit.record(session, f"cli:{getpass.getuser()}", "lake.sandbox", "lake", None, what)
    write_sandbox(target, found, first=first, last=last, k=k)
    rows = {view: table.num_rows for view, table in found.items()}
    if as_json:
        Console().print_json(data={"folder": str(target), "from": str(first), "to": str(last), "rows": rows})
        return
    Console().print(f"{sum(rows.values())} rows of {len(chosen)} shops in {len(rows)} views: {target}", soft_wrap=True)
    Console().print(f"Begin with {target / 'start.ipynb'}", soft_wrap=True)


def _shops(context: typer.Context, names: Sequence[str]) -> list[Shop]:
    with database_session(context.obj) as session:
        chosen = [shops.load_shop(session, name) for name in names] or shops.load_shops(session)
    if not chosen:
        raise InputError("there is no shop yet: `vitrina floor shop apply FILE` makes one.")
    return list(chosen)
