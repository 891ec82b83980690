"""People and how they come in: passwords, which are stored as argon2id, and links that work once.

What they then carry is a session (`sessions`) or an API key (`apikeys`). What people may do is decided in `rights`; how
often a password may be guessed, in `throttle`.
"""

from __future__ import annotations

import functools
import secrets
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from sqlalchemy.orm import Mapped, Session, mapped_column, relationship

from vitrina.errors import ConflictError, InputError, NotFoundError, NotSignedInError
from vitrina.product import new_id
from vitrina.storage import audit, sessions, throttle
from vitrina.storage.database import Base, Database
from vitrina.storage.rights import ALL_SHOPS, Rights, check_role

PASSWORD_LENGTHS = (10, 200)

_hasher = PasswordHasher()


class Person(Base):
    __tablename__ = "persons"

    person_id: Mapped[str] = mapped_column(sa.String(36), primary_key=True)
    email: Mapped[str] = mapped_column(sa.String(320), unique=True)
    name: Mapped[str] = mapped_column(sa.String(200))
    password_hash: Mapped[str | None] = mapped_column(sa.String(200))
    created_at: Mapped[datetime]
    disabled_at: Mapped[datetime | None]
    roles: Mapped[list[Role]] = relationship(lazy="selectin", cascade="all, delete-orphan")


class Role(Base):
    """`role` of a person in one shop, or in every shop (`*`)."""

    __tablename__ = "roles"

    person_id: Mapped[str] = mapped_column(sa.ForeignKey("persons.person_id", ondelete="CASCADE"), primary_key=True)
    shop_slug: Mapped[str] = mapped_column(sa.String(64), primary_key=True)
    role: Mapped[str] = mapped_column(sa.String(20), primary_key=True)


class Invitation(Base):
    """A link that works once. Without a person it makes one with this role; with a person it signs them in."""

    __tablename__ = "invitations"

    token_hash: Mapped[str] = mapped_column(sa.String(64), primary_key=True)
    person_id: Mapped[str | None] = mapped_column(sa.ForeignKey("persons.person_id", ondelete="CASCADE"))
    role: Mapped[str | None] = mapped_column(sa.String(20))
    shop_slug: Mapped[str | None] = mapped_column(sa.String(64))
    invited_by: Mapped[str] = mapped_column(sa.String(100))
    expires_at: Mapped[datetime] = mapped_column(index=True)


@dataclass(frozen=True, slots=True)
class SignedIn:
    """Who is asking, and what they may do."""

    person_id: str
    name: str
    email: str
    rights: Rights


# ── people and roles ────────────────────────────────────────────────────────────────────────────


def create_person(session: Session, *, email: str, name: str, password: str | None = None, by: str) -> Person:
    """Raises ConflictError when the address is taken, InputError when a value does not fit."""
    email = _check_email(email)
    if find_person(session, email) is not None:
        raise ConflictError(f"there is a person with the address {email} already")
    if not name.strip():
        raise InputError("name: expected a name, got nothing")
    person = Person(
        person_id=new_id(),
        email=email,
        name=name.strip(),
        password_hash=None if password is None else hash_password(password),
        created_at=datetime.now(UTC),
    )
    session.add(person)
    session.flush()
    audit.record(session, by, "person.create", f"person:{person.person_id}", None, {"email": email, "name": name})
    return person


def find_person(session: Session, email: str) -> Person | None:
    return session.scalar(sa.select(Person).where(Person.email == email.strip().casefold()))


def anybody(session: Session) -> bool:
    """Whether there is a person at all; before that, the first start makes an administrator."""
    return session.scalar(sa.select(Person.person_id).limit(1)) is not None


def get_person(session: Session, person_id: str) -> Person:
    person = session.get(Person, person_id)
    if person is None:
        raise NotFoundError(f"there is no person {person_id!r}")
    return person


def set_password(session: Session, person_id: str, password: str, *, by: str) -> None:
    """A new password ends every session that the old one opened."""
    get_person(session, person_id).password_hash = hash_password(password)
    sessions.end_sessions(session, person_id)
    audit.record(session, by, "person.password", f"person:{person_id}")


def disable_person(session: Session, person_id: str, *, by: str) -> None:
    """The person cannot come in any more: no password, session, link or key of theirs works.

    Nor does a link that they made for others and that nobody has used yet.
    """
    get_person(session, person_id).disabled_at = datetime.now(UTC)
    sessions.end_sessions(session, person_id)
    session.execute(sa.delete(Invitation).where(Invitation.invited_by == person_id))
    audit.record(session, by, "person.disable", f"person:{person_id}")


