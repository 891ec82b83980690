"""The ledger: what each business day adds up to, asked of the engine once and kept when the day is over.

A year of a busy shop is millions of rows, and counting its distinct persons anew takes seconds; its 365 sums are
read in milliseconds. One file holds a shop's calendar month. Each of its days carries a fingerprint of the lake's
files and of the queries that it was made of, so a day is added up again when late rows reach the lake, a zone gets
another kind or a definition changes, and a day that was deleted from the lake is gone from the ledger too. Sums hold
no person's id.
"""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from functools import cache, lru_cache
from pathlib import Path

import ibis
import pyarrow as pa

from vitrina.floor.measures import queries, sumsfile
from vitrina.floor.measures.queries import Marks
from vitrina.floor.measures.rows import Source
from vitrina.floor.measures.sums import SOURCES, SUMS
from vitrina.floor.measures.sumsfile import by_month, day_of, days_between, in_order, in_utc, only

Sums = Mapping[str, pa.Table]
"""Name of the sum to its rows, as in `sums.SUMS`."""

AT_ONCE = 4
DAYS_AT_ONCE = 31


class Ledger:
    """The sums of shops' days. Safe to use from several threads and processes: whoever writes last has the same.

    folder: where sums are kept; None keeps nothing.
    """

    def __init__(self, lake: Source, folder: Path | None = None) -> None:
        self._lake = lake
        self._folder = folder

    def read(self, shop_id: str, marks: Marks, days: Sequence[tuple[date, date]], *, over_before: date) -> Sums:
        """The sums of the days within each (first, last); spans may overlap, and each day is given once.

        over_before: days from this one on may still grow and are not kept.
        """
        wanted = sorted({day for first, last in days for day in days_between(first, last)})
        marked = _marked(marks, self._lake.dialect)
        files = self._files(shop_id, wanted)
        parts = []
        for month, group in by_month(wanted).items():
            known = {day: _fingerprint(marked, files[day]) for day in group if day in files}
            parts.append(self._month(shop_id, month, known, files, marks, over_before))
        return _joined(parts)

    def fill(
        self, shop_id: str, marks: Marks, first: date, last: date, *, on_month: Callable[[], None] = lambda: None
    ) -> int:
        """Add up what is missing, a month at a time; gives how many days. For a job that runs before people ask.

        on_month: called between two months, to end early by raising.
        """
        added = 0
        marked, wanted = _marked(marks, self._lake.dialect), list(days_between(first, last))
        files = self._files(shop_id, wanted)
        for month, group in by_month(wanted).items():
            on_month()
            known = {day: _fingerprint(marked, files[day]) for day in group if day in files}
            stale = known.items() - self._load(shop_id, month)[0].items()
            if stale:
                self._month(shop_id, month, known, files, marks, last + timedelta(days=1))
                added += len(stale)
        return added

    def forget_before(self, first: date) -> None:
        """Delete what is kept of days before `first`: the lake keeps nothing of them either."""
        for file in self._folder.glob("*/*.arrow") if self._folder else ():
            if file.stem < f"{first:%Y-%m}":
                file.unlink(missing_ok=True)
            elif file.stem == f"{first:%Y-%m}":
                fresh, kept = self._load(file.parent.name, file.stem)
                later = {day: mark for day, mark in fresh.items() if day >= first}
                if later.keys() != fresh.keys():
                    self._store(file.parent.name, file.stem, only(kept, list(later)), later)

    def _month(
        self,
        shop_id: str,
        month: str,
        known: Mapping[date, str],
        files: Mapping[date, Mapping[str, list[str]]],
        marks: Marks,
        over_before: date,
    ) -> Sums:
        """The sums of these days of one month, with what was missing added up and kept.

        known: fingerprint of each wanted day.
        """
        fresh, kept = self._load(shop_id, month)
        missing = [day for day in known if fresh.get(day) != known[day]]
        added = [
            self._add_up(missing[start : start + DAYS_AT_ONCE], files, marks)
            for start in range(0, len(missing), DAYS_AT_ONCE)
        ]
        lasting = {day: known[day] for day in missing if day < over_before}
        if lasting:
            others = {day: mark for day, mark in fresh.items() if day not in missing}
            sums = _joined([only(kept, list(others)), *(only(part, list(lasting)) for part in added)])
            self._store(shop_id, month, in_order(sums), others | lasting)
        found = _joined([only(kept, [day for day in known if day not in missing]), *added])
        return in_order(found) if kept and added else found

    def _files(self, shop_id: str, days: Sequence[date]) -> dict[date, dict[str, list[str]]]:
        """The lake's files of each wanted day that has any, by table."""
        found: dict[date, dict[str, list[str]]] = defaultdict(lambda: {table: [] for table in SOURCES})
        if not days:
            return found
        wanted = set(days)
        for table in SOURCES:
            for file in self._lake.files(table, shop_id=shop_id, days=(days[0], days[-1])):
                if (day := day_of(file)) in wanted:
                    found[day][table].append(file)
        return dict(found)

    def _add_up(self, days: Sequence[date], files: Mapping[date, Mapping[str, list[str]]], marks: Marks) -> Sums:
        """Ask the engine, for all these days at once."""
        of_table = {table: [file for day in days for file in files[day][table]] for table in SOURCES}
        rows = {
            table: f"{table} AS (SELECT * FROM {self._lake.relation(table, of_table[table])})"  # noqa: S608
            for table in SOURCES
        }

        def ask(sql: str) -> pa.Table:
            # Tables that it does not name would be planned all the same.
            named = ", ".join(part for table, part in rows.items() if re.search(rf"\b{table}\b", sql))
            return self._lake.run(f"WITH {named} SELECT * FROM ({sql}) AS answer ORDER BY business_day")  # noqa: S608

        sql_of = _sql(marks, self._lake.dialect)
        schemas = _schemas()
        answers = zip(sql_of, _askers().map(ask, sql_of.values()), strict=True)
        return {name: table.select(schemas[name].names).cast(schemas[name]) for name, table in answers}

    def _path(self, shop_id: str, month: str) -> Path | None:
        return self._folder / shop_id / f"{month}.arrow" if self._folder else None

    def _load(self, shop_id: str, month: str) -> tuple[dict[date, str], Sums]:
        return sumsfile.load(self._path(shop_id, month), _schemas())

    def _store(self, shop_id: str, month: str, sums: Sums, fingerprints: Mapping[date, str]) -> None:
        sumsfile.store(self._path(shop_id, month), {name: sums[name] for name in SUMS}, fingerprints)


