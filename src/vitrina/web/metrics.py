"""What `/metrics` says: the state of every process, asked for when Prometheus asks. Never about a person.

Each part is looked at by itself: a lake that does not answer leaves the cameras' numbers where they are.
"""

from __future__ import annotations

import logging
import math
import os
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from vitrina import __version__
from vitrina.chat import channel, outbox
from vitrina.errors import VitrinaError
from vitrina.floor.camera.health import PROBLEMS
from vitrina.floor.worker.client import all_health
from vitrina.outlet import broker, delivery, export
from vitrina.storage.spool import BACKLOGS, DAMAGED, REFUSED, files_aside
from vitrina.web.live import Place
from vitrina.web.site import Site
from vitrina.work import jobs

logger = logging.getLogger(__name__)

CAMERA_GAUGES: Mapping[str, tuple[str, str]] = {
    "vitrina_camera_fps": ("fps_got", "Frames a second that come now."),
    "vitrina_camera_fps_wanted": ("fps_wanted", "Frames a second that are to be looked at."),
    "vitrina_camera_lag_seconds": ("lag_s", "The wall clock less the newest frame's time."),
    "vitrina_camera_looked_ratio": ("looked_share", "Part of the picture that the detector looks at, lately."),
}
CAMERA_COUNTERS: Mapping[str, tuple[str, str]] = {
    "vitrina_camera_frames": ("frames", "Frames that came."),
    "vitrina_camera_frames_dropped": ("dropped", "Frames that came late or out of order and were left out."),
    "vitrina_camera_frames_missed": ("missed", "Frames that were not looked at: newer ones were waiting already."),
    "vitrina_camera_frames_damaged": ("damaged", "Frames that could not be decoded."),
    "vitrina_camera_reconnects": ("reconnects", "How often the source was opened again."),
    "vitrina_camera_clock_jumps": ("clock_jumps", "How often the source's clock was found wrong and set anew."),
}
Labels = tuple[str, ...]


class Found:
    """A registry for one answer: what was looked up before it is rendered."""

    def __init__(self, metrics: Iterable[Metric]) -> None:
        self._metrics = list(metrics)

    def collect(self) -> Iterator[Metric]:
        yield from self._metrics


def render_metrics(
    site: Site, live: Iterable[Place], ages_s: Mapping[Place, float], *, database: bool, lake: bool, overdue_s: float
) -> bytes:
    """The text that Prometheus reads. live: cameras that should deliver. ages_s: since each camera's newest minute."""
    registry = CollectorRegistry()
    now = site.figures.now()
    parts: list[Callable[[], Iterable[Metric]]] = [
        lambda: _whole(database=database, lake=lake, overdue_s=overdue_s),
        lambda: _expected(live, ages_s),
        lambda: _cameras(all_health(site.settings.home)),
        lambda: _database(site, now),
        lambda: _lake(site, now),
        lambda: _backlog(site.settings.home),
    ]
    for part in parts:
        try:
            registry.register(Found(part()))
        except VitrinaError as error:
            logger.warning("metrics: %s", error)
    return generate_latest(registry) + generate_latest(site.times.registry)


def _whole(*, database: bool, lake: bool, overdue_s: float) -> Iterator[Metric]:
    yield _gauge("vitrina_build_info", "The version that runs.", ("version",), {(__version__,): 1.0})
    yield _gauge("vitrina_database_up", "1 when the database answers.", (), {(): float(database)})
    yield _gauge("vitrina_lake_up", "1 when the lake answers.", (), {(): float(lake)})
    yield _gauge(
        "vitrina_job_overdue_seconds", "How long the job that is overdue longest has been so.", (), {(): overdue_s}
    )


def _expected(live: Iterable[Place], ages_s: Mapping[Place, float]) -> Iterator[Metric]:
    names = ("shop", "camera")
    yield _gauge(
        "vitrina_camera_live", "1 for each camera that should deliver all the time.", names, dict.fromkeys(live, 1.0)
    )
    yield _gauge("vitrina_camera_age_seconds", "Since the newest minute.", names, ages_s)


def _cameras(healths: list[dict[str, Any]]) -> Iterator[Metric]:
    places = {(one["shop"], one["camera"]): one for one in healths}
    names = ("shop", "camera")
    running = {place: float(one["state"] == "running") for place, one in places.items()}
    yield _gauge("vitrina_camera_up", "1 while pictures come; a camera without a worker is missing.", names, running)
    for name, (key, text) in CAMERA_GAUGES.items():
        yield _gauge(name, text, names, {place: float(one.get(key, 0.0)) for place, one in places.items()})
    for name, (key, text) in CAMERA_COUNTERS.items():
        yield _counter(name, text, names, {place: float(one.get(key, 0.0)) for place, one in places.items()})
    cost_s = {place: float(one.get("cost_ms", 0.0)) / 1000 for place, one in places.items()}
    yield _gauge("vitrina_camera_look_seconds", "What looking at one frame costs, lately.", names, cost_s)
    problems = {
        (*place, problem): float(problem in one["problems"]) for place, one in places.items() for problem in PROBLEMS
    }
    yield _gauge("vitrina_camera_problem", "1 while the picture has this problem.", (*names, "problem"), problems)
    yield from _people(places)