def grant(session: Session, person_id: str, role: str, *, shop: str | None, by: str) -> None:
    """Give a role in one shop, or in all of them (None). Giving it twice changes nothing."""
    person, slug = get_person(session, person_id), shop or ALL_SHOPS
    if (check_role(role), slug) in _role_pairs(person):
        return
    person.roles.append(Role(person_id=person_id, role=role, shop_slug=slug))
    audit.record(session, by, "role.grant", f"person:{person_id}", None, {"role": role, "shop": slug})


def revoke(session: Session, person_id: str, role: str, *, shop: str | None, by: str) -> None:
    """Take a role away. Raises NotFoundError when the person does not have it."""
    person, slug = get_person(session, person_id), shop or ALL_SHOPS
    held = [held for held in person.roles if (held.role, held.shop_slug) == (role, slug)]
    if not held:
        raise NotFoundError(f"{person.name} is not {role} in {slug}")
    person.roles.remove(held[0])
    audit.record(session, by, "role.revoke", f"person:{person_id}", {"role": role, "shop": slug}, None)


def may(session: Session, person_id: str, action: str, shop: str | None = None) -> bool:
    person = session.get(Person, person_id)
    asking = None if person is None else as_signed_in(person)
    return asking is not None and asking.rights.may(action, shop)


def as_signed_in(person: Person, scopes: frozenset[str] | None = None) -> SignedIn | None:
    """None for somebody who is switched off. scopes: what an API key is limited to."""
    if person.disabled_at is not None:
        return None
    return SignedIn(person.person_id, person.name, person.email, Rights(_role_pairs(person), scopes))


# ── links that work once ────────────────────────────────────────────────────────────────────────


def invite(session: Session, *, role: str, shop: str | None, hours: float, by: str, now: datetime | None = None) -> str:
    """The token of a link with which somebody makes their own account, once."""
    slug = shop or ALL_SHOPS
    token = _add_invitation(session, hours, by, now, role=check_role(role), shop_slug=slug)
    audit.record(session, by, "person.invite", f"shop:{slug}", None, {"role": role})
    return token


def accept_invitation(
    session: Session, token: str, *, email: str, name: str, password: str, now: datetime | None = None
) -> Person:
    """Make the account that `invite` promised.

    Raises NotFoundError when the link was used or is too old, or who made it may not give that role any more.
    """
    invitation = _take_invitation(session, token, now)
    if invitation.role is None or invitation.shop_slug is None:
        raise NotFoundError(_SPENT_LINK)
    _check_maker(session, invitation, {(invitation.role, invitation.shop_slug)})
    person = create_person(session, email=email, name=name, password=password, by=invitation.invited_by)
    grant(session, person.person_id, invitation.role, shop=invitation.shop_slug, by=invitation.invited_by)
    return person


def sign_in_link(session: Session, person_id: str, *, hours: float, by: str, now: datetime | None = None) -> str:
    """The token of a link that signs a person in once without a password: first start, demo, lost password."""
    token = _add_invitation(session, hours, by, now, person_id=get_person(session, person_id).person_id)
    audit.record(session, by, "person.link", f"person:{person_id}")
    return token


def follow_link(session: Session, token: str, *, now: datetime | None = None) -> Person:
    """The person whom `sign_in_link` was made for.

    Raises NotFoundError when the link was used or is too old, or who made it may not give the person's roles any more.
    """
    invitation = _take_invitation(session, token, now)
    if invitation.person_id is None:
        raise NotFoundError(_SPENT_LINK)
    person = _enabled(get_person(session, invitation.person_id))
    if invitation.invited_by != person.person_id:
        _check_maker(session, invitation, _role_pairs(person))
    return person


# ── signing in ──────────────────────────────────────────────────────────────────────────────────


