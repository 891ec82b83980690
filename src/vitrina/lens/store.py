"""The catalog: what the feeds say and which pictures belong to it, in one SQLite file that an import can make anew.

It mirrors the feeds. A file of an older version is brought up to date in place where `CHANGES` says how; any other one
is left as it is, and the error says what to do: nobody's catalog is emptied because a newer program opened it.
Live offers are those with `gone_at IS NULL`.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Iterable, Iterator, Sized
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from vitrina.errors import StorageError
from vitrina.lens.offer import Offer
from vitrina.product import Money

VERSION = 7
LEVELS = " › "
"""Between the levels of a category."""

BUSY_S = 120.0
"""An import of a million offers holds the lock for about half a minute."""

PAGE_BYTES = 16_384
"""A twentieth faster to import into than with SQLite's own 4,096: an offer is about a thousand."""

LARGEST_WAL = 64 << 20
"""What the log of a large import leaves on the disk."""

AT_ONCE = 500
"""Values in one question; SQLite takes 999 in its oldest builds."""

_T = TypeVar("_T")

_TABLES = """
CREATE TABLE offers(
    offer_key INTEGER PRIMARY KEY, shop TEXT NOT NULL, offer_id TEXT NOT NULL, digest BLOB NOT NULL,
    name TEXT NOT NULL, brand TEXT NOT NULL, vendor_code TEXT NOT NULL, gtin TEXT NOT NULL, group_id TEXT NOT NULL,
    category TEXT NOT NULL, price_minor INTEGER NOT NULL, old_price_minor INTEGER, currency TEXT NOT NULL,
    available INTEGER NOT NULL, url TEXT NOT NULL, params TEXT NOT NULL, description TEXT NOT NULL,
    line INTEGER NOT NULL, feed_id TEXT NOT NULL, gone_at REAL, changed_at REAL NOT NULL,
    UNIQUE(shop, offer_id));
CREATE INDEX offers_gtin ON offers(gtin) WHERE gtin <> '';
CREATE INDEX offers_vendor_code ON offers(vendor_code) WHERE vendor_code <> '';
CREATE INDEX offers_gone ON offers(gone_at) WHERE gone_at IS NOT NULL;
CREATE TABLE pictures(
    picture_key INTEGER PRIMARY KEY, url TEXT NOT NULL UNIQUE, state TEXT NOT NULL DEFAULT 'new', sha256 TEXT,
    etag TEXT NOT NULL DEFAULT '', last_modified TEXT NOT NULL DEFAULT '', reason TEXT NOT NULL DEFAULT '',
    tries INTEGER NOT NULL DEFAULT 0, retry_at REAL, fetched_at REAL, width INTEGER, height INTEGER);
CREATE INDEX pictures_sha256 ON pictures(sha256) WHERE sha256 IS NOT NULL;
CREATE INDEX pictures_state ON pictures(state, retry_at) WHERE state <> 'ok';
CREATE TABLE offer_pictures(
    offer_key INTEGER NOT NULL, position INTEGER NOT NULL, picture_key INTEGER NOT NULL,
    PRIMARY KEY(offer_key, position)) WITHOUT ROWID;
CREATE INDEX offer_pictures_picture ON offer_pictures(picture_key);
CREATE VIRTUAL TABLE offer_words USING fts5(
    name, brand, category, params, content='offers', content_rowid='offer_key',
    tokenize="unicode61 remove_diacritics 2");
CREATE TABLE imports(
    import_id TEXT PRIMARY KEY, feed_id TEXT NOT NULL, shop TEXT NOT NULL, started_at REAL NOT NULL, ended_at REAL,
    mode TEXT NOT NULL, state TEXT NOT NULL, reason TEXT NOT NULL DEFAULT '',
    offers INTEGER NOT NULL DEFAULT 0, new INTEGER NOT NULL DEFAULT 0, changed INTEGER NOT NULL DEFAULT 0,
    gone INTEGER NOT NULL DEFAULT 0, unchanged INTEGER NOT NULL DEFAULT 0, rejected INTEGER NOT NULL DEFAULT 0);
CREATE INDEX imports_feed ON imports(feed_id, started_at);
CREATE INDEX imports_shop ON imports(shop, started_at);
CREATE TABLE rejects(import_id TEXT NOT NULL, line INTEGER NOT NULL, offer_id TEXT NOT NULL, reason TEXT NOT NULL);
CREATE INDEX rejects_import ON rejects(import_id);
CREATE TABLE notes(
    import_id TEXT NOT NULL, position INTEGER NOT NULL, note TEXT NOT NULL,
    PRIMARY KEY(import_id, position)) WITHOUT ROWID;
CREATE TABLE products(offer_key INTEGER PRIMARY KEY, product_id TEXT NOT NULL, reason TEXT NOT NULL);
CREATE INDEX products_id ON products(product_id);
CREATE INDEX products_merged ON products(product_id) WHERE reason <> '' AND reason <> 'variants of one shop';
CREATE TABLE feed_counts(
    feed_id TEXT PRIMARY KEY, shop TEXT NOT NULL, offers INTEGER NOT NULL, gone INTEGER NOT NULL,
    pictures TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE picture_pairs(sha256 TEXT NOT NULL, other TEXT NOT NULL, UNIQUE(sha256, other));
CREATE INDEX picture_pairs_other ON picture_pairs(other);
CREATE TABLE compared(sha256 TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE kept(name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE index_state(
    model TEXT NOT NULL, entry_id TEXT NOT NULL, digest BLOB NOT NULL, PRIMARY KEY(model, entry_id)) WITHOUT ROWID;
"""


