"""A feed's address without what may be secret in it, and with it again. Pure.

Shops and networks put keys into whatever parameter they like, so every value of the query is taken for one.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from urllib.parse import urlsplit

from vitrina.errors import InputError

HIDDEN = "***"
SCHEMES = ("http", "https")

_USER = re.compile(r"(?<=://)(?P<user>[^/?#@:]*):(?P<secret>[^/?#]*)@")

_KEY = re.compile(
    r"x-amz-.+|code|user|login|(?:.*[_.-])?(?:api)?(?:token|key|pass|password|pwd|secret|sig|signature|hash|auth"
    r"|session|expires)",
    re.IGNORECASE,
)
"""Names of parameters whose values change while the feed stays the same; `country_code` is none."""


def is_address(text: str) -> bool:
    return text.partition("://")[0].lower() in SCHEMES


def hide(address: str) -> tuple[str, tuple[str, ...]]:
    """The address with `***` for its password and for each value of its query, and these in their order."""
    secrets: list[str] = []

    def keep(found: re.Match[str], shown: str) -> str:
        secrets.append(found["secret"])
        return shown

    head, mark, query = address.partition("?")
    head = _USER.sub(lambda found: keep(found, f"{found['user']}:{HIDDEN}@"), head)
    if not mark:
        return head, tuple(secrets)
    parts = []
    for part in query.split("&"):
        key, equals, value = part.partition("=")
        secrets.append(value if equals else part)
        parts.append(f"{key}={HIDDEN}" if equals else HIDDEN)
    return f"{head}?{'&'.join(parts)}", tuple(secrets)


def names_the_same(one: str, other: str) -> bool:
    """Whether two addresses are one feed's: alike but for a password and for values of the query that are keys."""

    def named(address: str) -> tuple[str, list[str]]:
        head, _, query = address.partition("?")
        return _USER.sub("", head), [part for part in query.split("&") if not _KEY.fullmatch(part.partition("=")[0])]

    return named(one) == named(other)


def reveal(shown: str, secrets: Sequence[str]) -> str:
    """The address that can be opened. Raises InputError when a secret is missing."""
    parts = shown.split(HIDDEN)
    if len(parts) != len(secrets) + 1:
        raise InputError(
            f"{shown}: expected {len(parts) - 1} secrets for its {HIDDEN}, {len(secrets)} are stored. "
            "Write the whole address once more."
        )
    return "".join(part + secret for part, secret in zip(parts, [*secrets, ""], strict=True))


def check_address(address: str) -> str:
    """The address, as written. Raises InputError, without its secrets, for what cannot be one."""
    shown = hide(address)[0]
    try:
        parts = urlsplit(address)
        host, _ = parts.hostname, parts.port
    except ValueError:
        host = None
    if not is_address(address) or not host:
        raise InputError(f"expected https://HOST/PATH, got {shown}")
    if HIDDEN in address:
        raise InputError(f"{shown}: expected the whole address; {HIDDEN} stands for a secret that is not shown")
    if not address.isascii() or not address.isprintable() or " " in address:
        raise InputError(f"expected an address of ASCII letters without spaces (others as %XX), got {shown}")
    return address
