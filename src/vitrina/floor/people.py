"""Where people are in one picture, and the input size at which the detector sees them best."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from vitrina.errors import InputError
from vitrina.models.layouts import LAYOUTS, SCORE_FLOOR, Reading, read_people
from vitrina.models.manifest import Model, read_content
from vitrina.models.picture import Placement, fit_picture, to_tensor
from vitrina.models.session import Session

Boxes = NDArray[np.float32]

STEP_PX = 32
"""Sides of the input are multiples of this."""

WIDE_PX = 320 * 416
"""Input pixels for a view that nobody has been seen in yet: the right size for wide views."""

SMALLEST_PX, LARGEST_PX = 86_000, 310_000
"""Inputs tried: from about 256×352 (19 ms on one thread) to about 480×640 (60 ms)."""

HEIGHT_PX = (40.0, 100.0)
"""Heights of people in the input at which the detector finds most of them (36–100 px, with a margin below, since
nobody promises that the farthest person comes first)."""

LOOK_FRAMES = 50
SURE = 0.45
"""Score from which a box is taken for a person when heights are measured."""

FEWEST = 20
"""Heights needed before they say anything."""


class PeopleFinder(Protocol):
    """What the pipeline needs of a detector. A test or a replay can bring its own."""

    def detect(self, frame_rgb: NDArray[np.uint8]) -> tuple[Boxes, NDArray[np.float32]]: ...


class PersonDetector:
    """A person detector with its input size. One per worker: it holds one thread's session.

    input_hw: multiples of 32; ignored by a model whose input is fixed. None: the size for wide views.
    floor: boxes with a lower score are dropped; the tracker judges the rest.
    """

    def __init__(
        self,
        model: Model,
        *,
        input_hw: tuple[int, int] | None = None,
        floor: float = SCORE_FLOOR,
        provider: str = "cpu",
    ) -> None:
        self.model = model
        self.floor = floor
        self._session = Session(read_content(model), name=model.name, provider=provider)
        self._layout = LAYOUTS[model.layout]
        self._input_hw = self._session.input_hw or (check_input_hw(input_hw) if input_hw else None)

    @property
    def is_fixed(self) -> bool:
        """Whether the model takes one input size only, so that there is nothing to choose."""
        return self._session.input_hw is not None

    def use_input(self, input_hw: tuple[int, int]) -> None:
        """Look at pictures in this size from now on."""
        if not self.is_fixed:
            self._input_hw = check_input_hw(input_hw)

    def input_hw(self, size_wh: tuple[int, int]) -> tuple[int, int]:
        """The input size for a camera of `size_wh`."""
        return self._input_hw or wide_input_hw(size_wh)

    @property
    def takes_parts(self) -> bool:
        """Whether parts of pictures, laid side by side, may stand in place of a picture: of any size, near and far.

        Detectors that judge each spot by its surroundings can; those that attend to the whole picture cannot.
        """
        return self._layout.overlaps and not self.is_fixed

    def detect(self, frame_rgb: NDArray[np.uint8]) -> tuple[Boxes, NDArray[np.float32]]:
        """(H, W, 3) uint8 → boxes_xyxy (N, 4) float32, pixels of the picture; scores (N,), best first."""
        height, width = frame_rgb.shape[:2]
        canvas_rgb, placement = self.fit(frame_rgb, self.input_hw((width, height)))
        boxes_xyxy, scores = self.find(canvas_rgb)
        boxes_xyxy = placement.to_picture(boxes_xyxy)
        inside = (boxes_xyxy[:, 2:] > boxes_xyxy[:, :2]).all(axis=1)
        return boxes_xyxy[inside], scores[inside]

    def fit(self, frame_rgb: NDArray[np.uint8], input_hw: tuple[int, int]) -> tuple[NDArray[np.uint8], Placement]:
        """The picture in the input's size, and where it lies in it."""
        return fit_picture(frame_rgb, input_hw, self.model.preparation)

    def find(self, canvas_rgb: NDArray[np.uint8]) -> tuple[Boxes, NDArray[np.float32]]:
        """(H, W, 3) uint8 in the input's size → boxes_xyxy (N, 4) pixels of it, scores (N,), best first."""
        height, width = canvas_rgb.shape[:2]
        reading = Reading((height, width), self.model.person_class, self.floor)
        return read_people(self._session.run(to_tensor(canvas_rgb, self.model.preparation)), self._layout, reading)


