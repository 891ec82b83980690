"""A question in SQL over `/api/v1`: the same views, rights and record as the page."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from vitrina.web import ask
from vitrina.web.api.files import as_file
from vitrina.web.api.routes import PREFIX, PROBLEMS
from vitrina.web.auth import Who
from vitrina.web.site import TheSite

router = APIRouter(prefix=PREFIX, responses=PROBLEMS)


class Form(StrEnum):
    json = "json"
    csv = "csv"
    parquet = "parquet"


@router.get("/ask.{form}", response_class=Response)
def ask_in_sql(
    site: TheSite,
    who: Who,
    form: Form,
    q: Annotated[str, Query(max_length=5000, description="One SELECT in DuckDB's SQL.")],
    first: Annotated[str, Query(alias="from", description="First business day; four weeks before the last.")] = "",
    last: Annotated[str, Query(alias="to", description="Last business day; today.")] = "",
    raw: Annotated[bool, Query(description="Over the lake's own tables; needs `lake.sql`.")] = False,
) -> Response:
    """The answer to a question over the k-anonymous views of the shops that one may see. Each is on record."""
    asked = ask.parse_question(site, who, sql=q, first=first, last=last, raw=raw)
    return as_file(ask.answer(site, who, asked, action="figures.export").rows, form.value, name="answer")
