"""`kill -9` of our processes at random moments, against the same shops undisturbed: nothing lost, nothing twice.

A whole `vitrina up` with real processes watches scripted shops. Camera workers, the web, the job worker (kept busy with
upkeep of the lake), the process for connections and the supervisor itself are killed at seeded random moments of the
scene, one after all are back from the one before. A supervisor is started again by whoever keeps services running;
here, that is us.

How long a killed worker is away is up to the machine, and what comes and goes meanwhile nobody can know. So a scene
stands still while nobody watches it. What is told to be lost or twice is then ours: frames that a worker had taken and
not yet kept are gone with it, a second or two of its scene, and `skip_s` beyond for a worker that is killed alone.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any

import psutil

from benchmarks.scene import EMPTY_S, FPS, scene, write_shop
from benchmarks.table import BarRow, Report
from vitrina.floor.camera import open_camera
from vitrina.floor.camera.boxes import frames_played
from vitrina.floor.given import GivenBoxes
from vitrina.floor.layout import Shop
from vitrina.floor.pipeline import Pipeline
from vitrina.floor.record import Recorder
from vitrina.floor.setup.shopfile import parse
from vitrina.floor.store import FLOOR_TABLES
from vitrina.floor.tracking.mot import MotBoxes
from vitrina.floor.watch import CameraWatch, open_live, watch
from vitrina.settings import load_settings
from vitrina.storage.database import Database
from vitrina.storage.lake import Lake
from vitrina.work import jobs

KILLS, SHOPS, SECONDS, SEED = 100, 3, 1200.0, 20
KILL_EVERY_S = 3.0
"""Of a scene, about, between two kills; the rest is until all are back."""
FORKED_S = 0.2
"""What of the scene a forked worker plays beyond its life, about."""
FRESH_S = 2.5
"""A camera whose journal has an entry so young is being watched."""
WEIGHTS = {"cameras": 13, "jobs": 3, "web": 2, "connect": 1, "up": 1}
UPKEEP = ("lake.compact", "lake.retain", "lake.recover")
UPKEEP_EVERY_S = 4.0
COUNTED = ("crossings", "visits", "waits")

_SERVER = multiprocessing.get_context("forkserver")
_SERVER.set_forkserver_preload([__name__])

Span = tuple[float, float]
Facts = dict[str, list[dict[str, Any]]]


@dataclass
class Outcome:
    """What a disturbed run left. killed: how many of each kind. true, found: rows by shop and table."""

    killed: Counter[str] = field(default_factory=Counter)
    true: dict[str, Facts] = field(default_factory=dict)
    found: dict[str, Facts] = field(default_factory=dict)
    log: str = ""
    took_s: float = 0.0


def run() -> Report:
    alone = disturb_worker(kills=KILLS, seed=SEED)
    outcome = disturb(kills=KILLS, shops=SHOPS, seconds=SECONDS, seed=SEED)
    bars = [(f"a camera worker alone: {label}", value, bound, ok) for label, value, bound, ok in compare(alone)]
    bars += compare(outcome)
    gaps = [row["gap_s"] for facts in outcome.found.values() for row in facts["gaps"]]
    rows: list[list[object]] = [[label, *told] for label, told in tally(outcome).items()]
    rows.append(["seconds of the scene; that it took", SECONDS, round(outcome.took_s)])
    rows.append(["pauses of the scene over 2 s: how many, longest s", len(gaps), round(max(gaps, default=0.0), 1)])
    killed = ", ".join(f"{count} × {kind}" for kind, count in outcome.killed.most_common())
    return Report(f"kill -9: {killed}; {SHOPS} shops for {SECONDS:g} s", ["what", "undisturbed", "killed"], rows, bars)


def disturb(*, kills: int, shops: int, seconds: float, seed: int) -> Outcome:
    """A run of a scene of `seconds` with so many kills in it, if it is long enough for them."""
    with tempfile.TemporaryDirectory(prefix="vitrina-kills-") as name:
        folder, outcome = Path(name), Outcome()
        scenes = {f"shop-{n}": scene(seconds, seed=seed + n) for n in range(shops)}
        played = {slug: folder / f"{slug}.played" for slug in scenes}
        home = Home(folder, workers=shops)
        began = float(round(time.time()))
        for slug, boxes in scenes.items():
            moment = datetime.fromtimestamp(began, UTC).isoformat()
            query = f"start={moment}&waits={played[slug]}&frames={round(seconds * FPS)}"
            file = write_shop(folder, slug, boxes, query)
            home.call("floor", "shop", "apply", str(file))
            outcome.true[slug] = undisturbed(parse(file.read_text(), name=file.name).shop, boxes, began)
        with home.running():
            outcome.killed = _kill(home, played, kills=kills, until_s=seconds - EMPTY_S, chance=random.Random(seed))
            while min(map(frames_played, played.values())) < seconds * FPS - 2:
                time.sleep(0.1)
        home.call("lake", "compact")
        outcome.found = {slug: _rows(home.path / "lake", slug) for slug in scenes}
        outcome.log, outcome.took_s = home.log.read_text(), time.time() - began
    return outcome


def disturb_worker(*, kills: int, seed: int, life_s: Span = (0.0, 3.0), skip_s: Span = (0.0, 1.0)) -> Outcome:
    """One camera's worker, killed again and again, at a random moment after it has seen something.

    It is forked from a server that has imported all it needs and nothing more: the lake's runtime cannot be forked. The
    scene goes on by `skip_s` between two workers, however long this machine takes to start one: with what was not kept
    yet, a pause of at most two seconds.
    """
    chance = random.Random(seed)
    lives = [(chance.uniform(*life_s), chance.uniform(*skip_s)) for _ in range(kills)]
    seconds = sum(life + skip + FORKED_S for life, skip in lives) + EMPTY_S
    start = float(round(time.time()))
    with tempfile.TemporaryDirectory(prefix="vitrina-kills-") as name:
        folder, outcome, boxes = Path(name), Outcome(), scene(seconds, seed=seed)
        moment, played = datetime.fromtimestamp(start, UTC).isoformat(), folder / "played"
        query = f"start={moment}&waits={played}&frames={round(seconds * FPS)}"
        shop = parse(write_shop(folder, "shop-0", boxes, query).read_text()).shop
        for life, skip in lives:
            worker = _fork(folder / "home", shop, played)
            time.sleep(life)
            worker.kill()
            worker.join()
            outcome.killed["camera worker"] += 1
            played.write_text(f"{frames_played(played) + round(skip * FPS):012d}")
        worker = _fork(folder / "home", shop, played)
        while frames_played(played) < seconds * FPS:
            time.sleep(0.1)
        worker.terminate()
        worker.join()
        outcome.true["shop-0"] = undisturbed(shop, boxes, start)
        outcome.found["shop-0"] = _rows(folder / "home" / "lake", "shop-0")
    return outcome


def _fork(home: Path, shop: Shop, played: Path) -> ForkServerProcess:
    """A process that watches the shop's camera until it is told to stop; it has seen a frame when this returns."""
    before = frames_played(played)
    worker = _SERVER.Process(target=_watch, args=(home, shop))
    worker.start()
    while frames_played(played) == before:
        if not worker.is_alive():
            raise RuntimeError("the worker ended before it saw anything")
        time.sleep(0.005)
    return worker


