"""Arrays as JSON: their bytes as text, with what they mean. Fifty people take microseconds and come back to the bit."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from vitrina.errors import InputError


def pack(array: NDArray[Any]) -> list[Any]:
    """[type, shape, bytes in Base64]."""
    return [str(array.dtype), list(array.shape), base64.b64encode(array.tobytes()).decode("ascii")]


def unpack(packed: list[Any], dtype: DTypeLike, *shape: int) -> NDArray[Any]:
    """The array that was packed, which must have this type and shape; −1 stands for any length.

    Raises InputError for what is something else.
    """
    kind, lengths, text = packed
    expected = np.dtype(dtype)
    fits = len(lengths) == len(shape) and all(want in (-1, n) for want, n in zip(shape, lengths, strict=True))
    if kind != str(expected) or not fits:
        raise InputError(f"expected an array of {expected} with the shape {shape}, got {kind} with {lengths}")
    return np.frombuffer(base64.b64decode(text, validate=True), expected).reshape(lengths).copy()
