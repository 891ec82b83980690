"""The shops whose offers are searched, and the feeds that tell them: what somebody set up."""

from __future__ import annotations

import difflib
import json
import re
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, Session, mapped_column

from vitrina.errors import ConflictError, InputError, NotFoundError
from vitrina.lens.address import check_address, hide, is_address, names_the_same, reveal
from vitrina.product import check_currency, new_id
from vitrina.storage.audit import record
from vitrina.storage.database import Base
from vitrina.storage.secrets import SecretBox
from vitrina.work.cron import parse_cron

MODES = ("full", "partial")
FORMATS = ("auto", "yml", "google", "csv")
SLUG = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")


class LensShop(Base):
    """A shop in the web. countries: ISO 3166 codes it delivers to, none: not said. network: who pays its cashback."""

    __tablename__ = "lens_shops"

    slug: Mapped[str] = mapped_column(sa.String(64), primary_key=True)
    name: Mapped[str] = mapped_column(sa.String(200))
    currency: Mapped[str] = mapped_column(sa.String(3))
    countries: Mapped[list[str]]
    network: Mapped[str] = mapped_column(sa.String(64))
    active: Mapped[bool]
    created_at: Mapped[datetime]


class LensFeed(Base):
    """Where a shop's offers come from.

    source: a path, or an address with `***` for what may be secret; secrets: those, sealed, in their order.
    mode: full (what is left out is gone) or partial. mapping: our column → theirs, for tables. cron: minute, hour,
    week day in `timezone`; "": imported by hand. etag, last_modified: of what was imported last.
    """

    __tablename__ = "lens_feeds"

    feed_id: Mapped[str] = mapped_column(sa.String(36), primary_key=True)
    shop: Mapped[str] = mapped_column(sa.ForeignKey(LensShop.slug), index=True)
    source: Mapped[str] = mapped_column(sa.Text)
    secrets: Mapped[str | None] = mapped_column(sa.Text)
    format: Mapped[str] = mapped_column(sa.String(16))
    mode: Mapped[str] = mapped_column(sa.String(16))
    mapping: Mapped[dict[str, Any]]
    cron: Mapped[str] = mapped_column(sa.String(100))
    timezone: Mapped[str] = mapped_column(sa.String(64))
    allow_private: Mapped[bool]
    allow_files: Mapped[bool]
    active: Mapped[bool]
    etag: Mapped[str] = mapped_column(sa.Text)
    last_modified: Mapped[str] = mapped_column(sa.String(200))
    next_at: Mapped[datetime | None]
    created_at: Mapped[datetime]


@dataclass(frozen=True, slots=True)
class FeedSettings:
    """What somebody enters. source: a path or an address with all its secrets."""

    source: str
    format: str = "auto"
    mode: str = "full"
    mapping: dict[str, str] = field(default_factory=dict)
    cron: str = ""
    timezone: str = "UTC"
    allow_private: bool = False
    allow_files: bool = False


# ── shops ───────────────────────────────────────────────────────────────────────────────────────


def list_shops(session: Session) -> list[LensShop]:
    """Every shop, by slug."""
    return list(session.scalars(sa.select(LensShop).order_by(LensShop.slug)))


def find_shop(session: Session, slug: str) -> LensShop:
    """Raises NotFoundError, with the slug that may have been meant."""
    shop = session.get(LensShop, slug)
    if shop is not None:
        return shop
    slugs = [row.slug for row in list_shops(session)]
    near = difflib.get_close_matches(slug, slugs, n=1)
    if near:
        raise NotFoundError(f"there is no shop {slug!r}; did you mean {near[0]}?")
    known = f"there are {', '.join(slugs[:10])}" if slugs else "there is none yet: vitrina lens import FEED --shop NAME"
    raise NotFoundError(f"there is no shop {slug!r}; {known}")


def slug_of(name: str) -> str:
    """`Best Shop` → `best-shop`; a slug stays as it is. Raises InputError where nothing is left."""
    slug = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:64].rstrip("-")
    if not slug:
        raise InputError(f"shop: expected a name with Latin letters or digits, such as best-shop, got {name!r}")
    return slug


