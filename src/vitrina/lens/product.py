"""The same product in several shops: offers merged, with the reason; a wrong merge is worse than a missed one.

In this order: variants that a shop itself calls one group, the same GTIN, the same brand and vendor code, the same
picture (also saved again, resized or cropped a little; see `pairs`). What an editor has split stays apart, and what an
editor has joined stays together.
"""

from __future__ import annotations

import re
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from itertools import count as numbers

from vitrina.lens import store

GROUP, GTIN, CODE, PICTURE, EDITOR = (
    "variants of one shop",
    "same GTIN",
    "same brand and vendor code",
    "same picture",
    "joined by an editor",
)
"""Reasons, weakest of all to show last: what joins offers of different shops says more than variants of one."""

SHORTEST_CODE = 3
Ref = tuple[str, str]
"""Shop and offer id."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What merging looks at. pictures: SHA-256 of each that was fetched, of near-duplicates that of the same one."""

    offer_key: int
    shop: str
    offer_id: str
    name: str = ""
    brand: str = ""
    vendor_code: str = ""
    gtin: str = ""
    group_id: str = ""
    pictures: tuple[str, ...] = ()

    @property
    def ref(self) -> Ref:
        return self.shop, self.offer_id


@dataclass(frozen=True, slots=True)
class Decisions:
    """What editors decided. apart: offers that are products of their own. together: pairs that are one product."""

    apart: frozenset[Ref] = frozenset()
    together: tuple[tuple[Ref, Ref], ...] = ()


NO_DECISIONS = Decisions()


@dataclass(frozen=True, slots=True)
class Product:
    product_id: str
    offer_keys: tuple[int, ...]
    reason: str


def merge(
    offers: Sequence[Facts], decisions: Decisions = NO_DECISIONS, *, before: Mapping[int, str] | None = None
) -> list[Product]:
    """Every offer in exactly one product. before: offer key → the product's id until now, which stays where it can."""
    sets = _Sets(offers, decisions.apart)
    for some in _by(offers, lambda one: one.group_id and f"{one.shop}\0{one.group_id}"):
        sets.join(some, GROUP)
    for some in _by(offers, lambda one: one.gtin):
        sets.join(some, GTIN)
    for some in _by(offers, _code):
        sets.join_unless_other(some, CODE)
    for some in _shared_pictures(offers):
        sets.join_unless_other(some, PICTURE)
    by_ref = {one.ref: one for one in offers}
    for first, second in decisions.together:
        if first in by_ref and second in by_ref:
            sets.join([by_ref[first], by_ref[second]], EDITOR)
    return _named(sets.clusters(), before or {})


class _Sets:
    """Union and find, with what each set is known by."""

    def __init__(self, offers: Sequence[Facts], apart: Collection[Ref]) -> None:
        self._parent = {one.offer_key: one.offer_key for one in offers}
        self._members = {one.offer_key: [one] for one in offers}
        self._reasons: dict[int, set[str]] = defaultdict(set)
        self._apart = {one.offer_key for one in offers if one.ref in apart}

    def join(self, some: Sequence[Facts], reason: str) -> None:
        free = [one for one in some if reason == EDITOR or one.offer_key not in self._apart]
        for one in free[1:]:
            self._unite(free[0].offer_key, one.offer_key, reason)

    def join_unless_other(self, some: Sequence[Facts], reason: str) -> None:
        """One by one, each with the first set that nothing speaks against."""
        taken: list[Facts] = []
        for one in some:
            if one.offer_key in self._apart:
                continue
            match = next((other for other in taken if self._may(one, other)), None)
            if match is not None:
                self._unite(match.offer_key, one.offer_key, reason)
            taken.append(one)

    def clusters(self) -> Iterator[tuple[list[Facts], str]]:
        for root, members in self._members.items():
            if self._parent[root] == root:
                yield members, _strongest(self._reasons[root], members)

    def _may(self, one: Facts, other: Facts) -> bool:
        ours, theirs = (self._members[self._find(each.offer_key)] for each in (one, other))
        if ours is theirs:
            return True
        return not any(
            _differ({read(each) for each in ours} - {""}, {read(each) for each in theirs} - {""})
            for read in _TELLING_APART
        )

    def _unite(self, one: int, other: int, reason: str) -> None:
        first, second = self._find(one), self._find(other)
        if first != second:
            self._parent[second] = first
            self._members[first] += self._members.pop(second)
            self._reasons[first] |= self._reasons.pop(second, set())
        self._reasons[first].add(reason)

    def _find(self, key: int) -> int:
        while self._parent[key] != key:
            self._parent[key] = self._parent[self._parent[key]]
            key = self._parent[key]
        return key


