"""Questions in SQL: over the k-anonymous views of the shops one may see, or, by role, over the lake's own tables."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import pyarrow as pa
import pyarrow.compute as pc

from vitrina.errors import DeniedError, InputError
from vitrina.floor.layout import Shop
from vitrina.floor.measures.views import READS, VIEWS, read_view
from vitrina.product import parse_day
from vitrina.storage import audit
from vitrina.storage.accounts import SignedIn
from vitrina.storage.question import ask_rows
from vitrina.storage.saved import check_sql
from vitrina.web.shops import visible_shops
from vitrina.web.site import Site

RAW = "lake.sql"
"""The permission for the lake's own tables, in the whole chain."""
DEFAULT_DAYS, MOST_DAYS = 28, 400
TIMEOUT_S = 20.0
SHOWN_ROWS, MOST_ROWS = 500, 1_000_000


@dataclass(frozen=True, slots=True)
class Asked:
    """first, last: business days that the views hold. raw: the lake's own tables instead, with all their days."""

    sql: str
    first: date
    last: date
    raw: bool


def parse_question(site: Site, who: SignedIn, *, sql: str, first: str, last: str, raw: bool) -> Asked:
    """Without days: the last four weeks. Raises InputError for days that do not fit, DeniedError for a raw question."""
    if raw:
        who.rights.require(RAW)
    shops = visible_shops(site, who, action="figures.view")
    today = max((site.figures.today(shop) for shop in shops), default=site.figures.now().date())
    until = parse_day(last, "to") if last else today
    since = parse_day(first, "from") if first else until - timedelta(days=DEFAULT_DAYS - 1)
    if not 0 <= (until - since).days < MOST_DAYS:
        raise InputError(
            f"from, to: expected up to {MOST_DAYS} days, the first before the last, got {since} to {until}"
        )
    return Asked(check_sql(sql) if sql.strip() else "", since, until, raw)


@dataclass(frozen=True, slots=True)
class Answer:
    """simulated: rows that the simulator made were among those that could be read."""

    rows: pa.Table
    simulated: bool


def answer(site: Site, who: SignedIn, asked: Asked, *, action: str = "figures.view") -> Answer:
    """The answer, from the shops in which `action` is permitted. Every question is on record.

    Raises InputError, DeniedError or LimitError.
    """
    shops = visible_shops(site, who, action=action)
    if not asked.raw and not shops:
        raise DeniedError("you have no role yet in any shop that you could ask about")
    with site.database.session() as session:
        what = {"query": asked.sql, "from": str(asked.first), "to": str(asked.last), "raw": asked.raw}
        audit.record(session, who.person_id, "lake.sql", "lake", None, what)
    if asked.raw:
        rows = site.lake.sql(asked.sql, timeout_s=TIMEOUT_S, max_rows=MOST_ROWS)
        return Answer(rows, _simulated(_view(site, "days", shops, asked)))
    # A view whose name stands anywhere in the question is made; the others cost nothing.
    wanted = [name for name in VIEWS if re.search(rf"\b{name}\b", asked.sql, re.IGNORECASE)]
    views = {name: _view(site, name, shops, asked) for name in wanted}
    rows = ask_rows(
        asked.sql,
        views,
        memory_mb=site.settings.query_memory_mb,
        threads=None,
        timeout_s=TIMEOUT_S,
        max_rows=MOST_ROWS,
    )
    return Answer(rows, any(map(_simulated, views.values())))


def _simulated(rows: pa.Table) -> bool:
    return "simulated" in rows.column_names and bool(pc.any(rows["simulated"]).as_py())


def _view(site: Site, name: str, shops: Sequence[Shop], asked: Asked) -> pa.Table:
    k = site.settings.k_anonymity
    versions = tuple(site.lake.version(table) for table in READS)
    layouts = tuple((shop.slug, shop.layout.layout_id) for shop in shops)
    key = ("view", name, layouts, asked.first, asked.last, versions, k)
    return site.figures.once(key, lambda: read_view(site.lake, name, shops, asked.first, asked.last, k=k))
