"""A camera that sees simulated people the way a detector does: boxes with misses, jitter, occlusion and duplicates."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from vitrina.floor.geometry.ground import Ground, fit_ground
from vitrina.floor.simulate.plan import STREET_M, Profile

Floats = NDArray[np.float64]
Boxes = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Camera:
    """A pinhole camera over the plan. position_m, target_m: (x, y, height). focal_px: of the picture's pixels."""

    position_m: tuple[float, float, float]
    target_m: tuple[float, float, float]
    focal_px: float
    size_wh: tuple[int, int]

    @classmethod
    def over(cls, profile: Profile) -> Camera:
        """High behind the back wall, looking at the door: the whole shop and the street are in the picture."""
        middle = profile.width_m / 2
        return cls((middle, -5.0, 5.0), (middle, 0.6 * profile.depth_m, 0.0), 620.0, (1280, 720))

    def project(self, points_m: Floats) -> tuple[Floats, Floats]:
        """points_m: (N, 3) with height up → (N, 2) pixels and (N,) distance along the view in metres."""
        forward, right, down = _axes(self)
        seen = points_m - np.array(self.position_m)
        depth = seen @ forward
        width, height = self.size_wh
        pixels = np.stack([seen @ right, seen @ down], axis=1) / depth[:, None] * self.focal_px
        return pixels + np.array([width / 2, height / 2]), depth


@lru_cache(maxsize=64)
def _axes(camera: Camera) -> tuple[Floats, Floats, Floats]:
    """The view's unit vectors: forward, right and down in the picture."""
    forward = np.array(camera.target_m) - np.array(camera.position_m)
    forward /= np.linalg.norm(forward)
    up = np.array([0.0, 0.0, 1.0])
    right = np.cross(up, forward)  # not forward × up: with y down, plan and height are a left-handed system
    right /= np.linalg.norm(right)
    down = forward * (up @ forward) - up
    return forward, right, down / np.linalg.norm(down)


@dataclass(frozen=True, slots=True)
class Faults:
    """How badly it sees.

    miss: chance that a free-standing person has no box. jitter: of a box's edges, as a share of its height.
    hidden: covered share above which a person is missed nine times of ten. twice: chance of a second box.
    height_m, click_px: what the calibration is off by.
    """

    miss: float = 0.08
    jitter: float = 0.025
    hidden: float = 0.55
    twice: float = 0.02
    click_px: float = 2.0


def calibrate(camera: Camera, profile: Profile, rng: np.random.Generator, *, faults: Faults) -> Ground:
    """The floor as somebody would calibrate it: nine points clicked in the picture, each a little off."""
    xs, ys = np.meshgrid(
        np.linspace(0.15, 0.85, 3) * profile.width_m, np.linspace(0.2, 1.0, 3) * (profile.depth_m + STREET_M / 2)
    )
    points_m = np.stack([xs.ravel(), ys.ravel()], axis=1)
    clicks, _depth = camera.project(np.column_stack([points_m, np.zeros(len(points_m))]))
    return fit_ground(clicks + rng.normal(0.0, faults.click_px, clicks.shape), points_m, camera.size_wh, k1=0.0)


def see(
    camera: Camera, feet_m: Floats, heights_m: Floats, rng: np.random.Generator, *, faults: Faults
) -> tuple[Boxes, NDArray[np.float32]]:
    """feet_m: (N, 2), heights_m: (N,) → (M, 4) boxes_xyxy in pixels and (M,) scores, as a detector would give."""
    boxes, depth = true_boxes(camera, feet_m, heights_m)
    covered = _covered(boxes, depth)
    missed = rng.random(len(boxes)) < np.where(covered > faults.hidden, 0.9, faults.miss + 0.3 * covered)
    visible = ~missed & _inside(boxes, camera.size_wh)
    found, height = boxes[visible], (boxes[visible, 3] - boxes[visible, 1])[:, None]
    found = found + rng.normal(0.0, faults.jitter, found.shape) * height
    scores = np.clip(rng.normal(0.72, 0.1, len(found)) - 0.3 * covered[visible], 0.25, 0.98)
    again = rng.random(len(found)) < faults.twice
    shift = np.tile(rng.normal(0.0, 0.08, (int(again.sum()), 2)), 2) * height[again]
    twins = found[again] + shift
    return (
        np.concatenate([found, twins]).astype(np.float32),
        np.concatenate([scores, scores[again] - 0.15]).astype(np.float32),
    )


def true_boxes(camera: Camera, feet_m: Floats, heights_m: Floats) -> tuple[Floats, Floats]:
    """Upright persons as boxes, 0.4 times as wide as high: (N, 4) pixels and (N,) distance."""
    feet, depth = camera.project(np.column_stack([feet_m, np.zeros(len(feet_m))]))
    heads, _depth = camera.project(np.column_stack([feet_m, heights_m]))
    tall = np.maximum(feet[:, 1] - heads[:, 1], 1.0)
    half = 0.2 * tall
    return np.stack([feet[:, 0] - half, heads[:, 1], feet[:, 0] + half, feet[:, 1]], axis=1), depth


def _covered(boxes: Floats, depth: Floats) -> Floats:
    """The share of each box behind the nearer box that covers it most."""
    left_top = np.maximum(boxes[:, None, :2], boxes[None, :, :2])
    right_bottom = np.minimum(boxes[:, None, 2:], boxes[None, :, 2:])
    overlap = np.clip(right_bottom - left_top, 0, None).prod(axis=2)
    area = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1)
    nearer = depth[None, :] < depth[:, None]
    most: Floats = np.where(nearer, overlap / area[:, None], 0.0).max(axis=1, initial=0.0)
    return most


def _inside(boxes: Floats, size_wh: tuple[int, int]) -> NDArray[np.bool_]:
    """Whether the feet are in the picture."""
    x, y = (boxes[:, 0] + boxes[:, 2]) / 2, boxes[:, 3]
    return np.asarray((x > 0) & (x < size_wh[0]) & (y > 0) & (y < size_wh[1]))
