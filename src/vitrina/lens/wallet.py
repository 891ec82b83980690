"""A shopper's wallet: a secret link instead of an account. Only the hash of the secret is kept."""

from __future__ import annotations

import hashlib
import re
import secrets
from datetime import UTC, date, datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, Session, mapped_column

from vitrina.errors import NotFoundError
from vitrina.storage.database import Base

_SECRET = re.compile(r"[A-Za-z0-9_-]{43}")


class LensWallet(Base):
    """wallet: SHA-256 of the secret, in hex. seen_on: the last day on which its page was opened."""

    __tablename__ = "lens_wallets"

    wallet: Mapped[str] = mapped_column(sa.String(64), primary_key=True)
    created_at: Mapped[datetime]
    seen_on: Mapped[date]


def wallet_of(secret: str) -> str | None:
    """The wallet that the secret would open; None for what cannot be a secret."""
    return hashlib.sha256(secret.encode()).hexdigest() if _SECRET.fullmatch(secret) else None


def open_wallet(session: Session) -> str:
    """A new wallet; gives its secret, which nobody can find out later."""
    secret = secrets.token_urlsafe(32)
    now = datetime.now(UTC)
    session.add(LensWallet(wallet=wallet_of(secret), created_at=now, seen_on=now.date()))
    session.flush()
    return secret


def find_wallet(session: Session, secret: str) -> LensWallet:
    """Raises NotFoundError, which says the same of every wrong secret."""
    wallet = wallet_of(secret)
    row = session.get(LensWallet, wallet) if wallet else None
    if row is None:
        raise NotFoundError("there is no such cashback page; look for the whole link")
    return row


def known_wallet(session: Session, secret: str) -> str | None:
    """The wallet of a cookie's secret, when there is one."""
    wallet = wallet_of(secret)
    return wallet if wallet and session.get(LensWallet, wallet) else None
