"""A stretch of one shop's days: the ledger's sums as NumPy columns by day, and how well each day was watched. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from vitrina.floor.layout import Shop
from vitrina.floor.measures.day import WATCHED_ENOUGH, opening_times
from vitrina.floor.measures.ledger import Sums
from vitrina.floor.measures.queries import Marks
from vitrina.floor.measures.rows import Floats, Ints, Mask, doubles, integers
from vitrina.product import ShopClock
from vitrina.worth.days import Spread

QUARTER_US = 15 * 60 * 1_000_000
QUARTERS = 100  # of the longest day, which has 25 hours

State = Literal["watched", "partly", "unwatched", "closed", "running"]
"""watched: for at least nine tenths of its opening hours. unwatched: open, and nothing is recorded.

running: not over yet. A day that nobody recorded anything of, in a shop without opening hours, counts as unwatched.
"""


@dataclass(frozen=True)
class Stretch:
    """Days `first` … `last` of a shop. sums: rows of these days alone. today: the day that is not over.

    Arrays have one entry a day.
    """

    shop: Shop
    marks: Marks
    first: date
    last: date
    sums: Sums
    today: date

    @cached_property
    def days(self) -> tuple[date, ...]:
        return tuple(self.first + timedelta(days=number) for number in range((self.last - self.first).days + 1))

    @property
    def length(self) -> int:
        return len(self.days)

    # Counting by day -------------------------------------------------------------------------------------------------

    def count(self, name: str, column: str, where: Mapping[str, str] | None = None) -> Floats:
        """The sum of a column by day, of the rows whose columns equal `where`."""
        chosen = self.chosen(name, where)
        weights = self._column(name, column)[chosen]
        return np.bincount(self._day(name)[chosen], weights=weights, minlength=self.length).astype(np.float64)

    def listed(self, name: str, column: str, where: Mapping[str, str] | None = None) -> Spread:
        """A column of lists, of the rows whose columns equal `where`."""
        key = (name, column, "=", *sorted((where or {}).items()))
        if key not in self._lists:
            self._lists[key] = self._read_lists(name, column, where)
        return self._lists[key]

    def inside(self, name: str, column: str) -> Spread:
        """The lists of all sections and promo displays."""
        key = (name, column)
        if key not in self._lists:
            self._lists[key] = joined([self.listed(name, column, {"zone_id": zone}) for zone in self.marks.inside])
        return self._lists[key]

    def _read_lists(self, name: str, column: str, where: Mapping[str, str] | None) -> Spread:
        rows = self.sums[name]
        chosen = self.chosen(name, where) & (self._lengths(name, column) > 0)
        lists = rows[column].filter(pa.array(chosen))
        values = np.asarray(pc.list_flatten(lists).to_numpy(), dtype=np.float64)
        return Spread(values, np.cumsum(self._lengths(name, column)[chosen]), self._day(name)[chosen])

    def chosen(self, name: str, where: Mapping[str, str] | None) -> Mask:
        found = np.ones(self.sums[name].num_rows, dtype=bool)
        for column, value in (where or {}).items():
            found &= self._equal(name, column, value)
        return found

    @cached_property
    def _lists(self) -> dict[tuple[Any, ...], Spread]:
        """Lists that were asked for: the median and the 90th percentile are of the same."""
        return {}

    @cached_property
    def _found(self) -> dict[tuple[str, ...], NDArray[Any]]:
        """Columns that were asked for."""
        return {}

    def _kept(self, key: tuple[str, ...], find: Callable[[], NDArray[Any]]) -> NDArray[Any]:
        if key not in self._found:
            self._found[key] = find()
        return self._found[key]

    def _day(self, name: str) -> Ints:
        return self._kept((name,), lambda: self.day_of(self.sums[name]))

    def _column(self, name: str, column: str) -> Floats:
        return self._kept((name, column), lambda: doubles(self.sums[name], column))

    def _lengths(self, name: str, column: str) -> Ints:
        def find() -> Ints:
            lengths = pc.fill_null(pc.list_value_length(self.sums[name][column]), 0)
            return integers(pa.table({"n": lengths}), "n")

        return self._kept((name, column, "lengths"), find)

    def _equal(self, name: str, column: str, value: str) -> Mask:
        def find() -> Mask:
            return np.asarray(pc.equal(self.sums[name][column], value).to_numpy(), dtype=bool)

        return self._kept((name, column, "=", value), find)

    def day_of(self, rows: pa.Table) -> Ints:
        return integers(pa.table({"d": rows["business_day"].cast(pa.int32())}), "d") - (self.first - _EPOCH).days

    def hour_of(self, rows: pa.Table) -> tuple[Ints, Ints]:
        """The day of each row, and the hour of its business day (0 to 24)."""
        day = self.day_of(rows)
        return day, (self.moments(rows) - self.starts[day]) // (4 * QUARTER_US)

    def moments(self, rows: pa.Table) -> Ints:
        """The start of each row's quarter of an hour, µs since the epoch."""
        hours = rows["hour"].cast(pa.timestamp("us", "UTC"))
        return integers(pa.table({"t": hours}), "t") + integers(rows, "quarter") * QUARTER_US

    def zones(self) -> list[str]:
        return sorted(set(pc.unique(self.sums["dwells"]["zone_id"]).to_pylist()))

    # The clock -------------------------------------------------------------------------------------------------------

    @cached_property
    def starts(self) -> Ints:
        """When each business day begins, and one more entry for the end of the last; µs since the epoch."""
        clock = ShopClock(self.shop.timezone, self.shop.day_starts)
        bounds = [clock.day_bounds(day)[0] for day in (*self.days, self.last + timedelta(days=1))]
        return np.array([round(moment.timestamp() * 1e6) for moment in bounds], dtype=np.int64)

    @cached_property
    def opens(self) -> list[tuple[tuple[int, int], ...]]:
        """Opening times of each day, µs since the epoch; without known hours from the first thing seen to the last."""
        if self.shop.opens:
            return [opening_times(self.shop, day) for day in self.days]
        spans: list[tuple[tuple[int, int], ...]] = [()] * self.length
        seen = [(self.day_of(self.sums[name]), self.moments(self.sums[name])) for name in ("doors", "watching")]
        day, moments = (np.concatenate(columns) for columns in zip(*seen, strict=True))
        for number in np.unique(day):
            there = moments[day == number]
            spans[number] = ((int(there.min()), int(there.max()) + QUARTER_US),)
        return spans

    @cached_property
    def open_s(self) -> Floats:
        return np.array([sum(until - start for start, until in spans) / 1e6 for spans in self.opens])

    # How well it was watched -----------------------------------------------------------------------------------------

    @cached_property
    def watched_share(self) -> Floats:
        """The part of each day's open camera time that was analysed; NaN where nothing says.

        Of the cameras that left a minute or a gap on that day. Exact where the shop opens and closes at a quarter.
        """
        rows = self.sums["watching"]
        day, moment = self.day_of(rows), self.moments(rows)
        open_now = np.zeros(len(day), dtype=bool)
        for nth in range(max((len(spans) for spans in self.opens), default=0)):
            edges = np.array([spans[nth] if nth < len(spans) else (0, 0) for spans in self.opens], dtype=np.int64)
            open_now |= (moment >= edges[day, 0]) & (moment < edges[day, 1])
        watched_s = np.bincount(day[open_now], weights=doubles(rows, "watched_s")[open_now], minlength=self.length)
        wanted_s = self.open_s * self._cameras
        there = np.bincount(day, minlength=self.length) > 0
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(there & (wanted_s > 0), np.minimum(1.0, watched_s / wanted_s), np.nan)

    @cached_property
    def _cameras(self) -> Ints:
        """How many cameras left a minute or a gap, by day."""
        pairs = {
            pair
            for name in ("watching", "gaps")
            for pair in zip(
                self.day_of(self.sums[name]).tolist(), self.sums[name]["camera_id"].to_pylist(), strict=True
            )
        }
        counted = Counter(day for day, _camera in pairs)
        return np.array([counted[number] for number in range(self.length)], dtype=np.int64)

    @cached_property
    def states(self) -> list[State]:
        recorded = np.zeros(self.length, dtype=bool)
        for name in ("doors", "dwells", "queues", "watching"):
            recorded[self.day_of(self.sums[name])] = True
        return [
            self._state(number, bool(seen), float(share))
            for number, (seen, share) in enumerate(zip(recorded, self.watched_share, strict=True))
        ]

    def _state(self, number: int, seen: bool, share: float) -> State:
        if self.days[number] >= self.today:
            return "running"
        if not seen:
            return "closed" if self.shop.opens and not self.opens[number] else "unwatched"
        return "partly" if share < WATCHED_ENOUGH else "watched"

    @cached_property
    def complete(self) -> Mask:
        """Days whose counts stand for the whole day: over, and watched."""
        return np.array([state == "watched" for state in self.states], dtype=bool)

    @cached_property
    def counted(self) -> Mask:
        """The days that ratios of different sources stand on: the complete ones, or all when none is."""
        return self.complete if self.complete.any() else np.ones(self.length, dtype=bool)

    # What everybody asks for -----------------------------------------------------------------------------------------

    @cached_property
    def entries(self) -> Floats:
        return self.count("doors", "inbound")

    @cached_property
    def own(self) -> Mapping[str, str]:
        return {"currency": self.shop.currency}

    @cached_property
    def sold(self) -> Mask:
        """Days with a receipt: on one without any it is the receipts that are missing, not the buyers."""
        return self.count("sales", "receipts", self.own) > 0

    @cached_property
    def least_inside(self) -> float:
        """At least so many persons were in a section or at a promo display: those of each day's most visited one."""
        visitors = [self.count("stops", "visitors", {"zone_id": zone}) for zone in self.marks.inside]
        return float(np.max(visitors, axis=0).sum()) if visitors else 0.0

    @cached_property
    def simulated(self) -> bool:
        return bool(pc.max(self.sums["makers"]["simulated"]).as_py())

    @property
    def empty(self) -> bool:
        return not any(self.sums[name].num_rows for name in ("doors", "dwells", "queues", "sales", "watching"))

    @cached_property
    def incl_staff(self) -> bool:
        return bool(self.count("doors", "unknown").sum())


