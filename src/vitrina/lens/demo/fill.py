"""The demo's catalog: drawn once, imported as any shop's is, and made searchable; by a job, so that nobody waits."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import date
from functools import partial
from pathlib import Path

from vitrina.lens import intake, shops
from vitrina.lens.demo.assortment import CURRENCY, SHOPS, DemoShop
from vitrina.lens.demo.feedtext import file_name
from vitrina.lens.demo.home import NETWORK, shop_folder
from vitrina.lens.demo.write import PRODUCTS, write_shops
from vitrina.lens.networks import list_programs, set_program
from vitrina.lens.shops import FeedSettings
from vitrina.lens.store import LEVELS
from vitrina.lens.sync import sync_all
from vitrina.lens.terms import TermSettings, list_terms, set_term
from vitrina.settings import Settings
from vitrina.storage.database import Database
from vitrina.storage.secrets import SecretBox

MADE_BY = "demo"
FIRST_DAY = date(2026, 1, 1)

Progress = Callable[[int, int], None]
"""Called with how much of a step is done, and how much there is; what it raises ends the work."""


def fill(
    settings: Settings,
    database: Database,
    *,
    products: int = PRODUCTS,
    on_progress: Progress = lambda _done, _all: None,
) -> str:
    """Twice changes nothing; what was ended in the middle goes on.

    All is done only from where photos find everything; then pictures are compared, for minutes.
    """

    def told(step: str, done: int, all_: int) -> None:
        on_progress(*((1, 1) if step == "pairs" else (done, all_ + 1)))

    folder = shop_folder(settings)
    write_shops(folder, products=products, workers=os.cpu_count() or 1, on_progress=partial(told, "drawing"))
    for shop in SHOPS:
        intake.take_in(settings, database, _set_up(settings, database, shop, folder))
    point_links(settings, database)
    done = sync_all(settings, database, on_progress=told)
    return f"{done.products:,} simulated products"


def point_links(settings: Settings, database: Database) -> None:
    """Let the shops' links end at this demo's own pages, wherever it listens today."""
    with database.session() as session:
        there, programs = {shop.slug for shop in shops.list_shops(session)}, list_programs(session)
        for shop in SHOPS:
            base = f"{settings.base_url}/demo/shops/{shop.slug}"
            if shop.slug in there and (shop.slug not in programs or programs[shop.slug].base != base):
                set_program(session, shop.slug, NETWORK, base=base, by=MADE_BY)


def _set_up(settings: Settings, database: Database, shop: DemoShop, folder: Path) -> str:
    """Shop, cashback terms and feed in the database; gives the feed's id."""
    feed = FeedSettings(str((folder / shop.slug / file_name(shop)).resolve()), allow_files=True)
    with database.session() as session:
        shops.save_shop(
            session, shop.slug, by=MADE_BY, name=shop.name, currency=CURRENCY, countries=list(shop.countries)
        )
        if not list_terms(session, shop=shop.slug):
            for category, given in shop.cashback.items():
                set_term(session, _term(shop, category, given), by=MADE_BY, today=FIRST_DAY)
        return shops.save_feed(session, shop.slug, feed, box=SecretBox(settings.home), by=MADE_BY).feed_id


def _term(shop: DemoShop, category: str, given: str) -> TermSettings:
    levels = tuple(category.split(LEVELS)) if category else ()
    if given.endswith("%"):
        return TermSettings(shop.slug, levels, percent=given.removesuffix("%"), first=FIRST_DAY)
    return TermSettings(shop.slug, levels, amount=given, currency=CURRENCY, first=FIRST_DAY)
