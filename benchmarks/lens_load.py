"""Fifty shoppers at once on the page that takes a photo, for a minute: errors, searches a second, how long they wait.

A real `vitrina up`-like server (uvicorn, the index's own process) over simulated shops; each shopper sends the next
photo when the answer to the one before is there. Where a photo's way goes is measured alone first, without a crowd.

`--long` puts 200,000 more products beside them, whose vectors are drawn around those of the shops: what a photo finds
among few is not what it finds among many. Filling their index takes most of an hour.
"""

from __future__ import annotations

import contextlib
import re
import statistics
import tempfile
import threading
import time
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import numpy as np

from benchmarks.dashboard import serving
from benchmarks.lens_scale import import_all, keep_vectors
from benchmarks.table import Report
from vitrina.lens.demo.fill import fill
from vitrina.lens.demo.home import sample_folder
from vitrina.lens.shops import save_shop
from vitrina.lens.store import open_catalog
from vitrina.lens.sync import sync_all
from vitrina.lens.vectors import VectorStore
from vitrina.models.manifest import IMAGE_EMBEDDER
from vitrina.models.registry import running_model
from vitrina.settings import Settings, load_settings
from vitrina.storage.database import Database

SHOPPERS, SECONDS, PRODUCTS = 50, 60.0, 600
ALONE = 20
MANY_SHOPS, A_SHOP = 40, 5_000
ADDRESSES = 4
ALONE_S = 0.4
"""Photo to page on two cores, with nobody else there."""


@dataclass
class Waited:
    """seconds: of each search that was answered. failed: status of the others."""

    seconds: list[float] = field(default_factory=list)
    failed: Counter[int] = field(default_factory=Counter)


def run(*, long: bool = False) -> Report:
    with tempfile.TemporaryDirectory() as folder:
        settings = load_settings({"VITRINA_HOME": str(Path(folder) / "home")})
        settings.home.mkdir(parents=True, mode=0o700)
        database = Database(settings.database)
        database.migrate()
        fill(settings, database, products=PRODUCTS)
        products = _crowd_the_shelves(settings, database) if long else PRODUCTS
        photos = [path.read_bytes() for path in sorted(sample_folder(settings).glob("*.jpg"))]
        with serving(settings) as address:
            alone = _shop(address, photos, 0, count=ALONE)
            crowd = _crowd(address, photos)
        database.dispose()
    return _report(alone, crowd, products)


def _crowd_the_shelves(settings: Settings, database: Database) -> int:
    """Another 40 shops; how many products there are then."""
    with database.session() as session:
        for number in range(MANY_SHOPS):
            save_shop(session, f"shop-{number}", by="benchmark", name=f"Shop {number}", currency="EUR")
        model = running_model(session, settings.home, IMAGE_EMBEDDER)
    shown = VectorStore(settings.lens / "vectors")
    with closing(open_catalog(settings.lens / "catalog.db")) as catalog:
        shas = [row[0] for row in catalog.execute("SELECT DISTINCT sha256 FROM pictures WHERE sha256 IS NOT NULL")]
    near = np.concatenate(list(shown.read(model.name, shas).values()))
    import_all(settings, MANY_SHOPS, A_SHOP)
    keep_vectors(settings, model, near=near)
    return sync_all(settings, database).products


def _crowd(address: str, photos: list[bytes]) -> Waited:
    until, found = time.monotonic() + SECONDS, Waited()
    lock = threading.Lock()

    def go(number: int) -> None:
        own = _shop(address, photos, 1 + number, until=until)
        with lock:
            found.seconds += own.seconds
            found.failed += own.failed

    shoppers = [threading.Thread(target=go, args=(number,)) for number in range(SHOPPERS)]
    for one in shoppers:
        one.start()
    for one in shoppers:
        one.join()
    return found


def _shop(
    address: str, photos: list[bytes], shopper: int, *, count: int = 10**9, until: float = float("inf")
) -> Waited:
    """A shopper has addresses of their own on loopback, for one that sends so much is slowed down."""
    found = Waited()
    with contextlib.ExitStack() as opened:
        clients = [opened.enter_context(_browser(address, f"127.0.{shopper}.{n + 1}")) for n in range(ADDRESSES)]
        token = re.findall(r'name="form_token" value="([^"]+)"', clients[0].get("/lens").text)[-1]
        for client in clients[1:]:
            client.cookies = clients[0].cookies
        for number in range(count):
            if time.monotonic() >= until:
                break
            begin = time.perf_counter()
            answer = clients[number % ADDRESSES].post(
                "/lens/find",
                data={"form_token": token},
                files={"photo": ("photo.jpg", photos[number % len(photos)], "image/jpeg")},
                headers={"X-Part": "results"},
            )
            if answer.status_code == 200:
                found.seconds.append(time.perf_counter() - begin)
            else:
                found.failed[answer.status_code] += 1
    return found


def _browser(address: str, local: str) -> httpx.Client:
    transport = httpx.HTTPTransport(local_address=local)
    return httpx.Client(base_url=address, timeout=120, headers={"Accept": "text/html"}, transport=transport)


def _report(alone: Waited, crowd: Waited, products: int) -> Report:
    ordered = sorted(crowd.seconds)
    p99 = ordered[int(0.99 * (len(ordered) - 1))] if ordered else float("nan")
    rows: list[list[object]] = [
        ["alone", len(alone.seconds), round(statistics.median(alone.seconds), 3), round(max(alone.seconds), 3), "", 0],
        [
            f"{SHOPPERS} at once",
            len(ordered),
            round(statistics.median(ordered), 3) if ordered else "",
            round(max(ordered, default=0.0), 3),
            round(p99, 3),
            crowd.failed.total(),
        ],
        ["searches a second", round(len(ordered) / SECONDS, 1), "", "", "", ""],
    ]
    return Report(
        title=f"Photos on the shopper's page, {SHOPPERS} at once for {SECONDS:.0f} s, {products:,} simulated products",
        columns=["who", "answered", "median s", "slowest s", "p99 s", "errors"],
        rows=rows,
        bars=[
            ("errors in the crowd", float(crowd.failed.total()), "0", not crowd.failed),
            ("alone, median s", statistics.median(alone.seconds), f"≤ {ALONE_S}",
             statistics.median(alone.seconds) <= ALONE_S),
        ],
    )  # fmt: skip
