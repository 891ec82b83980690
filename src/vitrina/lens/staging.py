"""An import before it counts: what is new or changed, and what was seen, in a file beside the catalog.

Nothing of the catalog changes while a feed is read, however long that takes. `apply` then makes the difference true in
one transaction, so a process that is killed at any moment leaves the catalog as it was or as it should be.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from hashlib import blake2b
from json.encoder import encode_basestring
from pathlib import Path
from typing import Any

from vitrina.lens.offer import Offer, Reject
from vitrina.lens.store import LEVELS, note_change

KEPT_REJECTS = 1000
"""So many of an import are kept with their reasons; the others are only counted."""

CACHE_KB = 32_768
"""Of each of the two files; in SQLite's own 2 MB, rows that come in no order push one another out."""

COLUMNS = (
    "offer_id",
    "digest",
    "name",
    "brand",
    "vendor_code",
    "gtin",
    "group_id",
    "category",
    "price_minor",
    "old_price_minor",
    "currency",
    "available",
    "url",
    "params",
    "description",
    "line",
)
_WORDS = "name, brand, category, params"
_LIST = ", ".join(COLUMNS)
_TABLES = (
    f"CREATE TABLE staged(row INTEGER PRIMARY KEY, offer_key INTEGER, {_LIST}, UNIQUE(offer_id))",
    "CREATE TABLE staged_pictures(row INTEGER, position INTEGER, url TEXT)",
    "CREATE TABLE seen(offer_key INTEGER PRIMARY KEY)",
    "CREATE TABLE rejects(line, offer_id, reason)",
)
_STAGE = f"INSERT INTO staged VALUES({', '.join('?' * (len(COLUMNS) + 2))})"


_Known = tuple[int, bytes | None, bool]
"""Key and digest, None as that of one that was gone; and whether it is this feed's: what another one tells too becomes
this one's, or it would be gone with the other feed."""


class Staging:
    """One import's difference to the catalog: new, changed and unchanged offers, and how many were rejected."""

    def __init__(self, path: Path, catalog: sqlite3.Connection, shop: str, feed_id: str) -> None:
        """Made anew, in place of what a killed import left."""
        self.path, self._catalog, self._shop, self._feed_id = path, catalog, shop, feed_id
        self.new = self.changed = self.unchanged = self.rejected = 0
        self._row = 0
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.unlink(missing_ok=True)
        self._staging = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        # What is lost with the machine is read again: no journal, no waiting for the disk.
        for pragma in (
            "page_size=16384",
            "journal_mode=OFF",
            "synchronous=OFF",
            "locking_mode=EXCLUSIVE",
            f"cache_size=-{CACHE_KB}",
        ):
            self._staging.execute(f"PRAGMA {pragma}")
        for table in _TABLES:
            self._staging.execute(table)
        self._staging.execute("BEGIN")

    @property
    def offers(self) -> int:
        return self.new + self.changed + self.unchanged

    def add(self, offers: Sequence[Offer]) -> None:
        """The next offers of the feed, some hundreds; a second one with the same id is rejected."""
        known = self._known([offer.offer_id for offer in offers])
        taken = self._taken(offers, known)
        rows, pictures, seen = [], [], []
        for offer in offers:
            if offer.offer_id in taken:
                self.reject(Reject(offer.line, offer.offer_id, "another offer before it has this id"))
                continue
            taken.add(offer.offer_id)
            key, before, is_ours = known.get(offer.offer_id, (None, None, False))
            values = row_of(offer)
            if key is not None:
                seen.append((key,))
            if is_ours and before == values[1]:
                self.unchanged += 1
                continue
            self.new += before is None
            self.changed += before is not None
            self._row += 1
            rows.append((self._row, key, *values))
            pictures += [(self._row, position, url) for position, url in enumerate(offer.pictures)]
        self._staging.executemany(_STAGE, rows)
        self._staging.executemany("INSERT INTO staged_pictures VALUES(?, ?, ?)", pictures)
        self._staging.executemany("INSERT INTO seen VALUES(?)", seen)

    def reject(self, reject: Reject) -> None:
        if self.rejected < KEPT_REJECTS:
            self._staging.execute("INSERT INTO rejects VALUES(?, ?, ?)", (reject.line, reject.offer_id, reject.reason))
        self.rejected += 1

    def close(self) -> None:
        """The file is whole then, and `apply` can read it."""
        self._staging.execute("COMMIT")
        self._staging.close()

    def discard(self) -> None:
        self._staging.close()
        self.path.unlink(missing_ok=True)

    def _known(self, ids: list[str]) -> dict[str, _Known]:
        """Offers of the catalog by their ids."""
        question = (
            "SELECT offer_id, offer_key, CASE WHEN gone_at IS NULL THEN digest END, feed_id = ? FROM offers"  # noqa: S608
            f" WHERE shop = ? AND offer_id IN ({','.join('?' * len(ids))})"
        )
        rows = self._catalog.execute(question, [self._feed_id, self._shop, *ids])
        return {row[0]: (row[1], row[2], bool(row[3])) for row in rows}

    def _taken(self, offers: Sequence[Offer], known: dict[str, _Known]) -> set[str]:
        """Ids that the feed had before these offers."""
        fresh = [offer.offer_id for offer in offers if offer.offer_id not in known]
        staged = f"SELECT offer_id FROM staged WHERE offer_id IN ({','.join('?' * len(fresh))})"  # noqa: S608
        taken = {row[0] for row in self._staging.execute(staged, fresh)}
        if known:
            by_key = {key: offer_id for offer_id, (key, *_) in known.items()}
            seen = f"SELECT offer_key FROM seen WHERE offer_key IN ({','.join('?' * len(by_key))})"  # noqa: S608
            taken |= {by_key[row[0]] for row in self._staging.execute(seen, list(by_key))}
        return taken


