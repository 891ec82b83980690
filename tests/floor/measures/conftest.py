"""A shop of eight lines and a way to tell its day in rows."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta

import pytest

from vitrina.floor.layout import Hours, Layout, Line, Plan, Shop, Zone
from vitrina.floor.measures.day import day_figures
from vitrina.floor.store import FLOOR_TABLES
from vitrina.product import ShopClock, new_id
from vitrina.storage.lake import Lake

DAY = date(2026, 3, 10)  # a Tuesday
SQUARE = ((0.0, 0.0), (3.0, 0.0), (3.0, 3.0))

SHOP = Shop(
    slug="riga-1",
    name="Riga 1",
    timezone="Europe/Riga",
    currency="EUR",
    layout=Layout(
        layout_id="layout-1",
        valid_from=datetime(2026, 1, 1, tzinfo=UTC),
        plan=Plan(10.0, 8.0),
        zones=(
            Zone("shelf", "Shelf", "section", SQUARE, stop_s=5.0),
            Zone("promo", "Promo", "promo", SQUARE, stop_s=10.0),
            Zone("tills", "Tills", "queue", SQUARE, till=(1.0, 1.0)),
            Zone("street", "Street", "outside", SQUARE),
            Zone("back", "Back room", "staff", SQUARE),
        ),
        lines=(
            Line("door", "Door", "entrance", (0.0, 8.0), (2.0, 8.0)),
            Line("aisle", "Aisle", "passage", (0.0, 4.0), (2.0, 4.0)),
        ),
    ),
    opens=((Hours(time(10), time(18)),),) * 7,
)


class Story:
    """Rows of a shop's days, told in shop time: `story.enter("10:05", "ann")`."""

    def __init__(self, lake: Lake, shop: Shop = SHOP, day: date = DAY) -> None:
        self.lake, self.shop, self.day, self.batch = lake, shop, day, 0
        self.rows = {name: [] for name in FLOOR_TABLES}

    def at(self, clock: str) -> datetime:
        return ShopClock(self.shop.timezone, self.shop.day_starts).at(self.day, time.fromisoformat(clock))

    def on(self, day: date) -> Story:
        """The same story, told on for another day."""
        self.day = day
        return self

    def add(self, table: str, t: datetime, **columns: object) -> None:
        key = {
            "event_id": new_id(),
            "t": t,
            "business_day": self.day,
            "shop_id": self.shop.slug,
            "layout_id": self.shop.layout.layout_id,
            "simulated": False,
        }
        camera = {"camera_id": "cam"} if "camera_id" in FLOOR_TABLES[table].schema.names else {}
        self.rows[table].append(key | camera | columns)

    def enter(
        self, clock: str, *people: str, direction: str = "in", role: str = "customer", line: str = "door"
    ) -> None:
        for person in people:
            self.add("crossings", self.at(clock), person_id=person, line_id=line, direction=direction, role=role)

    def leave(self, clock: str, *people: str) -> None:
        self.enter(clock, *people, direction="out")

    def visit(self, clock: str, person: str, zone: str, dwell_s: float, *, role: str = "customer") -> None:
        t = self.at(clock)
        left = t + timedelta(seconds=dwell_s)
        self.add("visits", t, person_id=person, zone_id=zone, left_t=left, dwell_s=dwell_s, ended="left", role=role)

    def wait(self, clock: str, person: str, wait_s: float, outcome: str = "served") -> None:
        t = self.at(clock)
        ended = t + timedelta(seconds=wait_s)
        self.add("waits", t, person_id=person, zone_id="tills", ended_t=ended, wait_s=wait_s, outcome=outcome)

    def receipt(self, clock: str, number: str, minor: int, *, revision: int = 1, currency: str = "EUR") -> None:
        sale = {"receipt_id": number, "revision": revision, "total_minor": minor, "currency": currency, "items": 1}
        self.add("receipts", self.at(clock), source="till", **sale)

    def watch(self, first: str, last: str, camera: str = "cam") -> None:
        """Every minute from `first` until before `last`."""
        t = self.at(first)
        while t < self.at(last):
            self.add("presence", t, camera_id=camera, people_mean=0.0, people_max=0, watched_s=60.0)
            t += timedelta(minutes=1)

    def store(self) -> None:
        self.batch += 1
        for table, rows in self.rows.items():
            self.lake.append(table, rows, writer_id=self.shop.slug, batch_no=self.batch)
            self.rows[table] = []

    def figures(self, **options: object):
        """Everything told so far, stored, and the figures of the day told last; everything is shown."""
        self.store()
        return day_figures(self.lake, self.shop, self.day, **({"k_anonymity": 0} | options))


@pytest.fixture
def lake(tmp_path) -> Lake:
    return Lake(tmp_path / "lake", tables=FLOOR_TABLES)


@pytest.fixture(scope="session")
def new_story() -> type[Story]:
    """To tell stories that last longer than a test."""
    return Story


@pytest.fixture
def story(lake) -> Story:
    return Story(lake)


@pytest.fixture
def bar(lake) -> Story:
    """Open from 20:00 until 02:00."""
    return Story(lake, replace(SHOP, slug="bar", opens=((Hours(time(20), time(2)),),) * 7))


@pytest.fixture
def kiosk(lake) -> Story:
    """Open day and night."""
    return Story(lake, replace(SHOP, slug="kiosk", opens=((Hours(time(0), time(0)),),) * 7))
