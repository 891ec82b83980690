"""The routes of `/api/v1` about many shops: the chain over a period, and a few of its shops side by side."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from vitrina.web.api import chain_answers
from vitrina.web.api.files import as_file
from vitrina.web.api.routes import PREFIX, PROBLEMS, Form
from vitrina.web.auth import Who
from vitrina.web.chain import (
    Against,
    First,
    Last,
    Slugs,
    chain_figures,
    check_asked,
    chosen_shops,
    figures_of,
    read_period,
)
from vitrina.web.pages.chain_view import find
from vitrina.web.site import TheSite

router = APIRouter(prefix=PREFIX, responses=PROBLEMS)

Sort = Annotated[str, Query(max_length=20, description="name, value, change or watched; with a - downwards.")]
Measure = Annotated[str, Query(max_length=40, description="The measure that is sorted by.")]


@router.get("/chain")
def chain(
    site: TheSite,
    who: Who,
    first: First = None,
    last: Last = None,
    against: Against = "before",
    measure: Measure = "footfall",
    sort: Sort = "-value",
    q: Annotated[str, Query(max_length=100, description="Part of a shop's name or slug.")] = "",
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    offset: Annotated[int, Query(ge=0)] = 0,
) -> chain_answers.ChainPage:
    """The shops that one may see over a period: each measure with interval, change and standing; totals of all."""
    asked = check_asked(read_period(site, first, last, against), measure, sort)
    found = chain_figures(site, who, asked.period)
    places = find(found, found.order(sort, measure), q)
    return chain_answers.chain_answer(found, asked.period, places[offset : offset + limit], found=len(places))


@router.get("/chain/table.{form}", response_class=Response)
def chain_table(
    site: TheSite, who: Who, form: Form, first: First = None, last: Last = None, against: Against = "before"
) -> Response:
    """One row for each shop and measure, of the shops whose figures one may take away."""
    period = read_period(site, first, last, against)
    table = chain_answers.as_table(chain_figures(site, who, period, action="figures.export"))
    return as_file(table, form, name=f"vitrina-chain-{period.first}-{period.last}")


@router.get("/compare")
def compare(
    site: TheSite, who: Who, shops: Slugs = None, first: First = None, last: Last = None
) -> chain_answers.Comparison:
    """Two to six shops over the same days, every measure with its difference to the first shop."""
    period, chosen = read_period(site, first, last, "none"), chosen_shops(site, who, shops)
    return chain_answers.comparison(figures_of(site, chosen, period), period)


@router.get("/compare/table.{form}", response_class=Response)
def compare_table(
    site: TheSite, who: Who, form: Form, shops: Slugs = None, first: First = None, last: Last = None
) -> Response:
    """One row for each of the shops, each day and each measure."""
    period = read_period(site, first, last, "none")
    chosen = chosen_shops(site, who, shops, action="figures.export")
    return as_file(
        chain_answers.as_days(figures_of(site, chosen, period)), form, name=f"vitrina-compare-{period.first}"
    )
