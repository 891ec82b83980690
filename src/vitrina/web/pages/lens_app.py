"""The shopper's page as an app of a phone: what installs it, and photos that other apps share with it."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

from fastapi import APIRouter, Request, UploadFile
from starlette.responses import JSONResponse, RedirectResponse, Response

from vitrina.errors import DeniedError, InputError
from vitrina.lens.photo import read_photo, to_webp
from vitrina.web.finding import LARGEST_FORM, LARGEST_PHOTO, in_turn
from vitrina.web.pages.lens import Asked, searched_page
from vitrina.web.render import static_url, words_of
from vitrina.web.site import Site, TheSite

router = APIRouter(prefix="/lens", include_in_schema=False)

ICON_SIDES_PX = (192, 512)
SHOWN_PX = 1024
"""The longest side of a shared photo as the page shows it: as the page shrinks its own."""


@router.get("/manifest.webmanifest")
def manifest(request: Request) -> Response:
    """What a phone needs to keep the page among its apps and to offer it where a photo is shared (W3C Web App Manifest,
    Web Share Target). It is asked for without cookies.
    """
    words = words_of(request)
    icons = [
        {"src": static_url(f"icon-{side}.png"), "sizes": f"{side}x{side}", "type": "image/png", "purpose": purpose}
        for side in ICON_SIDES_PX
        for purpose in ("any", "maskable")
    ]
    told: dict[str, Any] = {
        "id": "/lens",
        "name": words.gettext("Find by photo"),
        "short_name": "Vitrina",
        "lang": words.language,
        "start_url": "/lens",
        "scope": "/lens",
        "display": "standalone",
        "background_color": "#f5f4f1",
        "theme_color": "#0b6a61",
        "icons": icons,
        "share_target": {
            "action": "/lens/share",
            "method": "POST",
            "enctype": "multipart/form-data",
            "params": {"text": "text", "files": [{"name": "photo", "accept": ["image/*"]}]},
        },
    }
    headers = {"Cache-Control": "public, max-age=3600", "Vary": "Accept-Language, Cookie"}
    return JSONResponse(told, media_type="application/manifest+json", headers=headers)


@router.get("/share")
def nothing_shared() -> Response:
    """Where a shared photo's page is opened again, such as from the history: the photo is gone, as promised."""
    return RedirectResponse("/lens", 303)


@router.post("/share", max_body_size=LARGEST_FORM)
async def share(request: Request, site: TheSite, photo: UploadFile | None = None) -> Response:
    """A photo from another app. No page of ours was there to give a form's token: the browser says who began it."""
    if request.headers.get("Sec-Fetch-Site") not in ("none", "same-origin"):
        raise DeniedError("expected a photo that another app on this device shares; open the page instead")
    return await in_turn(lambda: _share(request, site, photo))


def _share(request: Request, site: Site, photo: UploadFile | None) -> Response:
    content = photo.file.read(LARGEST_PHOTO + 1) if photo is not None else b""
    return searched_page(request, site, Asked(), content, shared=_shown(content))


def _shown(content: bytes) -> str:
    """The photo for the page that asked, where a box can be drawn on it: Base64 of a small WebP; "" for no picture."""
    if not 0 < len(content) <= LARGEST_PHOTO:
        return ""
    try:
        return b64encode(to_webp(read_photo(content), longest_px=SHOWN_PX)).decode("ascii")
    except InputError:
        return ""  # the page says what is wrong with it
