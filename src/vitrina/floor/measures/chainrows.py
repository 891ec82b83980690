"""The answers of `chain.py` as arrays of (shops, days): what every figure of a chain is made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import date, datetime, time, timedelta
from typing import Any, Protocol

import ibis
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from vitrina.floor.layout import Shop
from vitrina.floor.measures.chain import CHAIN, KINDS, READS, open_parts, places
from vitrina.floor.measures.sumsfile import days_between
from vitrina.product import ShopClock

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

WATCHED_ENOUGH = 0.9  # as on the page of one day


class Source(Protocol):
    """What is needed of a lake, or of an engine that stands in its place."""

    def expr(self, table: str, *, shop_id: str | None = None, days: tuple[date, date] | None = None) -> ibis.Table: ...


@dataclass(frozen=True, slots=True)
class ChainRows:
    """A period of a chain; arrays are (shops, days) and hold 0 where there was nothing, unless said otherwise.

    receipts, purchased, minor: in the shop's own currency alone. foreign: (shops,) receipts in others.
    dwell_n, dwell_people: by kind, visits and the persons who made them. dwell_median: by kind, NaN without a visit.
    dwell: by kind, (shops,) medians of the period.
    passers, stopped: of zones. stop_people: the persons who passed any. served, abandoned: waits.
    served_people, wait_people: the persons who were served, and those with a wait of either kind.
    wait_p90: NaN without a wait. wait: (shops,) 90th percentile of the period.
    watched: share of the open camera time that was analysed; NaN where no row says. open_s: camera seconds behind it.
    unknown: (shops,) entries of people of whom nobody knows whether they are staff.
    """

    shops: tuple[str, ...]
    days: tuple[date, ...]
    entries: Floats
    unknown: Floats
    receipts: Floats
    purchased: Floats
    minor: Floats
    foreign: Floats
    dwell_n: Mapping[str, Floats]
    dwell_people: Mapping[str, Floats]
    dwell_median: Mapping[str, Floats]
    dwell: Mapping[str, Floats]
    passers: Floats
    stopped: Floats
    stop_people: Floats
    served: Floats
    abandoned: Floats
    served_people: Floats
    wait_people: Floats
    wait_p90: Floats
    wait: Floats
    watched: Floats
    open_s: Floats
    simulated: Mask

    def only(self, shops: Sequence[str]) -> ChainRows:
        """The same rows of these shops alone, in this order; all that the chain knows of others is gone."""
        place = {slug: index for index, slug in enumerate(self.shops)}
        chosen = np.array([place[slug] for slug in shops], dtype=np.int64)
        arrays: dict[str, Any] = {}
        for entry in fields(self):
            value = getattr(self, entry.name)
            if isinstance(value, np.ndarray):
                arrays[entry.name] = value[chosen]
            elif isinstance(value, Mapping):
                arrays[entry.name] = {kind: part[chosen] for kind, part in value.items()}
        return replace(self, shops=tuple(shops), **arrays)

    @property
    def seen(self) -> Mask:
        """(shops, days): whether anything was recorded at all."""
        rows = self.entries + self.served + self.abandoned
        for kind in KINDS:
            rows = rows + self.dwell_n[kind]
        return np.asarray((rows > 0) | (np.nan_to_num(self.watched) > 0))

    @property
    def unseen(self) -> Mask:
        """(shops,): nothing was recorded on any day."""
        return np.asarray(~self.seen.any(axis=1))

    @property
    def whole(self) -> Mask:
        """(shops, days): seen, and watched for long enough to be compared; what nobody says is taken as watched."""
        return np.asarray(self.seen & ~(self.watched < WATCHED_ENOUGH))

    @property
    def watched_share(self) -> Floats:
        """(shops,): of the open camera time of the days on which anything says; NaN when nothing does."""
        return share_of(self.watched, self.open_s)


def ask_chain(source: Source, shops: Sequence[Shop], days: Sequence[date]) -> dict[str, pa.Table]:
    """The answers to `CHAIN` over days that follow one another."""
    tables = {name: source.expr(name, days=(days[0], days[-1])) for name in READS} | places(shops, days)
    return {name: query(tables).to_pyarrow() for name, query in CHAIN.items()}


def last_whole_day(shops: Sequence[Shop], now: datetime) -> date:
    """The newest business day that is over in every one of these shops."""
    clocks = {(shop.timezone, shop.day_starts) for shop in shops} or {("UTC", time.min)}
    return min(ShopClock(*clock).business_day(now) for clock in clocks) - timedelta(days=1)


def watched_lately(source: Source, shops: Sequence[Shop], first: date, last: date, now: datetime) -> dict[str, float]:
    """Shop to the share of its open camera time that was analysed, on days that are over; NaN where nothing says."""
    days = days_between(first, last)
    tables = {name: source.expr(name, days=(first, last)) for name in ("presence", "gaps")} | places(shops, days)
    rows, gaps = (CHAIN[name](tables).to_pyarrow() for name in ("watched", "gaps"))
    watched, open_s = _watched(rows, gaps, shops, _Grid(tuple(shop.slug for shop in shops), days))
    today = [ShopClock(shop.timezone, shop.day_starts).business_day(now) for shop in shops]
    over = np.array([[day < until for day in days] for until in today]).reshape(watched.shape)
    return {
        shop.slug: share_of(watched[[place]], np.where(over, open_s, 0.0)[[place]])[0]
        for place, shop in enumerate(shops)
    }


def share_of(watched: Floats, open_s: Floats) -> Floats:
    """(shops,): of the open camera time of the days on which anything says; NaN when nothing does."""
    weights = np.where(np.isfinite(watched), open_s, 0.0)
    total = weights.sum(axis=1)
    done = (np.nan_to_num(watched) * weights).sum(axis=1)
    share: Floats = np.divide(done, total, out=np.full(len(total), np.nan), where=total > 0)
    return share


def arrange(answers: Mapping[str, pa.Table], shops: Sequence[Shop], days: tuple[date, ...]) -> ChainRows:
    """Pure: the answers to `CHAIN` as arrays. Rows of shops that are not asked about are left out."""
    grid = _Grid(tuple(shop.slug for shop in shops), days)
    own = {shop.slug: shop.currency for shop in shops}
    money, foreign = _own_currency(answers["sales"], own)
    stays = {kind: answers["dwells"].filter(pc.equal(answers["dwells"]["kind"], kind)) for kind in KINDS}
    dwell = {kind: grid.quantiles(stays[kind], "dwell_s", 0.5) for kind in KINDS}
    wait_p90, wait = grid.quantiles(answers["queues"], "wait_s", 0.9)
    watched, open_s = _watched(answers["watched"], answers["gaps"], shops, grid)
    simulated = grid.days_of(answers["entries"], "simulated") + grid.days_of(answers["watched"], "simulated")
    return ChainRows(
        shops=grid.shops,
        days=days,
        entries=grid.days_of(answers["entries"], "entries"),
        unknown=grid.days_of(answers["entries"], "unknown").sum(axis=1),
        receipts=grid.days_of(money, "receipts"),
        purchased=grid.days_of(money, "purchased"),
        minor=grid.days_of(money, "minor"),
        foreign=grid.days_of(foreign, "receipts").sum(axis=1),
        dwell_n={kind: grid.days_of(stays[kind], "n") for kind in KINDS},
        dwell_people={kind: grid.days_of(stays[kind], "people") for kind in KINDS},
        dwell_median={kind: by_day for kind, (by_day, _) in dwell.items()},
        dwell={kind: whole for kind, (_, whole) in dwell.items()},
        passers=grid.days_of(answers["stops"], "passers"),
        stopped=grid.days_of(answers["stops"], "stopped"),
        stop_people=grid.days_of(answers["stops"], "people"),
        served=grid.days_of(answers["queues"], "served"),
        abandoned=grid.days_of(answers["queues"], "abandoned"),
        served_people=grid.days_of(answers["queues"], "served_people"),
        wait_people=grid.days_of(answers["queues"], "people"),
        wait_p90=wait_p90,
        wait=wait,
        watched=watched,
        open_s=open_s,
        simulated=np.asarray(simulated.any(axis=1)),
    )


@dataclass(frozen=True, slots=True)
class _Grid:
    """Where a row's shop and day stand in the arrays."""

    shops: tuple[str, ...]
    days: tuple[date, ...]

    def days_of(self, rows: pa.Table, column: str) -> Floats:
        """(shops, days); rows of the same shop and day are added up."""
        where, shop, day = self._places(rows)
        found = np.zeros((len(self.shops), len(self.days)))
        np.add.at(found, (shop, day), np.nan_to_num(_floats(rows, column)[where]))
        return found

    def quantiles(self, rows: pa.Table, column: str, q: float) -> tuple[Floats, Floats]:
        """Of the numbers in a column of lists: (shops, days), and (shops,) over all days; NaN without a number."""
        where, shop, day = self._places(rows)
        lists = rows[column].filter(pa.array(where)).combine_chunks()
        counts = pc.fill_null(pc.list_value_length(lists), 0).to_numpy()
        values = np.asarray(lists.flatten().to_numpy(zero_copy_only=False), np.float64)
        by_day = group_quantile(values, np.repeat(shop * len(self.days) + day, counts), self._size, q)
        whole = group_quantile(values, np.repeat(shop, counts), len(self.shops), q)
        return by_day.reshape(len(self.shops), len(self.days)), whole

    @property
    def _size(self) -> int:
        return len(self.shops) * len(self.days)

    def _places(self, rows: pa.Table) -> tuple[Mask, NDArray[np.int64], NDArray[np.int64]]:
        shop, number = self._shop_codes(rows), pc.cast(rows["business_day"], pa.int32()).to_numpy()
        day = number.astype(np.int64) - (self.days[0] - date(1970, 1, 1)).days
        where = (shop >= 0) & (day >= 0) & (day < len(self.days))
        return where, shop[where], day[where]

    def _shop_codes(self, rows: pa.Table) -> NDArray[np.int64]:
        found = pc.index_in(rows["shop_id"], value_set=pa.array(self.shops, pa.string()))
        return np.asarray(pc.fill_null(found, -1).to_numpy(), np.int64)


