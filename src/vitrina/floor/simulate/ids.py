"""Ids by the million that depend on the seed alone."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

_HEX = np.array([f"{byte:02x}" for byte in range(256)], "S2").view(np.uint8).reshape(256, 2)
_DASHES = (8, 13, 18, 23)
_LETTERS = np.setdiff1d(np.arange(36), _DASHES)


def event_ids(t_us: NDArray[np.int64], rng: np.random.Generator) -> pa.Array:
    """UUIDv7 (RFC 9562): the moment's milliseconds, then 74 random bits. t_us: (N,) → (N,) strings."""
    data = rng.integers(0, 256, (len(t_us), 16), dtype=np.uint8)
    data[:, :6] = (t_us // 1000).astype(">u8").view(np.uint8).reshape(-1, 8)[:, 2:]
    data[:, 6] = 0x70 | (data[:, 6] & 0x0F)
    data[:, 8] = 0x80 | (data[:, 8] & 0x3F)
    text = np.full((len(t_us), 36), ord("-"), np.uint8)
    text[:, _LETTERS] = _HEX[data].reshape(len(t_us), 32)
    return _strings(text)


def random_ids(count: int, rng: np.random.Generator) -> pa.Array:
    """Persons' ids: 12 random hexadecimal digits."""
    return _strings(_HEX[rng.integers(0, 256, (count, 6), dtype=np.uint8)].reshape(count, 12))


def _strings(text: NDArray[np.uint8]) -> pa.Array:
    count, width = text.shape
    offsets = pa.py_buffer(np.arange(0, (count + 1) * width, width, dtype=np.int32).tobytes())
    return pa.StringArray.from_buffers(count, offsets, pa.py_buffer(text.tobytes()))
