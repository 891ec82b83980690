"""The catalog manager's pages: how feeds are, what is held, which offers are one product."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Depends, Form, Query, Request
from starlette.responses import RedirectResponse, Response

from vitrina.errors import NotFoundError
from vitrina.lens import decisions, importing, intake, store
from vitrina.lens.product import refresh_products
from vitrina.lens.shops import LensFeed, find_feed, list_feeds, list_shops
from vitrina.storage.accounts import SignedIn
from vitrina.web.auth import Who, check_form
from vitrina.web.render import render
from vitrina.web.site import Site, TheSite
from vitrina.work.jobs import enqueue

router = APIRouter(prefix="/catalog", dependencies=[Depends(check_form)], include_in_schema=False)

A_PAGE = 50
FAILURES = 20

Text = Annotated[str, Form()]


@dataclass(frozen=True, slots=True)
class FeedRow:
    """One feed as its page and the list show it. last: the newest import; good: the newest that counted."""

    feed: LensFeed
    shop: str
    offers: int
    gone: int
    pictures: dict[str, int]
    last: sqlite3.Row | None
    good: sqlite3.Row | None

    @property
    def is_held(self) -> bool:
        return self.last is not None and self.last["state"] == importing.HELD


@router.get("")
def feeds(request: Request, site: TheSite, who: Who, done: str = "") -> Response:
    who.rights.require("catalog.view")
    rows, shops = _rows(site)
    return render(request, "catalog.html", rows=rows, shops=shops, done=done, moment=store.moment)


@router.get("/feeds/{feed_id}")
def one_feed(request: Request, site: TheSite, who: Who, feed_id: str) -> Response:
    who.rights.require("catalog.view")
    row = next((one for one in _rows(site)[0] if one.feed.feed_id == feed_id), None)
    if row is None:
        raise NotFoundError("there is no such feed")
    if not (site.settings.lens / "catalog.db").exists():
        return render(request, "catalog_feed.html", row=row, imports=[], rejects=[], failures=[], moment=store.moment)
    with _catalog(site) as catalog:
        imports = store.imports(catalog, feed_id=feed_id, limit=20)
        rejects = store.rejects(catalog, row.last["import_id"], limit=200) if row.last else []
        failures = catalog.execute(
            "SELECT DISTINCT pictures.url, reason, state, tries FROM pictures JOIN offer_pictures USING(picture_key)"
            " JOIN offers USING(offer_key) WHERE feed_id = ? AND gone_at IS NULL AND state IN ('retry', 'failed')"
            " ORDER BY state, pictures.url LIMIT ?",
            (feed_id, FAILURES),
        ).fetchall()
    return render(
        request,
        "catalog_feed.html",
        row=row,
        imports=imports,
        rejects=rejects,
        failures=failures,
        moment=store.moment,
    )


@router.post("/feeds/{feed_id}/import")
def import_now(site: TheSite, who: Who, feed_id: str) -> Response:
    _may_edit(who)
    with site.database.session() as session:
        feed = find_feed(session, feed_id)
        enqueue(session, intake.IMPORT_JOB, {"feed": feed.feed_id})
    return RedirectResponse("/catalog?done=import", 303)


@router.post("/imports/{import_id}/{what}")
def decide(site: TheSite, who: Who, import_id: str, what: str) -> Response:
    _may_edit(who)
    if what not in ("approve", "refuse"):
        raise NotFoundError("expected approve or refuse")
    (importing.approve if what == "approve" else importing.refuse)(site.settings.lens, import_id)
    with site.database.session() as session:
        enqueue(session, intake.SYNC_JOB, {"shops": []}, key=f"lens-sync:{import_id}")
    return RedirectResponse(f"/catalog?done={what}", 303)


@router.get("/products")
def products(
    request: Request, site: TheSite, who: Who, q: Annotated[str, Query(max_length=100)] = "", page: int = 1
) -> Response:
    """Those of several offers, with why they are one."""
    who.rights.require("catalog.view")
    rows: list[sqlite3.Row] = []
    if (site.settings.lens / "catalog.db").exists():
        with _catalog(site) as catalog:
            rows = catalog.execute(
                "SELECT product_id, reason, shop, offer_id, name, price_minor, currency FROM products"
                " JOIN offers USING(offer_key) WHERE gone_at IS NULL AND product_id IN ("
                "  SELECT product_id FROM products JOIN offers USING(offer_key) WHERE gone_at IS NULL"
                "  GROUP BY product_id HAVING count(*) > 1 AND max(name LIKE ?) ORDER BY product_id LIMIT ? OFFSET ?"
                " ) ORDER BY product_id, shop, offer_id",
                (f"%{q}%", A_PAGE + 1, (max(page, 1) - 1) * A_PAGE),
            ).fetchall()
    found: dict[str, list[sqlite3.Row]] = {}
    for row in rows:
        found.setdefault(row["product_id"], []).append(row)
    more = page + 1 if len(found) > A_PAGE else None
    shown = list(found.items())[:A_PAGE]
    return render(request, "catalog_products.html", products=shown, q=q, page=page, more=more)


@router.post("/products/split")
def split(site: TheSite, who: Who, shop: Text, offer_id: Text) -> Response:
    _may_edit(who)
    with site.database.session() as session:
        decisions.keep_apart(session, (shop, offer_id), by=who.person_id)
        decided = decisions.load_decisions(session)
    with _catalog(site) as catalog:
        refresh_products(catalog, decided)
    return RedirectResponse("/catalog/products", 303)


def _rows(site: Site) -> tuple[list[FeedRow], int]:
    """Every feed, and how many shops there are."""
    with site.database.reading() as session:
        shops = {shop.slug: shop.name for shop in list_shops(session)}
        feeds = list_feeds(session)
    if not (site.settings.lens / "catalog.db").exists():
        return [FeedRow(feed, shops[feed.shop], 0, 0, {}, None, None) for feed in feeds], len(shops)
    with _catalog(site) as catalog:
        return [_row(catalog, feed, shops[feed.shop]) for feed in feeds], len(shops)


def _row(catalog: sqlite3.Connection, feed: LensFeed, shop: str) -> FeedRow:
    live, gone = catalog.execute(
        "SELECT coalesce(sum(gone_at IS NULL), 0), coalesce(sum(gone_at IS NOT NULL), 0) FROM offers WHERE feed_id = ?",
        (feed.feed_id,),
    ).fetchone()
    states = catalog.execute(
        "SELECT state, count(DISTINCT picture_key) FROM offers JOIN offer_pictures USING(offer_key)"
        " JOIN pictures USING(picture_key) WHERE feed_id = ? AND gone_at IS NULL GROUP BY state",
        (feed.feed_id,),
    )
    imports = store.imports(catalog, feed_id=feed.feed_id, limit=50)
    good = next((one for one in imports if one["state"] in (importing.DONE, importing.UNCHANGED)), None)
    return FeedRow(feed, shop, live, gone, {row[0]: row[1] for row in states}, imports[0] if imports else None, good)


def _may_edit(who: SignedIn) -> None:
    who.rights.require("catalog.edit")


def _catalog(site: Site) -> closing[sqlite3.Connection]:
    return closing(store.open_catalog(site.settings.lens / "catalog.db"))
