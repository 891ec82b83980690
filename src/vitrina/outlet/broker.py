"""The MQTT broker that is told: one row, with its password sealed, and how the connection is now."""

from __future__ import annotations

import re
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, Session, mapped_column

from vitrina.errors import InputError, NotFoundError
from vitrina.storage.audit import record
from vitrina.storage.database import Base
from vitrina.storage.secrets import SecretBox

MAIN = "main"
PLAIN_PORT, TLS_PORT = 1883, 8883
_TOPIC = re.compile(r"[A-Za-z0-9_-]+(/[A-Za-z0-9_-]+)*")
_HOST = re.compile(r"[A-Za-z0-9._:-]{1,253}")


class Broker(Base):
    """ca: PEM of the authority that signed its certificate; None: those that the system trusts.

    discovery_prefix: empty where Home Assistant shall find nothing by itself. changed_at: a new one reconnects.
    status: what the connection is like, in plain words, since status_at; empty before anybody tried.
    """

    __tablename__ = "mqtt_brokers"

    broker_id: Mapped[str] = mapped_column(sa.String(16), primary_key=True)
    host: Mapped[str] = mapped_column(sa.String(253))
    port: Mapped[int]
    tls: Mapped[bool]
    ca: Mapped[str | None] = mapped_column(sa.Text)
    username: Mapped[str] = mapped_column(sa.String(200))
    password: Mapped[str | None] = mapped_column(sa.Text)
    prefix: Mapped[str] = mapped_column(sa.String(100))
    discovery_prefix: Mapped[str] = mapped_column(sa.String(100))
    connected: Mapped[bool]
    status: Mapped[str] = mapped_column(sa.Text)
    status_at: Mapped[datetime | None]
    changed_at: Mapped[datetime]


@dataclass(frozen=True, slots=True)
class BrokerSettings:
    """What somebody enters. port: 0 chooses by `tls`. password: None keeps the one that is stored."""

    host: str
    port: int = 0
    tls: bool = False
    ca: str | None = None
    username: str = ""
    password: str | None = None
    prefix: str = "vitrina"
    discovery_prefix: str = "homeassistant"

    def checked(self) -> BrokerSettings:
        """Raises InputError."""
        if not _HOST.fullmatch(self.host) or any(not 0 < len(part) < 64 for part in self.host.rstrip(".").split(".")):
            raise InputError(f"host: expected a name or address such as mqtt.example.org, got {self.host[:80]!r}")
        if not 0 <= self.port <= 65535:
            raise InputError(f"port: expected 1 to 65535, got {self.port}")
        if not _TOPIC.fullmatch(self.prefix):
            raise InputError(f"prefix: expected letters, digits, - and _ such as vitrina, got {self.prefix[:80]!r}")
        if self.discovery_prefix and not _TOPIC.fullmatch(self.discovery_prefix):
            raise InputError(f"discovery: expected a topic such as homeassistant, got {self.discovery_prefix[:80]!r}")
        if self.discovery_prefix and _overlap(self.prefix, self.discovery_prefix):
            raise InputError(
                f"prefix: expected one of our own, apart from {self.discovery_prefix}, got {self.prefix}: "
                "what is retained below it and not ours is cleared, and that would be every other device's discovery"
            )
        if self.ca:
            trusting(self.ca)
        return self


def _overlap(topic: str, other: str) -> bool:
    """Whether one is the other, or lies below it."""
    return f"{topic}/".startswith(f"{other}/") or f"{other}/".startswith(f"{topic}/")


def trusting(ca: str | None) -> ssl.SSLContext:
    """Believes in what this authority signed; None: in those that the system trusts. Raises InputError."""
    try:
        return ssl.create_default_context(cadata=ca)
    except (ssl.SSLError, TypeError) as error:  # TypeError: it is not ASCII
        raise InputError(
            "ca: expected certificates in PEM, with BEGIN CERTIFICATE; enter the authority's file again"
        ) from error


def find_broker(session: Session) -> Broker | None:
    return session.get(Broker, MAIN)


def set_broker(session: Session, given: BrokerSettings, *, box: SecretBox, by: str) -> Broker:
    given = given.checked()
    broker = session.get(Broker, MAIN)
    before = _told(broker) if broker else None
    same_place = broker is not None and broker.host == given.host
    if broker is None:
        broker = Broker(broker_id=MAIN)
        session.add(broker)
    broker.host, broker.tls, broker.username = given.host, given.tls, given.username
    broker.port = given.port or (TLS_PORT if given.tls else PLAIN_PORT)
    broker.ca = given.ca or (broker.ca if same_place else None)
    broker.prefix, broker.discovery_prefix = given.prefix, given.discovery_prefix
    if given.password is not None:
        broker.password = box.seal(given.password) if given.password else None
    elif not same_place:
        broker.password = None  # a password is never sent to a host that it was not entered for
    broker.connected, broker.status, broker.status_at = False, "", None
    broker.changed_at = datetime.now(UTC)
    record(session, by, "mqtt.set", "mqtt:main", before, _told(broker))
    return broker


def remove_broker(session: Session, *, by: str) -> None:
    broker = session.get(Broker, MAIN)
    if broker is None:
        raise NotFoundError("no MQTT broker is set; `vitrina connect mqtt set --host HOST` sets one")
    session.delete(broker)
    record(session, by, "mqtt.remove", "mqtt:main", _told(broker), None)


def note_status(session: Session, *, connected: bool, status: str) -> None:
    broker = session.get(Broker, MAIN)
    if broker is not None and (broker.connected, broker.status) != (connected, status):
        broker.connected, broker.status, broker.status_at = connected, status, datetime.now(UTC)


def _told(broker: Broker) -> dict[str, Any]:
    """For the audit log."""
    names = ("host", "port", "tls", "username", "prefix", "discovery_prefix")
    return {name: getattr(broker, name) for name in names}
