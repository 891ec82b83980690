"""`vitrina lens import`: what shops sell, from their feeds into the catalog."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import asdict
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn

from vitrina.cli.connect import AsJson, print_json, whoami
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
from vitrina.errors import InputError
from vitrina.lens import intake, shops, store
from vitrina.lens.address import check_address, hide, is_address
from vitrina.lens.importing import FAILED, HELD, Imported
from vitrina.lens.shops import FeedSettings, LensFeed, LensShop
from vitrina.lens.source import Sourced
from vitrina.settings import Settings
from vitrina.storage.database import Database
from vitrina.storage.secrets import SecretBox

SHOWN = 5


def import_(
    context: typer.Context,
    feeds: Annotated[list[str], typer.Argument(help="Files, folders of files, or addresses.", metavar="FEED…")],
    shop: ShopName,
    form: Format = "auto",
    full: Full = True,
    allow_files: AllowFiles = False,
    allow_private: AllowPrivate = False,
    column: Columns = None,
    currency: Currency = "",
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
    given = [feed_typed(one, form, full, column, allow_files=allow_files, allow_private=allow_private) for one in feeds]
    done = [_import_one(settings, shop, one, currency) for one in given]
    if as_json:
        print_json({"shop": done[0].shop, "imports": [told_import(settings, one) for one in done]})
    else:
        for one, name in zip(done, feeds, strict=True):
            _show(settings, one, shown_name(name))
    _exit_as(done)


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
        slug = slug_typed(session, shop)
        if not is_shop(session, slug):
            name, said = intake.introduce(found.parts, form=given.format, mapping=given.mapping)
            if not (currency or said):
                raise InputError(f"shop {slug} is new and its feed names no currency: say it with --currency")
            shops.save_shop(
                session, slug, by=whoami(), name=name_typed(shop, slug) or name or None, currency=currency or said
            )
        elif currency:
            shops.save_shop(session, slug, by=whoami(), currency=currency)
        box = SecretBox(settings.home)
        known = shops.feed_of(session, slug, given.source, box=box)
        if known is not None:
            given = shops.with_schedule(given, known)
        feed = shops.save_feed(session, slug, given, box=box, by=whoami())
        return feed, shops.find_shop(session, slug)


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


def _show(settings: Settings, done: Imported, name: str) -> None:
    out = Console(soft_wrap=True, highlight=False, markup=False)
    out.print(f"{name}: {intake.sentence(done)}")
    with open_catalog(settings) as catalog:
        rejects = store.rejects(catalog, done.import_id, limit=SHOWN)
    for row in rejects:
        out.print(f"  line {row['line']}: offer {row['offer_id'] or '?'}: {row['reason']}")
    if done.rejected > len(rejects) > 0:
        rest = done.rejected - len(rejects)
        out.print(f"  and {rest:,} more: vitrina lens feeds log --rejects {done.import_id[-8:]}")
    for note in done.notes:
        out.print(f"  {note}")


def shown_name(source: str) -> str:
    """How a feed is called on the screen: without what may be secret."""
    return hide(source)[0] if is_address(source) else source


def told_import(settings: Settings, done: Imported) -> dict[str, Any]:
    with open_catalog(settings) as catalog:
        rejects = [dict(row) for row in store.rejects(catalog, done.import_id)]
    return asdict(done) | {"rejects": rejects}


@contextlib.contextmanager
def open_catalog(settings: Settings) -> Iterator[Any]:
    with contextlib.closing(store.open_catalog(settings.lens / "catalog.db")) as catalog:
        yield catalog
