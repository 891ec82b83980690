"""Links to shops: the shop's own address, or an affiliate network's, with the sub-id that traces the click. Pure.

A template begins with one of two words, and only parameters follow:

    {base}?ulp={url}&subid={subid}     the program's address; {url} is the offer's address, encoded once
    {link}?ref={subid}                 the offer's own address with something added

What stands in an address already is neither changed nor moved. An empty template is the offer's own address as it is.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import SplitResult, quote, unquote, urlsplit

from vitrina.errors import InputError

SCHEMES = ("http", "https")
LONGEST_URL = 4000

_PRINTABLE = "".join(chr(code) for code in range(0x21, 0x7F))
_HOST = re.compile(r"[a-z0-9_](?:[a-z0-9_.-]*[a-z0-9_])?\.?")
_TEMPLATE = re.compile(r"\{(base|link)\}\?([^#\s?]+)")
_SLOT = re.compile(r"\{([a-z0-9_]+)\}")
_PARAMETER = re.compile(r"[A-Za-z0-9_.-]+=(?:[A-Za-z0-9_.~%-]|\{[a-z0-9_]+\})*")


@dataclass(frozen=True, slots=True)
class Network:
    """template: see above. sub_ids: name of each sub-id → its longest value, the first one holds the click.

    hosts: an offer's address on one of these was made by the network: it only gets its sub-ids.
    fields, states: how its postbacks call our words and states, see `postback`.
    """

    name: str
    template: str = ""
    sub_ids: Mapping[str, int] = field(default_factory=dict)
    hosts: tuple[str, ...] = ()
    fields: Mapping[str, str] = field(default_factory=dict)
    states: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Link:
    """Where a click goes. url: ASCII, safe in a header. host: of it, without port."""

    url: str
    host: str


FIELDS: dict[str, str] = {
    "order_id": "order_id",
    "action": "action",
    "state": "status",
    "sub_id": "subid",
    "order": "order_sum",
    "commission": "payment_sum",
    "currency": "currency",
}
"""Our word for what a postback says → its parameter, where the network does not call it otherwise."""

STATES: dict[str, str] = {
    "pending": "pending",
    "approved": "approved",
    "rejected": "rejected",
    "declined": "rejected",
}

NETWORKS: dict[str, Network] = {
    network.name: network
    for network in (
        Network("direct", fields=FIELDS, states=STATES),
        Network(
            "admitad",
            "{base}?ulp={url}&subid={subid}",
            sub_ids={"subid": 50, "subid1": 50, "subid2": 50, "subid3": 50, "subid4": 120},
            hosts=("ad.admitad.com",),
            fields={**FIELDS, "state": "payment_status", "action": "type"},
            states=STATES,
        ),
        Network("generic", "{base}?url={url}&subid={subid}", sub_ids={"subid": 64}, fields=FIELDS, states=STATES),
    )
}
"""Those that need no setting up but their shops' addresses and secrets."""


def make_link(network: Network, url: str, *, base: str = "", sub_ids: Mapping[str, str]) -> Link:
    """The offer's address by way of the network. Raises InputError for an address that is none, or what is missing."""
    if not network.template:
        return plain_link(url)
    check_url(url)
    prefix, parameters = _parse(network.template)
    if prefix == "link" or _host(urlsplit(url)) in network.hosts:
        return plain_link(_added(url, _free(network, url, _of_sub_ids(network, parameters)), network, sub_ids))
    if not base:
        raise InputError(
            f"network {network.name}: the shop has no address in it yet; "
            "`vitrina lens cashback networks program SHOP --network NAME --base URL` sets it"
        )
    check_url(base)
    return plain_link(_added(base, parameters, network, {**sub_ids, "url": url}))


def check_url(url: str) -> str:
    """The address itself. Raises InputError for everything that a browser could read differently than we do."""
    shown = url[:80].encode("unicode_escape").decode()
    if len(url) > LONGEST_URL:
        raise InputError(f"expected an address of at most {LONGEST_URL} letters, got {len(url)}: {shown}…")
    if "\\" in url or any(ord(letter) < 0x20 or 0x7F <= ord(letter) < 0xA0 for letter in url) or url != url.strip():
        raise InputError(f"expected an address without backslashes, control letters and spaces around, got {shown}")
    try:
        parts = urlsplit(url)
        _ascii_host(parts)
        fits = parts.scheme in SCHEMES and "@" not in parts.netloc and url.isprintable()
        url.encode()
    except ValueError:
        fits = False
    if not fits or not url.lower().startswith(("http://", "https://")):
        raise InputError(f"expected an address such as https://shop.example/thing, got {shown}")
    return url


