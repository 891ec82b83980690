"""Unix sockets in the folder `run` of a home: only their user may ask there, and whoever finds one is listened to."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


def run_folder(home: Path) -> Path:
    return home / "run"


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


def listen(path: Path, *, backlog: int) -> tuple[socket.socket, int]:
    """A socket that listens there, and its inode, for `take_away`. One that a killed process left is taken over."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    path.parent.chmod(0o700)
    line = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    with short_path(path.parent) as short:
        # Bound under another name first, so that nobody ever finds a socket that is not listening.
        draft = Path(f"{short}/{path.name}.{os.getpid()}")
        draft.unlink(missing_ok=True)
        line.bind(str(draft))
        draft.chmod(0o600)
        line.listen(backlog)
        inode = draft.stat().st_ino
        draft.replace(f"{short}/{path.name}")
    return line, inode


def take_away(path: Path, inode: int) -> None:
    """Our own socket; where another process listens by now, its socket stays."""
    with suppress(OSError):
        if path.stat().st_ino == inode:
            path.unlink()
