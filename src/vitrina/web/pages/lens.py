"""The shopper's page: a photo in, links to buy it out. Open to everybody; a photo is never stored."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Depends, Form, Request, UploadFile
from starlette.responses import FileResponse, Response

from vitrina.errors import InputError, NotFoundError, VitrinaError
from vitrina.lens import store
from vitrina.lens.demo.home import JOB, sample_folder
from vitrina.lens.found import Found, FoundOffer, FoundProduct
from vitrina.lens.pictures import thumbnail_path
from vitrina.lens.rank import Wishes
from vitrina.lens.shops import list_shops
from vitrina.web.auth import address_of, check_form
from vitrina.web.finding import LARGEST_FORM, LARGEST_PHOTO, find, in_turn, parse_box, parse_price
from vitrina.web.headers import ONE_YEAR_S
from vitrina.web.render import render
from vitrina.web.site import Site, TheSite
from vitrina.work.jobs import State, find_job

router = APIRouter(prefix="/lens", include_in_schema=False)

LIMIT = 12
SHOWN_SHOPS = 3
PER_MINUTE, AT_ONCE = 30, 12
KEPT = f"public, max-age={ONE_YEAR_S}, immutable"

_PICTURE = re.compile(r"([0-9a-f]{64})\.webp")
_SAMPLE = re.compile(r"[a-z0-9-]{1,40}\.jpg")

LONGEST_WORD = 200

Text = Annotated[str, Form(max_length=LONGEST_WORD)]


@dataclass(frozen=True, slots=True)
class Asked:
    """What the form says, to be shown again. embed: shown inside another service, without a menu."""

    text: str = ""
    max_price: str = ""
    currency: str = ""
    shop: str = ""
    brand: str = ""
    size: str = ""
    colour: str = ""
    in_stock: bool = False
    embed: bool = False

    @property
    def is_narrow(self) -> bool:
        """Whether something beside photo and words limits what may be found."""
        return bool(self.max_price or self.shop or self.brand or self.size or self.colour or self.in_stock)


def asked_of(
    text: Text = "",
    max_price: Text = "",
    currency: Text = "",
    shop: Text = "",
    brand: Text = "",
    size: Text = "",
    colour: Text = "",
    in_stock: Annotated[bool, Form()] = False,
    embed: Annotated[bool, Form()] = False,
) -> Asked:
    return Asked(text, max_price, currency, shop, brand, size, colour, in_stock, embed)


@router.get("")
def page(request: Request, site: TheSite, embed: bool = False) -> Response:
    return _page(request, site, Asked(embed=embed))


@router.post("/find", dependencies=[Depends(check_form)], max_body_size=LARGEST_FORM)
async def search(
    request: Request,
    site: TheSite,
    asked: Annotated[Asked, Depends(asked_of)],
    photo: UploadFile | None = None,
    picture: UploadFile | None = None,
    sample: Text = "",
    box: Text = "",
) -> Response:
    """A whole page, or for the page's own script the results alone. picture: the form's other field for a file."""
    return await in_turn(lambda: _search(request, site, asked, sample, box, photo, picture))


def _search(request: Request, site: Site, asked: Asked, sample: str, box: str, *photos: UploadFile | None) -> Response:
    told, status = _searched(request, site, asked, lambda: _photo(site, sample, *photos), box)
    if request.headers.get("X-Part") == "results":
        answer = render(request, "lens_results.html", status_code=status, link=link, lines=lines, **told)
        answer.headers["X-Part"] = "results"
        return answer
    return _page(request, site, status=status, **told)


def searched_page(request: Request, site: Site, asked: Asked, photo: bytes, *, shared: str) -> Response:
    """The whole page with what `photo` finds. shared: the photo for its script, in Base64. Call it by `in_turn`."""
    told, status = _searched(request, site, asked, lambda: photo or None, "")
    return _page(request, site, status=status, shared=shared, **told)


def _searched(
    request: Request, site: Site, asked: Asked, read: Callable[[], bytes | None], box: str
) -> tuple[dict[str, Any], int]:
    """What the templates need, and the status."""
    found, problem, status, content = None, "", 200, None
    try:
        site.brakes.count("find", address_of(request), per_minute=PER_MINUTE, at_once=AT_ONCE)
        content = read()
        found = find(
            site,
            content,
            box=parse_box(box),
            text=asked.text,
            where=_wishes(asked),
            limit=LIMIT,
            channel="page",
        )
    except VitrinaError as error:
        problem, status = str(error), error.status
    return {"asked": asked, "found": found, "problem": problem, "by_photo": content is not None}, status


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
    shown = enumerate((*found.exact, *found.similar), start=1)
    place = next(number for number, product in shown if offer in product.offers)
    return f"/go/{quote(offer.shop)}/{quote(offer.offer_id, safe='')}?s={quote(found.search_id)}&n={place}"


def lines(product: FoundProduct) -> tuple[list[FoundOffer], list[FoundOffer]]:
    """The best offer of each shop, a few of them; then the others, such as other sizes."""
    best = {offer.shop: offer for offer in reversed(product.offers)}
    first = [offer for offer in product.offers if best[offer.shop] is offer][:SHOWN_SHOPS]
    return first, [offer for offer in product.offers if offer not in first]


def samples(site: Site) -> list[str]:
    """Names of the photos to try it with, once they find something."""
    return sorted(path.name for path in sample_folder(site.settings).glob("*.jpg")) if site.stage.demo else []


def is_ready(site: Site) -> bool:
    """Whether anything can be found yet."""
    path = site.settings.lens / "catalog.db"
    if not path.exists() or demo_progress(site) is not None:
        return False
    with closing(store.open_catalog(path)) as opened:
        return opened.execute("SELECT 1 FROM index_state LIMIT 1").fetchone() is not None


def demo_progress(site: Site) -> float | None:
    """How far the demo's catalog is, 0 to 1; None where nothing is being made."""
    if not site.stage.demo:
        return None
    with site.database.reading() as session:
        job = find_job(session, JOB)
    is_made = job is not None and job.state in (State.WAITING, State.RUNNING) and job.progress < 1
    return job.progress if job is not None and is_made else None


