"""`vitrina floor watch`: cameras in, rows in the lake out."""

from __future__ import annotations

import contextlib
import math
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from datetime import datetime
from itertools import chain, islice
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from vitrina.cli import video
from vitrina.cli.cameras import Doors
from vitrina.cli.lake import open_lake
from vitrina.cli.place import choose_camera, find_shop
from vitrina.cli.session import database_session
from vitrina.errors import InputError
from vitrina.floor.camera import FileCamera
from vitrina.floor.layout import LIVE_SOURCES, CameraLayout, Shop
from vitrina.floor.look import Looker
from vitrina.floor.people import LOOK_FRAMES, PersonDetector, fit_input, parse_input_hw
from vitrina.floor.setup import shops
from vitrina.floor.watch import CameraWatch, Watch, open_recording, picture_path
from vitrina.floor.watch import watch as watch_camera
from vitrina.floor.worker.worker import Wanted, Worker
from vitrina.settings import Settings
from vitrina.storage.database import Database
from vitrina.storage.lake import Lake


def watch(
    context: typer.Context,
    sources: Annotated[
        list[str] | None,
        typer.Argument(
            help="What to watch: a video file, rtsp://…, webcam:0 or loop:FILE; CAMERA=SOURCE when the shop has "
            "several cameras. None: every camera of the shop by its own source.",
            show_default=False,
        ),
    ] = None,
    shop_name: Annotated[str, typer.Option("--shop", help="A shop's slug or its shop.toml.")] = "",
    camera_name: Annotated[str, typer.Option("--camera", help="Only this one of the shop's cameras.")] = "",
    start: Annotated[str, typer.Option(help="When the recording began, ISO 8601. Default: as the file says.")] = "",
    input_size: video.Input = "",
    fps: video.Fps = None,
    as_json: video.AsJson = False,
) -> None:
    """Watch cameras and put what happens into the lake. Ctrl-C loses nothing; the same file twice counts once.

    \b
    Examples:
      vitrina floor watch entrance.mp4 --shop riga-1 --start 2026-11-20T09:00:00+02:00
      vitrina floor watch door=monday-door.mp4 tills=monday-tills.mp4 --shop riga-1
      vitrina floor watch rtsp://192.168.1.20/stream1 --shop riga-1 --camera door
      vitrina floor watch --shop riga-1
    """
    settings: Settings = context.obj
    place = find_shop(settings, shop_name)
    pairs = pair_sources(settings, place, sources or [], only=camera_name)
    live = {layout.slug: source for layout, source in pairs if source.startswith(LIVE_SOURCES)}
    files = [
        (layout, FileCamera(Path(source).expanduser(), camera_id=layout.slug, start=_moment(start), fps=fps))
        for layout, source in pairs
        if layout.slug not in live
    ]
    stop = threading.Event()
    with _stopping(stop), _progress() as progress, ThreadPoolExecutor(len(files) + 1) as pool:
        run = Run(settings, place, open_lake(settings), input_size, progress, stop)
        running = {layout.slug: pool.submit(run.recording, layout, camera) for layout, camera in files}
        watching = pool.submit(run.live, live)
        _wait([*running.values(), watching], stop)
        results = {slug: future.result() for slug, future in running.items()} | watching.result()
    _say(place, [(layout, results[layout.slug]) for layout, _ in pairs], as_json=as_json, cut=stop.is_set())


def _wait(running: list[Future[Any]], stop: threading.Event) -> None:
    """One that fails ends the others in order."""
    done, _ = wait(running, return_when=FIRST_EXCEPTION)
    if any(future.exception() for future in done):
        stop.set()


@dataclass(frozen=True, slots=True)
class Run:
    """What all cameras of one command share."""

    settings: Settings
    place: Shop
    lake: Lake
    input_size: str
    progress: Progress
    stop: threading.Event

    def recording(self, layout: CameraLayout, camera: FileCamera) -> Watch:
        """A file from its first frame to its last, in a thread of its own with a detector of its own."""
        settings, place = self.settings, self.place
        detector = video.open_detector(settings, place=place.slug)
        choose_input(settings, place, layout, camera, detector, self.input_size)
        looker = Looker(detector)
        how = _how(settings, camera, detector, layout)
        opened = open_recording(camera, place, layout.slug, lake=self.lake, settings=settings, how=how)
        picture = picture_path(settings.home, place.slug, layout.slug)
        under = CameraWatch(layout, camera.health, opened, picture=picture, picture_every_s=math.inf)
        task = self.progress.add_task(layout.slug, total=camera.duration_s, state="starting")
        for state in watch_camera(camera, under, looker=looker, fps=settings.analysis_fps, stop=self.stop):
            _show(self.progress, task, state)
        return under.state

    def live(self, sources: dict[str, str]) -> dict[str, Watch]:
        """Cameras that deliver all the time, until somebody ends it: as a worker of `vitrina up` watches them."""
        if not sources:
            return {}
        settings, shop = self.settings, self.place.slug
        input_hw = parse_input_hw(self.input_size) if self.input_size else None
        database = Database(settings.database)
        doors = Doors(settings, database, self.lake)
        wanted = {
            (shop, slug): Wanted("typed", doors.door((shop, slug), source=source, input_hw=input_hw))
            for slug, source in sources.items()
        }
        worker = Worker(settings.home, lambda: wanted, fps=settings.analysis_fps, patient=False)
        tasks = {place: self.progress.add_task(place[1], total=None, state="starting") for place in wanted}

        def show() -> None:
            for place, lane in worker.lanes.items():
                _show(self.progress, tasks[place], lane.watched)

        try:
            worker.run(self.stop, show=show)
        finally:
            database.dispose()
        return {place[1]: lane.watched for place, lane in worker.lanes.items()}


