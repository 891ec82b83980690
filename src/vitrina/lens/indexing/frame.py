"""One question, one answer on a Unix socket: a line of JSON, and behind it as many bytes as it says. Nothing else.

{"what": "search", "model": "image-lite0", "k": 50, "where": {…}, "shape": [2, 1280], "bytes": 10240}\\n…
"""

from __future__ import annotations

import json
import socket
from typing import Any, BinaryIO

import numpy as np

from vitrina.lens.index import Entry, Floats

SOCKET = "index.sock"
LONGEST_LINE = 8_000_000
LARGEST_BODY = 64_000_000


def send(line: socket.socket, said: dict[str, Any], vectors: Floats | None = None) -> None:
    body = b"" if vectors is None else np.ascontiguousarray(vectors, np.float32).tobytes()
    shape = [] if vectors is None else list(vectors.shape)
    line.sendall(json.dumps(said | {"shape": shape, "bytes": len(body)}).encode() + b"\n")
    if body:  # who needs none may have answered and gone by now
        line.sendall(body)


def receive(stream: BinaryIO) -> tuple[dict[str, Any], Floats]:
    """Raises ValueError for what is cut off or too large."""
    head = stream.readline(LONGEST_LINE)
    if not head.endswith(b"\n"):
        raise ValueError("the line was cut off")
    said: dict[str, Any] = json.loads(head)
    size, shape = int(said.pop("bytes")), said.pop("shape")
    if size > LARGEST_BODY:
        raise ValueError(f"expected at most {LARGEST_BODY} bytes, {size} were announced")
    body = stream.read(size)
    if len(body) < size:
        raise ValueError("the vectors were cut off")
    return said, np.frombuffer(body, np.float32).reshape(shape or (0,))


def as_rows(entries: list[Entry]) -> tuple[list[list[Any]], Floats]:
    told = [[e.entry_id, e.shop, e.category, e.brand, e.price_minor, e.currency, e.available] for e in entries]
    return told, np.stack([entry.vector for entry in entries]) if entries else np.zeros((0, 0), np.float32)


def as_entries(rows: list[list[Any]], vectors: Floats) -> list[Entry]:
    return [Entry(row[0], vector, *row[1:]) for row, vector in zip(rows, vectors, strict=True)]
