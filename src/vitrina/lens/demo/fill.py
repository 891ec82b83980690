"""The demo's catalog, drawn, imported and searchable; done by a job, so that nobody waits for the first page."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import UTC, datetime

from vitrina.lens import intake, shops, terms
from vitrina.lens.demo.goods import SHOPS
from vitrina.lens.demo.write import COUNT, slug, write_demo
from vitrina.lens.shops import FeedSettings, list_shops
from vitrina.lens.sync import sync_all
from vitrina.lens.terms import TermSettings
from vitrina.settings import Settings
from vitrina.storage.database import Database
from vitrina.storage.secrets import SecretBox

JOB = "demo.lens"
BY = "demo"
PERCENT = ("5", "7.5", "3", "10", "4")
"""Cashback of each shop; the fourth gives more on shoes besides."""


def fill(
    settings: Settings,
    database: Database,
    *,
    count: int = COUNT,
    on_progress: Callable[[int, int], None] = lambda _done, _all: None,
) -> str:
    """Does nothing where shops are there already, but for what was not looked at yet. on_progress may raise to end."""
    with database.reading() as session:
        is_there = len(list_shops(session)) >= len(SHOPS)
    if not is_there:
        folder = settings.lens / "demo"
        feeds = write_demo(folder, count=count, on_progress=on_progress)
        for number, (name, path) in enumerate(feeds):
            feed_id = _set_up(settings, database, number, name, str(path))
            intake.take_in(settings, database, feed_id)
        samples = settings.lens / "samples"
        shutil.rmtree(samples, ignore_errors=True)
        (folder / "samples").rename(samples)
    done = sync_all(settings, database, on_progress=lambda _step, some, all_: on_progress(some, all_))
    return f"{done.products:,} simulated products"


def _set_up(settings: Settings, database: Database, number: int, name: str, source: str) -> str:
    """The shop with its terms, and its feed; what a run that was stopped has made already stays."""
    with database.session() as session:
        shops.save_shop(session, slug(number), by=BY, name=name, currency="EUR", countries=["DE", "LV", "FR"])
        known = next((feed.feed_id for feed in shops.list_feeds(session, shop=slug(number))), None)
        if known is not None:
            return known
        given = FeedSettings(source=source, allow_files=True)
        feed_id = shops.add_feed(session, slug(number), given, box=SecretBox(settings.home), by=BY).feed_id
        today = datetime.now(UTC).date()
        terms.set_term(session, TermSettings(shop=slug(number), percent=PERCENT[number]), by=BY, today=today)
        if number == 3:
            shoes = TermSettings(shop=slug(number), category=("Shoes",), percent="12")
            terms.set_term(session, shoes, by=BY, today=today)
        return feed_id
