"""A home left running: hours of stream time, days that pass, cameras that drop; does anything grow?

A whole `vitrina up` watches shops whose scenes play `speed` times as fast, with the upkeep of the lake in each of their
hours. Memory is what each process has for itself (USS). Its growth is Theil and Sen's slope (the median of all pairs'
slopes: Sen 1968) over what follows the warm-up, times its length, as a share of the median. Faster than the processor
can look, frames are missed, as on a box with too many cameras: their share stands in the table.
"""

from __future__ import annotations

import contextlib
import tempfile
import time
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import psutil
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from scipy.stats import theilslopes

from benchmarks.kills import Home
from benchmarks.scene import scene, write_shop
from benchmarks.table import BarRow, Report
from vitrina.floor.worker.client import all_health

HOURS, SPEED, SHOPS, SEED = 48.0, 10.0, 2, 40
SCENE_S = 1800.0
DROPS_S = 1500.0
"""So often, in the scene's seconds, each camera drops."""
SAMPLES = 240
WARM_UP = 0.5
"""Of the time: a day of 48 h with its night, in which caches fill, pools grow and each kind of job is done once."""
FLAT = 0.05
ONE_MORE = {"MB": 0, "open files": 1, "threads": 1}
"""What is counted may besides grow by one, which of few is more than `FLAT`."""
UPKEEP = ("lake.compact", "lake.recover", "lake.retain")
KINDS = ("cameras", "web", "jobs", "connect", "up")
BARS = " ▁▂▃▄▅▆▇█"

Series = dict[str, list[tuple[float, float]]]


