"""One process owns an index: who comes second, who is not needed any more, and what a kill between two calls costs."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
import pytest

from vitrina.errors import StorageError
from vitrina.lens.index import Entry, entry_id
from vitrina.lens.indexing.client import IndexClient
from vitrina.lens.indexing.frame import SOCKET, receive, send, short_path
from vitrina.lens.indexing.server import serve
from vitrina.settings import Settings, load_settings

DIM, KILLS = 8, 5
PATIENCE_S = 30.0


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    settings = load_settings({"VITRINA_HOME": str(tmp_path / "home")})
    settings.home.mkdir(parents=True)
    return settings


def entry(number: int) -> Entry:
    vector = np.random.default_rng(number).normal(size=DIM).astype(np.float32)
    name = entry_id(f"{number:064x}", 0, "best")
    return Entry(name, vector / np.linalg.norm(vector), "best", "Shoes", "Acme", number, "EUR", True)


@contextmanager
def owner(settings: Settings, *, idle_s: float = 0.0) -> Iterator[threading.Event]:
    """A thread that owns the index, or waits to; what it gives ends it."""
    stop = threading.Event()
    thread = threading.Thread(target=serve, args=(settings, stop), kwargs={"idle_s": idle_s})
    thread.start()
    yield stop
    stop.set()
    thread.join(PATIENCE_S)
    assert not thread.is_alive()


def wait_for(path: Path) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not path.exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_who_was_started_for_a_command_and_comes_second_leaves_the_first_alone(settings: Settings) -> None:
    client = IndexClient(settings, "lite", start=False)
    with owner(settings):
        wait_for(settings.home / "run" / SOCKET)
        client.upsert([entry(1)])

        serve(settings, threading.Event(), idle_s=60)  # returns, though nobody stops it

        client.upsert([entry(2)])
        assert client.count() == 2


def test_who_is_to_run_for_ever_and_comes_second_takes_over_when_the_first_ends(settings: Settings) -> None:
    client = IndexClient(settings, "lite", start=False)
    with owner(settings) as first_stops:
        wait_for(settings.home / "run" / SOCKET)
        client.upsert([entry(1)])
        with owner(settings):
            first_stops.set()

            assert client.count() == 1
            client.upsert([entry(2)])
            assert client.count() == 2


def test_who_was_started_for_a_command_ends_when_nobody_asks(settings: Settings) -> None:
    serve(settings, threading.Event(), idle_s=0.3)

    assert not (settings.home / "run" / SOCKET).exists()


def test_only_its_user_may_use_the_socket(settings: Settings) -> None:
    with owner(settings):
        wait_for(settings.home / "run" / SOCKET)

        assert (settings.home / "run" / SOCKET).stat().st_mode & 0o777 == 0o600
        assert (settings.home / "run").stat().st_mode & 0o777 == 0o700


def test_settling_and_copying_may_take_longer_than_other_questions(settings: Settings, tmp_path: Path) -> None:
    client = IndexClient(settings, "lite", start=False)
    client.patience_s = 0.05
    with slow_owner(settings, answers_after_s=0.3):
        client.settle()
        client.snapshot(tmp_path / "copy")
        with pytest.raises(StorageError, match="did not answer"):
            client.count()


@contextmanager
def slow_owner(settings: Settings, *, answers_after_s: float) -> Iterator[None]:
    """Answers three questions, each late."""
    folder = settings.home / "run"
    folder.mkdir()
    with short_path(folder) as short, socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as line:
        line.bind(f"{short}/{SOCKET}")
        line.listen()
        thread = threading.Thread(target=answer_late, args=(line, answers_after_s))
        thread.start()
        yield
        thread.join(PATIENCE_S)
        assert not thread.is_alive()


def answer_late(line: socket.socket, after_s: float) -> None:
    for _ in range(3):
        caller, _address = line.accept()
        with caller, caller.makefile("rb") as stream, suppress(BrokenPipeError):
            receive(stream)
            time.sleep(after_s)
            send(caller, {"answer": 0})


@pytest.mark.slow
def test_what_was_acknowledged_survives_every_kill_between_and_during_calls(settings: Settings) -> None:
    client, stop = IndexClient(settings, "lite", start=False), threading.Event()
    client.start_s = 120.0
    kills: list[int] = []
    keeper = threading.Thread(target=keep_killing, args=(settings, stop, kills))
    keeper.start()
    acknowledged: list[Entry] = []
    try:
        while len(kills) < KILLS and keeper.is_alive():
            some = [entry(len(acknowledged) + place) for place in range(7)]
            if put(client, some):
                acknowledged += some
        hits = client.search(np.stack([one.vector for one in acknowledged]), 1)
        count = client.count()
    finally:
        stop.set()
        keeper.join()

    assert len(kills) >= KILLS
    assert len(acknowledged) > 7 * KILLS
    assert [some[0].entry_id for some in hits] == [one.entry_id for one in acknowledged]
    assert len(acknowledged) <= count <= len(acknowledged) + 7


def put(client: IndexClient, entries: list[Entry]) -> bool:
    """Whether it was acknowledged: who is cut off amid an answer is told to try again."""
    try:
        client.upsert(entries)
    except StorageError:
        return False
    return True


def keep_killing(settings: Settings, stop: threading.Event, kills: list[int]) -> None:
    """Run an owner, let it live for a while, kill it; the one after `KILLS` may live until all was looked at."""
    command = [sys.executable, "-m", "vitrina.cli.main", "up", "--only", "index"]
    dice = np.random.default_rng(7)
    while not stop.is_set():
        process = subprocess.Popen(
            command, env=os.environ | {"VITRINA_HOME": str(settings.home)}, stdin=subprocess.PIPE
        )
        wait_for_answer(settings)
        if len(kills) == KILLS:
            stop.wait()
        stop.wait(float(dice.uniform(0.05, 0.5)))
        process.kill()
        process.communicate()
        kills.append(process.pid)


def wait_for_answer(settings: Settings) -> None:
    patient = IndexClient(settings, "lite", start=False)
    patient.start_s = 120.0
    patient.count()
