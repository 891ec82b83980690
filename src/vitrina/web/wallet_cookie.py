"""The cookie that keeps a shopper's wallet in this browser, so that later clicks belong to it."""

from __future__ import annotations

from fastapi import Request
from sqlalchemy.orm import Session
from starlette.responses import Response

from vitrina.lens import wallet
from vitrina.web.site import Site

KEPT_S = 400 * 24 * 3600
"""The longest that browsers keep a cookie."""


def secret_of(request: Request, site: Site) -> str:
    """The secret that this browser keeps, "" for none; it may open nothing any more."""
    return request.cookies.get(_name(site), "")


def wallet_here(request: Request, site: Site, session: Session) -> str | None:
    """The wallet of this browser."""
    return wallet.known_wallet(session, secret_of(request, site))


def keep(response: Response, site: Site, secret: str) -> None:
    response.set_cookie(
        _name(site), secret, max_age=KEPT_S, path="/", secure=site.stage.door.secure, httponly=True, samesite="lax"
    )


def forget(response: Response, site: Site) -> None:
    response.delete_cookie(_name(site), path="/", secure=site.stage.door.secure, httponly=True, samesite="lax")


def _name(site: Site) -> str:
    return "__Host-vitrina-cashback" if site.stage.door.secure else "vitrina-cashback"
