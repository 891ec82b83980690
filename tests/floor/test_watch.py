"""From frames to rows in a real lake, with boxes that are known: nothing lost, nothing twice, gaps as gaps."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, time
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np
import pytest
from tests.floor.camera.test_camera import write_video

from vitrina.errors import ConflictError, InputError, StorageError
from vitrina.floor.camera import FileCamera, RecordedCamera
from vitrina.floor.frame import Frame
from vitrina.floor.geometry.ground import fit_ground
from vitrina.floor.layout import CameraLayout, Layout, Line, Plan, Shop, Zone
from vitrina.floor.look import Look
from vitrina.floor.pipeline import Pipeline
from vitrina.floor.record import Recorder
from vitrina.floor.store import FLOOR_TABLES
from vitrina.floor.watch import CameraWatch, FileSink, fit_to_layout, open_live, open_recording, watch
from vitrina.settings import load_settings
from vitrina.storage.lake import Lake
from vitrina.storage.replay import Replay

START = datetime(2026, 3, 2, 9, tzinfo=UTC).timestamp()
SIZE_WH = (640, 480)
FPS = 10
PERSON_WH = (40, 120)

# One metre is 40 pixels, straight from above: the arithmetic of every expected number can be done in one's head.
CORNERS_PX = ((0, 0), (640, 0), (640, 480), (0, 480))
CORNERS_M = ((0, 0), (16, 0), (16, 12), (0, 12))


def shop() -> Shop:
    camera = CameraLayout("door", "Door", "clip.mp4", SIZE_WH, fit_ground(CORNERS_PX, CORNERS_M, SIZE_WH))
    zone = Zone("shelf", "Shelf", "section", ((4, 2), (12, 2), (12, 10), (4, 10)))
    line = Line("entrance", "Entrance", "entrance", (320, 440), (320, 160), "door")
    layout = Layout("layout-1", datetime(2026, 1, 1, tzinfo=UTC), Plan(16, 12), (camera,), (zone,), (line,))
    return Shop("riga-1", "Riga 1", "Europe/Riga", "EUR", layout, time(4))


def walk(seconds: float, *, speed_px_s: float = 60.0, y: float = 300.0) -> list[np.ndarray]:
    """Boxes, frame by frame, of one person who walks from left to right through the picture."""
    frames = []
    for step in range(round(seconds * FPS)):
        x = 60 + speed_px_s * step / FPS
        frames.append(np.array([[x - PERSON_WH[0] / 2, y - PERSON_WH[1], x + PERSON_WH[0] / 2, y]], np.float32))
    return frames


class Script:
    """Finds what is written down, frame by frame."""

    def __init__(self, boxes: list[np.ndarray]) -> None:
        self._upcoming = iter(boxes)

    def look(self, frames: Sequence[Frame]) -> list[Look]:
        found = [next(self._upcoming) for _ in frames]
        return [Look(boxes, np.full(len(boxes), 0.9, np.float32), share=1.0, cost_s=0.0) for boxes in found]


def scripted(boxes: list[np.ndarray]) -> tuple[RecordedCamera, Script]:
    blank = np.zeros((SIZE_WH[1], SIZE_WH[0], 3), np.uint8)
    frames = [Frame(START + index / FPS, blank, "door", index) for index in range(len(boxes))]
    return RecordedCamera(frames, camera_id="door"), Script(boxes)


def open_lake(home: Path) -> Lake:
    return Lake(home / "lake", tables=FLOOR_TABLES)


def run_file(home: Path, boxes: list[np.ndarray], *, stop_after: int | None = None) -> FileSink:
    camera, script = scripted(boxes)
    place = shop()
    pipeline, recorder = Pipeline(place.layout, "door"), Recorder(place, "door", person_key=b"file")
    replay = Replay(open_lake(home), writer_id="file.1", commit_s=60, commit_rows=5)
    sink = FileSink(replay, pipeline, recorder)
    stop = Event()
    under = CameraWatch(place.layout.cameras[0], camera.health, (pipeline, recorder, sink))
    for state in watch(camera, under, looker=script, fps=60, stop=stop):
        if state.frames == stop_after:
            stop.set()
    return sink


def rows(home: Path, table: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = open_lake(home).expr(table).to_pyarrow().to_pylist()
    return sorted(found, key=lambda row: (row["t"], row["event_id"]))


def facts(home: Path) -> dict[str, list[tuple[Any, ...]]]:
    """What the lake says, without the ids that are new in each run."""
    skip = {"event_id"}
    return {
        table: sorted(tuple(str(value) for key, value in row.items() if key not in skip) for row in rows(home, table))
        for table in FLOOR_TABLES
    }


def test_one_walk_through_the_shop_becomes_one_crossing_one_visit_and_a_trail(tmp_path: Path) -> None:
    run_file(tmp_path, walk(9.0))

    (crossing,) = rows(tmp_path, "crossings")
    (visit,) = rows(tmp_path, "visits")
    assert (crossing["line_id"], crossing["direction"], crossing["role"]) == ("entrance", "in", "unknown")
    assert crossing["t"].timestamp() - START == pytest.approx((320 - 60) / 60, abs=0.3)
    assert visit["zone_id"] == "shelf"
    assert visit["dwell_s"] == pytest.approx((12 - 4) * 40 / 60, abs=0.4)
    assert visit["person_id"] == crossing["person_id"]
    assert crossing["business_day"].isoformat() == "2026-03-02"
    positions = rows(tmp_path, "positions")
    assert 16 <= len(positions) <= 18  # nine seconds, at most two a second
    assert positions[0]["y_cm"] == pytest.approx(750, abs=5)


def test_a_person_counts_from_their_first_box_not_from_their_confirmation(tmp_path: Path) -> None:
    boxes = [box + np.array([200, 0, 200, 0], np.float32) for box in walk(4.0)]  # 60 px, one second, before the line

    run_file(tmp_path, boxes)

    first = rows(tmp_path, "positions")[0]
    assert first["t"].timestamp() == pytest.approx(START, abs=0.01)
    assert len(rows(tmp_path, "crossings")) == 1


def test_the_same_file_twice_counts_once(tmp_path: Path) -> None:
    run_file(tmp_path, walk(9.0))
    before = facts(tmp_path)

    again = run_file(tmp_path, walk(9.0))

    assert facts(tmp_path) == before
    assert again.replay.skipped > 0


@pytest.mark.parametrize("stop_after", [1, 30, 61, 85])
def test_a_file_that_was_cut_short_and_watched_again_is_as_if_it_had_never_been_cut(
    tmp_path: Path, stop_after: int
) -> None:
    run_file(tmp_path / "cut", walk(9.0), stop_after=stop_after)
    run_file(tmp_path / "cut", walk(9.0))
    run_file(tmp_path / "whole", walk(9.0))

    assert facts(tmp_path / "cut") == facts(tmp_path / "whole")


def run_live(home: Path, frames: list[Frame], boxes: list[np.ndarray], *, place: Shop | None = None) -> None:
    """One worker's life: it settles what the last one left, and is ended by SIGTERM (the source just stops)."""
    place = place or shop()
    earlier = {"layout-1": shop(), place.layout.layout_id: place}
    settings = load_settings({"VITRINA_HOME": str(home)})
    opened = open_live(place, "door", lake=open_lake(home), settings=settings, version=earlier.__getitem__)
    camera = RecordedCamera(frames, camera_id="door")
    under = CameraWatch(place.layout.cameras[0], camera.health, opened)
    for _ in watch(camera, under, looker=Script(boxes), fps=60):
        pass


