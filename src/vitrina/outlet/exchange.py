"""One HTTP request and its answer: to the address that was looked up, within a time, no redirect followed."""

from __future__ import annotations

import contextlib
import http.client
import socket
import ssl
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import BinaryIO

from vitrina.outlet.address import look_up, parse

LARGEST_ANSWER = 64 * 1024
CONNECT_S = 5.0


@dataclass(frozen=True, slots=True)
class Answer:
    """status: None when there was none, and `reason` says why. text: the beginning of the body."""

    status: int | None
    ms: int
    reason: str = ""
    text: str = ""
    retry_after_s: float | None = None

    @property
    def accepted(self) -> bool:
        return self.status is not None and 200 <= self.status < 300


def send(
    method: str,
    url: str,
    *,
    headers: Mapping[str, str],
    body: bytes | BinaryIO,
    timeout_s: float,
    allow_private: bool = False,
    tls: ssl.SSLContext | None = None,
) -> Answer:
    """Send and wait for the answer, `timeout_s` in all. Raises InputError and DeniedError for addresses not allowed."""
    address, began = parse(url, allow_private=allow_private), time.monotonic()
    try:
        ips = look_up(address, allow_private=allow_private)
        connection = connect(address.host, ips, address.port, tls or tls_for(address.scheme))
    except OSError as error:
        return Answer(None, _since(began), said(error))
    scissors = Scissors(timeout_s, began=began)
    scissors.hold(connection.sock)
    try:
        sent = {"Host": address.host_header, "User-Agent": "Vitrina", **headers}
        connection.request(method, address.target, body=body, headers=sent)
        response = connection.getresponse()
        text = response.read(LARGEST_ANSWER).decode("utf-8", "replace")
        if scissors.reason:
            return Answer(None, _since(began), scissors.reason)
        wait_s = _retry_after(response.headers.get("Retry-After", ""))
        return Answer(response.status, _since(began), f"HTTP {response.status}", text, wait_s)
    except (OSError, http.client.HTTPException) as error:
        return Answer(None, _since(began), scissors.reason or said(error))
    finally:
        scissors.put_away()
        connection.close()


class Scissors:
    """Cut the line at a deadline: a server that sends a byte now and then would be waited for without end.

    wait_s: None never cuts. One line is held at a time; the deadline is for all of them together.
    """

    def __init__(self, wait_s: float | None, *, began: float | None = None) -> None:
        self._wait_s, self._began = wait_s, time.monotonic() if began is None else began
        self._cut = threading.Event()
        self._timer: threading.Timer | None = None

    @property
    def reason(self) -> str:
        """Empty where nothing was cut."""
        return f"no answer within {self._wait_s:g} s" if self._cut.is_set() else ""

    def check(self) -> None:
        """What ended because it was cut looks whole. Raises TimeoutError."""
        if self._cut.is_set():
            raise TimeoutError(self.reason)

    def hold(self, line: socket.socket | None) -> None:
        self.put_away()
        if self._wait_s is not None:
            left_s = max(0.0, self._wait_s - (time.monotonic() - self._began))
            self._timer = threading.Timer(left_s, _cut, (line, self._cut))
            self._timer.daemon = True
            self._timer.start()

    def put_away(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def __enter__(self) -> Scissors:
        return self

    def __exit__(self, *_: object) -> None:
        self.put_away()


def connect(host: str, ips: Sequence[str], port: int, tls: ssl.SSLContext | None) -> http.client.HTTPConnection:
    """Connected to one of `ips`, which were looked up and found to be allowed, whatever the name says by now."""
    connection = http.client.HTTPConnection(host, port)
    plain = _reach(ips, port)
    try:
        connection.sock = tls.wrap_socket(plain, server_hostname=host) if tls else plain
    except BaseException:
        plain.close()
        raise
    connection.sock.settimeout(None)
    return connection


def _reach(ips: Sequence[str], port: int) -> socket.socket:
    """The first address, or else the first of the other kind: many networks carry only one of IPv6 and IPv4."""
    other = next((ip for ip in ips if (":" in ip) != (":" in ips[0])), None)
    try:
        return socket.create_connection((ips[0], port), timeout=CONNECT_S)
    except OSError:
        if other is None:
            raise
    return socket.create_connection((other, port), timeout=CONNECT_S)


def tls_for(scheme: str) -> ssl.SSLContext | None:
    return ssl.create_default_context() if scheme == "https" else None


def _cut(sock: socket.socket | None, cut: threading.Event) -> None:
    cut.set()
    if sock is not None:
        with contextlib.suppress(OSError):
            sock.shutdown(socket.SHUT_RDWR)


def _since(began: float) -> int:
    return round((time.monotonic() - began) * 1000)


def said(error: Exception) -> str:
    """In plain words, without the request."""
    match error:
        case TimeoutError():
            return f"no connection within {CONNECT_S:g} s"
        case ConnectionRefusedError():
            return "connection refused: nothing listens there"
        case ssl.SSLError():
            return f"TLS: {error.reason or 'handshake failed'}"
        case socket.gaierror():
            return "the host's name is not known"
        case ConnectionError() | http.client.RemoteDisconnected():
            return "the connection was cut before an answer came"
        case http.client.HTTPException():
            return "what came was no HTTP"
        case _:
            return getattr(error, "strerror", None) or type(error).__name__


def _retry_after(text: str) -> float | None:
    """Seconds, from a number or a date (RFC 9110, 10.2.3)."""
    if text.isdecimal():
        return float(text[:9])
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - time.time())
    except ValueError:
        return None
