"""Many shops at once: feeds in, the index filled, asked, and brought up again when nothing changed. All simulated.

The feeds are made up and go through the real import; pictures are taken for fetched, and their vectors are random
directions of the length that our embedder's have, two for each picture, which is the hardest there is for a graph.
The index stands in its own process, as `vitrina up` has it. `--long` has 1,000 feeds and 5 million offers (a day, and
80 GB of disk); hours for that many are worked out from the size that was run, and are marked so.
"""

from __future__ import annotations

import hashlib
import os
import resource
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from io import BytesIO
from pathlib import Path

import numpy as np
import psutil

from benchmarks.table import Report
from vitrina.lens import store
from vitrina.lens.embed import catalog_vectors
from vitrina.lens.importing import Order, Part, import_feed
from vitrina.lens.index import EVERYTHING, Filter, Floats, Index
from vitrina.lens.indexing.client import IndexClient
from vitrina.lens.sync import sync
from vitrina.lens.vectors import VectorStore
from vitrina.models.embedder import Embedder, made_picture
from vitrina.models.library import find_model
from vitrina.models.manifest import Model
from vitrina.settings import Settings, load_settings

FEEDS, OFFERS = 40, 500
LONG_FEEDS, LONG_OFFERS = 1_000, 5_000
ALL_OFFERS = LONG_FEEDS * LONG_OFFERS
CROPS, K, QUESTIONS, AT_ONCE, PORTION = 2, 60, 400, 4, 5_000
EMBEDDED = 48
UNCHANGED_S, UNCHANGED_OFFERS = 5.0, 100_000
CLASSES = ("Shoes", "Bags", "Coats", "Dresses")


def run(*, long: bool = False, feeds: int = FEEDS, offers: int = OFFERS) -> Report:
    """Rows: seconds for each step, a second's work, and the hours for 5 million offers at that rate."""
    if long:
        feeds, offers = LONG_FEEDS, LONG_OFFERS
    count = feeds * offers
    with tempfile.TemporaryDirectory() as folder:
        settings = load_settings({"VITRINA_HOME": str(Path(folder) / "home")})
        settings.home.mkdir()
        model = find_model(settings.home, "image-lite0")
        rows = [step(f"import of {feeds:,} feeds", import_all(settings, feeds, offers), count, "offers")]
        rows.append(
            step(f"embedding, one process (worked out from {EMBEDDED})", embedding_s(model) * count, count, "pictures")
        )
        rows.append(step("keeping vectors", keep_vectors(settings, model), count, "pictures"))
        index = IndexClient(settings, model.name)
        rows.append(step("first sync: filling the index", timed(settings, model, index), count, "offers"))
        unchanged_s = timed(settings, model, index)
        rows.append(step("second sync: nothing changed", unchanged_s, count, "offers"))
        rows += [search_row(index, model.dim, filtered) for filtered in (False, True)]
        rows += sizes(settings)
        end_process(settings)
    allowed_s = UNCHANGED_S * max(1.0, count / UNCHANGED_OFFERS)
    bars = [("a sync when nothing changed, s", unchanged_s, f"≤ {allowed_s:g}", unchanged_s <= allowed_s)]
    title = f"{feeds:,} simulated feeds, {count:,} offers, {CROPS * count:,} random vectors of {model.dim} numbers"
    return Report(title, ["step", "took", "rate", "for 5 million offers, worked out"], rows, bars)


def step(name: str, took_s: float, count: int, what: str) -> list[object]:
    hours = took_s / count * ALL_OFFERS / 3600
    return [name, f"{took_s:,.1f} s", f"{count / took_s:,.0f} {what}/s", f"{hours:,.1f} h"]


# ── the simulated shops ─────────────────────────────────────────────────────────────────────────


def import_all(settings: Settings, feeds: int, offers: int) -> float:
    """Seconds that importing took, writing the feeds left out."""
    took_s = 0.0
    for number in range(feeds):
        feed = feed_text(number, offers)
        order = Order(f"shop-{number}", f"feed-{number}", currency="EUR")
        began = time.perf_counter()
        import_feed(settings.lens, order, [Part("feed.xml", lambda feed=feed: BytesIO(feed))])  # type: ignore[misc]
        took_s += time.perf_counter() - began
    return took_s


