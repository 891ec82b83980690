"""The floor in a camera's picture: pixels ↔ metres on the shop's plan.

A homography and one radial coefficient. The lens follows the division model (Fitzgibbon, CVPR 2001, eq. 2):
undistorted = distorted / (1 + k1·r²), r = distance from the picture's middle over half its diagonal. It has a
closed inverse, so both directions are exact. k1 < 0 is a barrel, as most wide lenses are.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import minimize_scalar
from scipy.spatial import ConvexHull
from scipy.special import fdtri

from vitrina.errors import InputError
from vitrina.floor.layout import Point

Floats = NDArray[np.float64]

SMALLEST_SIDE_M = 2.4
"""Calibration points must cover a square of this side: 1.2 m gives 38 cm of error at 7–10 m, 4 m gives 6 cm."""
K1_LIMIT = 0.5
POINTS_FOR_K1 = 8
THINNEST_SPREAD = 0.02
"""Width over length below which points are taken to lie on one line."""
WEAKEST_EQUATION = 1e-3
"""Share of the strongest of a homography's equations below which one tells nothing."""


class GroundError(InputError):
    """Points from which no floor can be fitted. index: the point to look at, from 0, when it is one."""

    def __init__(self, message: str, *, index: int | None = None) -> None:
        super().__init__(message)
        self.index = index


@dataclass(frozen=True, slots=True)
class Ground:
    """One camera's floor, fitted to points that somebody clicked.

    points_px, points_m: the clicks and their places on the plan. k1_given: k1 was set, not fitted.
    h: (3, 3) undistorted picture pixels → metres on the plan. residual_cm: one a point.
    """

    size_wh: tuple[int, int]
    points_px: tuple[Point, ...]
    points_m: tuple[Point, ...]
    k1: float
    k1_given: bool
    h: Floats = field(compare=False, repr=False)
    residual_cm: tuple[float, ...] = field(compare=False, repr=False)

    def to_plan(self, points_px: ArrayLike) -> Floats:
        """points_px: (N, 2) → (N, 2) metres; NaN for what is not floor (above the horizon, beyond the lens)."""
        clicks = undistort(self.points_px, self.k1, self.size_wh)
        return project(self.h, undistort(points_px, self.k1, self.size_wh), clicks)

    def to_picture(self, points_m: ArrayLike) -> Floats:
        """points_m: (N, 2) → (N, 2) pixels, perhaps outside the picture; NaN for what is behind the camera."""
        places = np.asarray(points_m, np.float64).reshape(-1, 2)
        return distort(project(inverse(self.h), places, np.asarray(self.points_m)), self.k1, self.size_wh)

    @property
    def residual_median_cm(self) -> float:
        return float(np.median(self.residual_cm))


def anchors(boxes_xyxy: NDArray[np.floating]) -> Floats:
    """Where people stand: the bottom centre of their boxes, (N, 4) → (N, 2), before anything is clipped."""
    boxes = np.asarray(boxes_xyxy, np.float64).reshape(-1, 4)
    return np.stack([(boxes[:, 0] + boxes[:, 2]) / 2, boxes[:, 3]], axis=1)


def undistort(points_px: ArrayLike, k1: float, size_wh: tuple[int, int]) -> Floats:
    """Straighten the lens: (N, 2) → (N, 2). NaN where the lens model has no answer (far outside the picture)."""
    from_middle, radius_px = _from_middle(points_px, size_wh)
    bend = k1 * np.sum(from_middle**2, axis=1, keepdims=True) / radius_px**2
    scale = np.divide(1.0, 1.0 + bend, out=np.full_like(bend, np.nan), where=np.abs(bend) < 1.0)
    return np.asarray(from_middle * scale + np.asarray(size_wh) / 2, np.float64)


def distort(points_px: ArrayLike, k1: float, size_wh: tuple[int, int]) -> Floats:
    """The exact inverse of `undistort`: the smaller root of k1·rᵤ·r² − r + rᵤ = 0."""
    from_middle, radius_px = _from_middle(points_px, size_wh)
    bend = 4 * k1 * np.sum(from_middle**2, axis=1, keepdims=True) / radius_px**2
    root = np.sqrt(1.0 - bend, out=np.full_like(bend, np.nan), where=bend <= 1.0)
    return np.asarray(from_middle * (2.0 / (1.0 + root)) + np.asarray(size_wh) / 2, np.float64)


