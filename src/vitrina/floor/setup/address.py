"""A camera's address without its passwords, and with them again."""

from __future__ import annotations

import re
from collections.abc import Sequence
from urllib.parse import quote, unquote

from vitrina.errors import InputError

HIDDEN = "***"

_IN_URL = re.compile(r"(?<=://)(?P<user>[^/?#@:\s]*):(?P<secret>(?!\d{1,5}/)[^?\s]*)@")
_IN_QUERY = re.compile(r"(?i)(?P<key>[?&](?:password|passwd|pass|pwd|token|secret|key)=)(?P<secret>[^&#\s]*)")
_USER = re.compile(r"(?<=://)[^/?#]*@")
_ENCODED = re.compile(r"%[0-9A-Fa-f]{2}")


def hide(address: str) -> tuple[str, tuple[str, ...]]:
    """The address with `***` for each password, and the passwords in their order.

    Knows `scheme://user:PASSWORD@host` (the password may hold any sign but a question mark) and `?password=…` with its
    usual names. An address that was hidden already gives `***` as its passwords.
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
