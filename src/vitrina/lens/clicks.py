"""The log of clicks: which offer, at which price, with how much cashback promised, and whose wallet, if any."""

from __future__ import annotations

import logging
import re
from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, Session, mapped_column

from vitrina.errors import InputError, NotFoundError
from vitrina.lens.cashback import amount, snapshot
from vitrina.lens.link import NETWORKS, Link, make_link
from vitrina.lens.networks import route_of
from vitrina.lens.offer import Offer
from vitrina.lens.store import LEVELS
from vitrina.lens.terms import Terms
from vitrina.product import Money, new_id
from vitrina.storage.database import Base

logger = logging.getLogger(__name__)

LONGEST_NAME = 300
LAST_PLACE = 100
"""No search shows more products; what a link says beyond that is not believed."""

_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


class LensClick(Base):
    """One click. click_id is the sub-id that the network sends back. promise: `cashback.snapshot` of that moment.

    name, category: of the offer, which may be gone when its order comes. host: where the click was sent. place: of the
    product among those that the search showed, from 1; None where the link did not say it.
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
    place: Mapped[int | None] = mapped_column(sa.Integer)


@dataclass(frozen=True, slots=True)
class Clicked:
    """A click that is logged. url: where to send the browser."""

    click_id: str
    url: str
    host: str
    network: str
    price: Money
    cashback: Money | None


def open_click(
    session: Session, offer: Offer, *, search_id: str = "", place: int | None = None, wallet: str | None = None
) -> Clicked:
    """Log a click on an offer of the catalog and say where it goes. Raises InputError for an offer without a link.

    place: of the product among those that the search showed, from 1.
    When the network's link cannot be made, the shop's own link is taken: a buyer is worth more than a sub-id.
    """
    now = datetime.now(UTC)
    click_id = new_id()
    network, link = _way(session, offer, click_id)
    term = Terms.load(session, shops=[offer.shop]).term(offer.shop, offer.category, now.date())
    cashback = amount(term, offer.price) if term else None
    session.add(
        LensClick(
            click_id=click_id,
            shop=offer.shop,
            offer_id=offer.offer_id,
            name=offer.name[:LONGEST_NAME],
            category=LEVELS.join(offer.category),
            search_id=search_id if _ID.fullmatch(search_id) else "",
            wallet=wallet,
            t=now,
            price_minor=offer.price.minor,
            currency=offer.price.currency,
            cashback_minor=cashback.minor if cashback else None,
            promise=snapshot(term) if term and cashback else None,
            network=network,
            host=link.host,
            place=place if place is not None and 1 <= place <= LAST_PLACE else None,
        )
    )
    session.flush()
    return Clicked(click_id, link.url, link.host, network, offer.price, cashback)


def find_click(session: Session, click_id: str) -> LensClick | None:
    return session.get(LensClick, click_id) if _ID.fullmatch(click_id) else None


def clicks_of(session: Session, wallet: str, *, limit: int = 100) -> list[LensClick]:
    """A wallet's clicks, newest first."""
    query = sa.select(LensClick).where(LensClick.wallet == wallet)
    return list(session.scalars(query.order_by(LensClick.t.desc(), LensClick.click_id.desc()).limit(limit)))


def clicked_places(session: Session, first: date, last: date) -> dict[str, list[int]]:
    """Search → the place of each product that was clicked, in the order of the clicks; 0 where nobody knows it.

    Clicks from `first` until the day after `last`: somebody may click after midnight. Those without a search are at "".
    """
    begin, end = (datetime.combine(day, time(), UTC) for day in (first, last + timedelta(days=2)))
    query = sa.select(LensClick.search_id, LensClick.place).where(LensClick.t >= begin, LensClick.t < end)
    found: dict[str, list[int]] = defaultdict(list)
    for search_id, place in session.execute(query.order_by(LensClick.t, LensClick.click_id)):
        found[search_id].append(place or 0)
    return found


def _way(session: Session, offer: Offer, click_id: str) -> tuple[str, Link]:
    try:
        network, base = route_of(session, offer.shop)
        first = next(iter(network.sub_ids), "subid")
        return network.name, make_link(network, offer.url, base=base, sub_ids={first: click_id})
    except (InputError, NotFoundError) as error:
        link = make_link(NETWORKS["direct"], offer.url, sub_ids={})
        logger.warning("shop %s: its own link is taken: %s", offer.shop, error)
        return "direct", link
