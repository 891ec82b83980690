"""What the API answers about many shops: the shapes, and the same figures as tables for files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date
from math import isfinite
from typing import Any

import pyarrow as pa
from pydantic import BaseModel, Field

from vitrina.floor.measures.chainmeasures import CHAIN_MEASURES
from vitrina.floor.measures.standing import Chain, Column, differences
from vitrina.web.chain import Period
from vitrina.worth.interval import Interval


class Range(BaseModel):
    """A value with its 95 % interval over days; bounds are null where days are too few."""

    value: float | None
    low: float | None
    high: float | None


class RankedFigure(Range):
    """standing: to the median of the ranked shops; `alike` is not distinguishable. series: one value a day."""

    unit: str
    n: int
    change: Range
    standing: str = Field(description="above, below, alike, unranked")
    note: str
    series: list[float | None]


class ChainShop(BaseModel):
    shop: str
    name: str
    currency: str
    simulated: bool
    watched: float | None = Field(description="Share of the open camera time that was analysed.")
    partly: bool = Field(description="Watched for less than nine tenths: marked, and not ranked.")
    figures: dict[str, RankedFigure]


class Total(BaseModel):
    """All shops: `sum` of them, `together` as one, or the `median` shop. Money is per currency, never added."""

    measure: str
    unit: str
    currency: str
    how: str
    shops: int
    value: Range
    change: Range


class Days(BaseModel):
    first: date
    last: date


class ChainPage(BaseModel):
    """One page of the shops that one may see, in the order that was asked for."""

    period: Days
    against: Days | None
    days: list[date]
    found: int
    ranked: dict[str, int] = Field(description="By measure; about one in twenty of these stands apart by chance.")
    totals: list[Total]
    shops: list[ChainShop]


class Difference(BaseModel):
    shop: str
    measure: str
    to: str
    difference: Range


class Comparison(BaseModel):
    """A few shops over the same days; differences are to the first one, day by day."""

    period: Days
    days: list[date]
    shops: list[ChainShop]
    differences: list[Difference]


def chain_answer(chain: Chain, period: Period, places: Sequence[int], *, found: int) -> ChainPage:
    against = Days(first=period.against[0], last=period.against[1]) if period.against else None
    return ChainPage(
        period=Days(first=period.first, last=period.last),
        against=against,
        days=list(chain.days),
        found=found,
        ranked={name: column.ranked for name, column in chain.columns.items()},
        totals=[
            Total(
                measure=total.measure.name,
                unit=total.measure.unit,
                currency=total.currency,
                how=total.how,
                shops=total.shops,
                value=_interval(total.found),
                change=_interval(total.change),
            )
            for total in chain.totals
        ],
        shops=[_shop(chain, place) for place in places],
    )


def comparison(chain: Chain, period: Period) -> Comparison:
    places = range(len(chain.shops))
    return Comparison(
        period=Days(first=period.first, last=period.last),
        days=list(chain.days),
        shops=[_shop(chain, place) for place in places],
        differences=list(_differences(chain)),
    )


def as_table(chain: Chain) -> pa.Table:
    """One row for each shop and measure."""
    rows = [
        {
            "shop": shop.slug,
            "name": shop.name,
            "first_day": chain.days[0],
            "last_day": chain.days[-1],
            "simulated": bool(chain.simulated[place]),
            "watched": _known(chain.watched[place]),
            "partly_watched": bool(chain.partly[place]),
            "measure": name,
            "unit": column.measure.unit,
            "currency": shop.currency if column.measure.unit == "money" else None,
            **_flat(column, place),
        }
        for place, shop in enumerate(chain.shops)
        for name, column in chain.columns.items()
    ]
    return pa.Table.from_pylist(rows)


def as_days(chain: Chain) -> pa.Table:
    """One row for each shop, day and measure that has a value."""
    rows = [
        {"shop": shop.slug, "day": day, "simulated": bool(chain.simulated[place]), "measure": name,
         "unit": column.measure.unit, "currency": shop.currency if column.measure.unit == "money" else None,
         "value": value}
        for place, shop in enumerate(chain.shops)
        for name, column in chain.columns.items()
        for day, value in zip(chain.days, column.series[place].tolist(), strict=True)
        if isfinite(value)
    ]  # fmt: skip
    return pa.Table.from_pylist(rows)


def _shop(chain: Chain, place: int) -> ChainShop:
    shop = chain.shops[place]
    return ChainShop(
        shop=shop.slug,
        name=shop.name,
        currency=shop.currency,
        simulated=bool(chain.simulated[place]),
        watched=_known(chain.watched[place]),
        partly=bool(chain.partly[place]),
        figures={name: _figure(chain.columns[name], place) for name in CHAIN_MEASURES},
    )


def _figure(column: Column, place: int) -> RankedFigure:
    return RankedFigure(
        **_range(column.value[place], column.low[place], column.high[place]).model_dump(),
        unit=column.measure.unit,
        n=int(column.n[place]),
        change=_range(column.change[place], column.change_low[place], column.change_high[place]),
        standing=column.standing[place],
        note=column.notes[place],
        series=[_known(value) for value in column.series[place].tolist()],
    )


def _flat(column: Column, place: int) -> dict[str, Any]:
    parts = ("value", "low", "high", "change", "change_low", "change_high")
    values = {name: _known(getattr(column, name)[place]) for name in parts}
    return values | {"n": int(column.n[place]), "standing": column.standing[place], "note": column.notes[place]}


def _differences(chain: Chain) -> Iterator[Difference]:
    currencies = [shop.currency for shop in chain.shops]
    for name, column in chain.columns.items():
        apart = differences(column, 0, currencies)
        for place, shop in list(enumerate(chain.shops))[1:]:
            found = _range(apart.value[place], apart.low[place], apart.high[place])
            yield Difference(shop=shop.slug, measure=name, to=chain.shops[0].slug, difference=found)


def _interval(found: Interval) -> Range:
    return _range(found.value, found.low, found.high)


def _range(value: float, low: float, high: float) -> Range:
    return Range(value=_known(value), low=_known(low), high=_known(high))


def _known(value: float) -> float | None:
    return float(value) if isfinite(value) else None
