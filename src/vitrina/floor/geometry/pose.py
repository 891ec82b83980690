"""Where a camera hangs, recovered from its floor, and how tall people look from there."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vitrina.floor.geometry.ground import Floats, Ground, anchors, inverse, undistort


@dataclass(frozen=True, slots=True)
class Pose:
    """Where the camera hangs, recovered from its floor.

    focal_px: focal length. centre_m: x, y on the plan and height above it. up_px: (3,) how the picture's
    homogeneous point moves a metre up; floor_px: (3, 3) metres → picture, pixels from the middle, same scale.
    """

    focal_px: float
    centre_m: tuple[float, float, float]
    up_px: Floats = field(compare=False, repr=False)
    floor_px: Floats = field(compare=False, repr=False)


def pose(ground: Ground) -> Pose | None:
    """The camera's place, taking square pixels and the optical axis in the picture's middle.

    Zhang (PAMI 2000, eq. 3 and 4), solved for the focal length alone. None where the floor cannot tell it, as for
    a camera that looks straight down.
    """
    width, height = ground.size_wh
    to_middle = np.array([[1.0, 0, -width / 2], [0, 1.0, -height / 2], [0, 0, 1.0]])
    floor_px = to_middle @ inverse(ground.h)
    if floor_px[2] @ (*ground.points_m[0], 1.0) < 0:
        floor_px = -floor_px
    x_axis, y_axis = floor_px[:, 0], floor_px[:, 1]
    products = np.array([2 * x_axis * y_axis, x_axis**2 - y_axis**2])
    in_picture, depth = products[:, :2].sum(axis=1), products[:, 2]
    inverse_square = -(in_picture @ depth) / (in_picture @ in_picture)
    if not 1 / (20 * width) ** 2 < inverse_square < 1 / (0.2 * width) ** 2:
        return None
    lens = np.array([inverse_square**-0.5, inverse_square**-0.5, 1.0])
    axes = floor_px / lens[:, None]
    scale = (np.linalg.norm(axes[:, 0]) + np.linalg.norm(axes[:, 1])) / 2
    right, down, shift = (axes / scale).T
    below = np.cross(right, down)
    centre = -np.linalg.solve(np.column_stack([right, down, below]), shift)
    return Pose(
        focal_px=float(lens[0]),
        centre_m=(float(centre[0]), float(centre[1]), float(-centre[2])),
        up_px=-below * lens,
        floor_px=floor_px / scale,
    )


def heights_m(ground: Ground, boxes_xyxy: NDArray[np.floating]) -> Floats:
    """How tall people are whose boxes (N, 4) are given; NaN where the floor or the camera's place cannot tell."""
    boxes = np.asarray(boxes_xyxy, np.float64).reshape(-1, 4)
    camera = pose(ground)
    if camera is None:
        return np.full(len(boxes), np.nan)
    feet_m = ground.to_plan(anchors(boxes))
    heads_px = np.stack([(boxes[:, 0] + boxes[:, 2]) / 2, boxes[:, 1]], axis=1)
    head_y = undistort(heads_px, ground.k1, ground.size_wh)[:, 1] - ground.size_wh[1] / 2
    feet = np.column_stack([feet_m, np.ones(len(feet_m))]) @ camera.floor_px.T
    rise = camera.up_px[1] - head_y * camera.up_px[2]
    return np.asarray((head_y * feet[:, 2] - feet[:, 1]) / rise, np.float64)


@dataclass(frozen=True, slots=True)
class HeightCheck:
    """People's heights against what people are. warning: None when the scale can be right."""

    median_m: float
    n: int
    warning: str | None


def check_heights(heights: ArrayLike, *, expected_m: float = 1.70, spread_m: float = 0.09) -> HeightCheck:
    """Whether the floor's scale fits the people on it; heights: one a person, metres, NaN is left out.

    Allows for the median's own interval (1.96 · 1.2533 · σ/√n) and 10 cm for boxes that sit loosely.
    """
    known = np.asarray(heights, np.float64)
    known = known[np.isfinite(known)]
    if not known.size:
        return HeightCheck(float("nan"), 0, "nobody's height could be measured: let somebody walk through the picture")
    median = float(np.median(known))
    allowed = 1.96 * 1.2533 * spread_m / np.sqrt(known.size) + 0.10
    if abs(median - expected_m) <= allowed:
        return HeightCheck(median, known.size, None)
    share = abs(median / expected_m - 1)
    size = "large" if median > expected_m else "small"
    return HeightCheck(
        median,
        known.size,
        f"people look {median:.2f} m tall (median of {known.size}), expected {expected_m:.2f} ± {allowed:.2f} m: "
        f"distances are about {share:.0%} too {size}. Check the metres of the calibration points.",
    )
