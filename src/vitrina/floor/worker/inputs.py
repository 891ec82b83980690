"""The detector's input of a live camera, chosen from the people who come by first, without a look of its own."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from vitrina.floor.people import FEWEST, LOOK_FRAMES, SURE, choose_input_hw

InputHw = tuple[int, int]


class InputChoice:
    """Looks on until there were enough people: at night nobody is there to be measured.

    keep_it: called once with what was chosen, by `keep`.
    """

    def __init__(self, keep_it: Callable[[InputHw], None]) -> None:
        self._keep_it = keep_it
        self._heights: list[NDArray[np.float32]] = []
        self._count = 0
        self._frames = 0
        self._done = False
        self._chosen: InputHw | None = None

    def add(
        self, size_wh: tuple[int, int], boxes_xyxy: NDArray[np.float32], scores: NDArray[np.float32]
    ) -> InputHw | None:
        """boxes_xyxy: (N, 4) pixels of the picture of `size_wh`. The input, in the one moment when it is chosen."""
        whole = (boxes_xyxy[:, 1] > 1) & (boxes_xyxy[:, 3] < size_wh[1] - 1) & (scores >= SURE)
        if self._done or not whole.any():
            return None
        self._heights.append(boxes_xyxy[whole, 3] - boxes_xyxy[whole, 1])
        self._count += int(whole.sum())
        self._frames += 1
        if self._frames < LOOK_FRAMES or self._count < FEWEST:
            return None
        self._done, self._chosen = True, choose_input_hw(np.concatenate(self._heights), size_wh)
        self._heights.clear()
        return self._chosen

    def keep(self) -> None:
        """Hand on what was chosen, once: it is written where there is time for it."""
        if self._chosen is not None:
            self._keep_it(self._chosen)
            self._chosen = None
