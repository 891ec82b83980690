"""Cashback terms as somebody set them: the table, its changes, and the answer for an offer.

with database.reading() as session:
    terms = Terms.load(session)
terms.cashback("best-shop", ("Shoes", "Boots"), Money(4990, "EUR"), date.today())
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, Session, mapped_column

from vitrina.errors import ConflictError, InputError, NotFoundError
from vitrina.lens.cashback import FIXED, PERCENT, Term, TermTable, amount, check_term, parse_percent
from vitrina.lens.shops import LensShop, find_shop
from vitrina.lens.store import LEVELS
from vitrina.product import Money, new_id
from vitrina.storage.audit import record
from vitrina.storage.database import Base


class LensTerm(Base):
    """One term, see `cashback.Term`. category: its levels joined by ` › `. percent: a decimal number as text."""

    __tablename__ = "lens_terms"

    term_id: Mapped[str] = mapped_column(sa.String(36), primary_key=True)
    shop: Mapped[str] = mapped_column(sa.ForeignKey(LensShop.slug), index=True)
    category: Mapped[str] = mapped_column(sa.Text)
    kind: Mapped[str] = mapped_column(sa.String(16))
    percent: Mapped[str] = mapped_column(sa.String(16))
    amount_minor: Mapped[int] = mapped_column(sa.BigInteger)
    cap_minor: Mapped[int | None] = mapped_column(sa.BigInteger)
    currency: Mapped[str] = mapped_column(sa.String(3))
    hold_days: Mapped[int]
    valid_from: Mapped[date]
    valid_to: Mapped[date | None]
    created_at: Mapped[datetime]


@dataclass(frozen=True, slots=True)
class TermSettings:
    """What somebody enters: either percent (`7.5`) or amount (`5.00`); amounts in major units of `currency`.

    currency: "": the shop's. first: None: from today.
    """

    shop: str
    category: tuple[str, ...] = ()
    percent: str = ""
    amount: str = ""
    cap: str = ""
    currency: str = ""
    hold_days: int = 30
    first: date | None = None
    last: date | None = None


class Terms:
    """Terms at one moment, ready for any number of offers."""

    def __init__(self, terms: Iterable[Term] = ()) -> None:
        self._table = TermTable(terms)

    @classmethod
    def load(cls, session: Session, *, shops: Iterable[str] | None = None) -> Terms:
        """Of these shops, or of all. Whoever answers about a few offers names their shops: it reads less."""
        query = sa.select(*_COLUMNS)
        rows = session.execute(query if shops is None else query.where(LensTerm.shop.in_(set(shops))))
        return cls(_term(row) for row in rows)

    def term(self, shop: str, category: tuple[str, ...], on: date) -> Term | None:
        return self._table.best(shop, category, on)

    def cashback(self, shop: str, category: tuple[str, ...], price: Money, on: date) -> Money | None:
        """What the buyer gets back; None: nothing."""
        term = self.term(shop, category, on)
        return amount(term, price) if term else None


def list_terms(session: Session, *, shop: str | None = None) -> list[Term]:
    """By shop, category and first day."""
    query = sa.select(LensTerm).order_by(LensTerm.shop, LensTerm.category, LensTerm.valid_from)
    return [_term(row) for row in session.scalars(query if shop is None else query.where(LensTerm.shop == shop))]


def set_term(session: Session, given: TermSettings, *, by: str, today: date) -> Term:
    """Add a term. Raises InputError for what does not fit, ConflictError where it overlaps another one."""
    term = _given(session, given, today)
    _check_free(session, term)
    session.add(_row(term))
    session.flush()
    record(session, by, "lens.term.set", f"lens-term:{term.term_id}", None, told(term))
    return term


def replace_term(session: Session, given: TermSettings, *, by: str, today: date) -> Term:
    """Add a term in place of those for the same category from its first day on: older ones end the day before."""
    term = _given(session, given, today)
    for old in [one for one in list_terms(session, shop=term.shop) if one.overlaps(term)]:
        _end_before(session, old, term, by)
    return set_term(session, given, by=by, today=today)


def remove_term(session: Session, term_id: str, *, by: str) -> Term:
    """By its id or the last letters of it. Clicks keep what was promised them. Raises NotFoundError."""
    ending = sa.select(LensTerm).where(LensTerm.term_id.endswith(term_id, autoescape=True)).limit(2)
    rows = list(session.scalars(ending)) if len(term_id) >= 4 else []
    if len(rows) != 1:
        raise NotFoundError(f"there is no term {term_id!r}; `vitrina lens cashback terms list` shows them")
    term = _term(rows[0])
    record(session, by, "lens.term.remove", f"lens-term:{term.term_id}", told(term), None)
    session.delete(rows[0])
    session.flush()
    return term


def told(term: Term) -> dict[str, Any]:
    """The term for people and programs."""
    return {
        "term_id": term.term_id,
        "shop": term.shop,
        "category": LEVELS.join(term.category),
        "kind": term.kind,
        "percent": str(term.percent) if term.kind == PERCENT else None,
        "amount": _major(term.amount_minor, term.currency) if term.kind == FIXED else None,
        "cap": None if term.cap_minor is None else _major(term.cap_minor, term.currency),
        "currency": term.currency,
        "hold_days": term.hold_days,
        "valid_from": term.first.isoformat(),
        "valid_to": term.last.isoformat() if term.last else None,
    }


def _given(session: Session, given: TermSettings, today: date) -> Term:
    shop = find_shop(session, given.shop)
    if bool(given.percent) == bool(given.amount):
        raise InputError("cashback: expected either a percentage or a fixed amount, and not both")
    currency = given.currency or shop.currency
    money = {name: Money.parse(text, currency).minor for name, text in (("a", given.amount), ("c", given.cap)) if text}
    return check_term(
        Term(
            term_id=new_id(),
            shop=shop.slug,
            category=given.category,
            kind=PERCENT if given.percent else FIXED,
            percent=parse_percent(given.percent) if given.percent else Decimal(0),
            amount_minor=money.get("a", 0),
            cap_minor=money.get("c"),
            currency=currency if money else "",
            hold_days=given.hold_days,
            first=given.first or today,
            last=given.last,
            created_at=datetime.now(UTC),
        )
    )


def _check_free(session: Session, term: Term) -> None:
    if session.get_bind().dialect.name == "postgresql":  # two people at once: one after the other, by the shop's row
        session.execute(sa.select(LensShop.slug).where(LensShop.slug == term.shop).with_for_update())
    for other in list_terms(session, shop=term.shop):
        if other.overlaps(term):
            last = other.last or "further notice"
            about = f"category {LEVELS.join(term.category)!r}" if term.category else "the whole shop"
            raise ConflictError(
                f"shop {term.shop} has a term for {about} from {other.first} to {last} already ({other.term_id}). "
                "Remove it, choose other days, or put this one in its place with --replace."
            )


def _end_before(session: Session, old: Term, new: Term, by: str) -> None:
    row = session.get_one(LensTerm, old.term_id)
    if old.first >= new.first:
        remove_term(session, old.term_id, by=by)
        return
    row.valid_to = date.fromordinal(new.first.toordinal() - 1)
    session.flush()
    record(session, by, "lens.term.end", f"lens-term:{old.term_id}", told(old), told(replace(old, last=row.valid_to)))


def _major(minor: int, currency: str) -> str:
    return str(Money(minor, currency).major)


_COLUMNS = tuple(LensTerm.__table__.columns)


def _term(row: LensTerm | sa.Row[Any]) -> Term:
    return Term(
        term_id=row.term_id,
        shop=row.shop,
        category=tuple(row.category.split(LEVELS)) if row.category else (),
        kind=row.kind,
        percent=Decimal(row.percent),
        amount_minor=row.amount_minor,
        cap_minor=row.cap_minor,
        currency=row.currency,
        hold_days=row.hold_days,
        first=row.valid_from,
        last=row.valid_to,
        created_at=row.created_at,
    )


def _row(term: Term) -> LensTerm:
    return LensTerm(
        term_id=term.term_id,
        shop=term.shop,
        category=LEVELS.join(term.category),
        kind=term.kind,
        percent=str(term.percent),
        amount_minor=term.amount_minor,
        cap_minor=term.cap_minor,
        currency=term.currency,
        hold_days=term.hold_days,
        valid_from=term.first,
        valid_to=term.last,
        created_at=term.created_at,
    )