def _watch(home: Path, shop: Shop) -> None:
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    settings = load_settings({"VITRINA_HOME": str(home), "VITRINA_LAKE_COMMIT_S": "2"})
    camera = open_camera(shop.layout.cameras[0].source, camera_id="door", stop=stop)
    opened = open_live(
        shop, "door", lake=Lake(home / "lake", tables=FLOOR_TABLES), settings=settings, version=lambda _: shop
    )
    under = CameraWatch(shop.layout.cameras[0], camera.health, opened)
    for _ in watch(camera, under, looker=GivenBoxes(), fps=settings.analysis_fps, stop=stop):
        pass


class Home:
    """A home with `vitrina up` in it."""

    def __init__(self, folder: Path, *, workers: int) -> None:
        self.path, self.log = folder / "home", folder / "log.txt"
        self._folder = folder
        self._port = _free_port()
        self._changed = 0.0
        self._environ = os.environ | {
            "VITRINA_HOME": str(self.path),
            "VITRINA_LAKE_COMMIT_S": "2",
            "VITRINA_CAMERA_WORKERS": str(workers),
        }
        self._process: subprocess.Popen[bytes] | None = None

    def call(self, *words: str) -> None:
        done = subprocess.run(
            self._command(*words), env=self._environ, capture_output=True, text=True, cwd=self._folder
        )
        if done.returncode:
            raise RuntimeError(done.stdout + done.stderr)

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        self.start()
        try:
            yield
        finally:
            if self._process is not None:
                self._process.terminate()
                self._process.wait(30)

    def start(self) -> None:
        if self._process is not None:
            self._process.wait(5)
        with self.log.open("ab") as out:
            command = self._command("up", "--port", str(self._port))
            self._process = subprocess.Popen(command, env=self._environ, stdout=out, stderr=out, cwd=self._folder)

    def processes(self) -> list[tuple[str, psutil.Process]]:
        """Kind and process of all that run now."""
        if self._process is None or self._process.poll() is not None:
            return []
        up = psutil.Process(self._process.pid)
        found = [("up", up)]
        for child in up.children():
            with contextlib.suppress(psutil.Error):
                words = child.cmdline()
                if "--only" in words:
                    found.append((words[words.index("--only") + 1], child))
        return found

    def changed(self) -> None:
        """Something was killed: what is in the journals now says nothing of who watches."""
        self._changed = time.time()

    def watches(self, journal: Path) -> bool:
        """Whether a worker wrote to this journal just now, twice since the last kill, so that it is on its way."""
        with contextlib.suppress(OSError):
            youngest = max((entry.stat().st_mtime for entry in journal.glob("*.json")), default=0.0)
            return youngest >= self._changed + 2.0 and time.time() - youngest <= FRESH_S
        return False

    def enqueue(self, name: str) -> None:
        database = Database(f"sqlite:///{self.path / 'vitrina.db'}")
        try:
            with database.session() as session:
                jobs.enqueue(session, name, {})
        finally:
            database.dispose()

    def _command(self, *words: str) -> list[str]:
        return [sys.executable, "-m", "vitrina.cli.main", *words]


