"""The shopper's page: a photo in, links to buy it out. Open to everybody; a photo is never stored."""

from __future__ import annotations

import re
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Depends, Form, Request, UploadFile
from starlette.responses import FileResponse, Response

from vitrina.errors import InputError, NotFoundError, VitrinaError
from vitrina.lens import store
from vitrina.lens.found import Found, FoundOffer
from vitrina.lens.pictures import thumbnail_path
from vitrina.lens.rank import Wishes
from vitrina.lens.shops import LensShop, list_shops
from vitrina.web.auth import address_of, check_form
from vitrina.web.finding import LARGEST_FORM, LARGEST_PHOTO, find, parse_box, parse_price
from vitrina.web.headers import ONE_YEAR_S
from vitrina.web.render import render
from vitrina.web.site import Site, TheSite

router = APIRouter(prefix="/lens", include_in_schema=False)

LIMIT = 12
PER_MINUTE, AT_ONCE = 30, 12
KEPT = f"public, max-age={ONE_YEAR_S}, immutable"

_PICTURE = re.compile(r"([0-9a-f]{64})\.webp")
_SAMPLE = re.compile(r"[a-z0-9-]{1,40}\.jpg")

Text = Annotated[str, Form(max_length=200)]


@dataclass(frozen=True, slots=True)
class Asked:
    """What the form says, to be shown again."""

    text: str = ""
    max_price: str = ""
    currency: str = ""
    shop: str = ""
    in_stock: bool = False


@router.get("")
def page(request: Request, site: TheSite) -> Response:
    return _page(request, site, Asked())


@router.post("/find", dependencies=[Depends(check_form)], max_body_size=LARGEST_FORM)
def search(
    request: Request,
    site: TheSite,
    photo: UploadFile | None = None,
    sample: Text = "",
    box: Text = "",
    text: Text = "",
    max_price: Text = "",
    currency: Text = "",
    shop: Text = "",
    in_stock: Annotated[bool, Form()] = False,
) -> Response:
    """A whole page, or for the page's own script the results alone."""
    asked = Asked(text, max_price, currency, shop, in_stock)
    found, problem, status = None, "", 200
    try:
        site.brakes.count("find", address_of(request), per_minute=PER_MINUTE, at_once=AT_ONCE)
        found = find(
            site,
            _photo(site, photo, sample),
            box=parse_box(box),
            text=text,
            where=_wishes(asked),
            limit=LIMIT,
            channel="page",
        )
    except VitrinaError as error:
        problem, status = str(error), error.status
    if request.headers.get("X-Part") == "results":
        return render(request, "lens_results.html", status_code=status, found=found, problem=problem, link=link)
    return _page(request, site, asked, found=found, problem=problem, status=status)


@router.get("/pictures/{name}")
def picture(site: TheSite, name: str) -> Response:
    """A small picture of something that a shop offers now."""
    named = _PICTURE.fullmatch(name)
    path, catalog = site.settings.lens, site.settings.lens / "catalog.db"
    if named and catalog.exists():
        with closing(store.open_catalog(catalog)) as opened:
            if store.is_live_picture(opened, named[1]) and (kept := thumbnail_path(path, named[1])).is_file():
                return FileResponse(kept, media_type="image/webp", headers={"Cache-Control": KEPT})
    raise NotFoundError("there is no such picture, or no shop offers it any more")


@router.get("/samples/{name}")
def sample_photo(site: TheSite, name: str) -> Response:
    return FileResponse(_sample(site, name), media_type="image/jpeg", headers={"Cache-Control": "no-cache"})


def link(found: Found, offer: FoundOffer) -> str:
    return f"/go/{quote(offer.shop)}/{quote(offer.offer_id, safe='')}?s={quote(found.search_id)}"


def samples(site: Site) -> list[str]:
    """Names of the photos to try it with."""
    folder = site.settings.lens / "samples"
    return sorted(path.name for path in folder.glob("*.jpg")) if site.stage.demo else []


def is_ready(site: Site) -> bool:
    """Whether anything can be found yet."""
    path = site.settings.lens / "catalog.db"
    if not path.exists():
        return False
    with closing(store.open_catalog(path)) as opened:
        return opened.execute("SELECT 1 FROM index_state LIMIT 1").fetchone() is not None


def _page(
    request: Request,
    site: Site,
    asked: Asked,
    *,
    found: Found | None = None,
    problem: str = "",
    status: int = 200,
) -> Response:
    with site.database.reading() as session:
        shops: list[LensShop] = [shop for shop in list_shops(session) if shop.active]
    return render(
        request,
        "lens.html",
        status_code=status,
        asked=asked,
        found=found,
        problem=problem,
        link=link,
        ready=is_ready(site),
        shops=shops,
        currencies=sorted({shop.currency for shop in shops}),
        samples=samples(site),
    )


def _photo(site: Site, photo: UploadFile | None, sample: str) -> bytes | None:
    if sample:
        return _sample(site, sample).read_bytes()
    if photo is None:
        return None
    content = photo.file.read(LARGEST_PHOTO + 1)
    return content or None


def _sample(site: Site, name: str) -> Path:
    path = site.settings.lens / "samples" / name
    if not (site.stage.demo and _SAMPLE.fullmatch(name) and path.is_file()):
        raise NotFoundError("there is no such photo")
    return path


def _wishes(asked: Asked) -> Wishes:
    if asked.max_price and not asked.currency:
        raise InputError("price: expected its currency as well")
    return Wishes(
        shops=(asked.shop,) if asked.shop else (),
        max_price=parse_price(asked.max_price, asked.currency),
        in_stock_only=asked.in_stock,
        currency=asked.currency,
    )
