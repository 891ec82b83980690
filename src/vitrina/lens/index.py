"""What an index of vectors can do, whichever engine it stands on, and the exact one that needs none.

An entry is one crop of one picture in one shop; what may be filtered by stands in it. Scores are cosines: vectors have
the length 1.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from vitrina.errors import InputError

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Entry:
    """category: the widest level. price_minor: of the shop's cheapest live offer with this picture."""

    entry_id: str
    vector: Floats
    shop: str
    category: str
    brand: str
    price_minor: int
    currency: str
    available: bool


@dataclass(frozen=True, slots=True)
class Filter:
    """What an entry must be; what is empty or None lets everything pass. Prices are in minor units of `currency`."""

    shops: tuple[str, ...] = ()
    brands: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    min_price_minor: int | None = None
    max_price_minor: int | None = None
    currency: str = ""
    available: bool | None = None

    def __post_init__(self) -> None:
        if (self.min_price_minor, self.max_price_minor) != (None, None) and not self.currency:
            raise InputError("filter: a price needs its currency, for prices in different ones are not compared")

    def as_json(self) -> dict[str, Any]:
        return {one.name: getattr(self, one.name) for one in fields(self)}

    @classmethod
    def from_json(cls, told: dict[str, Any]) -> Filter:
        given: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in told.items()
        }
        return cls(**given)

    def takes(self, entry: Entry) -> bool:
        price = entry.price_minor
        return (
            (not self.shops or entry.shop in self.shops)
            and (not self.brands or entry.brand in self.brands)
            and (not self.categories or entry.category in self.categories)
            and (not self.currency or entry.currency == self.currency)
            and (self.available is None or entry.available == self.available)
            and (self.min_price_minor is None or price >= self.min_price_minor)
            and (self.max_price_minor is None or price <= self.max_price_minor)
        )


EVERYTHING = Filter()


@dataclass(frozen=True, slots=True)
class Hit:
    entry_id: str
    score: float


class Index(Protocol):
    """One embedder's entries. What was put is there after a crash, once the call has returned."""

    def upsert(self, entries: Sequence[Entry]) -> None: ...
    def delete(self, ids: Collection[str]) -> None:
        """Ids that are not there are no mistake."""

    def delete_where(self, where: Filter) -> int:
        """How many entries went."""

    def search(self, vectors: Floats, k: int, where: Filter = EVERYTHING) -> list[list[Hit]]:
        """vectors: (Q, dim). For each at most k hits, best first."""

    def count(self, where: Filter = EVERYTHING) -> int: ...
    def settle(self) -> None:
        """Make searching as fast as it can be: long after many changes, nothing where it is so already."""

    def snapshot(self, folder: Path) -> None:
        """A copy in a folder that is not there yet, while others go on asking. Raises ConflictError."""

    def destroy(self) -> None:
        """Remove all of it from the disk, where nobody asks it any more; whoever does finds it empty."""

    def close(self) -> None: ...


def entry_id(sha256: str, crop: int, shop: str) -> str:
    return f"{sha256}-{crop}-{shop}"


def split_entry(entry: str) -> tuple[str, int, str]:
    """Picture, crop, shop."""
    sha256, crop, shop = entry.split("-", 2)
    return sha256, int(crop), shop


def check_queries(vectors: Floats) -> Floats:
    """(Q, dim) float32; InputError for another shape."""
    rows = np.asarray(vectors, np.float32)
    if rows.ndim != 2:
        raise InputError(f"search: expected vectors of the shape (queries, numbers), got {rows.shape}")
    return rows


@dataclass
class BruteIndex:
    """Every entry is looked at: exact, and quick enough for some tens of thousands. For tests and small catalogs."""

    entries: dict[str, Entry] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def upsert(self, entries: Sequence[Entry]) -> None:
        with self._lock:
            self.entries |= {entry.entry_id: entry for entry in entries}

    def delete(self, ids: Collection[str]) -> None:
        with self._lock:
            for one in ids:
                self.entries.pop(one, None)

    def delete_where(self, where: Filter) -> int:
        gone = [entry.entry_id for entry in self._passing(where)]
        self.delete(gone)
        return len(gone)

    def search(self, vectors: Floats, k: int, where: Filter = EVERYTHING) -> list[list[Hit]]:
        queries, there = check_queries(vectors), list(self._passing(where))
        if not there:
            return [[] for _ in queries]
        scores = queries @ np.stack([entry.vector for entry in there]).T
        order = np.argsort(-scores, axis=1, kind="stable")[:, :k]
        return [
            [Hit(there[place].entry_id, float(row[place])) for place in best]
            for row, best in zip(scores, order.tolist(), strict=True)
        ]

    def count(self, where: Filter = EVERYTHING) -> int:
        return sum(1 for _ in self._passing(where))

    def settle(self) -> None:
        """It always is."""

    def snapshot(self, folder: Path) -> None:
        from vitrina.lens.snapshot import write_snapshot  # it knows entries, which stand here

        write_snapshot(folder, [list(self._passing(EVERYTHING))])

    def destroy(self) -> None:
        with self._lock:
            self.entries.clear()

    def close(self) -> None:
        """Nothing is open."""

    def _passing(self, where: Filter) -> Iterable[Entry]:
        with self._lock:
            there = list(self.entries.values())
        return (entry for entry in there if where.takes(entry))


def index_folder(lens: Path, model: str) -> Path:
    """lens: `settings.lens`."""
    return lens / "index" / model