def stretch(sums: Sums, shop: Shop, marks: Marks, days: tuple[date, date], *, today: date) -> Stretch:
    """The stretch `days` out of sums that may hold more."""
    bounds = [(day - _EPOCH).days for day in days]

    def cut(table: pa.Table) -> pa.Table:
        day = integers(pa.table({"d": table["business_day"].cast(pa.int32())}), "d")
        if (np.diff(day) >= 0).all():  # as the ledger gives them: nothing has to be copied
            start, end = np.searchsorted(day, (bounds[0], bounds[1] + 1))
            return table.slice(start, end - start)
        return table.filter(pa.array((day >= bounds[0]) & (day <= bounds[1])))

    return Stretch(shop, marks, *days, {name: cut(table) for name, table in sums.items()}, today)


def joined(lists: Sequence[Spread]) -> Spread:
    """Several zones' lists as one."""
    offsets = np.cumsum([0, *(len(each.values) for each in lists)])[: len(lists)]
    return Spread(
        np.concatenate([np.zeros(0), *(each.values for each in lists)]),
        np.concatenate([np.zeros(0, np.int64), *(each.ends + at for each, at in zip(lists, offsets, strict=True))]),
        np.concatenate([np.zeros(0, np.int64), *(each.day for each in lists)]),
    )


_EPOCH = date(1970, 1, 1)
