"""Alive or not: without names for strangers, with cameras for those who may see them."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import Any

import httpx


def test_a_stranger_learns_that_it_lives_and_nothing_else(chain_home: Any, serve: Any) -> None:
    answer = httpx.get(f"{serve(chain_home)}/health")

    assert answer.status_code == 200
    assert answer.json() == {"status": "ok", "database": True, "lake": True}


def test_who_may_see_a_shop_also_sees_its_cameras(chain_home: Any, serve: Any) -> None:
    person = chain_home.person("kim@example.org", ("engineer", "demo-berlin"))
    key = chain_home.key(person, "figures.view")

    cameras = httpx.get(f"{serve(chain_home)}/health", headers={"Authorization": f"Bearer {key}"}).json()["cameras"]

    assert {camera["shop"] for camera in cameras} == {"demo-berlin"}
    assert {camera["camera"] for camera in cameras} == {"door", "floor", "till"}


def test_without_its_database_it_says_so(empty_home: Any, serve: Any) -> None:
    address = serve(empty_home)
    with closing(sqlite3.connect(empty_home.path / "vitrina.db")) as connection:
        connection.execute("DROP TABLE persons")

    answer = httpx.get(f"{address}/health")

    assert answer.status_code == 503
    assert answer.json()["database"] is False


def test_metrics_need_an_engineer_or_their_key(chain_home: Any, serve: Any) -> None:
    engineer = chain_home.person("kim@example.org", ("engineer", None))
    seller = chain_home.person("sven@example.org", ("seller", "demo-berlin"))
    address = serve(chain_home)

    def ask(key: str) -> httpx.Response:
        return httpx.get(f"{address}/metrics", headers={"Authorization": f"Bearer {key}"})

    answer = ask(chain_home.key(engineer, "jobs.view"))

    assert "vitrina_database_up 1.0" in answer.text
    assert 'vitrina_camera_age_seconds{camera="door",shop="demo-berlin"}' in answer.text
    assert ask(chain_home.key(seller, "shop.view")).status_code == 403
    assert httpx.get(f"{address}/metrics").status_code == 401
