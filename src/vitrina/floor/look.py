"""Looks for people only where something moved. One `Looker` serves every camera of a worker with one detector.

Where nothing moved since a box was found, the box holds: people who stand still stay. Now and then, in turn, each
camera's whole picture is looked at, so that nobody whom the map missed is missed for long.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from vitrina.floor.activity import CELL_STEP, Activity, ActivityMap, Cells, Grey, small_grey
from vitrina.floor.frame import Frame
from vitrina.models.picture import Placement

Boxes = NDArray[np.float32]
Scores = NDArray[np.float32]


class CanvasFinder(Protocol):
    """What the looker needs of a detector: `PersonDetector` has it, a test can bring its own."""

    @property
    def takes_parts(self) -> bool: ...
    def input_hw(self, size_wh: tuple[int, int]) -> tuple[int, int]: ...
    def fit(self, frame_rgb: NDArray[np.uint8], input_hw: tuple[int, int]) -> tuple[NDArray[np.uint8], Placement]: ...
    def find(self, canvas_rgb: NDArray[np.uint8]) -> tuple[Boxes, Scores]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class LookOptions:
    """whole_s: the whole picture is looked at so often while something moves.  still_s: and so often else."""

    whole_s: float = 5.0
    still_s: float = 20.0


@dataclass(frozen=True, slots=True, eq=False)
class Look:
    """The people in one frame. boxes_xyxy: (N, 4) float32, pixels of the frame. scores: (N,).

    share: part of the picture that went through the detector for this frame; 0 where nothing moved.
    cost_s: processor time of this thread that the frame took, its part of shared inferences included.
    """

    boxes_xyxy: Boxes
    scores: Scores
    share: float
    cost_s: float


@dataclass(slots=True)
class _View:
    """What is known of one camera. boxes_xyxy: (N, 4) pixels of the detector's input."""

    size_wh: tuple[int, int]
    input_hw: tuple[int, int]
    activity: ActivityMap
    boxes_xyxy: Boxes = field(default_factory=lambda: np.zeros((0, 4), np.float32))
    scores: Scores = field(default_factory=lambda: np.zeros(0, np.float32))
    t: float = -np.inf
    whole_t: float = -np.inf
    moved_t: float = -np.inf


class Looker:
    """Not for several threads at once: it holds one detector."""

    def __init__(self, detector: CanvasFinder, *, options: LookOptions | None = None) -> None:
        self._detector = detector
        self._options = options or LookOptions()
        self._inputs: dict[str, tuple[int, int]] = {}
        self._views: dict[str, _View] = {}

    def set_input(self, camera_id: str, input_hw: tuple[int, int]) -> None:
        """The detector's input (height, width) for whole pictures of this camera: the scale at which it is seen."""
        self._inputs[camera_id] = input_hw

    def forget(self, camera_id: str) -> None:
        """Look at this camera as if it were new."""
        self._views.pop(camera_id, None)

    def look(self, frames: Sequence[Frame]) -> list[Look]:
        """Each frame's people, in the same order. At most one frame of each camera."""
        return [self._look(frame) for frame in frames]

    def _look(self, frame: Frame) -> Look:
        start = time.thread_time()
        input_hw = self._inputs.get(frame.camera_id) or self._detector.input_hw(frame.size_wh)
        canvas_rgb, placement = self._detector.fit(frame.rgb, input_hw)
        grey = small_grey(canvas_rgb)
        view = self._view(frame, input_hw, grey)
        people = cells_of(view.boxes_xyxy, view.activity.shape)
        activity = view.activity.compare(grey, people)
        whole = bool(activity.busy.any()) or activity.switched or self._is_due(view, frame.t)
        if whole:
            view.boxes_xyxy, view.scores = self._detector.find(canvas_rgb)
        self._learn(view, grey, activity, frame.t, whole=whole)
        boxes_xyxy = placement.to_picture(view.boxes_xyxy)
        inside = (boxes_xyxy[:, 2:] > boxes_xyxy[:, :2]).all(axis=1)
        return Look(boxes_xyxy[inside], view.scores[inside], float(whole), time.thread_time() - start)

    def _view(self, frame: Frame, input_hw: tuple[int, int], grey: Grey) -> _View:
        view = self._views.get(frame.camera_id)
        if view is None or view.size_wh != frame.size_wh or view.input_hw != input_hw or frame.t < view.t:
            view = self._views[frame.camera_id] = _View(frame.size_wh, input_hw, ActivityMap(grey))
        return view

    def _is_due(self, view: _View, t: float) -> bool:
        moved = view.moved_t > view.whole_t
        return t - view.whole_t >= (self._options.whole_s if moved else self._options.still_s)

    def _learn(self, view: _View, grey: Grey, activity: Activity, t: float, *, whole: bool) -> None:
        dt = t - view.t if np.isfinite(view.t) else 0.0
        looked = np.full(view.activity.shape, whole)
        people = cells_of(view.boxes_xyxy, view.activity.shape)
        view.activity.learn(grey, activity, looked=looked, people=people, dt=dt)
        view.moved_t = t if activity.busy.any() else view.moved_t
        view.whole_t = t if whole else view.whole_t
        view.t = t


def cells_of(boxes_xyxy: Boxes, shape: tuple[int, int]) -> Cells:
    """(rows, columns): the cells that boxes (N, 4), pixels of the detector's input, touch."""
    cells = np.zeros(shape, np.bool_)
    for x1, y1, x2, y2 in (boxes_xyxy / CELL_STEP).tolist():
        cells[max(0, int(y1)) : max(0, int(np.ceil(y2))), max(0, int(x1)) : max(0, int(np.ceil(x2)))] = True
    return cells