def feed_text(shop: int, offers: int) -> bytes:
    categories = "".join(f'<category id="{n}">{name}</category>' for n, name in enumerate(CLASSES, start=1))
    records = "".join(
        f'<offer id="{n}" available="{"true" if n % 5 else "false"}"><url>https://shop-{shop}.example/{n}</url>'
        f"<price>{10 + (n * 7919 + shop) % 9000}</price><currencyId>EUR</currencyId>"
        f"<categoryId>{1 + n % 4}</categoryId>"
        f"<picture>https://shop-{shop}.example/{n}.jpg</picture><name>Simulated thing {shop}-{n}</name>"
        f"<vendor>Maker {n % 97}</vendor><vendorCode>{shop}-{n}</vendorCode></offer>"
        for n in range(offers)
    )
    shown = f"<categories>{categories}</categories><offers>{records}</offers>"
    return f"<yml_catalog><shop>{shown}</shop></yml_catalog>".encode()


def embedding_s(model: Model) -> float:
    """Processor seconds for one picture, on some that are made up."""
    embedder = Embedder(model)
    shown = [made_picture(number, 384) for number in range(EMBEDDED)]
    catalog_vectors(embedder, shown[:4])
    began = time.process_time()
    catalog_vectors(embedder, shown)
    return (time.process_time() - began) / EMBEDDED


def keep_vectors(settings: Settings, model: Model) -> float:
    """As if every picture had been fetched and looked at; seconds that keeping the vectors took."""
    dice, vectors, took_s = np.random.default_rng(3), VectorStore(settings.lens / "vectors"), 0.0
    with closing(store.open_catalog(settings.lens / "catalog.db")) as catalog:
        keys = [row[0] for row in catalog.execute("SELECT picture_key FROM pictures")]
        for some in portions(keys):
            shas = [hashlib.sha256(str(key).encode()).hexdigest() for key in some]
            drawn = unit(dice.normal(size=(len(some) * CROPS, model.dim)).astype(np.float32))
            with store.writing(catalog):
                catalog.executemany(
                    "UPDATE pictures SET state = 'ok', sha256 = ?, fetched_at = ? WHERE picture_key = ?",
                    [(sha, time.time(), key) for sha, key in zip(shas, some, strict=True)],
                )
            began = time.perf_counter()
            vectors.append(model.name, shas, np.split(drawn, len(some)))
            took_s += time.perf_counter() - began
    return took_s


def portions(keys: Sequence[int]) -> Iterator[Sequence[int]]:
    for first in range(0, len(keys), PORTION):
        yield keys[first : first + PORTION]


def unit(vectors: Floats) -> Floats:
    rows: Floats = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return rows


# ── measuring ───────────────────────────────────────────────────────────────────────────────────


def timed(settings: Settings, model: Model, index: Index) -> float:
    began = time.perf_counter()
    sync(settings, model, index)
    return time.perf_counter() - began


def search_row(index: IndexClient, dim: int, filtered: bool) -> list[object]:
    """One vector a question, as many threads asking as there usually are pages being answered."""
    where = Filter(max_price_minor=300_000, currency="EUR", available=True) if filtered else EVERYTHING
    questions = unit(np.random.default_rng(4).normal(size=(QUESTIONS, dim)).astype(np.float32))

    def ask(question: Floats) -> float:
        began = time.perf_counter()
        index.search(question[None], K, where)
        return 1000 * (time.perf_counter() - began)

    ask(questions[0])
    began = time.perf_counter()
    with ThreadPoolExecutor(AT_ONCE) as pool:
        took_ms = list(pool.map(ask, questions))
    rate = QUESTIONS / (time.perf_counter() - began)
    told = f"p50 {np.percentile(took_ms, 50):.0f} ms, p99 {np.percentile(took_ms, 99):.0f} ms"
    return [f"{AT_ONCE} asking at once{', filtered' if filtered else ''}", told, f"{rate:,.0f} questions/s", ""]


def sizes(settings: Settings) -> list[list[object]]:
    ours_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
    index_mb = sum(one.memory_info().rss for one in owners(settings)) / 1e6
    rows: list[list[object]] = [
        ["memory: sync (its most), index process", f"{ours_mb:,.0f} MB, {index_mb:,.0f} MB", "", ""]
    ]
    for name in ("catalog.db", "vectors", "index"):
        path = settings.lens / name
        files = path.rglob("*") if path.is_dir() else [path]
        total_mb = sum(file.stat().st_size for file in files if file.is_file()) / 1e6
        rows.append([f"disk: {name}", f"{total_mb:,.0f} MB", "", ""])
    return rows


def owners(settings: Settings) -> list[psutil.Process]:
    lock = str(settings.lens / "index.lock")
    found = []
    for one in psutil.process_iter():
        try:
            if one.pid != os.getpid() and any(file.path == lock for file in one.open_files()):
                found.append(one)
        except (psutil.AccessDenied, psutil.NoSuchProcess):
            continue
    return found


def end_process(settings: Settings) -> None:
    for one in owners(settings):
        one.terminate()
        one.wait(60)
