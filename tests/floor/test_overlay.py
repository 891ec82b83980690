from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import av
import numpy as np
import pytest

from vitrina.floor.geometry.ground import fit_ground
from vitrina.floor.layout import CameraLayout, Layout, Line, Plan, Zone
from vitrina.floor.overlay import LINE_COLOUR, Overlay, VideoFile
from vitrina.floor.pipeline import Pipeline, Placed

SIZE_WH = (320, 240)
CORNERS_PX = ((0, 0), (320, 0), (320, 240), (0, 240))
CORNERS_M = ((0, 0), (8, 0), (8, 6), (0, 6))


def layout() -> Layout:
    camera = CameraLayout("door", "Door", "clip.mp4", SIZE_WH, fit_ground(CORNERS_PX, CORNERS_M, SIZE_WH))
    zone = Zone("shelf", "Shelf", "section", ((4, 1), (7, 1), (7, 5), (4, 5)))
    line = Line("entrance", "Entrance", "entrance", (100, 200), (100, 40), "door")
    return Layout("layout-1", datetime(2026, 1, 1, tzinfo=UTC), Plan(8, 6), (camera,), (zone,), (line,))


def placed(t: float, *boxes: tuple[float, ...]) -> Placed:
    count = len(boxes)
    return Placed(t, np.arange(count), np.array(boxes, np.float32).reshape(-1, 4), np.full((count, 2), np.nan))


def painter() -> tuple[Overlay, Pipeline]:
    plan = layout()
    return Overlay(plan, plan.cameras[0]), Pipeline(plan, "door")


def test_lines_zones_and_people_are_drawn_where_they_are() -> None:
    overlay, pipeline = painter()
    blank = np.zeros((240, 320, 3), np.uint8)

    drawn = overlay.draw(blank, placed(0.0, (200, 100, 220, 160)), pipeline)

    assert tuple(drawn[150, 100]) == LINE_COLOUR
    assert drawn[130, 200].max() > 100  # the box's left side
    assert drawn[60, 170].any()  # the tint of the zone
    assert not drawn[230, 20].any()  # nothing where nothing is
    assert not blank.any()  # the frame itself stays as it was


def test_a_frame_of_another_size_is_drawn_in_the_layouts_size() -> None:
    overlay, pipeline = painter()

    assert overlay.draw(np.zeros((480, 640, 3), np.uint8), placed(0.0), pipeline).shape == (240, 320, 3)


def test_trails_are_forgotten_when_people_have_gone() -> None:
    overlay, pipeline = painter()
    blank = np.zeros((240, 320, 3), np.uint8)
    for second in range(100):
        overlay.draw(blank, placed(float(second), (10, 10, 20, 60)), pipeline)

    assert sum(len(trail) for trail in overlay._trails.values()) <= 4


@pytest.mark.parametrize("suffix", [".mp4", ".webm"])
def test_the_video_plays_with_the_frames_own_times_and_even_sides(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"seen{suffix}"
    with VideoFile(path, (321, 241), fps=10) as video:
        for t in (100.0, 100.1, 100.5):
            video.write(np.full((241, 321, 3), 90, np.uint8), t)

    with av.open(str(path)) as container:
        frames = list(container.decode(video=0))
    assert [round(frame.time, 2) for frame in frames] == [0.0, 0.1, 0.5]
    assert (frames[0].width, frames[0].height) == (320, 240)
    assert frames[0].to_ndarray(format="rgb24").mean() == pytest.approx(90, abs=4)