def _page(
    request: Request,
    site: Site,
    asked: Asked,
    *,
    found: Found | None = None,
    problem: str = "",
    by_photo: bool = False,
    shared: str = "",
    status: int = 200,
) -> Response:
    with site.database.reading() as session:
        shops = [shop for shop in list_shops(session) if shop.active]
    ready = is_ready(site)
    return render(
        request,
        "lens.html",
        status_code=status,
        asked=asked,
        found=found,
        problem=problem,
        by_photo=by_photo,
        link=link,
        lines=lines,
        embed=asked.embed,
        shared=shared,
        ready=ready,
        progress=demo_progress(site),
        shops=shops,
        currencies=sorted({shop.currency for shop in shops}),
        samples=samples(site) if ready else [],
    )


def _photo(site: Site, sample: str, *files: UploadFile | None) -> bytes | None:
    if sample:
        return _sample(site, sample).read_bytes()
    contents = (one.file.read(LARGEST_PHOTO + 1) for one in files if one is not None)
    return next((content for content in contents if content), None)


def _sample(site: Site, name: str) -> Path:
    path = sample_folder(site.settings) / name
    if not (site.stage.demo and _SAMPLE.fullmatch(name) and path.is_file()):
        raise NotFoundError("there is no such photo")
    return path


def _wishes(asked: Asked) -> Wishes:
    if asked.max_price and not asked.currency:
        raise InputError("price: expected its currency as well")
    return Wishes(
        shops=(asked.shop,) if asked.shop else (),
        brands=(asked.brand.strip(),) if asked.brand.strip() else (),
        size=asked.size.strip(),
        colour=asked.colour.strip(),
        max_price=parse_price(asked.max_price, asked.currency),
        in_stock_only=asked.in_stock,
        currency=asked.currency,
    )