def _people(places: Mapping[Place, Mapping[str, Any]]) -> Iterator[Metric]:
    """Counts of now, as the cameras that give pictures see them; somebody whom two cameras see counts twice."""
    seen = {place: one for place, one in places.items() if one["state"] == "running"}
    cameras = {place: float(one.get("people", 0)) for place, one in seen.items()}
    shops: defaultdict[Labels, float] = defaultdict(float)
    zones: defaultdict[Labels, float] = defaultdict(float)
    for (shop, _), one in seen.items():
        shops[shop,] += one.get("people", 0)
        for zone, people in one.get("inside", {}).items():
            zones[shop, zone] += people
    yield _gauge("vitrina_camera_people", "People that the camera sees now.", ("shop", "camera"), cameras)
    yield _gauge("vitrina_shop_people", "People that the shop's cameras see now, added up.", ("shop",), shops)
    yield _gauge("vitrina_zone_people", "People in the zone now.", ("shop", "zone"), zones)


def _database(site: Site, now: datetime) -> Iterator[Metric]:
    with site.database.reading() as session:
        waiting, oldest = jobs.counts(session), jobs.oldest_waiting(session)
        fates, there = delivery.by_fate(session), broker.find_broker(session)
        last, failing = export.last_done(session), export.failing(session)
        failed = {(row.name,): float(len(failing.get(row.name, []))) for row in export.list_exports(session)}
        chats, letters = channel.list_channels(session), outbox.counts(session)
    yield _gauge("vitrina_jobs", "Jobs in the queue, by name and state.", ("name", "state"), waiting)
    ages = {(name,): max(0.0, (now - t).total_seconds()) for name, t in oldest.items()}
    yield _gauge("vitrina_job_waiting_seconds", "Since the oldest waiting job was due.", ("name",), ages)
    told = {(fate,): float(count) for fate, count in fates.items()}
    yield _gauge(
        "vitrina_webhook_deliveries", "Messages of the last 30 days, by what became of them.", ("state",), told
    )
    if there is not None:
        yield _gauge("vitrina_mqtt_connected", "1 while the broker is connected.", (), {(): float(there.connected)})
    if chats:
        by_state = {(name, state): float(n) for name, states in letters.items() for state, n in states.items()}
        text = "Messages of the last 30 days, by channel and what became of them."
        yield _gauge("vitrina_chat_messages", text, ("channel", "state"), by_state)
        works = {(row.name,): float(bool(row.connected) and not row.reading) for row in chats}
        yield _gauge(
            "vitrina_chat_works", "1 while messages go through and nothing hinders reading.", ("channel",), works
        )
    done = {(name,): t.timestamp() for name, t in last.items()}
    text = "When the export wrote a day last."
    yield _gauge("vitrina_export_last_success_timestamp_seconds", text, ("export",), done)
    text = "Days that the export could not write; each run tries them again."
    yield _gauge("vitrina_export_failed", text, ("export",), failed)


def _lake(site: Site, now: datetime) -> Iterator[Metric]:
    files, ages = {}, {}
    for table in site.lake.tables:
        files[table,] = float(len(site.lake.files(table)))
        ages[table,] = now.timestamp() - _newest(site.settings.lake / table / "_delta_log")
    yield _gauge("vitrina_lake_files", "Files that hold the table now.", ("table",), files)
    known = {labels: max(0.0, age_s) for labels, age_s in ages.items() if math.isfinite(age_s)}
    yield _gauge("vitrina_lake_commit_age_seconds", "Since the table was changed last.", ("table",), known)


def _backlog(home: Path) -> Iterator[Metric]:
    """What is safe on this machine's disk and not in the lake yet."""
    sizes = {(name,): float(_size(home / name)) for name in BACKLOGS}
    yield _gauge("vitrina_backlog_bytes", "Bytes on disk that wait for the lake.", ("place",), sizes)
    aside = {(name,): float(len(files_aside(home / name))) for name in BACKLOGS}
    text = "Files of rows that the lake refused, or that were damaged."
    yield _gauge("vitrina_rows_aside_files", text, ("place",), aside)


def _newest(folder: Path) -> float:
    with suppress(OSError):
        return max((path.stat().st_mtime for path in folder.glob("*.json")), default=-math.inf)
    return -math.inf


def _size(folder: Path) -> int:
    """Files and whole folders may be committed and gone meanwhile: what is not there has no size.

    What was set aside waits for nothing, and is left out.
    """
    total = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            if name.endswith((DAMAGED, REFUSED)):
                continue
            with suppress(OSError):
                total += Path(parent, name).stat().st_size
    return total


def _gauge(name: str, text: str, labels: Labels, values: Mapping[Any, float]) -> Metric:
    family = GaugeMetricFamily(name, text, labels=labels)
    for key, value in sorted(values.items()):
        family.add_metric(list(key), value)
    return family


def _counter(name: str, text: str, labels: Labels, values: Mapping[Any, float]) -> Metric:
    family = CounterMetricFamily(name, text, labels=labels)
    for key, value in sorted(values.items()):
        family.add_metric(list(key), value)
    return family
