"""Many shops at once: feeds in, the index filled, asked, and brought up again when nothing changed. All simulated.

The feeds are made up and go through the real import; pictures are taken for fetched, and their vectors are random
directions of the length that our embedder's have, two for each picture, which is the hardest there is for a graph.
The index stands in its own process, as `vitrina up` has it. Times are processor time of all our processes together, as
the machine may be busy; only questions are timed by the clock.

`--long` imports 1,000 feeds with 5 million offers, takes a smaller catalog through the sync as without it, and builds
indexes of growing size, each in a process of its own: time and disk for 10 million entries are then worked out by the
power law that goes through the sizes, and are marked so. Some 15 minutes of one processor.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import asdict, dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
import psutil
from numpy.typing import NDArray

from benchmarks.damage import peak_mb
from benchmarks.table import Report
from vitrina.lens import store
from vitrina.lens.embed import catalog_vectors
from vitrina.lens.importing import import_feed
from vitrina.lens.index import EVERYTHING, Entry, Filter, Floats, Index, entry_id, split_entry
from vitrina.lens.index_zvec import ZvecIndex
from vitrina.lens.indexing.client import IndexClient
from vitrina.lens.reader import Order, Part
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
SIZES, LONG_SIZES = (2_000, 4_000, 8_000), (25_000, 50_000, 100_000)
"""Entries of the indexes that the law is found from."""
EMBEDDED = 48
UNCHANGED_S, UNCHANGED_OFFERS = 5.0, 100_000
CLASSES = ("Shoes", "Bags", "Coats", "Dresses")
WHERE = Filter(max_price_minor=300_000, currency="EUR", available=True)
SEED = 5


def run(*, long: bool = False) -> Report:
    """Rows: seconds for each step, a second's work, and what 5 million offers take at that rate."""
    count = FEEDS * OFFERS
    rows = import_rows(LONG_FEEDS, LONG_OFFERS) if long else []
    with tempfile.TemporaryDirectory() as folder:
        settings = home(Path(folder))
        model = find_model(settings.home, "image-lite0")
        rows.append(step(f"import of {FEEDS:,} feeds", sum(import_all(settings, FEEDS, OFFERS)), count, "offers"))
        rows.append(step(f"embedding ({EMBEDDED} measured)", embedding_s(model) * count, count, "pictures"))
        rows.append(step("keeping vectors", keep_vectors(settings, model), count, "pictures"))
        index = IndexClient(settings, model.name)
        rows.append(step("first sync: filling the index", timed(settings, model, index), count, "offers"))
        unchanged_s = timed(settings, model, index)
        rows.append(step("second sync: nothing changed", unchanged_s, count, "offers"))
        rows += [search_row(index, model.dim, filtered) for filtered in (False, True)]
        rows += sizes(settings)
        end_process(settings)
    rows += law_rows([alone(entries) for entries in (LONG_SIZES if long else SIZES)])
    allowed_s = UNCHANGED_S * max(1.0, count / UNCHANGED_OFFERS)
    bars = [("a sync when nothing changed, s", unchanged_s, f"≤ {allowed_s:g}", unchanged_s <= allowed_s)]
    title = f"Simulated: {count:,} offers of {FEEDS} feeds, random vectors of {model.dim} numbers, {CROPS} a picture"
    return Report(title, ["step", "took", "rate", "5 million offers, worked out"], rows, bars)


def home(folder: Path) -> Settings:
    settings = load_settings({"VITRINA_HOME": str(folder / "home")})
    settings.home.mkdir()
    return settings


def step(name: str, took_s: float, count: int, what: str) -> list[object]:
    hours = took_s / count * ALL_OFFERS / 3600
    return [name, f"{took_s:,.1f} s", f"{count / took_s:,.0f} {what}/s", f"{hours:,.1f} h"]


