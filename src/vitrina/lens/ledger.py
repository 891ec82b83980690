"""The cashback ledger: movements that are only ever added, and where each cashback stands now."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapped, Session, mapped_column

from vitrina.errors import ConflictError, NotFoundError
from vitrina.lens.cashback import amount, promised
from vitrina.lens.clicks import LensClick, find_click
from vitrina.lens.postback import Conversion
from vitrina.product import Money, new_id
from vitrina.storage.database import Base

logger = logging.getLogger(__name__)

PENDING, APPROVED, REJECTED, PAID, EXPIRED = STATES = ("pending", "approved", "rejected", "paid", "expired")

ALLOWED = ((PENDING, APPROVED), (PENDING, REJECTED), (PENDING, EXPIRED), (APPROVED, PAID))
"""What may follow what. Rejected, paid and expired are the end."""

BY_HAND = "by-hand"
"""The network of an order that a person entered."""

LONGEST_WHY = 500


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
class Told:
    """What became of a network's word. changed: whether it changed anything; why not otherwise."""

    cashback_id: str
    state: str
    changed: bool
    why: str = ""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which cashback to list; what is empty is not asked for. first, last: days (UTC) of the order, both included."""

    state: str = ""
    shop: str = ""
    network: str = ""
    first: date | None = None
    last: date | None = None


def take(session: Session, told: Conversion, *, who: str, now: datetime) -> Told:
    """Write down what a network says, once: the same again changes nothing, another state only where it may.

    A new order begins as pending, so that every cashback has the same history.
    """
    row, is_new = _find_or_add(session, told, who, now)
    corrected = not is_new and row.state == PENDING and _correct(session, row, told, who, now)
    if told.state == row.state:
        return Told(row.cashback_id, row.state, is_new or corrected, "" if is_new or corrected else "it is known")
    if (row.state, told.state) not in ALLOWED:
        why = f"it is {row.state} already"
        logger.info("order %s of %s stays %s, the network says %s", row.order_id, row.network, row.state, told.state)
        return Told(row.cashback_id, row.state, is_new or corrected, why)
    _move(session, row, told.state, who=who, why="the network says so", now=now)
    return Told(row.cashback_id, row.state, True)


def move(session: Session, cashback_id: str, to: str, *, who: str, why: str, now: datetime) -> LensCashback:
    """Approve, reject or pay by hand. Raises ConflictError for what may not follow, or not yet."""
    row = session.get(LensCashback, cashback_id, with_for_update=True)
    if row is None:
        raise NotFoundError(f"there is no cashback {cashback_id!r}")
    if (row.state, to) not in ALLOWED or to == EXPIRED:
        after = [target for source, target in ALLOWED if source == row.state and target != EXPIRED]
        possible = f"it can become {' or '.join(after)}" if after else "nothing follows"
        raise ConflictError(f"order {row.order_id}: it is {row.state}; {possible}, not {to}")
    if to == PAID:
        _check_payable(row, now.date())
    _move(session, row, to, who=who, why=why, now=now)
    return row


def move_all(
    session: Session, ids: Iterable[str], to: str, *, who: str, why: str, now: datetime
) -> tuple[int, list[str]]:
    """Each that may; gives how many moved, and what keeps the others."""
    moved, kept = 0, []
    for cashback_id in sorted(set(ids)):
        try:
            move(session, cashback_id, to, who=who, why=why, now=now)
            moved += 1
        except (ConflictError, NotFoundError) as error:
            kept.append(str(error))
    return moved, kept


def expire(session: Session, *, before: datetime, now: datetime) -> int:
    """Close what no network has decided on since; gives how many."""
    query = sa.select(LensCashback).where(LensCashback.state == PENDING, LensCashback.ordered_at < before)
    rows = list(session.scalars(query.with_for_update()))
    for row in rows:
        _move(session, row, EXPIRED, who="system", why="the network did not decide in time", now=now)
    return len(rows)


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


def _find_or_add(session: Session, told: Conversion, who: str, now: datetime) -> tuple[LensCashback, bool]:
    """The row, locked; two who bring the same order at once get the same one."""
    found = _locked(session, told)
    if found is not None:
        return found, False
    found = _by_hand(session, told)
    if found is not None:
        found.network, found.action = told.network, told.action
        _note(session, found, found.state, found.state, who=who, why=_why(told, found), now=now)
        return found, False
    row = _new(session, told, now)
    try:
        with session.begin_nested():
            session.add(row)
            session.flush()
    except IntegrityError:
        found = _locked(session, told)
        if found is None:
            raise
        return found, False
    _note(session, row, "", PENDING, who=who, why=_why(told, row), now=now)
    return row, True


def _locked(session: Session, told: Conversion) -> LensCashback | None:
    query = sa.select(LensCashback).where(
        LensCashback.network == told.network,
        LensCashback.order_id == told.order_id,
        LensCashback.action == told.action,
    )
    return session.scalar(query.with_for_update().execution_options(populate_existing=True))


def _by_hand(session: Session, told: Conversion) -> LensCashback | None:
    """The same order of the same click, entered by a person before the network reported it: it must not count twice."""
    query = sa.select(LensCashback).where(
        LensCashback.network == BY_HAND, LensCashback.order_id == told.order_id, LensCashback.click_id == told.sub_id
    )
    return None if told.network == BY_HAND else session.scalar(query.with_for_update())


def _new(session: Session, told: Conversion, now: datetime) -> LensCashback:
    click = _click(session, told)
    amounts = _amounts(told, click)
    hold = timedelta(days=click.promise["hold_days"] if click is not None and click.promise else 0)
    return LensCashback(
        cashback_id=new_id(),
        network=told.network,
        order_id=told.order_id,
        action=told.action,
        click_id=click.click_id if click else None,
        sub_id=told.sub_id,
        shop=click.shop if click else "",
        wallet=click.wallet if click else None,
        state=PENDING,
        order_minor=amounts.order_minor,
        commission_minor=amounts.commission_minor,
        cashback_minor=amounts.cashback_minor,
        currency=amounts.currency,
        payable_on=now.date() + hold,
        ordered_at=now,
        changed_at=now,
    )


def _click(session: Session, told: Conversion) -> LensClick | None:
    """The click that the sub-id means; one that went through another network is not this one's to tell of."""
    click = find_click(session, told.sub_id)
    return click if click is not None and told.network in (click.network, BY_HAND) else None


