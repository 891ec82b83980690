"""Watches one camera: frames in, rows in the lake out. The edge where camera, detector, pipeline and lake meet."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from threading import Event
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from vitrina.errors import ConflictError, InputError
from vitrina.floor.camera import Camera, FileCamera, Health, thin
from vitrina.floor.camera.checkup import Checkup
from vitrina.floor.empty import EmptyPicture, to_jpeg
from vitrina.floor.frame import Frame
from vitrina.floor.healthlog import HealthSpan
from vitrina.floor.layout import CameraLayout, Shop
from vitrina.floor.look import Look
from vitrina.floor.pipeline import Events, Pipeline
from vitrina.floor.record import Recorder, Rows
from vitrina.floor.resume import Resumed, resume
from vitrina.settings import Settings
from vitrina.storage.journal import Journal
from vitrina.storage.lake import Lake
from vitrina.storage.replay import Replay
from vitrina.storage.secrets import SecretBox

logger = logging.getLogger(__name__)

NOTE_EVERY_S = 1.0
PICTURE_EVERY_S = 300.0
RATE_OVER = 50


class Looking(Protocol):
    """What finds people: `Looker` does. A test or a replay can bring its own."""

    def look(self, frames: Sequence[Frame]) -> list[Look]: ...


@dataclass(slots=True)
class Watch:
    """How it is going, for a progress bar. frames: analysed ones. fps: analysed a second, lately."""

    health: Health
    frames: int = 0
    people: int = 0
    t: float | None = None
    rows: int = 0
    totals: dict[str, dict[str, int]] = field(default_factory=dict)
    inside: dict[str, int] = field(default_factory=dict)
    _finished: deque[float] = field(default_factory=lambda: deque(maxlen=RATE_OVER))

    @property
    def fps(self) -> float:
        if len(self._finished) < 2:
            return 0.0
        return (len(self._finished) - 1) / max(self._finished[-1] - self._finished[0], 1e-9)

    def note(self, frame: Frame, events: Events, rows: Rows) -> None:
        self.frames += 1
        self.t = frame.t
        self.people = len(events.placed[-1].track_ids) if events.placed else self.people
        self.rows += sum(map(len, rows.values()))
        self._finished.append(time.monotonic())


class Sink(Protocol):
    """Where rows go. `keep`: what was noted is safe on this disk. `finish` when the source came to its end; `close` in
    any case, and nothing is left behind.
    """

    def note(self, rows: Rows) -> None: ...
    def keep(self) -> None: ...
    def finish(self) -> None: ...
    def close(self) -> None: ...


class LiveSink:
    """For a camera that cannot be watched again: rows and state go to a journal about once a second.

    A thread writes, so that a slow disk holds up no camera; what was not written when the worker is killed is as if
    those frames had never come.
    """

    def __init__(self, journal: Journal, going_on: Resumed) -> None:
        self._journal = journal
        self._going_on = going_on
        self._rows: Rows = {}
        self._due = time.monotonic()
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="note")
        self._under_way: tuple[Rows, Future[None]] | None = None
        if going_on.rows:
            self.note(going_on.rows)

    def note(self, rows: Rows) -> None:
        """Raises StorageError when what was written last is not on the disk; it is tried again with the next."""
        for table, some in rows.items():
            self._rows.setdefault(table, []).extend(some)
        if time.monotonic() >= self._due and (self._under_way is None or self._under_way[1].done()):
            self._write()
            self._due = time.monotonic() + NOTE_EVERY_S

    def keep(self) -> None:
        self._write()
        self._settle()

    def finish(self) -> None:
        """A live camera comes to no end: what is open goes on with the next start."""

    def close(self) -> None:
        """Who waits to be placed waits for the next worker, as after a crash."""
        try:
            self.keep()
        finally:
            self._writer.shutdown()
            self._journal.close()

    def _write(self) -> None:
        self._settle()
        draft = self._journal.entry(self._rows, self._going_on.state())
        self._under_way = self._rows, self._writer.submit(self._journal.put, draft)
        self._rows = {}

    def _settle(self) -> None:
        """Wait for the write that is under way; what it could not write is there again."""
        if self._under_way is None:
            return
        (written, write), self._under_way = self._under_way, None
        try:
            write.result()
        except BaseException:
            self._rows = {name: [*written.get(name, []), *self._rows.get(name, [])] for name in written | self._rows}
            raise


class FileSink:
    """For a recording: watching it again makes the same rows, so what is in the lake already is skipped.

    Cut short, the file's open visits are not ended: the next run of the same file comes past them.
    """

    def __init__(self, replay: Replay, pipeline: Pipeline, recorder: Recorder) -> None:
        self.replay = replay
        self._pipeline = pipeline
        self._recorder = recorder

    def note(self, rows: Rows) -> None:
        self.replay.add(rows)

    def keep(self) -> None:
        """Nothing needs to be: the file is still there."""

    def finish(self) -> None:
        self.replay.add(self._recorder.rows(self._pipeline.finish()))
        self.replay.add(self._recorder.finish())

    def close(self) -> None:
        self.replay.close()


class CameraWatch:
    """One camera under watch: what was found in a frame becomes rows, and its picture that of the empty shop.

    picture: where the picture of the empty shop is kept (JPEG). picture_every_s: how often it is made anew.
    checkup: of a live camera, whose health is put on record.
    """

    def __init__(
        self,
        layout: CameraLayout,
        health: Health,
        opened: tuple[Pipeline, Recorder, Sink],
        *,
        picture: Path | None = None,
        picture_every_s: float = PICTURE_EVERY_S,
        checkup: Checkup | None = None,
    ) -> None:
        self.layout = layout
        self.state = Watch(health)
        self.pipeline, self._recorder, self.sink = opened
        self._recorder.why = health.reason_for
        self._empty = EmptyPicture()
        self._checkup = checkup
        self._picture, self._picture_every_s = picture, picture_every_s
        self._picture_due = 0.0

    def step(self, frame: Frame, boxes_xyxy: NDArray[np.float32], scores: NDArray[np.float32]) -> None:
        """boxes_xyxy: (N, 4) pixels of the frame. Raises InputError for a picture of another view."""
        scale = fit_to_layout(frame.size_wh, self.layout)
        events = self.pipeline.step(boxes_xyxy * scale, scores, frame.t)
        rows = self._recorder.rows(events)
        self.sink.note(rows)
        self._empty.add(frame.rgb, boxes_xyxy, frame.t)
        if self._checkup is not None:
            self._checkup.look(frame, self._empty)
        if self._picture is not None and self._empty.ready and frame.t >= self._picture_due:
            _try_to_save(self._empty, self._picture)
            self._picture_due = frame.t + self._picture_every_s
        self.state.note(frame, events, rows)
        self.state.totals, self.state.inside = self.pipeline.totals(), self.pipeline.inside()

    def tend(self) -> None:
        """Every second or two, also while no frames come: the camera's health is put on record."""
        if self._checkup is not None:
            self._note(self._checkup.note())

    def close(self) -> None:
        """Put away what there is. Nothing is lost on the way out."""
        try:
            if self._checkup is not None:
                self._note(self._checkup.finish())
            self.sink.close()
        finally:
            if self._picture is not None and self._empty.ready:
                _try_to_save(self._empty, self._picture)

    def _note(self, spans: Sequence[HealthSpan]) -> None:
        if spans:
            self.sink.note({"health": [self._recorder.health_row(span) for span in spans]})


