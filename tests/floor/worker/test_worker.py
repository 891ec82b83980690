"""Several cameras in one process: each for itself, all looked at together, and nothing lost on the way out."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from tests.floor.test_watch import rows
from tests.floor.worker.live import Shopfloor, picture

from vitrina.errors import CameraError, StorageError
from vitrina.floor.people import wide_input_hw
from vitrina.floor.worker.client import all_health, ask
from vitrina.floor.worker.inputs import InputChoice
from vitrina.floor.worker.lane import FRESH_S, WAITING
from vitrina.floor.worker.worker import Wanted, Worker

FAST = 1000.0
"""Frames a second that are due: all of them."""


@pytest.fixture
def floor(tmp_path: Path) -> Shopfloor:
    return Shopfloor(tmp_path)


@contextmanager
def working(worker: Worker) -> Iterator[threading.Event]:
    stop = threading.Event()
    thread = threading.Thread(target=worker.run, args=(stop,))
    thread.start()
    try:
        yield stop
    finally:
        stop.set()
        thread.join(60)
        assert not thread.is_alive()


def wanted(floor: Shopfloor, *slugs: str) -> dict[tuple[str, str], Wanted]:
    return {("riga-1", slug): Wanted("first", floor.door(slug)) for slug in slugs}


def eventually(condition: Callable[[], bool], *, within_s: float = 60.0) -> bool:
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.02)
    return False


def deliver(floor: Shopfloor, worker: Worker, slug: str, *, frames: int = 1, grey: int = 99) -> None:
    """One after the other, each when the one before was analysed."""
    assert eventually(lambda: slug in floor.cameras)
    lane = worker.lanes["riga-1", slug]
    assert eventually(lambda: lane.watched.health is floor.cameras[slug].health)
    for _ in range(frames):
        before = lane.watched.frames
        floor.cameras[slug].coming.put(picture(grey))
        assert eventually(lambda: lane.watched.frames > before)  # noqa: B023 - called at once


def health(floor: Shopfloor) -> dict[str, dict[str, object]]:
    return {one["camera"]: one for one in all_health(floor.home)}


def test_a_camera_that_does_not_open_is_tried_again_and_stops_nobody_else(floor: Shopfloor) -> None:
    floor.broken.add("till")
    worker = Worker(floor.home, lambda: wanted(floor, "door", "till"), fps=FAST)

    with working(worker):
        deliver(floor, worker, "door", frames=3)
        assert eventually(lambda: floor.openings.get("till", 0) >= 2)
        told = health(floor)
        assert (told["door"]["state"], told["door"]["analysed"]) == ("running", 3)
        assert (told["till"]["state"], told["till"]["last_error"]) == ("lost", "till: nobody answers")

        floor.broken.clear()
        deliver(floor, worker, "till")
        assert health(floor)["till"]["state"] == "running"


def test_a_picture_of_another_view_is_that_cameras_trouble_and_says_so(floor: Shopfloor) -> None:
    worker = Worker(floor.home, lambda: wanted(floor, "door", "till"), fps=FAST)

    with working(worker):
        deliver(floor, worker, "till")
        floor.cameras["till"].coming.put(picture(size_wh=(640, 200)))
        assert eventually(lambda: worker.lanes["riga-1", "till"].error is not None)
        floor.cameras["till"].coming.put(picture())  # the reader waits for it, and sees that it must stop
        assert eventually(lambda: "another view" in str(health(floor)["till"]["last_error"]))
        deliver(floor, worker, "door", frames=2)
        assert eventually(lambda: floor.openings["till"] == 2)  # its journal was let go of, and taken again
        deliver(floor, worker, "till")


def test_a_picture_that_the_detector_cannot_take_is_that_cameras_trouble_too(floor: Shopfloor) -> None:
    worker = Worker(floor.home, lambda: wanted(floor, "door", "till"), fps=FAST)
    worker.tend()
    deliver_without_analysis(floor, "till", picture(255))
    deliver_without_analysis(floor, "door", picture())
    assert eventually(lambda: worker.round() == 2)

    assert worker.lanes["riga-1", "door"].watched.frames == 1
    assert isinstance(worker.lanes["riga-1", "till"].error, ValueError)
    for lane in worker.lanes.values():
        lane.close()


class Chosen(InputChoice):
    """Has chosen already."""

    def keep(self) -> None:
        self._keep_it((320, 416))


def test_a_camera_whose_input_cannot_be_kept_leaves_the_others_looked_after(floor: Shopfloor) -> None:
    kept: list[tuple[int, int]] = []

    def refused(_input_hw: tuple[int, int]) -> None:
        raise StorageError("the database cannot do this now")

    floor.choices = {"door": Chosen(refused), "till": Chosen(kept.append)}
    worker = Worker(floor.home, lambda: wanted(floor, "door", "till"), fps=FAST)
    worker.tend()
    assert eventually(lambda: all(lane.looker is not None for lane in worker.lanes.values()))

    worker.lanes = {place: worker.lanes[place] for place in sorted(worker.lanes)}
    worker.tend()

    assert kept == [(320, 416)]
    for lane in worker.lanes.values():
        lane.close()


def deliver_until_seen(floor: Shopfloor, worker: Worker, slug: str) -> None:
    """The tracker takes a quarter of a second to be sure of a person."""

    def seen() -> bool:
        deliver(floor, worker, slug)
        return bool(ask(floor.home, "riga-1", slug, "people").said["boxes_xyxy"])

    assert eventually(seen)


def deliver_without_analysis(floor: Shopfloor, slug: str, thing: np.ndarray) -> None:
    assert eventually(lambda: slug in floor.cameras)
    floor.cameras[slug].coming.put(thing)
    assert eventually(floor.cameras[slug].coming.empty)
    time.sleep(0.1)


def test_while_the_analysis_is_busy_a_few_frames_wait_in_order_and_older_ones_are_counted(floor: Shopfloor) -> None:
    worker = Worker(floor.home, lambda: wanted(floor, "door", "till"), fps=FAST)
    worker.tend()
    for grey in range(1, WAITING + 3):
        deliver_without_analysis(floor, "door", picture(grey))
    deliver_without_analysis(floor, "till", picture())

    seen = []
    rounds = []
    door = worker.lanes["riga-1", "door"]
    while looked := worker.round():
        rounds.append(looked)
        assert door.newest.seen is not None
        seen.append(int(door.newest.seen.frame.rgb.max()))

    assert door.missed == 2
    assert seen == list(range(3, WAITING + 3))
    assert rounds == [2] + [1] * (WAITING - 1)
    assert sorted(floor.looker.rounds[0]) == ["riga-1/door", "riga-1/till"]  # looked at together
    for lane in worker.lanes.values():
        lane.close()


def test_only_what_changed_is_opened_anew(floor: Shopfloor) -> None:
    there = wanted(floor, "door", "till")
    worker = Worker(floor.home, lambda: there, fps=FAST)

    with working(worker):
        deliver(floor, worker, "door")
        deliver(floor, worker, "till")
        there["riga-1", "till"] = Wanted("second", floor.door("till"))
        del there["riga-1", "door"]
        there["riga-1", "exit"] = Wanted("first", floor.door("exit"))

        deliver(floor, worker, "exit")
        assert eventually(lambda: floor.openings["till"] == 2)
        deliver(floor, worker, "till")
        assert floor.openings == {"door": 1, "till": 2, "exit": 1}
        assert set(health(floor)) == {"till", "exit"}


def test_nothing_is_encoded_while_nobody_watches_and_one_picture_once_however_many_do(floor: Shopfloor) -> None:
    worker = Worker(floor.home, lambda: wanted(floor, "door"), fps=FAST)

    with working(worker):
        deliver_until_seen(floor, worker, "door")
        assert health(floor)["door"]["encoded"] == 0

        answers = [ask(floor.home, "riga-1", "door", "newest") for _ in range(5)]

        assert health(floor)["door"]["encoded"] == 1
        assert all(answer.jpeg is not None and answer.jpeg.startswith(b"\xff\xd8") for answer in answers)
        said = answers[0].said
        assert (said["state"], said["size_wh"]) == ("running", [640, 480])
        assert np.allclose(said["boxes_xyxy"], [[300, 180, 340, 300]], atol=3)
        assert np.allclose(said["points_m"], [[8, 7.5]], atol=0.1)


def test_a_lost_camera_shows_no_old_picture(floor: Shopfloor) -> None:
    worker = Worker(floor.home, lambda: wanted(floor, "door"), fps=FAST)

    with working(worker):
        deliver(floor, worker, "door", frames=3)
        floor.broken.add("door")
        floor.cameras["door"].coming.put(CameraError("door: the cable is out"))
        assert eventually(lambda: health(floor)["door"]["state"] == "lost")

        said, jpeg = ask(floor.home, "riga-1", "door", "newest")

    assert jpeg is None
    assert said["boxes_xyxy"] == []
    assert "door" in said["last_error"]
    assert abs(said["since"] - time.time()) < 60


def test_a_picture_grows_old_though_the_machines_clock_was_set_back_behind_it(floor: Shopfloor) -> None:
    worker = Worker(floor.home, lambda: wanted(floor, "door"), fps=FAST)

    with working(worker):
        assert eventually(lambda: "door" in floor.cameras)
        floor.cameras["door"].ahead_s = 3600.0
        deliver(floor, worker, "door", frames=3)
        assert ask(floor.home, "riga-1", "door", "newest").jpeg is not None

        assert eventually(lambda: ask(floor.home, "riga-1", "door", "newest").jpeg is None, within_s=2 * FRESH_S)


def test_what_was_seen_is_in_the_lake_when_the_worker_has_ended(floor: Shopfloor) -> None:
    worker = Worker(floor.home, lambda: wanted(floor, "door"), fps=FAST)

    with working(worker):
        deliver_until_seen(floor, worker, "door")
        time.sleep(1.2)  # people are placed a second after they were seen
        deliver(floor, worker, "door", frames=2)

    assert rows(floor.home, "positions")
    assert all_health(floor.home) == []


def test_a_command_that_was_typed_ends_with_the_error_of_a_camera_that_does_not_open(floor: Shopfloor) -> None:
    floor.broken.add("till")

    with pytest.raises(CameraError, match="nobody answers"):
        Worker(floor.home, lambda: wanted(floor, "till"), fps=FAST, patient=False).run(threading.Event())


def test_the_input_is_chosen_from_the_people_who_come_by_and_kept_once() -> None:
    kept: list[tuple[int, int]] = []
    choice = InputChoice(kept.append)
    nobody, size_wh = np.zeros((0, 4), np.float32), (1280, 720)
    tall = np.array([[600, 100, 800, 600]], np.float32)

    for _ in range(500):  # the night
        assert choice.add(size_wh, nobody, np.zeros(0, np.float32)) is None
    chosen = [choice.add(size_wh, tall, np.array([0.9], np.float32)) for _ in range(60)]
    choice.keep()
    choice.keep()

    (found,) = [one for one in chosen if one]
    assert kept == [found]
    assert found[0] * found[1] < np.prod(wide_input_hw(size_wh))
