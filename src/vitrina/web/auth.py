"""Who is there: the cookie of a session or an API key becomes a `Visitor`; routes ask for one by annotation.

def page(request: Request, who: Who) -> Response: ...
"""

from __future__ import annotations

import ipaddress
import secrets
from dataclasses import dataclass
from typing import Annotated, cast
from urllib.parse import urlsplit

from fastapi import Depends, Request
from starlette.responses import Response

from vitrina.errors import DeniedError, NotSignedInError
from vitrina.settings import Settings
from vitrina.storage import accounts, apikeys, sessions
from vitrina.storage.accounts import SignedIn
from vitrina.storage.database import Database
from vitrina.web import csrf

DAY_S = 24 * 3600


@dataclass(frozen=True, slots=True)
class Visitor:
    """Somebody who asks for something; `person` is None for a stranger.

    cookie: the session's token. guest: the cookie that ties a stranger's form to their browser.
    renewed: the session was prolonged just now.
    """

    person: SignedIn | None = None
    cookie: str = ""
    guest: str = ""
    by_key: bool = False
    renewed: bool = False

    @property
    def form_secret(self) -> str:
        return self.cookie or self.guest


class Door:
    """Turns cookies and keys into visitors, and sets and clears the cookies."""

    def __init__(self, database: Database, settings: Settings, *, demo: bool = False) -> None:
        self._database = database
        self._days = settings.session_days
        self.secure = settings.base_url.startswith("https://")
        prefix = "__Host-" if self.secure else ""  # such a cookie cannot be set from a subdomain or over HTTP
        self.cookie_name, self.guest_name = f"{prefix}vitrina", f"{prefix}vitrina-guest"
        self.public_url = settings.base_url
        self.entrance = "/demo" if demo else "/sign-in"

    def by_cookie(self, token: str) -> Visitor:
        if not token:
            return Visitor()
        with self._database.reading() as session:
            person = accounts.session_person(session, token)
            due = person is not None and sessions.renewal_due(session, token)
        if due:
            with self._database.session() as session:
                sessions.renew_session(session, token, days=self._days)
        return Visitor() if person is None else Visitor(person, cookie=token, renewed=due)

    def by_key(self, key: str) -> Visitor:
        with self._database.reading() as session:
            person = apikeys.key_person(session, key)
        return Visitor() if person is None else Visitor(person, by_key=True)

    def set_cookie(self, response: Response, token: str) -> None:
        self._set(response, self.cookie_name, token, max_age=self._days * DAY_S)

    def set_guest(self, response: Response) -> str:
        """A new secret for a stranger's browser, for as long as it is open."""
        guest = secrets.token_urlsafe(32)
        self._set(response, self.guest_name, guest, max_age=None)
        return guest

    def clear(self, response: Response) -> None:
        for name in (self.cookie_name, self.guest_name):
            response.delete_cookie(name, path="/", secure=self.secure, httponly=True, samesite="lax")

    def _set(self, response: Response, name: str, value: str, *, max_age: int | None) -> None:
        response.set_cookie(name, value, max_age=max_age, path="/", secure=self.secure, httponly=True, samesite="lax")


def visitor_of(request: Request) -> Visitor:
    return cast(Visitor, getattr(request.state, "visitor", Visitor()))


def signed_in(request: Request) -> SignedIn:
    person = visitor_of(request).person
    if person is None:
        raise NotSignedInError("nobody is signed in")
    return person


async def check_form(request: Request) -> None:
    """Refuse a form that does not carry the token of this very browser. Stands before every route that changes."""
    if request.method in ("GET", "HEAD"):
        return
    token = (await request.form()).get("form_token", "")
    if not csrf.is_valid(str(token), visitor_of(request).form_secret):
        raise DeniedError("this form is too old or was sent from another site; open the page again and retry")


async def check_key_or_form(request: Request) -> None:
    """A program's key is enough; a browser that brings its cookie must send the token of its page."""
    if not visitor_of(request).by_key:
        await check_form(request)


Who = Annotated[SignedIn, Depends(signed_in)]
"""The person who is signed in, or whose key was sent."""


def address_of(request: Request) -> str:
    return request.client.host if request.client else ""


def is_local(request: Request) -> bool:
    """Whether a browser on this very machine asks, without a proxy between and under a local name.

    The name matters: a page of another site may point its own name at 127.0.0.1 (DNS rebinding).
    """
    if any(header in request.headers for header in ("Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "Via")):
        return False
    return is_loopback(address_of(request)) and is_loopback(urlsplit(f"//{request.headers.get('Host', '')}").hostname)


def is_loopback(host: str | None) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host or "").is_loopback
    except ValueError:
        return False


def local_path(target: str | None) -> str:
    """`target` when it is a path on this very site, else `/`: signing in must not lead a person elsewhere."""
    if not target or not target.startswith("/") or target.startswith(("//", "/\\")):
        return "/"
    return target if target.isprintable() and "\\" not in target else "/"
