"""Asks the workers: how a camera is doing, where people are, the newest picture."""

from __future__ import annotations

import json
import socket
import struct
from pathlib import Path
from typing import Any, NamedTuple

from vitrina.errors import CameraError
from vitrina.floor.worker.address import SUFFIX, What, socket_name
from vitrina.work.sockets import run_folder, short_path

PATIENCE_S = 2.0


class Answer(NamedTuple):
    """said: as the worker wrote it. jpeg: None where none was asked for, or there is no fresh picture."""

    said: dict[str, Any]
    jpeg: bytes | None


def ask(home: Path, shop: str, camera: str, what: What, *, patience_s: float = PATIENCE_S) -> Answer:
    """Raises CameraError when no worker answers for this camera in time."""
    try:
        return _ask(run_folder(home), socket_name(shop, camera), what, patience_s, set())
    except (OSError, ValueError) as error:
        raise CameraError(
            f"camera {shop}/{camera}: nobody is watching it now. Start `vitrina up`, or look into its log."
        ) from error


def all_health(home: Path, *, patience_s: float = PATIENCE_S) -> list[dict[str, Any]]:
    """Of every camera that is watched here now, by shop and camera. A worker that is gone is left out.

    A process that does not answer for one of its cameras in time is not asked for the others.
    """
    folder, found, hanging = run_folder(home), [], set[int]()
    for path in folder.glob(f"*{SUFFIX}"):
        try:
            found.append(_ask(folder, path.name, "health", patience_s, hanging).said)
        except (OSError, ValueError):
            continue  # it was killed and left its socket; the next worker of this camera takes it over
    return sorted(found, key=lambda one: (one["shop"], one["camera"]))


def _ask(folder: Path, name: str, what: What, patience_s: float, hanging: set[int]) -> Answer:
    """hanging: processes that are not waited for; one that lets us wait in vain joins them."""
    with short_path(folder) as short, socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as line:
        line.settimeout(patience_s)
        line.connect(f"{short}/{name}")
        process = _listener(line)
        if process in hanging:
            raise TimeoutError(f"process {process} did not answer for another camera either")
        try:
            return _answer(line, what)
        except TimeoutError:
            hanging.add(process)
            raise


def _listener(line: socket.socket) -> int:
    """Id of the process that listens there: unix(7), SO_PEERCRED."""
    form = "3i"
    process, *_ = struct.unpack(form, line.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize(form)))
    return int(process)


def _answer(line: socket.socket, what: What) -> Answer:
    line.sendall(f"{what}\n".encode())
    with line.makefile("rb") as answer:
        said: dict[str, Any] = json.loads(answer.readline())
        size = said.pop("jpeg_bytes", 0)
        jpeg = answer.read(size)
    if len(jpeg) < size:
        raise ValueError(f"the picture was cut off: {len(jpeg)} of {size} bytes")
    return Answer(said, jpeg or None)
