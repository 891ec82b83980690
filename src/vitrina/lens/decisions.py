"""What editors decided about merged products: an offer that stands alone, two that belong together. It sticks."""

from __future__ import annotations

from datetime import UTC, datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, Session, mapped_column

from vitrina.errors import InputError, NotFoundError
from vitrina.lens.product import Decisions, Ref
from vitrina.product import new_id
from vitrina.storage.audit import record
from vitrina.storage.database import Base

APART, TOGETHER = "apart", "together"


class ProductDecision(Base):
    """kind: `apart` (the offer is a product of its own) or `together` (it is the same product as the other one)."""

    __tablename__ = "lens_product_decisions"
    __table_args__ = (sa.Index(None, "shop", "offer_id"),)

    decision_id: Mapped[str] = mapped_column(sa.String(36), primary_key=True)
    kind: Mapped[str] = mapped_column(sa.String(16))
    shop: Mapped[str] = mapped_column(sa.String(64))
    offer_id: Mapped[str] = mapped_column(sa.Text)
    other_shop: Mapped[str] = mapped_column(sa.String(64))
    other_offer_id: Mapped[str] = mapped_column(sa.Text)
    decided_by: Mapped[str] = mapped_column(sa.String(200))
    decided_at: Mapped[datetime]


def load_decisions(session: Session) -> Decisions:
    rows = list(session.scalars(sa.select(ProductDecision).order_by(ProductDecision.decision_id)))
    return Decisions(
        frozenset((row.shop, row.offer_id) for row in rows if row.kind == APART),
        tuple(((row.shop, row.offer_id), (row.other_shop, row.other_offer_id)) for row in rows if row.kind == TOGETHER),
    )


def keep_apart(session: Session, offer: Ref, *, by: str) -> None:
    """From the next refresh on, the offer is a product of its own, whatever it shares with others."""
    session.execute(_about(offer))
    _add(session, APART, offer, ("", ""), by)


def keep_together(session: Session, offer: Ref, other: Ref, *, by: str) -> None:
    """From the next refresh on, both are one product. Raises InputError for an offer and itself."""
    if offer == other:
        raise InputError(f"offer {offer[1]!r} of {offer[0]}: expected two offers to join, got the same one twice")
    for one in (offer, other):
        session.execute(_about(one).where(ProductDecision.kind == APART))
    _add(session, TOGETHER, offer, other, by)


def forget(session: Session, offer: Ref, *, by: str) -> int:
    """Let the rules decide again; how many decisions that were. Raises NotFoundError where there is none."""
    found = list(session.scalars(_about(offer).returning(ProductDecision.decision_id)))
    if not found:
        raise NotFoundError(f"nothing was decided about offer {offer[1]!r} of {offer[0]}")
    record(session, by, "lens.product.forget", _subject(offer), {"decisions": len(found)}, None)
    return len(found)


def _about(offer: Ref) -> sa.Delete:
    ours = sa.and_(ProductDecision.shop == offer[0], ProductDecision.offer_id == offer[1])
    theirs = sa.and_(ProductDecision.other_shop == offer[0], ProductDecision.other_offer_id == offer[1])
    return sa.delete(ProductDecision).where(sa.or_(ours, theirs))


def _add(session: Session, kind: str, offer: Ref, other: Ref, by: str) -> None:
    row = ProductDecision(
        decision_id=new_id(),
        kind=kind,
        shop=offer[0],
        offer_id=offer[1],
        other_shop=other[0],
        other_offer_id=other[1],
        decided_by=by,
        decided_at=datetime.now(UTC),
    )
    session.add(row)
    session.flush()
    told = {"kind": kind} | ({"with": "/".join(other)} if kind == TOGETHER else {})
    record(session, by, f"lens.product.{kind}", _subject(offer), None, told)


def _subject(offer: Ref) -> str:
    return f"lens-offer:{offer[0]}/{offer[1]}"[:200]
