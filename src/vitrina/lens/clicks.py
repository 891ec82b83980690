"""The log of clicks: which offer, at which price, with how much cashback promised, and whose wallet, if any."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, Session, mapped_column

from vitrina.lens.cashback import amount, snapshot
from vitrina.lens.offer import Offer
from vitrina.lens.store import LEVELS
from vitrina.lens.terms import Terms
from vitrina.product import new_id
from vitrina.storage.database import Base


class LensClick(Base):
    """One click. click_id is the sub-id that the network sends back. promise: `cashback.snapshot` of that moment.

    name, category: of the offer, which may be gone when its order comes. host: where the click was sent.
    """

    __tablename__ = "lens_clicks"
    __table_args__ = (sa.Index(None, "wallet", "t"),)

    click_id: Mapped[str] = mapped_column(sa.String(36), primary_key=True)
    shop: Mapped[str] = mapped_column(sa.String(64))
    offer_id: Mapped[str] = mapped_column(sa.Text)
    name: Mapped[str] = mapped_column(sa.Text)
    category: Mapped[str] = mapped_column(sa.Text)
    search_id: Mapped[str] = mapped_column(sa.String(36))
    wallet: Mapped[str | None] = mapped_column(sa.String(64))
    t: Mapped[datetime] = mapped_column(index=True)
    price_minor: Mapped[int] = mapped_column(sa.BigInteger)
    currency: Mapped[str] = mapped_column(sa.String(3))
    cashback_minor: Mapped[int | None] = mapped_column(sa.BigInteger)
    promise: Mapped[dict[str, Any] | None] = mapped_column(sa.JSON(none_as_null=True))
    network: Mapped[str] = mapped_column(sa.String(64))
    host: Mapped[str] = mapped_column(sa.String(253))


def new_click(
    offer: Offer,
    terms: Terms,
    *,
    network: str,
    search_id: str = "",
    wallet: str | None = None,
    now: datetime | None = None,
) -> LensClick:
    """The click with what it promises, before it is known where it goes to; nothing is stored yet."""
    now = now or datetime.now(UTC)
    term = terms.term(offer.shop, offer.category, now.date())
    cashback = amount(term, offer.price) if term else None
    return LensClick(
        click_id=new_id(),
        shop=offer.shop,
        offer_id=offer.offer_id,
        name=offer.name[:300],
        category=LEVELS.join(offer.category),
        search_id=search_id,
        wallet=wallet,
        t=now,
        price_minor=offer.price.minor,
        currency=offer.price.currency,
        cashback_minor=cashback.minor if cashback else None,
        promise=snapshot(term) if term and cashback else None,
        network=network,
        host="",
    )


def find_click(session: Session, click_id: str) -> LensClick | None:
    return session.get(LensClick, click_id)
