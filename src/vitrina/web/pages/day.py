"""One shop's day, which is *Today* unless another day is asked for; its pictures; its live figures."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import FileResponse, Response

from vitrina.errors import NotFoundError
from vitrina.floor.layout import CameraLayout
from vitrina.floor.measures.figures import DayFigures
from vitrina.web import heat
from vitrina.web.auth import Who
from vitrina.web.pages.day_view import day_view, neighbours, tiles
from vitrina.web.pages.floor_view import CameraView, camera_drawing, picture_file, plan_drawing, ramp
from vitrina.web.png import encode_rgba
from vitrina.web.render import render_late, words_of
from vitrina.web.shops import Day, ShopDay, find_day, find_shop
from vitrina.web.site import Site, TheSite
from vitrina.web.words import Words

router = APIRouter(prefix="/shops/{slug}", include_in_schema=False)

FOR_A_MINUTE = {"Cache-Control": "private, max-age=60"}


@router.get("")
def shop_day(request: Request, site: TheSite, who: Who, slug: str, day: Day = None) -> Response:
    asked = find_day(site, who, slug, day)
    before, after = neighbours(asked)
    context: dict[str, Any] = {"shop": asked.shop, "day": asked.day, "today": asked.today, "before": before}
    context |= {"after": after, "ramp": ramp(), "caption": site.captions.get(slug, "")}
    context |= {"live_cameras": [camera for camera in asked.shop.layout.cameras if camera.is_live]}
    return render_late(request, "day.html", lambda: _figures(site, words_of(request), asked), **context)


def _figures(site: Site, words: Words, asked: ShopDay) -> dict[str, Any]:
    figures = site.figures.day(asked.shop, asked.day)
    view = day_view(words, asked, figures)
    return {
        "figures": figures,
        "view": view,
        "live": asked.day == asked.today and figures.figures["occupancy_now"].value is not None,
        "last_day": site.figures.last_day(asked.shop) if view.empty else None,
        **_pictures(site, words, asked, figures),
    }


@router.get("/live")
def live(request: Request, site: TheSite, who: Who, slug: str) -> dict[str, dict[str, str]]:
    """The texts of the tiles as they are now."""
    asked = find_day(site, who, slug, None)
    shown = tiles(words_of(request), site.figures.day(asked.shop, asked.day))
    return {"texts": {tile.told.name: tile.told.value for tile in shown}}


@router.get("/heat.png")
def heat_on_plan(site: TheSite, who: Who, slug: str, day: Day = None) -> Response:
    asked = find_day(site, who, slug, day)
    found = site.figures.day(asked.shop, asked.day).heat
    if found is None:
        raise NotFoundError(f"nothing was seen in {asked.shop.name} on {asked.day}")
    return Response(encode_rgba(heat.on_plan(found)), media_type="image/png", headers=FOR_A_MINUTE)


@router.get("/heat/{camera}.png")
def heat_on_picture(site: TheSite, who: Who, slug: str, camera: str, day: Day = None) -> Response:
    asked = find_day(site, who, slug, day)
    layout, found = asked.shop.layout.camera(camera), site.figures.day(asked.shop, asked.day).heat
    if layout is None or layout.ground is None or found is None:
        raise NotFoundError(
            f"there is no calibrated camera {camera!r} in {asked.shop.name} with figures of {asked.day}"
        )
    drawn = heat.on_picture(found, layout.ground.to_plan, layout.size_wh)
    return Response(encode_rgba(drawn), media_type="image/png", headers=FOR_A_MINUTE)


@router.get("/pictures/{camera}.jpg")
def picture(site: TheSite, who: Who, slug: str, camera: str) -> Response:
    """The empty floor as the camera sees it: a median over time, without people."""
    shop = find_shop(site, who, slug)
    if shop.layout.camera(camera) is None or not (file := picture_file(site.settings.home, slug, camera)).is_file():
        raise NotFoundError(f"there is no picture of camera {camera!r} in {shop.name} yet")
    return FileResponse(file, media_type="image/jpeg", headers=FOR_A_MINUTE)


def _pictures(site: Site, words: Words, asked: ShopDay, figures: DayFigures) -> dict[str, Any]:
    if figures.heat is None:
        return {"plan": "", "cameras": []}
    layout, url = asked.shop.layout, f"/shops/{asked.shop.slug}"
    plan = plan_drawing(
        layout,
        figures.heat,
        f"{url}/heat.png?day={asked.day}",
        label=words.gettext("Plan of the shop; colour shows where people spent their time"),
    )
    cameras = [_camera(site, words, asked, camera) for camera in layout.cameras if camera.ground is not None]
    return {"plan": plan, "cameras": cameras}


def _camera(site: Site, words: Words, asked: ShopDay, camera: CameraLayout) -> CameraView:
    url = f"/shops/{asked.shop.slug}"
    there = picture_file(site.settings.home, asked.shop.slug, camera.slug).is_file()
    drawing = camera_drawing(
        asked.shop.layout,
        camera,
        picture_url=f"{url}/pictures/{camera.slug}.jpg" if there else "",
        heat_url=f"{url}/heat/{camera.slug}.png?day={asked.day}",
        label=words.gettext("Picture of the empty floor; colour shows where people spent their time"),
    )
    return CameraView(camera.name, drawing, there)
