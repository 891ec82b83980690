"""What shoppers miss: purchases after a click that no network has told us of."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, Session, mapped_column

from vitrina.errors import ConflictError, InputError, NotFoundError
from vitrina.lens import booking, ledger
from vitrina.lens.clicks import LensClick, find_click
from vitrina.lens.postback import Conversion
from vitrina.storage.database import Base

OPEN, FOUND, REFUSED = STATES = ("open", "found", "refused")
LONGEST_ORDER_ID = 100
LONGEST_NOTE = 500


class LensMissing(Base):
    """A shopper's question about one click. state: open, found or refused. order_id, note: in the shopper's words."""

    __tablename__ = "lens_missing"

    click_id: Mapped[str] = mapped_column(sa.ForeignKey(LensClick.click_id), primary_key=True)
    wallet: Mapped[str] = mapped_column(sa.String(64))
    at: Mapped[datetime]
    order_id: Mapped[str] = mapped_column(sa.String(200))
    note: Mapped[str] = mapped_column(sa.Text)
    state: Mapped[str] = mapped_column(sa.String(16), index=True)
    answer: Mapped[str] = mapped_column(sa.Text)
    answered_by: Mapped[str] = mapped_column(sa.String(100))
    answered_at: Mapped[datetime | None]


def miss(session: Session, owner: str, click_id: str, *, order_id: str, note: str, now: datetime) -> LensMissing:
    """A shopper misses a purchase. Raises NotFoundError for somebody else's click, ConflictError the second time."""
    click = find_click(session, click_id)
    if click is None or click.wallet != owner:
        raise NotFoundError("there is no such click on this page")
    if session.get(LensMissing, click_id) is not None:
        raise ConflictError("this purchase is looked for already")
    if not order_id.strip() or len(order_id) > LONGEST_ORDER_ID or not order_id.isprintable():
        raise InputError(f"order number: expected 1 to {LONGEST_ORDER_ID} letters, as the shop's e-mail has it")
    if len(note) > LONGEST_NOTE:
        raise InputError(f"note: expected at most {LONGEST_NOTE} letters, got {len(note)}")
    row = LensMissing(
        click_id=click_id,
        wallet=owner,
        at=now,
        order_id=order_id.strip(),
        note=note.strip(),
        state=OPEN,
        answer="",
        answered_by="",
        answered_at=None,
    )
    session.add(row)
    session.flush()
    return row


def missed_by(session: Session, owner: str) -> dict[str, LensMissing]:
    """By click."""
    rows = session.scalars(sa.select(LensMissing).where(LensMissing.wallet == owner))
    return {row.click_id: row for row in rows}


def list_missing(session: Session, *, state: str = OPEN, limit: int = 200) -> list[tuple[LensMissing, LensClick]]:
    """With the click each is about; those that wait longest first."""
    query = sa.select(LensMissing, LensClick).join(LensClick, LensClick.click_id == LensMissing.click_id)
    rows = session.execute(query.where(LensMissing.state == state).order_by(LensMissing.at).limit(limit))
    return [(row[0], row[1]) for row in rows]


def answer(session: Session, click_id: str, *, found: bool, words: str, who: str, now: datetime) -> LensMissing:
    """Found: the order goes into the ledger by hand, as pending, unless a network has brought it there meanwhile.

    Raises NotFoundError, ConflictError once answered.
    """
    row = session.get(LensMissing, click_id, with_for_update=True)
    if row is None:
        raise NotFoundError(f"nobody misses a purchase after click {click_id!r}")
    if row.state != OPEN:
        raise ConflictError(f"order {row.order_id}: it was answered already: {row.state}")
    row.state, row.answer = FOUND if found else REFUSED, words.strip()[:LONGEST_NOTE]
    row.answered_by, row.answered_at = who, now
    if found:
        told = Conversion(ledger.BY_HAND, row.order_id, click_id, click_id, ledger.PENDING, None, None, "")
        booking.take(session, told, who=who, now=now)
    session.flush()
    return row


def forget_clicks(session: Session, before: datetime) -> int:
    """Delete clicks from before that led to nothing; gives how many."""
    used = sa.select(ledger.LensCashback.click_id).where(ledger.LensCashback.click_id.is_not(None))
    old = sa.delete(LensClick).where(
        LensClick.t < before,
        LensClick.click_id.not_in(used),
        LensClick.click_id.not_in(sa.select(LensMissing.click_id)),
    )
    return int(session.connection().execute(old).rowcount)
