"""Where a camera's worker answers, and the form of question and answer.

One question a connection: a word and a line's end. The answer is one line of JSON, and behind it, where a picture was
asked for and there is one, as many bytes of JPEG as `jpeg_bytes` says. Nothing but bytes goes over it.
"""

from __future__ import annotations

import hashlib
from typing import Literal, get_args

What = Literal["health", "people", "newest"]
"""health: how the camera is doing. people: where they are. newest: that, with the picture they were seen in."""

WHATS: tuple[What, ...] = get_args(What)
LONGEST_QUESTION = 64
SUFFIX = ".sock"


def socket_name(shop: str, camera: str) -> str:
    return hashlib.blake2b(f"{shop}/{camera}".encode(), digest_size=6).hexdigest() + SUFFIX
