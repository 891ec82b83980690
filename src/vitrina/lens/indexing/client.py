"""The index, asked over its socket: the same methods, and a process of one's own where `vitrina up` does not run."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from vitrina import errors
from vitrina.errors import StorageError, VitrinaError
from vitrina.lens.index import EVERYTHING, Entry, Filter, Floats, Hit, Index, check_queries
from vitrina.lens.indexing.frame import SOCKET, as_rows, receive, send
from vitrina.settings import Settings
from vitrina.work.sockets import run_folder, short_path

PATIENCE_S, LONG_PATIENCE_S = 120.0, 6 * 3600.0
"""For most questions, and for settling or copying a whole index: 200,000 entries settle for some minutes."""
START_S, AGAIN_S = 60.0, 5.0
IDLE_S = 60
"""A process that we started ends when nobody has asked it for so long."""

AT_ONCE = 500

LOCAL = "zvec, vectors moved apart"
"""Says how the index process keeps an index. When that changes, the next sync makes those anew that are there."""


def index_of(settings: Settings, model: str) -> Index:
    """Wherever this installation has it: on the Qdrant of `lens_qdrant_url`, else with the process on this machine."""
    if not settings.lens_qdrant_url:
        return IndexClient(settings, model)
    from vitrina.lens.index_qdrant import QdrantIndex

    return QdrantIndex(settings.lens_qdrant_url, model, key=settings.lens_qdrant_key)


def address_of(settings: Settings) -> str:
    """Where this installation has its indexes, and how they are kept there."""
    return settings.lens_qdrant_url or LOCAL


class IndexClient:
    """One embedder's index, in whichever process has it. Safe for several threads."""

    def __init__(self, settings: Settings, model: str, *, start: bool = True) -> None:
        """start: whether a process may be started where none answers; start_s: how long one is waited for.

        patience_s: how long an answer is waited for, where it is not for work on the whole index.
        """
        self._settings, self._model, self._start = settings, model, start
        self.start_s, self.patience_s = START_S, PATIENCE_S

    def upsert(self, entries: Sequence[Entry]) -> None:
        for first in range(0, len(entries), AT_ONCE):
            rows, vectors = as_rows(list(entries[first : first + AT_ONCE]))
            self._ask({"what": "upsert", "entries": rows}, vectors)

    def delete(self, ids: Collection[str]) -> None:
        self._ask({"what": "delete", "ids": list(ids)})

    def delete_where(self, where: Filter) -> int:
        return int(self._ask({"what": "delete_where", "where": where.as_json()}))

    def search(self, vectors: Floats, k: int, where: Filter = EVERYTHING) -> list[list[Hit]]:
        asked = {"what": "search", "k": k, "where": where.as_json()}
        return [[Hit(name, score) for name, score in hits] for hits in self._ask(asked, check_queries(vectors))]

    def count(self, where: Filter = EVERYTHING) -> int:
        return int(self._ask({"what": "count", "where": where.as_json()}))

    def settle(self) -> None:
        self._ask({"what": "settle"}, patience_s=LONG_PATIENCE_S)

    def snapshot(self, folder: Path) -> None:
        self._ask({"what": "snapshot", "folder": str(folder.absolute())}, patience_s=LONG_PATIENCE_S)

    def destroy(self) -> None:
        self._ask({"what": "destroy"})

    def close(self) -> None:
        """Each question has a connection of its own."""

    def _ask(self, asked: dict[str, Any], vectors: Floats | None = None, *, patience_s: float | None = None) -> Any:
        asked = asked | {"model": self._model}
        try:
            try:
                said = self._exchange(asked, vectors, patience_s)
            except (FileNotFoundError, ConnectionError):  # it ended, or does not run yet; all may be asked twice
                self._start_process()
                said = self._exchange(asked, vectors, patience_s)
        except (OSError, ValueError) as error:
            raise StorageError(f"the index did not answer: {error}; try again") from error
        if "error" in said:
            kind = getattr(errors, said.get("kind", ""), VitrinaError)
            raise kind(said["error"])
        return said["answer"]

    def _exchange(
        self, asked: dict[str, Any], vectors: Floats | None = None, patience_s: float | None = None
    ) -> dict[str, Any]:
        folder = run_folder(self._settings.home)
        with short_path(folder) as short, socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as line:
            line.settimeout(patience_s or self.patience_s)
            line.connect(f"{short}/{SOCKET}")
            send(line, asked, np.zeros((0, 0), np.float32) if vectors is None else vectors)
            with line.makefile("rb") as stream:
                said, _ = receive(stream)
        return said

    def _start_process(self) -> None:
        """Wait for one that `vitrina up` starts again, or start one that ends by itself.

        One that finds the index owned leaves at once; when its owner was just about to end, another one is needed.
        """
        deadline, next_start = time.monotonic() + self.start_s, 0.0
        while time.monotonic() < deadline:
            if self._start and time.monotonic() >= next_start:
                self._spawn()
                next_start = time.monotonic() + AGAIN_S
            time.sleep(0.05)
            try:
                self._exchange({"what": "count", "where": EVERYTHING.as_json(), "model": self._model})
            except (OSError, ValueError):
                continue
            return
        raise StorageError(
            f"the index does not answer after {self.start_s:g} s; `vitrina up` runs it, and its log says what is wrong"
        )

    def _spawn(self) -> None:
        """Through a shell that ends at once: the process outlives us, and is nobody's child that would wait for it."""
        command = [sys.executable, "-m", "vitrina.cli.main", "up", "--only", "index", "--idle", str(IDLE_S)]
        home = f"VITRINA_HOME={self._settings.home}"
        behind = ["/bin/sh", "-c", '"$@" </dev/null >/dev/null 2>&1 &', "sh", "env", home, *command]
        subprocess.run(behind, check=True, start_new_session=True)  # noqa: S603 - our own command
