"""Who is here: lists of people, their names and their keys, for pages and the command line. Only reads."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.orm import Session

from vitrina.storage.accounts import Person
from vitrina.storage.apikeys import ApiKey


def people(session: Session) -> list[Person]:
    """Everybody, also those who are switched off, by name."""
    return list(session.scalars(sa.select(Person).order_by(Person.name, Person.person_id)))


def names(session: Session) -> dict[str, str]:
    """Id to name of everybody."""
    return {person_id: name for person_id, name in session.execute(sa.select(Person.person_id, Person.name))}  # noqa: C416


def keys_of(session: Session, person_id: str) -> list[ApiKey]:
    """A person's keys that are not revoked, oldest first."""
    own = sa.select(ApiKey).where(ApiKey.person_id == person_id, ApiKey.revoked_at.is_(None))
    return list(session.scalars(own.order_by(ApiKey.created_at, ApiKey.key_id)))
