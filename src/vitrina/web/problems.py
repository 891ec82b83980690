"""Errors as people and programs see them: a page, or a problem document (RFC 9457). Neither tells anything internal."""

from __future__ import annotations

import logging
import re
from http import HTTPStatus

from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from vitrina.errors import InputError, LimitError, NotFoundError, VitrinaError
from vitrina.product import new_id
from vitrina.web.render import render

logger = logging.getLogger(__name__)

_TOKEN = re.compile(r"/(invitations|links|cashback)/.*", re.DOTALL)


def problem(request: Request, error: VitrinaError) -> Response:
    """The answer to an error that we can explain."""
    return _answer(request, error.status, str(error))


def _answer(request: Request, status: int, detail: str) -> Response:
    if wants_page(request):
        return render(request, "problem.html", status_code=status, status=status, detail=detail)
    body = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "detail": detail}
    return JSONResponse(body, status_code=status, media_type="application/problem+json")


def wants_page(request: Request) -> bool:
    return "text/html" in request.headers.get("Accept", "") and not request.url.path.startswith("/api/")


def loggable(path: str) -> str:
    """The path without the token of a link, which may still open an account: whoever reads the log must not use it."""
    return _TOKEN.sub(r"/\1/***", path)


async def on_our_error(request: Request, error: Exception) -> Response:
    if not isinstance(error, VitrinaError):
        raise error
    if error.status >= 500:
        logger.warning("%s %s: %s", request.method, loggable(request.url.path), error)
    return problem(request, error)


async def on_http_error(request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    if error.status_code == HTTPStatus.NOT_FOUND:
        return problem(request, NotFoundError("there is nothing at this address"))
    if error.status_code == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
        return _answer(request, error.status_code, str(LimitError("what was sent is too large")))
    return _answer(request, error.status_code, HTTPStatus(error.status_code).phrase)


async def on_invalid_request(request: Request, error: Exception) -> Response:
    """A parameter that does not fit. The value itself is left out: it may be a password."""
    if not isinstance(error, RequestValidationError):
        raise error
    wrong = "; ".join(f"{'.'.join(map(str, item['loc'][1:]))}: {item['msg']}" for item in error.errors())
    return problem(request, InputError(wrong))


class LastResort:
    """ASGI middleware: what nobody expected is logged with a number, and the person is told only the number."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = False

        async def watch(message: Message) -> None:
            nonlocal started
            started = started or message["type"] == "http.response.start"
            await send(message)

        try:
            await self._app(scope, receive, watch)
        except Exception:
            incident = new_id()
            logger.exception("incident %s at %s", incident, loggable(scope.get("path", "")))
            if started or scope["type"] != "http":
                raise
            detail = f"something went wrong here; it is in the log under {incident}"
            await _answer(Request(scope, receive), 500, detail)(scope, receive, send)
