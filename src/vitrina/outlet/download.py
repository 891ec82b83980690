"""A file fetched over HTTP: as it changed, resumed where the line was cut, from no address that is not allowed."""

from __future__ import annotations

import base64
import http.client
import socket
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from urllib.parse import unquote, urljoin, urlsplit, urlunsplit

from vitrina.errors import InputError, LimitError
from vitrina.outlet.address import look_up, parse
from vitrina.outlet.exchange import Scissors, connect, said, tls_for
from vitrina.work.worker import TryAgain

SILENCE_S = 60.0
"""A server that says nothing for so long is left."""

SLOWEST_BYTES_S = 1000
MOST_REDIRECTS = 5
MOST_TRIES = 4
"""In a row, without a byte more."""

CHUNK = 1 << 18
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_PASSING = frozenset({408, 409, 425, 429, 500, 502, 503, 504})


@dataclass(frozen=True, slots=True)
class Version:
    """What the server calls the state of a file, to ask later whether it changed; "" for what it does not say."""

    etag: str = ""
    last_modified: str = ""


@dataclass(frozen=True, slots=True)
class Downloaded:
    """is_unchanged: the server has nothing newer than the version that was asked about, and no file was written."""

    version: Version
    size: int
    is_unchanged: bool = False


UNKNOWN = Version()

Progress = Callable[[int, int], None]
"""Called with the bytes that came and those that there are, 0 where the server does not say."""


def download(
    url: str,
    to: Path,
    *,
    known: Version = UNKNOWN,
    allow_private: bool = False,
    largest: int,
    tries: int = MOST_TRIES,
    silence_s: float = SILENCE_S,
    retry_wait_s: float = 1.0,
    deadline_s: float | None = None,
    tls: ssl.SSLContext | None = None,
    on_progress: Progress = lambda _got, _all: None,
) -> Downloaded:
    """Fetch `url` to the file `to`, packed with gzip where the server does that.

    The address may hold `user:password@`, which only its own host is told. silence_s: a server that says nothing for
    so long is left, and one that is slower than `SLOWEST_BYTES_S` after that time. deadline_s: for each try in all,
    redirects included.

    Raises InputError or DeniedError for an address that is not allowed and for an answer that will stay as it is,
    LimitError for a file above `largest` bytes, and TryAgain for what may pass. No message holds a secret.
    """
    part, version, reason, host = to.with_name(f"{to.name}.part"), UNKNOWN, "", urlsplit(url).hostname
    part.unlink(missing_ok=True)
    to.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    number, had = 0, 0
    while number < tries:
        if number:
            time.sleep(retry_wait_s * 2 ** (number - 1))
        got = part.stat().st_size if part.exists() else 0
        number, had = 1 if got > had else number + 1, max(got, had)
        headers, scissors = _conditions(known) if not got else _resume(got, version), Scissors(deadline_s)
        try:
            with (
                scissors,
                _Answer.open(url, headers, silence_s, scissors, allow_private=allow_private, tls=tls) as answer,
            ):
                if answer.status == HTTPStatus.NOT_MODIFIED and not got:
                    return Downloaded(known, 0, is_unchanged=True)
                version = answer.version
                _take(answer, part, got, largest, silence_s, on_progress)
                scissors.check()
        except socket.gaierror as error:
            raise TryAgain(f"{host}: {said(error)}") from error
        except (OSError, http.client.HTTPException) as error:
            reason = scissors.reason or said(error)
            continue
        except _Passing as passing:
            reason = scissors.reason or str(passing)
            continue
        part.replace(to)
        return Downloaded(version, to.stat().st_size)
    raise TryAgain(f"{host}: {reason}; tried {tries} times")


class _Passing(Exception):  # noqa: N818 - it may work the next time
    pass


