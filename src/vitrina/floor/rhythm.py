"""How often somebody looks. Between two moments much farther apart nobody did, so nobody was out of sight."""

from __future__ import annotations

PAUSE_S = 1.0
BRIDGE_S = 5.0


class Rhythm:
    """Tells pauses from a slow camera. usual_s: seconds between two frames lately.

    A worker that begins learns it anew: of one that is killed again and again, one frame may be kept between two
    pauses, and the state would tell of a slow camera.
    """

    def __init__(self, *, pause_s: float = PAUSE_S) -> None:
        self.usual_s = 0.0
        self._pause_s = pause_s

    def is_pause(self, dt: float) -> bool:
        """Take the seconds since the frame before. A camera that becomes slow is believed after a few frames."""
        pause = dt > max(self._pause_s, 2 * self.usual_s)
        self.usual_s = min(dt, 2 * self.usual_s + self._pause_s / 2)
        return pause

    def unwatched_s(self, dt: float) -> float:
        """How much of them counts as no absence of anybody: a pause that tracks go on over."""
        return dt if self.is_pause(dt) and dt <= BRIDGE_S else 0.0