def _strongest(reasons: Collection[str], members: Sequence[Facts]) -> str:
    order = [GROUP] if len({one.shop for one in members}) == 1 else [EDITOR, GTIN, CODE, PICTURE, GROUP]
    return next((reason for reason in order if reason in reasons), next(iter(sorted(reasons)), ""))


def _differ(ours: set[str], theirs: set[str]) -> bool:
    return bool(ours and theirs) and ours.isdisjoint(theirs)


def _gtin(one: Facts) -> str:
    return one.gtin


def _brand(one: Facts) -> str:
    return _plain(one.brand)


def _amount(one: Facts) -> str:
    """`500g 2l` of `Tea 500 g, 2 L`: another pack in the same picture is another product."""
    named = _AMOUNT.findall(one.name.lower())
    found = {f"{number.replace(',', '.')}{_UNITS.get(unit, unit)}" for number, unit in named}
    return " ".join(sorted(found))


_AMOUNT = re.compile(r"(\d+(?:[.,]\d+)?) ?(ml|cl|l|mg|g|kg|oz|pcs|мл|л|мг|г|кг|шт)\b")
_UNITS = {"мл": "ml", "л": "l", "мг": "mg", "г": "g", "кг": "kg", "шт": "pcs"}


def _by(offers: Iterable[Facts], key: Callable[[Facts], str]) -> Iterator[list[Facts]]:
    found: dict[str, list[Facts]] = defaultdict(list)
    for one in offers:
        if text := key(one):
            found[text].append(one)
    return (some for some in found.values() if len(some) > 1)


def _plain(text: str) -> str:
    return re.sub(r"[\W_]+", "", text.lower())


def _code(one: Facts) -> str:
    """Brand and vendor code without spaces, dashes and capitals; "" where one of them says nothing."""
    brand, code = _plain(one.brand), _plain(one.vendor_code)
    return f"{brand}\0{code}" if brand and len(code) >= SHORTEST_CODE else ""


_TELLING_APART: tuple[Callable[[Facts], str], ...] = (_gtin, _code, _brand, _amount)
"""Two sets that differ in one of these are two products, whatever else they share."""


def _shared_pictures(offers: Sequence[Facts]) -> Iterator[list[Facts]]:
    """Offers of different shops that show the same first picture; not where a shop shows it for different things."""
    found: dict[str, list[Facts]] = defaultdict(list)
    things: dict[tuple[str, str], set[str]] = defaultdict(set)
    for one in offers:
        for sha in dict.fromkeys(one.pictures):
            things[sha, one.shop].add(one.group_id or one.name or one.offer_id)
        if one.pictures:
            found[one.pictures[0]].append(one)
    for sha, some in found.items():
        shops = Counter(one.shop for one in some)
        if len(shops) > 1 and all(len(things[sha, shop]) < 2 for shop in shops):
            yield some


def representatives(pairs: Iterable[Sequence[str]]) -> dict[str, str]:
    """Picture → the one that stands for it, where that is another. pairs: of pictures that are one picture.

    Each is paired with the one that stands for it: a chain of small differences leads from any picture to any other.
    """
    near: dict[str, set[str]] = defaultdict(set)
    for one, other in pairs:
        near[one].add(other)
        near[other].add(one)
    found: dict[str, str] = {}
    for sha in sorted(near):
        found[sha] = min((other for other in near[sha] if found.get(other) == other), default=sha)
    return {sha: stands for sha, stands in found.items() if sha != stands}


def _named(clusters: Iterable[tuple[list[Facts], str]], before: Mapping[int, str]) -> list[Product]:
    """The largest first, so that of a product that was split the larger part keeps its id."""
    taken: set[str] = set()
    found = []
    for members, reason in sorted(clusters, key=lambda one: (-len(one[0]), one[0][0].ref)):
        known = Counter(before[one.offer_key] for one in members if one.offer_key in before)
        free = [name for name, _ in known.most_common() if name not in taken]
        name = free[0] if free else _new_id(members, taken)
        taken.add(name)
        found.append(Product(name, tuple(sorted(one.offer_key for one in members)), reason))
    return found


