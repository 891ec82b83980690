"""`/go/SHOP/OFFER`: the one way out to a shop. It takes no address, only an offer of the catalog."""

from __future__ import annotations

import contextlib
import logging
import re
import time
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from vitrina.errors import NotFoundError, StorageError
from vitrina.lens import store
from vitrina.lens.clicks import Clicked, open_click
from vitrina.lens.lakestore import Asked
from vitrina.lens.link import NETWORKS, make_link
from vitrina.lens.offer import Offer
from vitrina.lens.shops import LensShop
from vitrina.lens.ticket import TICKETS, read_ticket
from vitrina.lens.wallet import LensWallet
from vitrina.storage.secrets import SecretBox
from vitrina.web.auth import address_of
from vitrina.web.site import Site, TheSite
from vitrina.web.wallet_cookie import wallet_here

logger = logging.getLogger(__name__)

router = APIRouter(include_in_schema=False)

PER_MINUTE, AT_ONCE = 240, 60
"""From one address, behind which may be all phones of a network."""

HEADERS = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer", "X-Robots-Tag": "noindex, nofollow"}

_PROGRAM = re.compile(
    r"bot\b|crawl|spider|slurp|preview|facebookexternalhit|whatsapp|telegrambot|^curl|^wget|python-|^$", re.I
)


@router.api_route("/go/{shop}/{offer_id:path}", methods=["GET", "HEAD"])
def go(request: Request, site: TheSite, shop: str, offer_id: str, s: str = "", n: str = "", w: str = "") -> Response:
    """Log the click and send the browser to the shop. What only looks ahead is not counted.

    s: the search. n: the product's place among those that it showed. w: a ticket, in links that were sent to somebody's
    own chat; this browser's own wallet goes first.
    """
    site.brakes.count("go", address_of(request), per_minute=PER_MINUTE, at_once=AT_ONCE)
    if looks_ahead(request):
        return Response(status_code=503, headers=HEADERS)  # browsers then ask again when somebody really clicks
    offer = _offer(site, shop, offer_id)
    if not is_counted(request):
        return RedirectResponse(make_link(NETWORKS["direct"], offer.url, sub_ids={}).url, 302, headers=HEADERS)
    with site.database.session() as session:
        owner = wallet_here(request, site, session) or _ticketed(site, session, offer, w)
        clicked = open_click(session, offer, search_id=s, place=_place(n), wallet=owner)
    _log(site, offer, clicked, s)
    return RedirectResponse(clicked.url, 302, headers=HEADERS)


def looks_ahead(request: Request) -> bool:
    """Whether a browser fetches this before anybody has clicked."""
    purposes = (request.headers.get(name, "") for name in ("Purpose", "Sec-Purpose", "X-Purpose", "X-Moz"))
    return any(word in purpose.lower() for purpose in purposes for word in ("prefetch", "prerender", "preview"))


def is_counted(request: Request) -> bool:
    """Whether somebody clicked, as far as one can tell: no HEAD, no program that says so."""
    return request.method == "GET" and not _PROGRAM.search(request.headers.get("User-Agent", ""))


def _place(told: str) -> int | None:
    return int(told) if re.fullmatch(r"[1-9][0-9]{0,2}", told) else None


def _offer(site: Site, shop: str, offer_id: str) -> Offer:
    """The live offer of an active shop. Raises NotFoundError."""
    path = site.settings.lens / "catalog.db"
    with site.database.reading() as session:
        row = session.get(LensShop, shop)
        active = row is not None and row.active
    if active and path.exists():
        with contextlib.closing(store.open_catalog(path)) as catalog:
            found = store.offer(catalog, shop, offer_id)
        if found is not None:
            return found
    raise NotFoundError("the shop does not offer this any more")


def _ticketed(site: Site, session: Any, offer: Offer, given: str) -> str | None:
    if not given:
        return None
    key = SecretBox(site.settings.home).derive(TICKETS)
    found = read_ticket(key, given, shop=offer.shop, offer_id=offer.offer_id, now_s=time.time())
    return found if found is not None and session.get(LensWallet, found) is not None else None


def _log(site: Site, offer: Offer, clicked: Clicked, search_id: str) -> None:
    category = offer.category[0] if offer.category else ""
    try:
        site.events.log_click(
            shop=offer.shop,
            offer_id=offer.offer_id,
            network=clicked.network,
            price=clicked.price,
            cashback=clicked.cashback,
            search_id=search_id[:36],
            asked=Asked(category=category, simulated=site.stage.demo),
        )
    except StorageError as error:  # the click itself is in the database
        logger.warning("a click does not reach the lake: %s", error)
