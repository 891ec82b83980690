"""`vitrina floor track | count | overlay`: one recording, looked at without touching the lake."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from vitrina.cli.place import choose_camera, find_shop
from vitrina.cli.session import database_session
from vitrina.errors import InputError
from vitrina.floor.camera import FileCamera
from vitrina.floor.frame import Frame
from vitrina.floor.layout import CameraLayout, Layout, Line, Plan, Point, Shop
from vitrina.floor.overlay import Overlay, VideoFile
from vitrina.floor.people import PersonDetector, fit_input, parse_input_hw
from vitrina.floor.pipeline import Events, Pipeline
from vitrina.floor.tracking.mot import read_mot, write_mot
from vitrina.floor.tracking.track import Tracker
from vitrina.floor.tracking.trajectory import TrackLog, track_boxes
from vitrina.floor.watch import fit_to_layout
from vitrina.models.manifest import PERSON_DETECTOR
from vitrina.models.registry import EVERYWHERE, running_model
from vitrina.settings import Settings

Video = Annotated[Path, typer.Argument(help="A video file.", show_default=False)]
Input = Annotated[
    str,
    typer.Option(
        "--input", help="The detector's input, HEIGHTxWIDTH in multiples of 32. Default: by the people's heights."
    ),
]
Fps = Annotated[float | None, typer.Option(help="The true frame rate, where the file's header lies about it.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the answer as JSON.")]

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
VIDEO = "video"


@dataclass(frozen=True, slots=True)
class Recording:
    """A file that is open, with its detector at the right input size. size_wh: of its picture."""

    camera: FileCamera
    detector: PersonDetector
    size_wh: tuple[int, int]
    input_hw: tuple[int, int]

    def frames(self, what: str) -> Iterator[Frame]:
        """All frames, with a progress bar on the terminal."""
        return with_progress(self.camera.frames(), what, duration_s=self.camera.duration_s)


def open_recording(settings: Settings, video: Path, *, input_text: str, fps: float | None) -> Recording:
    """Raises CameraError for what is no video, InputError for an input size that cannot be."""
    camera = FileCamera(video, camera_id=VIDEO, start=EPOCH, fps=fps)
    first = next(iter(camera.frames()))
    detector = open_detector(settings)
    if input_text:
        detector.use_input(parse_input_hw(input_text))
        input_hw = detector.input_hw(first.size_wh)
    else:
        look = FileCamera(video, camera_id=VIDEO, start=EPOCH)
        input_hw = fit_input(detector, (frame.rgb for frame in look.frames()), first.size_wh)
    return Recording(FileCamera(video, camera_id=VIDEO, start=EPOCH, fps=fps), detector, first.size_wh, input_hw)


def open_detector(settings: Settings, *, place: str = EVERYWHERE) -> PersonDetector:
    """The person detector that was promoted for this place, else the one that ships."""
    with database_session(settings) as session:
        return PersonDetector(running_model(session, settings.home, PERSON_DETECTOR, place))


def with_progress(frames: Iterator[Frame], what: str, *, duration_s: float | None) -> Iterator[Frame]:
    """The same frames, with a bar on standard error: share of the file, frames a second, time left."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[frames]} frames, {task.fields[rate]:.0f} fps"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(what, total=duration_s, frames=0, rate=0.0)
        first_t: float | None = None
        for number, frame in enumerate(frames, start=1):
            yield frame
            first_t = frame.t if first_t is None else first_t
            elapsed = progress.tasks[task].elapsed or 1e-9
            progress.update(task, completed=frame.t - first_t, frames=number, rate=number / elapsed)


def track(
    context: typer.Context,
    video: Video,
    mot: Annotated[Path, typer.Option("--mot", help="Where to write the tracks, in MOT-challenge form.")],
    boxes: Annotated[Path | None, typer.Option("--boxes", help="Somebody else's boxes, in MOT-challenge form.")] = None,
    input_size: Input = "",
    fps: Fps = None,
    as_json: AsJson = False,
) -> None:
    """Track people through every frame of a recording and write MOT-challenge rows.

    \b
    Examples:
      vitrina floor track entrance.mp4 --mot tracks.txt
      vitrina floor track entrance.mp4 --mot tracks.txt --input 320x416
      vitrina floor track entrance.mp4 --mot tracks.txt --boxes detections.txt
    """
    if boxes is not None:
        log, summary = _track_given(video, boxes, fps)
    else:
        log, summary = _track_video(open_recording(context.obj, video, input_text=input_size, fps=fps))
    found = log.trajectories()
    write_mot(mot, found)
    summary |= {"tracks": len(set(found.ids.tolist())), "rows": len(found), "mot": str(mot)}
    if as_json:
        Console().print_json(data=summary)
    else:
        Console().print(f"{summary['frames']} frames, {summary['tracks']} tracks, {len(found)} boxes → {mot}")


def _track_video(recording: Recording) -> tuple[TrackLog, dict[str, Any]]:
    tracker, log = Tracker(), TrackLog()
    for frame in recording.frames("tracking"):
        boxes_xyxy, scores = recording.detector.detect(frame.rgb)
        log.add(frame.index + 1, tracker.update(boxes_xyxy, scores, frame.t))
    health = recording.camera.health
    return log, {"frames": health.frames, "input": _size(recording.input_hw), **_health(recording.camera)}


