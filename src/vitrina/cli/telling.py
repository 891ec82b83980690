"""The process of `vitrina up` that tells other systems what happens now: webhooks, the MQTT broker, due exports."""

from __future__ import annotations

import logging
import signal
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from vitrina.errors import VitrinaError
from vitrina.floor import bulletin
from vitrina.floor.layout import Shop
from vitrina.floor.measures.running import Expressions, RunningDay, running_day
from vitrina.floor.setup import shops
from vitrina.floor.worker.client import all_health
from vitrina.outlet import broker, delivery, export, memory
from vitrina.outlet.broker import Broker
from vitrina.outlet.discovery import event_topic
from vitrina.outlet.mqtt import BrokerWire, Followed
from vitrina.outlet.reading import Reading
from vitrina.product import new_id
from vitrina.settings import Settings
from vitrina.storage.database import Database
from vitrina.storage.lake import Lake
from vitrina.storage.secrets import SecretBox
from vitrina.work.supervise import leave_with_parent
from vitrina.work.worker import Worker

logger = logging.getLogger(__name__)

LOOK_EVERY_S = 2.0
COUNT_EVERY_S = 10.0
SHOPS_EVERY_S = 20.0
SUMMARY_EVERY_S = 60.0
QUERY_MEMORY_MB = 128
LOST_AFTER_S = 30.0
"""A camera that starts or reconnects is not lost yet."""

Place = tuple[str, str]
Open = Callable[[Settings], Lake]


def tell_on(settings: Settings, open_lake: Open) -> None:
    """The process: webhooks go out, exports become due, cameras are watched over, the broker is told."""
    leave_with_parent()
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    database, box = Database(settings.database), SecretBox(settings.home)
    worker = Worker(database, {delivery.JOB: lambda job: delivery.deliver(database, box, job)})
    sender = threading.Thread(target=worker.run_forever, args=(stop,), name="webhooks")
    sender.start()
    small = replace(settings, query_memory_mb=min(settings.query_memory_mb, QUERY_MEMORY_MB))
    teller = Teller(settings, database, box, lake=lambda: open_lake(small))
    try:
        teller.run(stop)
    finally:
        stop.set()
        teller.close()
        sender.join()
        database.dispose()


