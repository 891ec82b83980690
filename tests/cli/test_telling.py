"""The process that tells, round by round; and the jobs for what is over, each told once and made up for."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow.parquet as pq
import pytest
import sqlalchemy as sa

from vitrina.cli import bulletins
from vitrina.cli.telling import Teller
from vitrina.floor.setup import shopfile, shops
from vitrina.outlet import broker, delivery, export, webhook
from vitrina.outlet.broker import BrokerSettings
from vitrina.outlet.export import ExportSettings
from vitrina.storage.database import Database
from vitrina.storage.secrets import SecretBox
from vitrina.work.jobs import Claim, list_jobs
from vitrina.work.worker import RunningJob

NOW = datetime(2026, 3, 10, 15, 30, tzinfo=UTC)
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
"""


@pytest.fixture
def database(chain_home: Any) -> Iterator[Database]:
    found = chain_home.database()
    yield found
    found.dispose()


def listen(database: Database, home: Any, *events: str, shop: str | None = None) -> None:
    with database.session() as session:
        webhook.add_webhook(
            session, url="https://example.org/", events=events, known_events=events, shop=shop, allow_private=False,
            box=SecretBox(home.path), by="test",
        )  # fmt: skip


def bodies(database: Database) -> list[dict[str, Any]]:
    """Oldest first."""
    with database.reading() as session:
        return [json.loads(row.body) for row in reversed(delivery.deliveries(session, limit=1000))]


def job(name: str, **payload: Any) -> RunningJob:
    return RunningJob(Claim("1", name, payload, 1, 6, "w"), threading.Event())


def tell(home: Any, database: Database, now: datetime) -> int:
    return bulletins.tell_days_and_hours(home.settings, database, home.lake(), job("bulletin"), now)


def test_a_camera_that_goes_and_comes_is_told_also_over_a_restart(chain_home: Any, database: Database) -> None:
    with database.session() as session:
        shops.apply(session, shopfile.parse(RIGA), "test", box=SecretBox(chain_home.path))
    listen(database, chain_home, "camera.lost", "camera.recovered", shop="riga")
    healths: list[dict[str, Any]] = []

    def teller() -> Teller:
        box = SecretBox(chain_home.path)
        return Teller(
            chain_home.settings, database, box, lake=chain_home.lake, health=lambda: healths, lost_after_s=0.0
        )

    for state in ("running", "lost", "lost", None, "running", "running"):
        healths[:] = [{"shop": "riga", "camera": "door", "state": state, "problems": []}] if state else []
        teller().look()

    assert [body["type"] for body in bodies(database)] == ["camera.lost", "camera.recovered"]


def test_a_camera_that_starts_is_not_lost_yet(chain_home: Any, database: Database) -> None:
    with database.session() as session:
        shops.apply(session, shopfile.parse(RIGA), "test", box=SecretBox(chain_home.path))
    listen(database, chain_home, "camera.lost")
    box = SecretBox(chain_home.path)
    teller = Teller(chain_home.settings, database, box, lake=chain_home.lake, health=list, lost_after_s=60.0)

    for _ in range(3):
        teller.look()

    assert bodies(database) == []


def test_a_closed_day_is_told_once_a_shop_and_missed_ones_are_made_up_for(chain_home: Any, database: Database) -> None:
    listen(database, chain_home, "day.closed", shop="demo-berlin")

    counts = [tell(chain_home, database, NOW + timedelta(days=days)) for days in (-3, -3, -2, 0)]

    assert counts == [1, 0, 1, 2]
    assert [body["data"]["day"] for body in bodies(database)] == [
        "2026-03-06",
        "2026-03-07",
        "2026-03-08",
        "2026-03-09",
    ]
    assert {body["data"]["shop"] for body in bodies(database)} == {"demo-berlin"}


def test_each_full_hour_is_told_once(chain_home: Any, database: Database) -> None:
    listen(database, chain_home, "hourly.figures", shop="demo-berlin")

    for minutes in (0, 5, 35, 60):
        tell(chain_home, database, NOW - timedelta(hours=3) + timedelta(minutes=minutes))

    assert [body["data"]["t"] for body in bodies(database)] == [f"2026-03-10T{hour}:00:00Z" for hour in ("11", "12")]
    assert all(body["data"]["in"] is None or body["data"]["in"] >= 5 for body in bodies(database))


