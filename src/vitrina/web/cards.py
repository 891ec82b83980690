"""Cards of the measures: the query as it is asked, and how the rows behind it are in the shops one may see."""

from __future__ import annotations

from datetime import datetime

import ibis

from vitrina.floor.layout import Shop
from vitrina.floor.measures.cards import MEASURES, Measure, measure
from vitrina.floor.measures.quality import Examined, examine
from vitrina.floor.measures.queries import Marks, unbound
from vitrina.web.shops import all_shops, newest_change
from vitrina.web.site import Site

EXAMINED_EVERY_S = 300

ENGINES = {"duckdb": "DuckDB SQL", "databricks": "Spark SQL"}
"""The dialects in which a query is shown. Spark's own compiler needs PySpark; this one writes the same SQL."""


def query_text(card: Measure, shop: Shop | None, *, dialect: str = "duckdb") -> str:
    """The measure in SQL, as it is asked for `shop`; for a shop with one `entrance` when there is none."""
    marks = Marks.of(shop) if shop else Marks(("entrance",), ("tills",), ("street",), ("section",))
    return str(ibis.to_sql(card.query(unbound(), marks), dialect=dialect))


def examined(site: Site) -> tuple[Examined, datetime]:
    """The checks of all shops, run at most every few minutes; and when."""
    now, shops = site.figures.now(), all_shops(site)
    step = int(now.timestamp()) // EXAMINED_EVERY_S
    key = ("quality", step, newest_change(site))
    return site.figures.once(key, lambda: (examine(site.lake, shops, now), now), series="quality")


__all__ = ["ENGINES", "MEASURES", "examined", "measure", "query_text"]
