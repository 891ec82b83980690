"""`vitrina lens feeds`: where offers come from, and what became of each import."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Column, Table

from vitrina.cli.connect import AsJson, moment, print_json, whoami
from vitrina.cli.feed_options import (
    AllowFiles,
    AllowPrivate,
    Columns,
    Currency,
    Format,
    Full,
    ShopName,
    feed_typed,
    is_shop,
    name_typed,
    slug_typed,
)
from vitrina.cli.imports import open_catalog, told_import
from vitrina.cli.session import database_session
from vitrina.lens import importing, intake, shops, store
from vitrina.lens.importing import Imported
from vitrina.lens.shops import LensFeed
from vitrina.settings import Settings
from vitrina.storage.secrets import SecretBox

app = typer.Typer(
    help="Where offers come from: list, add and remove feeds, approve imports that are held.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
)

_Feed = Annotated[str, typer.Argument(help="Id of the feed, or its last eight letters, as in `list`.")]
_Import = Annotated[str, typer.Argument(help="Id of the import, or its last eight letters, as in `log`.")]


@app.command("list")
def list_(
    context: typer.Context, shop: Annotated[str, typer.Option(help="Only of this shop.")] = "", as_json: AsJson = False
) -> None:
    """List the feeds with how their last import ended.

    \b
    Example:
      vitrina lens feeds list --shop best-shop
    """
    settings: Settings = context.obj
    with database_session(settings) as session:
        rows = shops.list_feeds(session, shop=shops.find_shop(session, shop).slug if shop else None)
    with open_catalog(settings) as catalog:
        told = [_feed(row) | {"last": _last(catalog, row.feed_id)} for row in rows]
    if as_json:
        print_json(told)
        return
    shown = Table(
        Column("id", no_wrap=True), "shop", Column("source", overflow="fold"), "when", "last import (UTC)", "offers"
    )
    for one in told:
        last = one["last"] or {}
        ended = last.get("ended_at")
        shown.add_row(
            one["feed_id"][-8:],
            one["shop"],
            one["source"] if one["mode"] == "full" else f"{one['source']} ({one['mode']})",
            f"{one['cron']} {one['timezone']}" if one["cron"] else "by hand",
            f"{ended[:16]} {last['state']}" if ended else "never",
            f"{last.get('offers', 0):,}" + (f" ({out:,} rejected)" if (out := last.get("rejected", 0)) else ""),
        )
    Console().print(shown)


@app.command()
def add(
    context: typer.Context,
    source: Annotated[str, typer.Argument(help="Address, file or folder.")],
    shop: ShopName,
    cron: Annotated[
        str, typer.Option(help="When: minute, hour, week days, such as '15 *' or '30 4 mon-fri'.")
    ] = "30 4",
    timezone: Annotated[str, typer.Option(help="Clock of `--cron`; the setting `timezone` when left out.")] = "",
    form: Format = "auto",
    full: Full = True,
    allow_files: AllowFiles = False,
    allow_private: AllowPrivate = False,
    column: Columns = None,
    currency: Currency = "",
    as_json: AsJson = False,
) -> None:
    """Have a feed imported again and again while `vitrina up` runs. Keys in its address are kept encrypted.

    \b
    Examples:
      vitrina lens feeds add https://shop.example/feed.xml --shop best-shop --cron "15 */2"
      vitrina lens feeds add "https://export.example/csv/?code=KEY" --shop best-shop --currency RUB
    """
    settings: Settings = context.obj
    typed = feed_typed(source, form, full, column, allow_files=allow_files, allow_private=allow_private)
    given = replace(typed, cron=cron, timezone=timezone or settings.timezone)
    with database_session(settings) as session:
        slug = slug_typed(session, shop)
        if currency or not is_shop(session, slug):
            shops.save_shop(session, slug, by=whoami(), name=name_typed(shop, slug), currency=currency or None)
        row = shops.add_feed(session, slug, given, box=SecretBox(settings.home), by=whoami())
    if as_json:
        print_json(_feed(row))
    else:
        due = f"it is imported next at {moment(row.next_at)} UTC" if row.next_at else "it is imported by hand"
        Console().print(f"added {row.feed_id[-8:]}; {due}", highlight=False)


@app.command()
def remove(context: typer.Context, feed: _Feed) -> None:
    """Remove a feed; its offers are gone from the catalog.

    \b
    Example:
      vitrina lens feeds remove 3f2a91bc
    """
    settings: Settings = context.obj
    with database_session(settings) as session:
        row = shops.remove_feed(session, feed, by=whoami())
        gone = importing.retire_feed(settings.lens, row.shop, row.feed_id)
    Console().print(f"removed; {gone:,} offers are gone", highlight=False)


@app.command()
def approve(context: typer.Context, import_id: _Import, as_json: AsJson = False) -> None:
    """Make an import count that was held because the feed shrank by more than a third.

    \b
    Example:
      vitrina lens feeds approve 9c01e7d2
    """
    _decided(context.obj, importing.approve(context.obj.lens, import_id), "approve", as_json=as_json)


@app.command()
def refuse(context: typer.Context, import_id: _Import, as_json: AsJson = False) -> None:
    """Forget an import that is held; the catalog stays as it is.

    \b
    Example:
      vitrina lens feeds refuse 9c01e7d2
    """
    _decided(context.obj, importing.refuse(context.obj.lens, import_id), "refuse", as_json=as_json)


@app.command()
def log(
    context: typer.Context,
    shop: Annotated[str, typer.Option(help="Only of this shop.")] = "",
    rejects_of: Annotated[
        str, typer.Option("--rejects", help="Show what this import left out, with line and reason, and mended.")
    ] = "",
    limit: Annotated[int, typer.Option(min=1, max=1000, help="So many at most.")] = 30,
    as_json: AsJson = False,
) -> None:
    """The last imports, or the offers that one of them left out.

    \b
    Examples:
      vitrina lens feeds log --shop best-shop
      vitrina lens feeds log --rejects 9c01e7d2
    """
    with open_catalog(context.obj) as catalog:
        if rejects_of:
            found = importing.find_import(catalog, rejects_of)
            rows = [dict(row) for row in store.rejects(catalog, found.import_id, limit=limit)]
            notes = found.notes
        else:
            notes = ()
            rows = [_import(row) for row in store.imports(catalog, shop=shop or None, limit=limit)]
    if as_json:
        print_json(rows)
        return
    Console().print(_rejects_table(rows) if rejects_of else _imports_table(rows))
    for note in notes:
        Console(soft_wrap=True, highlight=False, markup=False).print(f"mended: {note}")


def _decided(settings: Settings, done: Imported, what: str, *, as_json: bool) -> None:
    with database_session(settings) as session:
        shops.note_decision(session, done.import_id, done.shop, what, by=whoami())
    if as_json:
        print_json(told_import(settings, done))
    else:
        Console().print(intake.sentence(done), highlight=False, markup=False)


# ── showing ─────────────────────────────────────────────────────────────────────────────────────


def _rejects_table(rows: list[dict[str, Any]]) -> Table:
    shown = Table("line", "offer", "why it was left out")
    for row in rows:
        shown.add_row(f"{row['line']:,}", row["offer_id"], row["reason"])
    return shown


def _imports_table(rows: list[dict[str, Any]]) -> Table:
    shown = Table(Column("id", no_wrap=True), "shop", "began (UTC)", "how it ended")
    for row in rows:
        done = Imported(**{name: row[name] for name in Imported.__slots__ if name != "notes"})
        shown.add_row(done.import_id[-8:], done.shop, row["started_at"], f"{done.mode}, {intake.sentence(done)}")
    return shown


def _feed(row: LensFeed) -> dict[str, Any]:
    hidden = {"secrets", "etag", "last_modified"}
    return {column.key: getattr(row, column.key) for column in row.__table__.columns if column.key not in hidden}


def _last(catalog: Any, feed_id: str) -> dict[str, Any] | None:
    rows = store.imports(catalog, feed_id=feed_id, limit=1)
    return _import(rows[0]) if rows else None


def _import(row: Any) -> dict[str, Any]:
    told = dict(row)
    for key in ("started_at", "ended_at"):
        told[key] = store.moment(told[key]) if told[key] else None
    return told
