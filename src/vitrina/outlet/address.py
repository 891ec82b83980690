"""Where a request may go: an address is looked up once, and only what was looked up is connected to.

A form that lets somebody enter an address would otherwise reach every service that only this machine can see
(server-side request forgery), also by a name that answers differently the second time (DNS rebinding).
"""

from __future__ import annotations

import ipaddress
import socket
from dataclasses import dataclass
from urllib.parse import urlsplit

from vitrina.errors import DeniedError, InputError

_NAT64 = ipaddress.ip_network("64:ff9b::/96")
IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address


@dataclass(frozen=True, slots=True)
class Address:
    """An address in its parts. target: path and query, as they stand in the request."""

    scheme: str
    host: str
    port: int
    target: str

    @property
    def host_header(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _default_port(self.scheme) else f"{host}:{self.port}"


def parse(url: str, *, allow_private: bool, allow_plain: bool = False) -> Address:
    """Raises InputError for what is no address to send to, and DeniedError for one in a private network.

    Plain HTTP is taken only where private networks are allowed, or where `allow_plain` says that nothing is sent
    which others may not read.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise InputError(f"address: expected https://HOST/PATH: {error}") from error
    if parts.scheme not in ("http", "https") or not parts.hostname or not url.isascii() or not url.isprintable():
        raise InputError("address: expected https://HOST/PATH")
    if parts.scheme == "http" and not (allow_private or allow_plain):
        raise InputError("address: expected https; plain http is for receivers in a network of yours, allowed by name")
    if len(parts.hostname) > 253 or any(not 0 < len(part) < 64 for part in parts.hostname.rstrip(".").split(".")):
        raise InputError("address: the host's name is too long")
    if parts.username or parts.password or parts.fragment or " " in url:
        raise InputError("address: expected no user, password, fragment or space in it")
    _check_literal(parts.hostname, allow_private=allow_private)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Address(parts.scheme, parts.hostname, port or _default_port(parts.scheme), target)


def without_query(url: str) -> str:
    """As it may be shown: a query may hold a key."""
    head, mark, _ = url.partition("?")
    return f"{head}?…" if mark else head


def look_up(address: Address, *, allow_private: bool) -> list[str]:
    """The IP addresses of the host. Raises DeniedError where one is not public, OSError where nobody knows the name."""
    found = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)
    addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    for text in addresses:
        _check_ip(ipaddress.ip_address(text.partition("%")[0]), address.host, allow_private=allow_private)
    return addresses


def _check_literal(host: str, *, allow_private: bool) -> None:
    """Who types such an address is told at once."""
    try:
        ip = ipaddress.ip_address(host)
    except ValueError:
        return  # a name: looked up before each request
    _check_ip(ip, host, allow_private=allow_private)


def _check_ip(ip: IpAddress, host: str, *, allow_private: bool) -> None:
    inner = _inner(ip)
    if inner.is_multicast or inner.is_unspecified or not (inner.is_global or allow_private):
        raise DeniedError(
            f"{host} is at {ip}, which is not on the public internet. "
            "If that is meant, allow addresses in your own network for this receiver."
        )


def _inner(ip: IpAddress) -> IpAddress:
    """The IPv4 address that an IPv6 address only wraps."""
    if isinstance(ip, ipaddress.IPv4Address):
        return ip
    if ip in _NAT64:
        return ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
    return ip.ipv4_mapped or ip.sixtofour or ip


def _default_port(scheme: str) -> int:
    return 443 if scheme == "https" else 80
