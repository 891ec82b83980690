"""Searching goes on during an import, a sync and the death of the index process, beside a real `vitrina up`."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest
from PIL import Image

from vitrina.lens.catalog import Catalog
from vitrina.settings import Settings, load_settings
from vitrina.storage.database import Database

pytestmark = pytest.mark.slow

FIRST, SECOND = 8, 150
LONG_S = 240.0
"""A machine that stalls is no mistake."""


def write_feed(folder: Path, name: str, numbers: range) -> Path:
    """A bag with a pattern of its own for each number."""
    lines = ["id\ttitle\tlink\timage_link\tprice\tavailability\tbrand"]
    for number in numbers:
        pattern = Image.fromarray(np.random.default_rng(number).integers(0, 255, (5, 5, 3), dtype=np.uint8))
        pattern.resize((320, 320), Image.Resampling.NEAREST).save(folder / f"{number}.png")
        link = f"https://north.example/{number}"
        lines.append(f"{number}\tBag {number}\t{link}\t{number}.png\t{20 + number}.00 EUR\tin stock\tFleet")
    feed = folder / f"{name}.tsv"
    feed.write_text("\n".join(lines) + "\n")
    return feed


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings({"VITRINA_HOME": str(tmp_path / "home")})


def start(settings: Settings, *words: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "vitrina.cli.main", *words]
    return subprocess.Popen(
        command, env=os.environ | {"VITRINA_HOME": str(settings.home)}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )


def run(settings: Settings, *words: str) -> None:
    process = start(settings, *words)
    said, _ = process.communicate()
    assert process.returncode == 0, said.decode()


@pytest.fixture
def up(settings: Settings, tmp_path: Path) -> Iterator[psutil.Process]:
    run(
        settings, "lens", "import", str(write_feed(tmp_path, "first", range(FIRST))), "--shop", "north", "--allow-files"
    )
    run(settings, "lens", "sync")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    log = (tmp_path / "log.txt").open("wb")
    environ = os.environ | {"VITRINA_HOME": str(settings.home)}
    command = [sys.executable, "-m", "vitrina.cli.main", "up", "--port", str(port)]
    with log:
        process = subprocess.Popen(command, env=environ, stdout=log, stderr=log)
    yield psutil.Process(process.pid)
    process.terminate()
    process.wait(LONG_S)


def owner(up: psutil.Process) -> psutil.Process:
    """The index process of `up`, once it has taken over from the one that the first sync started."""
    deadline = time.monotonic() + LONG_S
    while time.monotonic() < deadline:
        for one in up.children():
            if "index" in one.cmdline():
                return one
        time.sleep(0.2)
    raise AssertionError("no index process")


def test_a_photo_is_found_all_the_while(settings: Settings, up: psutil.Process, tmp_path: Path) -> None:
    photo = (tmp_path / "3.png").read_bytes()
    database = Database(settings.database)
    catalog, stop, found = Catalog(settings, database), threading.Event(), list[str]()

    def ask() -> None:
        while not stop.is_set():
            best = catalog.find(photo, limit=1)
            found.append((best.exact + best.similar)[0].name)

    asking = threading.Thread(target=ask)
    asking.start()
    try:
        second = write_feed(tmp_path, "second", range(FIRST + SECOND))
        run(settings, "lens", "import", str(second), "--shop", "north", "--allow-files")
        syncing = start(settings, "lens", "sync")
        time.sleep(1.0)
        owner(up).send_signal(signal.SIGKILL)
        said, _ = syncing.communicate()
        until = time.monotonic() + LONG_S
        while len(found) <= 10 and asking.is_alive() and time.monotonic() < until:
            time.sleep(0.1)
    finally:
        stop.set()
        asking.join()
        database.dispose()

    assert syncing.returncode == 0, said.decode()
    assert len(found) > 10
    assert set(found) == {"Bag 3"}
    assert f"{FIRST + SECOND} products" in " ".join(said.decode().split())