def save_shop(
    session: Session,
    slug: str,
    *,
    by: str,
    name: str | None = None,
    currency: str | None = None,
    countries: list[str] | None = None,
    network: str | None = None,
    active: bool | None = None,
) -> LensShop:
    """Make the shop, or change what is given and leave the rest. A new one needs a currency. Raises InputError."""
    if not SLUG.fullmatch(slug):
        raise InputError(f"shop: expected small letters, digits and hyphens, such as best-shop, got {slug!r}")
    if currency is not None:
        check_currency(currency)
    _check_countries(countries or [])
    shop = session.get(LensShop, slug)
    before = _told_shop(shop) if shop else None
    if shop is None:
        if currency is None:
            raise InputError(f"shop {slug}: expected the currency of its prices, such as EUR")
        shop = LensShop(
            slug=slug,
            name=slug,
            currency=currency,
            countries=[],
            network="",
            active=True,
            created_at=datetime.now(UTC),
        )
        session.add(shop)
    given = {"name": name, "currency": currency, "countries": countries, "network": network, "active": active}
    for key, value in given.items():
        if value is not None:
            setattr(shop, key, value)
    session.flush()
    if _told_shop(shop) != before:
        record(session, by, "lens.shop.save", f"lens-shop:{slug}", before, _told_shop(shop))
    return shop


# ── feeds ───────────────────────────────────────────────────────────────────────────────────────


def list_feeds(session: Session, *, shop: str | None = None) -> list[LensFeed]:
    """Oldest first."""
    query = sa.select(LensFeed).order_by(LensFeed.feed_id)
    return list(session.scalars(query if shop is None else query.where(LensFeed.shop == shop)))


def find_feed(session: Session, feed_id: str) -> LensFeed:
    """By its id, or by the last letters of it. Raises NotFoundError."""
    exact = session.get(LensFeed, feed_id)
    if exact is not None:
        return exact
    ending = sa.select(LensFeed).where(LensFeed.feed_id.endswith(feed_id, autoescape=True))
    found = list(session.scalars(ending.limit(2))) if len(feed_id) >= 4 else []
    if len(found) != 1:
        raise NotFoundError(f"there is no feed {feed_id!r}; `vitrina lens feeds list` shows them")
    return found[0]


def feed_of(session: Session, shop: str, source: str, *, box: SecretBox) -> LensFeed | None:
    """The shop's feed with this source, whatever its keys are; another number of a feed in its query is another one."""
    shown = hide(source)[0] if is_address(source) else source
    alike = sa.select(LensFeed).where(LensFeed.shop == shop, LensFeed.source == shown).order_by(LensFeed.feed_id)
    return next((row for row in session.scalars(alike) if names_the_same(feed_source(row, box), source)), None)


def add_feed(session: Session, shop: str, given: FeedSettings, *, box: SecretBox, by: str) -> LensFeed:
    """Raises InputError for what does not fit, ConflictError when the shop has a feed with this source."""
    find_shop(session, shop)
    _check_feed(given)
    if feed_of(session, shop, given.source, box=box) is not None:
        raise ConflictError(f"shop {shop} has this feed already; `vitrina lens feeds list` shows it")
    feed = LensFeed(feed_id=new_id(), shop=shop, active=True, etag="", last_modified="", created_at=datetime.now(UTC))
    _fill(feed, given, box)
    session.add(feed)
    session.flush()
    record(session, by, "lens.feed.add", f"lens-feed:{feed.feed_id}", None, _told_feed(feed))
    return feed


def save_feed(session: Session, shop: str, given: FeedSettings, *, box: SecretBox, by: str) -> LensFeed:
    """The shop's feed with this source, made or changed to what is given."""
    feed = feed_of(session, shop, given.source, box=box)
    if feed is None:
        return add_feed(session, shop, given, box=box, by=by)
    _check_feed(given)
    before, sealed = _told_feed(feed), feed.secrets
    kept = feed_source(feed, box) == given.source
    _fill(feed, given, box)
    if kept:
        feed.secrets = sealed  # sealed anew it would look changed
    session.flush()
    if _told_feed(feed) != before or not kept:
        record(session, by, "lens.feed.save", f"lens-feed:{feed.feed_id}", before, _told_feed(feed))
    return feed


