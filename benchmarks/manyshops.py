"""A chain of several hundred shops, a few rows each: what the chain's pages cost when nothing and when all is kept."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa

from benchmarks.dashboard import END_DAY, browser, serving
from benchmarks.table import Report
from vitrina.floor.layout import Shop
from vitrina.floor.setup import shops
from vitrina.floor.setup.shopfile import ShopFile
from vitrina.floor.simulate.ids import event_ids
from vitrina.floor.simulate.plan import DOOR_CAMERA, ENTRANCE, QUEUE, profiles, shop
from vitrina.floor.store import FLOOR_TABLES
from vitrina.settings import Settings, load_settings
from vitrina.storage import accounts, sessions
from vitrina.storage.database import Database
from vitrina.storage.lake import Lake
from vitrina.storage.secrets import SecretBox

SHOPS, DAYS, ROWS = 300, 28, 12
LATER_S = 1.0


def run(count: int = SHOPS, days: int = DAYS) -> Report:
    with tempfile.TemporaryDirectory() as folder:
        settings = load_settings({"VITRINA_HOME": str(Path(folder) / "home")})
        cookie = fill(settings, count, days)
        with serving(settings) as address, browser(address, cookie) as client:
            first: list[tuple[str, float]] = []
            later: list[tuple[str, float]] = []
            for kind, path in _requests():
                for times, found in ((1, first), (3, later)):
                    for _ in range(times):
                        begin = time.perf_counter()
                        client.get(path, timeout=600).raise_for_status()
                        found.append((kind, time.perf_counter() - begin))
    rows: list[list[object]] = [
        [kind, round(seconds, 3), round(statistics.median(s for k, s in later if k == kind), 3)]
        for kind, seconds in first
    ]
    slowest = max(seconds for _, seconds in later)
    return Report(
        title=f"Pages over {count} shops × {days} days, seconds from request to last byte",
        columns=["request", "first s", "later, median s"],
        rows=rows,
        bars=[("slowest request once its rows are kept", slowest, f"≤ {LATER_S}", slowest <= LATER_S)],
    )


def _requests() -> Iterator[tuple[str, str]]:
    yield "chain", "/chain"
    yield "chain, another measure", "/chain?measure=conversion&sort=-change"
    yield "chain, found by name", "/chain?q=7&sort=name&page=2"
    yield "chain from the API", "/api/v1/chain?limit=100"
    yield "six shops side by side", "/chain/compare?shops=" + ",".join(each.slug for each in profiles(6))
    yield "cameras", "/cameras"
    yield "measures with checks", "/measures"
    yield "list of shops", "/"


def fill(settings: Settings, count: int, days: int) -> str:
    """Shops and rows; gives the session of somebody who sees all."""
    settings.home.mkdir(parents=True)
    database, box = Database(settings.database), SecretBox(settings.home)
    database.migrate()
    with database.session() as session:
        stored = [
            shops.apply(session, ShopFile(each, {}), "bench", box=box, now=each.layout.valid_from).shop
            for each in (shop(profile) for profile in profiles(count))
        ]
        person = accounts.create_person(session, email="bench@example.org", name="Bench", by="bench")
        accounts.grant(session, person.person_id, "admin", shop=None, by="bench")
        cookie = sessions.start_session(session, person.person_id, days=1)
    database.dispose()
    write_rows(Lake(settings.lake, tables=FLOOR_TABLES), stored, days)
    return cookie


def write_rows(lake: Lake, places: list[Shop], days: int) -> None:
    """A few rows for each shop and day, one commit for each day and table."""
    rng = np.random.default_rng(1)
    for back in range(days):
        day = END_DAY - timedelta(days=back + 1)
        for name, table in day_rows(places, day, rng).items():
            lake.append(name, table, writer_id="bench", batch_no=back + 1)


def day_rows(places: list[Shop], day: date, rng: np.random.Generator) -> dict[str, pa.Table]:
    count = len(places) * ROWS
    start = (day - date(1970, 1, 1)).days * 86_400
    t_us = ((start + 12 * 3600 + rng.uniform(0, 4 * 3600, count)) * 1e6).astype(np.int64)
    spans = rng.exponential(20.0, count) + 1.0
    common = {
        "event_id": event_ids(t_us, rng),
        "t": pa.array(t_us).cast(pa.timestamp("us", "UTC")),
        "business_day": pa.repeat(pa.scalar(day), count),
        "shop_id": pa.array([place.slug for place in places for _ in range(ROWS)]),
        "layout_id": pa.array([place.layout.layout_id for place in places for _ in range(ROWS)]),
        "simulated": pa.repeat(pa.scalar(True), count),
        "camera_id": pa.repeat(pa.scalar(DOOR_CAMERA), count),
        "person_id": pa.array([f"p{number}" for number in range(count)]),
        "role": pa.repeat(pa.scalar("unknown"), count),
    }
    until = pa.array(t_us + (spans * 1e6).astype(np.int64)).cast(pa.timestamp("us", "UTC"))
    own = {
        "crossings": {"line_id": _same(ENTRANCE, count), "direction": _same("in", count)},
        "visits": {"zone_id": pa.array(_zones(places)), "left_t": until, "dwell_s": spans,
                   "ended": _same("left", count)},
        "waits": {"zone_id": _same(QUEUE.slug, count), "ended_t": until, "wait_s": spans,
                  "outcome": _same("served", count)},
        "presence": {"people_mean": _same(1.0, count), "people_max": _same(1, count),
                     "watched_s": _same(3600.0, count)},
        "receipts": {"source": _same("tills", count), "receipt_id": common["person_id"], "revision": _same(1, count),
                     "total_minor": pa.array(rng.integers(100, 9000, count)), "items": _same(1, count),
                     "currency": pa.array([place.currency for place in places for _ in range(ROWS)])},
    }  # fmt: skip
    return {
        name: pa.table({field.name: (common | columns)[field.name] for field in FLOOR_TABLES[name].schema})
        for name, columns in own.items()
    }


def _zones(places: list[Shop]) -> list[str]:
    inside = [[zone.slug for zone in place.layout.zones if zone.kind in ("section", "promo")] for place in places]
    return [zones[number % len(zones)] for zones in inside for number in range(ROWS)]


def _same(value: object, count: int) -> pa.Array:
    return pa.repeat(pa.scalar(value), count)
