"""The cashback ledger: movements that are only ever added, and where each cashback stands now."""

from __future__ import annotations

from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from vitrina.storage.database import Base


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
