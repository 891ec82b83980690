"""The measures that a chain is compared by: what each is made of, shop by shop and day by day. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from vitrina.floor.measures.chainrows import ChainRows, Floats, Mask
from vitrina.worth import daily
from vitrina.worth.daily import Daily


@dataclass(frozen=True, slots=True)
class Parts:
    """What a measure is made of by shop and day.

    above, below: (shops, days), whose sums' ratio it is; None for a quantile.
    by_day: (shops, days) its value by day, NaN without one. counts: (shops, days) how many people each is about.
    """

    daily: Daily
    by_day: Floats
    counts: Floats
    above: Floats | None = None
    below: Floats | None = None


@dataclass(frozen=True, slots=True)
class ChainMeasure:
    """A column of the chain's table. card: the measure's card. whole_days: made of days alone that were watched."""

    name: str
    title: str
    card: str
    unit: str
    parts: Callable[[ChainRows], Parts]
    whole_days: bool = False


def _ratio(above: Floats, below: Floats, used: Mask, counts: Floats, people: Floats | None = None) -> Parts:
    """A day without a denominator, such as one with receipts on which nobody was counted, still adds its numerator.

    people: whom it is about, when that is not what it is counted by.
    """
    made = daily.ratio(above, below, used)
    by_day = np.divide(above, below, out=np.full(above.shape, np.nan), where=used & (below > 0))
    made = replace(made, n=np.where(used, counts, 0).sum(axis=1).round().astype(np.int64))
    about = np.where(used, counts if people is None else people, 0.0)
    return Parts(made, by_day, about, np.where(used, above, 0.0), np.where(used, below, 0.0))


def _footfall(rows: ChainRows) -> Parts:
    return _ratio(rows.entries, np.ones_like(rows.entries), rows.whole, rows.entries)


def _per_entry(column: str, rows: ChainRows) -> Parts:
    """Receipts or takings per entry; on a day without a single receipt it is the receipts that are missing."""
    used = rows.whole & (rows.receipts > 0)
    return _ratio(getattr(rows, column), rows.entries, used, rows.entries)


def _ticket(rows: ChainRows) -> Parts:
    return _ratio(rows.purchased, rows.receipts, rows.receipts > 0, rows.receipts)


def _stopping(rows: ChainRows) -> Parts:
    return _ratio(rows.stopped, rows.passers, rows.passers > 0, rows.passers, rows.stop_people)


def _abandonment(rows: ChainRows) -> Parts:
    joined = rows.served + rows.abandoned
    return _ratio(rows.abandoned, joined, joined > 0, joined, rows.wait_people)


def _dwell(kind: str, rows: ChainRows) -> Parts:
    by_day = rows.dwell_median[kind]
    return Parts(daily.quantile(rows.dwell[kind], by_day, rows.dwell_n[kind]), by_day, rows.dwell_people[kind])


def _wait(rows: ChainRows) -> Parts:
    return Parts(daily.quantile(rows.wait, rows.wait_p90, rows.served), rows.wait_p90, rows.served_people)


CHAIN_MEASURES: Mapping[str, ChainMeasure] = {
    measure.name: measure
    for measure in (
        ChainMeasure("footfall", "Footfall a day", "footfall", "people", _footfall, whole_days=True),
        ChainMeasure(
            "conversion", "Conversion", "conversion", "ratio", partial(_per_entry, "receipts"), whole_days=True
        ),
        ChainMeasure("average_ticket", "Average ticket", "average_ticket", "money", _ticket),
        ChainMeasure(
            "shopper_yield", "Shopper yield", "shopper_yield", "money", partial(_per_entry, "minor"), whole_days=True
        ),
        ChainMeasure("dwell_section", "Dwell in sections, median", "dwell_median", "s", partial(_dwell, "section")),
        ChainMeasure("dwell_promo", "Dwell at promo displays, median", "dwell_median", "s", partial(_dwell, "promo")),
        ChainMeasure("stopping_power", "Stopping power", "stopping_power", "share", _stopping),
        ChainMeasure("queue_wait_p90", "Queue wait, 90th percentile", "queue_wait_p90", "s", _wait),
        ChainMeasure("abandonment", "Abandonment", "abandonment", "share", _abandonment),
    )
}
"""The measures that a chain is compared by, in the order of the table."""

SALES = ("conversion", "average_ticket", "shopper_yield")
"""What needs receipts."""
