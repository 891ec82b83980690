"""The chain: all shops over a period, each measure with its interval, its change and an honest place."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request
from starlette.responses import RedirectResponse, Response

from vitrina.floor.measures.chainmeasures import CHAIN_MEASURES
from vitrina.web.auth import Who
from vitrina.web.chain import (
    AGAINST,
    MOST_COMPARED,
    Against,
    First,
    Last,
    Slugs,
    chain_figures,
    check_asked,
    chosen_shops,
    figures_of,
    hour_rows,
    layout_changes_of,
    named_shops,
    newest_recorded,
    newest_whole_day,
    read_period,
)
from vitrina.web.pages.chain_view import against_text, chain_view, links, period_text
from vitrina.web.pages.compare_view import compare_view
from vitrina.web.render import render_late, words_of
from vitrina.web.shops import visible_shops
from vitrina.web.site import TheSite

router = APIRouter(prefix="/chain", include_in_schema=False)

KEPT = ("from", "to", "against", "measure")
"""What of its address a page of the chain hands on to another."""

Measure = Annotated[str, Query(max_length=40)]
Text = Annotated[str, Query(max_length=100)]


@router.get("")
def chain(
    request: Request,
    site: TheSite,
    who: Who,
    first: First = None,
    last: Last = None,
    against: Against = "before",
    sort: Annotated[str, Query(max_length=20)] = "-value",
    q: Text = "",
    measure: Measure = "footfall",
    page: Annotated[int, Query(ge=1)] = 1,
    chosen: Slugs = None,
) -> Response:
    words, period = words_of(request), read_period(site, first, last, against)
    asked, shops = check_asked(period, measure, sort), visible_shops(site, who, action="figures.view")
    state = {"from": first or "", "to": last or "", "against": "" if against == "before" else against}
    state |= {"measure": "" if measure == "footfall" else measure, "sort": "" if sort == "-value" else sort, "q": q}
    picked = [shop for shop in shops if shop.slug in named_shops(chosen)]
    state |= {"chosen": ",".join(shop.slug for shop in picked)}

    def late() -> dict[str, Any]:
        found = chain_figures(site, who, period)
        view = chain_view(words, found, asked, q=q, page=page, state=state)
        empty = bool(found.unseen.all())
        return {"view": view, "empty": empty, "newest": newest_recorded(site, who) if empty else None}

    context: dict[str, Any] = {"period": period, "period_text": period_text(words, period), "state": state, "q": q}
    context |= {"against_text": against_text(words, period), "measures": list(CHAIN_MEASURES.values()), "asked": asked}
    context |= {"newest_day": newest_whole_day(site), "count": len(shops), "against_names": AGAINST}
    context |= {"exports": who.rights.shops("figures.export") != frozenset()}
    context |= {"picked": None if chosen is None else picked, "most": MOST_COMPARED}
    context |= {"link": lambda path="/chain", **changes: links(path, state, **changes)}
    return render_late(request, "chain.html", late, **context)


@router.get("/compare")
def compare(
    request: Request,
    site: TheSite,
    who: Who,
    shops: Slugs = None,
    first: First = None,
    last: Last = None,
    against: Against = "before",
    measure: Measure = "footfall",
) -> Response:
    words, period = words_of(request), read_period(site, first, last, against)
    asked, named = check_asked(period, measure, "name"), named_shops(shops)
    if not 2 <= len(named) <= MOST_COMPARED:
        return _choose_again(request, named)
    chosen = chosen_shops(site, who, named)
    slugs = ",".join(shop.slug for shop in chosen)
    state = {"shops": slugs, "from": first or "", "to": last or "", "against": "" if against == "before" else against}
    state |= {"measure": "" if measure == "footfall" else measure}

    def late() -> dict[str, Any]:
        found, hours = figures_of(site, chosen, period), hour_rows(site, chosen, period)
        changes = layout_changes_of(site, chosen)
        return {"view": compare_view(words, found, measure, hours, changes, k_anonymity=site.settings.k_anonymity)}

    context: dict[str, Any] = {"period": period, "period_text": period_text(words, period), "state": state, "q": ""}
    context |= {"measures": list(CHAIN_MEASURES.values()), "asked": asked, "chosen": [shop.slug for shop in chosen]}
    context |= {"newest_day": newest_whole_day(site), "against_names": AGAINST, "against_text": ""}
    context |= {"exports": all(who.rights.may("figures.export", shop.slug) for shop in chosen)}
    context |= {"link": lambda path="/chain/compare", **changes: links(path, state, **changes)}
    return render_late(request, "compare.html", late, **context)


def _choose_again(request: Request, named: list[str]) -> Response:
    """Back to the choice with what was chosen, where the page says how many it takes."""
    kept = {name: value for name in KEPT if (value := request.query_params.get(name))}
    return RedirectResponse(f"/chain?{urlencode(kept | {'chosen': ','.join(named)})}", 303)
