"""What one business day adds up to: the sums that figures over any period, of one shop or many, are put together from.

Each expression gives rows by `shop_id` and `business_day`, on DuckDB or Spark alike, with the definitions of
`queries.py`. Sums of days can be added up, counted over days for an interval, and kept once a day is over
(`ledger.py`). What cannot be added is kept whole: the single dwell times and waits, as lists of seconds, because the
median of a year is not made of the medians of its days.

Time within the day is the UTC hour and its quarter: every time zone in use lies a whole number of quarters from UTC,
so quarters make up the hours of any shop's clock, on days of 23 and 25 hours too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import reduce
from typing import Any

import ibis
from ibis import _

from vitrina.floor.measures import queries
from vitrina.floor.measures.queries import BY_DAY, BY_ZONE, Marks, Tables, customer_visits, entrance_crossings

START, END = "(start)", "(end)"
ANY = ""
"""The funnel's section, or the queue of those who queued, when any will do."""
STEPS = 5
"""A path's first steps are told apart by their place; those after them are counted together."""
PATH_STOPS = 8
MORE = "…"
ARROW = " > "

QUARTER = ("hour", "quarter")
BY_PERSON = (*BY_DAY, "person_id")

Sum = Callable[[Tables, Marks], ibis.Table]


def doors(tables: Tables, marks: Marks) -> ibis.Table:
    """Entrance crossings by quarter of an hour; unknown: those by people not told to be customer or staff."""
    return (
        _with_quarter(entrance_crossings(tables, marks))
        .group_by((*BY_DAY, *QUARTER))
        .agg(
            inbound=_.count(where=_.direction == "in"),
            outbound=_.count(where=_.direction != "in"),
            unknown=_.count(where=_.role == "unknown"),
        )
    )


def street(tables: Tables, marks: Marks) -> ibis.Table:
    """Persons seen outside, and those of them who did not enter."""
    seen = customer_visits(tables).filter(_.zone_id.isin(marks.outside)).select(BY_PERSON).distinct()
    entered = _entered(tables, marks).mutate(inside=1)
    known = seen.left_join(entered, BY_PERSON).select(*BY_DAY, "inside")
    return known.group_by(BY_DAY).agg(outside=_.count(), passers=_.count(where=_.inside.isnull()))


def dwells(tables: Tables, _marks: Marks) -> ibis.Table:
    """Every visit's seconds in a zone."""
    return customer_visits(tables).group_by(BY_ZONE).agg(visits=_.count(), dwell_s=_.dwell_s.collect())


def stops(tables: Tables, marks: Marks) -> ibis.Table:
    """Distinct visitors of a zone, and the longest visit of each who stopped there."""
    stopped = _.longest_s >= _.stop_s
    return (
        queries.longest_visits(tables, marks)
        .group_by(BY_ZONE)
        .agg(visitors=_.count(), stopped=_.count(where=stopped), longest_s=_.longest_s.collect(where=stopped))
    )


def queues(tables: Tables, _marks: Marks) -> ibis.Table:
    """Waits by queue: waited_s of everybody, wait_s of each who was served."""
    served = _.outcome == "served"
    return (
        tables["waits"]
        .group_by(BY_ZONE)
        .agg(
            joined=_.count(),
            served=_.count(where=served),
            abandoned=_.count(where=_.outcome == "abandoned"),
            waited_s=_.wait_s.sum(),
            wait_s=_.wait_s.collect(where=served),
        )
    )


def queuers(tables: Tables, _marks: Marks) -> ibis.Table:
    """Distinct persons by queue (ANY: at any): who joined, who was served, whose waits ended one way or the other.

    One person may wait several times, so the numbers of `queues` are no numbers of people.
    """
    waits = tables["waits"].select(*BY_PERSON, "zone_id", "outcome")
    anywhere = waits.mutate(zone_id=ibis.literal(ANY)).select(waits.columns)
    return (
        waits.union(anywhere)
        .group_by(BY_ZONE)
        .agg(
            joined=_.person_id.nunique(),
            served=_.person_id.nunique(where=_.outcome == "served"),
            ended=_.person_id.nunique(where=_.outcome.isin(("served", "abandoned"))),
        )
    )


def sales(tables: Tables, _marks: Marks) -> ibis.Table:
    """Receipts by quarter of an hour. A refund lowers the takings (minor) and is no receipt."""
    bought = _.total_minor > 0
    return (
        _with_quarter(queries.receipts(tables))
        .group_by((*BY_DAY, "currency", *QUARTER))
        .agg(
            receipts=_.count(where=bought),
            minor=_.total_minor.sum(),
            totals=_.total_minor.cast("float64").collect(where=bought),
        )
    )


def steps(tables: Tables, marks: Marks) -> ibis.Table:
    """How often one zone was left straight for another, by the step's place in the path (STEPS: that and later).

    people: persons who made this step for the first time on that day, so that their sum over places counts each once.
    """
    stops_ = _stops(tables, marks)
    moved = stops_.select(*BY_PERSON, "t", "event_id", "place", origin=_.before, goal=_.zone_id)
    last = stops_.filter(_.after.isnull())
    ended = last.select(
        *BY_PERSON, "t", "event_id", place=(_.place + 1).cast("int64"), origin=_.zone_id, goal=ibis.literal(END)
    )
    again = ibis.row_number().over(
        group_by=[_.shop_id, _.business_day, _.person_id, _.origin, _.goal], order_by=[_.place, _.t, _.event_id]
    )
    walked = moved.union(ended).mutate(again=again)
    by_place = walked.mutate(place=ibis.least(_.place, STEPS).cast("int8")).group_by(
        (*BY_DAY, "place", "origin", "goal")
    )
    return by_place.agg(steps=_.count(), people=_.count(where=_.again == 0))


