"""Where a camera's worker answers, and the form of question and answer.

One question a connection: a word and a line's end. The answer is one line of JSON, and behind it, where a picture was
asked for and there is one, as many bytes of JPEG as `jpeg_bytes` says. Nothing but bytes goes over it.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, get_args

What = Literal["health", "people", "newest"]
"""health: how the camera is doing. people: where they are. newest: that, with the picture they were seen in."""

WHATS: tuple[What, ...] = get_args(What)
LONGEST_QUESTION = 64
SUFFIX = ".sock"


def run_folder(home: Path) -> Path:
    return home / "run"


def socket_name(shop: str, camera: str) -> str:
    return hashlib.blake2b(f"{shop}/{camera}".encode(), digest_size=6).hexdigest() + SUFFIX


@contextmanager
def short_path(folder: Path) -> Iterator[str]:
    """Another name of the folder, while the block lasts: AF_UNIX takes 107 bytes, and homes may lie deep.

    Raises FileNotFoundError.
    """
    number = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{number}"
    finally:
        os.close(number)