def _kill(home: Home, played: Mapping[str, Path], *, kills: int, until_s: float, chance: random.Random) -> Counter[str]:
    """One process after the other, at a random moment of the scene when all are there. The supervisor is started again
    at once.
    """
    killed: Counter[str] = Counter()
    upkeep_due = time.time()
    due_s = chance.uniform(0.0, KILL_EVERY_S)
    while killed.total() < kills and (now_s := min(map(frames_played, played.values())) / FPS) < until_s:
        if time.time() >= upkeep_due:
            home.enqueue(chance.choice(UPKEEP))
            upkeep_due = time.time() + UPKEEP_EVERY_S
        if now_s < due_s or not _all_there(home):
            time.sleep(0.02)
            continue
        there = home.processes()
        kind, victim = chance.choices(there, [WEIGHTS[kind] for kind, _ in there])[0]
        with contextlib.suppress(psutil.NoSuchProcess):
            victim.kill()
            killed[kind] += 1
        if kind == "up":
            victim.wait(5)
            home.start()
        home.changed()
        due_s = now_s + chance.uniform(0.0, 2 * KILL_EVERY_S)
    return killed


def _all_there(home: Home) -> bool:
    """Whether every process runs and every camera is being watched by those that run now."""
    kinds = {kind for kind, _ in home.processes()}
    journals = list(home.path.glob("journal/*/*"))
    return kinds >= WEIGHTS.keys() and all(home.watches(journal) for journal in journals)


