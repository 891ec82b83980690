"""A feed that somebody set up, fetched and imported: what the command and the job do alike."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from vitrina.errors import InputError, VitrinaError
from vitrina.lens import importing, shops, store
from vitrina.lens.feed.reading import read_feed
from vitrina.lens.importing import DONE, FAILED, UNCHANGED, Imported
from vitrina.lens.offer import Offer
from vitrina.lens.reader import Order, Part
from vitrina.lens.shops import LensFeed, LensShop
from vitrina.lens.source import Sourced, open_source
from vitrina.outlet.download import UNKNOWN, Version
from vitrina.product import new_id
from vitrina.settings import Settings
from vitrina.storage.database import Database
from vitrina.storage.secrets import SecretBox
from vitrina.work.cron import parse_cron
from vitrina.work.jobs import enqueue
from vitrina.work.worker import Handler, RunningJob

IMPORT_JOB, DUE_JOB, SYNC_JOB = "lens.import", "lens.due", "lens.sync"
LEFT_S = 86_400.0
LOOKED_AT = 200
"""So many records of a feed are looked at to find out its currency."""

Progress = Callable[[str, int, int], None]
"""Called with what is done ("fetching", "reading"), how much of it, and how much there is (0: not known)."""


def say_nothing(_what: str, _done: int, _all: int) -> None:
    pass


def take_in(settings: Settings, database: Database, feed_id: str, *, on_progress: Progress = say_nothing) -> Imported:
    """Fetch a feed that is set up, and import it if it changed; how it ended is in the catalog as well."""
    with database.reading() as session:
        feed = shops.find_feed(session, feed_id)
        shop = shops.find_shop(session, feed.shop)
        known = _known_version(settings.lens, feed)
    source = shops.feed_source(feed, SecretBox(settings.home)) if feed.secrets else feed.source
    try:
        with fetched(settings.lens, source, known, allow_private=feed.allow_private, on_progress=on_progress) as found:
            return take(settings, database, feed, shop, found, on_progress=on_progress)
    except VitrinaError as error:
        if not _is_written_down(settings.lens, feed.feed_id, str(error)):
            importing.note_failed(settings.lens, order_of(feed, shop), str(error))
        raise


def take(
    settings: Settings,
    database: Database,
    feed: LensFeed,
    shop: LensShop,
    found: Sourced,
    *,
    on_progress: Progress = say_nothing,
) -> Imported:
    """Import what was fetched, and keep its version once all of it counts."""
    order = order_of(feed, shop)
    if found.is_unchanged:
        return importing.note_unchanged(settings.lens, order, "its server says that nothing changed")
    size = sum(part.size for part in found.parts)
    done = importing.import_feed(
        settings.lens, order, found.parts, on_progress=lambda bytes_, _: on_progress("reading", bytes_, size)
    )
    version = found.version if done.state == DONE and not done.reason else UNKNOWN
    if (feed.etag, feed.last_modified) != (version.etag, version.last_modified):
        with database.session() as session:
            shops.keep_version(session, feed.feed_id, version.etag, version.last_modified)
    return done


@contextlib.contextmanager
def fetched(
    folder: Path,
    source: str,
    known: Version = UNKNOWN,
    *,
    allow_private: bool = False,
    on_progress: Progress = say_nothing,
) -> Iterator[Sourced]:
    """What is at the source, as long as the block lasts."""
    _forget_left(folder / "fetched")
    cache = folder / "fetched" / new_id()
    try:
        yield open_source(
            source,
            cache=cache,
            known=known,
            allow_private=allow_private,
            on_progress=lambda got, all_: on_progress("fetching", got, all_),
        )
    finally:
        cache.unlink(missing_ok=True)
        cache.with_name(f"{cache.name}.part").unlink(missing_ok=True)


def _forget_left(folder: Path) -> None:
    """What a process that was killed had fetched."""
    for file in folder.glob("*"):
        if file.stat().st_mtime < time.time() - LEFT_S:
            file.unlink(missing_ok=True)


def order_of(feed: LensFeed, shop: LensShop) -> Order:
    return Order(
        shop=shop.slug,
        feed_id=feed.feed_id,
        currency=shop.currency,
        format=feed.format,
        is_full=feed.mode == "full",
        mapping=feed.mapping,
        allow_files=feed.allow_files,
    )


def introduce(parts: tuple[Part, ...], *, form: str, mapping: dict[str, str]) -> tuple[str, str]:
    """What a feed calls its shop and its currency, "" for what it does not say.

    Raises InputError for what is no feed.
    """
    with parts[0].open() as stream:
        reading = read_feed(stream, "", form=form, mapping=mapping, name=parts[0].name)
        for number, one in enumerate(reading):
            if isinstance(one, Offer):
                return reading.facts.shop_name, reading.facts.currency or one.price.currency
            if number >= LOOKED_AT:
                break
        return reading.facts.shop_name, reading.facts.currency


# ── jobs ────────────────────────────────────────────────────────────────────────────────────────


def handlers(settings: Settings, database: Database) -> dict[str, Handler]:
    """What the jobs process does for feeds, by the job's name."""

    def import_feed(job: RunningJob) -> str:
        return import_job(settings, database, job)

    def enqueue_due(_job: RunningJob) -> str:
        return f"{plan_due(database, datetime.now(UTC))} imports"

    return {IMPORT_JOB: import_feed, DUE_JOB: enqueue_due}