def group_quantile(values: Floats, group: NDArray[np.int64], groups: int, q: float) -> Floats:
    """(groups,): the quantile of each group's values, between two of them on a straight line; NaN for an empty group.

    Hyndman and Fan 1996, type 7: what NumPy, DuckDB and Spark call a quantile unless told otherwise.
    """
    ordered = values[np.lexsort((values, group))]
    counts = np.bincount(group, minlength=groups)
    filled = counts > 0
    place = (counts[filled] - 1) * q
    below = (np.cumsum(counts) - counts)[filled] + place.astype(np.int64)
    above = np.minimum(below + 1, np.cumsum(counts)[filled] - 1)
    found = np.full(groups, np.nan)
    found[filled] = ordered[below] + (ordered[above] - ordered[below]) * (place % 1.0)
    return found


def _floats(rows: pa.Table, column: str) -> Floats:
    values: Floats = pc.cast(rows[column], pa.float64()).to_numpy(zero_copy_only=False)
    return np.atleast_1d(values)


def _own_currency(sales: pa.Table, own: Mapping[str, str]) -> tuple[pa.Table, pa.Table]:
    """Sales in each shop's own currency, and those in others: two currencies are never added."""
    expected = pa.array([own.get(slug, "") for slug in sales["shop_id"].to_pylist()], pa.string())
    same = pc.equal(sales["currency"], expected)
    return sales.filter(same), sales.filter(pc.invert(same))


