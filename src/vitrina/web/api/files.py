"""A table as a file that a person or a program takes away: JSON, CSV or Parquet."""

from __future__ import annotations

import io

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
from fastapi.encoders import jsonable_encoder
from starlette.responses import JSONResponse, Response

MEDIA_TYPES = {"csv": "text/csv; charset=utf-8", "parquet": "application/vnd.apache.parquet"}


def as_file(table: pa.Table, form: str, *, name: str) -> Response:
    """form: json, csv or parquet. JSON is answered in place, the others are offered as a download."""
    if form == "json":
        return JSONResponse(jsonable_encoder(table.to_pylist()))
    return Response(
        _bytes(table, form),
        media_type=MEDIA_TYPES[form],
        headers={"Content-Disposition": f'attachment; filename="{name}.{form}"'},
    )


def _bytes(table: pa.Table, form: str) -> bytes:
    sink = io.BytesIO()
    if form == "csv":
        pyarrow.csv.write_csv(table, sink)
    else:
        pyarrow.parquet.write_table(table, sink, compression="zstd")
    return sink.getvalue()
