"""The sockets of a worker, with real clients: well-behaved ones, slow ones, dead ones, too many."""

from __future__ import annotations

import socket
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from subprocess import PIPE
from typing import Any

import pytest

from vitrina.errors import CameraError
from vitrina.floor.worker.address import What, socket_name
from vitrina.floor.worker.client import all_health, ask
from vitrina.floor.worker.server import Server
from vitrina.work.sockets import run_folder, short_path

DOOR = ("riga-1", "door")
PICTURE = b"\xff\xd8" + bytes(300_000)


def reply(what: What) -> tuple[dict[str, Any], bytes | None]:
    said = {"shop": "riga-1", "camera": "door", "what": what}
    return said, PICTURE if what == "newest" else None


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Deeper than the 107 bytes that the address of a socket may have."""
    return tmp_path / ("deep-" * 20) / ("down-" * 20)


@pytest.fixture
def server(home: Path) -> Iterator[Server]:
    server = Server(home)
    yield server
    server.close()


def test_a_picture_comes_whole_and_with_what_is_said_about_it(home: Path, server: Server) -> None:
    server.open(DOOR, reply)

    said, jpeg = ask(home, *DOOR, "newest")

    assert said == {"shop": "riga-1", "camera": "door", "what": "newest"}
    assert jpeg == PICTURE
    assert ask(home, *DOOR, "people").jpeg is None


def test_only_this_user_may_ask(home: Path, server: Server) -> None:
    server.open(DOOR, reply)

    assert stat.S_IMODE(run_folder(home).stat().st_mode) == 0o700
    assert stat.S_IMODE((run_folder(home) / socket_name(*DOOR)).stat().st_mode) == 0o600


def test_where_nobody_watches_the_error_says_so(home: Path, server: Server) -> None:
    with pytest.raises(CameraError, match="riga-1/door: nobody is watching it now"):
        ask(home, *DOOR, "health")
    with pytest.raises(CameraError, match="nobody"):
        ask(home / "other", *DOOR, "health")
    assert all_health(home / "other") == []


def test_a_socket_that_a_killed_worker_left_is_passed_over_and_taken_over(home: Path, server: Server) -> None:
    run_folder(home).mkdir(parents=True)
    with short_path(run_folder(home)) as short, socket.socket(socket.AF_UNIX) as left:
        left.bind(f"{short}/{socket_name(*DOOR)}")
    assert all_health(home) == []

    server.open(DOOR, reply)

    assert [one["camera"] for one in all_health(home)] == ["door"]


def test_a_worker_that_lets_a_camera_go_leaves_the_socket_of_the_one_that_took_it_over(
    home: Path, server: Server
) -> None:
    other = Server(home)
    server.open(DOOR, reply)
    other.open(DOOR, reply)

    server.shut(DOOR)

    assert len(all_health(home)) == 1
    other.close()
    assert all_health(home) == []


def test_who_says_nothing_or_takes_nothing_holds_up_nobody(
    home: Path, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vitrina.floor.worker.server.PATIENCE_S", 600.0)
    server.open(DOOR, reply)
    silent = []
    with short_path(run_folder(home)) as short:
        for number in range(3):
            line = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            line.connect(f"{short}/{socket_name(*DOOR)}")
            if number:
                line.sendall(b"newest\n")  # and never read: the answer is larger than what a socket takes
            silent.append(line)

    try:
        assert ask(home, *DOOR, "newest").jpeg == PICTURE
    finally:
        for line in silent:
            line.close()


HANGS = """
import socket, sys
from pathlib import Path
from vitrina.floor.worker.address import socket_name
from vitrina.work.sockets import listen, run_folder
lines = [listen(run_folder(Path(sys.argv[1])) / socket_name("hung", str(one)), backlog=4)[0] for one in range(20)]
print("listens", flush=True)
sys.stdin.readline()
asked = 0
for line in lines:
    caller, _ = line.accept()
    asked += bool(caller.recv(100))
print(asked)
"""


def test_a_process_that_hangs_is_waited_for_once_however_many_cameras_it_has(home: Path, server: Server) -> None:
    server.open(DOOR, reply)
    with subprocess.Popen([sys.executable, "-c", HANGS, home], stdin=PIPE, stdout=PIPE, text=True) as hangs:
        assert hangs.stdout is not None
        assert hangs.stdout.readline() == "listens\n"

        healths = all_health(home)

        asked, _ = hangs.communicate("\n", timeout=60)
    assert [one["camera"] for one in healths] == ["door"]
    assert asked == "1\n"


def test_many_at_once_are_answered_or_turned_away_and_the_server_goes_on(home: Path, server: Server) -> None:
    server.open(DOOR, reply)
    answered: list[bool] = []

    def look() -> None:
        try:
            answered.append(ask(home, *DOOR, "newest").jpeg == PICTURE)
        except CameraError:
            answered.append(False)

    threads = [threading.Thread(target=look) for _ in range(60)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    assert sum(answered) >= 20
    assert ask(home, *DOOR, "health").said["what"] == "health"


def test_what_is_no_question_is_answered_with_what_is_one(home: Path, server: Server) -> None:
    server.open(DOOR, reply)
    with short_path(run_folder(home)) as short, socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as line:
        line.connect(f"{short}/{socket_name(*DOOR)}")
        line.sendall(b"x" * 500)
        assert b"expected one of health, people, newest" in line.recv(500)
