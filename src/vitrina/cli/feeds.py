"""`vitrina lens import`, `shops`, `shop` and `feeds`: what shops sell, from their feeds into the catalog."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn
from rich.table import Column, Table

from vitrina.cli.connect import AsJson, moment, print_json, whoami
from vitrina.cli.session import database_session
from vitrina.errors import InputError, NotFoundError
from vitrina.lens import importing, intake, shops, store
from vitrina.lens.address import check_address, hide, is_address
from vitrina.lens.importing import FAILED, HELD, Imported
from vitrina.lens.shops import FORMATS, FeedSettings, LensFeed, LensShop
from vitrina.lens.source import Sourced
from vitrina.settings import Settings
from vitrina.storage.database import Database
from vitrina.storage.secrets import SecretBox

SHOWN = 5

app = typer.Typer(
    help="Where offers come from: list, add and remove feeds, approve imports that are held.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
)

_Shop = Annotated[str, typer.Option("--shop", help="The shop's slug or name; it is made when it is new.")]
_Format = Annotated[str, typer.Option("--format", help=f"One of {', '.join(FORMATS)}; auto looks at the beginning.")]
_Full = Annotated[
    bool,
    typer.Option("--full/--partial", help="Whether an offer that the feed leaves out is gone, or stays as it is."),
]
_AllowFiles = Annotated[
    bool, typer.Option("--allow-files", help="A picture may be the path of a file in the feed's folder.")
]
_AllowPrivate = Annotated[
    bool, typer.Option("--allow-private", help="The feed's address may be in a network of yours.")
]
_Column = Annotated[
    list[str] | None,
    typer.Option(help="OURS=THEIRS for tables, such as name=Title; param:Colour=Farbe takes a parameter."),
]
_Currency = Annotated[str, typer.Option(help="Currency of prices that name none, such as EUR.")]
_Feed = Annotated[str, typer.Argument(help="Id of the feed, or its last eight letters, as in `list`.")]
_Import = Annotated[str, typer.Argument(help="Id of the import, or its last eight letters, as in `log`.")]


def import_(
    context: typer.Context,
    feeds: Annotated[list[str], typer.Argument(help="Files, folders of files, or addresses.", metavar="FEED…")],
    shop: _Shop,
    form: _Format = "auto",
    full: _Full = True,
    allow_files: _AllowFiles = False,
    allow_private: _AllowPrivate = False,
    column: _Column = None,
    currency: _Currency = "",
    as_json: AsJson = False,
) -> None:
    """Import feeds into the catalog: YML, Google Merchant (XML or TSV), Admitad's, CSV; packed with gzip or not.

    An import is a difference: new, changed, gone. It counts as a whole or not at all. A full feed that shrinks by
    more than a third is held until `vitrina lens feeds approve`. Exits with 2 when a feed failed, with 4 when held.

    \b
    Examples:
      vitrina lens import feed.xml --shop best-shop
      vitrina lens import https://shop.example/google.xml --shop "Best Shop" --currency EUR
      vitrina lens import changes.csv --shop best-shop --partial --column name=Title --column price=Cost --json
    """
    settings: Settings = context.obj
    given = [
        FeedSettings(
            source=one if is_address(one) else str(Path(one).absolute()),
            format=form,
            mode="full" if full else "partial",
            mapping=_mapping(column or []),
            allow_private=allow_private,
            allow_files=allow_files,
        )
        for one in feeds
    ]
    done = [_import_one(settings, shop, one, currency) for one in given]
    if as_json:
        print_json({"shop": done[0].shop, "imports": [_told(settings, one) for one in done]})
    else:
        for one, name in zip(done, feeds, strict=True):
            _show_import(settings, one, shown_name(name))
    _exit_as(done)


def shops_(context: typer.Context, as_json: AsJson = False) -> None:
    """List the shops with how many offers and pictures the catalog has of them.

    \b
    Example:
      vitrina lens shops --json
    """
    settings: Settings = context.obj
    with database_session(settings) as session:
        rows = shops.list_shops(session)
    counts = _counts(settings)
    if as_json:
        print_json([_shop(row, counts) for row in rows])
        return
    shown = Table(Column("shop", no_wrap=True), "name", "currency", "to", "network", "offers", "gone", "pictures")
    for row in rows:
        told = _shop(row, counts)
        pictures = told["pictures"]
        shown.add_row(
            row.slug if row.active else f"{row.slug} (off)",
            row.name,
            row.currency,
            ", ".join(row.countries),
            row.network,
            f"{told['offers']:,}",
            f"{told['gone']:,}",
            f"{sum(pictures.values()):,}" + (f" ({failed:,} failed)" if (failed := pictures.get("failed", 0)) else ""),
        )
    Console().print(shown)


def shop_(
    context: typer.Context,
    slug: Annotated[str, typer.Argument(help="The shop's slug: small letters, digits, hyphens.")],
    name: Annotated[str | None, typer.Option(help="The shop's name, as shoppers know it.")] = None,
    currency: Annotated[str | None, typer.Option(help="Currency of prices that name none, such as EUR.")] = None,
    country: Annotated[
        list[str] | None, typer.Option(help="Country it delivers to, such as DE; may be repeated.")
    ] = None,
    network: Annotated[str | None, typer.Option(help="Network that pays its cashback, such as admitad.")] = None,
    active: Annotated[bool | None, typer.Option("--on/--off", help="Whether its feeds are imported.")] = None,
    as_json: AsJson = False,
) -> None:
    """Make a shop, or change what is said about it.

    \b
    Examples:
      vitrina lens shop best-shop --name "Best Shop" --currency EUR --country DE --country AT
      vitrina lens shop best-shop --network admitad
    """
    with database_session(context.obj) as session:
        row = shops.save_shop(
            session,
            slug,
            by=whoami(),
            name=name,
            currency=currency,
            countries=country,
            network=network,
            active=active,
        )
    if as_json:
        print_json(_shop(row, _counts(context.obj)))
    else:
        Console().print(f"{row.slug}: {row.name}, {row.currency}", highlight=False, markup=False)


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
    with _catalog(settings) as catalog:
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
    shop: _Shop,
    cron: Annotated[
        str, typer.Option(help="When: minute, hour, week days, such as '15 *' or '30 4 mon-fri'.")
    ] = "30 4",
    timezone: Annotated[str, typer.Option(help="Clock of `--cron`; the setting `timezone` when left out.")] = "",
    form: _Format = "auto",
    full: _Full = True,
    allow_files: _AllowFiles = False,
    allow_private: _AllowPrivate = False,
    column: _Column = None,
    currency: _Currency = "",
    as_json: AsJson = False,
) -> None:
    """Have a feed imported again and again while `vitrina up` runs. Keys in its address are kept encrypted.

    \b
    Examples:
      vitrina lens feeds add https://shop.example/feed.xml --shop best-shop --cron "15 */2"
      vitrina lens feeds add "https://export.example/csv/?code=KEY" --shop best-shop --currency RUB
    """
    settings: Settings = context.obj
    given = FeedSettings(
        source=source if is_address(source) else str(Path(source).absolute()),
        format=form,
        mode="full" if full else "partial",
        mapping=_mapping(column or []),
        cron=cron,
        timezone=timezone or settings.timezone,
        allow_private=allow_private,
        allow_files=allow_files,
    )
    with database_session(settings) as session:
        slug = _shop_slug(session, shop)
        if currency or not _is_shop(session, slug):
            shops.save_shop(session, slug, by=whoami(), name=_name(shop, slug), currency=currency or None)
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
    with _catalog(context.obj) as catalog:
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


# ── importing ───────────────────────────────────────────────────────────────────────────────────


def _import_one(settings: Settings, shop: str, given: FeedSettings, currency: str) -> Imported:
    """The shop and the feed are made where they are new; the feed keeps its schedule where it has one."""
    settings.home.mkdir(parents=True, exist_ok=True, mode=0o700)
    database = Database(settings.database)
    try:
        database.migrate()
        with _bar() as on_progress, _fetched(settings, given, on_progress) as found:
            feed, row = _set_up(settings, database, shop, given, currency, found)
            return intake.take(settings, database, feed, row, found, on_progress=on_progress)
    finally:
        database.dispose()


def _fetched(
    settings: Settings, given: FeedSettings, on_progress: intake.Progress
) -> contextlib.AbstractContextManager[Sourced]:
    if is_address(given.source):
        check_address(given.source)
    return intake.fetched(settings.lens, given.source, allow_private=given.allow_private, on_progress=on_progress)


def _set_up(
    settings: Settings, database: Database, shop: str, given: FeedSettings, currency: str, found: Sourced
) -> tuple[LensFeed, LensShop]:
    with database.session() as session:
        slug = _shop_slug(session, shop)
        if not _is_shop(session, slug):
            name, said = intake.introduce(found.parts, form=given.format, mapping=given.mapping)
            if not (currency or said):
                raise InputError(f"shop {slug} is new and its feed names no currency: say it with --currency")
            shops.save_shop(
                session, slug, by=whoami(), name=_name(shop, slug) or name or None, currency=currency or said
            )
        elif currency:
            shops.save_shop(session, slug, by=whoami(), currency=currency)
        box = SecretBox(settings.home)
        known = shops.feed_of(session, slug, given.source, box=box)
        if known is not None:
            given = shops.with_schedule(given, known)
        feed = shops.save_feed(session, slug, given, box=box, by=whoami())
        return feed, shops.find_shop(session, slug)


def _decided(settings: Settings, done: Imported, what: str, *, as_json: bool) -> None:
    with database_session(settings) as session:
        shops.note_decision(session, done.import_id, done.shop, what, by=whoami())
    if as_json:
        print_json(_told(settings, done))
    else:
        Console().print(intake.sentence(done), highlight=False, markup=False)


@contextlib.contextmanager
def _bar() -> Iterator[intake.Progress]:
    """A bar on standard error, so that an answer in JSON stays one."""
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("opening", total=None)

        def on_progress(what: str, done: int, all_: int) -> None:
            progress.update(task, description=f"{what} {done / 1e6:,.0f} MB", completed=done, total=all_ or None)

        yield on_progress


def _exit_as(done: list[Imported]) -> None:
    states = {one.state for one in done}
    if FAILED in states:
        raise typer.Exit(2)
    if HELD in states:
        raise typer.Exit(4)


# ── showing ─────────────────────────────────────────────────────────────────────────────────────


def _show_import(settings: Settings, done: Imported, name: str) -> None:
    out = Console(soft_wrap=True, highlight=False, markup=False)
    out.print(f"{name}: {intake.sentence(done)}")
    with _catalog(settings) as catalog:
        rejects = store.rejects(catalog, done.import_id, limit=SHOWN)
    for row in rejects:
        out.print(f"  line {row['line']}: offer {row['offer_id'] or '?'}: {row['reason']}")
    if done.rejected > len(rejects) > 0:
        rest = done.rejected - len(rejects)
        out.print(f"  and {rest:,} more: vitrina lens feeds log --rejects {done.import_id[-8:]}")
    for note in done.notes:
        out.print(f"  {note}")


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


def shown_name(source: str) -> str:
    """How a feed is called on the screen: without what may be secret."""
    return hide(source)[0] if is_address(source) else source


def _told(settings: Settings, done: Imported) -> dict[str, Any]:
    with _catalog(settings) as catalog:
        rejects = [dict(row) for row in store.rejects(catalog, done.import_id)]
    return asdict(done) | {"rejects": rejects}


@contextlib.contextmanager
def _catalog(settings: Settings) -> Iterator[Any]:
    with contextlib.closing(store.open_catalog(settings.lens / "catalog.db")) as catalog:
        yield catalog


def _counts(settings: Settings) -> dict[str, store.ShopCount]:
    with _catalog(settings) as catalog:
        return store.counts(catalog)


def _shop(row: LensShop, counts: dict[str, store.ShopCount]) -> dict[str, Any]:
    count = counts.get(row.slug, store.ShopCount(0, 0, {}))
    told = ("slug", "name", "currency", "countries", "network", "active")
    return {key: getattr(row, key) for key in told} | asdict(count)


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


# ── what was typed ──────────────────────────────────────────────────────────────────────────────


def _mapping(typed: list[str]) -> dict[str, str]:
    pairs = [one.partition("=") for one in typed]
    wrong = next((ours for ours, equals, theirs in pairs if not (ours and equals and theirs)), None)
    if wrong is not None:
        raise InputError(f"--column: expected OURS=THEIRS such as name=Title, got {wrong!r}")
    return {ours.strip(): theirs.strip() for ours, _, theirs in pairs}


def _shop_slug(session: Any, shop: str) -> str:
    return shop if _is_shop(session, shop) else shops.slug_of(shop)


def _is_shop(session: Any, slug: str) -> bool:
    try:
        shops.find_shop(session, slug)
    except NotFoundError:
        return False
    return True


def _name(shop: str, slug: str) -> str | None:
    """What was typed, where it is more than the slug."""
    return shop if shop != slug else None
