"""*Ask*: a question in SQL, its answer as a table and as files, and the questions that were saved."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any
from urllib.parse import urlencode

import pyarrow as pa
from fastapi import APIRouter, Depends, Form, Query, Request
from starlette.responses import RedirectResponse, Response

from vitrina.errors import InputError, VitrinaError
from vitrina.floor.measures.views import VIEWS
from vitrina.floor.store import FLOOR_TABLES
from vitrina.storage.accounts import SignedIn
from vitrina.storage.saved import SavedQuestion, forget_question, save_question, saved_questions
from vitrina.storage.table import comment_of
from vitrina.web import ask
from vitrina.web.auth import Who, check_form
from vitrina.web.render import render, render_late, words_of
from vitrina.web.site import Site, TheSite
from vitrina.web.words import Words

router = APIRouter(prefix="/ask", dependencies=[Depends(check_form)], include_in_schema=False)

SQL = Annotated[str, Query(alias="q", max_length=5000)]
First = Annotated[str, Query(alias="from")]
Last = Annotated[str, Query(alias="to")]


@dataclass(frozen=True, slots=True)
class TableHelp:
    """A table that can be asked: its columns as name, type and meaning."""

    name: str
    comment: str
    columns: list[tuple[str, str, str]]


@router.get("")
def page(
    request: Request, site: TheSite, who: Who, q: SQL = "", first: First = "", last: Last = "", raw: bool = False
) -> Response:
    try:
        asked = ask.parse_question(site, who, sql=q, first=first, last=last, raw=raw)
    except InputError as error:
        usual = replace(ask.parse_question(site, who, sql="", first="", last="", raw=raw), sql=q)
        context = _context(site, words_of(request), who, usual, {})
        return render(request, "ask.html", status_code=error.status, **context, answer=None, fault=str(error))
    context = _context(site, words_of(request), who, asked, _days(first, last))
    if not asked.sql:
        return render(request, "ask.html", **context, answer=None, fault="")
    return render_late(request, "ask.html", lambda: _answer(site, who, asked), **context)


@router.post("/saved")
def save(
    site: TheSite,
    who: Who,
    name: Annotated[str, Form()],
    q: Annotated[str, Form(max_length=5000)],
    raw: Annotated[bool, Form()] = False,
    shared: Annotated[bool, Form()] = False,
    first: Annotated[str, Form(alias="from")] = "",
    last: Annotated[str, Form(alias="to")] = "",
) -> Response:
    if raw:
        who.rights.require(ask.RAW)
    with site.database.session() as session:
        saved = save_question(session, name=name, sql=q, raw=raw, shared=shared, by=who.person_id)
        target = _link(saved.sql, raw=saved.raw, days=_days(first, last))
    return RedirectResponse(target, status_code=303)


@router.post("/saved/{question_id}/delete")
def delete(site: TheSite, who: Who, question_id: str) -> Response:
    with site.database.session() as session:
        forget_question(session, question_id, by=who.person_id)
    return RedirectResponse("/ask", status_code=303)


def _link(sql: str, *, raw: bool, days: Mapping[str, str]) -> str:
    return "/ask?" + urlencode({"q": sql, **({"raw": "true"} if raw else days)})


def _days(first: str, last: str) -> dict[str, str]:
    """The days that somebody chose, as every link keeps them."""
    return {name: day for name, day in (("from", first), ("to", last)) if day}


def _context(site: Site, words: Words, who: SignedIn, asked: ask.Asked, days: Mapping[str, str]) -> dict[str, Any]:
    with site.database.reading() as session:
        saved = saved_questions(session, who.person_id)
    may_raw = who.rights.may(ask.RAW)
    return {
        "asked": asked,
        "days": days,
        "may_raw": may_raw,
        "may_export": who.rights.shops("figures.export") != frozenset(),
        "k": site.settings.k_anonymity,
        "saved": [
            (one, _link(one.sql, raw=one.raw, days=days), one.owner == who.person_id)
            for one in saved
            if _fits(one, may_raw)
        ],
        "examples": [(name, _link(sql, raw=False, days=days)) for name, sql in _examples(words)],
        "tables": _raw_tables(words) if asked.raw else _views(words),
        "files": {
            kind: f"/api/v1/ask.{kind}?"
            + urlencode({"q": asked.sql, "from": asked.first, "to": asked.last, "raw": str(asked.raw).lower()})
            for kind in ("csv", "parquet")
        },
    }


def _examples(words: Words) -> list[tuple[str, str]]:
    """Questions to begin with, by what they answer."""
    _ = words.gettext
    return [
        (
            _("Footfall by week day"),
            "SELECT shop_id, dayname(business_day) AS week_day, round(avg(entries)) AS footfall\nFROM days\n"
            "GROUP BY shop_id, week_day, dayofweek(business_day)\nORDER BY shop_id, dayofweek(business_day)",
        ),
        (
            _("Where people stop"),
            "SELECT shop_id, name, sum(visitors) AS visitors,\n"
            "       round(sum(stopped) / sum(visitors), 3) AS stopped\n"
            "FROM zones JOIN zones_now USING (shop_id, zone_id)\nWHERE kind IN ('section', 'promo')\n"
            "GROUP BY shop_id, name\nORDER BY stopped DESC",
        ),
        (
            _("Takings per visitor"),
            "SELECT shop_id, business_day,\n"
            "       round(takings_minor / 100 / nullif(entries, 0), 2) AS per_visitor, currency\n"
            "FROM days JOIN sales USING (shop_id, business_day)\nORDER BY business_day DESC, shop_id",
        ),
        (
            _("Days that were watched least"),
            "SELECT shop_id, business_day, camera_id, round(watched_s / 3600, 1) AS hours\nFROM watched\n"
            "ORDER BY hours\nLIMIT 20",
        ),
    ]


def _fits(one: SavedQuestion, may_raw: bool) -> bool:
    return may_raw or not one.raw


def _views(words: Words) -> list[TableHelp]:
    _ = words.gettext
    return [
        TableHelp(view.name, _(view.comment), [(name, kind, _(comment)) for name, kind, comment in view.columns])
        for view in VIEWS.values()
    ]


def _raw_tables(words: Words) -> list[TableHelp]:
    return [
        TableHelp(
            name,
            words.gettext(spec.comment),
            [(field.name, str(field.type), comment_of(field)) for field in spec.schema],
        )
        for name, spec in FLOOR_TABLES.items()
    ]


def _answer(site: Site, who: SignedIn, asked: ask.Asked) -> Mapping[str, Any]:
    """What a mistake in the question costs is its answer, not the page with the question in it."""
    try:
        found = ask.answer(site, who, asked)
    except VitrinaError as error:
        return {"answer": None, "fault": str(error)}
    return {"answer": _shown(found.rows) | {"simulated": found.simulated}, "fault": ""}


def _shown(rows: pa.Table) -> dict[str, Any]:
    first = rows.slice(0, ask.SHOWN_ROWS)
    return {
        "columns": [(field.name, _is_number(field.type)) for field in rows.schema],
        "rows": list(zip(*([_cell(value) for value in column.to_pylist()] for column in first.columns), strict=True)),
        "count": rows.num_rows,
    }


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind))


def _cell(value: Any) -> str:
    """As SQL writes it; a fraction with ten digits at most, and never with an exponent where it can be read without."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:.0f}" if 1e10 <= abs(value) < 1e18 else f"{value:.10g}"
    return str(value)
