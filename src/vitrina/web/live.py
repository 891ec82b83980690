"""Which cameras should deliver pictures now, whether or not they ever did."""

from __future__ import annotations

import threading
import time

from vitrina.floor.setup.shops import live_cameras
from vitrina.storage.database import Database

Place = tuple[str, str]
"""Shop and camera."""


class LiveCameras:
    """Looked up at most every `keep_s`: everybody may ask `/health`, and reading all layouts takes a moment."""

    def __init__(self, database: Database, *, keep_s: float = 30.0) -> None:
        self._database, self._keep_s = database, keep_s
        self._lock = threading.Lock()
        self._found: frozenset[Place] = frozenset()
        self._until = float("-inf")

    def places(self) -> frozenset[Place]:
        with self._lock:
            if time.monotonic() >= self._until:
                self._found, self._until = _find(self._database), time.monotonic() + self._keep_s
            return self._found


def _find(database: Database) -> frozenset[Place]:
    with database.reading() as session:
        return frozenset(live_cameras(session))