def plain_link(url: str) -> Link:
    """The address in ASCII: what is not gets encoded, what is stays. Raises InputError for an address that is none."""
    check_url(url)
    parts = urlsplit(url)
    host = _ascii_host(parts)
    head = re.match(r"[a-zA-Z]+://[^/?#]*", url)
    rest = url[head.end() :] if head else ""
    port = "" if parts.port is None else f":{parts.port}"
    return Link(f"{parts.scheme}://{host}{port}{quote(rest, safe=_PRINTABLE)}", host.strip("[]"))


def check_network(network: Network) -> Network:
    """The network itself. Raises InputError for a template that cannot be filled."""
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,63}", network.name):
        raise InputError(f"network: expected small letters, digits and hyphens, got {network.name!r}")
    wrong = next((name for name, longest in network.sub_ids.items() if not 1 <= longest <= 1000), None)
    if wrong is not None:
        raise InputError(f"network {network.name}: sub-id {wrong}: expected a length of 1 to 1000")
    if not network.template:
        return network
    prefix, parameters = _parse(network.template)
    known = {*network.sub_ids, "url"} if prefix == "base" else {*network.sub_ids}
    unknown = set(_SLOT.findall("&".join(parameters))) - known
    if unknown:
        raise InputError(f"template {network.template!r}: no value for {', '.join(sorted(unknown))}")
    if prefix == "base" and "{url}" not in network.template:
        raise InputError(f"template {network.template!r}: expected {{url}}, or the click would lose its offer")
    return network


def _parse(template: str) -> tuple[str, list[str]]:
    """The word at its beginning, and its parameters."""
    found = _TEMPLATE.fullmatch(template)
    parameters = found[2].split("&") if found else []
    if found is None or not all(_PARAMETER.fullmatch(one) for one in parameters):
        raise InputError(f"template: expected {{base}}?name={{url}}&… or {{link}}?name={{subid}}&…, got {template!r}")
    return found[1], parameters


def _of_sub_ids(network: Network, parameters: list[str]) -> list[str]:
    return [one for one in parameters if set(_SLOT.findall(one)) & set(network.sub_ids)]


def _free(network: Network, url: str, parameters: list[str]) -> list[str]:
    """The parameters, under the next sub-id where the link has a value of that name already."""
    taken = _names(url)
    free = [name for name in network.sub_ids if name not in taken]
    found = []
    for parameter in parameters:
        name, _, slot = parameter.partition("=")
        if name in taken:
            if name not in network.sub_ids or not free:
                raise InputError(f"network {network.name}: the link has {name} already, and no other sub-id is free")
            name = free[0]
        free = [one for one in free if one != name]
        found.append(f"{name}={slot}")
    return found


def _added(prefix: str, parameters: list[str], network: Network, values: Mapping[str, str]) -> str:
    """The address with the parameters behind its own, before its fragment; those without a value are left out."""
    taken = _names(prefix)
    filled = []
    for parameter in parameters:
        slots = _SLOT.findall(parameter)
        name = parameter.partition("=")[0]
        if any(slot not in values for slot in slots):
            continue
        if name in taken:
            raise InputError(f"network {network.name}: the address has a parameter {name} already: {prefix[:80]}")
        for slot in slots:
            longest = network.sub_ids.get(name, network.sub_ids.get(slot)) if slot in network.sub_ids else None
            if longest is not None and len(values[slot]) > longest:
                raise InputError(f"{name}: expected at most {longest} letters, got {len(values[slot])}")
            parameter = parameter.replace(f"{{{slot}}}", quote(values[slot], safe=""))
        filled.append(parameter)
    head, mark, fragment = prefix.partition("#")
    between = "" if not filled or head.endswith(("?", "&")) else "&" if "?" in head else "?"
    return f"{head}{between}{'&'.join(filled)}{mark}{fragment}"


def _names(url: str) -> set[str]:
    return {unquote(part.partition("=")[0]) for part in urlsplit(url).query.split("&") if part}


def _host(parts: SplitResult) -> str:
    return _ascii_host(parts).rstrip(".")


def _ascii_host(parts: SplitResult) -> str:
    """Raises ValueError for what is no name of a host. Reads the port too, which may be none."""
    host, _ = parts.hostname or "", parts.port
    if "[" in parts.netloc:
        return f"[{ipaddress.IPv6Address(host)}]"
    name = host if host.isascii() else host.encode("idna").decode("ascii")
    return name if _HOST.fullmatch(name) and ".." not in name else _refuse()


def _refuse() -> str:
    raise ValueError("not a host")