def import_rows(feeds: int, offers: int) -> list[list[object]]:
    """Whether it gets slower or larger on the way: the first tenth of the feeds, and the last."""
    with tempfile.TemporaryDirectory() as folder:
        settings, tenth = home(Path(folder)), feeds // 10
        first = import_all(settings, tenth, offers)
        early_mb = peak_mb()
        took = first + import_all(settings, feeds, offers, start=tenth)
        rows = [step(f"import of {feeds:,} feeds", sum(took), feeds * offers, "offers")]
        for name, some in (("the first", took[:tenth]), ("the last", took[-tenth:])):
            rows.append(step(f"  {name} {tenth:,} of them", sum(some), tenth * offers, "offers"))
        rows.append(["  memory: most by then, most at the end", f"{early_mb:,.0f} MB, {peak_mb():,.0f} MB", "", ""])
        rows.append(["  disk: catalog.db", f"{disk_mb(settings.lens / 'catalog.db'):,.0f} MB", "", ""])
    return rows


# ── the simulated shops ─────────────────────────────────────────────────────────────────────────


def import_all(settings: Settings, feeds: int, offers: int, *, start: int = 0) -> list[float]:
    """Processor seconds that importing each feed took, writing it left out."""
    took_s = []
    for number in range(start, feeds):
        feed = feed_text(number, offers)
        order = Order(f"shop-{number}", f"feed-{number}", currency="EUR")
        began = time.process_time()
        import_feed(settings.lens, order, [Part("feed.xml", lambda feed=feed: BytesIO(feed))])  # type: ignore[misc]
        took_s.append(time.process_time() - began)
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


def keep_vectors(settings: Settings, model: Model, *, near: Floats | None = None) -> float:
    """As if every new picture had been fetched and looked at; seconds that keeping the vectors took.

    near: vectors that the drawn ones have around them, at a cosine of about 0.7; without them they are anywhere.
    """
    dice, vectors, took_s = np.random.default_rng(3), VectorStore(settings.lens / "vectors"), 0.0
    with closing(store.open_catalog(settings.lens / "catalog.db")) as catalog:
        keys = [row[0] for row in catalog.execute("SELECT picture_key FROM pictures WHERE sha256 IS NULL")]
        for some in portions(keys):
            shas = [hashlib.sha256(str(key).encode()).hexdigest() for key in some]
            drawn = unit(dice.normal(size=(len(some) * CROPS, model.dim)).astype(np.float32))
            drawn = drawn if near is None else unit(drawn + near[dice.integers(len(near), size=len(drawn))])
            with store.writing(catalog):
                catalog.executemany(
                    "UPDATE pictures SET state = 'ok', sha256 = ?, fetched_at = ? WHERE picture_key = ?",
                    [(sha, time.time(), key) for sha, key in zip(shas, some, strict=True)],
                )
            began = time.process_time()
            vectors.append(model.name, shas, np.split(drawn, len(some)))
            took_s += time.process_time() - began
    return took_s


def portions(keys: Sequence[int]) -> Iterator[Sequence[int]]:
    for first in range(0, len(keys), PORTION):
        yield keys[first : first + PORTION]


def unit(vectors: Floats) -> Floats:
    rows: Floats = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return rows


# ── measuring ───────────────────────────────────────────────────────────────────────────────────


def timed(settings: Settings, model: Model, index: Index) -> float:
    index.count()  # its process is there
    began = spent_s(settings)
    sync(settings, model, index)
    return spent_s(settings) - began


def spent_s(settings: Settings) -> float:
    """Processor time of this process and of the one that has the index."""
    told = [one.cpu_times() for one in owners(settings)]
    return time.process_time() + sum(float(one.user + one.system) for one in told)


def search_row(index: IndexClient, dim: int, filtered: bool) -> list[object]:
    """One vector a question, as many threads asking as there usually are pages being answered."""
    where = WHERE if filtered else EVERYTHING
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
    index_mb = sum(one.memory_info().rss for one in owners(settings)) / 1e6
    told = [("memory: index process", index_mb)]
    told += [(f"disk: {name}", disk_mb(settings.lens / name)) for name in ("catalog.db", "vectors", "index")]
    return [[name, f"{size_mb:,.0f} MB", "", ""] for name, size_mb in told]


