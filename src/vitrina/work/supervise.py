"""Keeps processes running: starts those that are wanted, restarts those that died, ends them all in time."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

logger = logging.getLogger(__name__)

FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 30.0
STEADY_S = 10.0
"""Who ran for so long before it died is started again at once; who dies sooner waits longer each time."""


@dataclass(slots=True)
class Child:
    """One process that should run. starts_at: monotonic seconds before which it is not started again."""

    name: str
    command: tuple[str, ...]
    process: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0
    starts_at: float = 0.0
    pause_s: float = 0.0
    restarts: int = field(default=-1)


class Supervisor:
    """Holds the running processes equal to what `wanted` names: name → command line.

    `wanted` is asked again every `look_every_s`, so that a camera added in the database gets its process.
    """

    def __init__(
        self,
        wanted: Callable[[], Mapping[str, Sequence[str]]],
        *,
        environ: Mapping[str, str],
        look_every_s: float = 5.0,
        grace_s: float = 8.0,
    ) -> None:
        self._wanted = wanted
        self._environ = dict(environ)
        self._look_every_s = look_every_s
        self._grace_s = grace_s
        self.children: dict[str, Child] = {}

    def run(self, stop: threading.Event) -> None:
        """Until `stop` is set; then every process gets SIGTERM, and SIGKILL after `grace_s`."""
        looked_at = -self._look_every_s
        try:
            while not stop.wait(0.1):
                if time.monotonic() - looked_at >= self._look_every_s:
                    looked_at = time.monotonic()
                    self._look()
                for child in self.children.values():
                    self._tend(child)
        finally:
            self._end(list(self.children.values()))

    def _look(self) -> None:
        """Ask what is wanted; when nobody can say, what runs goes on running."""
        try:
            self._take_wanted()
        except Exception:
            logger.exception("cannot tell which processes are wanted; what runs goes on")

    def _take_wanted(self) -> None:
        wanted = {name: tuple(command) for name, command in self._wanted().items()}
        gone = [child for name, child in self.children.items() if wanted.get(name) != child.command]
        self._end(gone)
        for child in gone:
            del self.children[child.name]
        for name, command in wanted.items():
            self.children.setdefault(name, Child(name, command))

    def _tend(self, child: Child) -> None:
        if child.process is not None and child.process.poll() is None:
            return
        now = time.monotonic()
        if child.process is not None:
            steady = now - child.started_at >= STEADY_S
            child.pause_s = 0.0 if steady else min(max(2 * child.pause_s, FIRST_PAUSE_S), LONGEST_PAUSE_S)
            child.starts_at = now + child.pause_s
            logger.warning(
                "%s ended with code %s, starting again in %.1f s", child.name, child.process.returncode, child.pause_s
            )
            if child.process.stdin is not None:
                child.process.stdin.close()
            child.process = None
        if now >= child.starts_at:
            # The pipe is never written to: its end tells the child that we are gone (`leave_with_parent`).
            try:
                child.process = subprocess.Popen(child.command, env=self._environ, stdin=subprocess.PIPE)  # noqa: S603
            except OSError as error:
                child.pause_s = min(max(2 * child.pause_s, FIRST_PAUSE_S), LONGEST_PAUSE_S)
                child.starts_at = now + child.pause_s
                logger.warning("%s cannot be started (%s), next try in %.1f s", child.name, error, child.pause_s)
                return
            child.started_at, child.restarts = now, child.restarts + 1

    def _end(self, children: list[Child]) -> None:
        running = [child.process for child in children if child.process is not None]
        for process in running:
            if process.poll() is None:
                process.terminate()
        deadline = time.monotonic() + self._grace_s
        for process in running:
            if process.stdin is not None:
                process.stdin.close()
            try:
                process.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                logger.warning("process %s did not end in %.0f s and is killed", process.pid, self._grace_s)
                process.kill()
                process.wait()


def leave_with_parent(*, after_s: float = 0.0) -> None:
    """Called in a supervised process: SIGTERM to itself when the supervisor is gone, however it went.

    after_s: it goes on for so long, so that a supervisor that is back soon finds no hole in what was watched.
    """

    def watch() -> None:
        while os.read(0, 4096):
            pass
        time.sleep(after_s)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, name="leave-with-parent", daemon=True).start()
