"""What several tests of floor need."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class SimulatedCamera:
    """A pinhole camera over a floor, written a second time and by the book, to check `ground` and `pose` against.

    Hangs at (x_m, y_m) of the plan, looks along −y (turned by pan) and down by tilt; degrees. k1: division model."""

    height_m: float = 3.0
    tilt_deg: float = 25.0
    pan_deg: float = 5.0
    focal_px: float = 600.0
    x_m: float = 5.0
    y_m: float = 12.0
    k1: float = 0.0
    size_wh: tuple[int, int] = (1280, 720)

    def picture(self, points_m: Floats) -> Floats:
        """(N, 2) on the floor, or (N, 3) with a height above it → (N, 2) pixels."""
        points = np.asarray(points_m, float)
        if points.shape[1] == 2:
            points = np.column_stack([points, np.zeros(len(points))])
        pan, tilt = np.radians(self.pan_deg), np.radians(self.tilt_deg)
        ahead = np.array([np.sin(pan), -np.cos(pan), 0.0])  # plan axes x, y and height above the floor
        right = np.array([np.cos(pan), np.sin(pan), 0.0])
        up = np.array([0.0, 0.0, 1.0])
        axis = np.cos(tilt) * ahead - np.sin(tilt) * up
        below = -np.sin(tilt) * ahead - np.cos(tilt) * up
        away = points - np.array([self.x_m, self.y_m, self.height_m])
        straight = self.focal_px * np.column_stack([away @ right, away @ below]) / (away @ axis)[:, None]
        return self._bend(straight) + np.array(self.size_wh) / 2

    def _bend(self, straight: Floats) -> Floats:
        """Halving the interval on r / (1 + k1·r²) = rᵤ, not the closed root that `ground` uses."""
        radius = np.hypot(*self.size_wh) / 2
        r_u = np.linalg.norm(straight, axis=1) / radius
        low, high = np.zeros_like(r_u), np.full_like(r_u, min(1e3, max(abs(self.k1), 1e-9) ** -0.5))
        for _ in range(80):
            middle = (low + high) / 2
            beyond = middle / (1 + self.k1 * middle**2) > r_u
            low, high = np.where(beyond, low, middle), np.where(beyond, middle, high)
        return straight * np.divide(low, r_u, out=np.ones_like(low), where=r_u > 0)[:, None]


@pytest.fixture(scope="session")
def simulated_camera() -> type[SimulatedCamera]:
    return SimulatedCamera
