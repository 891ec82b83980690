"""How many cameras a machine carries: a clip is watched as fast as it goes, in one process and in one for each core.

What is measured is all that a worker does for a camera but the journal: decoding every picture, looking where
something moved, tracking, counting, rows. The clip is played again and again; the seconds of it that pass for each
second of processor time are how many such cameras one core carries.
"""

from __future__ import annotations

import itertools
import multiprocessing
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from vitrina.floor.camera import LONGEST_PX, FileCamera
from vitrina.floor.frame import Frame
from vitrina.floor.layout import CameraLayout, Layout, Line, Plan, Shop, Zone
from vitrina.floor.look import Looker
from vitrina.floor.people import PersonDetector
from vitrina.floor.pipeline import Pipeline
from vitrina.floor.record import Recorder
from vitrina.models.manifest import Model

WARM_UP = 0.25
"""This share of the time passes before anything is counted: the first look at a picture costs most."""
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
CAMERA = "clip"


@dataclass(frozen=True, slots=True)
class Task:
    """One process' work. fps: frames a second that are analysed. input_hw: the detector's input for the clip."""

    clip: Path
    model: Model
    input_hw: tuple[int, int]
    fps: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Played:
    """What one process did after its warm-up: stream time, and the processor time it took, by part."""

    stream_s: float
    frames: int
    people: int
    share: float
    decode_s: float
    look_s: float
    rest_s: float

    @property
    def cpu_s(self) -> float:
        return self.decode_s + self.look_s + self.rest_s

    @property
    def cameras(self) -> float:
        return self.stream_s / self.cpu_s if self.cpu_s else 0.0


def play_on_all(task: Task, *, processes: int) -> list[Played]:
    """The same in so many processes at once, which share the machine's memory and caches as workers do."""
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, mp_context=spawn) as pool:
        return list(pool.map(play, [task] * processes))


def play(task: Task) -> Played:
    """Watch the clip for `seconds` of the clock. Raises CameraError for what is no video."""
    detector = PersonDetector(task.model)
    looker = Looker(detector)
    looker.set_input(CAMERA, task.input_hw)
    clock, decoding, looking, rest = time.thread_time, 0.0, 0.0, 0.0
    began, first_t, t, count, people, share = time.monotonic(), None, 0.0, 0, 0, 0.0
    frames = _frames(task)
    first = next(frames)
    pipeline, recorder = _counting(first)
    while (passed_s := time.monotonic() - began) < task.seconds:
        start = clock()
        frame = next(frames)
        decoded = clock()
        (look,) = looker.look([frame])
        looked = clock()
        events = pipeline.step(look.boxes_xyxy, look.scores, frame.t)
        recorder.rows(events)
        if passed_s < WARM_UP * task.seconds:
            first_t = frame.t
            continue
        t, count, share = frame.t, count + 1, share + look.share
        people += len(events.placed[-1].track_ids) if events.placed else 0
        decoding, looking, rest = decoding + decoded - start, looking + looked - decoded, rest + clock() - looked
    stream_s = t - (first.t if first_t is None else first_t) if count else 0.0
    return Played(stream_s, count, people, share / max(1, count), decoding, looking, rest)


def _frames(task: Task) -> Iterator[Frame]:
    """The clip over and over; time goes on."""
    start = EPOCH
    for _ in itertools.count():
        clip = FileCamera(task.clip, camera_id=CAMERA, start=start, fps_wanted=task.fps, longest_px=LONGEST_PX)
        last = start
        for frame in clip.frames():
            last = datetime.fromtimestamp(frame.t, UTC)
            yield frame
        start = last + timedelta(seconds=1 / task.fps)


def _counting(first: Frame) -> tuple[Pipeline, Recorder]:
    """A line and a zone across the picture, so that counting costs what it costs."""
    width, height = first.size_wh
    zone = Zone("all", "all", "section", ((0, 0), (width, 0), (width, height), (0, height)), CAMERA)
    line = Line("middle", "middle", "entrance", (width / 2, height * 0.1), (width / 2, height * 0.9), CAMERA)
    camera = CameraLayout(CAMERA, CAMERA, CAMERA, first.size_wh)
    layout = Layout("", EPOCH, Plan(1, 1), (camera,), (zone,), (line,))
    shop = Shop("capacity", "capacity", "UTC", "EUR", layout)
    return Pipeline(layout, CAMERA), Recorder(shop, CAMERA, person_key=b"capacity")


def together(played: list[Played]) -> Played:
    """The sum over processes; the shares of the picture averaged."""
    summed = Played(*(sum(getattr(one, name) for one in played) for name in Played.__slots__))
    return replace(summed, share=summed.share / len(played))