def undisturbed(shop: Shop, boxes: MotBoxes, start: float) -> Facts:
    """The rows of a worker that sees every frame of the scene."""
    pipeline, recorder = Pipeline(shop.layout, "door"), Recorder(shop, "door", person_key=b"undisturbed")
    rows: Facts = defaultdict(list)
    for n, there in enumerate(boxes.by_frame(boxes.last_frame + round(EMPTY_S * FPS))):
        events = pipeline.step(there.boxes_xyxy, there.scores, start + n / FPS)
        for table, some in recorder.rows(events).items():
            rows[table] += some
    for some_rows in (recorder.rows(pipeline.finish()), recorder.finish()):
        for table, some in some_rows.items():
            rows[table] += some
    return rows


def compare(outcome: Outcome) -> list[BarRow]:
    """The bars: everything that is counted is equal, and nothing is there twice."""
    twice = sum(
        sum(times - 1 for times in Counter(row["event_id"] for row in some).values())
        for facts in outcome.found.values()
        for some in facts.values()
    )
    differing = dict.fromkeys(COUNTED, 0)
    for slug, true in outcome.true.items():
        for table in COUNTED:
            expected, got = _counts(table, true), _counts(table, outcome.found[slug])
            differing[table] += sum(((expected - got) + (got - expected)).values())
    people = _visitors(outcome.found) - _visitors(outcome.true)
    over = max((sum(m) for facts in outcome.found.values() for m in _minutes(facts).values()), default=0.0)
    bars: list[BarRow] = [("kills", float(outcome.killed.total()), "> 0", outcome.killed.total() > 0)]
    bars += [(f"{table} lost or twice", float(n), "0", n == 0) for table, n in differing.items()]
    bars += [
        ("people counted twice or not at all among visitors", float(abs(people)), "0", people == 0),
        ("event ids that are there twice", float(twice), "0", twice == 0),
        ("most seconds of one minute on record as watched", over, "≤ 60", over <= 60.0 + 1e-6),
    ]
    return bars


def tally(outcome: Outcome) -> dict[str, tuple[object, object]]:
    """What is compared, summed over shops: undisturbed, killed."""
    told: dict[str, tuple[object, object]] = {}
    for table in COUNTED:
        sides: list[Counter[tuple[str, ...]]] = [Counter(), Counter()]
        for both, side in zip(sides, (outcome.true, outcome.found), strict=True):
            for facts in side.values():
                both.update(_counts(table, facts))
        for key in sorted(sides[0] | sides[1]):
            told[f"{table}: {' '.join(key)}"] = sides[0][key], sides[1][key]
    for zone in ("shelf", "queue"):
        told[f"dwell in {zone}, s"] = _dwell_s(outcome.true, zone), _dwell_s(outcome.found, zone)
    return told


def _visitors(side: dict[str, Facts]) -> int:
    return sum(len({row["person_id"] for row in facts["visits"]}) for facts in side.values())


def _dwell_s(side: dict[str, Facts], zone: str) -> float:
    stays = [float(row["dwell_s"]) for facts in side.values() for row in facts["visits"] if row["zone_id"] == zone]
    return round(sum(stays), 1)


def _counts(table: str, facts: Facts) -> Counter[tuple[str, ...]]:
    columns = {"crossings": ("line_id", "direction"), "visits": ("zone_id",), "waits": ("zone_id", "outcome")}[table]
    return Counter(tuple(str(row[column]) for column in columns) for row in facts[table])


def _minutes(facts: Facts) -> dict[datetime, list[float]]:
    found: dict[datetime, list[float]] = defaultdict(list)
    for row in facts["presence"]:
        found[row["t"]].append(row["watched_s"])
    return found


def _rows(lake: Path, slug: str) -> Facts:
    opened = Lake(lake, tables=FLOOR_TABLES)
    rows: Facts = defaultdict(list)
    for table in (*COUNTED, "presence", "gaps"):
        found = opened.expr(table, shop_id=slug).to_pyarrow().to_pylist()
        rows[table] = sorted(found, key=lambda row: (row["t"], row["event_id"]))
    return rows


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
