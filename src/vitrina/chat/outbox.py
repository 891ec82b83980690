"""Messages on their way: written in the caller's transaction, sent by whoever delivers, each by one process at a time.

A message waits as long as it is of use and is dropped after that, on record. A process killed between sending a
message and writing that down sends this one message once more; everything else goes out once.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.orm import Session

from vitrina.chat.channel import ChatChannel, ChatMessage
from vitrina.chat.letter import Letter, Rows, rows_as_json, rows_from_json
from vitrina.product import new_id

FIRST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 60.0


class State(StrEnum):
    WAITING = "waiting"
    SENT = "sent"
    DROPPED = "dropped"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Recipient:
    """A chat of a channel; "" for a channel that is one chat in itself."""

    channel: str
    chat: str = ""


@dataclass(frozen=True, slots=True)
class Parcel:
    """A message in hand. external_id: "" until it was sent; then it is to be changed there."""

    message_id: str
    recipient: Recipient
    letter: Letter
    version: int
    external_id: str
    is_sent: bool
    tries: int
    expires_at: datetime
    sender: str


def retry_wait_s(failures: int) -> float:
    """Seconds until the next try: 1 s after the first failure, doubling, a minute at most."""
    return min(FIRST_PAUSE_S * 2.0 ** min(failures - 1, 30), LONGEST_PAUSE_S)


# ── what is to be said ──────────────────────────────────────────────────────────────────────────


def enqueue(
    session: Session, letter: Letter, recipients: Iterable[Recipient], *, topic: str, now: datetime | None = None
) -> int:
    """Let the letter wait for each of them, once for each topic; gives how many are new.

    topic: names what it is about, such as `alert:0199f3a2-…`. Nothing leaves before the caller's transaction commits.
    """
    now, new = now or datetime.now(UTC), 0
    for recipient in dict.fromkeys(recipients):
        key = f"{topic}>{recipient.channel}:{recipient.chat}"
        if session.scalar(sa.select(ChatMessage.message_id).where(ChatMessage.key == key)) is None:
            session.add(_message(letter, recipient, topic, key, now))
            session.flush()
            new += 1
    return new


def change(session: Session, topic: str, text: str, buttons: Rows = (), *, now: datetime | None = None) -> int:
    """Let everybody's copy say something else, be it sent already or not; gives how many there are."""
    now = now or datetime.now(UTC)
    alive = (ChatMessage.topic == topic, ChatMessage.state.in_((State.WAITING, State.SENT)))
    rows = session.scalars(sa.select(ChatMessage).where(*alive).with_for_update()).all()
    for row in rows:
        row.text, row.buttons, row.version = text, rows_as_json(buttons), row.version + 1
        if row.state == State.SENT:
            row.tries, row.next_try_at = 0, now
    return len(rows)


def topic_of(session: Session, recipient: Recipient, external_id: str) -> str | None:
    """What the message is about that somebody pressed a button of."""
    there = (ChatMessage.channel == recipient.channel, ChatMessage.recipient == recipient.chat)
    return session.scalar(sa.select(ChatMessage.topic).where(*there, ChatMessage.external_id == external_id))


def _message(letter: Letter, recipient: Recipient, topic: str, key: str, now: datetime) -> ChatMessage:
    return ChatMessage(
        message_id=new_id(),
        key=key,
        topic=topic,
        channel=recipient.channel,
        recipient=recipient.chat,
        text=letter.text,
        buttons=rows_as_json(letter.buttons),
        picture=str(letter.picture) if letter.picture else None,
        state=State.WAITING,
        version=1,
        shown=0,
        tries=0,
        next_try_at=now,
        external_id="",
        reason="",
        created_at=now,
        expires_at=now + timedelta(seconds=letter.use_s),
    )


# ── what is seen of it ──────────────────────────────────────────────────────────────────────────


def messages(
    session: Session, *, state: str | None = None, channel: str | None = None, limit: int = 50
) -> list[ChatMessage]:
    """The newest first."""
    query = sa.select(ChatMessage).order_by(ChatMessage.message_id.desc()).limit(limit)
    query = query if state is None else query.where(ChatMessage.state == state)
    return list(session.scalars(query if channel is None else query.where(ChatMessage.channel == channel)))


def counts(session: Session) -> dict[str, dict[str, int]]:
    """Channel → state → messages."""
    query = sa.select(ChatMessage.channel, ChatMessage.state, sa.func.count())
    found: dict[str, dict[str, int]] = {}
    for channel, state, count in session.execute(query.group_by(ChatMessage.channel, ChatMessage.state)):
        found.setdefault(channel, dict.fromkeys(map(str, State), 0))[state] = count
    return found


def forget(session: Session, before: datetime, *, about: str = "") -> None:
    """Messages that ended before; about: only those whose topic begins so."""
    ended = (ChatMessage.created_at < before, ChatMessage.state != State.WAITING)
    session.execute(sa.delete(ChatMessage).where(*ended, ChatMessage.topic.startswith(about, autoescape=True)))


