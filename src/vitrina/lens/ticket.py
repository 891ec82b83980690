"""A ticket in a link that was sent to a shopper's own chat: the click on it belongs to their wallet. Pure.

It is good for one offer and for a day, so that a link that is passed on soon collects nothing for who sent it.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import struct

TICKETS = "chat tickets"
"""What the key of tickets is derived from."""
GOOD_FOR_S = 24 * 3600
MAC_BYTES = 16


def make_ticket(key: bytes, wallet: str, *, shop: str, offer_id: str, now_s: float) -> str:
    """wallet: as it is stored, a SHA-256 in hex. 70 letters that may stand in an address."""
    body = bytes.fromhex(wallet) + struct.pack(">I", int(now_s) + GOOD_FOR_S)
    return base64.urlsafe_b64encode(body + _mac(key, body, shop, offer_id)).decode().rstrip("=")


def read_ticket(key: bytes, ticket: str, *, shop: str, offer_id: str, now_s: float) -> str | None:
    """The wallet; None for a ticket that is not ours, is too old, or was made for another offer."""
    try:
        content = base64.b64decode(ticket + "==", altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return None
    body, mac = content[:-MAC_BYTES], content[-MAC_BYTES:]
    if len(body) != 36 or not hmac.compare_digest(mac, _mac(key, body, shop, offer_id)):
        return None
    (good_until,) = struct.unpack(">I", body[32:])
    return body[:32].hex() if now_s < good_until else None


def _mac(key: bytes, body: bytes, shop: str, offer_id: str) -> bytes:
    """Keyed BLAKE2b (RFC 7693) over lengths and contents, so that no two offers read alike."""
    name = shop.encode()
    message = body + struct.pack(">I", len(name)) + name + offer_id.encode()
    return hashlib.blake2b(message, key=key, digest_size=MAC_BYTES, person=b"chat ticket").digest()
