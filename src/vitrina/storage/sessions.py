"""Sessions: the browsers in which people are signed in. Tokens are 256 random bits; only their SHA-256 is stored."""

from __future__ import annotations

import hashlib
import secrets
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, Session, mapped_column

from vitrina.storage.database import Base

_RENEW_AFTER = timedelta(hours=1)


class SignIn(Base):
    """One browser in which a person is signed in."""

    __tablename__ = "sign_ins"

    token_hash: Mapped[str] = mapped_column(sa.String(64), primary_key=True)
    person_id: Mapped[str] = mapped_column(sa.ForeignKey("persons.person_id", ondelete="CASCADE"), index=True)
    created_at: Mapped[datetime]
    seen_at: Mapped[datetime]
    expires_at: Mapped[datetime] = mapped_column(index=True)
    address: Mapped[str] = mapped_column(sa.String(64))


def start_session(
    session: Session, person_id: str, *, days: float, address: str = "", now: datetime | None = None
) -> str:
    """The token of a new session, which ends after `days` without use."""
    now, token = now or datetime.now(UTC), secrets.token_urlsafe(32)
    session.add(
        SignIn(
            token_hash=digest(token),
            person_id=person_id,
            created_at=now,
            seen_at=now,
            expires_at=now + timedelta(days=days),
            address=address,
        )
    )
    return token


def holder(session: Session, token: str, *, now: datetime | None = None) -> str | None:
    """The id of the person who was given this token; None when it is unknown or too old. Only reads."""
    row = session.get(SignIn, digest(token))
    return None if row is None or row.expires_at <= (now or datetime.now(UTC)) else row.person_id


def renewal_due(session: Session, token: str, *, now: datetime | None = None) -> bool:
    """Whether `renew_session` would do something: at most once an hour, so that looking at pages writes nothing."""
    row = session.get(SignIn, digest(token))
    return row is not None and (now or datetime.now(UTC)) - row.seen_at > _RENEW_AFTER


def renew_session(session: Session, token: str, *, days: float, now: datetime | None = None) -> None:
    """The session was used: it lasts `days` from now."""
    row, now = session.get(SignIn, digest(token)), now or datetime.now(UTC)
    if row is not None and row.expires_at > now:
        row.seen_at, row.expires_at = now, now + timedelta(days=days)


def end_session(session: Session, token: str) -> None:
    session.execute(sa.delete(SignIn).where(SignIn.token_hash == digest(token)))


def end_sessions(session: Session, person_id: str) -> None:
    session.execute(sa.delete(SignIn).where(SignIn.person_id == person_id))


def forget_expired(session: Session, now: datetime) -> None:
    session.execute(sa.delete(SignIn).where(SignIn.expires_at <= now))


def digest(token: str) -> str:
    """What is stored of a token."""
    return hashlib.sha256(token.encode()).hexdigest()
