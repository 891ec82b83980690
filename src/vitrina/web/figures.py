"""Figures of shops' days, computed once for what the lake holds, by threads that keep their connection warm.

A figure is computed again only when the files behind it have changed: the key holds their names, so an old day
stays, and a running camera renews nothing but its own shop's today.
"""

from __future__ import annotations

import hashlib
import re
import threading
from collections import OrderedDict, deque
from collections.abc import Callable, Hashable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from typing import Any, TypeVar, cast

from vitrina.floor.layout import Shop
from vitrina.floor.measures.day import day_figures, same_week_days
from vitrina.floor.measures.figures import DayFigures
from vitrina.floor.measures.queries import Marks, footfall
from vitrina.floor.store import FLOOR_TABLES, POSITIONS
from vitrina.product import ShopClock
from vitrina.storage.lake import Lake
from vitrina.storage.table import PARTITION_MARK

Answer = TypeVar("Answer")
Now = Callable[[], datetime]

SHOWN = tuple(name for name in FLOOR_TABLES if name != POSITIONS.name)
"""The tables that a day's figures are made of."""

RECENT_DAYS = 14
KEPT = 2000
IN_A_SERIES = 2
THREADS = 2
STEP_S = 10
"""A day that is not over is computed at most so often."""
GLANCE_S = 60
"""The list of shops shows a day that is not over as it was at most so long ago."""