def check_input_hw(input_hw: tuple[int, int]) -> tuple[int, int]:
    """InputError unless both sides are multiples of 32 that make sense."""
    height, width = input_hw
    if any(side % STEP_PX or not STEP_PX <= side <= 2048 for side in input_hw):
        raise InputError(
            f"input size: expected height x width in multiples of {STEP_PX} up to 2048, such as 320x416; "
            f"got {height}x{width}"
        )
    return input_hw


def parse_input_hw(text: str) -> tuple[int, int]:
    """'320x416' → (320, 416); InputError when it is something else."""
    height, _, width = text.lower().partition("x")
    if not (height.isdecimal() and width.isdecimal()):
        raise InputError(f"input size: expected height x width, such as 320x416; got {text!r}")
    return check_input_hw((int(height), int(width)))


def choose_input_hw(heights_px: NDArray[np.float32], size_wh: tuple[int, int]) -> tuple[int, int]:
    """The detector's input (height, width) for a camera, from the heights of people in its picture.

    heights_px: (N,) pixels of the picture of `size_wh`. The cheapest size of the camera's aspect in which the
    shortest tenth is at least 40 px high and the tallest tenth at most 100; where no size does both, the size nearest
    to the middle. Fewer than 20 heights say nothing: the size for wide views.
    """
    if len(heights_px) < FEWEST:
        return wide_input_hw(size_wh)
    short, tall = np.quantile(heights_px, [0.1, 0.9])
    low, high = HEIGHT_PX[0] / short, HEIGHT_PX[1] / tall
    if low > high:
        low = high = float(np.sqrt(low * high))
    sizes = [hw for hw in input_sizes(size_wh) if SMALLEST_PX <= hw[0] * hw[1] <= LARGEST_PX]
    return min(sizes, key=lambda hw: (_miss(_scale(hw, size_wh), low, high), hw[0] * hw[1]))


def wide_input_hw(size_wh: tuple[int, int]) -> tuple[int, int]:
    """The input of the camera's aspect whose pixels are nearest to 320 × 416."""
    return min(input_sizes(size_wh), key=lambda hw: abs(np.log(hw[0] * hw[1] / WIDE_PX)))


def input_sizes(size_wh: tuple[int, int]) -> list[tuple[int, int]]:
    """All inputs of the camera's aspect, as near as multiples of 32 come to it, by the longer side."""
    width, height = size_wh
    if min(size_wh) < 1:
        raise InputError(f"picture size: expected width and height in pixels, got {width}x{height}")
    sides = range(STEP_PX, 2048 + STEP_PX, STEP_PX)
    if width >= height:
        return [(_multiple(side * height / width), side) for side in sides]
    return [(side, _multiple(side * width / height)) for side in sides]


def people_heights(
    finder: PeopleFinder, frames_rgb: Iterable[NDArray[np.uint8]], *, count: int = LOOK_FRAMES
) -> NDArray[np.float32]:
    """Heights (N,) px of the people in the first `count` frames; people cut off by the picture's edge are left out."""
    heights: list[NDArray[np.float32]] = [np.empty(0, np.float32)]
    for frame_rgb in islice(frames_rgb, count):
        boxes_xyxy, scores = finder.detect(frame_rgb)
        whole = (boxes_xyxy[:, 1] > 1) & (boxes_xyxy[:, 3] < frame_rgb.shape[0] - 1) & (scores >= SURE)
        heights.append(boxes_xyxy[whole, 3] - boxes_xyxy[whole, 1])
    return np.concatenate(heights)


def fit_input(
    detector: PersonDetector, frames_rgb: Iterable[NDArray[np.uint8]], size_wh: tuple[int, int]
) -> tuple[int, int]:
    """Look at the first frames, let the detector use the size they ask for, and return it."""
    if not detector.is_fixed:
        detector.use_input(wide_input_hw(size_wh))
        detector.use_input(choose_input_hw(people_heights(detector, frames_rgb), size_wh))
    return detector.input_hw(size_wh)


def _multiple(side: float) -> int:
    return max(STEP_PX, round(side / STEP_PX) * STEP_PX)


def _scale(input_hw: tuple[int, int], size_wh: tuple[int, int]) -> float:
    return min(input_hw[0] / size_wh[1], input_hw[1] / size_wh[0])


def _miss(scale: float, low: float, high: float) -> float:
    """How far a scale lies outside low…high, as the logarithm of the factor."""
    return round(float(max(np.log(low / scale), np.log(scale / high), 0.0)), 9)