def _track_given(video: Path, boxes: Path, fps: float | None) -> tuple[TrackLog, dict[str, Any]]:
    detections = read_mot(boxes)
    camera = FileCamera(video, camera_id=VIDEO, start=EPOCH, fps=fps)
    times = [frame.t for frame in with_progress(camera.frames(), "reading", duration_s=camera.duration_s)]
    if detections.last_frame > len(times):
        raise InputError(f"{boxes}: has boxes of frame {detections.last_frame}, but {video} has {len(times)} frames.")
    return track_boxes(detections, np.array(times)), {"frames": len(times), "boxes": str(boxes), **_health(camera)}


def count(
    context: typer.Context,
    video: Video,
    line: Annotated[
        str, typer.Option("--line", help='The line A → B in pixels: "x1,y1 x2,y2". In is from its left to its right.')
    ],
    input_size: Input = "",
    fps: Fps = None,
    as_json: AsJson = False,
) -> None:
    """Count who crosses a line in a recording, in and out. Who turns round on the line did not cross it.

    \b
    Examples:
      vitrina floor count entrance.mp4 --line "120,400 520,400"
      vitrina floor count entrance.mp4 --line "120,400 520,400" --json
    """
    a, b = parse_line(line)
    recording = open_recording(context.obj, video, input_text=input_size, fps=fps)
    camera = CameraLayout(VIDEO, VIDEO, str(video), recording.size_wh)
    layout = Layout("", EPOCH, Plan(1, 1), (camera,), (), (Line("line", "line", "entrance", a, b, VIDEO),))
    pipeline = Pipeline(layout, VIDEO)
    crossings = []
    for frame in recording.frames("counting"):
        crossings += pipeline.step(*recording.detector.detect(frame.rgb), frame.t).crossings
    crossings += pipeline.finish().crossings
    answer = {
        "in": sum(crossing.direction == "in" for crossing in crossings),
        "out": sum(crossing.direction == "out" for crossing in crossings),
        "crossings": [{"t_s": round(c.t, 3), "direction": c.direction, "track": c.track_id} for c in crossings],
        "frames": recording.camera.health.frames,
        "input": _size(recording.input_hw),
        **_health(recording.camera),
    }
    if as_json:
        Console().print_json(data=answer)
    else:
        Console().print(f"{answer['in']} in, {answer['out']} out, in {answer['frames']} frames")


def overlay(
    context: typer.Context,
    video: Video,
    shop: Annotated[str, typer.Option(help="A shop's slug or its shop.toml.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Where to write the video (.mp4 or .webm).")],
    camera: Annotated[str, typer.Option(help="Which of the shop's cameras; needed when it has several.")] = "",
    input_size: Input = "",
    fps: Fps = None,
) -> None:
    """Draw what is seen into the recording: people, trails, zones with people in them, lines with their counts.

    \b
    Examples:
      vitrina floor overlay entrance.mp4 --shop riga-1 --out seen.mp4
      vitrina floor overlay entrance.mp4 --shop shop.toml --camera door -o seen.webm
    """
    if out.suffix not in (".mp4", ".webm"):
        raise InputError(f"--out: expected a file that ends in .mp4 or .webm, got {out.name}")
    place = find_shop(context.obj, shop)
    seen_by = choose_camera(place, camera)
    recording = open_recording(context.obj, video, input_text=input_size, fps=fps)
    frames = draw(recording, place, seen_by, out)
    Console().print(f"{frames} frames → {out}")


def draw(recording: Recording, shop: Shop, camera: CameraLayout, out: Path) -> int:
    """Write the overlay, in the size that the layout was drawn in; returns the number of frames."""
    scale = fit_to_layout(recording.size_wh, camera)
    pipeline = Pipeline(shop.layout, camera.slug)
    painter = Overlay(shop.layout, camera)
    waiting: dict[float, Frame] = {}
    with VideoFile(out, camera.size_wh, fps=recording.camera.health.fps_claimed) as video:

        def write(events: Events) -> None:
            for placed in events.placed:
                video.write(painter.draw(waiting.pop(placed.t).rgb, placed, pipeline), placed.t)

        for frame in recording.frames("drawing"):
            boxes_xyxy, scores = recording.detector.detect(frame.rgb)
            waiting[frame.t] = frame
            write(pipeline.step(boxes_xyxy * scale, scores, frame.t))
        write(pipeline.finish())
    return recording.camera.health.frames


def parse_line(text: str) -> tuple[Point, Point]:
    """'x1,y1 x2,y2' → ((x1, y1), (x2, y2)) pixels; InputError when it is something else."""
    try:
        (x1, y1), (x2, y2) = (map(float, point.split(",")) for point in text.split())
    except ValueError as error:
        raise InputError(f'--line: expected two points in pixels, "x1,y1 x2,y2", got {text!r}') from error
    return (x1, y1), (x2, y2)


def _size(input_hw: tuple[int, int]) -> str:
    return f"{input_hw[0]}x{input_hw[1]}"


def _health(camera: FileCamera) -> dict[str, Any]:
    health = camera.health
    return {
        "fps": round(health.fps_got, 2),
        "dropped": health.dropped,
        "damaged": health.damaged,
        "notes": health.notes,
    }
