"""Is it alive? `/health` for supervisors and load balancers, `/metrics` for Prometheus."""

from __future__ import annotations

import logging
import time
from typing import Any

from fastapi import APIRouter, Request
from prometheus_client import CollectorRegistry, Gauge, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from starlette.responses import FileResponse, JSONResponse, Response

from vitrina import __version__
from vitrina.errors import VitrinaError
from vitrina.storage import accounts
from vitrina.web.auth import Who, visitor_of
from vitrina.web.render import static_file
from vitrina.web.site import Site, TheSite

logger = logging.getLogger(__name__)
router = APIRouter(include_in_schema=False)

FRESH_S = 180
"""A camera is alive when a minute of its presence was committed so recently."""


@router.get("/health")
def health(request: Request, site: TheSite) -> Response:
    """200 when database and lake answer, else 503. Who is signed in also sees each camera's newest minute."""
    database, lake, cameras = _database_answers(site), *_cameras(site)
    answer: dict[str, Any] = {"status": "ok" if database and lake else "failing", "database": database, "lake": lake}
    person = visitor_of(request).person
    if person is not None:
        allowed = person.rights.shops("figures.view")
        answer["version"] = __version__
        answer["cameras"] = [
            {"shop": shop, "camera": camera, "age_s": round(age_s), "fresh": age_s < FRESH_S}
            for (shop, camera), age_s in sorted(cameras.items())
            if allowed is None or shop in allowed
        ]
    return JSONResponse(answer, status_code=200 if database and lake else 503)


@router.get("/metrics")
def metrics(site: TheSite, who: Who) -> Response:
    """For engineers, signed in or by a key with the scope `jobs.view`."""
    who.rights.require("jobs.view")
    registry = CollectorRegistry()
    lake, cameras = _cameras(site)
    for name, text, value in (
        ("vitrina_database_up", "1 when the database answers.", _database_answers(site)),
        ("vitrina_lake_up", "1 when the lake answers.", lake),
    ):
        Gauge(name, text, registry=registry).set(value)
    age = Gauge("vitrina_camera_age_seconds", "Since the newest minute.", ["shop", "camera"], registry=registry)
    for (shop, camera), age_s in cameras.items():
        age.labels(shop, camera).set(age_s)
    return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)


@router.get("/favicon.ico")
def favicon() -> Response:
    return FileResponse(static_file("mark.svg"), media_type="image/svg+xml")


def _database_answers(site: Site) -> bool:
    try:
        with site.database.reading() as session:
            accounts.anybody(session)
    except VitrinaError as error:
        logger.warning("health: %s", error)
        return False
    return True


def _cameras(site: Site) -> tuple[bool, dict[tuple[str, str], float]]:
    """Whether the lake answers, and seconds since each camera's newest minute of the last two days."""
    try:
        newest = site.figures.newest_minutes()
    except VitrinaError as error:
        logger.warning("health: %s", error)
        return False, {}
    return True, {place: time.time() - t.timestamp() for place, t in newest.items()}
