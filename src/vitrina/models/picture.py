"""Picture preparation: a camera's picture into a network's input, and boxes back."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from vitrina.models.preparation import Fit, Preparation


@dataclass(frozen=True, slots=True)
class Placement:
    """Where the camera's picture lies in the network's input: x_input = x · scale_xy[0] + offset_xy[0]."""

    scale_xy: tuple[float, float]
    offset_xy: tuple[float, float]
    size_wh: tuple[int, int]

    def to_picture(self, boxes_xyxy: NDArray[np.float32]) -> NDArray[np.float32]:
        """(N, 4) px of the input → (N, 4) float32 px of the camera's picture, clipped to it."""
        back = (boxes_xyxy - np.tile(self.offset_xy, 2)) / np.tile(self.scale_xy, 2)
        clipped: NDArray[np.float32] = np.clip(back, 0.0, np.tile(self.size_wh, 2)).astype(np.float32)
        return clipped


def place(size_wh: tuple[int, int], input_hw: tuple[int, int], fit: Fit) -> Placement:
    """Scale and offset with which a picture of `size_wh` fits into `input_hw`."""
    (width, height), (input_height, input_width) = size_wh, input_hw
    if fit == "stretch":
        return Placement((input_width / width, input_height / height), (0.0, 0.0), size_wh)
    scale = min(input_width / width, input_height / height)
    offset_xy = (0.0, 0.0)
    if fit == "centre":
        offset_xy = ((input_width - round(width * scale)) // 2, (input_height - round(height * scale)) // 2)
    return Placement((scale, scale), offset_xy, size_wh)


def fit_picture(
    frame_rgb: NDArray[np.uint8], input_hw: tuple[int, int], preparation: Preparation
) -> tuple[NDArray[np.uint8], Placement]:
    """(H, W, 3) uint8 → the same picture in the input's size (input height, input width, 3), still RGB bytes."""
    height, width = frame_rgb.shape[:2]
    placement = place((width, height), input_hw, preparation.fit)
    (scale_x, scale_y), (left, top) = placement.scale_xy, (int(i) for i in placement.offset_xy)
    size = (max(1, round(width * scale_x)), max(1, round(height * scale_y)))
    canvas = np.full((*input_hw, 3), preparation.fill, np.uint8)
    canvas[top : top + size[1], left : left + size[0]] = cv2.resize(frame_rgb, size, interpolation=cv2.INTER_LINEAR)
    return canvas, placement


def to_tensor(canvas_rgb: NDArray[np.uint8], preparation: Preparation) -> NDArray[np.float32]:
    """(H, W, 3) uint8 in the input's size → (1, 3, H, W) float32 as the network wants it."""
    values = (np.arange(256)[:, None] - np.array(preparation.mean)) / np.array(preparation.std)
    tables = np.ascontiguousarray(values.T, np.float32)
    planes = cv2.split(canvas_rgb)[:: 1 if preparation.order == "rgb" else -1]
    tensor: NDArray[np.float32] = np.stack(
        [cv2.LUT(plane, table[None]) for plane, table in zip(planes, tables, strict=True)]
    )
    return tensor[None]