_DAY = re.compile(rf"{PARTITION_MARK}business_day=(\d{{4}}-\d\d-\d\d)")


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
        self._found: OrderedDict[Hashable, Any] = OrderedDict()
        self._series: dict[Hashable, deque[Hashable]] = {}

    def today(self, shop: Shop) -> date:
        return ShopClock(shop.timezone, shop.day_starts).business_day(self._now())

    def day(self, shop: Shop, day: date) -> DayFigures:
        """One day, complete; the day that runs now up to a few seconds ago."""
        now = self._step(STEP_S) if day >= self.today(shop) else None
        files = self.fingerprint(shop, same_week_days(day)[-1], day)
        key = ("day", shop.slug, shop.layout.layout_id, day, now, files)
        return self.once(
            key,
            lambda: day_figures(self._lake, shop, day, k_anonymity=self._k_anonymity, now=now),
            series=("day", shop.slug, day),
        )

    def glance(self, shop: Shop, day: date) -> DayFigures:
        """One day for a list of many shops; the day that runs now as it was one or two minutes ago."""
        if day < self.today(shop):
            return self.day(shop, day)
        now = self._step(GLANCE_S)
        ready = self._ready(self._glance_key(shop, day, now - timedelta(seconds=GLANCE_S)))
        if ready is not None and self._ready(self._glance_key(shop, day, now)) is None:
            return ready
        return self._glance_at(shop, day, now)

    def _glance_at(self, shop: Shop, day: date, now: datetime) -> DayFigures:
        key = self._glance_key(shop, day, now)
        return self.once(
            key,
            lambda: day_figures(self._lake, shop, day, k_anonymity=self._k_anonymity, now=now),
            series=("glance", shop.slug),
        )

    def _glance_key(self, shop: Shop, day: date, now: datetime) -> Hashable:
        return ("glance", shop.slug, shop.layout.layout_id, day, now)

    def _ready(self, key: Hashable) -> DayFigures | None:
        with self._lock:
            future = self._kept.get(key)
        return cast(DayFigures, future.result()) if future and future.done() and not future.exception() else None

    def recent_footfall(self, shop: Shop, last: date) -> list[tuple[date, int | None]]:
        """Entries of each of the last two weeks' days, oldest first; None where nobody watched."""
        days = [last - timedelta(days=back) for back in range(RECENT_DAYS - 1, -1, -1)]
        entries = self._footfall(shop, days[0], last)
        watched = self._watched_days(shop)
        return [(day, entries.get(day, 0 if day in watched else None)) for day in days]

    def _footfall(self, shop: Shop, first: date, last: date) -> dict[date, int]:
        """Entries of each day from first to last that has any."""
        files = self.fingerprint(shop, first, last, "crossings")
        key = ("footfall", shop.slug, shop.layout.layout_id, first, last, files)
        series = ("footfall", shop.slug, first, last)
        return self.once(key, lambda: self._count_entries(shop, first, last), series=series)

    def last_day(self, shop: Shop) -> date | None:
        """The newest day on which the shop was watched or anybody was counted; None when there is none."""
        return max(self._watched_days(shop), default=None)

    def now(self) -> datetime:
        return self._now()

    def newest_minutes(self) -> dict[tuple[str, str], datetime]:
        """Shop and camera to the start of the newest minute that was watched in the last two days."""
        key = ("newest", self._lake.version("presence"), self._now().date())
        return self.once(key, self._newest_minutes, series="newest")

    def warm(self) -> None:
        """Let every thread open its connection and compile its first question, before anybody waits for it."""
        barrier = threading.Barrier(THREADS)

        def connect() -> None:
            barrier.wait(timeout=60)
            self._lake.expr("crossings").count().execute()

        for future in [self._threads.submit(connect) for _ in range(THREADS)]:
            future.result()

    def look_ahead(self, shops: Iterable[Shop]) -> None:
        """Compute what the list of these shops will show, so that nobody waits for it."""
        for shop in shops:
            newest, today = self.last_day(shop), self.today(shop)
            if newest is None:
                continue
            self.recent_footfall(shop, min(newest, today))
            if newest < today:
                self.day(shop, newest)
            else:
                self._glance_at(shop, today, self._step(GLANCE_S))

    def close(self) -> None:
        self._threads.shutdown(wait=True, cancel_futures=True)

    def _count_entries(self, shop: Shop, first: date, last: date) -> dict[date, int]:
        tables = {"crossings": self._lake.expr("crossings", shop_id=shop.slug, days=(first, last))}
        rows = footfall(tables, Marks.of(shop)).to_pyarrow().to_pylist()
        return {row["business_day"]: row["value"] for row in rows}

    def _watched_days(self, shop: Shop) -> frozenset[date]:
        """Days on which the shop was watched or anybody was counted."""
        return frozenset().union(*(self._days_of(shop, table) for table in ("crossings", "visits", "presence")))

    def _days_of(self, shop: Shop, table: str) -> frozenset[date]:
        """By the names of the partitions; no file is opened."""

        def find() -> frozenset[date]:
            names = (_DAY.search(file) for file in self._lake.files(table, shop_id=shop.slug))
            return frozenset(date.fromisoformat(name[1]) for name in names if name)

        return self._remember(("days", shop.slug, table, self._lake.version(table)), find)

    def _newest_minutes(self) -> dict[tuple[str, str], datetime]:
        today = self._now().date()
        presence = self._lake.expr("presence", days=(today - timedelta(days=1), today + timedelta(days=1)))
        rows = presence.group_by("shop_id", "camera_id").agg(t=presence.t.max()).to_pyarrow().to_pylist()
        return {(row["shop_id"], row["camera_id"]): row["t"] for row in rows}

    def fingerprint(self, shop: Shop, first: date, last: date, *tables: str) -> str:
        """A fingerprint of the files that hold these days."""
        tables = tables or SHOWN

        def digest_names() -> str:
            digest = hashlib.sha256()
            for table in tables:
                for file in self._lake.files(table, shop_id=shop.slug, days=(first, last)):
                    digest.update(file.encode())
            return digest.hexdigest()

        return self._remember(("files", shop.slug, first, last, *map(self._lake.version, tables)), digest_names)

    def _step(self, step_s: int) -> datetime:
        """Now, but the same for everybody who asks within a few seconds."""
        now = self._now()
        return now - timedelta(seconds=now.timestamp() % step_s)

    def _remember(self, key: Hashable, find: Callable[[], Answer]) -> Answer:
        """For what takes milliseconds: found by the caller itself, and by two at once twice."""
        with self._lock:
            if key in self._found:
                return cast(Answer, self._found[key])
        answer = find()
        with self._lock:
            self._found[key] = answer
            while len(self._found) > KEPT:
                self._found.popitem(last=False)
        return answer

    def soon(self, key: Hashable, compute: Callable[[], Answer], *, series: Hashable = None) -> Answer | None:
        """The answer when it is there; else it is begun, if nobody has, and None."""
        with self._lock:
            future = self._kept.get(key)
            if future is None:
                future = self._begin(key, compute, series)
        return self.once(key, compute, series=series) if future.done() else None

    def once(self, key: Hashable, compute: Callable[[], Answer], *, series: Hashable = None) -> Answer:
        """The answer, computed when nobody has yet.

        series: names what changes with time or with the files behind it; of its answers only the newest two are kept.
        """
        with self._lock:
            future = self._kept.get(key)
            if future is None:
                future = self._begin(key, compute, series)
            self._kept.move_to_end(key)
        try:
            return cast(Answer, future.result())
        except BaseException:
            with self._lock:
                self._kept.pop(key, None)  # an error is told, not kept
            raise

    def _begin(self, key: Hashable, compute: Callable[[], Any], series: Hashable) -> Future[Any]:
        future = self._kept[key] = self._threads.submit(compute)
        if series is not None:
            members = self._series.setdefault(series, deque())
            members.append(key)
            if len(members) > IN_A_SERIES:
                self._kept.pop(members.popleft(), None)
        while len(self._kept) > KEPT:
            self._kept.popitem(last=False)
        while len(self._series) > KEPT:
            self._series.pop(next(iter(self._series)))
        return future