def test_after_a_restart_in_mid_day_counts_go_on_and_the_pause_is_a_gap(tmp_path: Path) -> None:
    boxes = walk(8.0)
    camera, _ = scripted(boxes)
    frames = list(camera.frames())
    nobody = [np.zeros((0, 4), np.float32)] * 150
    later = [replace(frames[0], t=START + 20 + index / FPS, index=index) for index in range(150)]

    run_live(tmp_path, frames, boxes)
    run_live(tmp_path, later, nobody)

    assert [row["direction"] for row in rows(tmp_path, "crossings")] == ["in"]
    assert len(rows(tmp_path, "visits")) == 1
    (gap,) = rows(tmp_path, "gaps")
    assert gap["reason"] == "not running"
    assert gap["gap_s"] == pytest.approx(12, abs=1.5)


def test_what_was_open_when_the_layout_changed_ends_under_the_layout_it_was_seen_with(tmp_path: Path) -> None:
    boxes = walk(5.0)  # now in the zone, and over the line
    camera, _ = scripted(boxes)
    frames = list(camera.frames())
    later = [replace(frames[0], t=START + 60 + index / FPS, index=index) for index in range(90)]
    moved = shop()
    moved = replace(moved, layout=replace(moved.layout, layout_id="layout-2", zones=()))

    run_live(tmp_path, frames, boxes)
    run_live(tmp_path, later, walk(9.0), place=moved)
    nobody = [np.zeros((0, 4), np.float32)] * 20
    run_live(tmp_path, [replace(frame, t=START + 600 + frame.t - START) for frame in frames[:20]], nobody, place=moved)

    (visit,) = rows(tmp_path, "visits")
    first, second = rows(tmp_path, "crossings")
    assert (visit["layout_id"], visit["ended"]) == ("layout-1", "finished")
    assert (first["layout_id"], second["layout_id"]) == ("layout-1", "layout-2")
    assert visit["person_id"] == first["person_id"]
    assert first["person_id"] != second["person_id"]  # both were the first track of their run