def watch(
    camera: Camera, under: CameraWatch, *, looker: Looking, fps: float, stop: Event | None = None
) -> Iterator[Watch]:
    """Watch frame by frame until the camera ends or `stop` is set; yields after every analysed frame.

    fps: at most so many frames a second are analysed.
    """
    try:
        for frame in thin(camera.frames(), fps=fps):
            if stop is not None and stop.is_set():
                return
            (look,) = looker.look([frame])
            under.step(frame, look.boxes_xyxy, look.scores)
            yield under.state
        under.sink.finish()
    finally:
        under.close()


def open_recording(
    camera: FileCamera, shop: Shop, camera_slug: str, *, lake: Lake, settings: Settings, how: dict[str, str]
) -> tuple[Pipeline, Recorder, FileSink]:
    """What `watch` needs for a file. Its identity is content, beginning, camera and layout: rows of it land once.

    how: what else decides the rows (detector, input, frame rates). Raises ConflictError when the recording was
    watched otherwise before, because skipping what is there would then mix two stories.
    """
    # A copy has another modification time and is the same recording.
    began = "" if camera.start_is_guessed else str(camera.start.timestamp())
    identity = f"{shop.slug}/{camera_slug}/{began}/{shop.layout.layout_id}/{fingerprint(camera.path)}"
    writer_id = "file." + hashlib.blake2b(identity.encode(), digest_size=16).hexdigest()
    _check_how(settings.home / "recordings" / f"{writer_id}.json", how | {"start": camera.start.isoformat()}, camera)
    recorder = Recorder(shop, camera_slug, person_key=SecretBox(settings.home).derive(identity))
    replay = Replay(lake, writer_id=writer_id, commit_s=settings.lake_commit_s, commit_rows=settings.lake_commit_rows)
    pipeline = Pipeline(shop.layout, camera_slug)
    return pipeline, recorder, FileSink(replay, pipeline, recorder)


