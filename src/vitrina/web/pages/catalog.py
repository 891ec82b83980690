"""The catalog manager's pages: how feeds are, what is held, which offers are one product."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Form, Query, Request
from starlette.responses import RedirectResponse, Response

from vitrina.errors import ConflictError, NotFoundError
from vitrina.lens import decisions, importing, intake, store
from vitrina.lens.product import split_off
from vitrina.lens.sheet import to_csv
from vitrina.lens.shops import find_feed, list_shops, note_decision
from vitrina.storage.accounts import SignedIn
from vitrina.web.api.feeds import find_feed_now
from vitrina.web.auth import Who, check_form
from vitrina.web.feeds import feeds_now, of_newest_import, opened, when
from vitrina.web.pages.cashback import sheet
from vitrina.web.pages.lens import demo_progress
from vitrina.web.render import render
from vitrina.web.site import Site, TheSite
from vitrina.work.jobs import enqueue

router = APIRouter(prefix="/catalog", dependencies=[Depends(check_form)], include_in_schema=False)

A_PAGE = 30
FAILURES = 50
REJECTS = 200
FEED_COLUMNS = (
    "shop", "source", "offers", "gone", "rejected", "pictures_ok", "pictures_waiting", "pictures_failed", "state",
    "reason", "tried_at", "good_at",
)  # fmt: skip
PRODUCT_COLUMNS = ("product_id", "reason", "shop", "offer_id", "name", "brand", "vendor_code", "gtin")

Text = Annotated[str, Form(max_length=200)]
Sought = Annotated[str, Query(max_length=100)]


@router.get("")
def feeds(request: Request, site: TheSite, who: Who, done: str = "") -> Response:
    who.rights.require("catalog.view")
    return render(request, "catalog.html", feeds=feeds_now(site), done=done, progress=demo_progress(site))


@router.get("/feeds.csv")
def feeds_csv(site: TheSite, who: Who) -> Response:
    who.rights.require("catalog.view")
    rows = ([getattr(one, name) for name in FEED_COLUMNS] for one in feeds_now(site))
    return sheet(to_csv(FEED_COLUMNS, rows), "lens-feeds")


@router.get("/feeds/{feed_id}")
def one_feed(request: Request, site: TheSite, who: Who, feed_id: str, done: str = "") -> Response:
    who.rights.require("catalog.view")
    feed = find_feed_now(site, feed_id)
    imports: list[sqlite3.Row] = []
    rejects: list[sqlite3.Row] = []
    failures: list[sqlite3.Row] = []
    notes: list[str] = []
    if _exists(site):
        with opened(site) as catalog:
            imports = store.imports(catalog, feed_id=feed_id, limit=20)
            rejects = store.rejects(catalog, imports[0]["import_id"], limit=REJECTS) if imports else []
            notes = store.notes(catalog, imports[0]["import_id"]) if imports else []
            failures = store.failed_pictures(catalog, feed_id=feed_id, limit=FAILURES)
    told: dict[str, Any] = {"imports": imports, "notes": notes, "rejects": rejects, "failures": failures, "when": when}
    return render(request, "catalog_feed.html", feed=feed, done=done, **told)


@router.get("/feeds/{feed_id}/rejects.csv")
def rejects_csv(site: TheSite, who: Who, feed_id: str) -> Response:
    who.rights.require("catalog.view")
    feed = find_feed_now(site, feed_id)
    rows = of_newest_import(site, feed_id, store.rejects)
    return sheet(to_csv(("line", "offer_id", "reason"), (tuple(row) for row in rows)), f"lens-rejected-{feed.shop}")


@router.post("/feeds/{feed_id}/import")
def import_now(site: TheSite, who: Who, feed_id: str) -> Response:
    _may_edit(who)
    with site.database.session() as session:
        feed = find_feed(session, feed_id)
        enqueue(session, intake.IMPORT_JOB, {"feed": feed.feed_id})
    return RedirectResponse(f"/catalog/feeds/{feed_id}?done=import", 303)


@router.post("/imports/{import_id}/{what}")
def decide(request: Request, site: TheSite, who: Who, import_id: str, what: str) -> Response:
    """Let an import that was held count, or forget it; who did so is in the audit log."""
    _may_edit(who)
    if what not in ("approve", "refuse"):
        raise NotFoundError("expected approve or refuse")
    try:
        decided = (importing.approve if what == "approve" else importing.refuse)(site.settings.lens, import_id)
    except ConflictError as error:
        page = {"feeds": feeds_now(site), "done": "", "failed": str(error), "progress": None}
        return render(request, "catalog.html", status_code=error.status, **page)
    with site.database.session() as session:
        note_decision(session, decided.import_id, decided.shop, what, by=who.person_id)
        if what == "approve":
            enqueue(session, intake.SYNC_JOB, {"shops": []}, key=f"lens-sync:{decided.import_id}")
    return RedirectResponse(f"/catalog?done={what}", 303)


@router.get("/products")
def products(request: Request, site: TheSite, who: Who, q: Sought = "", page: int = 1, done: str = "") -> Response:
    """Those of several offers, with why they are one."""
    who.rights.require("catalog.view")
    page = max(page, 1)
    rows = _merged(site, q, limit=A_PAGE + 1, skip=(page - 1) * A_PAGE)
    found: dict[str, list[sqlite3.Row]] = {}
    for row in rows:
        found.setdefault(row["product_id"], []).append(row)
    with site.database.reading() as session:
        names = {shop.slug: shop.name for shop in list_shops(session)}
    shown = list(found.values())[:A_PAGE]
    more = page + 1 if len(found) > A_PAGE else None
    return render(request, "catalog_products.html", products=shown, names=names, q=q, page=page, more=more, done=done)


@router.get("/products.csv")
def products_csv(site: TheSite, who: Who, q: Sought = "") -> Response:
    who.rights.require("catalog.view")
    rows = ([row[name] for name in PRODUCT_COLUMNS] for row in _merged(site, q, limit=100_000))
    return sheet(to_csv(PRODUCT_COLUMNS, rows), "lens-products")


@router.post("/products/split")
def split(site: TheSite, who: Who, shop: Text, offer_id: Text, q: Text = "", page: Text = "1") -> Response:
    """Make an offer a product of its own, for good. All offers are merged anew by the next sync, not by this."""
    _may_edit(who)
    with site.database.session() as session:
        decisions.keep_apart(session, (shop, offer_id), by=who.person_id)
    with opened(site) as catalog:
        split_off(catalog, (shop, offer_id))
    return RedirectResponse("/catalog/products?" + urlencode({"q": q, "page": page, "done": "split"}), 303)


def _merged(site: Site, q: str, *, limit: int, skip: int = 0) -> Sequence[sqlite3.Row]:
    """Offers of so many products that have several offers, product by product."""
    if not _exists(site):
        return []
    with opened(site) as catalog:
        return store.merged_offers(catalog, q, limit=limit, skip=skip)


def _may_edit(who: SignedIn) -> None:
    who.rights.require("catalog.edit")


def _exists(site: Site) -> bool:
    return (site.settings.lens / "catalog.db").exists()
