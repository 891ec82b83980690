"""Real processes: they are started, restarted, replaced and ended."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from vitrina.work.supervise import Supervisor


def script(text: str) -> list[str]:
    return [sys.executable, "-c", text]


@contextmanager
def running(supervisor: Supervisor) -> Iterator[None]:
    stop = threading.Event()
    thread = threading.Thread(target=supervisor.run, args=(stop,))
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(60)
        assert not thread.is_alive()


def eventually(condition: Callable[[], bool], *, within_s: float = 50.0) -> bool:
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.05)
    return False


def test_a_process_that_was_killed_is_started_again_and_the_others_go_on() -> None:
    sleep = script("import time; time.sleep(60)")
    supervisor = Supervisor(lambda: {"a": sleep, "b": sleep}, environ=os.environ)

    with running(supervisor):
        assert eventually(
            lambda: len(supervisor.children) == 2 and all(c.process for c in supervisor.children.values())
        )
        first, other = supervisor.children["a"].process, supervisor.children["b"].process
        assert first is not None
        assert other is not None
        os.kill(first.pid, signal.SIGKILL)
        assert eventually(lambda: supervisor.children["a"].restarts == 1)
        assert other.poll() is None

    assert other.poll() is not None


def test_a_process_that_dies_at_once_waits_longer_each_time() -> None:
    supervisor = Supervisor(lambda: {"broken": script("raise SystemExit(3)")}, environ=os.environ)

    with running(supervisor):
        assert eventually(lambda: bool(supervisor.children) and supervisor.children["broken"].pause_s >= 2.0)
        assert supervisor.children["broken"].restarts <= 2


def test_when_nobody_can_say_what_is_wanted_what_runs_goes_on() -> None:
    looks: list[int] = []

    def wanted() -> dict[str, list[str]]:
        looks.append(1)
        if len(looks) > 1:
            raise OSError("the database is away")
        return {"a": script("import time; time.sleep(60)"), "absent": ["/no/such/program"]}

    supervisor = Supervisor(wanted, environ=os.environ, look_every_s=0.2)

    with running(supervisor):
        assert eventually(lambda: len(looks) > 3)
        process = supervisor.children["a"].process
        assert process is not None
        assert process.poll() is None


def test_what_is_no_longer_wanted_ends_and_what_is_new_starts(tmp_path: Path) -> None:
    wanted = {"old": script("import time; time.sleep(60)")}
    supervisor = Supervisor(lambda: dict(wanted), environ=os.environ, look_every_s=0.2)

    with running(supervisor):
        assert eventually(lambda: "old" in supervisor.children and supervisor.children["old"].process is not None)
        old = supervisor.children["old"].process
        assert old is not None
        wanted.clear()
        mark = tmp_path / "started"
        wanted["new"] = script(f"import pathlib, time; pathlib.Path({str(mark)!r}).touch(); time.sleep(60)")
        assert eventually(mark.exists)
        assert old.poll() is not None


def test_a_process_that_ignores_sigterm_is_killed_when_its_time_is_up(tmp_path: Path) -> None:
    mark = tmp_path / "deaf"
    deaf = script(
        "import pathlib, signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
        f"pathlib.Path({str(mark)!r}).touch(); time.sleep(60)"
    )
    supervisor = Supervisor(lambda: {"deaf": deaf}, environ=os.environ, grace_s=0.5)

    with running(supervisor):
        assert eventually(mark.exists)
        process = supervisor.children["deaf"].process

    assert process is not None
    assert process.returncode == -signal.SIGKILL


def test_the_processes_leave_when_the_supervisor_was_killed(tmp_path: Path) -> None:
    mark = tmp_path / "pid"
    child = (
        "import os, pathlib, time; from vitrina.work.supervise import leave_with_parent; leave_with_parent(); "
        f"pathlib.Path({str(mark)!r}).write_text(str(os.getpid())); time.sleep(60)"
    )
    parent = subprocess.Popen(
        script(
            "import os, sys, threading; from vitrina.work.supervise import Supervisor; "
            f"Supervisor(lambda: {{'child': [sys.executable, '-c', {child!r}]}}, environ=os.environ)"
            ".run(threading.Event())"
        )
    )
    assert eventually(lambda: mark.exists() and bool(mark.read_text()))
    pid = int(mark.read_text())

    parent.kill()
    parent.wait()

    assert eventually(lambda: not is_running(pid))


def is_running(pid: int) -> bool:
    stat = Path(f"/proc/{pid}/stat")
    return stat.exists() and stat.read_text().rsplit(")", 1)[1].split()[0] != "Z"
