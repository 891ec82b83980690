"""Which shops somebody may see, and one of them with the layout of a day. What is not permitted does not exist."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Annotated

from fastapi import Query

from vitrina.errors import InputError, NotFoundError
from vitrina.floor.layout import Shop
from vitrina.floor.setup.shops import list_shops, load_shop, load_shops
from vitrina.product import ShopClock, parse_day
from vitrina.storage import audit
from vitrina.storage.accounts import SignedIn
from vitrina.web.site import Site

Day = Annotated[str | None, Query(description="The shop's business day, YYYY-MM-DD; today unless said otherwise.")]


@dataclass(frozen=True, slots=True)
class ShopDay:
    """A shop, the day that was asked for, and the shop's today."""

    shop: Shop
    day: date
    today: date


def shop_names(site: Site) -> dict[str, str]:
    """Slug to name of every shop, by name."""
    with site.database.reading() as session:
        names = {row.slug: row.name for row in list_shops(session)}
    return dict(sorted(names.items(), key=lambda item: (item[1].casefold(), item[0])))


def all_shops(site: Site) -> tuple[Shop, ...]:
    """Every shop with its present layout, by name; read again only when somebody changed something."""

    def load() -> tuple[Shop, ...]:
        with site.database.reading() as session:
            found = load_shops(session)
        return tuple(sorted(found, key=lambda shop: (shop.name.casefold(), shop.slug)))

    return site.figures.once(("shops", newest_change(site)), load, series="shops")


def newest_change(site: Site) -> str:
    """The newest entry of the audit log: no shop changes without one."""
    with site.database.reading() as session:
        return next((entry.entry_id for entry in audit.entries(session, limit=1)), "")


def visible_shops(site: Site, who: SignedIn, *, action: str = "shop.view") -> list[Shop]:
    """The shops in which `action` is allowed to this person, by name."""
    allowed = who.rights.shops(action)
    return [shop for shop in all_shops(site) if allowed is None or shop.slug in allowed]


def first_shops(site: Site, count: int) -> list[Shop]:
    """The shops that stand first on the list of somebody who sees all of them."""
    return list(all_shops(site)[:count])


def find_shop(
    site: Site, who: SignedIn, slug: str, *, action: str = "figures.view", at: datetime | None = None
) -> Shop:
    """The shop, with the layout that was valid at a moment (now).

    Raises NotFoundError for a shop that is not there and, in the same words, for one that is not permitted.
    """
    if not who.rights.may("shop.view", slug):
        raise NotFoundError(f"there is no shop {slug!r}")
    who.rights.require(action, slug)
    with site.database.reading() as session:
        return load_shop(session, slug, at=at)


def find_day(site: Site, who: SignedIn, slug: str, day: str | None, *, action: str = "figures.view") -> ShopDay:
    """The shop and its day. Raises InputError for what is no date, or a day that has not begun."""
    shop = find_shop(site, who, slug, action=action)
    today = site.figures.today(shop)
    asked = parse_day(day) if day else today
    if asked > today:
        raise InputError(f"day: {asked} has not begun in {shop.name}; today is {today} there")
    if asked < today:
        end = ShopClock(shop.timezone, shop.day_starts).day_bounds(asked)[1]
        shop = find_shop(site, who, slug, action=action, at=end) if shop.layout.valid_from > end else shop
    return ShopDay(shop, asked, today)
