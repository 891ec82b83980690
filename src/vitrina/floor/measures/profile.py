"""The hours of a shop's day, out of quarters of an hour of UTC: every time zone lies whole quarters from UTC. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

import pyarrow as pa
import pyarrow.compute as pc

from vitrina.floor.layout import Shop
from vitrina.product import ShopClock

HOURS = 24


@dataclass(frozen=True, slots=True)
class Profile:
    """Sums by hour of the shop's own clock, over `days` days. Hour 0 is midnight, whenever the business day starts."""

    days: int
    sums: tuple[float, ...]

    def a_day(self) -> list[float]:
        return [total / self.days if self.days else 0.0 for total in self.sums]


def hour_profile(rows: pa.Table, column: str, shop: Shop, days: Iterable[date], *, currency: str = "") -> Profile:
    """rows: of `chain.quarters` or `chain.sales_quarters`. days: those that count; a change of clocks is followed."""
    wanted = sorted(set(days))
    chosen = rows.filter(pc.and_(pc.equal(rows["shop_id"], shop.slug), _in(rows["business_day"], wanted)))
    if currency:
        chosen = chosen.filter(pc.equal(chosen["currency"], currency))
    clock, sums = ShopClock(shop.timezone, shop.day_starts), [0.0] * HOURS
    columns = (chosen[name].to_pylist() for name in ("utc_day", "hour", "quarter", column))
    for day, hour, quarter, value in zip(*columns, strict=True):
        t = datetime.combine(day, time(), UTC) + timedelta(hours=hour, minutes=15 * quarter)
        sums[clock.local(t).hour] += float(value)
    return Profile(len(wanted), tuple(sums))


def _in(column: pa.ChunkedArray, days: list[date]) -> pa.ChunkedArray:
    return pc.is_in(column, value_set=pa.array(days, pa.date32()))
