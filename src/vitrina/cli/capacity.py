"""`vitrina doctor --cameras FILE`: how many cameras like this one the box carries, and what one costs."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from vitrina.cli import video
from vitrina.errors import InputError
from vitrina.floor.camera import FileCamera
from vitrina.floor.people import LOOK_FRAMES, fit_input
from vitrina.floor.worker.capacity import Played, Task, play_on_all, together
from vitrina.settings import Settings

RESERVE = 0.25
"""This share of the processors is left for pages, the lake and hours busier than the clip."""


@dataclass(frozen=True, slots=True)
class Price:
    """Of the box, in any currency, and the years over which it is written off."""

    box: float
    years: float

    def __post_init__(self) -> None:
        if not (self.box > 0 and self.years > 0):
            raise InputError(f"--box-price and --years: expected numbers above 0, got {self.box:g} and {self.years:g}")


@dataclass(frozen=True, slots=True)
class Capacity:
    """alone: one process by itself. together: one for each core, at once."""

    clip: Path
    size_wh: tuple[int, int]
    clip_fps: float
    fps: float
    input_hw: tuple[int, int]
    cores: int
    alone: Played
    together: Played

    @property
    def per_core(self) -> float:
        return self.together.cameras

    @property
    def cameras(self) -> int:
        return math.floor(self.per_core * self.cores * (1 - RESERVE))


def measure(settings: Settings, clip: Path, *, seconds: float) -> Capacity:
    """Takes a little over twice `seconds`. Raises CameraError for a clip that is none."""
    camera = FileCamera(clip, camera_id="clip")
    frames = camera.frames()
    first = next(frames)
    detector = video.open_detector(settings)
    input_hw = fit_input(detector, (frame.rgb for frame in islice(frames, LOOK_FRAMES)), first.size_wh)
    task = Task(clip, detector.model, input_hw, settings.analysis_fps, seconds)
    cores = len(os.sched_getaffinity(0))
    alone = play_on_all(task, processes=1)
    everywhere = play_on_all(task, processes=cores) if cores > 1 else alone
    return Capacity(
        clip, first.size_wh, camera.fps_used, settings.analysis_fps, input_hw, cores, alone[0], together(everywhere)
    )


def report(
    console: Console, settings: Settings, clip: Path, *, seconds: float, price: Price | None, as_json: bool
) -> None:
    with Console(stderr=True).status(f"watching {clip.name} as fast as it goes, {2 * seconds:.0f} s …"):
        found = measure(settings, clip, seconds=seconds)
    if as_json:
        console.print_json(data=_as_json(found, price))
    else:
        _print(console, found, price)


def _as_json(found: Capacity, price: Price | None) -> dict[str, Any]:
    answer: dict[str, Any] = {
        "clip": str(found.clip),
        "picture": list(found.size_wh),
        "clip_fps": round(found.clip_fps, 3),
        "analysis_fps": found.fps,
        "input": f"{found.input_hw[0]}x{found.input_hw[1]}",
        "cores": found.cores,
        "cameras_per_core_alone": round(found.alone.cameras, 2),
        "cameras_per_core": round(found.per_core, 2),
        "reserve": RESERVE,
        "cameras": found.cameras,
        "looked_share": round(found.together.share, 4),
        "people": round(found.together.people / max(1, found.together.frames), 2),
        "ms_a_camera_frame": {name: round(ms, 3) for name, ms in _parts_ms(found.together).items()},
    }
    if price is not None and found.cameras:
        answer["price_a_camera"] = round(price.box / found.cameras, 2)
        answer["price_a_camera_and_year"] = round(price.box / found.cameras / price.years, 2)
    return answer


def _print(console: Console, found: Capacity, price: Price | None) -> None:
    told = _as_json(found, price)
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    width, height = found.size_wh
    table.add_row("clip", f"{found.clip.name}: {width}×{height}, {told['clip_fps']:g} frames/s")
    table.add_row("people in a picture", f"{told['people']:g} (mean)")
    table.add_row("looked at", f"{told['looked_share']:.0%} of the picture (mean)")
    for name, ms in told["ms_a_camera_frame"].items():
        table.add_row(f"  {name}", f"{ms:.2f} ms of a core a camera frame")
    table.add_row("one core carries", f"{told['cameras_per_core']:g} cameras like this, with all cores at work")
    table.add_row("", f"{told['cameras_per_core_alone']:g} with one core at work")
    carries = f"{found.cameras} cameras at {found.fps:g} frames/s"
    table.add_row("[bold]this box carries[/]", f"[bold]{carries}[/], on {found.cores} cores")
    if price is not None and "price_a_camera" in told:
        yearly = f"{told['price_a_camera_and_year']:.2f} a year over {price.years:g} years"
        table.add_row("one camera costs", f"{told['price_a_camera']:.2f}, which is {yearly}")
    console.print(table)
    console.print(
        "How it was measured: the clip was played over and over as fast as it goes, every picture decoded, "
        f"{found.fps:g} a second looked at by the detector that runs here (input {told['input']}), tracked, counted; "
        "first in one process, then in one for each core; the first quarter of the time does not count. "
        f"{RESERVE:.0%} of the cores are left for pages, the lake and busier hours. A busier clip gives fewer cameras: "
        "take one of your busiest hour.",
        style="dim",
    )


def _parts_ms(played: Played) -> dict[str, float]:
    """Processor time for each analysed frame; decoding includes the pictures between."""
    n = max(1, played.frames)
    parts = {"decoding": played.decode_s, "looking": played.look_s, "tracking and counting": played.rest_s}
    return {name: 1000 * seconds / n for name, seconds in parts.items()}