def row_of(offer: Offer) -> tuple[Any, ...]:
    """Values in the order of `COLUMNS`. The digest leaves the line out: an offer above it changes nothing here."""
    old = offer.old_price.minor if offer.old_price else None
    category, params = LEVELS.join(offer.category), _pairs(offer.params)
    price, available = offer.price, int(offer.available)
    said = (
        f"{offer.name}\0{offer.brand}\0{offer.vendor_code}\0{offer.gtin}\0{offer.group_id}\0{category}\0{price.minor}\0"
        f"{old}\0{price.currency}\0{available}\0{offer.url}\0{params}\0{offer.description}\0"
        + "\0".join(offer.pictures)
    )
    return (
        offer.offer_id,
        blake2b(said.encode("utf-8", "surrogatepass"), digest_size=16).digest(),
        offer.name,
        offer.brand,
        offer.vendor_code,
        offer.gtin,
        offer.group_id,
        category,
        price.minor,
        old,
        price.currency,
        available,
        offer.url,
        params,
        offer.description,
        offer.line,
    )


def _pairs(pairs: tuple[tuple[str, str], ...]) -> str:
    """JSON of them; the library's own way over a list takes three times as long."""
    return f"[{','.join([f'[{encode_basestring(name)},{encode_basestring(value)}]' for name, value in pairs])}]"


def live_count(catalog: sqlite3.Connection, shop: str, feed_id: str) -> int:
    return int(catalog.execute(f"SELECT count(*) FROM offers WHERE {_LIVE}", (shop, feed_id)).fetchone()[0])  # noqa: S608


def gone_count(catalog: sqlite3.Connection, shop: str, feed_id: str) -> int:
    """Live offers of the feed that a staging attached as `staging` has not seen."""
    return int(catalog.execute(f"SELECT count(*) FROM offers WHERE {_GONE}", (shop, feed_id)).fetchone()[0])  # noqa: S608


def apply(catalog: sqlite3.Connection, *, shop: str, feed_id: str, now: float, is_full: bool) -> int:
    """Make the staging attached as `staging` true, within the caller's transaction; how many offers are gone then."""
    catalog.execute(_NOT_THERE_ANY_MORE)
    gone = retire(catalog, shop, feed_id, now, unseen_only=True) if is_full else 0
    first_key = catalog.execute("SELECT coalesce(max(offer_key), 0) FROM offers").fetchone()[0]
    _write_offers(catalog, shop, feed_id, now, first_key)
    _write_pictures(catalog, first_key)
    if catalog.execute("SELECT 1 FROM staging.staged LIMIT 1").fetchone():
        note_change(catalog)
    return gone


