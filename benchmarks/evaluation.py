"""Tracks against the truth, by the reference evaluator `trackeval` (HOTA: Luiten et al. 2021; IoU 0.5 elsewhere)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from trackeval.metrics import CLEAR, HOTA, Identity

from vitrina.floor.tracking.box import overlaps
from vitrina.floor.tracking.mot import MotBoxes, read_mot

DATA = Path(__file__).parents[2] / "shared" / "data" / "floor"
PETS = DATA / "PETS09-S2L1"
FRAMES = 795
TIMES = np.arange(FRAMES) / 7.0
"""Seconds of the frames of PETS09-S2L1: it was recorded at 7 frames a second."""


@dataclass(frozen=True, slots=True)
class Scores:
    """In percent, but for the counts."""

    hota: float
    idf1: float
    mota: float
    switches: int
    ids: int

    def as_row(self) -> list[object]:
        return [round(self.hota, 1), round(self.idf1, 1), round(self.mota, 1), self.switches, self.ids]


COLUMNS = ["HOTA", "IDF1", "MOTA", "switches", "ids"]


def pets_truth() -> MotBoxes:
    """Rows with conf = 1."""
    truth = read_mot(PETS / "gt" / "gt.txt")
    return truth.take(truth.scores == 1)


def pets_public_boxes() -> MotBoxes:
    """The Faster R-CNN boxes on which trackers are compared."""
    return read_mot(PETS / "det" / "det.txt")


def evaluate(truth: MotBoxes, tracks: MotBoxes, frames: int) -> Scores:
    truth_ids, tracker_ids = np.unique(truth.ids), np.unique(tracks.ids)
    pairs = list(zip(truth.by_frame(frames), tracks.by_frame(frames), strict=True))
    data: dict[str, Any] = {
        "gt_ids": [np.searchsorted(truth_ids, there.ids) for there, _ in pairs],
        "tracker_ids": [np.searchsorted(tracker_ids, found.ids) for _, found in pairs],
        "similarity_scores": [_similarity(there, found) for there, found in pairs],
        "num_gt_ids": len(truth_ids),
        "num_tracker_ids": len(tracker_ids),
        "num_gt_dets": len(truth),
        "num_tracker_dets": len(tracks),
        "num_timesteps": frames,
    }
    clear = CLEAR({"PRINT_CONFIG": False}).eval_sequence(data)
    identity = Identity({"PRINT_CONFIG": False}).eval_sequence(data)
    return Scores(
        hota=100 * float(np.mean(HOTA().eval_sequence(data)["HOTA"])),
        idf1=100 * float(identity["IDF1"]),
        mota=100 * float(clear["MOTA"]),
        switches=int(clear["IDSW"]),
        ids=len(tracker_ids),
    )


def _similarity(there: MotBoxes, found: MotBoxes) -> NDArray[np.float64]:
    iou, _ = overlaps(there.boxes_xyxy.astype(np.float64), found.boxes_xyxy.astype(np.float64))
    return iou
