"""The rows of a few days of one shop: one query per table, then NumPy columns by day.

Strings become small integers: `person` is the same code in crossings, visits and waits, `zone` and `camera` are
places in the tuple of names beside them. Times are µs since the epoch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields, replace
from datetime import date
from functools import cache, lru_cache
from typing import Any, ClassVar, Protocol, Self

import ibis
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from ibis import _
from numpy.typing import NDArray

from vitrina.floor.layout import Shop
from vitrina.floor.measures import queries
from vitrina.floor.measures.queries import Marks
from vitrina.storage.table import PARTITION_MARK

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Columns:
    """Columns of equal length, and what they share."""

    def where(self, mask: Mask | Ints) -> Self:
        columns = {entry.name: getattr(self, entry.name) for entry in fields(self)}
        return replace(self, **{name: data[mask] for name, data in columns.items() if isinstance(data, np.ndarray)})

    def ordered(self) -> Self:
        """By the first three columns: engines keep no order, and a bootstrap draws rows by their place.

        No figure depends on the order of rows that are alike in those.
        """
        columns = [getattr(self, entry.name) for entry in fields(self)]
        arrays = [data for data in columns if isinstance(data, np.ndarray)]
        if (np.diff(arrays[0]) > 0).all():
            return self
        return self.where(np.lexsort(arrays[2::-1]))


@dataclass(frozen=True, slots=True)
class Crossings(Columns):
    """Of entrance lines, without staff. role_known: False while nobody has told customers from staff."""

    t: Ints
    inbound: Mask
    person: Ints
    role_known: Mask
    camera: Ints
    cameras: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Visits(Columns):
    """Without staff."""

    t: Ints
    left: Ints
    zone: Ints
    person: Ints
    dwell_s: Floats
    zones: tuple[str, ...]

    def in_zones(self, slugs: Sequence[str]) -> Visits:
        wanted = np.array([slug in slugs for slug in self.zones], dtype=bool)
        return self.where(wanted[self.zone])


@dataclass(frozen=True, slots=True)
class Waits(Columns):
    """Neither served nor abandoned: vanished in mid-queue."""

    t: Ints
    ended: Ints
    zone: Ints
    person: Ints
    wait_s: Floats
    served: Mask
    abandoned: Mask
    zones: tuple[str, ...]

    def in_zone(self, slug: str) -> Waits:
        code = self.zones.index(slug) if slug in self.zones else -1
        return self.where(self.zone == code)


@dataclass(frozen=True, slots=True)
class Receipts(Columns):
    """Each once, at its highest revision."""

    t: Ints
    total_minor: Floats
    own_currency: Mask


@dataclass(frozen=True, slots=True)
class Presence(Columns):
    t: Ints
    camera: Ints
    watched_s: Floats
    cameras: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Heat(Columns):
    """Summed over the day's hours and cameras."""

    cell_cm: Ints
    ix: Ints
    iy: Ints
    seconds: Floats


@dataclass(frozen=True, slots=True)
class DayRows:
    """One business day of one shop. gaps: as in the lake, sorted by time. cameras: all that left a row of any kind."""

    crossings: Crossings
    visits: Visits
    waits: Waits
    receipts: Receipts
    presence: Presence
    heat: Heat
    gaps: list[dict[str, Any]]
    layout_ids: tuple[str, ...]
    simulated: bool

    @property
    def watched(self) -> bool:
        """Whether any camera saw anything; receipts come without one."""
        return any(len(part.t) for part in (self.crossings, self.visits, self.waits)) or bool(
            self.presence.watched_s.any()
        )

    def until(self, moment_us: int) -> DayRows:
        """The rows that began before a moment; heat and gaps have no finer time here and stay whole."""
        parts = ("crossings", "visits", "waits", "receipts", "presence")
        return replace(self, **{name: (part := getattr(self, name)).where(part.t < moment_us) for name in parts})


AT_ONCE = 4