# ── who sends it ────────────────────────────────────────────────────────────────────────────────


def is_due(session: Session, channel: str, now: datetime, *, but_not: Collection[str] = ()) -> bool:
    """Whether `claim` or `drop_expired` would find something. Only reads."""
    row = session.get(ChatChannel, channel)
    if row is None:
        return False
    if session.scalar(_expired(channel, now).limit(1)) is not None:
        return True
    paused = row.paused_until is not None and row.paused_until > now
    return not paused and session.scalar(_due(channel, now, but_not).limit(1)) is not None


def drop_expired(session: Session, channel: str, now: datetime) -> int:
    """Messages that nobody needs any more are not sent; that is written down."""
    rows = session.scalars(_expired(channel, now).with_for_update(skip_locked=True)).all()
    for row in rows:
        waited_s = (now - row.created_at).total_seconds()
        why = f": {row.reason}" if row.reason else ""
        row.state, row.next_try_at, row.reason = State.DROPPED, None, f"of no more use after {waited_s:.0f} s{why}"
    return len(rows)


def claim(
    session: Session,
    channel: str,
    *,
    sender: str,
    lease_s: float,
    now: datetime,
    but_not: Collection[str] = (),
    limit: int = 20,
) -> list[Parcel]:
    """Take what is due, oldest first. While somebody holds a message to a chat, no other of that chat is given out.

    but_not: chats that nothing shall go to now.
    """
    row = session.scalar(sa.select(ChatChannel).where(ChatChannel.name == channel).with_for_update())
    if row is None or (row.paused_until is not None and row.paused_until > now):
        return []
    held = sa.select(ChatMessage.recipient).where(ChatMessage.channel == channel, ChatMessage.lease_until > now)
    due = session.scalars(_due(channel, now, but_not).where(ChatMessage.recipient.not_in(held)).limit(limit)).all()
    for message in due:
        message.sender, message.lease_until = sender, now + timedelta(seconds=lease_s)
    return [_parcel(message, sender) for message in due]


def arrived(session: Session, parcel: Parcel, external_id: str, *, now: datetime) -> bool:
    """It was sent, or changed where it had been sent. False when it was not ours any more."""
    row = _ours(session, parcel)
    if row is None:
        return False
    row.state, row.shown, row.reason = State.SENT, parcel.version, ""
    row.external_id, row.sent_at = external_id or row.external_id, row.sent_at or now
    row.tries += 1
    _let_go(row, now if row.version > parcel.version else None)
    return True


def put_back(
    session: Session, parcels: Sequence[Parcel], *, now: datetime, wait_s: float = 0.0, reason: str = ""
) -> None:
    """Let them wait again. With a reason it was a try."""
    for parcel in parcels:
        row = _ours(session, parcel)
        if row is not None:
            row.reason, row.tries = reason or row.reason, row.tries + bool(reason)
            _let_go(row, now + timedelta(seconds=wait_s))


def gave_up(session: Session, parcel: Parcel, reason: str) -> None:
    """The channel will never take it. A message that only could not be changed stays sent, with the reason."""
    row = _ours(session, parcel)
    if row is not None:
        row.reason, row.tries = reason, row.tries + 1
        row.state = State.SENT if parcel.is_sent else State.FAILED
        _let_go(row, None)


def _let_go(row: ChatMessage, next_try_at: datetime | None) -> None:
    row.sender, row.lease_until, row.next_try_at = None, None, next_try_at


def _ours(session: Session, parcel: Parcel) -> ChatMessage | None:
    ours = (ChatMessage.message_id == parcel.message_id, ChatMessage.sender == parcel.sender)
    return session.scalar(sa.select(ChatMessage).where(*ours).with_for_update())


def _due(channel: str, now: datetime, but_not: Collection[str]) -> sa.Select[ChatMessage]:
    free = sa.or_(ChatMessage.lease_until.is_(None), ChatMessage.lease_until <= now)
    due = (ChatMessage.channel == channel, ChatMessage.next_try_at <= now, free)
    query = sa.select(ChatMessage).where(*due).order_by(ChatMessage.message_id)
    return query.where(ChatMessage.recipient.not_in(list(but_not))) if but_not else query


def _expired(channel: str, now: datetime) -> sa.Select[ChatMessage]:
    free = sa.or_(ChatMessage.lease_until.is_(None), ChatMessage.lease_until <= now)
    waiting = (ChatMessage.channel == channel, ChatMessage.next_try_at.is_not(None), ChatMessage.state == State.WAITING)
    return sa.select(ChatMessage).where(*waiting, ChatMessage.expires_at <= now, free)


def _parcel(row: ChatMessage, sender: str) -> Parcel:
    picture = Path(row.picture) if row.picture else None
    return Parcel(
        row.message_id,
        Recipient(row.channel, row.recipient),
        Letter(row.text, rows_from_json(row.buttons), picture),
        row.version,
        row.external_id,
        row.state == State.SENT,
        row.tries,
        row.expires_at,
        sender,
    )
