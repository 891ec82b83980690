"""Signatures of webhooks as Standard Webhooks 1.0 has them: HMAC-SHA256 over id, time and body. Pure."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
from collections.abc import Mapping

from vitrina.errors import DeniedError, InputError

PREFIX = "whsec_"
SECRET_BYTES = 32
TOLERANCE_S = 300.0


def new_secret() -> str:
    """`whsec_` and 32 random bytes in base64."""
    return PREFIX + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def check_secret(secret: str) -> str:
    """The secret itself. Raises InputError for one that is no base64 of 24 to 64 bytes, as the standard asks."""
    _key(secret)
    return secret


def signed_headers(secret: str, message_id: str, timestamp_s: int, body: bytes) -> dict[str, str]:
    """The three headers that the standard names."""
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp_s),
        "webhook-signature": "v1," + _digest(secret, message_id, str(timestamp_s), body),
    }


def verify(secret: str, headers: Mapping[str, str], body: bytes, *, now_s: float) -> None:
    """What a receiver does. Raises DeniedError when the signature is not ours, or is older than five minutes."""
    found = {name.lower(): value for name, value in headers.items()}
    try:
        message_id, timestamp, signatures = (found[f"webhook-{name}"] for name in ("id", "timestamp", "signature"))
        age_s = abs(now_s - int(timestamp))
    except (KeyError, ValueError) as error:
        raise DeniedError("expected the headers webhook-id, webhook-timestamp and webhook-signature") from error
    if age_s > TOLERANCE_S:
        raise DeniedError(f"webhook-timestamp is {age_s:.0f} s away from now; expected {TOLERANCE_S:.0f} s at most")
    expected = "v1," + _digest(secret, message_id, timestamp, body)
    if not any(hmac.compare_digest(expected, given) for given in signatures.split()):
        raise DeniedError("webhook-signature does not belong to this body and secret")


def _digest(secret: str, message_id: str, timestamp: str, body: bytes) -> str:
    signed = f"{message_id}.{timestamp}.".encode() + body
    return base64.b64encode(hmac.digest(_key(secret), signed, hashlib.sha256)).decode()


def _key(secret: str) -> bytes:
    try:
        key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except binascii.Error:
        key = b""
    if not 24 <= len(key) <= 64:
        raise InputError("secret: expected `whsec_` and 24 to 64 bytes in base64; leave it out to have one made")
    return key
