"""Which worker watches which camera: every process works it out by itself and comes to the same answer. Pure."""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Iterable

Place = tuple[str, str]
"""Slugs of shop and camera."""


def shares(places: Iterable[Place], workers: int) -> dict[Place, int]:
    """Camera → number of its worker, from 0, as even as can be.

    Rendezvous hashing (Thaler & Ravishankar 1998): each camera goes to the worker that it ranks first and that has
    room. One camera more or less moves at most one other for each pair of workers, mostly none.
    """
    ordered = sorted(set(places), key=lambda place: _weight(place, "order"))
    room = math.ceil(len(ordered) / workers)
    taken: Counter[int] = Counter()
    found = {}
    for place in ordered:
        ranked = sorted(range(workers), key=lambda worker: _weight(place, str(worker)), reverse=True)
        found[place] = next(worker for worker in ranked if taken[worker] < room)
        taken[found[place]] += 1
    return found


def _weight(place: Place, worker: str) -> bytes:
    return hashlib.blake2b("/".join((*place, worker)).encode(), digest_size=8).digest()
