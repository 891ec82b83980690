"""Webhooks on their way: an outbox in the database, worked off by jobs until each message is taken or given up.

A message is written in the transaction of what it tells, so it is told exactly when that happened. A receiver may
get it twice (its answer was lost) and tells that by `webhook-id`.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, Session, mapped_column

from vitrina.errors import ConflictError, DeniedError, InputError, NotFoundError, StorageError
from vitrina.outlet import signature
from vitrina.outlet.exchange import Answer, send
from vitrina.outlet.webhook import Webhook, get_webhook, list_webhooks, switch
from vitrina.product import new_id
from vitrina.storage.audit import record
from vitrina.storage.database import Base, Database
from vitrina.storage.secrets import SecretBox
from vitrina.work.jobs import LONGEST_RETRY_S, Job, State, cancel, enqueue, retry_wait_s
from vitrina.work.worker import RunningJob, TryAgain

JOB = "webhook.deliver"
TEST_EVENT = "test"
TIMEOUT_S = 15.0
MOST_TRIES = 32
"""10 s, doubling up to an hour: the last try is a day after the first."""
WHOLE_DAY = timedelta(hours=23)
"""So long all tries of a message take together, at least."""
GONE = 410
AWAY = frozenset({None, 429, 502, 503, 504})
"""Answers, None for no answer, that are about the receiver: its other messages would get the same."""
BEHIND_S = 1.0
"""The message that failed is tried so long before those that wait for it."""


class Fate(StrEnum):
    WAITING = "waiting"
    TAKEN = "taken"
    DEAD = "dead"


class Delivery(Base):
    """One message to one receiver. key: at most one message has it, so the same event is told once.

    status, ms, reason: of the last try; status is None when no answer came. body: exactly as it is signed and sent.
    """

    __tablename__ = "deliveries"

    delivery_id: Mapped[str] = mapped_column(sa.String(36), primary_key=True)
    webhook_id: Mapped[str] = mapped_column(sa.ForeignKey(Webhook.webhook_id), index=True)
    key: Mapped[str | None] = mapped_column(sa.String(300), unique=True)
    event: Mapped[str] = mapped_column(sa.String(64))
    body: Mapped[str] = mapped_column(sa.Text)
    fate: Mapped[str] = mapped_column(sa.String(16), index=True)
    status: Mapped[int | None]
    ms: Mapped[int | None]
    reason: Mapped[str] = mapped_column(sa.Text)
    tries: Mapped[int]
    created_at: Mapped[datetime] = mapped_column(index=True)
    tried_at: Mapped[datetime | None]


# ── what is told ────────────────────────────────────────────────────────────────────────────────


def wanted(session: Session, event: str, shop: str | None = None) -> list[Webhook]:
    """Receivers that want to hear of this event, in this shop."""
    return [
        webhook
        for webhook in list_webhooks(session)
        if webhook.active and event in webhook.events and (webhook.shop is None or webhook.shop == shop)
    ]


def tell(session: Session, event: str, data: dict[str, Any], *, key: str, shop: str | None = None) -> int:
    """Put the event into the outbox of everybody who wants it, once; gives how many messages are new.

    key: names this very event, such as `day:riga-1:2026-11-21`.
    """
    new = 0
    for webhook in wanted(session, event, shop):
        full = f"{webhook.webhook_id}:{event}:{key}"
        if session.scalar(sa.select(Delivery.delivery_id).where(Delivery.key == full)) is None:
            _put(session, webhook, event, data, key=full)
            new += 1
    return new


def tell_test(session: Session, webhook_id: str, *, by: str) -> str:
    """A message that says nothing but that it works; gives its id."""
    webhook = get_webhook(session, webhook_id)
    record(session, by, "webhook.test", f"webhook:{webhook.webhook_id}")
    return _put(session, webhook, TEST_EVENT, {"message": "This is a test from Vitrina."}, key=None)


def tell_again(session: Session, delivery_id: str, *, by: str) -> None:
    """Send a message anew, under the same id. Raises ConflictError while it is still on its way."""
    delivery = session.get(Delivery, delivery_id)
    if delivery is None:
        raise NotFoundError(f"there is no delivery {delivery_id!r}; messages are kept for 30 days")
    if delivery.fate == Fate.WAITING:
        raise ConflictError("this message is still on its way; it is tried again by itself")
    record(session, by, "webhook.again", f"webhook:{delivery.webhook_id}", None, {"delivery": delivery_id})
    delivery.fate, delivery.tries, delivery.reason = Fate.WAITING, 0, ""
    _enqueue(session, delivery_id)


def deliveries(session: Session, *, webhook_id: str | None = None, limit: int = 50) -> list[Delivery]:
    """The newest first."""
    query = sa.select(Delivery).order_by(Delivery.delivery_id.desc()).limit(limit)
    return list(session.scalars(query if webhook_id is None else query.where(Delivery.webhook_id == webhook_id)))


def by_fate(session: Session) -> dict[str, int]:
    counted = session.execute(sa.select(Delivery.fate, sa.func.count()).group_by(Delivery.fate))
    return dict.fromkeys(map(str, Fate), 0) | {row[0]: row[1] for row in counted}


def forget(session: Session, before: datetime) -> None:
    """Messages that arrived or died before; and those whose job has ended without them hearing of it die."""
    session.execute(sa.delete(Delivery).where(Delivery.created_at < before, Delivery.fate != Fate.WAITING))
    day_ago = datetime.now(UTC) - timedelta(days=2)
    left = sa.update(Delivery).where(Delivery.fate == Fate.WAITING, Delivery.created_at < day_ago)
    waiting = sa.select(Job.job_id).where(
        Job.name == JOB, Job.state.in_((State.WAITING, State.RUNNING)), Job.key.contains(Delivery.delivery_id)
    )
    session.execute(left.where(~waiting.exists()).values(fate=Fate.DEAD, reason="the sender died each time it tried"))


def remove_webhook(session: Session, webhook_id: str, *, by: str) -> None:
    """With its messages; those on their way are not sent."""
    webhook = get_webhook(session, webhook_id)
    session.execute(sa.delete(Delivery).where(Delivery.webhook_id == webhook.webhook_id))
    session.delete(webhook)
    record(session, by, "webhook.remove", f"webhook:{webhook.webhook_id}", {"events": webhook.events}, None)


def _put(session: Session, webhook: Webhook, event: str, data: dict[str, Any], *, key: str | None) -> str:
    now = datetime.now(UTC)
    body = json.dumps({"type": event, "timestamp": now.isoformat(timespec="milliseconds"), "data": data}, default=str)
    delivery = Delivery(
        delivery_id=new_id(),
        webhook_id=webhook.webhook_id,
        key=key,
        event=event,
        body=body,
        fate=Fate.WAITING,
        reason="",
        tries=0,
        created_at=now,
    )
    session.add(delivery)
    session.flush()
    _enqueue(session, delivery.delivery_id)
    return delivery.delivery_id


def _enqueue(session: Session, delivery_id: str) -> None:
    key = f"{JOB}:{delivery_id}:{new_id()}"
    enqueue(session, JOB, {"delivery_id": delivery_id}, key=key, max_attempts=MOST_TRIES)


# ── how it is delivered ─────────────────────────────────────────────────────────────────────────


def deliver(
    database: Database,
    box: SecretBox,
    job: RunningJob,
    *,
    timeout_s: float = TIMEOUT_S,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> str:
    """Handler of the job: one try. Raises TryAgain for every answer but 2xx and 410; 410 switches the receiver off.

    While a receiver is away, only one of its messages after the other is tried, so that it holds up no other receiver.
    """
    delivery_id = str(job.payload["delivery_id"])
    with database.reading() as session:
        delivery = session.get(Delivery, delivery_id)
        webhook = session.get(Webhook, delivery.webhook_id) if delivery else None
    if delivery is None or webhook is None:
        return "the receiver was removed"
    if delivery.fate != Fate.WAITING:  # whoever sent it died before the job was done
        return delivery.reason or "it was taken"
    if not webhook.active and delivery.event != TEST_EVENT:
        return _note(database, delivery_id, Answer(None, 0, "the receiver is switched off"), Fate.DEAD)
    try:
        answer = _post(webhook, delivery, box, timeout_s)
    except (DeniedError, InputError, StorageError) as error:
        return _note(database, delivery_id, Answer(None, 0, str(error)), Fate.DEAD)
    if answer.accepted:
        _bring_back(database, webhook.webhook_id, clock())
        return _note(database, delivery_id, answer, Fate.TAKEN)
    if answer.status == GONE:
        with database.session() as session:
            switch(session, webhook.webhook_id, active=False, by="system", reason="it answered 410 Gone")
        return _note(database, delivery_id, answer, Fate.DEAD)
    _note(database, delivery_id, answer, Fate.DEAD if job.last_try else Fate.WAITING)
    # At least what it asks for: a server that always says "in a second" would use up a day's tries in a minute.
    asked_s = min(answer.retry_after_s or 0.0, LONGEST_RETRY_S)
    wait_s = max(retry_wait_s(job.attempt), asked_s)
    if answer.status in AWAY and job.last_try:
        _give_up_with_it(database, webhook.webhook_id, clock() - WHOLE_DAY, answer.reason)
    elif answer.status in AWAY:
        _put_off(database, webhook.webhook_id, clock() + timedelta(seconds=wait_s + BEHIND_S))
    raise TryAgain(answer.reason, wait_s=wait_s)


def _put_off(database: Database, webhook_id: str, until: datetime) -> None:
    """What waits for this receiver waits until then; that is no try of those messages."""
    with database.session() as session:
        later = sa.update(Job).where(*_waiting(webhook_id), Job.run_at < until).values(run_at=until)
        session.execute(later.execution_options(synchronize_session=False))


def _bring_back(database: Database, webhook_id: str, now: datetime) -> None:
    """What was only put off is due again; what failed itself keeps its own time."""
    with database.session() as session:
        due = sa.update(Job).where(*_waiting(webhook_id), Job.attempts == 0, Job.run_at > now).values(run_at=now)
        session.execute(due.execution_options(synchronize_session=False))


def _give_up_with_it(database: Database, webhook_id: str, told_until: datetime, reason: str) -> None:
    """Messages that were told until then waited for a receiver that did not come back within a day."""
    with database.session() as session:
        for job in session.scalars(sa.select(Job).where(*_waiting(webhook_id), Job.created_at <= told_until)):
            cancel(session, job.job_id, reason=reason)
            delivery = session.get(Delivery, job.payload["delivery_id"])
            if delivery is not None:
                delivery.fate, delivery.reason = Fate.DEAD, reason


def _waiting(webhook_id: str) -> tuple[sa.ColumnElement[bool], ...]:
    """Jobs that wait, of this receiver."""
    own = sa.select(Delivery.delivery_id).where(Delivery.webhook_id == webhook_id, Delivery.fate == Fate.WAITING)
    return Job.name == JOB, Job.state == State.WAITING, Job.payload["delivery_id"].as_string().in_(own)


def _post(webhook: Webhook, delivery: Delivery, box: SecretBox, timeout_s: float) -> Answer:
    body, message_id = delivery.body.encode(), f"msg_{delivery.delivery_id}"
    signed = signature.signed_headers(box.open(webhook.secret), message_id, int(time.time()), body)
    headers = {"Content-Type": "application/json", "Content-Length": str(len(body)), **signed}
    return send(
        "POST", webhook.url, headers=headers, body=body, timeout_s=timeout_s, allow_private=webhook.allow_private
    )


def _note(database: Database, delivery_id: str, answer: Answer, fate: Fate) -> str:
    with database.session() as session:
        delivery = session.get(Delivery, delivery_id)
        if delivery is not None:
            delivery.fate, delivery.status, delivery.ms = fate, answer.status, answer.ms
            delivery.reason = "" if fate is Fate.TAKEN else answer.reason
            delivery.tries, delivery.tried_at = delivery.tries + 1, datetime.now(UTC)
    return answer.reason
