"""Today until now, for those who follow along: sums that only grow, and the people inside."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import TYPE_CHECKING, Protocol

import numpy as np
import pyarrow as pa

from vitrina.floor.layout import Shop
from vitrina.floor.measures.occupancy import people_inside
from vitrina.product import ShopClock

if TYPE_CHECKING:
    import ibis

MINUTE_S = 60


class Expressions(Protocol):
    """What is asked: the lake, or another engine over it."""

    def expr(self, table: str, *, shop_id: str | None = None, days: tuple[date, date] | None = None) -> ibis.Table: ...


@dataclass(frozen=True, slots=True)
class Stays:
    """Visits to a zone that ended, the persons who made them, and the median of their seconds."""

    visits: int
    people: int
    dwell_median_s: float


@dataclass(frozen=True, slots=True)
class RunningDay:
    """What was counted since the business day began.

    lines: slug and direction to crossings. zones: slug to its visits.
    inside: entries minus exits at the entrances, never below none; none once the shop has closed for the day; None
    without an entrance.
    """

    day: date
    lines: Mapping[tuple[str, str], int] = field(default_factory=dict)
    zones: Mapping[str, Stays] = field(default_factory=dict)
    footfall: int | None = None
    inside: int | None = None
    simulated: bool = False


def running_day(lake: Expressions, shop: Shop, now: datetime) -> RunningDay:
    """Two small questions to the lake; rows of people known to be staff are left out."""
    from ibis import _  # not before somebody asks: the process that only delivers does without it

    from vitrina.floor.measures.day import opening_times
    from vitrina.floor.measures.queries import customer_visits

    clock = ShopClock(shop.timezone, shop.day_starts)
    day = clock.business_day(now)
    tables = {name: lake.expr(name, shop_id=shop.slug, days=(day, day)) for name in ("crossings", "visits")}
    counted = tables["crossings"].filter(_.role != "staff", _.t < now)
    crossings = counted.select("t", "line_id", "direction", "simulated").to_pyarrow()
    stays = customer_visits(tables).filter(_.t < now).group_by("zone_id")
    visits = stays.agg(n=_.count(), people=_.person_id.nunique(), dwell_s=_.dwell_s.median()).to_pyarrow()
    lines = Counter(zip(crossings["line_id"].to_pylist(), crossings["direction"].to_pylist(), strict=True))
    entrances = list(shop.entrances)
    closes_us = max((until for _, until in opening_times(shop, day)), default=None)
    closed = closes_us is not None and closes_us <= now.timestamp() * 1e6
    inside = 0 if closed else _inside(crossings, entrances, clock.day_bounds(day)[0], now)
    return RunningDay(
        day=day,
        lines=dict(lines),
        zones={row["zone_id"]: Stays(row["n"], row["people"], float(row["dwell_s"])) for row in visits.to_pylist()},
        footfall=sum(lines[entrance, "in"] for entrance in entrances) if entrances else None,
        simulated=any(crossings["simulated"].to_pylist()),
        inside=inside if entrances else None,
    )


def _inside(crossings: pa.Table, entrances: list[str], start: datetime, now: datetime) -> int:
    at_door = np.isin(crossings["line_id"].to_numpy(zero_copy_only=False), entrances)
    moments_s = crossings["t"].cast(pa.int64()).to_numpy()[at_door] / 1e6
    inbound = crossings["direction"].to_numpy(zero_copy_only=False)[at_door] == "in"
    edges = np.arange(start.timestamp(), now.timestamp() + MINUTE_S, MINUTE_S)
    if len(edges) < 2:
        return 0
    steps = np.stack([np.histogram(moments_s[which], edges)[0] for which in (inbound, ~inbound)], axis=1)
    return round(float(people_inside(steps, np.zeros(len(steps)), closed=False)[-1]))