class Teller:
    """Looks every few seconds at what is now and tells what has changed."""

    def __init__(
        self,
        settings: Settings,
        database: Database,
        box: SecretBox,
        *,
        lake: Callable[[], Expressions],
        health: Callable[[], list[dict[str, Any]]] | None = None,
        lost_after_s: float = LOST_AFTER_S,
    ) -> None:
        """lake: opened when a broker is set, and only then. health: what the workers say."""
        self._settings, self._database, self._box = settings, database, box
        self._open_lake = lake
        self._lake: Expressions | None = None
        self._health = health or (lambda: all_health(settings.home))
        self._lost_after_s = lost_after_s
        self._shops: list[Shop] = []
        self._due: dict[str, float] = defaultdict(float)
        self._away_since: dict[Place, float] = {}
        self._running: dict[str, RunningDay] = {}
        self._wire: BrokerWire | None = None
        self._followed: Followed | None = None
        self._broker: Broker | None = None

    def run(self, stop: threading.Event) -> None:
        while not stop.wait(LOOK_EVERY_S):
            try:
                self.look()
            except Exception:  # the edge of a worker loop
                logger.exception("looking at what is to be told; trying again")

    def look(self) -> None:
        """One round."""
        now = datetime.now(UTC)
        self._plan_exports(now)
        self._load_shops()
        healths = {(one["shop"], one["camera"]): one for one in self._health()}
        self._tell_cameras(healths)
        self._reach_broker()
        if self._wire is not None and self._followed is not None:
            self._count(now)
            self._followed.show(self._wire, self._readings(healths))
            self._tell_summaries()

    def close(self) -> None:
        if self._wire is not None:
            self._wire.close()
            self._note_status(connected=False, status="Vitrina is not running")
            self._wire = None

    # ── by webhook ──────────────────────────────────────────────────────────────────────────────

    def _plan_exports(self, now: datetime) -> None:
        with self._database.reading() as session:
            due = export.is_any_due(session, now)
        if due:
            with self._database.session() as session:
                export.plan(session, now)

    def _tell_cameras(self, healths: dict[Place, dict[str, Any]]) -> None:
        with self._database.reading() as session:
            known = memory.recall(session, "camera:")
        for shop in self._shops:
            for camera in (camera for camera in shop.layout.cameras if camera.is_live):
                place, key = (shop.slug, camera.slug), f"camera:{shop.slug}/{camera.slug}"
                health, before = healths.get(place), known.get(key, {})
                if not bulletin.is_connected(health) and not self._is_away_long(place):
                    continue
                if bulletin.is_connected(health):
                    self._away_since.pop(place, None)
                events, after = bulletin.camera_events(shop, camera, health, before)
                if events or after != before:
                    self._tell(shop.slug, key, events, after)

    def _is_away_long(self, place: Place) -> bool:
        since = self._away_since.setdefault(place, time.monotonic())
        return time.monotonic() - since >= self._lost_after_s

    def _tell(self, slug: str, key: str, events: list[tuple[str, dict[str, Any]]], after: dict[str, Any]) -> None:
        with self._database.session() as session:
            memory.remember(session, key, after)
            for event, data in events:
                logger.info("%s: %s/%s", event, slug, data["camera"])
                delivery.tell(session, event, data, key=f"{key}:{new_id()}", shop=slug)

    # ── by MQTT ─────────────────────────────────────────────────────────────────────────────────

    def _reach_broker(self) -> None:
        """Connect to the broker that is set, anew when somebody changed it."""
        with self._database.reading() as session:
            found = broker.find_broker(session)
        if (found and found.changed_at) != (self._broker and self._broker.changed_at):
            self._leave_broker(for_good=_place(found) != _place(self._broker))
            if found is not None:
                self._connect(found)
        self._broker = found
        if self._wire is not None and found is not None and found.status != self._wire.status:
            self._note_status(connected=self._wire.connected.is_set(), status=self._wire.status)

    def _leave_broker(self, *, for_good: bool) -> None:
        """for_good: what is retained there is cleared; else Home Assistant would keep devices that nobody tells of."""
        if self._wire is not None:
            if for_good and self._followed is not None and self._wire.connected.is_set():
                self._followed.show(self._wire, [])
            self._wire.close()
        self._wire = self._followed = None

    def _connect(self, found: Broker) -> None:
        """What is wrong with the settings themselves is said and not tried again before somebody changes them."""
        try:
            password = self._box.open(found.password) if found.password else None
            client_id = f"vitrina-{self._box.derive('mqtt').hex()[:16]}"
            self._wire = BrokerWire(found, password, client_id=client_id)
        except VitrinaError as error:
            logger.warning("MQTT: %s", error)
            self._note_status(connected=False, status=str(error))
        else:
            self._followed = Followed(prefix=found.prefix, discovery_prefix=found.discovery_prefix)

    def _note_status(self, *, connected: bool, status: str) -> None:
        with self._database.session() as session:
            broker.note_status(session, connected=connected, status=status)

    def _readings(self, healths: dict[Place, dict[str, Any]]) -> Iterator[Reading]:
        for shop in self._shops:
            own = {camera: health for (slug, camera), health in healths.items() if slug == shop.slug}
            running = self._running.get(shop.slug)
            yield from bulletin.readings(shop, own, running, k_anonymity=self._settings.k_anonymity)

    def _count(self, now: datetime) -> None:
        if not self._is_due("count", COUNT_EVERY_S):
            return
        if self._lake is None:
            self._lake = self._open_lake()
        for shop in self._shops:
            self._running[shop.slug] = running_day(self._lake, shop, now)

    def _tell_summaries(self) -> None:
        wire, there = self._wire, self._broker
        if wire is None or there is None or not wire.connected.is_set() or not self._is_due("told", SUMMARY_EVERY_S):
            return
        with self._database.reading() as session:
            known = memory.recall(session, "summary:")
        for slug, running in self._running.items():
            key = f"summary:{slug}"
            said, after = bulletin.summary(running, known.get(key, {}), k_anonymity=self._settings.k_anonymity)
            topic = event_topic(there.prefix, slug)
            if said and not wire.publish(topic, bulletin.summary_text(slug, said), retain=False):
                return  # the connection is gone by now: it is told with what comes
            if after != known.get(key):
                with self._database.session() as session:
                    memory.remember(session, key, after)

    def _load_shops(self) -> None:
        if self._is_due("shops", SHOPS_EVERY_S):
            with self._database.reading() as session:
                self._shops = [shops.load_shop(session, row.slug) for row in shops.list_shops(session)]
            self._running = {shop.slug: found for shop in self._shops if (found := self._running.get(shop.slug))}

    def _is_due(self, what: str, every_s: float) -> bool:
        due = time.monotonic() >= self._due[what]
        if due:
            self._due[what] = time.monotonic() + every_s
        return due


def _place(broker: Broker | None) -> tuple[str | int, ...]:
    """Where our topics stand."""
    return (broker.host, broker.port, broker.prefix, broker.discovery_prefix) if broker else ()
