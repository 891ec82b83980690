"""The dashboard over HTTP: a real server, a signed-in browser without a screen, the demo chain and a year of one shop.

Days are asked for one after the other, each for the first time, so nothing is answered from what was kept. The server
has had a moment for what it reads ahead when it starts.
"""

from __future__ import annotations

import statistics
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import httpx
import uvicorn

from benchmarks.table import BarRow, Report
from vitrina.floor.measures.chainledger import ChainLedger
from vitrina.floor.measures.ledger import Ledger
from vitrina.floor.measures.period import marks_of
from vitrina.floor.setup import shops
from vitrina.floor.setup.shopfile import ShopFile
from vitrina.floor.simulate.chain import Chain, simulate_chain
from vitrina.floor.simulate.write import write_chain
from vitrina.floor.store import FLOOR_TABLES
from vitrina.settings import Settings, load_settings
from vitrina.storage import accounts, sessions
from vitrina.storage.database import Database
from vitrina.storage.lake import Lake
from vitrina.storage.secrets import SecretBox
from vitrina.web.app import create_app

END_DAY = date(2026, 3, 10)
NOW = datetime(2026, 3, 10, 15, 30, tzinfo=UTC)
ASKED = 10  # days of each shop
SETTLED_S = 15.0
PAGES = (
    "list of shops",
    "a day's page",
    "a measure's card",
    "the chain",
    "shops side by side",
    "cameras",
    "a period of 28 days",
)
FAMILIES = {"days": ("list", "a day", "heat", "a table", "cameras", "a measure"), "periods": ("a period",), "chain": ()}
"""Families of requests by how their kinds begin; the last has all others."""
DEMO_S, YEAR_S, FIRST_BYTE_S = 0.3, 1.0, 0.1

Timed = tuple[str, float, float]
"""Kind of request; seconds to the first byte of its body and to the last."""


def run() -> Report:
    with tempfile.TemporaryDirectory() as folder:
        demo, demo_s = _measure(Path(folder) / "demo", simulate_chain(3, 28, end_day=END_DAY, until=NOW))
        year, year_s = _measure(Path(folder) / "year", simulate_chain(1, 365, end_day=END_DAY, until=NOW))
    rows: list[list[object]] = [
        [
            lake,
            kind,
            len(times),
            *(round(of([first for first, _ in times]), 3) for of in (statistics.median, max)),
            *(round(of([last for _, last in times]), 3) for of in (statistics.median, max)),
        ]
        for lake, found in (("3 shops × 28 days", demo), ("1 shop × 365 days", year))
        for kind, times in _by_kind(found).items()
    ]
    added_up = (("3 shops × 28 days", demo_s), ("1 shop × 365 days", year_s))
    rows += [[lake, "days added up once, by a job", 1, "", "", round(seconds, 1), ""] for lake, seconds in added_up]
    first_byte = max(first for kind, first, _ in (*demo, *year) if kind in PAGES)
    return Report(
        title="Dashboard requests, seconds from request to last byte",
        columns=["lake", "request", "n", "first byte s", "slowest", "last byte s", "slowest"],
        rows=rows,
        bars=[
            *_bars("demo chain", demo, DEMO_S),
            *_bars("year of one shop", year, YEAR_S),
            ("first byte of a page, slowest", first_byte, f"≤ {FIRST_BYTE_S}", first_byte <= FIRST_BYTE_S),
        ],
    )


def _bars(lake: str, found: list[Timed], bound_s: float) -> Iterator[BarRow]:
    slowest = dict.fromkeys(FAMILIES, 0.0)
    for kind, _, last_s in found:
        family = next((name for name, begins in FAMILIES.items() if kind.startswith(begins)), list(FAMILIES)[-1])
        slowest[family] = max(slowest[family], last_s)
    for family, seconds in slowest.items():
        if seconds:
            yield f"{lake}, {family}: slowest request", seconds, f"≤ {bound_s}", seconds <= bound_s


def _measure(home: Path, chain: Chain) -> tuple[list[Timed], float]:
    """The requests, and the seconds that the hourly job needed to add up all days that are over."""
    settings = load_settings({"VITRINA_HOME": str(home)})
    cookie = _fill(settings, chain)
    start = time.perf_counter()
    lake, yesterday = Lake(settings.lake, tables=FLOOR_TABLES), END_DAY - timedelta(days=1)
    book = Ledger(lake, settings.sums)
    for shop in chain.shops:
        book.fill(shop.slug, marks_of(shop, ()), chain.days[0], yesterday)
    ChainLedger(lake, settings.chain_sums).fill(chain.shops, chain.days[0], yesterday)
    added_up_s = time.perf_counter() - start
    with serving(settings) as address, browser(address, cookie) as client:
        time.sleep(SETTLED_S)
        return [_timed(client, kind, path) for kind, path in _requests(chain)], added_up_s


