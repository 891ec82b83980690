"""The chain's ledger: the answers to `chain.CHAIN`, asked of the engine once for each business day and kept.

A question over many shops costs a file's opening for each shop, day and table. Here one file holds a calendar month of
all shops. Each of its days carries a fingerprint of the lake's files, the shops' layouts and hours, and the questions
that it was made of; a day is asked about again when any of them changes. No person's id is in it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date
from functools import cache
from pathlib import Path
from typing import Protocol

import ibis
import pyarrow as pa

from vitrina.floor.layout import Shop
from vitrina.floor.measures import sumsfile
from vitrina.floor.measures.chain import CHAIN, READS, chain_tables, open_parts
from vitrina.floor.measures.chainrows import ChainRows, Source, arrange, ask_chain
from vitrina.floor.measures.sumsfile import by_month, day_of, days_between, in_order, in_utc, only

DAYS_AT_ONCE = 31

Answers = Mapping[str, pa.Table]


class Lake(Source, Protocol):
    """What is needed of a lake."""

    def files(self, table: str, *, days: tuple[date, date] | None = None) -> list[str]: ...


class ChainLedger:
    """Safe to use from several threads and processes: whoever writes last has the same.

    folder: where answers are kept; None keeps nothing.
    """

    def __init__(self, lake: Lake, folder: Path | None = None) -> None:
        self._lake = lake
        self._folder = folder

    def read(self, shops: Sequence[Shop], first: date, last: date) -> ChainRows:
        """The days from `first` to `last` of these shops, which are all that the chain has; all days are over."""
        days = days_between(first, last)
        marks = self._fingerprints(shops, days)
        parts = [
            self._month(shops, month, {day: marks[day] for day in group if day in marks})
            for month, group in by_month(days).items()
        ]
        return arrange(_joined(parts), shops, days)

    def fill(
        self, shops: Sequence[Shop], first: date, last: date, *, on_month: Callable[[], None] = lambda: None
    ) -> int:
        """Ask about what is missing, a month at a time; gives how many days. For a job that runs before people ask.

        on_month: called between two months, to end early by raising.
        """
        added = 0
        marks = self._fingerprints(shops, days_between(first, last))
        for month, group in by_month(list(marks)).items():
            on_month()
            kept, _ = sumsfile.load(self._path(month), _schemas())
            stale = [day for day in group if kept.get(day) != marks[day]]
            if stale:
                self._month(shops, month, {day: marks[day] for day in group})
                added += len(stale)
        return added

    def forget_before(self, first: date) -> None:
        """Delete what is kept of days before `first`: the lake keeps nothing of them either."""
        for file in self._folder.glob("*.arrow") if self._folder else ():
            if file.stem < f"{first:%Y-%m}":
                file.unlink(missing_ok=True)
            elif file.stem == f"{first:%Y-%m}":
                marks, kept = sumsfile.load(file, _schemas())
                later = {day: mark for day, mark in marks.items() if day >= first}
                if later.keys() != marks.keys():
                    sumsfile.store(file, only(kept, list(later)), later)

    def _month(self, shops: Sequence[Shop], month: str, marks: Mapping[date, str]) -> Answers:
        """The answers about these days of one month, with what was missing asked about and kept."""
        fresh, kept = sumsfile.load(self._path(month), _schemas())
        missing = [day for day in marks if fresh.get(day) != marks[day]]
        if not missing:
            return only(kept, list(marks))
        asked = _joined(
            self._ask(shops, missing[start : start + DAYS_AT_ONCE]) for start in range(0, len(missing), DAYS_AT_ONCE)
        )
        others = {day: mark for day, mark in fresh.items() if day not in missing}
        whole = in_order(_joined([only(kept, list(others)), asked]))
        sumsfile.store(self._path(month), whole, others | {day: marks[day] for day in missing})
        return only(whole, list(marks))

    def _ask(self, shops: Sequence[Shop], days: Sequence[date]) -> Answers:
        answers = ask_chain(self._lake, shops, days_between(days[0], days[-1]))
        schemas = _schemas()
        return only({name: answers[name].select(schema.names).cast(schema) for name, schema in schemas.items()}, days)

    def _fingerprints(self, shops: Sequence[Shop], days: Sequence[date]) -> dict[date, str]:
        """By day that the lake has any row of."""
        files: dict[date, list[str]] = {}
        ordered = sorted(shops, key=lambda shop: shop.slug)
        for table in READS:
            for file in self._lake.files(table, days=(days[0], days[-1])):
                if day := day_of(file):
                    files.setdefault(day, []).append(f"{table}/{file.rpartition('/')[2]}")
        layouts, opens = _layouts(ordered), open_parts(ordered, sorted(files))
        found = {}
        for day in sorted(files):
            digest = hashlib.sha256(layouts)
            digest.update(repr([opens[shop.slug, day] for shop in ordered]).encode())
            digest.update("\n".join(sorted(files[day])).encode())
            found[day] = digest.hexdigest()
        return found

    def _path(self, month: str) -> Path | None:
        return self._folder / f"{month}.arrow" if self._folder else None


def _layouts(shops: Sequence[Shop]) -> bytes:
    """What the questions are made of: their text, and the lines and zones of every shop."""
    lines = [(shop.slug, slug) for shop in shops for slug in shop.entrances]
    zones = [(shop.slug, zone.slug, zone.kind, float(zone.stop_s)) for shop in shops for zone in shop.layout.zones]
    return hashlib.sha256(f"{_text()}\n{lines}\n{zones}".encode()).digest()


@cache
def _text() -> str:
    tables = chain_tables()
    return "\n".join(str(ibis.to_sql(query(tables), dialect="duckdb")) for query in CHAIN.values())


@cache
def _schemas() -> Mapping[str, pa.Schema]:
    tables = chain_tables()
    return {name: in_utc(query(tables).schema().to_pyarrow()) for name, query in CHAIN.items()}


def _joined(parts: Iterable[Answers]) -> dict[str, pa.Table]:
    parts = [part for part in parts if part]
    return {
        name: pa.concat_tables([schema.empty_table(), *(part[name] for part in parts)])
        for name, schema in _schemas().items()
    }
