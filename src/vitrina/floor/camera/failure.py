"""Why a stream does not open or broke, in words that say what to check. No password is in them."""

from __future__ import annotations

import errno
import socket
from typing import get_args
from urllib.parse import urlsplit

import av

from vitrina.errors import CameraError
from vitrina.floor.counting.presence import SourceReason
from vitrina.floor.setup.address import without_credentials

REFUSED, HUNG, LOST, DENIED, MISSING, UNREACHABLE, NO_VIDEO, LATE, CLOCK_SET = get_args(SourceReason)
"""Reasons as they stand in the lake's table of gaps."""

RETRY_S = {DENIED: 60.0}
"""Cameras lock an account after a few wrong passwords: so long until the next try, at least."""

SILENT_S = 2.5
KNOCK_S = 1.0

_NO_WAY = {errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EHOSTDOWN, errno.ENETDOWN}
_CUT = {errno.ECONNRESET, errno.EPIPE, errno.ECONNABORTED}


class StreamError(CameraError):
    """A stream that did not open or ended. reason: short, for the record of gaps; the text says what to check."""

    def __init__(self, reason: str, text: str) -> None:
        super().__init__(text)
        self.reason = reason


def ended(address: str, *, silent_s: float) -> StreamError:
    """The stream came to an end, which a camera's never does by itself. silent_s: since its last packet."""
    name = without_credentials(address)
    if silent_s > SILENT_S:  # FFmpeg's RTSP time-out looks like an end, too
        return StreamError(HUNG, f"{name}: {_silence('', opening=False)}")
    return StreamError(LOST, f"{name}: the stream ended. It is opened again.")


def explain(error: Exception, address: str, *, opening: bool, took_s: float) -> StreamError:
    """What PyAV's error means. `error` holds the address with its password: never chain or log it.

    took_s: how long the call took that failed.
    """
    name = without_credentials(address)
    if opening and isinstance(error, av.error.InvalidDataError) and name.startswith("rtsp"):
        # FFmpeg calls everything so that keeps an RTSP server's answer away: silence, no route, another protocol.
        error = TimeoutError() if took_s > SILENT_S else _knock(*_host(address)) or error
    reason, what = _reason(error, address, opening=opening)
    return StreamError(reason, f"{name}: {what}")


def _reason(error: Exception, address: str, *, opening: bool) -> tuple[str, str]:
    number = getattr(error, "errno", None)
    host, port = _host(address)
    if isinstance(error, av.error.HTTPUnauthorizedError | av.error.HTTPForbiddenError):
        return DENIED, (
            "the camera refuses the user name or password. Check them in the camera's own page; "
            "after some wrong tries many cameras lock the account for half an hour."
        )
    if isinstance(error, av.error.HTTPNotFoundError):
        return MISSING, "the camera answers but has no stream at this path. Check the channel and the path."
    if isinstance(error, av.error.HTTPError):
        return MISSING, f"the camera answers with an error ({_text(error)}). Check the path, or restart the camera."
    if isinstance(error, ConnectionRefusedError):
        return (
            REFUSED,
            f"nothing listens at {host}, port {port}. Is the camera on, is its RTSP or HTTP server, the port?",
        )
    if number in _NO_WAY:
        return UNREACHABLE, f"no way to {host}. Is this machine in the camera's network, is the cable in?"
    if isinstance(error, av.error.ExitError | TimeoutError):
        return HUNG, _silence(host, opening=opening)
    if number in _CUT or isinstance(error, EOFError):
        return LOST, "the connection was cut. Is the camera restarting, does it allow one more viewer?"
    if opening and not _resolves(host):
        return UNREACHABLE, f"there is no host called {host}. Check the name, or write its IP address."
    if isinstance(error, av.error.InvalidDataError) or (opening and number == errno.EIO):
        if address.startswith("rtsp"):
            return NO_VIDEO, f"what answers at port {port} does not speak RTSP. Check the port; RTSP's is usually 554."
        return NO_VIDEO, "what comes from there is not a video that can be read. Check the path in a browser."
    return LOST, f"the stream does not open ({_text(error)})." if opening else f"the stream broke ({_text(error)})."


def _silence(host: str, *, opening: bool) -> str:
    if opening:
        return f"no answer from {host} in time. Is the address right, does a firewall drop it, does the camera hang?"
    return "no picture came for some seconds: the camera hangs, or the network. It is opened again."


def _host(address: str) -> tuple[str, int]:
    parts = urlsplit(without_credentials(address).replace("…@", ""))
    try:
        return parts.hostname or "?", parts.port or {"https": 443, "http": 80, "rtsps": 322}.get(parts.scheme, 554)
    except ValueError:
        return parts.hostname or "?", 0


def _knock(host: str, port: int) -> OSError | None:
    """What a plain connection to the host meets; None when it is accepted."""
    try:
        with socket.create_connection((host, port), timeout=KNOCK_S):
            return None
    except OSError as error:
        return error


def _resolves(host: str) -> bool:
    try:
        return bool(socket.getaddrinfo(host, None))
    except OSError:
        return False


def _text(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or type(error).__name__)
