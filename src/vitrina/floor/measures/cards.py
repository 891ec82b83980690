"""The registry of measures: for each figure its card, with definition, interval, query and what it hides."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import ibis

from vitrina.errors import NotFoundError
from vitrina.floor.measures import queries
from vitrina.floor.measures.queries import Marks, Tables

Query = Callable[[Tables, Marks], ibis.Table]


@dataclass(frozen=True, slots=True)
class Measure:
    """One figure's card: what it is, what it is made of, and what it hides.

    unit: 'people', 's', 'share', 'ratio', 'money' (minor units of the shop's currency).
    """

    name: str
    title: str
    unit: str
    definition: str
    interval: str
    tables: tuple[str, ...]
    query: Query
    hides: str

    @property
    def source(self) -> str:
        """Who found the formula of the interval; nothing where there is none."""
        return next((source for word, source in SOURCES.items() if word in self.interval), "")


SOURCES: Mapping[str, str] = {
    "Wilson": "Wilson (1927), Probable inference, the law of succession, and statistical inference, JASA 22",
    "computed exactly": "Efron (1979), Bootstrap methods: another look at the jackknife, Ann. Statist. 7, section 3",
    "ootstrap": "Efron (1987), Better bootstrap confidence intervals, JASA 82",
}


def measure(name: str) -> Measure:
    """The card of that name, or NotFoundError with the names there are."""
    if name not in MEASURES:
        raise NotFoundError(f"there is no measure {name!r}; there are: {', '.join(MEASURES)}")
    return MEASURES[name]


_INSIDE = "A person who is lost and found again may be two; a visit shorter than the zone's `enter_s` is not seen."
_UNCOUNTED = "Receipts of people who were not counted at an entrance raise it, and one receipt for a family lowers it."

MEASURES: Mapping[str, Measure] = {
    card.name: card
    for card in (
        Measure(
            "footfall",
            "Footfall",
            "people",
            "Inbound crossings of entrance lines. A U-turn within one track cancels out; staff are left out once they "
            "are known.",
            "From the last audit; before the first one the figure says “not audited”.",
            ("crossings",),
            queries.footfall,
            "Two people who enter as one box are one. Who leaves and comes back later is counted twice.",
        ),
        Measure(
            "capture_rate",
            "Capture rate",
            "share",
            "Entries / (entries + passers-by); a passer-by was in the outside zone and did not enter.",
            "Wilson, over entries and passers-by.",
            ("crossings", "visits"),
            queries.capture_rate,
            "Only the part of the street that the outside zone covers. Who passes twice may count twice.",
        ),
        Measure(
            "occupancy",
            "Occupancy",
            "people",
            "Inbound minus outbound crossings since the day began, never under the number of people seen at once, "
            "and brought to 0 at closing.",
            "None: its error is measured by the audit, apart from the footfall's.",
            ("crossings", "presence"),
            queries.occupancy,
            "Errors at the door add up until closing; the query shows the balance before it is corrected.",
        ),
        Measure(
            "zone_visitors",
            "Zone visitors",
            "people",
            "Distinct persons with a visit to the zone.",
            "None: a count of what was seen.",
            ("visits",),
            queries.zone_visitors,
            _INSIDE,
        ),
        Measure(
            "exposure",
            "Exposure",
            "ratio",
            "Zone visitors / footfall.",
            "Wilson, while visitors are not more than footfall.",
            ("visits", "crossings"),
            queries.exposure,
            "Above 1 the tracks are broken, or an entrance is not watched.",
        ),
        Measure(
            "dwell_median",
            "Dwell, median",
            "s",
            "Time inside a zone per visit; half of the visits were longer.",
            "Bootstrap of the median, computed exactly.",
            ("visits",),
            queries.dwell_median,
            "A person lost from sight ends a visit early, so crowded hours look shorter. " + _INSIDE,
        ),
        Measure(
            "dwell_p90",
            "Dwell, 90th percentile",
            "s",
            "Time inside a zone per visit; one visit of ten was longer.",
            "Bootstrap of the percentile, computed exactly.",
            ("visits",),
            queries.dwell_p90,
            "A person lost from sight ends a visit early, so crowded hours look shorter. " + _INSIDE,
        ),
        Measure(
            "stopping_power",
            "Stopping power",
            "share",
            "Share of the zone's passers whose longest visit lasted at least the zone's `stop_s` (5 s unless set).",
            "Wilson, over passers.",
            ("visits",),
            queries.stopping_power,
            "Standing near is not looking at. " + _INSIDE,
        ),
        Measure(
            "holding_power",
            "Holding power",
            "s",
            "Median over those who stopped, of their longest visit.",
            "Bootstrap of the median, computed exactly.",
            ("visits",),
            queries.holding_power,
            "A queue that stands in the zone looks like interest.",
        ),
        Measure(
            "queue_length",
            "Queue length",
            "people",
            "People in the queue zone at once: the most there were, and the mean over the hours it was open.",
            "The mean's by bootstrap over hours.",
            ("waits",),
            queries.queue_length,
            "People who stand with somebody who waits are counted as waiting.",
        ),
        Measure(
            "queue_wait_median",
            "Queue wait, median",
            "s",
            "From joining the queue to being served, of those who were served.",
            "Bootstrap of the median, computed exactly.",
            ("waits",),
            queries.queue_wait_median,
            "Who gave up is not in it: read it beside abandonment.",
        ),
        Measure(
            "queue_wait_p90",
            "Queue wait, 90th percentile",
            "s",
            "From joining the queue to being served; one of ten served waited longer.",
            "Bootstrap of the percentile, computed exactly.",
            ("waits",),
            queries.queue_wait_p90,
            "Who gave up is not in it: read it beside abandonment.",
        ),
        Measure(
            "abandonment",
            "Abandonment",
            "share",
            "People who left the queue unserved / people who joined it and did not vanish from sight.",
            "Wilson, over people who joined.",
            ("waits",),
            queries.abandonment,
            "Who saw the queue and did not join is not in it.",
        ),
        Measure(
            "conversion",
            "Conversion",
            "ratio",
            "Receipts / footfall. A receipt counts once, by its highest revision; refunds are no receipts.",
            "Bootstrap over the day's hours; over days for longer periods.",
            ("receipts", "crossings"),
            queries.conversion,
            _UNCOUNTED,
        ),
        Measure(
            "average_ticket",
            "Average ticket",
            "money",
            "Sales / receipts; refunds are left out.",
            "Bootstrap over receipts.",
            ("receipts",),
            queries.average_ticket,
            "A few large receipts can move it; look at the interval.",
        ),
        Measure(
            "shopper_yield",
            "Shopper yield",
            "money",
            "Sales / footfall: what one entry brings; refunds lower it.",
            "Bootstrap over the day's hours; over days for longer periods.",
            ("receipts", "crossings"),
            queries.shopper_yield,
            _UNCOUNTED,
        ),
        Measure(
            "transitions",
            "Paths",
            "people",
            "How many persons went from one zone straight to another. A path is the order of zones of one person.",
            "None: counts of what was seen.",
            ("visits",),
            queries.transitions,
            "A path breaks where a person is lost: long paths are seen less often than they happen.",
        ),
    )
}
