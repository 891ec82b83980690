"""Which cameras a worker is to watch, and when one must be opened anew."""

from __future__ import annotations

from typing import Any

from vitrina.cli.cameras import Doors, wanted, worker_count, workers_wanted
from vitrina.cli.lake import open_lake
from vitrina.floor.setup import shops
from vitrina.floor.setup.shopfile import parse
from vitrina.settings import load_settings
from vitrina.storage.secrets import SecretBox

SHOP = """
[shop]
slug = "riga-1"
name = "Riga 1"
timezone = "Europe/Riga"
currency = "EUR"

[plan]
width_m = 16
height_m = 12

[[camera]]
slug = "door"
name = "Door"
source = "rtsp://eva:{password}@10.0.0.7/stream1"
size = [640, 480]

[[camera]]
slug = "till"
name = "{till}"
source = "loop:till.mp4"
size = [640, 480]

[[camera]]
slug = "monday"
name = "Monday"
source = "monday.mp4"
size = [640, 480]
{zone}
"""
ZONE = '[[zone]]\nslug = "shelf"\nname = "Shelf"\nkind = "section"\npolygon = [[1, 1], [4, 1], [4, 4]]'


def apply(home: Any, *, password: str = "secret", till: str = "Till", zone: str = "") -> None:
    text = SHOP.format(password=password, till=till, zone=zone)
    database = home.database()
    with database.session() as session:
        shops.apply(session, parse(text, name="shop.toml"), "test", box=SecretBox(home.path))
    database.dispose()


def editions(home: Any) -> dict[str, str]:
    database = home.database()
    with database.reading() as session:
        found = shops.live_cameras(session)
    database.dispose()
    return {camera: edition for (_, camera), edition in found.items()}


def test_cameras_that_deliver_all_the_time_are_watched_and_recordings_are_not(empty_home: Any) -> None:
    apply(empty_home)

    assert set(editions(empty_home)) == {"door", "till"}


def test_a_new_password_opens_that_camera_anew_and_a_moved_zone_all_of_the_shop(empty_home: Any) -> None:
    apply(empty_home)
    first = editions(empty_home)
    apply(empty_home)
    same = editions(empty_home)
    apply(empty_home, password="other")
    changed = editions(empty_home)
    apply(empty_home, password="other", zone=ZONE)
    moved = editions(empty_home)

    assert same == first
    assert (changed["door"] == first["door"], changed["till"] == first["till"]) == (False, True)
    assert all(moved[camera] != changed[camera] for camera in moved)  # rows carry the layout they were seen under


def test_every_live_camera_is_watched_by_exactly_one_worker(empty_home: Any) -> None:
    apply(empty_home)
    settings = load_settings({"VITRINA_HOME": str(empty_home.path), "VITRINA_CAMERA_WORKERS": "3"})
    database = empty_home.database()
    doors = Doors(settings, database, open_lake(settings))

    watched = [place for number in range(3) for place in wanted(doors, number)]

    assert sorted(watched) == [("riga-1", "door"), ("riga-1", "till")]
    assert len(workers_wanted(settings, database)) == 2  # the third has nothing to do and is not started
    database.dispose()


def test_there_is_a_worker_for_each_processor_unless_a_number_is_set(empty_home: Any) -> None:
    assert worker_count(load_settings({"VITRINA_CAMERA_WORKERS": "5"})) == 5
    assert worker_count(empty_home.settings) >= 1
