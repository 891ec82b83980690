"""How long requests take, by route: a histogram for Prometheus, kept in memory."""

from __future__ import annotations

import time

from prometheus_client import CollectorRegistry, Histogram
from starlette.types import ASGIApp, Message, Receive, Scope, Send

BUCKETS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 1.0, 2.0, 5.0, 10.0)
OTHER = "other"
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class RequestTimes:
    """One for the process. Addresses are counted by the template of their route: `/shops/{slug}`, never by slug."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._seconds = Histogram(
            "vitrina_http_request_duration_seconds",
            "From the request's arrival to the end of its answer, by route.",
            ["method", "route", "status"],
            buckets=BUCKETS_S,
            registry=self.registry,
        )

    def note(self, method: str, route: str, status: int, seconds: float) -> None:
        known = method if method in METHODS else OTHER
        self._seconds.labels(known, route, str(status)).observe(seconds)


class Timing:
    """ASGI middleware, the outermost: what others do in between is part of the time."""

    def __init__(self, app: ASGIApp, *, times: RequestTimes) -> None:
        self._app, self._times = app, times

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, status = time.perf_counter(), 500

        async def noted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, noted)
        finally:
            self._times.note(scope["method"], _route(scope), status, time.perf_counter() - began)


def _route(scope: Scope) -> str:
    """What nobody routes (a stranger's guesses) is one line."""
    if scope["path"].startswith("/static/"):
        return "/static"
    return str(getattr(scope.get("route"), "path", OTHER))
