"""Channels that messages go through, as rows: tokens and addresses sealed, how each is doing, who may read it.

The other tables of chat stand here too; what is done with them, in `outbox` and `linking`.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, Session, mapped_column

from vitrina.errors import ConflictError, InputError, NotFoundError
from vitrina.storage.audit import record
from vitrina.storage.database import Base
from vitrina.storage.secrets import SecretBox

TELEGRAM, APPRISE = KINDS = ("telegram", "apprise")
TELEGRAM_URL = "https://api.telegram.org"
NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")
TOKEN = re.compile(r"(\d{1,20}):[A-Za-z0-9_-]{1,200}")


class ChatChannel(Base):
    """secret: the bot's token, or the whole Apprise address, sealed. account: what tells bots apart, None for Apprise.

    url: where Telegram's Bot API answers. username: the bot's name, once it was asked. connected, status: how sending
    goes; reading: what is wrong with reading, "" when nothing is. failures: in a row; until paused_until nothing is
    sent. read_up_to: number of the last message from outside that was answered. changed_at: a new one connects anew.
    """

    __tablename__ = "chat_channels"

    name: Mapped[str] = mapped_column(sa.String(40), primary_key=True)
    kind: Mapped[str] = mapped_column(sa.String(16))
    account: Mapped[str | None] = mapped_column(sa.String(40), unique=True)
    secret: Mapped[str] = mapped_column(sa.Text)
    url: Mapped[str] = mapped_column(sa.Text)
    username: Mapped[str] = mapped_column(sa.String(64))
    connected: Mapped[bool | None]
    status: Mapped[str] = mapped_column(sa.Text)
    status_at: Mapped[datetime | None]
    reading: Mapped[str] = mapped_column(sa.Text)
    failures: Mapped[int]
    paused_until: Mapped[datetime | None]
    reader: Mapped[str | None] = mapped_column(sa.String(36))
    reader_until: Mapped[datetime | None]
    read_up_to: Mapped[int] = mapped_column(sa.BigInteger)
    created_at: Mapped[datetime]
    changed_at: Mapped[datetime]


class ChatLink(Base):
    """A chat and whose it is: a person's, a shopper's wallet, or a role's in one shop (or every shop).

    chat: the channel's own id; "" for a channel that is one chat in itself.
    """

    __tablename__ = "chat_links"
    __table_args__ = (sa.UniqueConstraint("channel", "chat"),)

    link_id: Mapped[str] = mapped_column(sa.String(36), primary_key=True)
    channel: Mapped[str] = mapped_column(sa.ForeignKey("chat_channels.name", ondelete="CASCADE"))
    chat: Mapped[str] = mapped_column(sa.String(64))
    name: Mapped[str] = mapped_column(sa.String(200))
    person_id: Mapped[str | None] = mapped_column(sa.ForeignKey("persons.person_id", ondelete="CASCADE"), index=True)
    wallet: Mapped[str | None] = mapped_column(sa.String(64), index=True)
    role: Mapped[str | None] = mapped_column(sa.String(20))
    shop: Mapped[str | None] = mapped_column(sa.String(64))
    linked_at: Mapped[datetime]


class ChatCode(Base):
    """A code that links the chat it is typed in, once. subject: whose chat it will be, so that codes can be counted."""

    __tablename__ = "chat_codes"

    code_hash: Mapped[str] = mapped_column(sa.String(64), primary_key=True)
    subject: Mapped[str] = mapped_column(sa.String(120), index=True)
    person_id: Mapped[str | None] = mapped_column(sa.ForeignKey("persons.person_id", ondelete="CASCADE"))
    wallet: Mapped[str | None] = mapped_column(sa.String(64))
    role: Mapped[str | None] = mapped_column(sa.String(20))
    shop: Mapped[str | None] = mapped_column(sa.String(64))
    made_by: Mapped[str] = mapped_column(sa.String(100))
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime] = mapped_column(index=True)


class ChatMessage(Base):
    """One message to one chat. key: at most one message has it. topic: what it is about; copies for others share it.

    version, shown: what the message should say by now, and what its reader sees (0: nothing yet). next_try_at: None
    when there is nothing to do. sender, lease_until: the process that has it in hand. external_id: the channel's own.
    """

    __tablename__ = "chat_messages"
    __table_args__ = (
        sa.Index(None, "channel", "next_try_at"),
        sa.Index(None, "channel", "recipient", "external_id"),
    )

    message_id: Mapped[str] = mapped_column(sa.String(36), primary_key=True)
    key: Mapped[str] = mapped_column(sa.String(320), unique=True)
    topic: Mapped[str] = mapped_column(sa.String(200), index=True)
    channel: Mapped[str] = mapped_column(sa.ForeignKey("chat_channels.name", ondelete="CASCADE"))
    recipient: Mapped[str] = mapped_column(sa.String(64))
    text: Mapped[str] = mapped_column(sa.Text)
    buttons: Mapped[list[Any]] = mapped_column(sa.JSON)
    picture: Mapped[str | None] = mapped_column(sa.Text)
    state: Mapped[str] = mapped_column(sa.String(16), index=True)
    version: Mapped[int]
    shown: Mapped[int]
    tries: Mapped[int]
    next_try_at: Mapped[datetime | None]
    sender: Mapped[str | None] = mapped_column(sa.String(36))
    lease_until: Mapped[datetime | None]
    external_id: Mapped[str] = mapped_column(sa.String(64))
    reason: Mapped[str] = mapped_column(sa.Text)
    created_at: Mapped[datetime] = mapped_column(index=True)
    expires_at: Mapped[datetime]
    sent_at: Mapped[datetime | None]


# ── what people set ─────────────────────────────────────────────────────────────────────────────


def list_channels(session: Session) -> list[ChatChannel]:
    return list(session.scalars(sa.select(ChatChannel).order_by(ChatChannel.name)))


def any_channel(session: Session) -> bool:
    return session.scalar(sa.select(ChatChannel.name).limit(1)) is not None


def find_channel(session: Session, name: str) -> ChatChannel | None:
    return session.get(ChatChannel, name)


def get_channel(session: Session, name: str) -> ChatChannel:
    """Raises NotFoundError, naming those that exist."""
    found = session.get(ChatChannel, name)
    if found is None:
        there = ", ".join(row.name for row in list_channels(session)) or "none yet"
        raise NotFoundError(f"there is no chat channel {name!r}; there are: {there}")
    return found


def set_telegram(
    session: Session, token: str, *, box: SecretBox, by: str, url: str = TELEGRAM_URL, name: str = TELEGRAM
) -> ChatChannel:
    """Add the bot, or give it a new token. Another bot's token begins to read anew."""
    token = token.strip()
    fits = TOKEN.fullmatch(token)
    if not fits:
        raise InputError("token: expected what @BotFather gave you, such as 123456789:AAF…, got something else")
    if not re.fullmatch(r"https?://[^\s/]+(/[^\s]*)?", url):
        raise InputError(f"url: expected an address such as {TELEGRAM_URL}, got {url[:80]!r}")
    taken = session.scalar(
        sa.select(ChatChannel.name).where(ChatChannel.account == fits[1], ChatChannel.name != _checked(name))
    )
    if taken is not None:
        raise ConflictError(f"channel {taken!r} reads this bot already; a bot has one reader. Remove it first")
    row = _upsert(session, name, TELEGRAM, box.seal(token), by)
    if row.account != fits[1]:
        row.account, row.read_up_to, row.username = fits[1], 0, ""
    row.url = url.rstrip("/")
    return row