def import_job(settings: Settings, database: Database, job: RunningJob) -> str:
    """Handler of `lens.import`."""

    def on_progress(_what: str, done: int, all_: int) -> None:
        job.check()
        job.progress = done / all_ if all_ else 0.0

    done = take_in(settings, database, str(job.payload["feed"]), on_progress=on_progress)
    if done.state == FAILED:
        raise InputError(done.reason)
    if done.new or done.changed or done.gone:
        with database.session() as session:
            enqueue(session, SYNC_JOB, {"shops": []}, key=f"lens-sync:{done.import_id}")
    return sentence(done)


def plan_due(database: Database, now: datetime) -> int:
    """Enqueue an import of each feed whose time has come; one that was missed for days comes once."""
    with database.reading() as session:
        if not shops.due_feeds(session, now):
            return 0
    with database.session() as session:
        due = shops.due_feeds(session, now)
        for feed in due:
            at = feed.next_at or now
            key = f"lens-feed:{feed.feed_id}:{at.astimezone(UTC).isoformat(timespec='minutes')}"
            enqueue(session, IMPORT_JOB, {"feed": feed.feed_id}, key=key)
            feed.next_at = parse_cron(feed.cron, feed.timezone).next_after(now) if feed.cron else None
        return len(due)


def sentence(done: Imported) -> str:
    """How an import ended, for a log and a command line."""
    if done.state == UNCHANGED:
        return f"unchanged: {done.reason}"
    if done.state == FAILED:
        return f"failed: {done.reason}"
    noun = "offer" if done.offers == 1 else "offers"
    counts = (
        f"{done.offers:,} {noun}: {done.new:,} new, {done.changed:,} changed, {done.gone:,} gone, "
        f"{done.unchanged:,} unchanged; {done.rejected:,} rejected"
    )
    return f"{done.state}: {done.reason}; {counts}" if done.reason else counts


def _known_version(folder: Path, feed: LensFeed) -> Version:
    """Only what the catalog has need not come again: it may have been made anew since."""
    if not (feed.etag or feed.last_modified) or not (folder / "catalog.db").exists():
        return UNKNOWN
    with contextlib.closing(store.open_catalog(folder / "catalog.db")) as catalog:
        there = any(row["state"] == DONE for row in store.imports(catalog, feed_id=feed.feed_id, limit=1000))
    return Version(feed.etag, feed.last_modified) if there else UNKNOWN


def _is_written_down(folder: Path, feed_id: str, reason: str) -> bool:
    with contextlib.closing(store.open_catalog(folder / "catalog.db")) as catalog:
        last = store.imports(catalog, feed_id=feed_id, limit=1)
    return bool(last) and last[0]["state"] == FAILED and last[0]["reason"] == reason[:1000]
