"""The cashback ledger: where each cashback stands, the movements that brought it there, and what can be asked of it.

`booking` changes it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, Session, mapped_column

from vitrina.storage.database import Base

PENDING, APPROVED, REJECTED, PAID, EXPIRED = STATES = ("pending", "approved", "rejected", "paid", "expired")

ALLOWED = ((PENDING, APPROVED), (PENDING, REJECTED), (PENDING, EXPIRED), (APPROVED, PAID))
"""What may follow what. Rejected, paid and expired are the end."""

BY_HAND = "by-hand"
"""The network of an order that a person entered."""


class LensCashback(Base):
    """One action of one order, as a network told it, and where its cashback stands.

    click_id: None when the sub-id is none of ours. order_minor, commission_minor: what the order cost and what the
    network pays us for it, None where it did not say. cashback_minor: what the shopper gets. payable_on: not before.
    """

    __tablename__ = "lens_cashback"
    __table_args__ = (sa.UniqueConstraint("network", "order_id", "action"), sa.Index(None, "state", "ordered_at"))

    cashback_id: Mapped[str] = mapped_column(sa.String(36), primary_key=True)
    network: Mapped[str] = mapped_column(sa.String(64))
    order_id: Mapped[str] = mapped_column(sa.String(200))
    action: Mapped[str] = mapped_column(sa.String(100))
    click_id: Mapped[str | None] = mapped_column(sa.String(36), index=True)
    sub_id: Mapped[str] = mapped_column(sa.String(120))
    shop: Mapped[str] = mapped_column(sa.String(64))
    wallet: Mapped[str | None] = mapped_column(sa.String(64), index=True)
    state: Mapped[str] = mapped_column(sa.String(16))
    order_minor: Mapped[int | None] = mapped_column(sa.BigInteger)
    commission_minor: Mapped[int | None] = mapped_column(sa.BigInteger)
    cashback_minor: Mapped[int] = mapped_column(sa.BigInteger)
    currency: Mapped[str] = mapped_column(sa.String(3))
    payable_on: Mapped[date]
    ordered_at: Mapped[datetime] = mapped_column(index=True)
    changed_at: Mapped[datetime]


class LensMovement(Base):
    """One change of a cashback: who made it, when, why, from which state to which. number: 1, 2, … within it."""

    __tablename__ = "lens_ledger"
    __table_args__ = (sa.UniqueConstraint("cashback_id", "number"),)

    movement_id: Mapped[str] = mapped_column(sa.String(36), primary_key=True)
    cashback_id: Mapped[str] = mapped_column(sa.ForeignKey(LensCashback.cashback_id))
    number: Mapped[int]
    at: Mapped[datetime]
    who: Mapped[str] = mapped_column(sa.String(100))
    before: Mapped[str] = mapped_column(sa.String(16))
    after: Mapped[str] = mapped_column(sa.String(16))
    cashback_minor: Mapped[int] = mapped_column(sa.BigInteger)
    currency: Mapped[str] = mapped_column(sa.String(3))
    why: Mapped[str] = mapped_column(sa.Text)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which cashback to list; what is empty is not asked for. first, last: days (UTC) of the order, both included."""

    state: str = ""
    shop: str = ""
    network: str = ""
    first: date | None = None
    last: date | None = None


def payable(session: Session, today: date) -> list[LensCashback]:
    """What is approved, belongs to a wallet and has been held long enough; oldest first."""
    query = sa.select(LensCashback).where(
        LensCashback.state == APPROVED,
        LensCashback.payable_on <= today,
        LensCashback.wallet.is_not(None),
        LensCashback.cashback_minor > 0,
    )
    return list(session.scalars(query.order_by(LensCashback.cashback_id)))


def list_cashback(session: Session, wanted: Wanted = Wanted(), *, limit: int | None = None) -> list[LensCashback]:
    """Newest order first."""
    query = sa.select(LensCashback).where(*_conditions(wanted))
    query = query.order_by(LensCashback.ordered_at.desc(), LensCashback.cashback_id.desc())
    return list(session.scalars(query if limit is None else query.limit(limit)))


def sums(session: Session, wanted: Wanted = Wanted()) -> dict[tuple[str, str], tuple[int, int]]:
    """By state and currency: how many, and how much cashback in minor units."""
    query = sa.select(
        LensCashback.state, LensCashback.currency, sa.func.count(), sa.func.sum(LensCashback.cashback_minor)
    )
    rows = session.execute(query.where(*_conditions(wanted)).group_by(LensCashback.state, LensCashback.currency))
    return {(state, currency): (count, int(total)) for state, currency, count, total in rows}


def of_wallet(session: Session, wallet: str, *, limit: int = 500) -> list[LensCashback]:
    query = sa.select(LensCashback).where(LensCashback.wallet == wallet)
    query = query.order_by(LensCashback.ordered_at.desc(), LensCashback.cashback_id.desc())
    return list(session.scalars(query.limit(limit)))


def movements(session: Session, cashback_ids: Iterable[str]) -> list[LensMovement]:
    """Oldest first."""
    query = sa.select(LensMovement).where(LensMovement.cashback_id.in_(list(cashback_ids)))
    return list(session.scalars(query.order_by(LensMovement.at, LensMovement.cashback_id, LensMovement.number)))


def of_sub_id(session: Session, sub_id: str) -> list[LensCashback]:
    """Every order that came with this sub-id."""
    query = sa.select(LensCashback).where(LensCashback.sub_id == sub_id)
    return list(session.scalars(query.order_by(LensCashback.cashback_id)))


def _conditions(wanted: Wanted) -> list[sa.ColumnElement[bool]]:
    found: list[sa.ColumnElement[bool]] = []
    if wanted.state:
        found.append(LensCashback.state == wanted.state)
    if wanted.shop:
        found.append(LensCashback.shop == wanted.shop)
    if wanted.network:
        found.append(LensCashback.network == wanted.network)
    if wanted.first:
        found.append(LensCashback.ordered_at >= datetime.combine(wanted.first, time(), UTC))
    if wanted.last:
        found.append(LensCashback.ordered_at < datetime.combine(wanted.last + timedelta(days=1), time(), UTC))
    return found
