"""What a network tells us of an order: that it is really the network, and what it says. Pure.

    GET or POST /postback/NETWORK?order_id=…&status=approved&subid=…&sign=…

`sign` is HMAC-SHA256 in hex, with the network's secret, over all other parameters: sorted by name, encoded as in a
query (RFC 3986, a space is %20), joined by `&`. A network that cannot sign sends its `token` along instead.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from urllib.parse import quote

from vitrina.errors import DeniedError, InputError
from vitrina.lens.link import FIELDS, STATES, Network
from vitrina.product import check_currency

SIGN, TOKEN = "sign", "token"
MOST_PARAMETERS = 60
LONGEST = {"order_id": 200, "action": 100, "sub_id": 120}

_AMOUNT = re.compile(r"\d{1,12}(?:[.,]\d{1,6})?")


@dataclass(frozen=True, slots=True)
class Conversion:
    """One action of one order. order, commission: in major units of `currency`; "": the currency of the click."""

    network: str
    order_id: str
    action: str
    sub_id: str
    state: str
    order: Decimal | None
    commission: Decimal | None
    currency: str


def sign(secret: str, parameters: Mapping[str, str]) -> str:
    """The signature of these parameters, for whoever sends them."""
    signed = "&".join(
        f"{quote(name, safe='')}={quote(value, safe='')}"
        for name, value in sorted(parameters.items())
        if name not in (SIGN, TOKEN)
    )
    return hmac.digest(secret.encode(), signed.encode(), hashlib.sha256).hex()


def once(pairs: Sequence[tuple[str, str]]) -> dict[str, str]:
    """The parameters by name. Raises InputError for one that comes twice: which one would be signed?"""
    found = dict(pairs)
    if len(found) != len(pairs) or len(found) > MOST_PARAMETERS:
        raise InputError(f"expected at most {MOST_PARAMETERS} parameters, each once, got {len(pairs)}")
    return found


def verify(parameters: Mapping[str, str], *, secret: str | None, token: str | None) -> None:
    """Raises DeniedError, which says the same of everything that is wrong, unless all that is set up is right."""
    checks = []
    if secret is not None:
        checks.append(_same(sign(secret, parameters), parameters.get(SIGN, "").lower()))
    if token is not None:
        checks.append(_same(token, parameters.get(TOKEN, "")))
    if not checks or not all(checks):
        raise DeniedError("the signature or token does not belong to this network")


def read_conversion(network: Network, parameters: Mapping[str, str]) -> Conversion:
    """What the parameters say, in our words. Raises InputError, naming their parameter."""
    given = {ours: parameters.get(network.fields.get(ours, usual), "").strip() for ours, usual in FIELDS.items()}
    names = {ours: network.fields.get(ours, usual) for ours, usual in FIELDS.items()}
    for ours, longest in LONGEST.items():
        if len(given[ours]) > longest or not given[ours].isprintable():
            raise InputError(f"{names[ours]}: expected at most {longest} letters, got {len(given[ours])}")
    if not given["order_id"]:
        raise InputError(f"{names['order_id']}: expected the order's number, got nothing")
    states = {**STATES, **network.states}
    state = states.get(given["state"].lower())
    if state is None:
        raise InputError(f"{names['state']}: expected one of {', '.join(sorted(states))}, got {given['state'][:40]!r}")
    return Conversion(
        network=network.name,
        order_id=given["order_id"],
        action=given["action"],
        sub_id=given["sub_id"],
        state=state,
        order=_amount(names["order"], given["order"]),
        commission=_amount(names["commission"], given["commission"]),
        currency=check_currency(given["currency"].upper()) if given["currency"] else "",
    )


def _amount(name: str, text: str) -> Decimal | None:
    if not text:
        return None
    if not (text.isascii() and _AMOUNT.fullmatch(text)):
        raise InputError(f"{name}: expected an amount such as 49.90, got {text[:40]!r}")
    return Decimal(text.replace(",", "."))


def _same(expected: str, given: str) -> bool:
    return hmac.compare_digest(expected.encode(), given.encode(errors="replace"))