def disk_mb(path: Path) -> float:
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files if file.is_file()) / 1e6


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


# ── an index alone, by size ─────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Built:
    """QPS: questions a second of one processor, one at a time. filtered: 40 of 100 entries pass."""

    entries: int
    build_s: float
    qps: float
    qps_filtered: float
    recall: float
    disk_mb: float
    memory_mb: float


def alone(entries: int) -> Built:
    """In a process of its own."""
    command = [sys.executable, "-m", "benchmarks.lens_scale", str(entries)]
    said = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return Built(**json.loads(said.stdout.splitlines()[-1]))


def built(count: int, dim: int) -> Built:
    dice = np.random.default_rng(SEED)
    vectors = unit(dice.standard_normal((count, dim), np.float32))
    questions = unit(vectors[:QUESTIONS] + dice.standard_normal((QUESTIONS, dim), np.float32) / dim**0.5)
    nearest = np.concatenate([(some @ vectors.T).argmax(axis=1) for some in np.array_split(questions, 8)])
    with tempfile.TemporaryDirectory() as folder:
        index = ZvecIndex(Path(folder) / "index")
        began = time.process_time()
        for first in range(0, count, PORTION):
            rows = range(first, min(first + PORTION, count))
            index.upsert([simulated_entry(row, vectors[row]) for row in rows])
        index.settle()
        build_s = time.process_time() - began
        rates = []
        for where in (EVERYTHING, WHERE):
            began = time.process_time()
            hits = [index.search(question[None], K, where)[0] for question in questions]
            rates.append(QUESTIONS / (time.process_time() - began))
            if where == EVERYTHING:
                found = [{split_entry(hit.entry_id)[0] for hit in some} for some in hits]
        right = sum(f"{row:064x}" in some for row, some in zip(nearest.tolist(), found, strict=True))
        index.close()
        return Built(
            count,
            build_s,
            rates[0],
            rates[1],
            right / QUESTIONS,
            disk_mb(Path(folder)),
            psutil.Process().memory_info().rss / 1e6,
        )


def simulated_entry(row: int, vector: Floats) -> Entry:
    name, price = entry_id(f"{row:064x}", 0, "shop"), 100 * (10 + row * 7919 % 6000)
    return Entry(name, vector, "shop", CLASSES[row % 4], f"Maker {row % 97}", price, "EUR", row % 5 > 0)


def law_rows(some: Sequence[Built]) -> list[list[object]]:
    rows: list[list[object]] = [
        [
            f"index alone, {one.entries:,} entries: built",
            f"{one.build_s:,.1f} s",
            f"{one.qps:,.0f} QPS, filtered {one.qps_filtered:,.0f}; nearest found {one.recall:.3f}",
            f"disk {one.disk_mb:,.0f} MB, memory {one.memory_mb:,.0f} MB",
        ]
        for one in some
    ]
    entries, every = np.array([one.entries for one in some]), CROPS * ALL_OFFERS
    laws = {name: law(entries, [getattr(one, name) for one in some]) for name in ("build_s", "qps", "qps_filtered")}
    then = {name: factor * every**power for name, (factor, power) in laws.items()}
    disk_gb = some[-1].disk_mb / some[-1].entries * every / 1000
    rows.append(
        [
            f"ESTIMATE for {every:,} entries, by the law n^{laws['build_s'][1]:.2f}",
            f"{then['build_s'] / 3600:,.1f} h of one processor",
            f"{then['qps']:,.0f} QPS, filtered {then['qps_filtered']:,.0f}",
            f"disk {disk_gb:,.0f} GB",
        ]
    )
    return rows


def law(entries: NDArray[np.int64], values: Sequence[float]) -> tuple[float, float]:
    """(factor, power) of the power law nearest to the values."""
    power, logarithm = np.polyfit(np.log(entries), np.log(values), 1)
    return float(np.exp(logarithm)), float(power)


if __name__ == "__main__":
    dim = find_model(Path("nowhere"), "image-lite0").dim
    print(json.dumps(asdict(built(int(sys.argv[1]), dim))))