def fit_ground(
    points_px: ArrayLike, points_m: ArrayLike, size_wh: tuple[int, int], *, k1: float | None = None
) -> Ground:
    """Fit the floor to N ≥ 4 clicked points, both (N, 2); raises GroundError with the reason when they cannot tell.

    Minimises the error in the picture, where the clicks were made. k1 None: fitted from 8 points on, if the data
    ask for it (F-test at 5 %), else 0.
    """
    px, metres = _checked(points_px, points_m, size_wh)
    if k1 is not None and not abs(k1) <= K1_LIMIT:
        raise GroundError(f"k1: expected a number from {-K1_LIMIT} to {K1_LIMIT}, got {k1}")
    _refuse_poor_spread(px, metres)
    radial = k1 if k1 is not None else _radial(px, metres, size_wh)
    straight = undistort(px, radial, size_wh)
    h = homography(straight, metres)
    _refuse_turned(h, straight)
    residual_m = np.linalg.norm(project(h, straight, straight) - metres, axis=1)
    return Ground(
        size_wh=size_wh,
        points_px=_as_points(px),
        points_m=_as_points(metres),
        k1=radial,
        k1_given=k1 is not None,
        h=h,
        residual_cm=tuple(float(value) for value in residual_m * 100),
    )


def metre_grid(ground: Ground, width_m: float, height_m: float, *, step_m: float = 1.0) -> list[Floats]:
    """A grid on the plan's floor as it looks in the picture: polylines (K, 2) in pixels, cut at the picture's edge."""
    across, down = (np.arange(0.0, side + step_m / 2, step_m) for side in (width_m, height_m))
    fine_x, fine_y = (np.linspace(0.0, side, max(2, round(side / 0.25) + 1)) for side in (width_m, height_m))
    lines_m = [np.column_stack([np.full_like(fine_y, x), fine_y]) for x in across]
    lines_m += [np.column_stack([fine_x, np.full_like(fine_x, y)]) for y in down]
    return [run for line in lines_m for run in _runs_inside(ground.to_picture(line), ground.size_wh)]


def _from_middle(points_px: ArrayLike, size_wh: tuple[int, int]) -> tuple[Floats, float]:
    middle = np.asarray(size_wh, np.float64) / 2
    return np.asarray(points_px, np.float64).reshape(-1, 2) - middle, float(np.hypot(*middle))


def project(h: Floats, points: Floats, seen: Floats) -> Floats:
    """Apply h to points (N, 2); NaN beyond its horizon, seen from where the points `seen` (M, 2) are."""
    homogeneous = np.column_stack([points, np.ones(len(points))]) @ h.T
    facing = np.sign(h[2] @ (*seen[0], 1.0))
    weight = homogeneous[:, 2:] * facing
    near = weight > 1e-12 * np.abs(h[2]).max()
    out = np.full((len(points), 2), np.nan)
    return np.asarray(np.divide(homogeneous[:, :2] * facing, weight, out=out, where=near), np.float64)


def inverse(h: Floats) -> Floats:
    return np.asarray(np.linalg.inv(h), np.float64)


def homography(straight_px: Floats, metres: Floats) -> Floats:
    """(3, 3) pixels → metres with the least squared error in pixels, scaled as OpenCV does (last element 1)."""
    to_picture, _ = cv2.findHomography(metres, straight_px, method=0)
    if to_picture is None:
        raise _unfixed()
    h = inverse(np.asarray(to_picture, np.float64))
    last = h[2, 2] if abs(h[2, 2]) > 1e-12 * np.abs(h[2]).max() else np.linalg.norm(h[2])
    return np.asarray(h / last, np.float64)


def _errors_px(px: Floats, metres: Floats, size_wh: tuple[int, int], k1: float) -> Floats:
    straight = undistort(px, k1, size_wh)
    h = homography(straight, metres)
    return distort(project(inverse(h), metres, metres), k1, size_wh) - px


def _radial(px: Floats, metres: Floats, size_wh: tuple[int, int]) -> float:
    """k1 by least squares in the picture; 0 when there are too few points or they do not ask for it."""
    if len(px) < POINTS_FOR_K1:
        return 0.0

    def squares(k1: float) -> float:
        errors = _errors_px(px, metres, size_wh, k1)
        return float(np.sum(errors**2)) if np.isfinite(errors).all() else 1e12

    best = minimize_scalar(squares, bounds=(-K1_LIMIT, K1_LIMIT), method="bounded", options={"xatol": 1e-7})
    flat, bent, freedom = squares(0.0), float(best.fun), px.size - 9
    already_exact = flat < len(px) * 0.05**2
    if already_exact or (flat - bent) * freedom <= fdtri(1, freedom, 0.95) * bent:
        return 0.0
    return float(best.x)