def paths(tables: Tables, marks: Marks) -> ibis.Table:
    """Persons by the order of the zones they visited; what comes after PATH_STOPS zones is not told apart."""
    visited = {f"stop_{place}": _.zone_id.max(where=_.place == place) for place in range(PATH_STOPS)}
    walked = _stops(tables, marks).group_by(BY_PERSON).agg(length=_.count(), **visited)
    later = (walked[f"stop_{place}"] for place in range(1, PATH_STOPS))
    told = reduce(lambda path, stop: path + (ibis.literal(ARROW) + stop).fill_null(""), later, walked["stop_0"])
    told = told + ibis.ifelse(walked.length > PATH_STOPS, ARROW + MORE, "")
    return walked.mutate(path=told).group_by((*BY_DAY, "path")).agg(people=_.count())


def entered(tables: Tables, marks: Marks) -> ibis.Table:
    """Distinct persons who were counted in, by the quarter of an hour of their first; footfall counts crossings."""
    first = entrance_crossings(tables, marks).filter(_.direction == "in").group_by(BY_PERSON).agg(t=_.t.min())
    return _with_quarter(first).group_by((*BY_DAY, *QUARTER)).agg(people=_.count())


def funnel(tables: Tables, marks: Marks) -> ibis.Table:
    """Of the persons counted in: how many reached a section (or any: ''), then stood in a queue, and were served.

    Only who is still linked counts on: a person who is lost on the way and found again is somebody else, so each step
    is a lower bound.
    """
    reached = (
        customer_visits(tables)
        .filter(_.zone_id.isin(marks.inside))
        .select(*BY_PERSON, "zone_id")
        .distinct()
        .semi_join(_entered(tables, marks), BY_PERSON)
    )
    anywhere = reached.select(BY_PERSON).distinct().mutate(zone_id=ibis.literal(ANY))
    served = (_.outcome == "served").cast("int8").max()
    waited = tables["waits"].group_by(BY_PERSON).agg(queued=ibis.literal(1), served=served)
    steps_ = reached.select(*BY_PERSON, "zone_id").union(anywhere.select(*BY_PERSON, "zone_id"))
    joined = steps_.left_join(waited, BY_PERSON).select(*BY_DAY, "zone_id", "queued", "served")
    return joined.group_by(BY_ZONE).agg(
        reached=_.count(), queued=_.queued.sum().fill_null(0), served=_.served.sum().fill_null(0)
    )


def watching(tables: Tables, _marks: Marks) -> ibis.Table:
    """Seconds that each camera really watched, by quarter of an hour."""
    return _with_quarter(tables["presence"]).group_by((*BY_DAY, "camera_id", *QUARTER)).agg(watched_s=_.watched_s.sum())


def gaps(tables: Tables, _marks: Marks) -> ibis.Table:
    return tables["gaps"].group_by((*BY_DAY, "camera_id")).agg(gaps=_.count(), gap_s=_.gap_s.sum())


def makers(tables: Tables, _marks: Marks) -> ibis.Table:
    """Which layouts made the day's rows, from when on, and whether a simulator did."""
    columns = (*BY_DAY, "layout_id", "t", "simulated")
    rows = tables["crossings"].select(columns).union(tables["visits"].select(columns))
    by_layout = rows.group_by((*BY_DAY, "layout_id"))
    return by_layout.agg(since=_.t.min(), simulated=_.simulated.cast("int8").max())


SUMS: Mapping[str, Sum] = {
    "doors": doors,
    "street": street,
    "dwells": dwells,
    "stops": stops,
    "queues": queues,
    "queuers": queuers,
    "queue_length": queries.queue_length,
    "sales": sales,
    "steps": steps,
    "paths": paths,
    "entered": entered,
    "funnel": funnel,
    "watching": watching,
    "gaps": gaps,
    "makers": makers,
}

SOURCES = ("crossings", "visits", "waits", "receipts", "presence", "gaps")
"""The lake's tables that sums are made of."""


def _with_quarter(table: ibis.Table) -> ibis.Table:
    return table.mutate(hour=_.t.truncate("h"), quarter=(_.t.minute() // 15).cast("int8"))


def _entered(tables: Tables, marks: Marks) -> ibis.Table:
    return entrance_crossings(tables, marks).filter(_.direction == "in").select(BY_PERSON).distinct()


def _stops(tables: Tables, marks: Marks) -> ibis.Table:
    """Visits inside without coming straight back to the same zone.

    before, after: the zones of the stops around it, START and null at the ends. place: 0 for the first.
    """
    visits = customer_visits(tables).filter(_.zone_id.isin((*marks.inside, *marks.queues)))
    moved = visits.mutate(before=_.zone_id.lag().over(**_WALK).fill_null(START)).filter(_.before != _.zone_id)
    return moved.mutate(place=ibis.row_number().over(**_WALK).cast("int64"), after=_.zone_id.lead().over(**_WALK))


_WALK: Mapping[str, Any] = {"group_by": [_.shop_id, _.business_day, _.person_id], "order_by": [_.t, _.event_id]}
