"""What the API answers with: the shapes that its description (OpenAPI) tells programs about."""

from __future__ import annotations

from datetime import date, datetime

from pydantic import BaseModel, ConfigDict, Field

_SHAPE = ConfigDict(from_attributes=True, populate_by_name=True)


class Change(BaseModel):
    """Against the mean of the same week day in up to four weeks before, with Student's prediction interval."""

    model_config = _SHAPE

    value: float
    low: float | None
    high: float | None
    days: list[date] = Field(description="The days that it was compared with.")


class Figure(BaseModel):
    """A number with its count and its 95 % interval. Without a value, `note` says why."""

    model_config = _SHAPE

    name: str
    value: float | None
    unit: str = Field(description="people, s, share, ratio, money (minor units of the shop's currency), steps")
    n: int | None = Field(description="What the value stands on.")
    low: float | None
    high: float | None
    change: Change | None
    note: str


class Hour(BaseModel):
    hour: str = Field(description="HH:00 in shop time.")
    t: datetime
    inbound: int | None = Field(alias="in")
    outbound: int | None = Field(alias="out")
    low: float | None
    high: float | None
    watched: float | None = Field(description="Part of the hour that was analysed.")
    note: str


class Inside(BaseModel):
    t: str = Field(description="HH:MM in shop time.")
    people: int | None


class Gap(BaseModel):
    """When a camera was not watched."""

    camera: str
    start: datetime
    until: datetime
    gap_s: float
    reason: str


class Zone(BaseModel):
    model_config = _SHAPE

    zone: str
    name: str
    kind: str
    visitors: Figure
    exposure: Figure
    dwell_median: Figure
    dwell_p90: Figure
    stopping_power: Figure
    holding_power: Figure


class Queue(BaseModel):
    model_config = _SHAPE

    zone: str
    name: str
    length_max: Figure
    length_mean: Figure
    wait_median: Figure
    wait_p90: Figure
    abandonment: Figure


class Heat(BaseModel):
    """seconds[iy][ix]: person-seconds in the cell with its upper left corner at (x0 + ix·cell, y0 + iy·cell) cm."""

    model_config = _SHAPE

    cell_cm: int
    x0: int
    y0: int
    nx: int
    ny: int
    seconds: list[list[float]]


class Path(BaseModel):
    path: list[str]
    people: int


class Transition(BaseModel):
    origin: str = Field(alias="from")
    goal: str = Field(alias="to")
    people: int


class Day(BaseModel):
    """Everything that the page of one shop's day shows."""

    model_config = _SHAPE

    shop: str
    day: date
    currency: str
    simulated: bool
    layout_ids: list[str]
    watched_share: float | None
    gaps: list[Gap]
    figures: dict[str, Figure]
    hourly: list[Hour]
    occupancy: list[Inside]
    zones: list[Zone]
    queues: list[Queue]
    heat: Heat | None
    paths: list[Path]
    transitions: list[Transition]


class Shop(BaseModel):
    slug: str
    name: str
    timezone: str
    currency: str
    today: date = Field(description="The business day that runs now.")
    last_day: date | None = Field(description="The newest day with figures.")


class ShopDetail(Shop):
    layout_id: str
    valid_from: datetime
    cameras: list[str]
    zones: dict[str, str] = Field(description="Slug to name.")
    lines: dict[str, str] = Field(description="Slug to name.")


class Measure(BaseModel):
    model_config = _SHAPE

    name: str
    title: str
    unit: str
    definition: str
    interval: str
    hides: str
    tables: list[str]


class MeasureDetail(Measure):
    query: str = Field(description="DuckDB SQL over the lake's tables.")


class Model(BaseModel):
    model_config = _SHAPE

    name: str
    role: str
    sha256: str
    licence: str
    shipped: bool


class Me(BaseModel):
    name: str
    email: str
    roles: list[tuple[str, str]] = Field(description="Pairs of role and shop; `*` is every shop.")
    scopes: list[str] | None = Field(description="What the API key is limited to; null for a signed-in person.")


class Problem(BaseModel):
    """RFC 9457."""

    type: str
    title: str
    status: int
    detail: str