def add_apprise(session: Session, name: str, address: str, *, box: SecretBox, by: str) -> ChatChannel:
    """address: as Apprise writes them, such as `slack://…` or `mailto://…`; it is the secret."""
    address = address.strip()
    if not re.fullmatch(r"[a-zA-Z][a-zA-Z0-9+.-]*://\S+", address):
        raise InputError("address: expected one that Apprise knows, such as mailto://… or slack://…, on one line")
    return _upsert(session, name, APPRISE, box.seal(address), by)


def remove_channel(session: Session, name: str, *, by: str) -> None:
    """With its links and messages; those on their way are not sent."""
    row = get_channel(session, name)
    for table in (ChatMessage, ChatLink):
        session.execute(sa.delete(table).where(table.channel == name))
    session.delete(row)
    record(session, by, "chat.remove", f"chat:{name}", {"kind": row.kind}, None)


def _upsert(session: Session, name: str, kind: str, sealed: str, by: str) -> ChatChannel:
    row, now = session.get(ChatChannel, _checked(name)), datetime.now(UTC)
    if row is not None and row.kind != kind:
        raise ConflictError(f"channel {name!r} is one of {row.kind}; remove it first, or choose another name")
    if row is None:
        row = ChatChannel(
            name=name, kind=kind, account=None, url="", username="", read_up_to=0, reader=None, created_at=now
        )
        session.add(row)
    row.secret, row.changed_at = sealed, now
    row.connected, row.status, row.status_at, row.reading = None, "", None, ""
    row.failures, row.paused_until, row.reader_until = 0, None, None
    record(session, by, "chat.set", f"chat:{name}", None, {"kind": kind})
    return row


def _checked(name: str) -> str:
    if not NAME.fullmatch(name):
        raise InputError(f"name: expected small letters, digits and hyphens such as ops-mail, got {name[:60]!r}")
    return name


# ── how it is doing ─────────────────────────────────────────────────────────────────────────────


def note_sending(session: Session, name: str, status: str, *, now: datetime, pause_s: float = 0.0) -> None:
    """status: "" when a message went through; else what is wrong, and nothing is sent for `pause_s`.

    What went through beside a failure does not end its pause.
    """
    row = session.get(ChatChannel, name)
    if row is None:
        return
    if (row.connected, row.status) != (not status, status):
        row.connected, row.status, row.status_at = not status, status, now
    failures = row.failures + 1 if status else 0
    if row.failures != failures:
        row.failures = failures
    if pause_s:
        row.paused_until = now + timedelta(seconds=pause_s)


def note_username(session: Session, name: str, username: str) -> None:
    row = session.get(ChatChannel, name)
    if row is not None and username and row.username != username:
        row.username = username[:64]


def note_reading(session: Session, name: str, status: str) -> None:
    row = session.get(ChatChannel, name)
    if row is not None and row.reading != status:
        row.reading = status


def hold_reader(session: Session, name: str, reader: str, *, lease_s: float, now: datetime) -> int | None:
    """Be the one who reads this channel for so long: the number to read after; None when somebody else is."""
    row = session.scalar(sa.select(ChatChannel).where(ChatChannel.name == name).with_for_update())
    if row is None or (row.reader != reader and row.reader_until is not None and row.reader_until > now):
        return None
    row.reader, row.reader_until = reader, now + timedelta(seconds=lease_s)
    return row.read_up_to


def leave_reader(session: Session, name: str, reader: str) -> None:
    ours = (ChatChannel.name == name, ChatChannel.reader == reader)
    session.execute(sa.update(ChatChannel).where(*ours).values(reader_until=None))


def note_read(session: Session, name: str, number: int) -> None:
    ours = (ChatChannel.name == name, ChatChannel.read_up_to < number)
    session.execute(sa.update(ChatChannel).where(*ours).values(read_up_to=number))
