"""API keys: with them programs act for a person, within the key's scopes and never beyond the person's rights."""

from __future__ import annotations

import secrets
from collections.abc import Collection
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, Session, mapped_column

from vitrina.errors import NotFoundError
from vitrina.product import new_id
from vitrina.storage import audit
from vitrina.storage.accounts import SignedIn, as_signed_in, get_person
from vitrina.storage.database import Base
from vitrina.storage.rights import check_scopes
from vitrina.storage.sessions import digest

KEY_MARK = "vk_"
"""First letters of every API key, so that scanners for leaked secrets know one when they see it."""


class ApiKey(Base):
    __tablename__ = "api_keys"

    key_id: Mapped[str] = mapped_column(sa.String(36), primary_key=True)
    person_id: Mapped[str] = mapped_column(sa.ForeignKey("persons.person_id", ondelete="CASCADE"), index=True)
    name: Mapped[str] = mapped_column(sa.String(100))
    prefix: Mapped[str] = mapped_column(sa.String(16))
    key_hash: Mapped[str] = mapped_column(sa.String(64), unique=True)
    scopes: Mapped[list[str]]
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]


def create_key(
    session: Session, person_id: str, *, name: str, scopes: Collection[str], days: float | None = None
) -> tuple[ApiKey, str]:
    """A key that acts for a person within `scopes` (names of actions); the key itself is shown this once."""
    now, token = datetime.now(UTC), KEY_MARK + secrets.token_urlsafe(32)
    key = ApiKey(
        key_id=new_id(),
        person_id=get_person(session, person_id).person_id,
        name=name.strip() or "key",
        prefix=token[:10],
        key_hash=digest(token),
        scopes=sorted(check_scopes(frozenset(scopes))),
        created_at=now,
        expires_at=None if days is None else now + timedelta(days=days),
    )
    session.add(key)
    session.flush()
    audit.record(session, person_id, "key.create", f"key:{key.key_id}", None, {"name": name, "scopes": key.scopes})
    return key, token


def key_person(session: Session, token: str, *, now: datetime | None = None) -> SignedIn | None:
    """For whom this API key acts, limited to its scopes; None when the key is unknown, revoked or too old."""
    key = session.scalar(sa.select(ApiKey).where(ApiKey.key_hash == digest(token)))
    if key is None or key.revoked_at is not None:
        return None
    if key.expires_at is not None and key.expires_at <= (now or datetime.now(UTC)):
        return None
    return as_signed_in(get_person(session, key.person_id), frozenset(key.scopes))


def revoke_key(session: Session, key_id: str, *, by: str) -> None:
    key = session.get(ApiKey, key_id)
    if key is None:
        raise NotFoundError(f"there is no API key {key_id!r}")
    key.revoked_at = key.revoked_at or datetime.now(UTC)
    audit.record(session, by, "key.revoke", f"key:{key_id}")
