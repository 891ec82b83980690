"""The API: the pages' numbers for programs, as its own description promises."""

from __future__ import annotations

import io
from datetime import date
from typing import Any

import httpx
import pyarrow.csv
import pyarrow.parquet
import pytest

from vitrina.floor.simulate.chain import GAP_EVERY_DAYS

GAP_DAY = date.fromordinal(date(2026, 3, 10).toordinal() // GAP_EVERY_DAYS * GAP_EVERY_DAYS)
TABLES = ("figures", "hourly", "occupancy", "zones", "queues", "gaps", "heat", "paths", "transitions")


@pytest.fixture(scope="module")
def program(shared_chain: Any) -> Any:
    """A program with a key of an analyst who sees Berlin and London."""
    home, address = shared_chain
    person = home.person("lin@example.org", ("analyst", "demo-berlin"), ("analyst", "demo-london"), name="Lin")
    key = home.key(person, "shop.view", "figures.view", "figures.export")
    with httpx.Client(base_url=address, headers={"Authorization": f"Bearer {key}"}, timeout=60) as client:
        yield client


def test_me_is_the_keys_owner_within_its_scopes(program: Any) -> None:
    assert program.get("/api/v1/me").json() == {
        "name": "Lin",
        "email": "lin@example.org",
        "roles": [["analyst", "demo-berlin"], ["analyst", "demo-london"]],
        "scopes": ["figures.export", "figures.view", "shop.view"],
    }


def test_only_shops_that_one_may_see_are_listed(program: Any) -> None:
    shops = program.get("/api/v1/shops").json()

    assert [(shop["slug"], shop["today"], shop["last_day"]) for shop in shops] == [
        ("demo-berlin", "2026-03-10", "2026-03-10"),
        ("demo-london", "2026-03-10", "2026-03-10"),
    ]


def test_a_shop_tells_its_zones_and_lines(program: Any) -> None:
    shop = program.get("/api/v1/shops/demo-berlin").json()

    assert shop["lines"] == {"entrance": "Entrance"}
    assert "promo" in shop["zones"]
    assert shop["currency"] == "EUR"


def test_a_day_has_every_figure_with_count_and_interval(program: Any) -> None:
    day = program.get("/api/v1/shops/demo-berlin/day?day=2026-03-09").json()

    conversion = day["figures"]["conversion"]
    assert conversion["low"] < conversion["value"] < conversion["high"]
    assert conversion["n"] == day["figures"]["footfall"]["value"]
    assert day["simulated"] is True
    assert {"in", "out", "hour", "watched"} <= day["hourly"][0].keys()


@pytest.mark.parametrize("table", TABLES)
def test_every_table_of_the_page_comes_as_json_csv_and_parquet_with_the_same_rows(program: Any, table: str) -> None:
    base = f"/api/v1/shops/demo-london/tables/{table}"

    rows = program.get(f"{base}.json?day={GAP_DAY}").json()
    csv = program.get(f"{base}.csv?day={GAP_DAY}")
    parquet = pyarrow.parquet.read_table(io.BytesIO(program.get(f"{base}.parquet?day={GAP_DAY}").content))

    assert rows
    assert parquet.num_rows == len(rows) == pyarrow.csv.read_csv(io.BytesIO(csv.content)).num_rows
    assert parquet.column_names[:3] == ["shop", "day", "simulated"]
    assert csv.headers["Content-Disposition"] == f'attachment; filename="vitrina-demo-london-{GAP_DAY}-{table}.csv"'


def test_an_unknown_table_names_those_there_are(program: Any) -> None:
    answer = program.get("/api/v1/shops/demo-london/tables/faces.csv")

    assert answer.status_code == 404
    assert "figures, hourly" in answer.json()["detail"]


def test_measures_come_with_their_query(program: Any) -> None:
    cards = program.get("/api/v1/measures").json()
    footfall = program.get("/api/v1/measures/footfall?shop=demo-berlin").json()

    assert {"name", "title", "unit", "definition", "interval", "hides", "tables"} == cards[0].keys()
    assert "'entrance'" in footfall["query"]


def test_models_need_their_own_scope(program: Any, shared_chain: Any) -> None:
    home, address = shared_chain
    person = home.person("kim@example.org", ("engineer", None))
    key = home.key(person, "models.view")

    models = httpx.get(f"{address}/api/v1/models", headers={"Authorization": f"Bearer {key}"}, timeout=60).json()

    assert program.get("/api/v1/models").status_code == 403
    assert [model["name"] for model in models] == ["person-nanodet-g", "image-lite0"]
    assert len(models[0]["sha256"]) == 64


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/api/v1/shops/demo-tokyo/day", 404),
        ("/api/v1/shops/demo-berlin/day?day=tomorrow", 400),
        ("/api/v1/shops/demo-berlin/day?day=0001-01-01", 400),
        ("/api/v1/shops/demo-berlin/tables/zones.csv?day=0001-01-01", 400),
        ("/api/v1/shops/demo-berlin/day?day=9999-12-31", 400),
        ("/api/v1/shops/demo-berlin/tables/zones.xml", 400),
        ("/api/v1/nothing", 404),
    ],
)
def test_an_error_is_a_problem_document(program: Any, path: str, status: int) -> None:
    answer = program.get(path, headers={"Accept": "text/html"})

    assert answer.status_code == status
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json().keys() == {"type", "title", "status", "detail"}


def test_the_description_names_every_route_and_shape(program: Any) -> None:
    description = program.get("/api/v1/openapi.json").json()

    assert set(description["paths"]) == {
        f"/api/v1/{path}"
        for path in (
            "me",
            "shops",
            "shops/{slug}",
            "shops/{slug}/day",
            "shops/{slug}/period",
            "shops/{slug}/period/tables/{table}.{form}",
            "shops/{slug}/tables/{table}.{form}",
            "measures",
            "measures/{name}",
            "chain",
            "chain/table.{form}",
            "compare",
            "compare/table.{form}",
            "cameras",
            "cameras/table.{form}",
            "cameras/gaps.{form}",
            "ask.{form}",
            "models",
            "lens/find",
            "lens/feeds",
            "lens/feeds/{feed_id}/notes",
            "lens/feeds/{feed_id}/rejects",
            "lens/products/{product_id}",
        )
    }
    assert {"Day", "Figure", "Change", "Zone", "Queue", "Heat", "Problem"} <= description["components"][
        "schemas"
    ].keys()
