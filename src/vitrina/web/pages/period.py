"""One shop over any period, beside any other. The address holds everything, so a link shows what its sender saw."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from fastapi import APIRouter, Request
from starlette.responses import Response

from vitrina.web.auth import Who
from vitrina.web.pages.period_days import span_text
from vitrina.web.pages.period_view import choices, period_view
from vitrina.web.periods import Against, AgainstDay, From, ShopPeriod, To, figures_of, find_period
from vitrina.web.render import render_late, words_of
from vitrina.web.site import Site, TheSite
from vitrina.web.words import Words

router = APIRouter(prefix="/shops/{slug}", include_in_schema=False)


@router.get("/period")
def shop_period(
    request: Request,
    site: TheSite,
    who: Who,
    slug: str,
    first: From = None,
    to: To = None,
    against: Against = "before",
    against_from: AgainstDay = None,
    against_to: AgainstDay = None,
    zone: str = "",
) -> Response:
    asked = find_period(site, who, slug, first, to, against, against_from, against_to)
    words, state = words_of(request), state_of(asked, zone)
    context: dict[str, Any] = {"shop": asked.shop, "asked": asked, "zone": zone, "state": state}
    context |= {
        "query": urlencode(state),
        "choices": choices(words, asked, state),
        "caption": site.captions.get(slug, ""),
    }
    context |= {"sections": [each for each in asked.shop.layout.zones if each.kind in ("section", "promo")]}
    context |= {"span": span_text(words, asked.period)}
    return render_late(request, "period.html", lambda: _figures(site, words, asked, zone), **context)


def state_of(asked: ShopPeriod, zone: str) -> dict[str, str]:
    """The query that shows the same again."""
    state = {"from": asked.period[0].isoformat(), "to": asked.period[1].isoformat(), "against": asked.kind}
    if asked.kind == "custom" and asked.against:
        state |= {"against_from": asked.against[0].isoformat(), "against_to": asked.against[1].isoformat()}
    return state | ({"zone": zone} if zone else {})


def _figures(site: Site, words: Words, asked: ShopPeriod, zone: str) -> dict[str, Any]:
    found = figures_of(site, asked)
    view = period_view(words, asked, found, zone)
    return {"figures": found, "view": view, "last_day": site.figures.last_day(asked.shop) if view.empty else None}