def _take(answer: _Answer, part: Path, got: int, largest: int, silence_s: float, on_progress: Progress) -> None:
    """Write the body; a server that cannot resume begins anew."""
    if answer.status in _PASSING:
        raise _Passing(f"the server answered HTTP {answer.status}")
    if answer.status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE and got:
        part.unlink()
        raise _Passing("the file changed while it was fetched")
    if answer.status not in (HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT):
        raise InputError(f"{answer.host}: expected the file, the server answered HTTP {answer.status}{answer.hint}.")
    resumes = answer.status == HTTPStatus.PARTIAL_CONTENT and got > 0
    got, begun, came = got if resumes else 0, time.monotonic(), 0
    promised = answer.length + got if answer.length else 0
    with part.open("ab" if resumes else "wb") as file:
        while chunk := answer.read(CHUNK):
            got, came = got + len(chunk), came + len(chunk)
            if came < SLOWEST_BYTES_S * (time.monotonic() - begun - silence_s):
                raise _Passing(f"the server sends less than {SLOWEST_BYTES_S:,} bytes a second")
            if max(got, promised) > largest:
                raise LimitError(f"{answer.host}: expected at most {_size(largest)}, the file is larger.")
            file.write(chunk)
            on_progress(got, promised)
    if promised and got < promised:
        raise _Passing("the connection was cut before the file was whole")


def _size(count: int) -> str:
    return f"{count / 1e9:g} GB" if count >= 1e9 else f"{count / 1e6:g} MB"


class _Answer:
    """The last answer of a chain of redirects, each to an address that was checked like the first."""

    def __init__(self, connection: http.client.HTTPConnection, response: http.client.HTTPResponse, host: str) -> None:
        self._connection, self._response, self.host = connection, response, host
        self.status = response.status
        self.length = int(length) if (length := response.headers.get("Content-Length", "")).isdecimal() else 0
        self.version = Version(response.headers.get("ETag", "")[:500], response.headers.get("Last-Modified", "")[:200])

    @classmethod
    def open(
        cls,
        url: str,
        headers: Mapping[str, str],
        silence_s: float,
        scissors: Scissors,
        *,
        allow_private: bool,
        tls: ssl.SSLContext | None,
    ) -> _Answer:
        url, secret = _without_user(url)
        first = urlsplit(url)[:2]
        for _ in range(MOST_REDIRECTS + 1):
            address = parse(url, allow_private=allow_private, allow_plain=True)
            ips = look_up(address, allow_private=allow_private)
            context = (tls or tls_for("https")) if address.scheme == "https" else None
            connection = connect(address.host, ips, address.port, context)
            connection.sock.settimeout(silence_s)
            scissors.hold(connection.sock)
            sent = {"Host": address.host_header, "User-Agent": "Vitrina", "Accept-Encoding": "gzip", **headers}
            if secret and urlsplit(url)[:2] == first:
                sent["Authorization"] = secret
            try:
                connection.request("GET", address.target, headers=sent)
                response = connection.getresponse()
            except BaseException:
                connection.close()
                raise
            place = response.headers.get("Location", "") if response.status in _REDIRECTS else ""
            if not place:
                return cls(connection, response, address.host)
            connection.close()
            url = _without_user(_joined(url, place))[0].partition("#")[0]
        raise InputError(f"{urlsplit(url).hostname}: expected the file, got more than {MOST_REDIRECTS} redirects.")

    @property
    def hint(self) -> str:
        hints = {401: ": a user and password are needed", 403: ": it forbids this", 404: ": there is nothing there"}
        return hints.get(self.status, "")

    def read(self, size: int) -> bytes:
        """What has come, at most `size` bytes: a slow server is noticed between two of them."""
        return self._response.read1(size)

    def __enter__(self) -> _Answer:
        return self

    def __exit__(self, *_: object) -> None:
        self._response.close()
        self._connection.close()


def _joined(url: str, place: str) -> str:
    try:
        return urljoin(url, place)
    except ValueError as error:
        raise InputError(
            f"{urlsplit(url).hostname}: expected https://HOST/PATH, its redirect leads nowhere."
        ) from error


def _without_user(url: str) -> tuple[str, str]:
    """The address without `user:password@`, and the header that tells them (RFC 7617)."""
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise InputError("address: expected https://HOST/PATH") from error
    user, at, host = parts.netloc.rpartition("@")
    if not at:
        return url, ""
    secret = base64.b64encode(unquote(user).encode()).decode("ascii")
    return urlunsplit(parts._replace(netloc=host)), f"Basic {secret}"


def _conditions(known: Version) -> dict[str, str]:
    asked = {"If-None-Match": known.etag, "If-Modified-Since": known.last_modified}
    return {name: value for name, value in asked.items() if value}


def _resume(got: int, version: Version) -> dict[str, str]:
    """Only of the same file: a weak tag, or none, means from the beginning (RFC 9110, 13.1.5)."""
    same = version.etag if version.etag and not version.etag.startswith("W/") else version.last_modified
    return {"Range": f"bytes={got}-", "If-Range": same} if same else {}