def keep_version(session: Session, feed_id: str, etag: str, last_modified: str) -> None:
    """What the server called what was imported last; "" where it must come again."""
    session.execute(
        sa.update(LensFeed).where(LensFeed.feed_id == feed_id).values(etag=etag, last_modified=last_modified)
    )


def with_schedule(given: FeedSettings, feed: LensFeed) -> FeedSettings:
    """What was typed, with the feed's own times: who imports by hand does not mean to end them."""
    return replace(given, cron=feed.cron, timezone=feed.timezone)


def note_decision(session: Session, import_id: str, shop: str, what: str, *, by: str) -> None:
    """Write into the audit log who let a held import count, or refused it."""
    record(session, by, f"lens.import.{what}", f"lens-shop:{shop}", None, {"import": import_id})


def remove_feed(session: Session, feed_id: str, *, by: str) -> LensFeed:
    """Its offers stay in the catalog until `importing.retire_feed` ends them.

    What another feed of the shop has of them too comes back with its next import, so that must not be left out because
    its server says that nothing changed.
    """
    feed = find_feed(session, feed_id)
    session.execute(sa.update(LensFeed).where(LensFeed.shop == feed.shop).values(etag="", last_modified=""))
    record(session, by, "lens.feed.remove", f"lens-feed:{feed.feed_id}", _told_feed(feed), None)
    session.delete(feed)
    session.flush()
    return feed


def feed_source(feed: LensFeed, box: SecretBox) -> str:
    """What can be opened, with its secrets: hand it to nothing that logs."""
    return reveal(feed.source, json.loads(box.open(feed.secrets))) if feed.secrets else feed.source


def due_feeds(session: Session, now: datetime) -> list[LensFeed]:
    """Feeds whose time has come, of shops that are on."""
    due = sa.select(LensFeed).join(LensShop, LensShop.slug == LensFeed.shop)
    return list(session.scalars(due.where(LensFeed.active, LensShop.active, LensFeed.next_at <= now)))


def _fill(feed: LensFeed, given: FeedSettings, box: SecretBox) -> None:
    shown, secrets = hide(given.source) if is_address(given.source) else (given.source, ())
    if (feed.format, feed.mapping, feed.allow_files) != (given.format, given.mapping, given.allow_files):
        feed.etag = feed.last_modified = ""  # the same bytes say something else now
    feed.source, feed.secrets = shown, box.seal(json.dumps(secrets)) if secrets else None
    feed.format, feed.mode, feed.mapping = given.format, given.mode, dict(given.mapping)
    feed.allow_private, feed.allow_files = given.allow_private, given.allow_files
    if (feed.cron, feed.timezone) != (given.cron, given.timezone):
        cron = parse_cron(given.cron, given.timezone) if given.cron else None
        feed.next_at = cron.next_after(datetime.now(UTC)) if cron else None
    feed.cron, feed.timezone = given.cron, given.timezone


def _check_feed(given: FeedSettings) -> None:
    if is_address(given.source):
        check_address(given.source)
    elif not given.source or not Path(given.source).is_absolute():
        raise InputError(f"feed: expected an address or a whole path, got {given.source!r}")
    if given.mode not in MODES:
        raise InputError(f"mode: expected one of {', '.join(MODES)}, got {given.mode!r}")
    if given.format not in FORMATS:
        raise InputError(f"format: expected one of {', '.join(FORMATS)}, got {given.format!r}")
    if given.cron:
        parse_cron(given.cron, given.timezone)


def _check_countries(countries: list[str]) -> None:
    wrong = next((one for one in countries if not re.fullmatch(r"[A-Z]{2}", one)), None)
    if wrong is not None:
        raise InputError(f"countries: expected codes of two letters such as DE, got {wrong!r}")


def _told_shop(shop: LensShop) -> dict[str, Any]:
    told = ("name", "currency", "countries", "network", "active")
    return {key: getattr(shop, key) for key in told}


def _told_feed(feed: LensFeed) -> dict[str, Any]:
    told = ("shop", "source", "format", "mode", "mapping", "cron", "timezone", "allow_private", "allow_files", "active")
    return {key: getattr(feed, key) for key in told}
