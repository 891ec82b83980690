"""How many offers and pictures shops and feeds have: what pages show of a feed is written down when it changes."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from vitrina.lens import store


@dataclass(frozen=True, slots=True)
class ShopCount:
    """offers: live ones. pictures: addresses that belong to live offers, by their state."""

    offers: int
    gone: int
    pictures: dict[str, int]


@dataclass(frozen=True, slots=True)
class FeedHealth:
    """last: the newest import's row, None before the first. last_good_at: when a feed was imported whole, or found
    unchanged, last. pictures: addresses that belong to its live offers, by their state. Offers and pictures are as the
    last import, or the last pictures that were fetched, left them.
    """

    offers: int
    gone: int
    pictures: dict[str, int]
    last: sqlite3.Row | None
    last_good_at: float | None


def by_shop(connection: sqlite3.Connection) -> dict[str, ShopCount]:
    """By shop: live and gone offers, and the pictures of live ones by state."""
    pictures: dict[str, dict[str, int]] = {}
    states = connection.execute(
        "SELECT shop, state, count(DISTINCT picture_key) FROM offers JOIN offer_pictures USING(offer_key)"
        " JOIN pictures USING(picture_key) WHERE gone_at IS NULL GROUP BY shop, state"
    )
    for shop, state, count in states:
        pictures.setdefault(shop, {})[state] = count
    rows = connection.execute("SELECT shop, sum(gone_at IS NULL), sum(gone_at IS NOT NULL) FROM offers GROUP BY shop")
    return {shop: ShopCount(live, gone, pictures.get(shop, {})) for shop, live, gone in rows}


def feed_health(connection: sqlite3.Connection, feed_ids: Iterable[str]) -> dict[str, FeedHealth]:
    """By feed, of those feeds that were ever imported. Costs the same however many offers they have."""
    found = {}
    for feed_id in feed_ids:
        count = connection.execute("SELECT * FROM feed_counts WHERE feed_id = ?", (feed_id,)).fetchone()
        last = store.imports(connection, feed_id=feed_id, limit=1)
        if count is None and not last:
            continue
        good = connection.execute(
            "SELECT ended_at FROM imports WHERE feed_id = ? AND state IN ('done', 'unchanged')"
            " ORDER BY started_at DESC LIMIT 1",
            (feed_id,),
        ).fetchone()
        found[feed_id] = FeedHealth(
            offers=count["offers"] if count else 0,
            gone=count["gone"] if count else 0,
            pictures=json.loads(count["pictures"]) if count else {},
            last=last[0] if last else None,
            last_good_at=good["ended_at"] if good else None,
        )
    return found


def count_feeds(connection: sqlite3.Connection, shop: str) -> None:
    """Write down, within the caller's transaction, what `feed_health` tells of the shop's offers and pictures."""
    pictures: dict[str, dict[str, int]] = {}
    states = connection.execute(
        "SELECT feed_id, state, count(DISTINCT picture_key) FROM offers JOIN offer_pictures USING(offer_key)"
        " JOIN pictures USING(picture_key) WHERE shop = ? AND gone_at IS NULL GROUP BY feed_id, state",
        (shop,),
    )
    for feed_id, state, count in states:
        pictures.setdefault(feed_id, {})[state] = count
    totals = connection.execute(
        "SELECT feed_id, sum(gone_at IS NULL), sum(gone_at IS NOT NULL) FROM offers WHERE shop = ? GROUP BY feed_id",
        (shop,),
    ).fetchall()
    connection.execute("DELETE FROM feed_counts WHERE shop = ?", (shop,))
    connection.executemany(
        "INSERT OR REPLACE INTO feed_counts VALUES(?, ?, ?, ?, ?)",
        [(feed_id, shop, live, gone, json.dumps(pictures.get(feed_id, {}))) for feed_id, live, gone in totals],
    )


def count_all_feeds(connection: sqlite3.Connection) -> None:
    """A shop at a time, so that an import of another one need not wait for all of them."""
    for row in connection.execute("SELECT DISTINCT shop FROM offers").fetchall():
        with store.writing(connection):
            count_feeds(connection, row["shop"])
    with store.writing(connection):
        connection.execute("INSERT OR REPLACE INTO kept VALUES('feeds counted', '')")


def count_feeds_that_show(connection: sqlite3.Connection, picture_keys: Sequence[int]) -> None:
    """Of the shops with these pictures, a shop at a time."""
    shops: set[str] = set()
    for some in store.portions(list(picture_keys)):
        question = (
            "SELECT DISTINCT shop FROM offer_pictures JOIN offers USING(offer_key)"  # noqa: S608
            f" WHERE picture_key IN ({store.marks(some)})"
        )
        shops |= {row["shop"] for row in connection.execute(question, some)}
    for shop in sorted(shops):
        with store.writing(connection):
            count_feeds(connection, shop)


def are_feeds_counted(connection: sqlite3.Connection) -> bool:
    """Not in a catalog of a version that did not count them."""
    return connection.execute("SELECT 1 FROM kept WHERE name = 'feeds counted'").fetchone() is not None
