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

from vitrina.errors import ConflictError, StorageError
from vitrina.lens.index import BruteIndex, Entry, entry_id
from vitrina.lens.index_zvec import ZvecIndex
from vitrina.lens.indexing.client import IndexClient
from vitrina.lens.indexing.frame import SOCKET, receive, send
from vitrina.lens.indexing.server import serve
from vitrina.settings import Settings, load_settings
from vitrina.storage.spool import lock_alone
from vitrina.work.sockets import short_path

DIM, KILLS = 8, 5
PATIENCE_S = 300.0


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
    with slow_owner(settings, answers_after_s=0.3) as gave_up:
        client.settle()
        client.snapshot(tmp_path / "copy")
        with pytest.raises(StorageError, match="did not answer"):
            client.count()
        gave_up.set()


@contextmanager
def slow_owner(settings: Settings, *, answers_after_s: float) -> Iterator[threading.Event]:
    """Answers two questions late, and a third one when nobody waits for it any more, as what this gives says."""
    folder = settings.home / "run"
    folder.mkdir()
    with short_path(folder) as short, socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as line:
        line.bind(f"{short}/{SOCKET}")
        line.listen()
        gave_up = threading.Event()
        thread = threading.Thread(target=answer_late, args=(line, answers_after_s, gave_up))
        thread.start()
        yield gave_up
        thread.join(PATIENCE_S)
        assert not thread.is_alive()


def answer_late(line: socket.socket, after_s: float, gave_up: threading.Event) -> None:
    for number in range(3):
        caller, _address = line.accept()
        with caller, caller.makefile("rb") as stream, suppress(BrokenPipeError):
            receive(stream)
            gave_up.wait(after_s if number < 2 else PATIENCE_S)
            send(caller, {"answer": 0})


class Endless(BruteIndex):
    """An index that is being settled until somebody says that it is."""

    def __init__(self) -> None:
        super().__init__()
        self.begun, self.may_end = threading.Event(), threading.Event()

    def settle(self) -> None:
        self.begun.set()
        self.may_end.wait()


def test_who_is_told_to_end_does_not_wait_until_an_index_is_settled(settings: Settings) -> None:
    index, stop, ended = Endless(), threading.Event(), list[bool]()
    client = IndexClient(settings, "lite", start=False)

    def own() -> None:
        ended.append(serve(settings, stop, leave_s=0.1, open_index=lambda _folder: index))

    owns, settles = threading.Thread(target=own), threading.Thread(target=client.settle)
    owns.start()
    wait_for(settings.home / "run" / SOCKET)
    settles.start()
    assert index.begun.wait(PATIENCE_S)

    stop.set()
    owns.join(PATIENCE_S)

    assert ended == [False]
    assert not (settings.home / "run" / SOCKET).exists()
    with pytest.raises(ConflictError):  # nobody may have it before the process has ended
        lock_alone(settings.lens / "index.lock", busy="")
    index.may_end.set()
    settles.join(PATIENCE_S)
    assert not settles.is_alive()


@pytest.mark.slow
def test_a_process_that_is_told_to_end_while_it_settles_loses_nothing(settings: Settings) -> None:
    there = [entry(number) for number in range(6000)]
    client = IndexClient(settings, "lite", start=False)
    process = start_owner(settings)
    wait_for_answer(settings)
    client.upsert(there)
    client.start_s = 0.1
    settles = threading.Thread(target=settle, args=(client,))
    settles.start()

    process.terminate()
    process.communicate()
    settles.join(PATIENCE_S)

    assert process.returncode == 0
    index = ZvecIndex(settings.lens / "index" / "lite")
    index.settle()
    hits = index.search(np.stack([one.vector for one in there[:200]]), 1)
    count = index.count()
    index.close()
    assert count == len(there)
    assert [some[0].entry_id for some in hits] == [one.entry_id for one in there[:200]]


def settle(client: IndexClient) -> None:
    with suppress(StorageError):  # who is cut off is told to try again
        client.settle()


@pytest.mark.slow
def test_what_was_acknowledged_survives_every_kill_between_and_during_calls(settings: Settings) -> None:
    client, stop = IndexClient(settings, "lite", start=False), threading.Event()
    client.start_s = PATIENCE_S
    kills: list[int] = []
    acknowledged: list[Entry] = []
    keeper = threading.Thread(target=keep_killing, args=(settings, stop, kills, acknowledged))
    keeper.start()
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


def keep_killing(settings: Settings, stop: threading.Event, kills: list[int], acknowledged: list[Entry]) -> None:
    """Run an owner, kill it a while after it took something; the one after `KILLS` may live until all was looked at."""
    dice = np.random.default_rng(7)
    while not stop.is_set():
        process = start_owner(settings)
        wait_for_answer(settings)
        before = len(acknowledged)
        while len(acknowledged) == before and not stop.wait(0.01):
            pass
        if len(kills) == KILLS:
            stop.wait()
        stop.wait(float(dice.uniform(0.05, 0.5)))
        process.kill()
        process.communicate()
        kills.append(process.pid)


def start_owner(settings: Settings) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "vitrina.cli.main", "up", "--only", "index"]
    return subprocess.Popen(command, env=os.environ | {"VITRINA_HOME": str(settings.home)}, stdin=subprocess.PIPE)


def wait_for_answer(settings: Settings) -> None:
    patient = IndexClient(settings, "lite", start=False)
    patient.start_s = PATIENCE_S
    patient.count()