def _checked(points_px: ArrayLike, points_m: ArrayLike, size_wh: tuple[int, int]) -> tuple[Floats, Floats]:
    px, metres = (np.asarray(points, np.float64) for points in (points_px, points_m))
    if px.shape != metres.shape or (px.size and (px.ndim != 2 or px.shape[1] != 2)):
        raise GroundError(
            f"expected as many picture points as plan points, x and y each; got {px.shape}, {metres.shape}"
        )
    if len(px) < 4:
        raise GroundError(f"expected at least 4 points on the floor, got {len(px)}. Click more; 8 are better than 4.")
    for index, (point, place) in enumerate(zip(px, metres, strict=True)):
        _check_point(index, point, place, size_wh)
    for name, points in (("in the picture", px), ("on the plan", metres)):
        _refuse_twins(name, points)
    return px, metres


def _check_point(index: int, point: Floats, place: Floats, size_wh: tuple[int, int]) -> None:
    if not (np.isfinite(point).all() and np.isfinite(place).all()):
        raise GroundError(f"point {index + 1}: expected finite numbers, got {point}, {place}", index=index)
    if np.any(point < 0) or np.any(point > size_wh):
        raise GroundError(
            f"point {index + 1}: ({point[0]:g}, {point[1]:g}) is outside the picture of "
            f"{size_wh[0]}×{size_wh[1]} pixels. Were the points clicked in a picture of another size?",
            index=index,
        )


def _refuse_twins(name: str, points: Floats) -> None:
    _, first, back = np.unique(points, axis=0, return_index=True, return_inverse=True)
    twins = np.flatnonzero(first[back.ravel()] != np.arange(len(points)))
    if twins.size:
        other = int(first[back.ravel()][twins[0]])
        raise GroundError(
            f"point {twins[0] + 1} is the same as point {other + 1} {name}. Move it.", index=int(twins[0])
        )


def _refuse_poor_spread(px: Floats, metres: Floats) -> None:
    for name, points in (("in the picture", px), ("on the plan", metres)):
        along, across = np.linalg.svd(points - points.mean(axis=0), compute_uv=False)
        if across < THINNEST_SPREAD * along:
            raise GroundError(f"the points lie on one line {name}: a floor has two directions. Add points beside it.")
    _refuse_lines_of_three(px, metres)
    side_m = float(np.sqrt(ConvexHull(metres).volume))  # of a flat hull, `volume` is the area
    if side_m < SMALLEST_SIDE_M - 1e-6:
        raise GroundError(
            f"the points cover a square of {side_m:.1f} m only, expected at least {SMALLEST_SIDE_M} m: a few pixels "
            "of click error would become 40 cm a few metres away. Click points farther apart."
        )


def _refuse_lines_of_three(px: Floats, metres: Floats) -> None:
    """The equations that fix a homography (Hartley & Zisserman, 4.1) must have rank 8."""
    (x, y), (u, v) = (((points - points.mean(axis=0)) / points.std()).T for points in (px, metres))
    one, none = np.ones_like(x), np.zeros_like(x)
    for_u = np.column_stack([x, y, one, none, none, none, -u * x, -u * y, -u])
    for_v = np.column_stack([none, none, none, x, y, one, -v * x, -v * y, -v])
    strengths = np.linalg.svd(np.vstack([for_u, for_v]), compute_uv=False)
    if strengths[7] < WEAKEST_EQUATION * strengths[0]:
        raise _unfixed()


def _unfixed() -> GroundError:
    return GroundError("the points do not fix the floor: all but one lie on one line. Move one, or add points.")


def _refuse_turned(h: Floats, straight_px: Floats) -> None:
    """The floor must be seen from above, all of it on this side of the horizon."""
    weights = np.column_stack([straight_px, np.ones(len(straight_px))]) @ h[2]
    if np.any(np.sign(weights) != np.sign(weights[0])):
        raise GroundError("no camera can see these points so: two of them seem to be swapped. Check their order.")
    if np.linalg.det(h) * weights[0] < 0:  # the sign of the map's Jacobian, det h / w³
        raise GroundError(
            "the floor comes out mirrored: the plan's y must point down, as in the picture. "
            "Measure y downwards on the plan (or turn its sign), or put swapped points right."
        )


def _runs_inside(line_px: Floats, size_wh: tuple[int, int]) -> list[Floats]:
    inside = np.all((line_px >= 0) & (line_px <= size_wh), axis=1)  # NaN is not inside either
    cuts = np.flatnonzero(np.diff(inside.astype(np.int8))) + 1
    return [
        run
        for run, flag in zip(np.split(line_px, cuts), np.split(inside, cuts), strict=True)
        if flag[0] and len(run) > 1
    ]


def _as_points(points: Floats) -> tuple[Point, ...]:
    return tuple((float(x), float(y)) for x, y in points)