CHANGES: dict[int, str] = {
    2: """
CREATE TABLE picture_pairs(sha256 TEXT NOT NULL, other TEXT NOT NULL, UNIQUE(sha256, other));
CREATE TABLE compared(sha256 TEXT PRIMARY KEY) WITHOUT ROWID;
""",
    3: """
CREATE TABLE notes(
    import_id TEXT NOT NULL, position INTEGER NOT NULL, note TEXT NOT NULL,
    PRIMARY KEY(import_id, position)) WITHOUT ROWID;
""",
    4: """
CREATE INDEX imports_shop ON imports(shop, started_at);
""",
    5: """
CREATE INDEX offers_gone ON offers(gone_at) WHERE gone_at IS NOT NULL;
CREATE INDEX picture_pairs_other ON picture_pairs(other);
""",
    6: """
CREATE INDEX products_merged ON products(product_id) WHERE reason <> '' AND reason <> 'variants of one shop';
CREATE TABLE feed_counts(
    feed_id TEXT PRIMARY KEY, shop TEXT NOT NULL, offers INTEGER NOT NULL, gone INTEGER NOT NULL,
    pictures TEXT NOT NULL) WITHOUT ROWID;
""",
}
"""What makes a file of this version one of the next; beside each new VERSION there is a line here."""


@dataclass(frozen=True, slots=True)
class PicturedOffer:
    """A live offer by one of its pictures. sha256: of the picture's original bytes."""

    sha256: str
    offer_key: int
    offer: Offer


def open_catalog(path: Path) -> sqlite3.Connection:
    """The catalog, made when it is not there. Close it; one connection is for one thread at a time.

    A statement that writes begins a transaction which has the write lock at once; `with connection:` commits it.
    """
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    connection = sqlite3.connect(path, timeout=BUSY_S, isolation_level="IMMEDIATE", check_same_thread=False)
    try:
        connection.row_factory = sqlite3.Row
        connection.execute(f"PRAGMA page_size={PAGE_BYTES}")  # of a file that is still empty
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=NORMAL")
        connection.execute(f"PRAGMA journal_size_limit={LARGEST_WAL}")
        if _version(connection) != VERSION:
            _bring_up_to_date(connection, path)
    except StorageError:
        connection.close()
        raise
    except sqlite3.Error as error:
        connection.close()
        raise StorageError(f"{path}: cannot be opened as the catalog: {error}. Remove it and import again.") from error
    return connection


@contextlib.contextmanager
def writing(connection: sqlite3.Connection) -> Iterator[None]:
    """One transaction with the write lock: all of it, or nothing when the block raises or the process dies."""
    try:
        connection.execute("BEGIN IMMEDIATE")
    except sqlite3.OperationalError as error:
        raise StorageError(f"the catalog is being written by somebody else for {BUSY_S:g} s: {error}") from error
    try:
        yield
    except BaseException:
        connection.rollback()
        raise
    connection.commit()


def note_change(connection: sqlite3.Connection) -> None:
    """Offers, pictures or pairs changed within the caller's transaction. A clock would not tell: imports overlap."""
    connection.execute(
        "INSERT INTO kept VALUES('changes', '1')"
        " ON CONFLICT(name) DO UPDATE SET value = CAST(CAST(value AS INTEGER) + 1 AS TEXT)"
    )


