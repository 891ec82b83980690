"""Clicks as a weak signal of how good the search is: of searches that found something, how many led to a click, and
where the product stood that was clicked.

People click what stands first, what is cheap and what is nice: a click does not say that the product was the right one.
So compare these figures with those of other weeks, never with recall (`evaluate`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from math import isnan
from typing import Any

from vitrina.lens.lakestore import LENS_SEARCHES, NOTHING
from vitrina.storage.lake import Lake
from vitrina.worth.interval import Interval, mean, wilson

CAVEAT = (
    "A weak signal: people click what stands first and what is cheap, so a click does not say that the product was the "
    "right one. Compare weeks with each other, not with recall."
)

ALL, BOX, OUTCOME, CATEGORY, WEEK = "all", "box", "found", "category", "week"
"""By what searches are divided."""


@dataclass(frozen=True, slots=True)
class Searched:
    """A search that found something. clicked: offers that were clicked, the place of each; 0 where nobody knows it."""

    search_id: str
    day: date
    category: str
    outcome: str
    with_box: bool
    ranks: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class ClickLine:
    """by, name: which searches. rate: share of them with a click. ranked: those whose first click's place is known.

    first, reciprocal: of the ranked ones the share at place 1, and the mean of 1 / place (MRR).
    """

    by: str
    name: str
    searches: int
    clicked: int
    rate: Interval
    ranked: int
    first: Interval | None
    reciprocal: Interval | None


_DIVIDED: dict[str, Callable[[Searched], str]] = {
    ALL: lambda _one: "",
    BOX: lambda one: "yes" if one.with_box else "no",
    OUTCOME: lambda one: one.outcome,
    CATEGORY: lambda one: one.category,
    WEEK: lambda one: (one.day - timedelta(days=one.day.weekday())).isoformat(),
}


def lines(searches: Sequence[Searched], *, few: int) -> tuple[ClickLine, ...]:
    """All of them, then divided; no line stands on fewer than `few` searches, no place on fewer clicks."""
    found = []
    for by, name_of in _DIVIDED.items():
        groups: dict[str, list[Searched]] = {}
        for one in searches:
            groups.setdefault(name_of(one), []).append(one)
        big = [(name, some) for name, some in sorted(groups.items()) if len(some) >= few]
        found += [_line(by, name, some, few) for name, some in big]
    return tuple(found)


def _line(by: str, name: str, searches: Sequence[Searched], few: int) -> ClickLine:
    clicked = [one for one in searches if one.ranks]
    places = [one.ranks[0] for one in clicked if one.ranks[0] > 0]
    enough = len(places) >= few
    return ClickLine(
        by,
        name,
        len(searches),
        len(clicked),
        wilson(len(clicked), len(searches)),
        len(places),
        wilson(places.count(1), len(places)) if enough else None,
        mean([1 / place for place in places]) if enough else None,
    )


def read_searches(lake: Lake, first: date, last: date, places: Mapping[str, Sequence[int]]) -> list[Searched]:
    """Searches of these days that found something. places: `clicks.clicked_places`."""
    table = lake.expr(LENS_SEARCHES.name, days=(first, last))
    each = table.filter(table.outcome != NOTHING)
    each = each.select("search_id", "business_day", "category", "outcome", "with_box").distinct()
    return [
        Searched(
            row["search_id"],
            row["business_day"],
            row["category"],
            row["outcome"],
            row["with_box"],
            tuple(places.get(row["search_id"], ())),
        )
        for row in each.to_pyarrow().to_pylist()
    ]


def told(found: Iterable[ClickLine]) -> dict[str, Any]:
    return {
        "caveat": CAVEAT,
        "lines": [
            {
                "by": one.by,
                "name": one.name,
                "searches": one.searches,
                "searches_with_click": one.clicked,
                "click_rate": _interval(one.rate),
                "clicks_with_place": one.ranked,
                "first": _interval(one.first),
                "reciprocal_rank": _interval(one.reciprocal),
            }
            for one in found
        ],
    }


def _interval(interval: Interval | None) -> dict[str, float | None] | None:
    return None if interval is None else dict(zip(("value", "low", "high"), _three(interval), strict=True))


def _three(interval: Interval | None) -> list[float | None]:
    if interval is None or isnan(interval.value):
        return [None, None, None]
    return [None if isnan(value) else round(value, 4) for value in (interval.value, interval.low, interval.high)]