def look_again(catalog: sqlite3.Connection, shop: str) -> None:
    """For a staging that has waited: the catalog may have got, or lost, what it calls new or changed."""
    catalog.execute(
        "UPDATE staging.staged SET offer_key ="
        " (SELECT offer_key FROM offers WHERE shop = ? AND offers.offer_id = staged.offer_id)",
        (shop,),
    )
    catalog.execute(f"INSERT OR IGNORE INTO staging.seen {_STAGED_KEYS}")


def retire(catalog: sqlite3.Connection, shop: str, feed_id: str, now: float, *, unseen_only: bool = False) -> int:
    """The feed's live offers, all or those that the staging has not seen, are gone; how many."""
    where = _GONE if unseen_only else _LIVE
    catalog.execute(_forget_words(where), (shop, feed_id))
    gone = catalog.execute(f"UPDATE offers SET gone_at = ? WHERE {where}", (now, shop, feed_id)).rowcount  # noqa: S608
    if gone:
        note_change(catalog)
    return gone


_LIVE = "shop = ? AND feed_id = ? AND gone_at IS NULL"
"""The shop leads to an index: without it every feed would look through the offers of all shops."""

_GONE = f"{_LIVE} AND offer_key NOT IN (SELECT offer_key FROM staging.seen)"  # noqa: S608
_NOT_THERE_ANY_MORE = (
    "UPDATE staging.staged SET offer_key = NULL WHERE offer_key IS NOT NULL"
    " AND NOT EXISTS (SELECT 1 FROM offers WHERE offers.offer_key = staged.offer_key)"
)
"""Offers that were gone when they were staged, and were forgotten meanwhile, are new."""

_STAGED_KEYS = "SELECT offer_key FROM staging.staged WHERE offer_key IS NOT NULL"


def _forget_words(where: str) -> str:
    """An index over another table must be told what it holds before that changes."""
    return (
        f"INSERT INTO offer_words(offer_words, rowid, {_WORDS})"  # noqa: S608 - no word of it comes from outside
        f" SELECT 'delete', offer_key, {_WORDS} FROM offers WHERE {where}"
    )


def _write_offers(catalog: sqlite3.Connection, shop: str, feed_id: str, now: float, first_key: int) -> None:
    catalog.execute(_forget_words(f"gone_at IS NULL AND offer_key IN ({_STAGED_KEYS})"))
    changed = ", ".join(f"{name} = new.{name}" for name in COLUMNS)
    catalog.execute(
        f"UPDATE offers SET {changed}, feed_id = ?, gone_at = NULL, changed_at = ?"  # noqa: S608
        " FROM staging.staged AS new WHERE offers.offer_key = new.offer_key",
        (feed_id, now),
    )
    catalog.execute(
        f"INSERT INTO offers(offer_key, shop, feed_id, changed_at, {_LIST}) SELECT ? + row, ?, ?, ?, {_LIST}"  # noqa: S608
        " FROM staging.staged WHERE offer_key IS NULL ORDER BY row",
        (first_key, shop, feed_id, now),
    )
    catalog.execute(
        f"INSERT INTO offer_words(rowid, {_WORDS}) SELECT coalesce(offer_key, ? + row), {_WORDS}"  # noqa: S608
        " FROM staging.staged",
        (first_key,),
    )


def _write_pictures(catalog: sqlite3.Connection, first_key: int) -> None:
    catalog.execute("INSERT OR IGNORE INTO pictures(url) SELECT url FROM staging.staged_pictures")
    catalog.execute(f"DELETE FROM offer_pictures WHERE offer_key IN ({_STAGED_KEYS})")  # noqa: S608
    catalog.execute(
        "INSERT INTO offer_pictures SELECT coalesce(staged.offer_key, ? + staged.row), position, picture_key"
        " FROM staging.staged_pictures JOIN staging.staged USING(row) JOIN pictures USING(url)",
        (first_key,),
    )
