"""Is it alive? `/health` for supervisors and load balancers, `/metrics` for Prometheus."""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from fastapi import APIRouter, Request
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from starlette.responses import FileResponse, JSONResponse, Response

from vitrina import __version__
from vitrina.errors import VitrinaError
from vitrina.storage import accounts
from vitrina.storage.accounts import SignedIn
from vitrina.web.auth import is_local, signed_in, visitor_of
from vitrina.web.live import Place
from vitrina.web.metrics import render_metrics
from vitrina.web.render import static_file
from vitrina.web.site import Site, TheSite
from vitrina.work import jobs

logger = logging.getLogger(__name__)
router = APIRouter(include_in_schema=False)

FRESH_S = 180
"""A camera is alive when a minute of its presence was committed so recently."""
CAMERA_LATE_S = 300
JOB_LATE_S = 600


@dataclass(frozen=True, slots=True)
class Health:
    """live: cameras that should deliver now. ages_s: since each camera's newest minute; none in two days: infinite.

    overdue_s: how long the job that is overdue longest has been so.
    """

    database: bool
    lake: bool
    live: frozenset[Place] = frozenset()
    ages_s: dict[Place, float] = field(default_factory=dict)
    overdue_s: float = 0.0

    @property
    def status(self) -> str:
        if not (self.database and self.lake):
            return "failing"
        late = any(self.ages_s[place] > CAMERA_LATE_S for place in self.live)
        return "degraded" if late or self.overdue_s > JOB_LATE_S else "ok"


@router.get("/health")
def health(request: Request, site: TheSite) -> Response:
    """200 when database and lake answer, else 503. Who is signed in also sees each camera's newest minute."""
    found = _examine(site)
    answer: dict[str, Any] = {"status": found.status, "database": found.database, "lake": found.lake}
    person = visitor_of(request).person
    if person is not None:
        answer |= _details(found, person)
    return JSONResponse(answer, status_code=503 if found.status == "failing" else 200)


@router.get("/metrics")
def metrics(request: Request, site: TheSite) -> Response:
    """For engineers, signed in or by a key with the scope `metrics.view`; for this machine where a setting says so."""
    if not (site.settings.metrics_local == "yes" and is_local(request)):
        signed_in(request).rights.require("metrics.view")
    found = _examine(site)
    text = render_metrics(
        site, found.live, found.ages_s, database=found.database, lake=found.lake, overdue_s=found.overdue_s
    )
    return Response(text, media_type=CONTENT_TYPE_LATEST)


@router.get("/favicon.ico")
def favicon() -> Response:
    return FileResponse(static_file("mark.svg"), media_type="image/svg+xml")


def _details(found: Health, person: SignedIn) -> dict[str, Any]:
    """What this person may see of it: the cameras of their shops, and the jobs."""
    allowed = person.rights.shops("figures.view")
    cameras = [
        {
            "shop": shop,
            "camera": camera,
            "live": (shop, camera) in found.live,
            "age_s": round(age_s) if math.isfinite(age_s) else None,
            "fresh": age_s < FRESH_S,
        }
        for (shop, camera), age_s in sorted(found.ages_s.items())
        if allowed is None or shop in allowed
    ]
    details: dict[str, Any] = {"version": __version__, "cameras": cameras}
    return details | ({"job_overdue_s": round(found.overdue_s)} if person.rights.may("jobs.view") else {})


def _examine(site: Site) -> Health:
    now, database, lake = site.figures.now(), True, True
    live: frozenset[Place] = frozenset()
    newest: dict[Place, datetime] = {}
    overdue_s = 0.0
    try:
        with site.database.reading() as session:
            accounts.anybody(session)
            overdue_s = jobs.overdue_s(session, now)
        live = site.live.places()
    except VitrinaError as error:
        logger.warning("health: %s", error)
        database = False
    try:
        newest = site.figures.newest_minutes()
    except VitrinaError as error:
        logger.warning("health: %s", error)
        lake = False
    ages_s = dict.fromkeys(live, math.inf) | {place: (now - t).total_seconds() for place, t in newest.items()}
    return Health(database, lake, live, ages_s, overdue_s)