def changes(connection: sqlite3.Connection) -> int:
    """How often something changed: as long as it stays, so does all that is made of offers and pictures."""
    row = connection.execute("SELECT value FROM kept WHERE name = 'changes'").fetchone()
    return int(row[0]) if row else 0


def offer_of(row: sqlite3.Row, pictures: Iterable[str] = ()) -> Offer:
    """row: of `offers`, with every column. pictures: their addresses, which stand in another table."""
    currency, old = row["currency"], row["old_price_minor"]
    return Offer(
        shop=row["shop"],
        offer_id=row["offer_id"],
        name=row["name"],
        url=row["url"],
        price=Money(row["price_minor"], currency),
        old_price=None if old is None else Money(old, currency),
        available=bool(row["available"]),
        group_id=row["group_id"],
        brand=row["brand"],
        vendor_code=row["vendor_code"],
        gtin=row["gtin"],
        category=category_of(row["category"]),
        pictures=tuple(pictures),
        params=tuple((name, value) for name, value in json.loads(row["params"])),
        description=row["description"],
        line=row["line"],
    )


def category_of(text: str) -> tuple[str, ...]:
    return tuple(text.split(LEVELS)) if text else ()


def offer(connection: sqlite3.Connection, shop: str, offer_id: str, *, gone_too: bool = False) -> Offer | None:
    """A live offer with its pictures' addresses; with `gone_too` also one that its shop no longer has."""
    row = connection.execute("SELECT * FROM offers WHERE shop = ? AND offer_id = ?", (shop, offer_id)).fetchone()
    if row is None or not (gone_too or row["gone_at"] is None):
        return None
    return offer_of(row, picture_urls(connection, row["offer_key"]))


def picture_urls(connection: sqlite3.Connection, offer_key: int) -> list[str]:
    """In the feed's order."""
    found = connection.execute(
        "SELECT url FROM offer_pictures JOIN pictures USING(picture_key) WHERE offer_key = ? ORDER BY position",
        (offer_key,),
    )
    return [row[0] for row in found]


def offers_by_key(connection: sqlite3.Connection, offer_keys: Iterable[int]) -> dict[int, Offer]:
    """Live offers, without their pictures."""
    found = {}
    for some in portions(list(offer_keys)):
        question = f"SELECT * FROM offers WHERE gone_at IS NULL AND offer_key IN ({marks(some)})"  # noqa: S608
        found.update({row["offer_key"]: offer_of(row) for row in connection.execute(question, some)})
    return found


def offers_with_pictures(connection: sqlite3.Connection, shas: Iterable[str]) -> list[PicturedOffer]:
    """Live offers that show one of these pictures, each once for each of the pictures; without their addresses."""
    found = []
    for some in portions(list(dict.fromkeys(shas))):
        question = (
            "SELECT DISTINCT pictures.sha256 AS picture_sha256, offers.* FROM pictures"  # noqa: S608
            " JOIN offer_pictures USING(picture_key) JOIN offers USING(offer_key)"
            f" WHERE pictures.sha256 IN ({marks(some)}) AND offers.gone_at IS NULL"
        )
        found += [
            PicturedOffer(row["picture_sha256"], row["offer_key"], offer_of(row))
            for row in connection.execute(question, some)
        ]
    return found


def is_live_picture(connection: sqlite3.Connection, sha256: str) -> bool:
    """Whether a live offer shows the picture: only then may anybody see it."""
    question = (
        "SELECT 1 FROM pictures JOIN offer_pictures USING(picture_key) JOIN offers USING(offer_key)"
        " WHERE pictures.sha256 = ? AND offers.gone_at IS NULL LIMIT 1"
    )
    return connection.execute(question, (sha256,)).fetchone() is not None


def live_count(connection: sqlite3.Connection, *, shop: str | None = None) -> int:
    where, values = ("", ()) if shop is None else (" AND shop = ?", (shop,))
    question = f"SELECT count(*) FROM offers WHERE gone_at IS NULL{where}"  # noqa: S608 - no word of it comes from outside
    return int(connection.execute(question, values).fetchone()[0])


