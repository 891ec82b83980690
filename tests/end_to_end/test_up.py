"""`vitrina up` and `vitrina demo` as real process trees: they start, answer, heal and end."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest
from tests.floor.camera.test_camera import write_video

pytestmark = pytest.mark.slow

LONG_S = 300.0
"""A machine that stalls is no mistake."""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def get(url: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(url, timeout=60) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def eventually(condition: Callable[[], bool], *, within_s: float = LONG_S) -> bool:
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError):
            if condition():
                return True
        time.sleep(0.25)
    return False


@contextlib.contextmanager
def running(home: Path, *words: str) -> Iterator[tuple[psutil.Process, str, Path]]:
    """The command in a process of its own: its process, its address, its log."""
    port, log = free_port(), home / "log.txt"
    home.mkdir(parents=True, exist_ok=True)
    environ = os.environ | {"VITRINA_HOME": str(home / "home"), "VITRINA_LAKE_COMMIT_S": "1"}
    command = [sys.executable, "-m", "vitrina.cli.main", words[0], "--port", str(port), *words[1:]]
    with log.open("wb") as out:
        process = subprocess.Popen(command, env=environ, stdout=out, stderr=out, cwd=home)
    tree = psutil.Process(process.pid)
    try:
        yield tree, f"http://127.0.0.1:{port}", log
    finally:
        process.terminate()
        process.wait(LONG_S)
        assert process.returncode == 0, log.read_text()[-2000:]


def child(tree: psutil.Process, *words: str) -> psutil.Process | None:
    for one in tree.children():
        with contextlib.suppress(psutil.Error):  # it may end while we look
            if set(words) <= set(one.cmdline()):
                return one
    return None


def test_up_greets_the_first_administrator_heals_and_ends_with_its_children(tmp_path: Path) -> None:
    with running(tmp_path, "up") as (tree, url, log):
        assert eventually(lambda: get(f"{url}/health")[0] == 200), log.read_text()
        assert eventually(lambda: "/invitations/" in log.read_text())
        token = re.search(r"/invitations/(\S+)", log.read_text())
        assert token is not None
        assert get(f"{url}/invitations/{token[1]}")[0] == 200
        assert get(f"{url}/api/v1/shops")[0] == 401

        web = child(tree, "--only", "web")
        assert web is not None
        os.kill(web.pid, signal.SIGKILL)
        assert eventually(lambda: (again := child(tree, "--only", "web")) is not None and again.pid != web.pid)
        assert eventually(lambda: get(f"{url}/health")[0] == 200)
        family = tree.children(recursive=True)

    assert not [one for one in family if one.is_running() and one.status() != psutil.STATUS_ZOMBIE]


def test_a_second_start_prints_no_link_once_somebody_is_there(tmp_path: Path) -> None:
    from vitrina.storage import accounts
    from vitrina.storage.database import Database

    home = tmp_path / "home"
    home.mkdir()
    database = Database(f"sqlite:///{home / 'vitrina.db'}")
    database.migrate()
    with database.session() as session:
        accounts.create_person(
            session, email="ada@example.org", name="Ada", password="correct horse battery", by="test"
        )
    database.dispose()

    with running(tmp_path, "up") as (_, url, log):
        assert eventually(lambda: "Vitrina is at" in log.read_text()), log.read_text()
        assert get(f"{url}/health")[0] == 200
        assert "invitations" not in log.read_text()


def test_the_demo_plays_a_clip_through_the_pipeline_and_its_rows_reach_the_page(tmp_path: Path) -> None:
    clip = write_video(tmp_path / "clip.mp4", [k / 10 for k in range(30)], size_wh=(768, 576))

    with running(tmp_path, "demo", "--video", str(clip), "--no-browser") as (tree, url, log):
        assert eventually(lambda: get(f"{url}/health")[0] == 200, within_s=600), log.read_text()
        opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
        page = opener.open(f"{url}/demo", timeout=120).read().decode()
        assert "Berlin (simulated)" in page
        shops = json.loads(opener.open(f"{url}/api/v1/shops", timeout=120).read())
        assert any(shop["slug"] == "street" for shop in (shops if isinstance(shops, list) else shops["shops"]))
        assert eventually(lambda: child(tree, "--only", "cameras") is not None), log.read_text()
        lake = tmp_path / "home" / "demo" / "lake" / "presence"
        assert eventually(lambda: any("street" in str(path) for path in lake.rglob("*.parquet")), within_s=600)


def test_the_demo_does_not_listen_to_the_network(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "vitrina.cli.main", "up", "--is-demo", "--only", "web", "--host", "0.0.0.0"],
        env=os.environ | {"VITRINA_HOME": str(tmp_path)},
        stdin=subprocess.PIPE,
        capture_output=True,
        text=True,
        cwd=tmp_path,
        timeout=LONG_S,
    )

    assert done.returncode == 2
    assert "127.0.0.1" in done.stderr


def test_watching_a_file_from_the_command_line_counts_once(tmp_path: Path) -> None:
    blank = tmp_path / "empty.mp4"
    write_video(blank, [k / 10 for k in range(30)], size_wh=(768, 576))
    street = Path(__file__).parents[2] / "src" / "vitrina" / "floor" / "demo" / "street.toml"
    command = [sys.executable, "-m", "vitrina.cli.main", "floor", "watch", str(blank), "--shop", str(street), "--json"]

    answers = []
    for _ in range(2):
        done = subprocess.run(
            command,
            env=os.environ | {"VITRINA_HOME": str(tmp_path / "home")},
            capture_output=True,
            text=True,
            check=True,
        )
        answers.append(json.loads(done.stdout))

    assert answers[0] == answers[1]
    assert answers[0]["cameras"][0]["frames"] == 30
    assert np.isclose(answers[0]["cameras"][0]["fps"], 10, atol=0.1)
