"""The processes of `vitrina up` that watch live cameras: who watches which, and how one is opened."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Mapping
from threading import Event, Lock

from vitrina.cli.lake import open_lake
from vitrina.cli.place import choose_camera
from vitrina.floor.camera import LONGEST_PX, BoxesCamera, open_camera
from vitrina.floor.camera.checkup import Checkup, view_path
from vitrina.floor.given import GivenBoxes
from vitrina.floor.layout import Shop
from vitrina.floor.look import Looker
from vitrina.floor.people import PersonDetector
from vitrina.floor.setup import shops
from vitrina.floor.watch import CameraWatch, open_live, picture_path
from vitrina.floor.worker.inputs import InputChoice, InputHw
from vitrina.floor.worker.lane import Opened
from vitrina.floor.worker.share import Place, shares
from vitrina.floor.worker.worker import Wanted, Worker
from vitrina.models.manifest import PERSON_DETECTOR, Model
from vitrina.models.registry import promoted, running_model
from vitrina.settings import Settings
from vitrina.storage.database import Database
from vitrina.storage.lake import Lake
from vitrina.work.supervise import leave_with_parent

SMALL_BOX_GB = 2.0
ORPHAN_S = 4.0
"""So long a worker watches on without `vitrina up`, which may be back by then."""


def watch_share(settings: Settings, number: int) -> None:
    """Worker `number` of a home: watches its share of the live cameras until SIGTERM."""
    leave_with_parent(after_s=ORPHAN_S)
    stop = threading.Event()
    for signal_number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(signal_number, lambda *_: stop.set())
    database = Database(settings.database)
    doors = Doors(settings, database, open_lake(settings))
    try:
        Worker(settings.home, lambda: wanted(doors, number), fps=settings.analysis_fps).run(stop)
    finally:
        database.dispose()


def workers_wanted(settings: Settings, database: Database) -> set[int]:
    """The numbers of those workers that have a camera to watch."""
    with database.reading() as session:
        places = shops.live_cameras(session)
    return set(shares(places, worker_count(settings)).values())


def worker_count(settings: Settings) -> int:
    """Over how many processes live cameras are spread."""
    if settings.camera_workers:
        return settings.camera_workers
    memory_gb = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return 1 if memory_gb < SMALL_BOX_GB else len(os.sched_getaffinity(0))


def wanted(doors: Doors, number: int) -> Mapping[Place, Wanted]:
    """The live cameras of worker `number`, each with all that decides how it is watched."""
    with doors.database.reading() as session:
        found = shops.live_cameras(session)
        promotions = {shop: promoted(session, PERSON_DETECTOR, shop) for shop, _ in found}
        detectors = {shop: row.sha256 if row else "" for shop, row in promotions.items()}
    worker_of = shares(found, worker_count(doors.settings))
    return {
        place: Wanted(f"{edition} {detectors[place[0]]}", doors.door(place))
        for place, edition in found.items()
        if worker_of[place] == number
    }


class Doors:
    """Opens cameras for a worker. Cameras with the same detector share one session."""

    def __init__(self, settings: Settings, database: Database, lake: Lake) -> None:
        self.settings, self.database, self.lake = settings, database, lake
        self._loading = Lock()
        self._lookers: dict[str, tuple[PersonDetector, Looker]] = {}

    def door(self, place: Place, *, source: str = "", input_hw: InputHw | None = None) -> Door:
        return Door(self, place, source, input_hw)

    def looker(self, model: Model) -> tuple[PersonDetector, Looker]:
        with self._loading:
            if model.sha256 not in self._lookers:
                detector = PersonDetector(model)
                self._lookers[model.sha256] = detector, Looker(detector)
            return self._lookers[model.sha256]


class Door:
    """Opens one camera, each time by what the database says then.

    source, input_hw: as somebody typed them, in place of the camera's own.
    """

    def __init__(self, doors: Doors, place: Place, source: str, input_hw: InputHw | None) -> None:
        self._doors, self._place, self._source, self._input_hw = doors, place, source, input_hw

    def __call__(self, stop: Event) -> Opened:
        """Raises VitrinaError."""
        settings, (shop, slug) = self._doors.settings, self._place
        with self._doors.database.reading() as session:
            place = shops.load_shop(session, shop)
            source = self._source or shops.camera_source(session, settings.home, shop, slug)
            kept = shops.chosen_input(session, shop, slug)
            model = running_model(session, settings.home, PERSON_DETECTOR, shop)
        layout = choose_camera(place, slug)
        camera = open_camera(
            source,
            camera_id="/".join(self._place),
            stop=stop,
            fps_wanted=settings.analysis_fps,
            longest_px=max(LONGEST_PX, *(layout.input_hw or (0,))),
        )
        known = isinstance(camera, BoxesCamera)
        detector, looker = (None, GivenBoxes()) if known else self._doors.looker(model)
        how = {"detector": "none: the boxes are known" if known else model.sha256}
        opened = open_live(place, slug, lake=self._doors.lake, settings=settings, version=self._version, how=how)
        under = CameraWatch(
            layout,
            camera.health,
            opened,
            picture=picture_path(settings.home, shop, slug),
            checkup=Checkup(camera.health, view=view_path(settings.home, shop, slug, place.layout.layout_id)),
        )
        input_hw = None if known else self._input_hw or layout.input_hw or kept
        choice = None if input_hw or detector is None or detector.is_fixed else InputChoice(self._keep)
        return Opened(camera, under, looker, input_hw, choice)

    def _version(self, layout_id: str) -> Shop:
        with self._doors.database.reading() as session:
            return shops.load_version(session, self._place[0], layout_id)

    def _keep(self, input_hw: InputHw) -> None:
        with self._doors.database.session() as session:
            shops.keep_input(session, *self._place, input_hw)
