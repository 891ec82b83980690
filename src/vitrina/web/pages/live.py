"""One camera as it is now: people as dots, or boxes on the real picture for the few who may, for a while, on record."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends, Form, Query, Request
from markupsafe import Markup
from starlette.responses import RedirectResponse, Response

from vitrina.errors import CameraError, DeniedError, NotFoundError
from vitrina.floor.layout import CameraLayout, Shop
from vitrina.floor.worker.client import Answer, ask
from vitrina.storage.accounts import SignedIn
from vitrina.web import permits
from vitrina.web.auth import Who, check_form
from vitrina.web.pages.floor_view import camera_drawing, picture_file, plan_drawing
from vitrina.web.render import render, words_of
from vitrina.web.shops import find_shop
from vitrina.web.site import Site, TheSite
from vitrina.web.words import Words

router = APIRouter(
    prefix="/shops/{slug}/cameras/{camera}/live", dependencies=[Depends(check_form)], include_in_schema=False
)

Way = Literal["plan", "picture", "boxes"]
PATIENCE_S = 1.0
SEEN = "Vitrina-Seen"
"""The header that says, as JSON, who is on the picture it comes with."""


@router.get("")
def live(
    request: Request, site: TheSite, who: Who, slug: str, camera: str, on: Annotated[Way | None, Query()] = None
) -> Response:
    shop, layout = _find(site, who, slug, camera)
    now, words = datetime.now(UTC), words_of(request)
    way = _way(on, layout, who, slug)
    zone = ZoneInfo(shop.timezone)
    set_up = permits.set_up_until(site.database, slug, now=now) if who.rights.may("camera.view", slug) else None
    look = permits.look_until(site.database, who, slug, camera, now=now)
    context: dict[str, Any] = {"shop": shop, "camera": layout, "on": way, "ways": _ways(layout, who, slug)}
    context |= {"set_up": set_up and set_up.astimezone(zone), "look": look and look.astimezone(zone)}
    context |= {"drawing": _drawing(site, words, shop, layout, way), "minutes": _minutes(permits.LOOK_FOR)}
    context |= {"hours": _minutes(permits.SET_UP_FOR) // 60, "caption": site.captions.get(slug, "")}
    context |= {"has_picture": picture_file(site.settings.home, slug, camera).is_file()}
    return render(request, "live.html", **context)


@router.get("/people")
def people(request: Request, site: TheSite, who: Who, slug: str, camera: str) -> dict[str, Any]:
    """Where people are now: on the plan in metres, and their feet in the picture in its pixels. No picture, no size."""
    shop, layout = _find(site, who, slug, camera)
    words = words_of(request)
    try:
        said = ask(site.settings.home, slug, camera, "people", patience_s=PATIENCE_S).said
    except CameraError:
        return _nobody(words, layout)
    feet = [[round((x1 + x2) / 2, 1), y2] for x1, _, x2, y2 in said["boxes_xyxy"]]
    return _told(words, shop, said) | {
        "plan": [point for point in said["points_m"] if point is not None],
        "picture": feet,
    }


@router.get("/newest.jpg")
def newest(request: Request, site: TheSite, who: Who, slug: str, camera: str) -> Response:
    """The real picture, for who may see it now; without one, an empty answer whose header says why."""
    shop, layout = _find(site, who, slug, camera)
    if permits.look_until(site.database, who, slug, camera, now=datetime.now(UTC)) is None:
        raise DeniedError("the time to see this camera's picture is over; give a reason on its page")
    words = words_of(request)
    try:
        answer = ask(site.settings.home, slug, camera, "newest", patience_s=PATIENCE_S)
    except CameraError:
        answer = Answer(_nobody(words, layout), None)
    told = _told(words, shop, answer.said) if "state" in answer.said else answer.said
    seen = told | {"boxes": answer.said.get("boxes_xyxy", []), "size_wh": answer.said.get("size_wh")}
    # What is compressed already is not compressed again.
    headers = {SEEN: json.dumps(seen), "Content-Encoding": "identity"}
    status = 200 if answer.jpeg else 204
    return Response(answer.jpeg or b"", status_code=status, media_type="image/jpeg", headers=headers)


@router.post("/set-up")
def switch_set_up(site: TheSite, who: Who, slug: str, camera: str, on: Annotated[bool, Form()]) -> Response:
    _find(site, who, slug, camera)
    permits.switch_set_up(site.database, who, slug, on=on, now=datetime.now(UTC))
    return _back(slug, camera)


@router.post("/look")
def look(site: TheSite, who: Who, slug: str, camera: str, reason: Annotated[str, Form()] = "") -> Response:
    _find(site, who, slug, camera)
    permits.ask_to_look(site.database, who, slug, camera, reason=reason, now=datetime.now(UTC))
    return _back(slug, camera)


@router.post("/stop")
def stop(site: TheSite, who: Who, slug: str, camera: str) -> Response:
    _find(site, who, slug, camera)
    permits.stop_looking(site.database, who, slug, camera)
    return _back(slug, camera)


def _find(site: Site, who: SignedIn, slug: str, camera: str) -> tuple[Shop, CameraLayout]:
    shop = find_shop(site, who, slug, action="live.view")
    layout = shop.layout.camera(camera)
    if layout is None:
        raise NotFoundError(f"there is no camera {camera!r} in {shop.name}")
    return shop, layout


def _ways(camera: CameraLayout, who: SignedIn, slug: str) -> Sequence[Way]:
    """What this person may choose from. A camera that is not calibrated has no place on the plan."""
    plan: Sequence[Way] = ("plan",) if camera.ground is not None else ()
    boxes: Sequence[Way] = ("boxes",) if who.rights.may("camera.view", slug) else ()
    return (*plan, "picture", *boxes)


def _way(asked: Way | None, camera: CameraLayout, who: SignedIn, slug: str) -> Way:
    ways = _ways(camera, who, slug)
    if asked == "boxes":
        who.rights.require("camera.view", slug)
    return asked if asked is not None and asked in ways else ways[0]


def _drawing(site: Site, words: Words, shop: Shop, camera: CameraLayout, way: Way) -> Markup:
    if way == "boxes":
        return Markup("")
    if way == "plan":
        return plan_drawing(shop.layout, label=words.gettext("Plan of the shop; each dot is a person who is there now"))
    there = picture_file(site.settings.home, shop.slug, camera.slug).is_file()
    return camera_drawing(
        shop.layout,
        camera,
        picture_url=f"/shops/{shop.slug}/pictures/{camera.slug}.jpg" if there else "",
        label=words.gettext("Picture of the empty floor; each dot is a person who is there now"),
    )


def _told(words: Words, shop: Shop, said: dict[str, Any]) -> dict[str, Any]:
    """count: as a text, empty while nothing is known. notice: what is wrong, empty while nothing is."""
    if said["t"] is None:
        return {"count": "", "notice": _lost(words, shop, said)}
    n = len(said["boxes_xyxy"])
    notice = words.gettext("Something is wrong with the picture: {problems}.")
    notice = notice.format(problems=words.listed(_problem(words, name) for name in said["problems"]))
    count = words.ngettext("{n} person", "{n} people", n).format(n=n)
    return {"count": count, "notice": notice if said["problems"] else ""}


def _problem(words: Words, name: str) -> str:
    return {
        "dark": words.gettext("too dark"),
        "covered": words.gettext("covered"),
        "moved": words.gettext("it shows another view than when it was set up"),
        "blurred": words.gettext("blurred"),
        "frozen": words.gettext("frozen"),
    }.get(name, name)


def _lost(words: Words, shop: Shop, said: dict[str, Any]) -> str:
    since = words.clock(datetime.fromtimestamp(said["since"], ZoneInfo(shop.timezone)))
    if said["state"] == "lost" and said["last_error"]:
        return words.gettext("No picture since {since}: {reason}").format(since=since, reason=said["last_error"])
    if said["state"] == "lost":
        return words.gettext("No picture since {since}.").format(since=since)
    return words.gettext("The camera is being opened …")


def _nobody(words: Words, camera: CameraLayout) -> dict[str, Any]:
    notice = (
        words.gettext("Nobody is watching this camera now. It is watched while `vitrina up` runs.")
        if camera.is_live
        else words.gettext("This camera is a recording: there is nothing to see live.")
    )
    return {"count": "", "notice": notice.replace("`", ""), "plan": [], "picture": []}


def _minutes(span: timedelta) -> int:
    return round(span.total_seconds() / 60)


def _back(slug: str, camera: str) -> Response:
    return RedirectResponse(f"/shops/{slug}/cameras/{camera}/live?on=boxes", status_code=303)
