"""What was told last, so that a restart tells nothing twice: small values by key."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, Session, mapped_column

from vitrina.storage.database import Base


class Told(Base):
    """key: such as `camera:riga-1/door` or `day:riga-1`."""

    __tablename__ = "told"

    key: Mapped[str] = mapped_column(sa.String(200), primary_key=True)
    value: Mapped[dict[str, Any]]
    at: Mapped[datetime]


def recall(session: Session, prefix: str) -> dict[str, dict[str, Any]]:
    """Every value whose key begins so, by key."""
    found = session.scalars(sa.select(Told).where(Told.key.startswith(prefix, autoescape=True)))
    return {told.key: told.value for told in found}


def remember(session: Session, key: str, value: dict[str, Any]) -> None:
    session.merge(Told(key=key, value=value, at=datetime.now(UTC)))


def forget_keys(session: Session, keys: Iterable[str]) -> None:
    session.execute(sa.delete(Told).where(Told.key.in_(list(keys))))
