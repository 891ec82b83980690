"""The routes of `/api/v1` about cameras: how each is doing now, and when it was not watched."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Annotated

import pyarrow as pa
from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from vitrina.web.api.files import as_file
from vitrina.web.api.routes import PREFIX, PROBLEMS, Form
from vitrina.web.auth import Who
from vitrina.web.cameras import Span, cameras_now, recent_gaps, strips
from vitrina.web.shops import visible_shops
from vitrina.web.site import TheSite

router = APIRouter(prefix=f"{PREFIX}/cameras", responses=PROBLEMS)

OfShop = Annotated[str, Query(max_length=64, description="Only of this shop.")]
Back = Annotated[Span, Query(alias="range", description="How far back: `day` (24 hours) or `week`.")]


class Camera(BaseModel):
    """A camera as its worker says, or where none answers as the newest minute in the lake does."""

    model_config = ConfigDict(from_attributes=True)

    shop: str
    camera: str
    name: str
    state: str = Field(description="running, starting, lost, ended; watched, silent, never; recording; simulated")
    level: str = Field(description="ok, warn, fail, none")
    last: datetime | None = Field(description="Of the newest picture.")
    troubles: list[str]
    error: str
    fps_wanted: float | None
    fps_got: float | None
    lag_s: float | None
    dropped: int | None
    reconnects: int | None
    watched: float | None = Field(default=None, description="Share of the expected time that was watched.")


@router.get("")
def cameras(site: TheSite, who: Who, shop: OfShop = "", span: Back = "day") -> list[Camera]:
    """Every camera of the shops that one may see, those in trouble first."""
    found = cameras_now(site, who, shop=shop)
    drawn = strips(site, visible_shops(site, who, action="figures.view"), found, span)
    return [
        Camera.model_validate(one).model_copy(update={"watched": drawn[one.shop, one.camera].share}) for one in found
    ]


@router.get("/table.{form}", response_class=Response)
def table(site: TheSite, who: Who, form: Form, shop: OfShop = "", span: Back = "day") -> Response:
    allowed = who.rights.shops("figures.export")
    rows = [one.model_dump() for one in cameras(site, who, shop, span) if allowed is None or one.shop in allowed]
    for row in rows:
        row["troubles"] = ", ".join(row["troubles"])
    return as_file(pa.Table.from_pylist(rows), form, name="vitrina-cameras")


@router.get("/gaps.{form}", response_class=Response)
def gaps(site: TheSite, who: Who, form: Form, shop: OfShop = "", span: Back = "day") -> Response:
    """When the cameras were not watched, and why."""
    allowed = who.rights.shops("figures.export")
    found = [one for one in cameras_now(site, who, shop=shop) if allowed is None or one.shop in allowed]
    rows = [asdict(gap) for gap in recent_gaps(site, found, span)]
    return as_file(pa.Table.from_pylist(rows), form, name="vitrina-gaps")