def browser(address: str, cookie: str) -> httpx.Client:
    return httpx.Client(base_url=address, cookies={"vitrina": cookie}, headers={"Accept": "text/html"}, timeout=60)


def _requests(chain: Chain) -> Iterator[tuple[str, str]]:
    yield "list of shops", "/"
    yield "list of shops, again", "/"
    for shop in chain.shops:
        for back in range(ASKED):
            day = END_DAY - timedelta(days=back)
            yield "a day's page", f"/shops/{shop.slug}?day={day}"
            yield "a day's page, again", f"/shops/{shop.slug}?day={day}"
            yield "heat on the plan", f"/shops/{shop.slug}/heat.png?day={day}"
            yield "a day from the API", f"/api/v1/shops/{shop.slug}/day?day={day}"
            yield "a table as CSV", f"/api/v1/shops/{shop.slug}/tables/zones.csv?day={day}"
        yield from _periods(shop.slug, len(chain.days))
    if len(chain.shops) > 1:
        slugs = ",".join(shop.slug for shop in chain.shops)
        for back in range(ASKED):
            period = f"to={END_DAY - timedelta(days=back + 1)}"
            yield "the chain", f"/chain?{period}"
            yield "the chain, by another measure", f"/chain?{period}&measure=conversion&sort=change"
            yield "shops side by side", f"/chain/compare?shops={slugs}&{period}"
            yield "the chain from the API", f"/api/v1/chain?{period}"
    for span in ("day", "week"):
        yield "cameras", f"/cameras?range={span}"
    for name in ("footfall", "conversion", "stopping_power"):
        yield "a measure's card", f"/measures/{name}"


def _periods(slug: str, days: int) -> Iterator[tuple[str, str]]:
    """Each another period than those before, but for `again`."""
    yesterday = END_DAY - timedelta(days=1)
    for length in (7, 28, 91, 364):
        for back in range(3 if length <= days else 0):
            last = yesterday - timedelta(days=back)
            query = f"from={last - timedelta(days=length - 1)}&to={last}"
            yield f"a period of {length} days", f"/shops/{slug}/period?{query}"
            yield f"a period of {length} days, again", f"/shops/{slug}/period?{query}"
            yield f"a period of {length} days from the API", f"/api/v1/shops/{slug}/period?{query}&against=year"
            yield "a period's table as CSV", f"/api/v1/shops/{slug}/period/tables/transitions.csv?{query}"
    yield "a period that runs", f"/shops/{slug}/period?from={END_DAY}&to={END_DAY}"


def _timed(client: httpx.Client, kind: str, path: str) -> Timed:
    start = time.perf_counter()
    with client.stream("GET", path) as answer:
        parts = answer.iter_raw()
        next(parts, b"")
        first_s = time.perf_counter() - start
        for _ in parts:
            pass
    last_s = time.perf_counter() - start
    if answer.status_code not in (200, 404):  # on a day when it is closed a shop has no heat
        raise RuntimeError(f"{path} answered {answer.status_code}")
    return kind, first_s, last_s


def _by_kind(found: list[Timed]) -> dict[str, list[tuple[float, float]]]:
    kinds: dict[str, list[tuple[float, float]]] = {}
    for kind, first_s, last_s in found:
        kinds.setdefault(kind, []).append((first_s, last_s))
    return kinds


def _fill(settings: Settings, chain: Chain) -> str:
    """The chain into database and lake; gives the session of somebody who sees all of it."""
    settings.home.mkdir(parents=True)
    database, box = Database(settings.database), SecretBox(settings.home)
    database.migrate()
    with database.session() as session:
        stored = tuple(
            shops.apply(session, ShopFile(shop, {}), "bench", box=box, now=shop.layout.valid_from).shop
            for shop in chain.shops
        )
        person = accounts.create_person(session, email="bench@example.org", name="Bench", by="bench")
        accounts.grant(session, person.person_id, "admin", shop=None, by="bench")
        cookie = sessions.start_session(session, person.person_id, days=1)
    database.dispose()
    write_chain(Lake(settings.lake, tables=FLOOR_TABLES), replace(chain, shops=stored))
    return cookie


@contextmanager
def serving(settings: Settings) -> Iterator[str]:
    config = uvicorn.Config(create_app(settings, now=lambda: NOW), host="127.0.0.1", port=0, log_config=None)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started and thread.is_alive():
        time.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(timeout=20)
