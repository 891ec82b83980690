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
    if fit == "crop":
        scale = max(input_width / width, input_height / height)
        return Placement(
            (scale, scale), ((input_width - width * scale) / 2, (input_height - height * scale) / 2), size_wh
        )
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
    if preparation.fit == "crop":
        return _resized(_inner(frame_rgb, input_hw), input_hw), placement
    (scale_x, scale_y), (left, top) = placement.scale_xy, (int(i) for i in placement.offset_xy)
    size = (max(1, round(width * scale_x)), max(1, round(height * scale_y)))
    canvas = np.full((*input_hw, 3), preparation.fill, np.uint8)
    canvas[top : top + size[1], left : left + size[0]] = cv2.resize(frame_rgb, size, interpolation=cv2.INTER_LINEAR)
    return canvas, placement


def _inner(frame_rgb: NDArray[np.uint8], input_hw: tuple[int, int]) -> NDArray[np.uint8]:
    """The largest part in the middle that has the input's aspect."""
    (height, width), (input_height, input_width) = frame_rgb.shape[:2], input_hw
    scale = min(width / input_width, height / input_height)
    inner_height, inner_width = max(1, round(input_height * scale)), max(1, round(input_width * scale))
    top, left = (height - inner_height) // 2, (width - inner_width) // 2
    return frame_rgb[top : top + inner_height, left : left + inner_width]


def _resized(frame_rgb: NDArray[np.uint8], input_hw: tuple[int, int]) -> NDArray[np.uint8]:
    """Shrunk by areas, so that a large photo and its thumbnail give the same picture; grown smoothly."""
    shrinks = frame_rgb.shape[0] > input_hw[0]
    resized = cv2.resize(frame_rgb, input_hw[::-1], interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC)
    return np.asarray(resized, np.uint8)


def to_tensor(canvas_rgb: NDArray[np.uint8], preparation: Preparation) -> NDArray[np.float32]:
    """(H, W, 3) uint8 in the input's size → (1, 3, H, W) float32 as the network wants it."""
    values = (np.arange(256)[:, None] - np.array(preparation.mean)) / np.array(preparation.std)
    tables = np.ascontiguousarray(values.T, np.float32)
    planes = cv2.split(canvas_rgb)[:: 1 if preparation.order == "rgb" else -1]
    tensor: NDArray[np.float32] = np.stack(
        [cv2.LUT(plane, table[None]) for plane, table in zip(planes, tables, strict=True)]
    )
    return tensor[None]