def _how(settings: Settings, camera: FileCamera, detector: PersonDetector, layout: CameraLayout) -> dict[str, str]:
    """What decides the rows of a recording besides the recording."""
    height, width = detector.input_hw(layout.size_wh)
    return {
        "detector": detector.model.name,
        "input": f"{height}x{width}",
        "looking": "where something moves",
        "fps": f"{camera.fps_used:g}",
        "analysis_fps": f"{settings.analysis_fps:g}",
    }


def choose_input(
    settings: Settings, place: Shop, layout: CameraLayout, camera: FileCamera, detector: PersonDetector, text: str
) -> None:
    """The detector's input: as typed, as kept with the camera, or from its first frames; what was found is kept."""
    if text:
        detector.use_input(parse_input_hw(text))
        return
    if layout.input_hw is not None:
        detector.use_input(layout.input_hw)
        return
    with database_session(settings) as session:
        kept = shops.chosen_input(session, place.slug, layout.slug)
    if kept is not None:
        detector.use_input(kept)
        return
    frames = islice(FileCamera(camera.path, camera_id=layout.slug).frames(), LOOK_FRAMES)
    first = next(frames)
    found = fit_input(detector, (frame.rgb for frame in chain([first], frames)), first.size_wh)
    with database_session(settings) as session:
        shops.keep_input(session, place.slug, layout.slug, found)


def pair_sources(
    settings: Settings, place: Shop, sources: list[str], *, only: str = ""
) -> list[tuple[CameraLayout, str]]:
    """Which camera each source stands for. Without sources: every camera (or the `only` one) with its own."""
    if not sources:
        cameras = (choose_camera(place, only),) if only else place.layout.cameras
        if not cameras:
            raise InputError(f"shop {place.slug} has no camera yet: add one to its shop.toml and apply it.")
        with database_session(settings) as session:
            return [(one, shops.camera_source(session, settings.home, place.slug, one.slug)) for one in cameras]
    pairs = []
    for source in sources:
        slug, separator, rest = source.partition("=")
        named = bool(separator) and place.layout.camera(slug) is not None
        pairs.append((choose_camera(place, slug if named else only), rest if named else source))
    if len({camera.slug for camera, _ in pairs}) < len(pairs):
        raise InputError("two sources for one camera: watch them one after the other, or write CAMERA=SOURCE.")
    return pairs


def _moment(text: str) -> datetime | None:
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise InputError(f"--start: expected a moment such as 2026-11-20T09:00:00+02:00, got {text!r}") from error
    if moment.tzinfo is None:
        raise InputError(f"--start: {text} has no time zone: add it, as in {text}+02:00 or {text}Z")
    return moment


@contextlib.contextmanager
def _stopping(stop: threading.Event) -> Iterator[None]:
    """Ctrl-C and SIGTERM set `stop`: cameras finish their frame and put away what they have."""
    before = {number: signal.signal(number, lambda *_: stop.set()) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _progress() -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[state]}"), TimeElapsedColumn())
    return Progress(*columns, console=Console(stderr=True))


def _show(progress: Progress, task: TaskID, state: Watch) -> None:
    health = state.health
    if health.state == "lost":
        progress.update(task, state=f"lost: {health.last_error}")
        return
    trouble = f", {health.dropped} dropped" * bool(health.dropped) + f", {health.damaged} damaged" * bool(
        health.damaged
    )
    trouble += "".join(f", {problem}" for problem in health.problems)
    done = (state.t or 0.0) - (health.first_t or 0.0)
    progress.update(task, completed=done, state=f"{state.fps:.0f} fps, {state.people} people{trouble}")


def _say(place: Shop, results: list[tuple[CameraLayout, Watch]], *, as_json: bool, cut: bool) -> None:
    """What was seen. Cut short, say how to go on."""
    console = Console()
    answers = [
        {
            "camera": layout.slug,
            "frames": state.frames,
            "fps": round(state.health.fps_got, 2),
            "rows": state.rows,
            "lines": state.totals,
            "dropped": state.health.dropped,
            "damaged": state.health.damaged,
            "notes": state.health.notes,
            "complete": not cut,
        }
        for layout, state in results
    ]
    if as_json:
        console.print_json(data={"shop": place.slug, "cameras": answers})
        return
    for answer in answers:
        lines = "; ".join(f"{line}: {n['in']} in, {n['out']} out" for line, n in dict(answer["lines"]).items())  # type: ignore[call-overload]
        console.print(f"{answer['camera']}: {answer['frames']} frames. {lines}")
        for note in answer["notes"]:  # type: ignore[attr-defined]
            console.print(f"  [yellow]{note}[/]")
    if cut:
        console.print("Stopped. What was seen is kept; the same command goes on where this one ended.")
