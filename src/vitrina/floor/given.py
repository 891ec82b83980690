"""Stands where a `Looker` stands, for a source that knows where people are: nothing is looked for."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from vitrina.floor.frame import Frame
from vitrina.floor.look import Look


class GivenBoxes:
    """Gives the boxes that came with the frames; none for a frame without."""

    def look(self, frames: Sequence[Frame]) -> list[Look]:
        return [_look(frame) for frame in frames]

    def set_input(self, camera_id: str, input_hw: tuple[int, int]) -> None:
        """There is no input."""

    def forget(self, camera_id: str) -> None:
        """There is nothing to forget."""


def _look(frame: Frame) -> Look:
    if frame.known is None:
        return Look(np.zeros((0, 4), np.float32), np.zeros(0, np.float32), share=0.0, cost_s=0.0)
    return Look(frame.known.boxes_xyxy, frame.known.scores, share=0.0, cost_s=0.0)
