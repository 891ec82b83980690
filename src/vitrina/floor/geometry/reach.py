"""How well a calibration knows the floor, and how far away it still does."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from vitrina.floor.geometry.ground import Floats, Ground, homography, project, undistort
from vitrina.floor.geometry.pose import pose

CLICK_PX = 3.0
"""How far off a careful click is."""


def floor_error_m(ground: Ground, points_px: ArrayLike, *, click_px: float = CLICK_PX) -> Floats:
    """How far off (root mean square, metres) the floor is at (N, 2) pixels when each click is off by `click_px`.

    The fit's derivative by every click, found by fitting again, gives the variance to first order. Where the
    points' own residual says that clicks were worse than `click_px`, that is taken instead.
    """
    sigma_px = max(click_px, _click_px(ground))
    clicks = np.asarray(ground.points_px)
    at = undistort(points_px, ground.k1, ground.size_wh)
    variance = np.zeros(len(at))
    for shift in np.eye(clicks.size).reshape(-1, *clicks.shape) * 0.5:
        there, back = (_refit(ground, clicks + sign * shift, at) for sign in (1, -1))
        variance += np.sum((there - back) ** 2, axis=1)
    return np.asarray(np.sqrt(variance) * sigma_px, np.float64)


def reach_m(ground: Ground, *, limit_m: float = 0.25, click_px: float = CLICK_PX) -> float:
    """How far away, along the picture's middle, the floor error stays under `limit_m`; 0 when it never does.

    Measured on the floor from below the camera, or from the nearest floor in view where that cannot be told.
    """
    width, height = ground.size_wh
    ray_px = np.column_stack([np.full(200, width / 2), np.linspace(height, 0, 200)])
    ray_m = ground.to_plan(ray_px)
    floor = np.isfinite(ray_m).all(axis=1)
    ray_px, ray_m = ray_px[floor], ray_m[floor]
    good = floor_error_m(ground, ray_px, click_px=click_px) <= limit_m
    if not good.any():
        return 0.0
    camera = pose(ground)
    start_m = ray_m[0] if camera is None else np.asarray(camera.centre_m[:2])
    return float(np.linalg.norm(ray_m[good] - start_m, axis=1).max())


def _click_px(ground: Ground) -> float:
    """The clicks' standard deviation in one direction as the residual shows it; 0 with 4 points, which show nothing."""
    freedom = 2 * len(ground.points_px) - 8
    if freedom == 0:
        return 0.0
    errors = ground.to_picture(ground.points_m) - np.asarray(ground.points_px)
    return float(np.sqrt(np.sum(errors**2) / freedom))


def _refit(ground: Ground, clicks_px: Floats, at_straight_px: Floats) -> Floats:
    straight = undistort(clicks_px, ground.k1, ground.size_wh)
    return project(homography(straight, np.asarray(ground.points_m)), at_straight_px, straight)