def sign_in(
    database: Database, email: str, password: str, *, address: str, days: float, now: datetime | None = None
) -> str:
    """A session's token for the right password.

    Takes the database, not a session: a failed attempt must stay counted, and nobody waits for the slow hash.
    Raises NotSignedInError (the same for an unknown person and a wrong password) or LimitError.
    """
    now, email = now or datetime.now(UTC), email.strip().casefold()[:320]
    with database.session() as session:
        throttle.count_attempt(session, email, address, now)
        person = find_person(session, email)
    known = None if person is None else person.password_hash
    right = _verify(known or _no_ones_hash(), password)
    if person is None or known is None or not right:
        raise NotSignedInError("the e-mail address or the password is wrong")
    with database.session() as session:
        person = _enabled(get_person(session, person.person_id))
        if person.password_hash != known:
            raise NotSignedInError("the password was changed meanwhile; sign in with the new one")
        throttle.forget_attempts(session, email, address)
        if _hasher.check_needs_rehash(known):
            person.password_hash = _hasher.hash(password)
        return sessions.start_session(session, person.person_id, days=days, address=address, now=now)


def session_person(session: Session, token: str, *, now: datetime | None = None) -> SignedIn | None:
    """Who is signed in with this token; None when nobody is. Only reads."""
    person_id = sessions.holder(session, token, now=now)
    return None if person_id is None else as_signed_in(get_person(session, person_id))


# ── housekeeping ────────────────────────────────────────────────────────────────────────────────


def forget_expired(session: Session, *, now: datetime | None = None) -> None:
    """Remove sessions, links and counts of attempts that can have no effect any more."""
    now = now or datetime.now(UTC)
    sessions.forget_expired(session, now)
    session.execute(sa.delete(Invitation).where(Invitation.expires_at <= now))
    throttle.forget_old_attempts(session, now)


def hash_password(password: str) -> str:
    shortest, longest = PASSWORD_LENGTHS
    if not shortest <= len(password) <= longest:
        raise InputError(f"password: expected {shortest} to {longest} characters, got {len(password)}")
    return _hasher.hash(password)


_SPENT_LINK = "this link was used already or is too old; ask for a new one"


def _add_invitation(session: Session, hours: float, by: str, now: datetime | None, **what: str) -> str:
    token, expires_at = secrets.token_urlsafe(32), (now or datetime.now(UTC)) + timedelta(hours=hours)
    session.add(Invitation(token_hash=sessions.digest(token), invited_by=by, expires_at=expires_at, **what))
    return token


def open_invitation(session: Session, token: str, *, now: datetime | None = None) -> Invitation:
    """The invitation, as long as it can be used. Raises NotFoundError for one that is spent, too old or never was."""
    invitation = session.get(Invitation, sessions.digest(token))
    if invitation is None or invitation.expires_at <= (now or datetime.now(UTC)):
        raise NotFoundError(_SPENT_LINK)
    return invitation


def _take_invitation(session: Session, token: str, now: datetime | None) -> Invitation:
    """The invitation, removed. The deletion itself decides who of two was first."""
    invitation = open_invitation(session, token, now=now)
    session.expunge(invitation)
    taken = session.scalar(
        sa.delete(Invitation).where(Invitation.token_hash == invitation.token_hash).returning(Invitation.token_hash)
    )
    if taken is None:
        raise NotFoundError(_SPENT_LINK)
    return invitation


def _check_maker(session: Session, invitation: Invitation, roles: Collection[tuple[str, str]]) -> None:
    """What nobody in particular made, such as the first start's invitation, needs no one's rights."""
    maker = session.get(Person, invitation.invited_by)
    if maker is None:
        return
    asking = as_signed_in(maker)
    if asking is None or not all(asking.rights.may_grant(role, shop) for role, shop in roles):
        raise NotFoundError("who made this link may not do so any more; ask for a new one")


def _role_pairs(person: Person) -> frozenset[tuple[str, str]]:
    return frozenset((role.role, role.shop_slug) for role in person.roles)


def _enabled(person: Person) -> Person:
    if person.disabled_at is not None:
        raise NotSignedInError("this account is switched off; ask an administrator")
    return person


def _check_email(email: str) -> str:
    email = email.strip().casefold()
    name, at, host = email.rpartition("@")
    if not (at and name and "." in host.strip(".")) or any(c.isspace() for c in email) or len(email) > 320:
        raise InputError(f"email: expected an address such as anna@example.org, got {email[:80]!r}")
    return email


def _verify(password_hash: str, password: str) -> bool:
    if len(password) > PASSWORD_LENGTHS[1]:
        return False
    try:
        return _hasher.verify(password_hash, password)
    except (VerificationError, InvalidHashError):
        return False


@functools.cache
def _no_ones_hash() -> str:
    """Looked at for unknown people, so that they take as long as known ones."""
    return _hasher.hash(secrets.token_urlsafe(32))
