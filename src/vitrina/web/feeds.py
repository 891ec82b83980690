"""How the catalog's feeds are: what the manager's page, its file and the API tell alike."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeVar

from vitrina.lens import census, store
from vitrina.lens.importing import FAILED, HELD
from vitrina.lens.shops import LensFeed, find_shop, list_feeds, list_shops
from vitrina.web.site import Site

Row = TypeVar("Row")


@dataclass(frozen=True, slots=True)
class Feed:
    """A feed as it is now. offers: live ones. pictures_waiting: not fetched yet. pictures_failed: some are tried again.

    state, reason, rejected, tried_at: of the newest import; "" and None before the first. held_import: the id of one
    that waits for a person, else "". good_at: when a feed was imported whole, or found unchanged, last.
    """

    feed_id: str
    shop: str
    shop_name: str
    source: str
    mode: str
    cron: str
    next_at: datetime | None
    offers: int
    gone: int
    rejected: int
    pictures_ok: int
    pictures_waiting: int
    pictures_failed: int
    state: str
    reason: str
    held_import: str
    tried_at: datetime | None
    good_at: datetime | None

    @property
    def name(self) -> str:
        """The last part of its address or path."""
        return self.source.partition("?")[0].rstrip("/").rpartition("/")[2] or self.source

    @property
    def level(self) -> str:
        """ok, warn (a person is asked, or a part is missing), fail (the newest import failed), none."""
        if not self.state:
            return "none"
        if self.state == FAILED:
            return "fail"
        return "warn" if self.state == HELD or self.rejected or self.pictures_failed else "ok"


NO_HEALTH = census.FeedHealth(0, 0, {}, None, None)


def feeds_now(site: Site) -> list[Feed]:
    """Those in trouble first, then by shop."""
    with site.database.reading() as session:
        names = {shop.slug: shop.name for shop in list_shops(session)}
        rows = list_feeds(session)
        health = _health(site, [row.feed_id for row in rows])
        found = [_told(row, names[row.shop], health.get(row.feed_id, NO_HEALTH)) for row in rows]
    order = ("fail", "warn", "none", "ok")
    return sorted(found, key=lambda one: (order.index(one.level), one.shop_name))


def feed_now(site: Site, feed_id: str) -> Feed | None:
    with site.database.reading() as session:
        row = session.get(LensFeed, feed_id)
        if row is None:
            return None
        return _told(row, find_shop(session, row.shop).name, _health(site, [feed_id]).get(feed_id, NO_HEALTH))


def _told(row: LensFeed, shop_name: str, known: census.FeedHealth) -> Feed:
    last = known.last
    return Feed(
        feed_id=row.feed_id,
        shop=row.shop,
        shop_name=shop_name,
        source=row.source,
        mode=row.mode,
        cron=row.cron,
        next_at=row.next_at,
        offers=known.offers,
        gone=known.gone,
        rejected=last["rejected"] if last else 0,
        pictures_ok=known.pictures.get("ok", 0),
        pictures_waiting=known.pictures.get("new", 0),
        pictures_failed=known.pictures.get("failed", 0) + known.pictures.get("retry", 0),
        state=last["state"] if last else "",
        reason=last["reason"] if last else "",
        held_import=last["import_id"] if last and last["state"] == HELD else "",
        tried_at=when(last["started_at"]) if last else None,
        good_at=when(known.last_good_at),
    )


def opened(site: Site) -> closing[sqlite3.Connection]:
    return closing(store.open_catalog(site.settings.lens / "catalog.db"))


def of_newest_import(site: Site, feed_id: str, read: Callable[[sqlite3.Connection, str], list[Row]]) -> list[Row]:
    """read: such as `store.rejects` or `store.notes`. Nothing before the first import."""
    if not (site.settings.lens / "catalog.db").exists():
        return []
    with opened(site) as catalog:
        last = store.imports(catalog, feed_id=feed_id, limit=1)
        return read(catalog, last[0]["import_id"]) if last else []


def _health(site: Site, feed_ids: Sequence[str]) -> Mapping[str, census.FeedHealth]:
    if not (site.settings.lens / "catalog.db").exists():
        return {}
    with opened(site) as catalog:
        return census.feed_health(catalog, feed_ids)


def when(t: float | None) -> datetime | None:
    """Seconds of the catalog's clock as a moment."""
    return None if t is None else datetime.fromtimestamp(t, UTC)
