"""Who is told by webhook: rows with an address, the events that are wanted, and a sealed secret."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, Session, mapped_column

from vitrina.errors import InputError, NotFoundError
from vitrina.outlet.address import parse, without_query
from vitrina.outlet.signature import check_secret, new_secret
from vitrina.product import new_id
from vitrina.storage.audit import record
from vitrina.storage.database import Base
from vitrina.storage.secrets import SecretBox

LONGEST_URL = 2000


class Webhook(Base):
    """A receiver. shop: slug of the only shop it is told about; None: every shop.

    allow_private: it may be in a network that the internet does not see. reason: why it is switched off.
    """

    __tablename__ = "webhooks"

    webhook_id: Mapped[str] = mapped_column(sa.String(36), primary_key=True)
    url: Mapped[str] = mapped_column(sa.Text)
    events: Mapped[list[str]]
    shop: Mapped[str | None] = mapped_column(sa.String(64))
    secret: Mapped[str] = mapped_column(sa.Text)
    allow_private: Mapped[bool]
    active: Mapped[bool]
    reason: Mapped[str] = mapped_column(sa.Text)
    created_at: Mapped[datetime]


def add_webhook(
    session: Session,
    *,
    url: str,
    events: Iterable[str],
    known_events: Collection[str],
    shop: str | None,
    allow_private: bool,
    box: SecretBox,
    by: str,
    secret: str = "",
) -> tuple[Webhook, str]:
    """The row and its secret, which is shown this once. Raises InputError."""
    parse(url, allow_private=allow_private)
    if len(url) > LONGEST_URL:
        raise InputError(f"address: expected {LONGEST_URL} characters at most, got {len(url)}")
    wanted = sorted(set(events))
    unknown = [event for event in wanted if event not in known_events]
    if unknown or not wanted:
        named = ", ".join(unknown) or "none"
        raise InputError(f"events: expected at least one of {', '.join(sorted(known_events))}; got {named}")
    secret = check_secret(secret) if secret else new_secret()
    webhook = Webhook(
        webhook_id=new_id(),
        url=url,
        events=wanted,
        shop=shop,
        secret=box.seal(secret),
        allow_private=allow_private,
        active=True,
        reason="",
        created_at=datetime.now(UTC),
    )
    session.add(webhook)
    record(session, by, "webhook.add", f"webhook:{webhook.webhook_id}", None, _told(webhook))
    return webhook, secret


def list_webhooks(session: Session) -> list[Webhook]:
    return list(session.scalars(sa.select(Webhook).order_by(Webhook.webhook_id)))


def get_webhook(session: Session, webhook_id: str) -> Webhook:
    """By its id, or by the beginning or end of one where that names only one. Raises NotFoundError."""
    found = [
        webhook
        for webhook in list_webhooks(session)
        if webhook_id and (webhook.webhook_id.startswith(webhook_id) or webhook.webhook_id.endswith(webhook_id))
    ]
    if len(found) != 1:
        raise NotFoundError(f"there is no webhook {webhook_id!r}; `vitrina connect webhook list` shows them")
    return found[0]


def switch(session: Session, webhook_id: str, *, active: bool, by: str, reason: str = "") -> None:
    webhook = get_webhook(session, webhook_id)
    before = _told(webhook)
    webhook.active, webhook.reason = active, reason
    record(session, by, "webhook.switch", f"webhook:{webhook.webhook_id}", before, _told(webhook) | {"reason": reason})


def _told(webhook: Webhook) -> dict[str, Any]:
    """For the audit log."""
    return {
        "url": without_query(webhook.url),
        "events": webhook.events,
        "shop": webhook.shop,
        "allow_private": webhook.allow_private,
        "active": webhook.active,
    }