def failed_pictures(connection: sqlite3.Connection, *, feed_id: str, limit: int = 100) -> list[sqlite3.Row]:
    """url, reason, tries, retry_at of the live offers' pictures that could not be fetched, the latest first."""
    return connection.execute(
        "SELECT pictures.url, reason, tries, retry_at FROM pictures"
        " WHERE state <> 'ok' AND state IN ('retry', 'failed')"  # the first of them leads to the index
        " AND EXISTS (SELECT 1 FROM offer_pictures JOIN offers USING(offer_key)"
        "  WHERE offer_pictures.picture_key = pictures.picture_key AND feed_id = ? AND gone_at IS NULL)"
        " ORDER BY fetched_at DESC, picture_key LIMIT ?",
        (feed_id, limit),
    ).fetchall()


def merged_offers(connection: sqlite3.Connection, text: str, *, limit: int, skip: int = 0) -> list[sqlite3.Row]:
    """Live offers of so many products that several shops have, and that have the text in a name; product by product."""
    like = "%" + text.strip().replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"
    return connection.execute(
        "SELECT product_id, reason, shop, offer_id, name, brand, vendor_code, gtin, price_minor, currency,"
        " (SELECT sha256 FROM offer_pictures JOIN pictures USING(picture_key)"
        "  WHERE offer_pictures.offer_key = offers.offer_key AND sha256 IS NOT NULL ORDER BY position LIMIT 1)"
        "  AS picture"
        " FROM products JOIN offers USING(offer_key) WHERE gone_at IS NULL AND product_id IN ("
        "  SELECT product_id FROM products INDEXED BY products_merged CROSS JOIN offers USING(offer_key)"
        "  WHERE reason <> '' AND reason <> 'variants of one shop' AND gone_at IS NULL"
        "  GROUP BY product_id HAVING min(shop) <> max(shop) AND max(name LIKE ? ESCAPE '\\')"
        "  ORDER BY product_id LIMIT ? OFFSET ?"
        " ) ORDER BY product_id, shop, offer_id",
        (like, limit, skip),
    ).fetchall()


def imports(
    connection: sqlite3.Connection, *, feed_id: str | None = None, shop: str | None = None, limit: int = 50
) -> list[sqlite3.Row]:
    """The newest first, of one feed, of one shop, or of all."""
    given = {"feed_id": feed_id, "shop": shop}
    values = {name: value for name, value in given.items() if value is not None}
    where = " AND ".join(f"{name} = ?" for name in values) or "true"  # no more: coalesce(?, name) leads to no index
    return connection.execute(
        f"SELECT * FROM imports WHERE {where} ORDER BY started_at DESC, import_id DESC LIMIT ?",  # noqa: S608
        (*values.values(), limit),
    ).fetchall()


def rejects(connection: sqlite3.Connection, import_id: str, *, limit: int = 1000) -> list[sqlite3.Row]:
    """What an import left out, by line."""
    question = "SELECT line, offer_id, reason FROM rejects WHERE import_id = ? ORDER BY line, rowid LIMIT ?"
    return connection.execute(question, (import_id, limit)).fetchall()


def notes(connection: sqlite3.Connection, import_id: str) -> list[str]:
    """What an import mended, with the line of the first time."""
    question = "SELECT note FROM notes WHERE import_id = ? ORDER BY position"
    return [row[0] for row in connection.execute(question, (import_id,))]


def moment(t: float) -> str:
    """UTC, to the second, as people read it."""
    return datetime.fromtimestamp(t, UTC).strftime("%Y-%m-%d %H:%M:%S")


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def _bring_up_to_date(connection: sqlite3.Connection, path: Path) -> None:
    """Every table in a new file, what has changed in an older one. Several processes may be here at once."""
    with writing(connection):
        there = _version(connection)
        if not there and not connection.execute("SELECT 1 FROM sqlite_schema LIMIT 1").fetchone():
            steps = [_TABLES]
        elif all(version in CHANGES for version in range(there, VERSION)) and there <= VERSION:
            steps = [CHANGES[version] for version in range(there, VERSION)]
        else:
            raise StorageError(
                f"{path}: this catalog has version {there}, and this Vitrina reads version {VERSION}; nothing was "
                "changed. Use the Vitrina that wrote it; or move the file away and bring the feeds in again: "
                "vitrina lens import, then vitrina lens sync, which computes no vector twice."
            )
        for statement in ";\n".join(steps).split(";\n"):
            connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {VERSION}")


def portions(values: list[_T]) -> Iterator[list[_T]]:
    for first in range(0, len(values), AT_ONCE):
        yield values[first : first + AT_ONCE]


def marks(values: Sized) -> str:
    """A question mark for each value, for SQL's `IN`."""
    return ",".join("?" * len(values))
