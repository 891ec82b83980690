"""Figures of shops' days, computed once for what the lake holds, by threads that keep their connection warm.

A figure is computed again only when the files behind it have changed: the key holds their names, so an old day
stays, and a running camera renews nothing but its own shop's today.
"""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from typing import Any, TypeVar, cast

from vitrina.floor.day import day_figures, same_week_days
from vitrina.floor.figures import DayFigures
from vitrina.floor.layout import Shop
from vitrina.floor.measures import Measure
from vitrina.floor.queries import Marks, footfall
from vitrina.floor.store import FLOOR_TABLES, POSITIONS
from vitrina.product import ShopClock
from vitrina.storage.lake import Lake
from vitrina.web.cards import Lineage, lineage

Answer = TypeVar("Answer")
Now = Callable[[], datetime]

SHOWN = tuple(name for name in FLOOR_TABLES if name != POSITIONS.name)
"""The tables that a day's figures are made of."""

KEPT = 1000
THREADS = 2
STEP_S = 10
"""A day that is not over is computed at most so often."""


def utc_now() -> datetime:
    return datetime.now(UTC)


class Figures:
    """Answers about shops' days. Safe to use from several threads: two that ask the same share one computation."""

    def __init__(self, lake: Lake, *, k_anonymity: int, now: Now = utc_now) -> None:
        self._lake = lake
        self._k_anonymity = k_anonymity
        self._now = now
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="figures")
        self._lock = threading.Lock()
        self._kept: OrderedDict[Hashable, Future[Any]] = OrderedDict()

    def today(self, shop: Shop) -> date:
        return ShopClock(shop.timezone, shop.day_starts).business_day(self._now())

    def day(self, shop: Shop, day: date) -> DayFigures:
        """One day, complete; the day that runs now up to this moment."""
        now = self._step() if day >= self.today(shop) else None
        key = ("day", shop.slug, shop.layout.layout_id, day, now, self._files(shop, same_week_days(day)[-1], day))
        return self._once(key, lambda: day_figures(self._lake, shop, day, k_anonymity=self._k_anonymity, now=now))

    def footfall(self, shop: Shop, first: date, last: date) -> dict[date, int]:
        """Entries of each day from first to last that has any."""
        key = ("footfall", shop.slug, shop.layout.layout_id, first, last, self._files(shop, first, last, "crossings"))
        return self._once(key, lambda: self._count_entries(shop, first, last))

    def last_day(self, shop: Shop) -> date | None:
        """The newest day that has any crossing or visit; None when the shop has none at all."""
        days = [day for table in ("crossings", "visits", "presence") if (day := self._last_day(shop, table))]
        return max(days, default=None)

    def lineage(self, card: Measure, shop: Shop) -> Lineage:
        """How the rows behind a measure are in one shop."""
        today = self.today(shop)
        key = ("lineage", card.name, shop.slug, today, *(self._lake.version(table) for table in card.tables))
        return self._once(key, lambda: lineage(self._lake, card, shop, today))

    def newest_minutes(self) -> dict[tuple[str, str], datetime]:
        """Shop and camera to the start of the newest minute that was watched in the last two days."""
        key = ("newest", self._lake.version("presence"))
        return self._once(key, self._newest_minutes)

    def _newest_minutes(self) -> dict[tuple[str, str], datetime]:
        today = self._now().date()
        presence = self._lake.expr("presence", days=(today - timedelta(days=1), today + timedelta(days=1)))
        rows = presence.group_by("shop_id", "camera_id").agg(t=presence.t.max()).to_pyarrow().to_pylist()
        return {(row["shop_id"], row["camera_id"]): row["t"] for row in rows}

    def warm(self) -> None:
        """Let every thread open its connection and compile its first question, before anybody waits for it."""
        barrier = threading.Barrier(THREADS)

        def connect() -> None:
            barrier.wait(timeout=60)
            self._lake.expr("crossings").count().execute()

        for future in [self._threads.submit(connect) for _ in range(THREADS)]:
            future.result()

    def close(self) -> None:
        self._threads.shutdown(wait=True, cancel_futures=True)

    def _count_entries(self, shop: Shop, first: date, last: date) -> dict[date, int]:
        tables = {"crossings": self._lake.expr("crossings", shop_id=shop.slug, days=(first, last))}
        rows = footfall(tables, Marks.of(shop)).to_pyarrow().to_pylist()
        return {row["business_day"]: row["value"] for row in rows}

    def _last_day(self, shop: Shop, table: str) -> date | None:
        key = ("last", shop.slug, table, self._lake.version(table))

        def ask() -> date | None:
            newest = self._lake.expr(table, shop_id=shop.slug).business_day.max()
            return cast("date | None", newest.to_pyarrow().as_py())

        return self._once(key, ask)

    def _files(self, shop: Shop, first: date, last: date, *tables: str) -> str:
        """A fingerprint of the files that hold these days."""
        digest = hashlib.sha256()
        for table in tables or SHOWN:
            for file in self._lake.files(table, shop_id=shop.slug, days=(first, last)):
                digest.update(file.encode())
        return digest.hexdigest()

    def _step(self) -> datetime:
        """Now, but the same for everybody who asks within a few seconds."""
        now = self._now()
        return now - timedelta(seconds=now.timestamp() % STEP_S)

    def _once(self, key: Hashable, compute: Callable[[], Answer]) -> Answer:
        with self._lock:
            future = self._kept.get(key)
            if future is None:
                future = self._kept[key] = self._threads.submit(compute)
            self._kept.move_to_end(key)
            while len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        try:
            return cast(Answer, future.result())
        except Exception:
            with self._lock:
                self._kept.pop(key, None)  # an error is told, not kept
            raise
