"""The routes of `/api/v1`. Each parses, asks what the page asks, and answers."""

from __future__ import annotations

from dataclasses import asdict
from enum import StrEnum
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, Response

from vitrina.errors import NotFoundError
from vitrina.floor.measures.figures import tables
from vitrina.models.library import known_models
from vitrina.web.api import answers
from vitrina.web.api.files import as_file
from vitrina.web.auth import Who
from vitrina.web.cards import MEASURES, measure, query_text
from vitrina.web.shops import Day, find_day, find_shop, visible_shops
from vitrina.web.site import Site, TheSite

PREFIX = "/api/v1"

PROBLEMS: dict[int | str, dict[str, Any]] = {
    status: {"model": answers.Problem, "description": meaning}
    for status, meaning in ((401, "Nobody is signed in."), (403, "Not permitted."), (404, "Not there."))
}

router = APIRouter(prefix=PREFIX, responses=PROBLEMS)


class Form(StrEnum):
    json = "json"
    csv = "csv"
    parquet = "parquet"


@router.get("/openapi.json", include_in_schema=False)
def description(request: Request, _who: Who) -> JSONResponse:
    return JSONResponse(request.app.openapi())


@router.get("/me")
def me(who: Who) -> answers.Me:
    """Whose session or key this is, and what it may do."""
    scopes = None if who.rights.scopes is None else sorted(who.rights.scopes)
    return answers.Me(name=who.name, email=who.email, roles=sorted(who.rights.roles), scopes=scopes)


@router.get("/shops")
def shops(site: TheSite, who: Who) -> list[answers.Shop]:
    """The shops that one may see."""
    return [answers.Shop(**_shop(site, shop)) for shop in visible_shops(site, who)]


@router.get("/shops/{slug}")
def shop(site: TheSite, who: Who, slug: str) -> answers.ShopDetail:
    """One shop with its present layout."""
    found = find_shop(site, who, slug, action="shop.view")
    layout = found.layout
    return answers.ShopDetail(
        **_shop(site, found),
        layout_id=layout.layout_id,
        valid_from=layout.valid_from,
        cameras=[camera.slug for camera in layout.cameras],
        zones={zone.slug: zone.name for zone in layout.zones},
        lines={line.slug: line.name for line in layout.lines},
    )


@router.get("/shops/{slug}/day")
def shop_day(site: TheSite, who: Who, slug: str, day: Day = None) -> answers.Day:
    """One shop's day: every figure with its count, interval and change."""
    asked = find_day(site, who, slug, day)
    return answers.Day.model_validate(asdict(site.figures.day(asked.shop, asked.day)))


@router.get("/shops/{slug}/tables/{table}.{form}", response_class=Response)
def shop_table(site: TheSite, who: Who, slug: str, table: str, form: Form, day: Day = None) -> Response:
    """A table of the day's page: figures, hourly, occupancy, zones, queues, gaps, heat, paths, transitions."""
    asked = find_day(site, who, slug, day, action="figures.export")
    found = tables(site.figures.day(asked.shop, asked.day))
    if table not in found:
        raise NotFoundError(f"there is no table {table!r}; there are: {', '.join(found)}")
    return as_file(found[table], form, name=f"vitrina-{slug}-{asked.day}-{table}")


@router.get("/measures")
def measures(_who: Who) -> list[answers.Measure]:
    """What each figure means."""
    return [answers.Measure.model_validate(card) for card in MEASURES.values()]


@router.get("/measures/{name}")
def measure_card(site: TheSite, who: Who, name: str, shop: str | None = None) -> answers.MeasureDetail:
    """One measure with its query, as it is asked for `shop`."""
    card, found = measure(name), find_shop(site, who, shop) if shop else None
    return answers.MeasureDetail(**answers.Measure.model_validate(card).model_dump(), query=query_text(card, found))


@router.get("/models")
def models(site: TheSite, who: Who) -> list[answers.Model]:
    """The models that this installation has."""
    who.rights.require("models.view")
    return [answers.Model.model_validate(model) for model in known_models(site.settings.home)]


def _shop(site: Site, shop: Any) -> dict[str, Any]:
    return {
        "slug": shop.slug,
        "name": shop.name,
        "timezone": shop.timezone,
        "currency": shop.currency,
        "today": site.figures.today(shop),
        "last_day": site.figures.last_day(shop),
    }
