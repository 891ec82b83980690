"""So many a second, and no more."""

from __future__ import annotations

import threading
import time


class Pace:
    """Lets `a_second` through each second, and a second's worth at once after a rest. For several threads."""

    def __init__(self, a_second: float) -> None:
        self._every_s = 1 / a_second
        self._free_at = 0.0
        self._lock = threading.Lock()

    def wait(self) -> None:
        wait_s = self.turn_in_s(time.monotonic())
        if wait_s > 0:
            time.sleep(wait_s)

    def turn_in_s(self, now: float) -> float:
        """Takes the next place in the row: how long to wait for it, 0 or less for not at all."""
        with self._lock:
            self._free_at = max(self._free_at, now - 1.0) + self._every_s
            return self._free_at - now
