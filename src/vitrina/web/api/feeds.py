"""The feeds of the catalog over `/api/v1`: how each is, and what was left out of it and why."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from functools import partial

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from vitrina.errors import NotFoundError
from vitrina.lens import store
from vitrina.web.api.routes import PREFIX, PROBLEMS
from vitrina.web.auth import Who
from vitrina.web.feeds import Feed, feed_now, feeds_now, of_newest_import
from vitrina.web.site import Site, TheSite

router = APIRouter(prefix=PREFIX + "/lens/feeds", responses=PROBLEMS)


class FeedNow(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    feed_id: str
    shop: str
    shop_name: str
    source: str = Field(description="A path, or an address with `***` for what may be secret.")
    mode: str = Field(description="full: what is left out is gone; partial.")
    cron: str
    next_at: datetime | None
    level: str = Field(description="ok, warn, fail, none")
    offers: int = Field(description="Live ones.")
    gone: int
    rejected: int = Field(description="Records of the newest import that did not become an offer.")
    pictures_ok: int
    pictures_waiting: int = Field(description="Not fetched yet.")
    pictures_failed: int = Field(description="Those that are tried again included.")
    state: str = Field(description="Of the newest import: running, done, held, failed, unchanged; empty before it.")
    reason: str
    held_import: str = Field(description="The import that waits for a person, or empty.")
    tried_at: datetime | None
    good_at: datetime | None = Field(description="When a feed was imported whole, or found unchanged, last.")


class Rejected(BaseModel):
    line: int
    offer_id: str
    reason: str


@router.get("")
def feeds(site: TheSite, who: Who) -> list[FeedNow]:
    """Every feed, those in trouble first. Needs the scope `catalog.view`."""
    who.rights.require("catalog.view")
    return [FeedNow.model_validate(asdict(one) | {"level": one.level}) for one in feeds_now(site)]


@router.get("/{feed_id}/rejects")
def rejects(site: TheSite, who: Who, feed_id: str, limit: int = Query(200, ge=1, le=1000)) -> list[Rejected]:
    """What was left out of the newest import, with its line in the feed and the reason."""
    who.rights.require("catalog.view")
    find_feed_now(site, feed_id)
    rows = of_newest_import(site, feed_id, partial(store.rejects, limit=limit))
    return [Rejected(line=row["line"], offer_id=row["offer_id"] or "", reason=row["reason"]) for row in rows]


@router.get("/{feed_id}/notes")
def notes(site: TheSite, who: Who, feed_id: str) -> list[str]:
    """What was mended in the newest import, such as `line 7: & that stands alone read as itself (3 times)`."""
    who.rights.require("catalog.view")
    find_feed_now(site, feed_id)
    return of_newest_import(site, feed_id, store.notes)


def find_feed_now(site: Site, feed_id: str) -> Feed:
    """Raises NotFoundError."""
    found = feed_now(site, feed_id)
    if found is None:
        raise NotFoundError(f"there is no feed {feed_id!r}; GET /api/v1/lens/feeds lists them")
    return found
