"""What the routes share: settings, database, lake and the figures made from them. Built once by `create_app`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, cast

from fastapi import Depends, Request

from vitrina.lens.catalog import Catalog
from vitrina.lens.lakestore import EventLog
from vitrina.settings import Settings
from vitrina.storage.database import Database
from vitrina.storage.lake import Lake
from vitrina.web.brakes import Brakes
from vitrina.web.figures import Figures
from vitrina.web.live import LiveCameras
from vitrina.web.render import Stage
from vitrina.web.timing import RequestTimes


@dataclass(frozen=True)
class Site:
    """demo_person: whom `/demo` signs in; None outside of `vitrina demo`. captions: shop slug to a sentence on top.

    events: the log of searches and clicks of lens. catalog: the search, opened by the first photo.
    """

    settings: Settings
    database: Database
    lake: Lake
    figures: Figures
    live: LiveCameras
    stage: Stage
    events: EventLog
    catalog: Catalog
    brakes: Brakes
    demo_person: str | None = None
    captions: Mapping[str, str] = field(default_factory=dict)
    times: RequestTimes = field(default_factory=RequestTimes)


def site_of(request: Request) -> Site:
    return cast(Site, request.app.state.site)


TheSite = Annotated[Site, Depends(site_of)]
