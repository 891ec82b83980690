"""`/api/v1/shops/{slug}/period`: the numbers of the period's page, and its tables as files."""

from __future__ import annotations

from dataclasses import asdict
from datetime import date
from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from vitrina.errors import NotFoundError
from vitrina.floor.measures.compared import tables
from vitrina.web.api.answers import Figure
from vitrina.web.api.files import as_file
from vitrina.web.api.routes import PREFIX, PROBLEMS, Form
from vitrina.web.auth import Who
from vitrina.web.periods import Against, AgainstDay, From, To, figures_of, find_period
from vitrina.web.site import TheSite

router = APIRouter(prefix=f"{PREFIX}/shops/{{slug}}", responses=PROBLEMS)

_SHAPE = ConfigDict(from_attributes=True, populate_by_name=True)


class Compared(BaseModel):
    """A figure of the period and of the other one; `now.change` is the difference, and its `days` stay empty."""

    now: Figure
    before: Figure | None


class PeriodDays(BaseModel):
    first: date
    last: date
    days: int
    watched: int
    closed: int
    left_out: list[date] = Field(description="Open days that figures by day leave out.")
    watched_share: float | None
    layout_ids: list[str]


class PeriodBreak(BaseModel):
    """The first day of another layout, and what was drawn anew."""

    day: date
    layout_id: str
    zones: list[str]
    known: bool = Field(description="False when the layouts are not kept any more.")


class SeriesDay(BaseModel):
    model_config = _SHAPE

    day: date
    inbound: int | None = Field(alias="in")
    state: str = Field(description="watched, partly, unwatched, closed or running")
    before_day: date | None
    before: int | None
    before_state: str | None
    layout: str | None


class PeriodZone(BaseModel):
    zone: str
    name: str
    kind: str
    visitors: Compared
    visitors_a_day: Compared
    exposure: Compared
    dwell_median: Compared
    dwell_p90: Compared
    stopping_power: Compared
    holding_power: Compared


class PeriodQueue(BaseModel):
    zone: str
    name: str
    joined: Compared
    length_max: Compared
    length_mean: Compared
    wait_median: Compared
    wait_p90: Compared
    abandonment: Compared


class FunnelStep(BaseModel):
    step: str = Field(description="entered, section, queue, served or receipts")
    count: int | None
    share: Compared = Field(description="Of those who entered.")
    of_before: Compared = Field(description="Of those at the step before.")


class PeriodTransition(BaseModel):
    model_config = _SHAPE

    origin: str = Field(alias="from")
    goal: str = Field(alias="to")
    steps: int
    people: int
    share: float
    n: int


class PeriodFlow(BaseModel):
    model_config = _SHAPE

    place: int
    origin: str = Field(alias="from")
    goal: str = Field(alias="to")
    people: int


class PeriodPath(BaseModel):
    path: list[str]
    people: int


class PeriodHour(BaseModel):
    model_config = _SHAPE

    weekday: int = Field(description="0 is Monday.")
    hour: int
    inside: float | None
    inbound: float | None = Field(alias="in")
    days: int


class GapDay(BaseModel):
    day: date
    camera: str
    gaps: int
    gap_s: float


class Period(BaseModel):
    """Everything that the page of a shop's period shows."""

    shop: str
    period: PeriodDays
    against: PeriodDays | None
    aligned: bool = Field(description="Both periods have the same week days in the same order.")
    currency: str
    simulated: bool
    breaks: list[PeriodBreak]
    figures: dict[str, Compared]
    series: list[SeriesDay]
    zones: list[PeriodZone]
    queues: list[PeriodQueue]
    funnels: dict[str, list[FunnelStep]] = Field(description="By section; the empty name is any section.")
    transitions: list[PeriodTransition]
    flows: list[PeriodFlow]
    paths: list[PeriodPath]
    occupancy: list[PeriodHour]
    gaps: list[GapDay]


@router.get("/period")
def shop_period(
    site: TheSite,
    who: Who,
    slug: str,
    first: From = None,
    to: To = None,
    against: Against = "before",
    against_from: AgainstDay = None,
    against_to: AgainstDay = None,
) -> Period:
    """One shop over a period, beside another: every figure with its count, interval and difference."""
    asked = find_period(site, who, slug, first, to, against, against_from, against_to)
    return Period.model_validate(asdict(figures_of(site, asked)))


@router.get("/period/tables/{table}.{form}", response_class=Response)
def period_table(
    site: TheSite,
    who: Who,
    slug: str,
    table: str,
    form: Form,
    first: From = None,
    to: To = None,
    against: Against = "before",
    against_from: AgainstDay = None,
    against_to: AgainstDay = None,
) -> Response:
    """A table of the page: figures, series, zones, queues, funnel, transitions, flows, paths, occupancy, gaps, …"""
    asked = find_period(site, who, slug, first, to, against, against_from, against_to, action="figures.export")
    found: dict[str, Any] = tables(figures_of(site, asked))
    if table not in found:
        raise NotFoundError(f"there is no table {table!r}; there are: {', '.join(found)}")
    return as_file(found[table], form, name=f"vitrina-{slug}-{asked.period[0]}-{asked.period[1]}-{table}")
