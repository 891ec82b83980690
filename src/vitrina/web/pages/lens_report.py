"""The report of lens: searches → clicks → orders → cashback by shop, and photos that found nothing, by category."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from vitrina.lens.report import CATEGORY_SHEET, SHEET, Report, category_rows, make_report, sheet_rows
from vitrina.lens.sheet import to_csv
from vitrina.storage.accounts import SignedIn
from vitrina.web.auth import Who
from vitrina.web.pages.cashback import day_of, sheet
from vitrina.web.render import render
from vitrina.web.site import Site, TheSite

router = APIRouter(prefix="/catalog/report", include_in_schema=False)

USUAL_DAYS = 28

First = Annotated[str, Query(alias="from", max_length=10)]
Last = Annotated[str, Query(alias="to", max_length=10)]


@router.get("")
def show(request: Request, site: TheSite, who: Who, first: First = "", last: Last = "") -> Response:
    report = _report(site, who, first, last)
    days = [(name, *_span(name)) for name in (7, USUAL_DAYS, 91)]
    return render(request, "lens_report.html", report=report, days=days, week_of=date.fromisoformat)


@router.get("/shops.csv")
def shops_csv(site: TheSite, who: Who, first: First = "", last: Last = "") -> Response:
    return sheet(to_csv(SHEET, sheet_rows(_report(site, who, first, last))), "lens-shops")


@router.get("/categories.csv")
def categories_csv(site: TheSite, who: Who, first: First = "", last: Last = "") -> Response:
    return sheet(to_csv(CATEGORY_SHEET, category_rows(_report(site, who, first, last))), "lens-categories")


def _report(site: Site, who: SignedIn, first: str, last: str) -> Report:
    who.rights.require("cashback.view")
    end = day_of("to", last) or datetime.now(UTC).date()
    begin = day_of("from", first) or end - timedelta(days=USUAL_DAYS - 1)
    with site.database.reading() as session:
        return make_report(session, site.lake, begin, end, few=site.settings.k_anonymity)


def _span(days: int) -> tuple[date, date]:
    today = datetime.now(UTC).date()
    return today - timedelta(days=days - 1), today
