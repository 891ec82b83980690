"""A camera's address without its passwords, and with them again."""

from __future__ import annotations

import re
from collections.abc import Sequence
from urllib.parse import quote, unquote

from vitrina.errors import InputError

HIDDEN = "***"
SCHEMES = ("rtsp", "rtsps", "http", "https")
"""What a camera in the network is read by."""

_IN_URL = re.compile(r"(?<=://)(?P<user>[^/?#@:\s]*):(?P<secret>(?!\d{1,5}/)[^?\s]*)@")
_IN_QUERY = re.compile(
    r"(?i)(?P<key>[?&/_](?:password|passwd|pass|pwd|loginpas|auth|authbasic|token|secret|key)=)"
    r"(?P<secret>[^&#\s]*?)(?=_channel=|[&#\s]|$)"
)
_USER = re.compile(r"(?<=://)[^/?#]*@")
_UP_TO_AT = re.compile(r"(?<=://).*@", re.DOTALL)
"""Of what is no address, nobody can tell where its password ends."""
_ENCODED = re.compile(r"%[0-9A-Fa-f]{2}")


def hide(address: str) -> tuple[str, tuple[str, ...]]:
    """The address with `***` for each password, and the passwords in their order.

    Knows `scheme://user:PASSWORD@host` (the password may hold any sign but a question mark), `?password=…` with its
    usual names, and the same in the path, as recorders have it: `/user=admin_password=…_channel=1`. An address that
    was hidden already gives `***` as its passwords.
    """
    secrets: list[str] = []

    def in_url(found: re.Match[str]) -> str:
        secrets.append(found["secret"])
        return f"{found['user']}:{HIDDEN}@"

    def in_query(found: re.Match[str]) -> str:
        secrets.append(found["secret"])
        return f"{found['key']}{HIDDEN}"

    shown = _IN_QUERY.sub(in_query, _IN_URL.sub(in_url, address))
    return shown, tuple(secrets)


def reveal(shown: str, secrets: Sequence[str]) -> str:
    """The address that can be opened. Raises InputError when a password is missing."""
    parts = shown.split(HIDDEN)
    if len(parts) != len(secrets) + 1:
        raise InputError(
            f"{shown}: expected {len(parts) - 1} passwords for its {HIDDEN}, {len(secrets)} are stored. "
            "Write the address with its password once more."
        )
    return "".join(part + secret for part, secret in zip(parts, [*secrets, ""], strict=True))


def check_source(text: str) -> str:
    """The source of a camera, as written. Raises InputError, without its password, for what cannot be one."""
    if "://" in text:
        return check_address(text)
    if text.startswith("webcam:") and not text.removeprefix("webcam:").isdigit():
        raise InputError(f"expected webcam:NUMBER such as webcam:0, got {text!r}")
    return text


def check_address(text: str) -> str:
    """An address in the network, as written. Raises InputError, without its password, for what cannot be one."""
    shown, scheme = _UP_TO_AT.sub("…@", without_credentials(text)), text.partition("://")[0]
    if scheme not in SCHEMES:
        raise InputError(
            f"expected an address that begins with {', '.join(f'{one}://' for one in SCHEMES)}; got {shown}"
        )
    if re.search(r"\s", text):
        raise InputError(f"expected no space in the address, got {shown}; a space in a password is written %20")
    rest = _USER.sub("", hide(text)[0]).partition("://")[2]
    host = re.fullmatch(r"(\[[0-9A-Fa-f:.]+\]|[\w.-]+)(?::(\d+))?", re.split(r"[/?#]", rest, maxsplit=1)[0])
    if host is None or not 0 < int(host[2] or 554) < 65536:
        raise InputError(f"expected {scheme}://user:password@host:port/path, got {shown}")
    return text


def without_credentials(address: str) -> str:
    """The address as it may stand in a log: `rtsp://…@host/path`, without user, password or other secrets."""
    shown, _ = hide(address)
    return _USER.sub("…@", shown)


def openable(address: str) -> str:
    """The address with user and password percent-encoded, as RFC 3986 wants them; those encoded already stay so."""

    def encoded(found: re.Match[str]) -> str:
        return f"{_encoded(found['user'])}:{_encoded(found['secret'])}@"

    return _IN_URL.sub(encoded, address)


def _encoded(text: str) -> str:
    plain = unquote(text) if _ENCODED.search(text) else text
    return quote(plain, safe="")