def _watched(rows: pa.Table, gaps: pa.Table, shops: Sequence[Shop], grid: _Grid) -> tuple[Floats, Floats]:
    """Share of the open camera time that was analysed, and that time in seconds; both (shops, days).

    As on a day's page: every camera that left a minute or a gap on that day should have watched. A shop that does not
    say when it opens was open from the first minute that was watched to the last. A day of opening hours without a
    minute, after a day that has some, was watched for none of them.
    """
    cameras, minutes = _cameras(rows, gaps), _by_shop_day(rows)
    opens = open_parts(shops, grid.days)
    watched = np.full((len(grid.shops), len(grid.days)), np.nan)
    open_s = np.zeros(watched.shape)
    for index, shop in enumerate(shops):
        count = 0
        for day, when in enumerate(grid.days):
            if found := minutes.get((shop.slug, when)):
                count = cameras[shop.slug, when]
                said = opens[shop.slug, when] if shop.opens else ()
                share, length = _share(found, count, said) if said else _share_of_seen(found, count)
                watched[index, day], open_s[index, day] = share, length * count
            elif count and shop.opens and opens[shop.slug, when]:
                length = sum(until - start for start, until in opens[shop.slug, when]) / 1e6
                watched[index, day], open_s[index, day] = 0.0, length * count
    return watched, open_s


def _share(found: Sequence[Mapping[str, Any]], cameras: int, parts: Sequence[tuple[int, int]]) -> tuple[float, float]:
    lengths = [(until - start) / 1e6 for start, until in parts]
    shares = [
        min(1.0, sum(row["watched_s"] for row in found if row["part"] == number) / (cameras * length))
        for number, length in enumerate(lengths)
    ]
    return sum(s * length for s, length in zip(shares, lengths, strict=True)) / sum(lengths), sum(lengths)


def _share_of_seen(found: Sequence[Mapping[str, Any]], cameras: int) -> tuple[float, float]:
    begun, ended = min(found, key=lambda row: row["first_t"]), max(found, key=lambda row: row["last_t"])
    length = (ended["last_t"] - begun["first_t"]).total_seconds() + min(60.0, ended["last_s"])
    if ended["last_t"] > begun["first_t"]:
        length -= 60.0 - min(60.0, begun["first_s"])
    watched_s = sum(row["watched_s"] for row in found)
    return (min(1.0, watched_s / (cameras * length)) if length > 0 else 1.0), max(length, 0.0)


def _cameras(rows: pa.Table, gaps: pa.Table) -> dict[tuple[str, date], int]:
    names: dict[tuple[str, date], set[str]] = {}
    for table in (rows, gaps):
        columns = (table[name].to_pylist() for name in ("shop_id", "business_day", "camera_id"))
        for slug, day, camera in zip(*columns, strict=True):
            names.setdefault((slug, day), set()).add(camera)
    return {key: len(found) for key, found in names.items()}


def _by_shop_day(rows: pa.Table) -> dict[tuple[str, date], list[dict[str, Any]]]:
    found: dict[tuple[str, date], list[dict[str, Any]]] = {}
    for row in rows.to_pylist():
        found.setdefault((row["shop_id"], row["business_day"]), []).append(row)
    return found