@dataclass(frozen=True, slots=True)
class _Amounts:
    order_minor: int | None
    commission_minor: int | None
    cashback_minor: int
    currency: str


def _amounts(told: Conversion, click: LensClick | None) -> _Amounts:
    """What the promise of the click gives for this order. What was promised in another currency stays as promised."""
    currency = told.currency or (click.currency if click else "")
    order, commission = (_minor(value, currency) for value in (told.order, told.commission))
    if click is None or click.promise is None:
        return _Amounts(order, commission, 0, currency)
    price = click.price_minor if order is None else order
    term = promised(click.shop, click.promise)
    if currency == click.currency or (order is not None and not term.currency):
        given = amount(term, Money(price, currency)) if currency else None
        return _Amounts(order, commission, given.minor if given else 0, currency)
    return _Amounts(None, None, click.cashback_minor or 0, click.currency)


def _minor(value: Decimal | None, currency: str) -> int | None:
    return None if value is None or not currency else Money.parse(str(value), currency).minor


def _correct(session: Session, row: LensCashback, told: Conversion, who: str, now: datetime) -> bool:
    """Take over other amounts, as after a part of an order was sent back. Gives whether there were any."""
    if told.order is None or (told.state == PENDING and _was_said(session, row, told)):
        return False
    click = session.get(LensClick, row.click_id) if row.click_id else None
    amounts = _amounts(told, click)
    if amounts.order_minor in (None, row.order_minor):
        return False
    row.order_minor, row.commission_minor = amounts.order_minor, amounts.commission_minor
    row.cashback_minor, row.currency = amounts.cashback_minor, amounts.currency
    _note(session, row, row.state, row.state, who=who, why=_why(told, row), now=now)
    return True


def _was_said(session: Session, row: LensCashback, told: Conversion) -> bool:
    """Whether this very word came before: one that is sent again later must not undo a correction."""
    said = sa.exists().where(LensMovement.cashback_id == row.cashback_id, LensMovement.why == _why(told, row))
    return bool(session.scalar(sa.select(said)))


def _check_payable(row: LensCashback, today: date) -> None:
    if row.wallet is None:
        raise ConflictError(f"order {row.order_id}: it belongs to no wallet, so there is nobody to pay")
    if row.cashback_minor <= 0:
        raise ConflictError(f"order {row.order_id}: there is no cashback to pay")
    if today < row.payable_on:
        raise ConflictError(f"order {row.order_id}: it is held until {row.payable_on}")


def _move(session: Session, row: LensCashback, to: str, *, who: str, why: str, now: datetime) -> None:
    before, row.state = row.state, to
    _note(session, row, before, to, who=who, why=why, now=now)


def _note(session: Session, row: LensCashback, before: str, after: str, *, who: str, why: str, now: datetime) -> None:
    count = sa.select(sa.func.count()).where(LensMovement.cashback_id == row.cashback_id)
    row.changed_at = now
    session.add(
        LensMovement(
            movement_id=new_id(),
            cashback_id=row.cashback_id,
            number=int(session.scalar(count) or 0) + 1,
            at=now,
            who=who,
            before=before,
            after=after,
            cashback_minor=row.cashback_minor,
            currency=row.currency,
            why=why[:LONGEST_WHY],
        )
    )
    session.flush()


def _why(told: Conversion, row: LensCashback) -> str:
    said = [f"order {told.order} {told.currency}".strip()] if told.order is not None else []
    said += [f"commission {told.commission} {told.currency}".strip()] if told.commission is not None else []
    if row.click_id is None:
        said.append("no click of this network has its sub-id")
    return "; ".join(["the network reports it", *said])


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