def test_what_a_clock_that_was_wrong_told_silences_nothing(chain_home: Any, database: Database) -> None:
    listen(database, chain_home, "day.closed", "hourly.figures", shop="demo-berlin")
    tell(chain_home, database, NOW + timedelta(days=300))
    with database.session() as session:
        session.execute(sa.delete(delivery.Delivery))

    told = [tell(chain_home, database, NOW + timedelta(hours=hours)) for hours in (0, 0, 1)]

    assert told == [2, 0, 1]
    assert [body["data"]["day"] for body in bodies(database)] == ["2026-03-09", "2026-03-10", "2026-03-10"]


def test_nobody_who_listens_costs_nothing(chain_home: Any, database: Database) -> None:
    assert tell(chain_home, database, NOW) == 0


def test_an_export_writes_what_the_pages_show_and_the_rows_of_the_lake(chain_home: Any, database: Database) -> None:
    listen(database, chain_home, "export.ready")
    given = ExportSettings("nightly", ("chain", "hourly", "zones", "heat", "lake.crossings"), "there")
    with database.session() as session:
        known, box = given.tables, SecretBox(chain_home.path)
        root = chain_home.settings.exports
        export.add_export(session, given, known_tables=known, root=root, box=box, by="test")

    running = job(export.JOB, export="nightly", day="2026-03-09")
    said = bulletins.run_export(chain_home.settings, database, chain_home.lake(), running)

    assert said == "1 days written"
    there = chain_home.settings.exports / "there"
    chain = pq.read_table(there / "chain/2026-03-09/figures.parquet").to_pylist()
    assert {row["shop"] for row in chain} == {"demo-berlin", "demo-london", "demo-tokyo"}
    crossings = pq.read_table(there / "demo-berlin/2026-03-09/lake.crossings.parquet")
    assert crossings.num_rows > 100
    assert str(pq.read_schema(there / "demo-berlin/2026-03-09/hourly.parquet").field("low").type) == "double"
    [body] = bodies(database)
    manifest = json.loads((there / body["data"]["manifest"]).read_text())
    assert body["data"]["files"] == [file["path"] for file in manifest["files"]]
    assert len(manifest["files"]) == 13


def test_due_exports_are_asked_for(chain_home: Any, database: Database) -> None:
    with database.session() as session:
        given = ExportSettings("nightly", ("chain",), "there")
        row = export.add_export(
            session, given, known_tables=("chain",), root=chain_home.path, box=SecretBox(chain_home.path), by="test"
        )
        row.next_at = datetime.now(UTC) - timedelta(days=2)
    teller = Teller(chain_home.settings, database, SecretBox(chain_home.path), lake=chain_home.lake, health=list)

    teller.look()
    teller.look()

    with database.reading() as session:
        assert [found.name for found in list_jobs(session)] == ["export.run"]


def test_a_broker_whose_certificate_is_none_is_said_once_and_tried_again_when_it_was_changed(
    chain_home: Any, database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    box = SecretBox(chain_home.path)
    given = BrokerSettings("127.0.0.1", port=1, tls=True)
    with database.session() as session:
        broker.set_broker(session, given, box=box, by="test").ca = "-----BEGIN CERTIFICATE-----\nnone"
    teller = Teller(chain_home.settings, database, box, lake=chain_home.lake, health=list)

    for _ in range(3):
        teller.look()

    with database.reading() as session:
        row = broker.find_broker(session)
    assert row is not None
    assert not row.connected
    assert row.status.startswith("ca: expected certificates in PEM")
    assert caplog.text.count("ca: expected certificates in PEM") == 1

    with database.session() as session:
        broker.set_broker(session, replace(given, tls=False), box=box, by="test")
    teller.look()
    with database.reading() as session:
        row = broker.find_broker(session)
    teller.close()
    assert row is not None
    assert row.status.startswith(("connecting", "cannot be reached"))
