"""Looks after a live camera: its picture every few seconds, a row of health every five minutes."""

from __future__ import annotations

import logging
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from vitrina.floor.camera.health import Health
from vitrina.floor.empty import EmptyPicture
from vitrina.floor.frame import Frame
from vitrina.floor.healthlog import HealthLog, HealthSpan
from vitrina.floor.picture_check import WIDTH_PX, PictureCheck, small_grey

logger = logging.getLogger(__name__)

LOOK_EVERY_S = 5.0
NOTE_EVERY_S = 1.0
KEEP_AFTER_S = 120.0
"""By then the picture of the empty shop is one."""


class Checkup:
    """view: where the picture is kept that this camera ought to show under its layout (PNG, grey, of the empty shop).

    With a new layout it is kept anew, which is how a camera that was moved on purpose is told so.
    """

    def __init__(self, health: Health, *, view: Path | None = None) -> None:
        self._health = health
        self._view = view
        self._log = HealthLog()
        kept = _read(view)
        self._check = PictureCheck(reference=kept)
        self._keep_at: float | None = None
        self._is_kept = kept is not None
        self._look_due = self._note_due = -np.inf

    def look(self, frame: Frame, empty: EmptyPicture) -> None:
        """Check the picture when that is due. Raises nothing: a full disk costs the reference, not the rows."""
        if frame.t < self._look_due:
            return
        self._look_due = frame.t + LOOK_EVERY_S
        self._health.problems = self._check.look(small_grey(frame.rgb), frame.t)
        self._keep_at = frame.t + KEEP_AFTER_S if self._keep_at is None else self._keep_at
        if not self._is_kept and frame.t >= self._keep_at and not self._health.problems:
            self._keep(empty.picture())

    def note(self, *, now_s: float | None = None) -> list[HealthSpan]:
        """Note the health when that is due; what is over. now_s: the wall clock."""
        mono_s = time.monotonic()
        if mono_s < self._note_due:
            return []
        self._note_due = mono_s + NOTE_EVERY_S
        return self._log.note(self._health.snapshot(), time.time() if now_s is None else now_s)

    def finish(self) -> list[HealthSpan]:
        return self._log.finish()

    def _keep(self, picture_rgb: NDArray[np.uint8] | None) -> None:
        if picture_rgb is None:
            return
        self._is_kept = True
        reference = small_grey(picture_rgb)
        self._check = PictureCheck(reference=reference)
        if self._view is not None:
            _write(self._view, reference)


def view_path(home: Path, shop: str, camera: str, layout_id: str) -> Path:
    """Beside the picture of the empty shop, one for each layout."""
    return home / "pictures" / shop / f"{camera}.view-{layout_id}.png"


def _read(path: Path | None) -> NDArray[np.uint8] | None:
    """None where nothing was kept yet, or where it cannot be read: then it is kept anew."""
    if path is None or not path.is_file():
        return None
    picture: Any = cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), cv2.IMREAD_GRAYSCALE)
    return None if picture is None or picture.shape[1] != WIDTH_PX else np.asarray(picture, np.uint8)


def _write(path: Path, grey: NDArray[np.uint8]) -> None:
    """Whole or not at all; those of earlier layouts go."""
    done, data = cv2.imencode(".png", grey)
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        draft = path.with_suffix(".draft")
        draft.write_bytes(data.tobytes() if done else b"")
        draft.replace(path)
        for other in path.parent.glob(f"{path.name.partition('.view-')[0]}.view-*.png"):
            if other != path:
                other.unlink(missing_ok=True)
    except OSError as error:
        logger.warning("what the camera ought to show was not kept: %s: %s", path, error.strerror)