class Source(Protocol):
    """What is needed of a lake, whichever engine answers for it."""

    dialect: ClassVar[str]

    def files(self, table: str, *, shop_id: str | None = None, days: tuple[date, date] | None = None) -> list[str]: ...

    def relation(self, table: str, files: Sequence[str]) -> str: ...

    def run(self, sql: str) -> pa.Table: ...


def read_rows(
    lake: Source, shop_id: str, days: Sequence[date], *, marks: Marks, currency: str, heat_of: date
) -> dict[date, DayRows]:
    """The rows of each of `days`; heat of one day only, because only one is drawn."""

    def read(name: str, sql: str) -> pa.Table:
        wanted = [heat_of] if name == "heat" else list(days)
        files = _of_days(lake.files(name, shop_id=shop_id, days=(min(wanted), max(wanted))), wanted)
        dates = ", ".join(f"DATE '{day}'" for day in wanted)
        rows = f"SELECT * FROM {lake.relation(name, files)} WHERE business_day IN ({dates})"  # noqa: S608 - our own
        return lake.run(f"WITH {name} AS ({rows}) SELECT * FROM ({sql}) AS answer")  # noqa: S608

    # Each table waits for its log and its files on its own, so they wait together.
    sql_of = _sql(marks, lake.dialect)
    tables = dict(zip(sql_of, _readers().map(read, sql_of, sql_of.values()), strict=True))
    return split_by_day(tables, days, currency=currency)


@cache
def _readers() -> ThreadPoolExecutor:
    """Kept for the life of the process: starting threads for each day's page took a tenth of its time."""
    return ThreadPoolExecutor(AT_ONCE, thread_name_prefix="rows")


def prepare(shop: Shop, dialect: str = "duckdb") -> None:
    """Compile a shop's queries ahead, so that its first page does not wait for them."""
    _sql(Marks.of(shop), dialect)


def _of_days(files: Sequence[str], days: Sequence[date]) -> list[str]:
    """The files of these partitions, so that those of the days between are not even opened."""
    marks = tuple(f"{PARTITION_MARK}business_day={day}" for day in days)
    return [file for file in files if any(mark in file for mark in marks)]


@lru_cache(maxsize=1024)
def _sql(marks: Marks, dialect: str) -> Mapping[str, str]:
    """One query per table. Ibis needs 10–20 ms to compile one, so a layout's are kept."""
    tables = queries.unbound()
    selected = {
        "crossings": queries.entrance_crossings(tables, marks).select(
            "business_day", "t", "direction", "role", "person_id", "camera_id", "layout_id", "simulated"
        ),
        "visits": queries.customer_visits(tables).select(
            "business_day", "t", "left_t", "zone_id", "person_id", "dwell_s", "layout_id", "simulated"
        ),
        "waits": tables["waits"].select("business_day", "t", "ended_t", "zone_id", "person_id", "wait_s", "outcome"),
        "receipts": queries.receipts(tables).select("business_day", "t", "total_minor", "currency"),
        "presence": tables["presence"].select("business_day", "t", "camera_id", "watched_s"),
        "gaps": tables["gaps"].select("business_day", "t", "until_t", "camera_id", "gap_s", "reason"),
        "heat": tables["heat"].group_by("business_day", "cell_cm", "ix", "iy").agg(seconds=_.seconds.sum()),
    }
    return {name: str(ibis.to_sql(expression, dialect=dialect)) for name, expression in selected.items()}


