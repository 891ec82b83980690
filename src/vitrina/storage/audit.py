"""The audit log: who changed what, when, from what to what. Rows are only ever added."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, Session, mapped_column

from vitrina.product import new_id
from vitrina.storage.database import Base


class AuditEntry(Base):
    """One change.

    who: a person's id, or `cli:<user>` for somebody at the machine, or `system`.
    object: kind and key, such as `shop:riga-1` or `person:<id>`.
    """

    __tablename__ = "audit"
    __table_args__ = (sa.Index(None, "object", "at"),)

    entry_id: Mapped[str] = mapped_column(sa.String(36), primary_key=True)
    at: Mapped[datetime] = mapped_column(index=True)
    who: Mapped[str] = mapped_column(sa.String(100))
    action: Mapped[str] = mapped_column(sa.String(100))
    object: Mapped[str] = mapped_column(sa.String(200))
    before: Mapped[dict[str, Any] | None] = mapped_column(sa.JSON(none_as_null=True))
    after: Mapped[dict[str, Any] | None] = mapped_column(sa.JSON(none_as_null=True))


def record(
    session: Session,
    who: str,
    action: str,
    object: str,  # noqa: A002
    before: dict[str, Any] | None = None,
    after: dict[str, Any] | None = None,
) -> None:
    """Write one change into the log, in the transaction of the change itself. Never hand a secret in."""
    session.add(
        AuditEntry(
            entry_id=new_id(), at=datetime.now(UTC), who=who, action=action, object=object, before=before, after=after
        )
    )


def entries(session: Session, *, object: str | None = None, limit: int = 100) -> list[AuditEntry]:  # noqa: A002
    """The newest changes first, of one object or of all."""
    query = sa.select(AuditEntry).order_by(AuditEntry.entry_id.desc()).limit(limit)
    if object is not None:
        query = query.where(AuditEntry.object == object)
    return list(session.scalars(query))


def newest(session: Session, action: str, object: str, *, who: str | None = None) -> AuditEntry | None:  # noqa: A002
    """The last change of this kind to an object, by anybody or by one person."""
    query = sa.select(AuditEntry).where(AuditEntry.object == object, AuditEntry.action == action)
    query = query if who is None else query.where(AuditEntry.who == who)
    return session.scalar(query.order_by(AuditEntry.at.desc(), AuditEntry.entry_id.desc()).limit(1))
