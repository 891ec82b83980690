"""Bookings in the cashback ledger: each is a movement that is added, and none is ever changed or taken away."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from vitrina.errors import ConflictError, NotFoundError
from vitrina.lens.cashback import amount, promised
from vitrina.lens.clicks import LensClick, find_click
from vitrina.lens.ledger import ALLOWED, BY_HAND, EXPIRED, PAID, PENDING, LensCashback, LensMovement
from vitrina.lens.postback import Conversion
from vitrina.product import Money, new_id

logger = logging.getLogger(__name__)

LONGEST_WHY = 500


@dataclass(frozen=True, slots=True)
class Told:
    """What became of a network's word. changed: whether it changed anything; why not otherwise."""

    cashback_id: str
    state: str
    changed: bool
    why: str = ""


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


def _find_or_add(session: Session, told: Conversion, who: str, now: datetime) -> tuple[LensCashback, bool]:
    """The row, locked; two who bring the same order at once get the same one."""
    found = _locked(session, told)
    if found is not None:
        return found, False
    _hold_click(session, told.sub_id)
    found = _told_before(session, told)
    if found is not None:
        if told.network != BY_HAND:
            found.network, found.order_id, found.action = told.network, told.order_id, told.action
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


def _hold_click(session: Session, click_id: str) -> None:
    """So that a person and a network who bring an order of one click at once come one after the other."""
    session.execute(sa.select(LensClick.click_id).where(LensClick.click_id == click_id).with_for_update())


def _told_before(session: Session, told: Conversion) -> LensCashback | None:
    """The same order of the same click, from a person where a network tells it now, or the other way round.

    It must not count twice, also where the shopper wrote `#a7` and the network says `A-7`.
    """
    query = sa.select(LensCashback).where(LensCashback.click_id == told.sub_id).order_by(LensCashback.ordered_at)
    if told.network != BY_HAND:
        query = query.where(LensCashback.network == BY_HAND)
    rows = session.scalars(query.with_for_update().execution_options(populate_existing=True))
    return next((row for row in rows if _plain(row.order_id) == _plain(told.order_id)), None)


def _plain(order_id: str) -> str:
    """Letters and digits alone, where there are any."""
    return "".join(filter(str.isalnum, order_id)).casefold() or order_id


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