def prepare(marks: Marks, dialect: str = "duckdb") -> None:
    """Compile the queries ahead."""
    _sql(marks, dialect)


@cache
def _askers() -> ThreadPoolExecutor:
    """Threads that ask; each question waits for its files by itself, so they wait together."""
    return ThreadPoolExecutor(AT_ONCE, thread_name_prefix="sums")


@lru_cache(maxsize=1024)
def _sql(marks: Marks, dialect: str) -> Mapping[str, str]:
    """One query per sum. Ibis needs some 50 ms for the larger ones, so a layout's are kept."""
    tables = queries.unbound()
    return {name: str(ibis.to_sql(made(tables, marks), dialect=dialect)) for name, made in SUMS.items()}


@lru_cache(maxsize=1024)
def _marked(marks: Marks, dialect: str) -> bytes:
    made_of = [*_sql(marks, dialect).values(), *map(str, _schemas().values())]
    return hashlib.sha256("\n".join(made_of).encode()).digest()


def _fingerprint(marked: bytes, files: Mapping[str, Sequence[str]]) -> str:
    digest = hashlib.sha256(marked)
    for table in SOURCES:
        for file in sorted(files[table]):
            digest.update(file.rpartition("/")[2].encode())
    return digest.hexdigest()


@cache
def _schemas() -> Mapping[str, pa.Schema]:
    """The columns of each sum, whichever engine answered: times are in UTC, and said to be."""
    tables, nothing = queries.unbound(), Marks(())
    return {name: in_utc(made(tables, nothing).schema().to_pyarrow()) for name, made in SUMS.items()}


def _joined(parts: Iterable[Sums]) -> Sums:
    parts = [part for part in parts if part]
    schemas = _schemas()
    return {
        name: pa.concat_tables([schema.empty_table(), *(part[name] for part in parts)])
        for name, schema in schemas.items()
    }
