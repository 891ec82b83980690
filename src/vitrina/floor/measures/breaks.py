"""Where a shop's layout changed: figures of a zone before and after are not figures of the same zone. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from itertools import pairwise

import pyarrow as pa

from vitrina.floor.layout import Layout, Line, Zone


@dataclass(frozen=True, slots=True)
class Break:
    """The first day with rows of another layout.

    zones: slugs of zones and entrance lines that are drawn differently, are new or are gone; empty when nothing that is
    counted changed, or when the layouts are not known any more (known False).
    """

    day: str
    layout_id: str
    zones: tuple[str, ...]
    known: bool


def find_breaks(makers: pa.Table, layouts: Sequence[Layout]) -> list[Break]:
    """makers: rows of `sums.makers` over all days of both periods. layouts: the shop's versions."""
    since: dict[str, tuple[date, datetime]] = {}
    for row in makers.select(["business_day", "layout_id", "since"]).to_pylist():
        first = (row["business_day"], row["since"])
        since[row["layout_id"]] = min(first, since.get(row["layout_id"], first))
    ordered = sorted(since, key=lambda layout_id: since[layout_id])
    known = {layout.layout_id: layout for layout in layouts}
    return [
        _break(since[later][0], later, known.get(earlier), known.get(later)) for earlier, later in pairwise(ordered)
    ]


def _break(day: date, layout_id: str, earlier: Layout | None, later: Layout | None) -> Break:
    if earlier is None or later is None:
        return Break(day.isoformat(), layout_id, (), known=False)
    return Break(day.isoformat(), layout_id, tuple(changed(earlier, later)), known=True)


@dataclass(frozen=True, slots=True)
class Moved:
    """The newest day on which a shop's layout changed among the days compared; kinds of the places drawn anew by then.

    kinds: those of zones, and 'entrance'; empty when nothing that is counted changed.
    """

    day: date
    kinds: frozenset[str]


def moved_within(versions: Sequence[tuple[date, Layout]], first: date, last: date) -> Moved | None:
    """versions: the business day on which each layout began, oldest first. None when none began within these days."""
    steps = [(day, earlier, later) for (_, earlier), (day, later) in pairwise(versions) if first <= day <= last]
    if not steps:
        return None
    kinds = {
        place.kind
        for _, earlier, later in steps
        for slugs in (changed(earlier, later),)
        for place in (*_counted(earlier), *_counted(later))
        if place.slug in slugs
    }
    return Moved(steps[-1][0], frozenset(kinds))


def changed(earlier: Layout, later: Layout) -> list[str]:
    """Slugs of zones and entrance lines that were drawn anew, came or went; a new name alone is no change."""
    before = {place.slug: _drawn(place) for place in _counted(earlier)}
    after = {place.slug: _drawn(place) for place in _counted(later)}
    return sorted(slug for slug in before.keys() | after.keys() if before.get(slug) != after.get(slug))


def moved_zones(breaks: Iterable[Break]) -> frozenset[str]:
    """Zones whose visits before and after are not of the same place; '*' stands for all when nobody knows."""
    found = set()
    for each in breaks:
        found |= set(each.zones) if each.known else {"*"}
    return frozenset(found)


def _counted(layout: Layout) -> list[Zone | Line]:
    return [*layout.zones, *(line for line in layout.lines if line.kind == "entrance")]


def _drawn(place: Zone | Line) -> tuple[object, ...]:
    if isinstance(place, Line):
        return (place.kind, place.a, place.b, place.space)
    return (place.kind, place.polygon, place.space, place.stop_s, place.till, place.till_reach)
