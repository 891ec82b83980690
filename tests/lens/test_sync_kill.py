"""A sync that is killed at any moment, or whose workers are, leaves nothing half done: the next one ends it."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from io import BytesIO
from pathlib import Path

import numpy as np
import psutil
import pytest
from PIL import Image

from vitrina.lens import store
from vitrina.lens.importing import import_feed
from vitrina.lens.index_zvec import ZvecIndex
from vitrina.lens.reader import Order, Part
from vitrina.lens.vectors import VectorStore
from vitrina.settings import Settings, load_settings

KILLS = 30
PATIENCE_S = 300.0
PICTURES = 60
HERE = Path(__file__).parent
SYNCER = HERE / "syncer.py"


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures, no two alike."""
    folder = tmp_path_factory.mktemp("drawn")
    for number in range(3 * PICTURES):
        blocks = Image.fromarray(np.random.default_rng(number).integers(0, 255, (6, 6, 3)).astype(np.uint8))
        blocks.resize((96, 96)).save(folder / f"{number}.png")
    return folder


def home_with(home: Path, pictures: Path, count: int) -> Settings:
    settings = load_settings({"VITRINA_HOME": str(home)})
    records = "".join(
        f'<offer id="{n}"><url>https://a.example/{n}</url><price>{n + 1}</price><name>Shoe {n}</name>'
        f"<picture>{n}.png</picture></offer>"
        for n in range(count)
    )
    feed = f"<yml_catalog><shop><offers>{records}</offers></shop></yml_catalog>".encode()
    order = Order("best", "feed-1", currency="EUR", allow_files=True)
    import_feed(settings.lens, order, [Part("feed.xml", lambda: BytesIO(feed), folder=pictures)])
    return settings


def run(settings: Settings, *, kill_after_s: float | None = None, cluster: str = "") -> float:
    """Seconds that the sync took, or was let live."""
    command = [sys.executable, str(SYNCER), str(settings.home), *([cluster] if cluster else [])]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "begins\n"
    began = time.monotonic()
    if kill_after_s is None:
        process.communicate()
        assert process.returncode == 0
    else:
        time.sleep(kill_after_s)
        process.kill()
        process.communicate()
    return time.monotonic() - began


def owners(settings: Settings) -> list[psutil.Process]:
    """Processes that have the index of this home."""
    found = []
    for one in psutil.process_iter():
        try:
            if "index" in one.cmdline() and one.environ().get("VITRINA_HOME") == str(settings.home):
                found.append(one)
        except (psutil.AccessDenied, psutil.NoSuchProcess):
            continue
    return found


def end_owners(settings: Settings, number: int = signal.SIGTERM) -> None:
    for one in owners(settings):
        with suppress(psutil.NoSuchProcess):  # it ended by itself
            one.send_signal(number)
            one.wait(PATIENCE_S)


def told(settings: Settings) -> tuple[object, ...]:
    """All that a sync brings about: states, vectors, entries and where a search ends."""
    with closing(store.open_catalog(settings.lens / "catalog.db")) as catalog:
        states = list(map(tuple, catalog.execute("SELECT url, state, sha256 FROM pictures ORDER BY url")))
        noted = list(map(tuple, catalog.execute("SELECT * FROM index_state ORDER BY model, entry_id")))
    vectors = VectorStore(settings.lens / "vectors").read("image-lite0", [sha for *_, sha in states])
    index = ZvecIndex(settings.lens / "index" / "image-lite0")
    nearest = [index.search(vectors[sha][:1], 1)[0][0].entry_id for *_, sha in states]
    count = index.count()
    index.close()
    return states, noted, {sha: one.tobytes() for sha, one in vectors.items()}, nearest, count


@pytest.mark.slow
def test_a_sync_killed_at_random_moments_and_run_again_gives_the_same(tmp_path: Path, drawn: Path) -> None:
    whole = home_with(tmp_path / "whole", drawn, PICTURES)
    took_s = run(whole)
    end_owners(whole)
    expected = told(whole)
    dice = random.Random(20)

    for number in range(KILLS):
        settings = home_with(tmp_path / f"kill-{number}", drawn, PICTURES)
        run(settings, kill_after_s=dice.uniform(0, took_s))
        if number % 3 == 0:
            end_owners(settings, signal.SIGKILL)
        run(settings)
        end_owners(settings)
        assert told(settings) == expected
        shutil.rmtree(settings.home)


@pytest.fixture
def scheduler(tmp_path: Path) -> Iterator[str]:
    """A Dask cluster of two workers, as in tests/work."""
    pytest.importorskip("distributed", reason='Dask is not installed: pip install "vitrina[cluster]"')
    process = subprocess.Popen([sys.executable, str(HERE.parent / "work" / "dask_cluster.py"), str(tmp_path)])
    address, deadline = tmp_path / "address", time.monotonic() + PATIENCE_S
    while not address.exists():
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.1)
    yield address.read_text()
    process.terminate()
    process.wait(PATIENCE_S)


@pytest.mark.slow
def test_a_worker_of_a_cluster_that_is_killed_costs_no_picture(tmp_path: Path, drawn: Path, scheduler: str) -> None:
    from distributed import Client

    alone = home_with(tmp_path / "alone", drawn, 3 * PICTURES)
    run(alone)
    spread = home_with(tmp_path / "spread", drawn, 3 * PICTURES)
    command = [sys.executable, str(SYNCER), str(spread.home), scheduler]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    with Client(scheduler, timeout=PATIENCE_S) as client:
        workers = {one["pid"] for one in client.run(lambda: {"pid": os.getpid()}).values()}
        deadline = time.monotonic() + PATIENCE_S
        while not any(client.processing().values()):
            assert time.monotonic() < deadline
            time.sleep(0.02)
        time.sleep(0.5)
        os.kill(min(workers), signal.SIGKILL)
    process.communicate()

    assert process.returncode == 0
    for settings in (alone, spread):
        end_owners(settings)
    assert told(spread) == told(alone)
