"""Tokens that prove a form was sent from our own page (OWASP: HMAC-based token pattern).

The token is an HMAC of the visitor's cookie, which no other site can read. Each page shows it under a fresh mask, so
that a compressed page gives nothing away about it (BREACH).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets

_SIZE = hashlib.sha256().digest_size


def make_token(cookie: str) -> str:
    """A new form token for the visitor who holds this cookie."""
    mask = secrets.token_bytes(_SIZE)
    return base64.urlsafe_b64encode(mask + _xor(mask, _proof(cookie))).decode()


def is_valid(token: str, cookie: str) -> bool:
    """True when `token` was made for this very cookie."""
    try:
        raw = base64.urlsafe_b64decode(token.encode())
    except (binascii.Error, UnicodeEncodeError):
        return False
    if len(raw) != 2 * _SIZE or not cookie:
        return False
    return hmac.compare_digest(_xor(raw[:_SIZE], raw[_SIZE:]), _proof(cookie))


def _proof(cookie: str) -> bytes:
    return hmac.digest(cookie.encode(), b"vitrina form", "sha256")


def _xor(left: bytes, right: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(left, right, strict=True))
