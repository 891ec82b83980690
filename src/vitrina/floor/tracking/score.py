"""What a detector's score is worth: the chance that a box with this score is a person, learned while tracking.

Detectors disagree about scores: .45 is a person for one and rubbish for another, some write percent, some a constant.
So the tracker asks its own results: boxes that fell where a known person was due were persons, boxes that no track
ever wanted were not. Before there is evidence, a score of s counts as s² (a box needs to be surer than even).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from vitrina.floor.packed import pack, unpack

BINS = 20
PRIOR_BOXES = 20.0
MEMORY_S = 150.0


class ScoreBook:
    """Counts of persons and boxes per score; fades towards the prior with `MEMORY_S`; its size never changes."""

    def __init__(self) -> None:
        middles = (np.arange(BINS) + 0.5) / BINS
        self._prior_persons = np.square(middles) * PRIOR_BOXES
        self._persons = self._prior_persons.copy()
        self._boxes = np.full(BINS, PRIOR_BOXES)
        self._largest = 1.0

    def bins(self, scores: NDArray[np.float64]) -> NDArray[np.intp]:
        """A negative score (−1 is MOT's "none") is the best one; scores above 1 are shares of the largest seen."""
        self._largest = max(self._largest, float(scores.max(initial=1.0)))
        shares = np.where(scores < 0, 1.0, scores / self._largest)
        return np.minimum((shares * BINS).astype(np.intp), BINS - 1)

    def chances(self, bins: NDArray[np.intp]) -> NDArray[np.float64]:
        chances: NDArray[np.float64] = np.clip(self._persons[bins] / self._boxes[bins], 0.01, 0.99)
        return chances

    def learn(self, persons: NDArray[np.intp], others: NDArray[np.intp]) -> None:
        """The bins of boxes that turned out to be persons, and of those that did not."""
        counts = np.bincount(persons, minlength=BINS)
        self._persons += counts
        self._boxes += counts + np.bincount(others, minlength=BINS)

    def fade(self, dt: float) -> None:
        keep = np.exp(-dt / MEMORY_S)
        self._persons = self._prior_persons + keep * (self._persons - self._prior_persons)
        self._boxes = PRIOR_BOXES + keep * (self._boxes - PRIOR_BOXES)

    def state(self) -> dict[str, Any]:
        """What was learned, as JSON."""
        return {"persons": pack(self._persons), "boxes": pack(self._boxes), "largest": self._largest}

    def restore(self, state: dict[str, Any]) -> None:
        persons, boxes = unpack(state["persons"], np.float64, BINS), unpack(state["boxes"], np.float64, BINS)
        self._persons, self._boxes, self._largest = persons, boxes, float(state["largest"])