def _new_id(members: Sequence[Facts], taken: Collection[str]) -> str:
    return next(name for name in _ids(min(one.ref for one in members)) if name not in taken)


def _ids(first: Ref) -> Iterator[str]:
    """Ids for a product whose first offer this is, best first, without an end."""
    for number in numbers():
        yield blake2b("\0".join((*first, str(number))).encode(), digest_size=8).hexdigest()


# ── in the catalog ──────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Refreshed:
    """products: how many there are. merged: those of several offers. is_new: whether anything was made anew."""

    products: int
    merged: int
    is_new: bool = True


def refresh_products(catalog: sqlite3.Connection, decisions: Decisions = NO_DECISIONS) -> Refreshed:
    """Merge the live offers anew, if offers, pictures or decisions changed since."""
    mark = _mark(catalog, decisions)
    kept = catalog.execute("SELECT value FROM kept WHERE name = 'products'").fetchone()
    if kept is None or kept[0] != mark:
        before = {row[0]: row[1] for row in catalog.execute("SELECT offer_key, product_id FROM products")}
        products = merge(_facts(catalog), decisions, before=before)
        rows = [(key, one.product_id, one.reason) for one in products for key in one.offer_keys]
        with store.writing(catalog):
            catalog.execute("DELETE FROM products")
            catalog.executemany("INSERT INTO products(offer_key, product_id, reason) VALUES(?, ?, ?)", rows)
            catalog.execute("INSERT OR REPLACE INTO kept VALUES('products', ?)", (mark,))
    count, merged = catalog.execute(
        "SELECT count(*), coalesce(sum(offers > 1), 0)"
        " FROM (SELECT count(*) AS offers FROM products GROUP BY product_id)"
    ).fetchone()
    return Refreshed(count, merged, is_new=kept is None or kept[0] != mark)


def split_off(catalog: sqlite3.Connection, offer: Ref) -> None:
    """Make one offer a product of its own at once. Only the next refresh says what becomes of the others without it."""
    shop, offer_id = offer
    with store.writing(catalog):
        row = catalog.execute(
            "SELECT offer_key, product_id FROM products JOIN offers USING(offer_key) WHERE shop = ? AND offer_id = ?",
            (shop, offer_id),
        ).fetchone()
        others = _offers_of(catalog, row["product_id"]) - 1 if row is not None else 0
        if not others:
            return
        free = next(name for name in _ids(offer) if not _offers_of(catalog, name))
        change = "UPDATE products SET product_id = ?, reason = '' WHERE offer_key = ?"
        catalog.execute(change, (free, row["offer_key"]))
        if others == 1:
            catalog.execute("UPDATE products SET reason = '' WHERE product_id = ?", (row["product_id"],))
        catalog.execute("DELETE FROM kept WHERE name = 'products'")


def _offers_of(catalog: sqlite3.Connection, product_id: str) -> int:
    found = catalog.execute("SELECT count(*) FROM products WHERE product_id = ?", (product_id,)).fetchone()
    return int(found[0])


def _facts(catalog: sqlite3.Connection) -> list[Facts]:
    pictures: dict[int, list[str]] = defaultdict(list)
    stands = representatives(catalog.execute("SELECT sha256, other FROM picture_pairs"))
    shown = catalog.execute(
        "SELECT offer_key, sha256 FROM offer_pictures JOIN pictures USING(picture_key)"
        " WHERE sha256 IS NOT NULL ORDER BY offer_key, position"
    )
    for key, sha in shown:
        pictures[key].append(stands.get(sha, sha))
    rows = catalog.execute(
        "SELECT offer_key, shop, offer_id, name, brand, vendor_code, gtin, group_id FROM offers WHERE gone_at IS NULL"
        " ORDER BY offer_key"
    )
    return [
        Facts(
            row["offer_key"], row["shop"], row["offer_id"], row["name"], row["brand"], row["vendor_code"], row["gtin"],
            row["group_id"], tuple(pictures.get(row["offer_key"], ())),
        )
        for row in rows
    ]  # fmt: skip


def _mark(catalog: sqlite3.Connection, decisions: Decisions) -> str:
    told = (store.changes(catalog), sorted(decisions.apart), sorted(decisions.together))
    return blake2b(repr(told).encode(), digest_size=16).hexdigest()
