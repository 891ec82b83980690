"""The process that owns the index: started by who needs it, asked by many, killed without losing what it took."""

from __future__ import annotations

import os
import signal
import socket
import struct
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from vitrina.errors import InputError, StorageError
from vitrina.lens.index import Entry, Filter, entry_id
from vitrina.lens.index_zvec import ZvecIndex
from vitrina.lens.indexing.client import IndexClient, index_of
from vitrina.lens.indexing.frame import SOCKET
from vitrina.lens.indexing.server import serve
from vitrina.settings import Settings, load_settings
from vitrina.work.sockets import short_path

DIM = 16
PATIENCE_S = 300.0


def entries(count: int, shop: str = "best", seed: int = 1) -> list[Entry]:
    vectors = np.random.default_rng(seed).normal(size=(count, DIM)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return [
        Entry(entry_id(f"{n:064x}", 0, shop), vector, shop, "Shoes", "Acme", n, "EUR", True)
        for n, vector in enumerate(vectors)
    ]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings({"VITRINA_HOME": str(tmp_path / "home")})


@pytest.fixture
def served(settings: Settings) -> Iterator[IndexClient]:
    """An index that a thread of ours has."""
    settings.home.mkdir(parents=True)
    stop = threading.Event()
    thread = threading.Thread(target=serve, args=(settings, stop))
    thread.start()
    while not (settings.home / "run" / SOCKET).exists():
        time.sleep(0.01)
    yield IndexClient(settings, "lite", start=False)
    stop.set()
    thread.join(PATIENCE_S)
    assert not thread.is_alive()


def test_it_answers_like_an_index_of_ones_own(served: IndexClient) -> None:
    there = entries(700)
    served.upsert(there)

    assert served.count() == 700
    found = served.search(np.stack([there[5].vector, there[9].vector]), 2)
    assert [hits[0].entry_id for hits in found] == [there[5].entry_id, there[9].entry_id]
    assert served.search(there[5].vector[None], 5, Filter(max_price_minor=3, currency="EUR"))[0][0].score < 1
    served.delete([there[5].entry_id])
    assert served.delete_where(Filter(shops=("best",))) == 699
    served.settle()
    assert served.count() == 0
    served.destroy()
    assert served.search(there[5].vector[None], 1) == [[]]


def test_a_copy_is_made_by_the_process_that_has_it(served: IndexClient, tmp_path: Path) -> None:
    served.upsert(entries(3))
    served.snapshot(tmp_path / "copy")

    copy = ZvecIndex(tmp_path / "copy")
    assert copy.count() == 3
    copy.close()


def test_a_setting_says_that_a_cluster_has_it(settings: Settings) -> None:
    assert isinstance(index_of(settings, "lite"), IndexClient)
    index = index_of(replace(settings, lens_qdrant_url=":memory:"), "lite")
    index.upsert(entries(3))

    assert index.count() == 3
    index.close()


def test_each_embedder_has_an_index_of_its_own(served: IndexClient, settings: Settings) -> None:
    served.upsert(entries(3))

    assert IndexClient(settings, "other", start=False).count() == 0


def test_many_may_ask_at_once(served: IndexClient) -> None:
    there = entries(300)
    served.upsert(there)

    def ask(number: int) -> str:
        return served.search(there[number].vector[None], 1)[0][0].entry_id

    with ThreadPoolExecutor(12) as pool:
        assert list(pool.map(ask, range(300))) == [one.entry_id for one in there]


def test_mistakes_are_told_as_they_would_be_without_a_process(served: IndexClient, settings: Settings) -> None:
    served.upsert(entries(2))

    with pytest.raises(InputError, match="numbers, got 3"):
        served.upsert([Entry(entry_id("f" * 64, 0, "best"), np.ones(3, np.float32), "best", "", "", 1, "EUR", True)])
    with pytest.raises(InputError, match="name of a model"):
        IndexClient(settings, "../lite", start=False).count()
    assert served.count() == 2


def test_where_none_answers_and_none_may_be_started_it_says_so(settings: Settings, tmp_path: Path) -> None:
    settings.home.mkdir(parents=True)
    assert not (settings.home / "run").exists()
    client = IndexClient(settings, "lite", start=False)
    client.start_s = 0.2

    with pytest.raises(StorageError, match="does not answer"):
        client.count()


def test_who_needs_an_index_starts_it_and_what_it_took_survives_a_kill(settings: Settings) -> None:
    settings.home.mkdir(parents=True)
    client = IndexClient(settings, "lite")
    client.start_s = PATIENCE_S
    client.upsert(entries(20))
    first = owner(settings)
    os.kill(first, signal.SIGKILL)
    wait_for_end(first)

    assert client.count() == 20
    second = owner(settings)
    os.kill(second, signal.SIGTERM)
    wait_for_end(second)
    assert second != first
    # It took its socket with it; on a slow machine one more was started, and may have come by now.
    assert not (settings.home / "run" / SOCKET).exists() or owner(settings) != second


def owner(settings: Settings) -> int:
    """The process that listens, not one that was started beside it and is about to leave."""
    with short_path(settings.home / "run") as short, socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as line:
        line.connect(f"{short}/{SOCKET}")
        peer = line.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    return int(struct.unpack("3i", peer)[0])


def wait_for_end(process: int) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        try:
            if os.waitpid(process, os.WNOHANG)[0]:
                return
        except ChildProcessError:
            if not Path(f"/proc/{process}").exists():
                return
        time.sleep(0.05)
    raise AssertionError("it did not end")