def test_a_gap_in_the_recording_is_on_record_as_a_gap_and_not_as_an_empty_shop(tmp_path: Path) -> None:
    blank = np.zeros((SIZE_WH[1], SIZE_WH[0], 3), np.uint8)
    moments = [index / FPS for index in range(50)] + [600 + index / FPS for index in range(50)]
    frames = [Frame(START + t, blank, "door", index) for index, t in enumerate(moments)]

    run_live(tmp_path, frames, [np.zeros((0, 4), np.float32)] * len(frames))

    (gap,) = rows(tmp_path, "gaps")
    (minute,) = rows(tmp_path, "presence")  # the one after the gap is not over yet
    assert gap["gap_s"] == pytest.approx(595, abs=1)
    assert gap["reason"] == "no frames"
    assert minute["watched_s"] == pytest.approx(4.9, abs=0.2)


def test_heat_adds_up_to_the_time_that_people_were_there(tmp_path: Path) -> None:
    run_file(tmp_path, walk(9.0))

    assert sum(row["seconds"] for row in rows(tmp_path, "heat")) == pytest.approx(9.0, abs=0.5)


def test_a_picture_of_another_shape_than_the_layout_is_refused() -> None:
    camera = shop().layout.cameras[0]

    assert fit_to_layout((1280, 960), camera) == 0.5
    with pytest.raises(InputError, match="another view"):
        fit_to_layout((1280, 720), camera)


def test_who_spends_time_in_a_staff_zone_is_staff_from_then_on(tmp_path: Path) -> None:
    place = shop()
    staff = Zone("office", "Office", "staff", ((0, 0), (7, 0), (7, 12), (0, 12)), stop_s=2.0)
    place = replace(place, layout=replace(place.layout, zones=(staff,)))
    pipeline, recorder = Pipeline(place.layout, "door"), Recorder(place, "door", person_key=b"file")
    found: list[dict[str, Any]] = []
    for index, box in enumerate(walk(9.0)):
        events = pipeline.step(box, np.array([0.9], np.float32), START + index / FPS)
        found += recorder.rows(events).get("crossings", [])
    found += recorder.rows(pipeline.finish()).get("crossings", [])

    assert Counter(row["role"] for row in found) == {"staff": 1}


def open_file(home: Path, video: Path, **how: str) -> None:
    settings = load_settings({"VITRINA_HOME": str(home)})
    _, _, sink = open_recording(
        FileCamera(video, camera_id="door"), shop(), "door", lake=open_lake(home), settings=settings, how=how
    )
    sink.close()


def test_a_recording_is_not_watched_again_in_another_way(tmp_path: Path) -> None:
    video = write_video(tmp_path / "clip.mp4", [0.0, 0.1])
    open_file(tmp_path, video, input="320x416")
    open_file(tmp_path, video, input="320x416")

    with pytest.raises(ConflictError, match=r"input 320x416 \(now 256x352\)"):
        open_file(tmp_path, video, input="256x352")


def test_a_copy_of_a_recording_is_the_same_recording(tmp_path: Path) -> None:
    video = write_video(tmp_path / "clip.mp4", [0.0, 0.1])
    copy = tmp_path / "copy.mp4"
    copy.write_bytes(video.read_bytes())
    os.utime(copy, (1_700_000_000, 1_700_000_000))
    open_file(tmp_path, video, input="320x416")

    with pytest.raises(ConflictError):
        open_file(tmp_path, copy, input="256x352")


def test_rows_that_the_disk_did_not_take_are_written_with_the_next(tmp_path: Path) -> None:
    settings = load_settings({"VITRINA_HOME": str(tmp_path)})
    *_, sink = open_live(shop(), "door", lake=open_lake(tmp_path), settings=settings, version=lambda _: shop())
    run_file(tmp_path / "other", walk(8.0))
    crossings, visits = rows(tmp_path / "other", "crossings"), rows(tmp_path / "other", "visits")
    journal = tmp_path / "journal" / "riga-1" / "door"

    journal.rename(journal.with_name("away"))
    sink.note({"crossings": crossings})
    with pytest.raises(StorageError, match="cannot be written"):
        sink.keep()
    journal.with_name("away").rename(journal)
    sink.note({"visits": visits})
    sink.close()

    assert rows(tmp_path, "crossings") == crossings
    assert rows(tmp_path, "visits") == visits
