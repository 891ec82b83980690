"""Clicked points as a table (CSV), and the floor that is fitted to them with all that tells how good it is."""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from vitrina.errors import InputError
from vitrina.floor.geometry.ground import Ground, GroundError, fit_ground
from vitrina.floor.geometry.pose import Pose, pose
from vitrina.floor.geometry.reach import CLICK_PX, floor_error_m, reach_m
from vitrina.floor.layout import Point

COLUMNS = ("x_px", "y_px", "x_m", "y_m")
_ALIASES = {"x": "x_px", "y": "y_px"}
USUAL_SIZES = (
    *((384, 288), (640, 360), (640, 480), (768, 576), (1024, 768), (1280, 720)),
    *((1280, 960), (1920, 1080), (2560, 1440), (2592, 1944), (3840, 2160)),
)
WORST_RESIDUAL_CM = 25.0
POINTS_TO_BLAME = 6
"""With fewer, the rest is too few to tell who is wrong."""


@dataclass(frozen=True, slots=True)
class ClickedPoints:
    """px, metres: N places in the picture and on the plan. lines: N line numbers in the file `name`."""

    name: str
    px: tuple[Point, ...]
    metres: tuple[Point, ...]
    lines: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Calibration:
    """size_assumed: nobody gave the picture's size, so curvature was not fitted. expected_m: the floor's error at the
    points when clicks are 3 px off. reach_m: how far away that stays under 25 cm.
    """

    ground: Ground
    size_assumed: bool
    expected_m: float
    reach_m: float
    pose: Pose | None

    def as_json(self) -> dict[str, Any]:
        ground = self.ground
        rows = zip(ground.points_px, ground.points_m, ground.residual_cm, strict=True)
        return {
            "homography": ground.h.tolist(),
            "k1": ground.k1,
            "size": list(ground.size_wh),
            "size_assumed": self.size_assumed,
            "residual_cm": list(ground.residual_cm),
            "residual_median_cm": ground.residual_median_cm,
            "residual_max_cm": max(ground.residual_cm),
            "expected_error_cm": self.expected_m * 100,
            "reach_m": self.reach_m,
            "points": [
                {"x_px": px[0], "y_px": px[1], "x_m": metres[0], "y_m": metres[1], "residual_cm": residual}
                for px, metres, residual in rows
            ],
            "camera": self.pose and dict(zip(("x_m", "y_m", "height_m"), self.pose.centre_m, strict=True)),
            "warnings": list(self.warnings()),
        }

    def sentences(self) -> Iterator[str]:
        ground = self.ground
        yield f"Residual: median {ground.residual_median_cm:.1f} cm, worst {max(ground.residual_cm):.1f} cm."
        yield f"Expected error at the points, if clicks are {CLICK_PX:g} px off: {self.expected_m * 100:.0f} cm."
        yield f"The floor error stays under 25 cm up to {self.reach_m:.1f} m away."
        if self.pose:
            x, y, height = self.pose.centre_m
            yield f"The camera hangs {height:.1f} m high at ({x:.1f}, {y:.1f}): is that so?"
        yield f"Lens: k1 = {ground.k1:.4f}."
        yield from (f"Note: {warning}" for warning in self.warnings())

    def warnings(self) -> Iterator[str]:
        residuals = self.ground.residual_cm
        if len(residuals) == 4:
            yield "four points fit exactly, however wrong they are: a residual needs 5 points or more, 8 are good."
        worst = int(np.argmax(residuals))
        if residuals[worst] > WORST_RESIDUAL_CM:
            yield self._blame(worst)
        if self.size_assumed:
            yield (
                "the picture's size was not given: {}×{} is assumed, and the lens taken as straight.".format(
                    *self.ground.size_wh
                )
            )

    def _blame(self, worst: int) -> str:
        """One wrong point bends the floor for all, so the one without which the others fit best is the wrong one."""
        ground = self.ground
        if len(ground.points_px) < POINTS_TO_BLAME:
            return f"the points do not fit together ({ground.residual_cm[worst]:.0f} cm): one of them is wrong."
        left_out = [_residual_without(ground, index) for index in range(len(ground.points_px))]
        wrong = int(np.argmin(left_out))
        return (
            f"point {wrong + 1} does not fit: without it the others are {left_out[wrong]:.0f} cm off at most. "
            "Was it clicked and measured at the same spot?"
        )