@dataclass
class Course:
    """What was measured: by its name, pairs of (seconds since the beginning, value)."""

    series: Series = field(default_factory=lambda: defaultdict(list))
    restarts: int = 0

    def after_warm_up(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        t, values = np.array(self.series[name]).T
        late = t >= t[0] + WARM_UP * (t[-1] - t[0])
        return t[late], values[late]

    def growth(self, name: str) -> float:
        """Over what follows the warm-up, as a share of the median."""
        t, values = self.after_warm_up(name)
        return float(theilslopes(values, t)[0] * (t[-1] - t[0]) / max(np.median(values), 1e-9))


def run(*, hours: float = HOURS, speed: float = SPEED) -> Report:
    """hours: of the scene's time."""
    course = soak(seconds=hours * 3600 / speed, speed=speed)
    rows: list[list[object]] = []
    for name in sorted(course.series):
        _, values = course.after_warm_up(name)
        rows.append([
            name, *(round(float(value), 1) for value in (values[0], np.median(values), values.max(), values[-1])),
            f"{course.growth(name):+.1%}", chart([value for _, value in course.series[name]]),
        ])  # fmt: skip
    title = (
        f"Left running for {hours:g} h of its scene's time at {speed:g}×, {SHOPS} cameras, a drop every {DROPS_S:g} s"
    )
    return Report(title, ["what", "warm", "median", "most", "last", "growth", "course"], rows, bars(course))


def bars(course: Course) -> list[BarRow]:
    found: list[BarRow] = []
    for kind in KINDS:
        for what, more in ONE_MORE.items():
            name = f"{kind}: {what}"
            growth, median = course.growth(name), float(np.median(course.after_warm_up(name)[1]))
            at_most = FLAT + more / max(median, 1e-9)
            found.append((f"{name}, growth", growth, f"≤ {FLAT:.0%}{' and one' if more else ''}", growth <= at_most))
    journal = max(value for _, value in course.series["files in the journal"])
    found.append(("files in the journal at most", journal, "≤ 60 a camera", journal <= 60 * SHOPS))
    found.append(("processes that ended by themselves", float(course.restarts), "0", course.restarts == 0))
    return found


def soak(*, seconds: float, speed: float) -> Course:
    """seconds: as they pass here."""
    with tempfile.TemporaryDirectory(prefix="vitrina-soak-") as name:
        folder, course = Path(name), Course()
        home = Home(folder, workers=1)
        moment = datetime.fromtimestamp(round(time.time()), UTC).isoformat()
        query = f"start={moment}&speed={speed:g}&drops={DROPS_S:g}"
        for n in range(SHOPS):
            home.call(
                "floor", "shop", "apply", str(write_shop(folder, f"shop-{n}", scene(SCENE_S, seed=SEED + n), query))
            )
        with home.running():
            _wait_for(home)
            try:
                _measure(home, course, seconds=seconds, speed=speed)
            except KeyboardInterrupt:
                Console(stderr=True).print("Ended early: this is what was measured until now.")
    return course


def _wait_for(home: Home) -> None:
    """Until every process is there and cameras are watched."""
    deadline = time.monotonic() + 600
    while time.monotonic() < deadline:
        kinds = {kind for kind, _ in home.processes()}
        if kinds >= set(KINDS) and list(home.path.glob("journal/*/*/*.json")):
            return
        time.sleep(0.5)
    raise RuntimeError(home.log.read_text())


def _measure(home: Home, course: Course, *, seconds: float, speed: float) -> None:
    began, hour_s, looked = time.monotonic(), 3600 / speed, _Looked(home, speed)
    first = {process.pid for _, process in home.processes()}
    every_s, hours = max(seconds / SAMPLES, 0.5), 0
    columns = (BarColumn(), TimeRemainingColumn(), TextColumn("{task.description}"))
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("", total=seconds)
        while (passed := time.monotonic() - began) < seconds:
            if passed >= hours * min(hour_s, seconds / 4):
                home.enqueue(UPKEEP[hours % len(UPKEEP)])
                hours += 1
            _sample(home, course, passed)
            course.series["due frames looked at, %"].append((passed, 100 * looked.share()))
            progress.update(task, completed=passed, description=_newest(course))
            time.sleep(every_s)
    course.restarts = len({process.pid for _, process in home.processes()} - first)


class _Looked:
    """Which share of the frames that were due since the last time was looked at: not missed."""

    def __init__(self, home: Home, speed: float) -> None:
        self._home, self._speed = home, speed
        self._missed, self._at = self._count()[0], time.monotonic()

    def share(self) -> float:
        (missed, fps), at = self._count(), time.monotonic()
        due = fps * self._speed * (at - self._at)
        found = 1 - min(1.0, max(0.0, missed - self._missed) / due) if due else 1.0
        self._missed, self._at = missed, at
        return found

    def _count(self) -> tuple[float, float]:
        """Frames missed by all cameras since the worker began, and due in a second of the scenes."""
        told = all_health(self._home.path)
        return sum(one["missed"] for one in told), sum(one["fps_wanted"] for one in told)


def _sample(home: Home, course: Course, passed: float) -> None:
    for kind, process in home.processes():
        with contextlib.suppress(psutil.Error):
            course.series[f"{kind}: MB"].append((passed, process.memory_full_info().uss / 2**20))
            course.series[f"{kind}: open files"].append((passed, process.num_fds()))
            course.series[f"{kind}: threads"].append((passed, process.num_threads()))
    course.series["files in the journal"].append((passed, len(list(home.path.glob("journal/*/*/*")))))
    course.series["files in the lake"].append((passed, len(list(home.path.glob("lake/**/*.parquet")))))
    course.series["files in the lake's logs"].append((passed, len(list(home.path.glob("lake/*/_delta_log/*")))))


def _newest(course: Course) -> str:
    return ", ".join(f"{kind} {course.series[f'{kind}: MB'][-1][1]:.0f} MB" for kind in KINDS)


def chart(values: list[float], *, width: int = 40) -> str:
    """A line of text, from 0 to the largest value."""
    parts = np.array_split(np.array(values), min(width, len(values)))
    top = max(values) or 1.0
    return "".join(BARS[round(float(part.mean()) / top * (len(BARS) - 1))] for part in parts)
