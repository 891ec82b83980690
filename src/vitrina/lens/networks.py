"""Affiliate networks and the shops' programs in them: what somebody set up. Shipped ones need no row."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, Session, mapped_column

from vitrina.errors import InputError, NotFoundError
from vitrina.lens.link import FIELDS, NETWORKS, STATES, Network, check_network, check_url
from vitrina.lens.shops import LensShop, find_shop
from vitrina.storage.audit import record
from vitrina.storage.database import Base
from vitrina.storage.secrets import SecretBox

SHORTEST_SECRET = 16
TARGETS = ("pending", "approved", "rejected")
"""States that a network may put a cashback into."""


class LensNetwork(Base):
    """A network, see `link.Network`. secret: its HMAC key, token: what it sends along; both sealed.

    fields: our word → their parameter. states: their word → our state.
    """

    __tablename__ = "lens_networks"

    name: Mapped[str] = mapped_column(sa.String(64), primary_key=True)
    template: Mapped[str] = mapped_column(sa.Text)
    sub_ids: Mapped[dict[str, Any]]
    hosts: Mapped[list[str]]
    fields: Mapped[dict[str, Any]]
    states: Mapped[dict[str, Any]]
    secret: Mapped[str | None] = mapped_column(sa.Text)
    token: Mapped[str | None] = mapped_column(sa.Text)
    active: Mapped[bool]
    created_at: Mapped[datetime]


class LensProgram(Base):
    """A shop's place in a network. base: the address that the network gave for it."""

    __tablename__ = "lens_programs"

    shop: Mapped[str] = mapped_column(sa.ForeignKey(LensShop.slug), primary_key=True)
    network: Mapped[str] = mapped_column(sa.String(64))
    base: Mapped[str] = mapped_column(sa.Text)
    created_at: Mapped[datetime]


@dataclass(frozen=True, slots=True)
class Door:
    """How a network proves that a postback is its own: a key to sign with, a token to send along, or both."""

    secret: str | None
    token: str | None


def list_networks(session: Session) -> list[Network]:
    """By name: those that somebody set up, and the shipped ones that nobody changed."""
    stored = {row.name: _network(row) for row in session.scalars(sa.select(LensNetwork))}
    return sorted({**NETWORKS, **stored}.values(), key=lambda one: one.name)


def find_network(session: Session, name: str) -> Network:
    """Raises NotFoundError, with the name that may have been meant."""
    row = session.get(LensNetwork, name)
    if row is not None:
        return _network(row)
    if name in NETWORKS:
        return NETWORKS[name]
    names = [one.name for one in list_networks(session)]
    near = difflib.get_close_matches(name, names, n=1)
    raise NotFoundError(f"there is no network {name!r}; {f'did you mean {near[0]}?' if near else ', '.join(names)}")


def save_network(
    session: Session,
    name: str,
    *,
    by: str,
    template: str | None = None,
    sub_ids: Mapping[str, int] | None = None,
    fields: Mapping[str, str] | None = None,
    states: Mapping[str, str] | None = None,
) -> Network:
    """Make a network or change what is given. fields, states: only where they differ from the usual."""
    row = _row(session, name)
    before = _told(_network(row))
    row.template = row.template if template is None else template
    row.sub_ids = row.sub_ids if sub_ids is None else dict(sub_ids)
    row.fields = {**row.fields, **(fields or {})}
    row.states = {**row.states, **{key.lower(): value for key, value in (states or {}).items()}}
    network = check_network(_network(row))
    _check_words(network)
    session.flush()
    record(session, by, "lens.network.save", f"lens-network:{name}", before, _told(network))
    return network


def set_secret(
    session: Session, name: str, *, box: SecretBox, by: str, secret: str | None = None, token: str | None = None
) -> None:
    """What is None stays, "" takes it away. Raises InputError for one that is short enough to be guessed."""
    find_network(session, name)
    for value in (secret, token):
        if value and (len(value) < SHORTEST_SECRET or value != value.strip()):
            raise InputError(f"secret: expected at least {SHORTEST_SECRET} letters without spaces around")
    row = _row(session, name)
    if secret is not None:
        row.secret = box.seal(secret) if secret else None
    if token is not None:
        row.token = box.seal(token) if token else None
    session.flush()
    changed = [key for key, value in (("secret", secret), ("token", token)) if value is not None]
    record(session, by, "lens.network.secret", f"lens-network:{name}", None, {"changed": changed})


def door_of(session: Session, name: str, box: SecretBox) -> Door:
    row = session.get(LensNetwork, name)
    if row is None:
        return Door(None, None)
    return Door(*(box.open(sealed) if sealed else None for sealed in (row.secret, row.token)))


def doors(session: Session) -> dict[str, tuple[str, ...]]:
    """By network: which of `secret` and `token` are set."""
    rows = session.scalars(sa.select(LensNetwork))
    return {row.name: tuple(key for key in ("secret", "token") if getattr(row, key)) for row in rows}


def set_program(session: Session, shop: str, network: str, *, base: str = "", by: str) -> LensProgram:
    """A shop's links go by way of this network from now on."""
    find_shop(session, shop)
    needs_base = "{base}" in find_network(session, network).template
    if needs_base or base:
        check_url(base)
    row = session.get(LensProgram, shop)
    before = {"network": row.network, "base": row.base} if row else None
    if row is None:
        row = LensProgram(shop=shop, created_at=datetime.now(UTC))
        session.add(row)
    row.network, row.base = network, base
    session.flush()
    record(session, by, "lens.program.set", f"lens-shop:{shop}", before, {"network": network, "base": base})
    return row


def list_programs(session: Session) -> dict[str, LensProgram]:
    """By shop."""
    return {row.shop: row for row in session.scalars(sa.select(LensProgram))}


def route_of(session: Session, shop: str) -> tuple[Network, str]:
    """The network that a shop's links go through, and the shop's address in it; without one, its own links."""
    program = session.get(LensProgram, shop)
    if program is not None:
        return find_network(session, program.network), program.base
    row = session.get(LensShop, shop)
    return find_network(session, row.network if row is not None and row.network else "direct"), ""


def _row(session: Session, name: str) -> LensNetwork:
    """Somebody's own, or the shipped one made changeable, or a new one; not checked yet."""
    row = session.get(LensNetwork, name)
    if row is None:
        start = NETWORKS.get(name, Network(name, fields=FIELDS, states=STATES))
        row = LensNetwork(
            name=name,
            template=start.template,
            sub_ids=dict(start.sub_ids),
            hosts=list(start.hosts),
            fields=dict(start.fields),
            states=dict(start.states),
            active=True,
            created_at=datetime.now(UTC),
        )
        check_network(_network(row))
        session.add(row)
    return row


def _network(row: LensNetwork) -> Network:
    return Network(row.name, row.template, row.sub_ids, tuple(row.hosts), row.fields, row.states)


def _told(network: Network) -> dict[str, Any]:
    return {
        "template": network.template,
        "sub_ids": dict(network.sub_ids),
        "fields": dict(network.fields),
        "states": dict(network.states),
    }


def _check_words(network: Network) -> None:
    unknown = sorted(set(network.fields) - set(FIELDS))
    if unknown:
        raise InputError(f"network {network.name}: expected some of {', '.join(FIELDS)}, got {', '.join(unknown)}")
    wrong = sorted(set(network.states.values()) - set(TARGETS))
    if wrong:
        raise InputError(f"network {network.name}: expected states {', '.join(TARGETS)}, got {', '.join(wrong)}")
