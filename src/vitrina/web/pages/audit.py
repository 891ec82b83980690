"""The audit log: every change, who made it, from what to what."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from vitrina.storage import audit, directory
from vitrina.web.auth import Who
from vitrina.web.render import render
from vitrina.web.site import TheSite

router = APIRouter(include_in_schema=False)


@router.get("/audit")
def audit_log(
    request: Request,
    site: TheSite,
    who: Who,
    about: Annotated[str | None, Query(max_length=200)] = None,
    limit: Annotated[int, Query(ge=1, le=2000)] = 200,
) -> Response:
    who.rights.require("audit.view")
    with site.database.reading() as session:
        entries = audit.entries(session, object=about, limit=limit)
        names = directory.names(session)
    return render(request, "audit.html", entries=entries, names=names, about=about, limit=limit)
