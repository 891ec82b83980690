"""Which chat is whose: a code that somebody signed in has made is typed into the chat, once, within ten minutes."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from vitrina.chat.channel import ChatChannel, ChatCode, ChatLink, get_channel
from vitrina.chat.outbox import Recipient
from vitrina.errors import InputError, LimitError, NotFoundError
from vitrina.product import new_id
from vitrina.storage import throttle
from vitrina.storage.accounts import Person, Role
from vitrina.storage.audit import record
from vitrina.storage.rights import ALL_SHOPS, check_role

CODE_LIFE = timedelta(minutes=10)
LETTERS = "23456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Without those that are mistaken for one another."""
CODE_LENGTH = 8
MOST_CODES = 5
"""Codes of one person that may be open at a time."""


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose chat it is: exactly one of a person, a shopper's wallet, and a role (in one shop, or None: in all)."""

    person_id: str | None = None
    wallet: str | None = None
    role: str | None = None
    shop: str | None = None

    def __post_init__(self) -> None:
        if sum(map(bool, (self.person_id, self.wallet, self.role))) != 1:
            raise InputError("a chat belongs to a person, a wallet or a role: expected exactly one of them")
        if self.role is not None:
            check_role(self.role)

    @property
    def subject(self) -> str:
        if self.role:
            return f"role:{self.role}@{self.shop or ALL_SHOPS}"
        return f"person:{self.person_id}" if self.person_id else f"wallet:{self.wallet}"


# ── codes ───────────────────────────────────────────────────────────────────────────────────────


def make_code(session: Session, owner: Owner, *, by: str, now: datetime | None = None) -> str:
    """A code for ten minutes; only its hash is stored. Raises LimitError when five of this owner are open."""
    now = now or datetime.now(UTC)
    session.execute(sa.delete(ChatCode).where(ChatCode.expires_at <= now))
    count = sa.select(sa.func.count()).where(ChatCode.subject == owner.subject)
    if (session.scalar(count) or 0) >= MOST_CODES:
        raise LimitError(f"{MOST_CODES} codes are open already; use one of them, or wait ten minutes")
    code = "".join(secrets.choice(LETTERS) for _ in range(CODE_LENGTH))
    session.add(
        ChatCode(
            code_hash=_hashed(code),
            subject=owner.subject,
            person_id=owner.person_id,
            wallet=owner.wallet,
            role=owner.role,
            shop=owner.shop,
            made_by=by,
            created_at=now,
            expires_at=now + CODE_LIFE,
        )
    )
    return f"{code[:4]}-{code[4:]}"


def use_code(
    session: Session, recipient: Recipient, code: str, *, name: str, private: bool = True, now: datetime | None = None
) -> ChatLink | None:
    """Link the chat to whom the code belongs; None for a code that is unknown, used or too old.

    Raises LimitError when this chat has guessed too often. A person's or a wallet's code is taken in a private chat
    only (InputError): what they are told is nobody else's business.
    """
    now = now or datetime.now(UTC)
    guesser = f"{recipient.channel}:{recipient.chat}"[:64]
    throttle.count_attempt(session, "chat link", guesser, now)
    found = session.scalar(
        sa.select(ChatCode).where(ChatCode.code_hash == _hashed(code), ChatCode.expires_at > now).with_for_update()
    )
    if found is None:
        return None
    owner = Owner(found.person_id, found.wallet, found.role, found.shop)
    if not private and owner.role is None:
        raise InputError("a person's code is for a private chat with the bot, not for a group")
    throttle.forget_attempts(session, "chat link", guesser)
    session.delete(found)
    return link(session, recipient, owner, name=name, by=found.made_by, now=now)


def code_link(channel: ChatChannel, code: str) -> str:
    """The address that opens the chat with the code typed in; "" as long as the bot's name is not known."""
    return f"https://t.me/{channel.username}?start={code.replace('-', '')}" if channel.username else ""


def _hashed(code: str) -> str:
    plain = "".join(letter for letter in code.upper() if letter in LETTERS)
    return hashlib.sha256(plain.encode()).hexdigest()


# ── links ───────────────────────────────────────────────────────────────────────────────────────


def link(
    session: Session, recipient: Recipient, owner: Owner, *, name: str, by: str, now: datetime | None = None
) -> ChatLink:
    """Let the chat be theirs. A chat may be a person's and a wallet's at once, as one human is both; a role's alone."""
    get_channel(session, recipient.channel)
    row = find_link(session, recipient)
    if row is None:
        row = ChatLink(link_id=new_id(), channel=recipient.channel, chat=recipient.chat)
        session.add(row)
    row.name, row.linked_at = name[:200], now or datetime.now(UTC)
    if owner.role:
        row.person_id, row.wallet = None, None
    row.person_id, row.wallet = owner.person_id or row.person_id, owner.wallet or row.wallet
    row.role, row.shop = owner.role, owner.shop
    session.flush()
    record(session, by, "chat.link", f"chat:{recipient.channel}", None, {"whose": owner.subject, "link": row.link_id})
    return row


def find_link(session: Session, recipient: Recipient) -> ChatLink | None:
    here = (ChatLink.channel == recipient.channel, ChatLink.chat == recipient.chat)
    return session.scalar(sa.select(ChatLink).where(*here))


def list_links(session: Session, *, channel: str | None = None, person_id: str | None = None) -> list[ChatLink]:
    query = sa.select(ChatLink).order_by(ChatLink.channel, ChatLink.linked_at, ChatLink.link_id)
    query = query if channel is None else query.where(ChatLink.channel == channel)
    return list(session.scalars(query if person_id is None else query.where(ChatLink.person_id == person_id)))


def unlink(session: Session, link_id: str, *, by: str, person_id: str | None = None) -> None:
    """person_id: only if it is this person's. Raises NotFoundError."""
    row = session.get(ChatLink, link_id)
    if row is None or (person_id is not None and row.person_id != person_id):
        raise NotFoundError(f"there is no linked chat {link_id!r}")
    session.delete(row)
    record(session, by, "chat.unlink", f"chat:{row.channel}", {"link": link_id}, None)


def chats_of_person(session: Session, person_id: str) -> list[Recipient]:
    """None for somebody who was switched off."""
    person = session.get(Person, person_id)
    if person is None or person.disabled_at is not None:
        return []
    return [Recipient(row.channel, row.chat) for row in list_links(session, person_id=person_id)]


def count_of_wallet(session: Session, wallet: str) -> int:
    return session.scalar(sa.select(sa.func.count()).where(ChatLink.wallet == wallet)) or 0


def chats_of_role(session: Session, role: str, shop: str) -> list[Recipient]:
    """Chats of everybody who has the role in the shop, and chats that stand for the role itself."""
    shops = (shop, ALL_SHOPS)
    people = (
        sa.select(Role.person_id)
        .join(Person, Person.person_id == Role.person_id)
        .where(Role.role == check_role(role), Role.shop_slug.in_(shops), Person.disabled_at.is_(None))
    )
    group = sa.and_(ChatLink.role == role, sa.or_(ChatLink.shop.is_(None), ChatLink.shop == shop))
    query = sa.select(ChatLink).where(sa.or_(ChatLink.person_id.in_(people), group)).order_by(ChatLink.link_id)
    return [Recipient(row.channel, row.chat) for row in session.scalars(query)]