def _check_how(path: Path, how: dict[str, str], camera: FileCamera) -> None:
    """The first run writes down how it watched; later ones must do the same."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        draft = path.with_suffix(f".{os.getpid()}")
        draft.write_text(json.dumps(how), encoding="utf-8")
        draft.rename(path)  # whole or not at all: half a note would refuse every later run
        return
    before = json.loads(path.read_text(encoding="utf-8"))
    if camera.start_is_guessed:
        camera.start = datetime.fromisoformat(before["start"])
    changed = [f"{name} {before.get(name)} (now {value})" for name, value in how.items() if before.get(name) != value]
    changed = [one for one in changed if not (camera.start_is_guessed and one.startswith("start "))]
    if changed:
        raise ConflictError(
            f"{camera.path}: this recording is in the lake already, watched with {', '.join(changed)}. "
            "Watch it with the same values to complete it, or as another recording with another --start."
        )


def open_live(
    shop: Shop,
    camera_slug: str,
    *,
    lake: Lake,
    settings: Settings,
    version: Callable[[str], Shop],
    how: Mapping[str, str] | None = None,
) -> tuple[Pipeline, Recorder, LiveSink]:
    """What a `CameraWatch` needs for a camera that runs now, going on from where its last worker ended, however.

    version: the shop under an earlier layout, by its id: what was open then ends under what it was seen with.
    how: what else decides what is seen (detector, input): with another, people are not taken for those of before.
    """
    journal = Journal(
        settings.home / "journal" / shop.slug / camera_slug,
        lake,
        writer_id=f"camera.{shop.slug}.{camera_slug}",
        commit_s=settings.lake_commit_s,
        commit_rows=settings.lake_commit_rows,
    )
    try:
        going_on = resume(journal.restore(), shop, camera_slug, how=how or {}, version=version)
        sink = LiveSink(journal, going_on)
    except BaseException:
        journal.close()
        raise
    return going_on.pipeline, going_on.recorder, sink


def fit_to_layout(size_wh: tuple[int, int], camera: CameraLayout) -> float:
    """By what pixels of the picture are multiplied to be pixels of the layout.

    Raises InputError when the picture has another shape than the one that the layout was drawn on.
    """
    (width, height), (drawn_width, drawn_height) = size_wh, camera.size_wh
    if abs(width * drawn_height - height * drawn_width) > 0.02 * width * drawn_height:
        raise InputError(
            f"camera {camera.slug}: the layout was drawn on {drawn_width}×{drawn_height} pixels, the picture has "
            f"{width}×{height}, which is another view. Set the camera's size and draw its points, zones and lines anew."
        )
    return drawn_width / width


def picture_path(home: Path, shop: str, camera: str) -> Path:
    return home / "pictures" / shop / f"{camera}.jpg"


def _try_to_save(empty: EmptyPicture, path: Path) -> None:
    """A full disk costs the picture, not the rows."""
    try:
        save_picture(empty, path)
    except OSError as error:
        logger.warning("the picture of the empty shop was not saved: %s: %s", path, error.strerror)


def save_picture(empty: EmptyPicture, path: Path) -> None:
    picture = empty.picture()
    if picture is None:
        return
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = path.with_suffix(".draft")
    draft.write_bytes(to_jpeg(picture))
    draft.replace(path)


def fingerprint(path: Path) -> str:
    """SHA-256 of the file, hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
