"""The process that owns the index of every embedder: it alone may open zvec, and answers whoever may use its socket."""

from __future__ import annotations

import logging
import os
import re
import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np

from vitrina.errors import ConflictError, InputError, VitrinaError
from vitrina.lens.index import Filter, Floats, Index, index_folder
from vitrina.lens.index_zvec import ZvecIndex
from vitrina.lens.indexing.frame import SOCKET, as_entries, receive, send
from vitrina.settings import Settings
from vitrina.storage.spool import lock_alone
from vitrina.work.sockets import listen, run_folder, take_away

logger = logging.getLogger(__name__)

ANSWERING = 4
"""Threads that answer; a search holds one for some milliseconds."""
PATIENCE_S = 30.0
LEAVE_S = 3.0
"""What is being answered when we are told to end may take so long; settling a large index takes minutes."""
BACKLOG = 128
_MODEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}")


def serve(
    settings: Settings,
    stop: Event,
    *,
    idle_s: float = 0.0,
    leave_s: float = LEAVE_S,
    open_index: Callable[[Path], Index] = ZvecIndex,
) -> bool:
    """Answer until `stop` is set, or nobody has asked for `idle_s` (0: for ever).

    When another process owns the index it waits until that one has ended; one with `idle_s` leaves at once instead.
    False: `leave_s` after `stop` an index was still being settled or copied. It is still owned and open then, and the
    process should end at once: what was acknowledged is on disk, and the next sync settles what this one did not.
    """
    lock = _own(settings.lens, stop, patient=not idle_s)
    if lock is None:
        return True
    ended = True
    try:
        ended = Server(settings, open_index).run(stop, idle_s=idle_s, leave_s=leave_s)
    finally:
        if ended:
            os.close(lock)
    return ended


def _own(folder: Path, stop: Event, *, patient: bool) -> int | None:
    while not stop.is_set():
        with suppress(ConflictError):
            return lock_alone(folder / "index.lock", busy="another process owns the index")
        if not patient:
            return None
        stop.wait(0.5)
    return None


class Server:
    """A thread accepts, a few threads answer; the socket is 0600 in a folder that is 0700."""

    def __init__(self, settings: Settings, open_index: Callable[[Path], Index]) -> None:
        self._lens, self._open_index = settings.lens, open_index
        self._path = run_folder(settings.home) / SOCKET
        self._indexes: dict[str, Index] = {}
        self._opening = threading.Lock()
        self._busy = 0
        self._asked = time.monotonic()
        self._counting = threading.Condition()

    def run(self, stop: Event, *, idle_s: float, leave_s: float) -> bool:
        """Whether all questions were answered and the indexes are closed."""
        pool = ThreadPoolExecutor(ANSWERING, thread_name_prefix="index")
        line, own = listen(self._path, backlog=BACKLOG)
        line.settimeout(0.25)
        try:
            while not stop.is_set() and not self._is_idle(idle_s):
                with suppress(TimeoutError):
                    caller, _ = line.accept()
                    self._count(1)
                    pool.submit(self._answer, caller)
        finally:
            line.close()
            take_away(self._path, own)
            pool.shutdown(wait=False)
        with self._counting:
            if not self._counting.wait_for(lambda: not self._busy, leave_s):
                return False
        pool.shutdown()
        for index in self._indexes.values():
            index.close()
        return True

    def _is_idle(self, idle_s: float) -> bool:
        with self._counting:
            return bool(idle_s) and not self._busy and time.monotonic() - self._asked > idle_s

    def _count(self, step: int) -> None:
        with self._counting:
            self._busy, self._asked = self._busy + step, time.monotonic()
            self._counting.notify_all()

    def _answer(self, caller: socket.socket) -> None:
        try:
            with caller, caller.makefile("rb") as stream:
                caller.settimeout(PATIENCE_S)
                send(caller, self._said(*receive(stream)))
        except (OSError, ValueError) as error:
            logger.debug("who asked the index went away or cannot be understood: %s", error)
        except Exception:  # the edge of a worker loop
            logger.exception("a question to the index could not be answered")
        finally:
            self._count(-1)

    def _said(self, asked: dict[str, Any], vectors: Floats) -> dict[str, Any]:
        try:
            do = ANSWERS.get(asked.get("what", ""))
            if do is None:
                raise InputError(f"index: expected one of {', '.join(ANSWERS)}, got {asked.get('what')!r}")
            return {"answer": do(self._index(str(asked.get("model"))), asked, vectors)}
        except VitrinaError as error:
            return {"error": str(error), "kind": type(error).__name__}

    def _index(self, model: str) -> Index:
        if not _MODEL.fullmatch(model):
            raise InputError(f"index: expected the name of a model, got {model!r}")
        with self._opening:
            if model not in self._indexes:
                self._indexes[model] = self._open_index(index_folder(self._lens, model))
            return self._indexes[model]


def _search(index: Index, asked: dict[str, Any], vectors: Floats) -> object:
    found = index.search(vectors, int(asked["k"]), Filter.from_json(asked["where"]))
    return [[[hit.entry_id, round(hit.score, 6)] for hit in hits] for hits in found]


def _upsert(index: Index, asked: dict[str, Any], vectors: Floats) -> object:
    index.upsert(as_entries(asked["entries"], np.array(vectors)))
    return None


def _delete(index: Index, asked: dict[str, Any], _vectors: Floats) -> object:
    index.delete(asked["ids"])
    return None


def _snapshot(index: Index, asked: dict[str, Any], _vectors: Floats) -> object:
    index.snapshot(Path(asked["folder"]))
    return None


def _destroy(index: Index, _asked: dict[str, Any], _vectors: Floats) -> object:
    index.destroy()
    return None


def _settle(index: Index, _asked: dict[str, Any], _vectors: Floats) -> object:
    index.settle()
    return None


ANSWERS: dict[str, Callable[[Index, dict[str, Any], Floats], object]] = {
    "search": _search,
    "upsert": _upsert,
    "delete": _delete,
    "delete_where": lambda index, asked, _: index.delete_where(Filter.from_json(asked["where"])),
    "count": lambda index, asked, _: index.count(Filter.from_json(asked["where"])),
    "settle": _settle,
    "destroy": _destroy,
    "snapshot": _snapshot,
}
