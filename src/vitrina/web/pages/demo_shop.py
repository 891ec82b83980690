"""The demo's stand-in for the shops' own pages: nobody sells simulated products, but links and orders are real."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from vitrina.errors import NotFoundError
from vitrina.lens import booking, ledger, store
from vitrina.lens.clicks import LensClick, find_click
from vitrina.lens.demo.home import NETWORK
from vitrina.lens.offer import Offer
from vitrina.lens.postback import Conversion
from vitrina.lens.shops import find_shop
from vitrina.web.auth import check_form
from vitrina.web.feeds import opened
from vitrina.web.render import render
from vitrina.web.site import Site, TheSite

router = APIRouter(prefix="/demo/shops", dependencies=[Depends(check_form)], include_in_schema=False)


@router.get("/{shop}")
def stand_in(request: Request, site: TheSite, shop: str, subid: str = "") -> Response:
    """Where a link through the demo's network ends."""
    with site.database.reading() as session:
        return _page(request, site, session, _click(site, session, shop, subid))


@router.post("/{shop}")
def order(request: Request, site: TheSite, shop: str, subid: str = "") -> Response:
    """The network reports an order, as it would by its postback."""
    with site.database.session() as session:
        click = _click(site, session, shop, subid)
        told = Conversion(NETWORK, f"D-{click.click_id[-8:].upper()}", "", click.click_id, "pending", None, None, "")
        booking.take(session, told, who="demo", now=datetime.now(UTC))
        return _page(request, site, session, click)


def _page(request: Request, site: Site, session: Any, click: LensClick) -> Response:
    offer, picture = _offer(site, click)
    name = find_shop(session, click.shop).name
    orders = ledger.of_sub_id(session, click.click_id)
    return render(request, "demo_shop.html", name=name, click=click, offer=offer, picture=picture, orders=orders)


def _click(site: Site, session: Any, shop: str, click_id: str) -> LensClick:
    click = find_click(session, click_id) if site.stage.demo and click_id else None
    if click is None or click.shop != shop:
        raise NotFoundError("there is no such page; in `vitrina demo` a link to a simulated shop leads here")
    return click


def _offer(site: Site, click: LensClick) -> tuple[Offer, str]:
    """What was clicked, and the SHA-256 of its picture."""
    with opened(site) as catalog:
        offer = store.offer(catalog, click.shop, click.offer_id)
        if offer is None:
            raise NotFoundError("the shop does not offer this any more")
        row = catalog.execute(
            "SELECT sha256 FROM offers JOIN offer_pictures USING(offer_key) JOIN pictures USING(picture_key)"
            " WHERE shop = ? AND offer_id = ? AND sha256 IS NOT NULL ORDER BY position LIMIT 1",
            (click.shop, click.offer_id),
        ).fetchone()
    return offer, row[0] if row else ""
