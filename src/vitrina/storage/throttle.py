"""Brakes on guessing passwords: counted in the database, so that a restart or a second process forgets nothing.

Each attempt is counted *before* the password is looked at, so a hundred at once gain nothing.
"""

from __future__ import annotations

import math
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, Session, mapped_column

from vitrina.errors import LimitError
from vitrina.storage.database import Base

FREE_PER_PERSON = 5
"""Attempts on one person from one address before the first wait."""
FREE_PER_ADDRESS = 30
"""Attempts from one address on anybody before the first wait: one password tried on many people."""
FIRST_WAIT_S = 15.0
LONGEST_WAIT_S = 900.0
FORGET_AFTER = timedelta(hours=24)


class SignInAttempts(Base):
    """Attempts that did not succeed, per person and address, and per address alone (person is then empty)."""

    __tablename__ = "sign_in_attempts"

    person: Mapped[str] = mapped_column(sa.String(320), primary_key=True)
    address: Mapped[str] = mapped_column(sa.String(64), primary_key=True)
    count: Mapped[int]
    last_at: Mapped[datetime] = mapped_column(index=True)


def wait_s(count: int, free: int) -> float:
    """Seconds to wait after `count` attempts: none for the first `free`, then 15 s, doubling, up to 15 minutes."""
    if count < free:
        return 0.0
    return min(FIRST_WAIT_S * 2.0 ** min(count - free, 30), LONGEST_WAIT_S)


def count_attempt(session: Session, person: str, address: str, now: datetime) -> None:
    """Note one more attempt. Raises LimitError, and notes nothing, when it comes too early."""
    for key, free in ((person, FREE_PER_PERSON), ("", FREE_PER_ADDRESS)):
        row = session.get(SignInAttempts, (key, address))
        if row is None or now - row.last_at > FORGET_AFTER:
            session.merge(SignInAttempts(person=key, address=address, count=1, last_at=now))
            continue
        left_s = (row.last_at - now).total_seconds() + wait_s(row.count, free)
        if left_s > 0:
            raise LimitError(f"too many attempts to sign in; try again in {math.ceil(left_s)} s")
        row.count, row.last_at = row.count + 1, now


def forget_attempts(session: Session, person: str, address: str) -> None:
    """After a success: the person's count starts again, and the address gets this one attempt back."""
    session.execute(sa.delete(SignInAttempts).where(SignInAttempts.person == person, SignInAttempts.address == address))
    row = session.get(SignInAttempts, ("", address))
    if row is not None:
        row.count = max(row.count - 1, 0)


def forget_old_attempts(session: Session, now: datetime) -> None:
    session.execute(sa.delete(SignInAttempts).where(SignInAttempts.last_at < now - FORGET_AFTER))