def split_by_day(read: Mapping[str, pa.Table], days: Sequence[date], *, currency: str) -> dict[date, DayRows]:
    """Pure: the tables of `read_rows` (lake columns) as NumPy columns by day."""
    whole = _columns(read, currency)
    day_of = {name: read[name]["business_day"].cast(pa.int32()).to_numpy() for name in whole}
    gaps = read["gaps"].sort_by([("t", "ascending"), ("camera_id", "ascending")]).to_pylist()
    found = {}
    for day in days:
        number = (day - date(1970, 1, 1)).days
        parts: dict[str, Any] = {
            name: columns.where(day_of[name] == number).ordered() for name, columns in whole.items()
        }
        made_by = [read[name].filter(pc.equal(read[name]["business_day"], day)) for name in ("crossings", "visits")]
        found[day] = DayRows(
            **parts,
            gaps=[gap for gap in gaps if gap["business_day"] == day],
            layout_ids=tuple(sorted({slug for rows in made_by for slug in pc.unique(rows["layout_id"]).to_pylist()})),
            simulated=any(pc.any(rows["simulated"]).as_py() for rows in made_by),
        )
    return found


def _columns(read: Mapping[str, pa.Table], currency: str) -> dict[str, Columns]:
    crossings, visits, waits, receipts = (read[name] for name in ("crossings", "visits", "waits", "receipts"))
    presence, heat = read["presence"], read["heat"]
    # Thousands of ids, of which only is asked whether two are the same: they are not put in order.
    with_ids = (crossings, visits, waits)
    ids = pa.chunked_array([chunk for rows in with_ids for chunk in rows["person_id"].chunks], pa.string())
    people = ids.combine_chunks().dictionary_encode().indices.to_numpy().astype(np.int64)
    crossed, stayed, waited = np.split(people, np.cumsum([crossings.num_rows, visits.num_rows]))
    (door, doors), (watcher, watchers) = _codes(crossings["camera_id"]), _codes(presence["camera_id"])
    (zone, zones), (queue, queues) = _codes(visits["zone_id"]), _codes(waits["zone_id"])
    return {
        "crossings": Crossings(
            t=integers(crossings, "t"),
            inbound=_equal(crossings["direction"], "in"),
            person=crossed,
            role_known=~_equal(crossings["role"], "unknown"),
            camera=door,
            cameras=doors,
        ),
        "visits": Visits(
            t=integers(visits, "t"),
            left=integers(visits, "left_t"),
            zone=zone,
            person=stayed,
            dwell_s=doubles(visits, "dwell_s"),
            zones=zones,
        ),
        "waits": Waits(
            t=integers(waits, "t"),
            ended=integers(waits, "ended_t"),
            zone=queue,
            person=waited,
            wait_s=doubles(waits, "wait_s"),
            served=_equal(waits["outcome"], "served"),
            abandoned=_equal(waits["outcome"], "abandoned"),
            zones=queues,
        ),
        "receipts": Receipts(
            t=integers(receipts, "t"),
            total_minor=doubles(receipts, "total_minor"),
            own_currency=_equal(receipts["currency"], currency),
        ),
        "presence": Presence(
            t=integers(presence, "t"), camera=watcher, watched_s=doubles(presence, "watched_s"), cameras=watchers
        ),
        "heat": Heat(
            cell_cm=integers(heat, "cell_cm"),
            ix=integers(heat, "ix"),
            iy=integers(heat, "iy"),
            seconds=doubles(heat, "seconds"),
        ),
    }


def integers(rows: pa.Table, column: str) -> Ints:
    """Whole numbers; a timestamp column becomes µs since the epoch."""
    values: Ints = pc.cast(rows[column], pa.int64()).to_numpy()
    return values


def doubles(rows: pa.Table, column: str) -> Floats:
    values: Floats = pc.cast(rows[column], pa.float64()).to_numpy()
    return values


def _equal(values: pa.ChunkedArray, word: str) -> Mask:
    return np.asarray(pc.equal(values, word).to_numpy(), dtype=bool)


def _codes(values: pa.ChunkedArray) -> tuple[Ints, tuple[str, ...]]:
    """Each text's place among all of them, sorted."""
    encoded = values.combine_chunks().dictionary_encode()
    order = pc.sort_indices(encoded.dictionary)
    places = np.empty(len(order), np.int64)
    places[order.to_numpy()] = np.arange(len(order))
    return places[encoded.indices.to_numpy()], tuple(encoded.dictionary.take(order).to_pylist())