def _residual_without(ground: Ground, index: int) -> float:
    """Largest residual in cm of the other points; infinite where they alone make no floor."""
    px, metres = (
        tuple(p for n, p in enumerate(points) if n != index) for points in (ground.points_px, ground.points_m)
    )
    try:
        return max(fit_ground(px, metres, ground.size_wh, k1=ground.k1).residual_cm)
    except GroundError:
        return float("inf")


def calibrate_floor(
    points: ClickedPoints, *, size_wh: tuple[int, int] | None = None, k1: float | None = None
) -> Calibration:
    """Fit the floor and weigh it. Raises InputError with the file and line of the point that is wrong."""
    if size_wh is None and k1 is not None:
        raise InputError("k1 has a meaning only with the picture's size: add --size WIDTHxHEIGHT")
    try:
        ground = fit_ground(
            points.px, points.metres, size_wh or _usual_size(points.px), k1=k1 if size_wh is not None else 0.0
        )
    except GroundError as error:
        line = "" if error.index is None else f":{points.lines[error.index]}"
        raise InputError(f"{points.name}{line}: {error}") from error
    return Calibration(
        ground=ground,
        size_assumed=size_wh is None,
        expected_m=float(np.median(floor_error_m(ground, points.px))),
        reach_m=reach_m(ground),
        pose=pose(ground),
    )


def read_points(data: bytes, *, name: str = "points.csv") -> ClickedPoints:
    """Read a CSV with the columns x_px, y_px, x_m, y_m, in any order, among others.

    Separated by commas, semicolons or tabs; where commas do not separate they may be decimal points. Empty lines and
    lines that start with # are left out. Raises InputError with line and column.
    """
    rows = list(_rows(_text(data, name)))
    if not rows:
        raise InputError(f"{name}:1: expected the header {','.join(COLUMNS)} and a line for each point, got nothing")
    head_line, head = rows[0]
    places = _places(head, name, head_line)
    lines, values = [], []
    for line, cells in rows[1:]:
        if len(cells) != len(head):
            raise InputError(f"{name}:{line}: expected {len(head)} values as in the header, got {len(cells)}")
        lines.append(line)
        values.append([_number(cells[place], column, name, line) for column, place in places.items()])
    return ClickedPoints(
        name=name,
        px=tuple((x, y) for x, y, _, _ in values),
        metres=tuple((x, y) for _, _, x, y in values),
        lines=tuple(lines),
    )


def _text(data: bytes, name: str) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise InputError(f"{name}:{line}: expected text in UTF-8, got the byte 0x{data[error.start]:02x}") from error


def _rows(text: str) -> Iterator[tuple[int, list[str]]]:
    """Line numbers and cells. Decimal commas become points."""
    lines = [(number, line) for number, line in enumerate(text.splitlines(), start=1) if line.strip()]
    lines = [(number, line) for number, line in lines if not line.lstrip().startswith("#")]
    separator = next((mark for mark in "\t;" if lines and mark in lines[0][1]), ",")
    for number, line in lines:
        cells = next(csv.reader(io.StringIO(line), delimiter=separator), [])
        yield number, [cell.strip() if separator == "," else cell.strip().replace(",", ".") for cell in cells]


def _places(head: list[str], name: str, line: int) -> dict[str, int]:
    """Where each column stands."""
    found = [_ALIASES.get(cell.lower(), cell.lower()) for cell in head]
    for column in COLUMNS:
        if found.count(column) != 1:
            said = "is missing from" if column not in found else "stands twice in"
            raise InputError(
                f"{name}:{line}: column {column} {said} the header; expected {','.join(COLUMNS)}, got {','.join(head)}"
            )
    return {column: found.index(column) for column in COLUMNS}


def _number(cell: str, column: str, name: str, line: int) -> float:
    """Only digits, sign, point and exponent: float() alone would take 1_000, nan and Arabic digits."""
    if re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?", cell, re.ASCII) and math.isfinite(float(cell)):
        return float(cell)
    got = f"got {cell[:40]!r}" if cell else "it is empty"
    raise InputError(f"{name}:{line}: column {column}: expected a number such as 412.5, {got}")


def _usual_size(px: tuple[Point, ...]) -> tuple[int, int]:
    """The smallest usual picture that holds all points; else one that just does."""
    right, low = (max((point[axis] for point in px), default=0.0) for axis in (0, 1))
    fitting = (size for size in USUAL_SIZES if right <= size[0] and low <= size[1])
    return next(fitting, (max(1, math.ceil(right)), max(1, math.ceil(low))))
