"""Brakes for routes that are open to everybody: so many requests a minute from one address, counted in this process."""

from __future__ import annotations

import math
import threading
from collections import OrderedDict
from collections.abc import Callable

from vitrina.errors import LimitError

MOST_ADDRESSES = 20_000
"""Addresses that are remembered; the one that asked longest ago is forgotten first."""


class Brakes:
    """Token buckets, one for each name and address. Safe to use from several threads. clock: seconds, may jump back."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._buckets: OrderedDict[tuple[str, str], tuple[float, float]] = OrderedDict()
        self._lock = threading.Lock()

    def count(self, name: str, address: str, *, per_minute: float, at_once: int) -> None:
        """Note one request. Raises LimitError when there were too many. at_once: how many may come without a pause."""
        now = self._clock()
        with self._lock:
            left, then = self._buckets.pop((name, address), (float(at_once), now))
            left = min(float(at_once), left + max(0.0, now - then) * per_minute / 60)
            allowed = left >= 1
            self._buckets[name, address] = (left - 1 if allowed else left, now)
            if len(self._buckets) > MOST_ADDRESSES:
                self._buckets.popitem(last=False)
        if not allowed:
            raise LimitError(f"too many requests; try again in {math.ceil((1 - left) * 60 / per_minute)} s")
