"""The gate: one table says which routes are open; every other request needs a session or an API key.

It stands in front of the router, so a route that somebody adds and forgets is closed, and a stranger cannot learn
from the answers which addresses exist.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from urllib.parse import quote, urlsplit

from anyio.to_thread import run_sync
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import compile_path
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from vitrina.errors import DeniedError, NotSignedInError
from vitrina.web.auth import Door, Visitor
from vitrina.web.problems import problem


@dataclass(frozen=True, slots=True)
class OpenRoute:
    method: str
    path: str
    why: str


OPEN_ROUTES: tuple[OpenRoute, ...] = (
    OpenRoute("GET", "/static/{path:path}", "Style sheet and scripts, the same for everybody."),
    OpenRoute("GET", "/favicon.ico", "Browsers ask for it by themselves."),
    OpenRoute("GET", "/sign-in", "The form."),
    OpenRoute("POST", "/sign-in", "Attempts are counted and slowed down."),
    OpenRoute("GET", "/invitations/{token}", "Shows the form; the link works once and ends by itself."),
    OpenRoute("POST", "/invitations/{token}", "Makes the account that the link promises."),
    OpenRoute("GET", "/links/{token}", "Asks before the link is used up: previews of links must not spend it."),
    OpenRoute("POST", "/links/{token}", "Signs in the person whom the link was made for, once."),
    OpenRoute("POST", "/preferences", "Language and theme of this browser, kept in cookies."),
    OpenRoute("GET", "/demo", "Only in `vitrina demo`, only from this machine; not found otherwise."),
    OpenRoute("GET", "/lens", "Shoppers have no account: the page that takes a photo."),
    OpenRoute("POST", "/lens/find", "A shopper's search; counted per address and slowed down, the photo is not kept."),
    OpenRoute("GET", "/lens/manifest.webmanifest", "What a phone needs to keep the page among its apps."),
    OpenRoute("GET", "/lens/share", "Leads to the page: a shared photo is not kept."),
    OpenRoute("POST", "/lens/share", "A photo from another app; a search like any other, not begun by another site."),
    OpenRoute("GET", "/lens/pictures/{name}", "Small pictures of what shops offer now."),
    OpenRoute("GET", "/lens/samples/{name}", "Photos to try it with; only in `vitrina demo`."),
    OpenRoute("GET", "/demo/shops/{shop}", "Stands in for a simulated shop's page; only in `vitrina demo`."),
    OpenRoute("POST", "/demo/shops/{shop}", "Pretends an order there; only in `vitrina demo`."),
    OpenRoute("GET", "/metrics", "Only from this machine, and only where `metrics_local` says so; else by key."),
    OpenRoute("GET", "/go/{shop}/{offer_id:path}", "Sends to an offer of the catalog and nowhere else; rate-limited."),
    OpenRoute("GET", "/postback/{network}", "Networks report orders here, signed; rate-limited."),
    OpenRoute("POST", "/postback/{network}", "The same for networks that send forms or JSON."),
    OpenRoute("GET", "/cashback", "What a cashback page is, and the button that makes one."),
    OpenRoute("POST", "/cashback", "Makes a shopper's cashback page without an account; rate-limited."),
    OpenRoute("GET", "/cashback/{secret}", "A shopper's own cashback; the link is the secret."),
    OpenRoute("POST", "/cashback/{secret}/keep", "Collect this browser's clicks there; the link is the secret."),
    OpenRoute("POST", "/cashback/{secret}/forget", "Collect them no more."),
    OpenRoute("POST", "/cashback/{secret}/chat", "A code that links a shopper's chat; by the link, rate-limited."),
    OpenRoute("POST", "/cashback/{secret}/missing", "Say that a purchase is missing; by the link, rate-limited."),
    OpenRoute("GET", "/health", "Alive or not, without names; details only for those who are signed in."),
)

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
FOR_PROGRAMS = ("/api/", "/metrics", "/health")

_PATTERNS: tuple[tuple[str, re.Pattern[str]], ...] = tuple(
    (route.method, compile_path(route.path)[0]) for route in OPEN_ROUTES
)


def is_open(method: str, path: str) -> bool:
    method = "GET" if method == "HEAD" else method
    return any(method == allowed and pattern.match(path) for allowed, pattern in _PATTERNS)


class Gate:
    """ASGI middleware: finds out who asks, turns strangers away, and leaves the visitor in `request.state`."""

    def __init__(self, app: ASGIApp, *, door: Door) -> None:
        self._app = app
        self._door = door

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
            return
        if scope["type"] != "http" or scope["path"].startswith("/static/"):
            await self._app(scope, receive, send)
            return
        request = Request(scope, receive)
        visitor = await self._visitor(request)
        refusal = _refusal(request, visitor, self._door)
        if refusal is not None:
            await refusal(scope, receive, send)
            return
        request.state.visitor = visitor
        await self._app(scope, receive, self._renewing(visitor, send))

    async def _visitor(self, request: Request) -> Visitor:
        """A key, when one is sent, counts alone and only where programs go."""
        scheme, _, key = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            if not request.url.path.startswith(FOR_PROGRAMS):
                return Visitor()
            return await run_sync(self._door.by_key, key.strip())
        cookies = request.cookies
        visitor = await run_sync(self._door.by_cookie, cookies.get(self._door.cookie_name, ""))
        return replace(visitor, guest=cookies.get(self._door.guest_name, "")) if visitor.person is None else visitor

    def _renewing(self, visitor: Visitor, send: Send) -> Send:
        """Send the cookie again when the session was prolonged, so that both end on the same day."""

        async def send_with_cookie(message: Message) -> None:
            if message["type"] == "http.response.start" and visitor.renewed:
                response = Response()
                self._door.set_cookie(response, visitor.cookie)
                message["headers"] = [*message["headers"], *_set_cookies(response)]
            await send(message)

        return send_with_cookie


def _refusal(request: Request, visitor: Visitor, door: Door) -> Response | None:
    method, path = request.method, request.url.path
    if method not in SAFE_METHODS and not visitor.by_key and not same_origin(request, door.public_url):
        return problem(request, DeniedError("this form was sent from another site; open the page here and try again"))
    if visitor.person is not None or is_open(method, path):
        return None
    if method == "GET" and "text/html" in request.headers.get("Accept", "") and not path.startswith("/api/"):
        target = path + (f"?{request.url.query}" if request.url.query else "")
        return RedirectResponse(f"{door.entrance}?next={quote(target, safe='')}", status_code=303)
    return problem(request, NotSignedInError("sign in, or send an API key: `Authorization: Bearer vk_…`"))


def same_origin(request: Request, public_url: str) -> bool:
    """Whether a browser says that our own page sent this.

    Programs that say nothing are believed: nobody else can make them send their cookie.
    """
    if request.headers.get("Sec-Fetch-Site", "same-origin") not in ("same-origin", "none"):
        return False
    origin = request.headers.get("Origin")
    if origin is None:
        return True
    own = {request.headers.get("Host", ""), urlsplit(public_url).netloc}
    return bool(urlsplit(origin).netloc) and urlsplit(origin).netloc in own


def _set_cookies(response: Response) -> list[tuple[bytes, bytes]]:
    return [(name, value) for name, value in response.raw_headers if name == b"set-cookie"]
