"""The cards of the measures: how each figure is made, and how the rows behind it are in one shop."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from vitrina.floor.layout import Shop
from vitrina.web.auth import Who
from vitrina.web.cards import MEASURES, measure, query_text
from vitrina.web.render import render
from vitrina.web.shops import find_shop, visible_shops
from vitrina.web.site import TheSite

router = APIRouter(prefix="/measures", include_in_schema=False)


@router.get("")
def measures(request: Request, _who: Who) -> Response:
    return render(request, "measures.html", cards=list(MEASURES.values()))


@router.get("/{name}")
def measure_card(request: Request, site: TheSite, who: Who, name: str, shop: str | None = None) -> Response:
    card, shops = measure(name), visible_shops(site, who, action="figures.view")
    chosen: Shop | None = find_shop(site, who, shop) if shop else next(iter(shops), None)
    found = site.figures.lineage(card, chosen) if chosen else None
    context: dict[str, Any] = {"card": card, "query": query_text(card, chosen), "shops": shops, "chosen": chosen}
    return render(request, "measure.html", **context, lineage=found)
