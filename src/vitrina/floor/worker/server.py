"""Answers for the cameras of one process, on a Unix socket for each. The analysis never waits for who asks."""

from __future__ import annotations

import json
import logging
import selectors
import socket
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

from vitrina.floor.worker.address import LONGEST_QUESTION, WHATS, What, socket_name
from vitrina.floor.worker.share import Place
from vitrina.work.sockets import listen, run_folder, take_away

logger = logging.getLogger(__name__)

Reply = Callable[[What], tuple[dict[str, Any], bytes | None]]

ANSWERING = 4
"""Threads that answer."""
WAITING = 32
"""Who comes while so many wait is turned away."""
PATIENCE_S = 1.0
"""So long one who asks may take to say what, and to take the answer."""
BACKLOG = 16


class Server:
    """A thread accepts, a few threads answer. The folder is 0700 and every socket 0600: only this user may ask."""

    def __init__(self, home: Path) -> None:
        self._folder = run_folder(home)
        self._selector = selectors.DefaultSelector()
        self._listening: dict[Place, tuple[socket.socket, int]] = {}
        self._waiting = threading.BoundedSemaphore(WAITING)
        self._pool = ThreadPoolExecutor(ANSWERING, thread_name_prefix="answer")
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._accept, name="sockets", daemon=True)
        self._thread.start()

    def open(self, place: Place, reply: Reply) -> None:
        """Answer for this camera from now on. A socket that a killed worker left is taken over."""
        line, own = listen(self._folder / socket_name(*place), backlog=BACKLOG)
        line.setblocking(False)
        self._listening[place] = line, own
        self._selector.register(line, selectors.EVENT_READ, reply)

    def shut(self, place: Place) -> None:
        """Answer no more. Where another worker has taken the camera over, its socket stays."""
        line, own = self._listening.pop(place)
        self._selector.unregister(line)
        line.close()
        take_away(self._folder / socket_name(*place), own)

    def close(self) -> None:
        for place in list(self._listening):
            self.shut(place)
        self._closed.set()
        self._thread.join()
        self._pool.shutdown(cancel_futures=True)
        self._selector.close()

    def _accept(self) -> None:
        while not self._closed.is_set():
            for key, _ in self._selector.select(0.2):
                with suppress(OSError):  # it went away again, or the camera was shut meanwhile
                    caller, _ = key.fileobj.accept()  # type: ignore[union-attr]
                    self._hand_over(caller, key.data)

    def _hand_over(self, caller: socket.socket, reply: Reply) -> None:
        if not self._waiting.acquire(blocking=False):
            caller.close()
            return
        self._pool.submit(self._answer, caller, reply)

    def _answer(self, caller: socket.socket, reply: Reply) -> None:
        try:
            with caller:
                caller.settimeout(PATIENCE_S)
                caller.sendall(_replied(_question(caller), reply))
        except OSError:
            logger.debug("who asked went away before the answer")
        except Exception:  # the edge of a worker loop
            logger.exception("a question could not be answered")
        finally:
            self._waiting.release()


def _question(caller: socket.socket) -> str:
    asked = b""
    while b"\n" not in asked and len(asked) < LONGEST_QUESTION:
        part = caller.recv(LONGEST_QUESTION)
        if not part:
            break
        asked += part
    return asked.partition(b"\n")[0].decode("ascii", "replace")


def _replied(what: str, reply: Reply) -> bytes:
    known: What | None = next((one for one in WHATS if one == what), None)
    if known is None:
        return json.dumps({"error": f"expected one of {', '.join(WHATS)}"}).encode() + b"\n"
    said, jpeg = reply(known)
    line = json.dumps(said | ({"jpeg_bytes": len(jpeg)} if jpeg else {}))
    return line.encode() + b"\n" + (jpeg or b"")
