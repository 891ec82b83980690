"""How many people are inside: entries minus exits, corrected by what must be true.

An uncorrected balance drifts: every person missed at the door stays in it until somebody corrects it. Two facts
correct it. Once the shop has closed nobody is inside, so what is left over then is spread over the day's
crossings. And the people seen at one moment are inside at that moment, so the balance never falls under them.
Live, before closing, only the second is known: the error at noon is a different number from the error of the day's
total, and the audit shows both.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def people_inside(
    steps: NDArray[np.int64], seen: NDArray[np.float64], *, closed: bool, mended: bool = True
) -> NDArray[np.float64]:
    """People inside at the end of each of `bins` equal stretches of time (minutes).

    steps: (bins, 2) inbound and outbound crossings. seen: (bins,) people seen at once, 0 where nobody looked.
    closed: the last bin is at or after closing, so the balance must end at 0.
    mended: False gives the bare balance, to measure what the corrections are worth.
    Returns (bins,) float64.
    """
    change = (steps[:, 0] - steps[:, 1]).astype(np.float64)
    if not mended:
        return np.cumsum(change)
    crossings = steps.sum(axis=1)
    if closed and crossings.sum():
        change -= change.sum() * crossings / crossings.sum()
    inside = np.empty(len(change))
    people = 0.0
    for minute, (step, floor) in enumerate(zip(change.tolist(), seen.tolist(), strict=True)):
        people = max(people + step, floor, 0.0)
        inside[minute] = people
    return inside
