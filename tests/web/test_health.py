"""Alive or not: without names for strangers, with cameras for those who may see them."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from vitrina.floor.setup import shopfile, shops
from vitrina.storage.secrets import SecretBox
from vitrina.work import jobs

NOW = datetime(2026, 3, 10, 15, 30, tzinfo=UTC)
"""Where the clock of `serve` stands."""

RIGA = """
[shop]
slug = "riga"
name = "Riga"
timezone = "Europe/Riga"
currency = "EUR"

[plan]
width_m = 8
height_m = 6

[[camera]]
slug = "door"
name = "Above the door"
source = "webcam:0"
size = [1280, 720]

[[camera]]
slug = "film"
name = "A recording"
source = "film.mp4"
size = [1280, 720]
"""


def add_riga(home: Any) -> None:
    database = home.database()
    with database.session() as session:
        shops.apply(session, shopfile.parse(RIGA), "test", box=SecretBox(home.path))
    database.dispose()


def add_minute(home: Any, camera: str, age_s: float) -> None:
    t = NOW - timedelta(seconds=age_s)
    row = {
        "event_id": f"riga-{camera}-{age_s}",
        "t": t,
        "business_day": t.date(),
        "shop_id": "riga",
        "layout_id": "first",
        "simulated": False,
        "camera_id": camera,
        "people_mean": 0.0,
        "people_max": 0,
        "watched_s": 60.0,
    }
    home.lake().append("presence", [row], writer_id=camera, batch_no=1)


def add_job(home: Any, *, overdue_s: float) -> None:
    database = home.database()
    with database.session() as session:
        jobs.enqueue(session, "lake.compact", {}, run_at=NOW - timedelta(seconds=overdue_s))
    database.dispose()


def ask(home: Any, address: str, path: str) -> httpx.Response:
    """As an engineer's program."""
    person = home.person("kim@example.org", ("engineer", None))
    key = home.key(person, "jobs.view", "metrics.view", "figures.view")
    return httpx.get(f"{address}{path}", headers={"Authorization": f"Bearer {key}"}, timeout=60)


def test_a_stranger_learns_that_it_lives_and_nothing_else(chain_home: Any, serve: Any) -> None:
    answer = httpx.get(f"{serve(chain_home)}/health", timeout=60)

    assert answer.status_code == 200
    assert answer.json() == {"status": "ok", "database": True, "lake": True}


def test_who_may_see_a_shop_also_sees_its_cameras(chain_home: Any, serve: Any) -> None:
    person = chain_home.person("kim@example.org", ("engineer", "demo-berlin"))
    key = chain_home.key(person, "figures.view")

    cameras = httpx.get(f"{serve(chain_home)}/health", headers={"Authorization": f"Bearer {key}"}, timeout=60).json()[
        "cameras"
    ]

    assert {camera["shop"] for camera in cameras} == {"demo-berlin"}
    assert {camera["camera"] for camera in cameras} == {"door", "floor", "till"}


def test_without_its_database_it_says_so(empty_home: Any, serve: Any) -> None:
    address = serve(empty_home)
    with closing(sqlite3.connect(empty_home.path / "vitrina.db")) as connection:
        connection.execute("DROP TABLE persons")

    answer = httpx.get(f"{address}/health", timeout=60)

    assert answer.status_code == 503
    assert answer.json()["database"] is False


def test_metrics_need_an_engineer_or_their_key(chain_home: Any, serve: Any) -> None:
    engineer = chain_home.person("kim@example.org", ("engineer", None))
    seller = chain_home.person("sven@example.org", ("seller", "demo-berlin"))
    address = serve(chain_home)

    def ask(key: str) -> httpx.Response:
        return httpx.get(f"{address}/metrics", headers={"Authorization": f"Bearer {key}"}, timeout=60)

    answer = ask(chain_home.key(engineer, "metrics.view"))

    assert "vitrina_database_up 1.0" in answer.text
    assert 'vitrina_camera_age_seconds{camera="door",shop="demo-berlin"}' in answer.text
    assert ask(chain_home.key(seller, "shop.view")).status_code == 403
    assert httpx.get(f"{address}/metrics", timeout=60).status_code == 401


def test_a_live_camera_that_never_delivered_is_there_without_an_age(empty_home: Any, serve: Any) -> None:
    add_riga(empty_home)
    address = serve(empty_home)

    answer = ask(empty_home, address, "/health")

    assert answer.status_code == 200
    assert answer.json()["status"] == "degraded"
    assert answer.json()["cameras"] == [
        {"shop": "riga", "camera": "door", "live": True, "age_s": None, "fresh": False},
    ]
    assert httpx.get(f"{address}/health", timeout=60).json() == {"status": "degraded", "database": True, "lake": True}


def test_a_live_camera_without_a_minute_has_an_infinite_age_in_the_metrics(empty_home: Any, serve: Any) -> None:
    add_riga(empty_home)

    text = ask(empty_home, serve(empty_home), "/metrics").text

    assert 'vitrina_camera_age_seconds{camera="door",shop="riga"} +Inf' in text
    assert "film" not in text


@pytest.mark.parametrize(("age_s", "status"), [(90, "ok"), (290, "ok"), (310, "degraded")])
def test_a_live_camera_may_be_silent_for_five_minutes(empty_home: Any, serve: Any, age_s: int, status: str) -> None:
    add_riga(empty_home)
    add_minute(empty_home, "door", age_s)
    add_minute(empty_home, "film", 3600)

    answer = ask(empty_home, serve(empty_home), "/health").json()

    assert answer["status"] == status
    assert [(camera["camera"], camera["live"], camera["age_s"]) for camera in answer["cameras"]] == [
        ("door", True, age_s),
        ("film", False, 3600),
    ]


@pytest.mark.parametrize(("overdue_s", "status"), [(-60, "ok"), (590, "ok"), (610, "degraded")])
def test_a_job_may_be_overdue_for_ten_minutes(empty_home: Any, serve: Any, overdue_s: int, status: str) -> None:
    add_job(empty_home, overdue_s=overdue_s)
    address = serve(empty_home)

    answer = ask(empty_home, address, "/health")

    assert (answer.status_code, answer.json()["status"]) == (200, status)
    assert answer.json()["job_overdue_s"] == max(0, overdue_s)


def test_the_metrics_say_how_long_a_job_is_overdue(empty_home: Any, serve: Any) -> None:
    add_job(empty_home, overdue_s=45)
    add_job(empty_home, overdue_s=20)

    assert "vitrina_job_overdue_seconds 45.0" in ask(empty_home, serve(empty_home), "/metrics").text
