"""The list of shops: today's footfall with its change, the last two weeks, and how much of the day was watched."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Annotated

from fastapi import APIRouter, Query, Request
from markupsafe import Markup
from starlette.responses import RedirectResponse, Response

from vitrina.floor.layout import Shop
from vitrina.floor.measures.figures import hidden
from vitrina.web.auth import Who
from vitrina.web.charts import sparkline
from vitrina.web.pages import lens
from vitrina.web.render import render_late, words_of
from vitrina.web.shops import visible_shops
from vitrina.web.site import Site, TheSite
from vitrina.web.wording import Told, tell, tell_share
from vitrina.web.words import Words

router = APIRouter(include_in_schema=False)

A_PAGE = 12


@dataclass(frozen=True, slots=True)
class ShopCard:
    """day: the one that is shown, the newest with figures; None when there are none at all."""

    shop: Shop
    day: date | None
    today: date
    footfall: Told | None = None
    watched: str = ""
    simulated: bool = False
    drawn: Markup | None = None


@router.get("/")
def shops(request: Request, site: TheSite, who: Who, page: Annotated[int, Query(ge=1)] = 1) -> Response:
    found = visible_shops(site, who, action="figures.view")
    shown = found[(page - 1) * A_PAGE : page * A_PAGE]
    more = page + 1 if len(found) > page * A_PAGE else None

    def cards() -> dict[str, list[ShopCard]]:
        return {"cards": [shop_card(site, words_of(request), shop) for shop in shown]}

    lens_on = "lens" in site.settings.parts
    return render_late(
        request,
        "shops.html",
        cards,
        count=len(found),
        page=page,
        more=more,
        samples=lens.samples(site) if lens_on else [],
        lens_ready=lens_on and lens.is_ready(site),
        lens_progress=lens.demo_progress(site) if lens_on else None,
    )


@router.get("/shops")
def shops_by_their_name() -> Response:
    return RedirectResponse("/", status_code=308)


def shop_card(site: Site, words: Words, shop: Shop) -> ShopCard:
    today, newest = site.figures.today(shop), site.figures.last_day(shop)
    if newest is None:
        return ShopCard(shop, None, today)
    day = min(newest, today)
    figures = site.figures.glance(shop, day)
    return ShopCard(
        shop,
        day,
        today,
        tell(words, figures.figures["footfall"], figures.currency),
        tell_share(words, figures.watched_share) if figures.watched_share is not None else "",
        figures.simulated,
        _two_weeks(site, words, shop, day),
    )


def _two_weeks(site: Site, words: Words, shop: Shop, last: date) -> Markup:
    """A day about too few people is an empty place, as one that nobody watched."""
    k_anonymity = site.settings.k_anonymity
    counts = [count for _, count in site.figures.recent_footfall(shop, last)]
    values = [None if count is None or hidden(count, k_anonymity) else float(count) for count in counts]
    return sparkline(values, label=words.gettext("Footfall of the last 14 days"))
