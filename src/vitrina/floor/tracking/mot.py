"""MOT-challenge text files: one box a line, `frame,id,left,top,width,height,score,…`, frames from 1, pixels.

Detections carry the id −1, tracks and ground truth an id that occurs once in a frame. `parse_mot` and `format_mot`
work on text; `read_mot` and `write_mot` are their edges.
Format: Leal-Taixé et al. (2015), "MOTChallenge 2015", section 3.3.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from math import isfinite
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vitrina.errors import InputError, NotFoundError

COLUMNS = "frame,id,left,top,width,height[,score[,…]]"
FEWEST_COLUMNS, MOST_COLUMNS = 6, 10
NO_ID = -1


@dataclass(frozen=True, slots=True, eq=False)
class MotBoxes:
    """The rows of one file, in the order of their frames.

    frames: (N,) int64, from 1.  ids: (N,) int64, −1 for a detection.
    boxes_xyxy: (N, 4) float32, pixels.  scores: (N,) float32, as they stand in the file (1 where it has none).
    """

    frames: NDArray[np.int64]
    ids: NDArray[np.int64]
    boxes_xyxy: NDArray[np.float32]
    scores: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.frames)

    @property
    def last_frame(self) -> int:
        """0 for a file without rows."""
        return int(self.frames[-1]) if len(self) else 0

    def take(self, index: NDArray[np.bool_] | NDArray[np.intp]) -> MotBoxes:
        """Some of the rows; `index` keeps them in the order of their frames."""
        return MotBoxes(self.frames[index], self.ids[index], self.boxes_xyxy[index], self.scores[index])

    def by_frame(self, count: int) -> Iterator[MotBoxes]:
        """Frames 1 … count, those without a box included."""
        edges = np.searchsorted(self.frames, np.arange(1, count + 2))
        for first, end in pairwise(edges):
            yield self.take(np.arange(first, end))


def mot_boxes(rows: list[tuple[int, int, float, float, float, float, float]]) -> MotBoxes:
    """From `(frame, id, x1, y1, x2, y2, score)`, in any order; rows of one frame keep theirs."""
    table = np.array(sorted(rows, key=lambda row: row[0]), dtype=np.float64).reshape(-1, 7)
    return MotBoxes(
        frames=table[:, 0].astype(np.int64),
        ids=table[:, 1].astype(np.int64),
        boxes_xyxy=table[:, 2:6].astype(np.float32),
        scores=table[:, 6].astype(np.float32),
    )


def parse_mot(text: str, *, name: str) -> MotBoxes:
    """Every line is right or InputError says `name:line`, what was expected and what came. No line at all is right."""
    rows = []
    seen: dict[tuple[int, int], int] = {}
    for number, line in enumerate(text.removeprefix("\ufeff").splitlines(), start=1):
        if not line.strip():
            continue
        row = _parse_line(line, where=f"{name}:{number}")
        key = row[:2]
        if row[1] != NO_ID and key in seen:
            raise InputError(
                f"{name}:{number}: expected id {row[1]} once in frame {row[0]}, but line {seen[key]} has it too. "
                f"Detections without an identity carry the id {NO_ID}."
            )
        seen[key] = number
        rows.append(row)
    return mot_boxes(rows)


def format_mot(boxes: MotBoxes) -> str:
    """Ten columns, hundredths of a pixel, Unix line ends; `parse_mot` reads it back."""
    lefts_tops = boxes.boxes_xyxy[:, :2]
    sizes_wh = boxes.boxes_xyxy[:, 2:] - lefts_tops
    numbers = zip(boxes.frames, boxes.ids, lefts_tops, sizes_wh, boxes.scores, strict=True)
    return "".join(
        f"{frame},{track_id},{x:.2f},{y:.2f},{w:.2f},{h:.2f},{score:.4f},-1,-1,-1\n"
        for frame, track_id, (x, y), (w, h), score in numbers
    )


def read_mot(path: Path) -> MotBoxes:
    """NotFoundError without the file, InputError for what is not text in this format."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise NotFoundError(f"{path}: no such file. Expected boxes in MOT-challenge format: {COLUMNS}.") from None
    except UnicodeDecodeError as error:
        raise InputError(
            f"{path}: expected text in MOT-challenge format ({COLUMNS}), but byte {error.start} is not text."
        ) from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}.") from None
    return parse_mot(text, name=str(path))


def write_mot(path: Path, boxes: MotBoxes) -> None:
    """Replaces the file whole: who reads it meanwhile never sees half of it."""
    draft = path.with_name(f".{path.name}.part")
    try:
        draft.write_text(format_mot(boxes), encoding="utf-8")
        draft.replace(path)
    except OSError as error:
        raise InputError(
            f"{path}: cannot be written: {error.strerror}. Is the folder there, and may you write?"
        ) from None


def _parse_line(line: str, *, where: str) -> tuple[int, int, float, float, float, float, float]:
    values = _numbers(line, where=where)
    frame, track_id, left, top, width, height = values[:6]
    if frame != int(frame) or frame < 1:
        raise InputError(f"{where}: expected a whole frame number from 1, got {frame:g}.")
    if track_id != int(track_id):
        raise InputError(f"{where}: expected a whole number as id, got {track_id:g}.")
    if width <= 0 or height <= 0:
        raise InputError(f"{where}: expected a width and height above 0, got {width:g} × {height:g}.")
    score = values[6] if len(values) > FEWEST_COLUMNS else 1.0
    return int(frame), int(track_id), left, top, left + width, top + height, score


def _numbers(line: str, *, where: str) -> list[float]:
    cells = line.split(",")
    if not FEWEST_COLUMNS <= len(cells) <= MOST_COLUMNS:
        raise InputError(
            f"{where}: expected {FEWEST_COLUMNS} to {MOST_COLUMNS} numbers separated by commas ({COLUMNS}), "
            f"got {len(cells)} in {_shortened(line)}."
        )
    return [_number(cell, column, where=where) for column, cell in enumerate(cells, start=1)]


def _number(cell: str, column: int, *, where: str) -> float:
    try:
        value = float(cell)
    except ValueError:
        raise InputError(f"{where}: expected a number in column {column}, got {_shortened(cell)}.") from None
    if not isfinite(value):
        raise InputError(f"{where}: expected a finite number in column {column}, got {_shortened(cell)}.")
    return value


def _shortened(text: str, limit: int = 60) -> str:
    text = text.strip()
    return repr(text if len(text) <= limit else text[:limit] + "…")
