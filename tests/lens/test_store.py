from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from vitrina.errors import StorageError
from vitrina.lens import census, store
from vitrina.lens.product import GROUP
from vitrina.product import Money


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    with closing(store.open_catalog(tmp_path / "lens" / "catalog.db")) as connection:
        yield connection


def put(catalog: sqlite3.Connection, key: int, *, shop: str = "a", gone_at: float | None = None, sha: str = "") -> None:
    catalog.execute(
        "INSERT INTO offers VALUES(?, ?, ?, x'00', 'Red shoe', 'Adi', 'V1', '', '', 'Shoes › Sneakers', 4990, 5990,"
        " 'EUR', 1, 'https://a.example/1', '[[\"size\", \"42\"]]', '', 7, 'f', ?, 1.0)",
        (key, shop, f"id-{key}", gone_at),
    )
    if sha:
        catalog.execute("INSERT OR IGNORE INTO pictures(url, state, sha256) VALUES(?, 'ok', ?)", (f"p:{sha}", sha))
        catalog.execute(
            "INSERT INTO offer_pictures SELECT ?, 0, picture_key FROM pictures WHERE sha256 = ?", (key, sha)
        )
    catalog.commit()


def test_an_offer_comes_back_as_it_was_stored(catalog: sqlite3.Connection) -> None:
    put(catalog, 1, sha="ab")

    found = store.offer(catalog, "a", "id-1")

    assert found is not None
    assert (found.name, found.price, found.old_price) == ("Red shoe", Money(4990, "EUR"), Money(5990, "EUR"))
    assert (found.category, found.params) == (("Shoes", "Sneakers"), (("size", "42"),))
    assert (found.pictures, found.line, found.available) == (("p:ab",), 7, True)


def test_an_offer_that_its_shop_no_longer_has_is_not_live(catalog: sqlite3.Connection) -> None:
    put(catalog, 1, gone_at=5.0, sha="ab")

    assert store.offer(catalog, "a", "id-1") is None
    assert store.offer(catalog, "a", "id-1", gone_too=True) is not None
    assert store.offers_by_key(catalog, [1]) == {}
    assert store.offers_with_pictures(catalog, ["ab"]) == []
    assert not store.is_live_picture(catalog, "ab")
    assert store.live_count(catalog) == 0


def test_every_live_offer_of_a_picture_is_found(catalog: sqlite3.Connection) -> None:
    for key, sha in ((1, "ab"), (2, "ab"), (3, "cd")):
        put(catalog, key, sha=sha)

    found = store.offers_with_pictures(catalog, ["ab", "ab", "ef"])

    assert [(one.sha256, one.offer.offer_id) for one in found] == [("ab", "id-1"), ("ab", "id-2")]
    assert store.is_live_picture(catalog, "ab")


def test_counts_are_by_shop(catalog: sqlite3.Connection) -> None:
    put(catalog, 1, sha="ab")
    put(catalog, 2, gone_at=2.0)
    put(catalog, 3, shop="b")

    assert census.by_shop(catalog) == {"a": census.ShopCount(1, 1, {"ok": 1}), "b": census.ShopCount(1, 0, {})}
    assert (store.live_count(catalog), store.live_count(catalog, shop="b")) == (2, 1)


def test_a_feeds_health_is_its_offers_pictures_and_last_imports(catalog: sqlite3.Connection) -> None:
    put(catalog, 1, sha="ab")
    put(catalog, 2, gone_at=2.0)
    catalog.execute("UPDATE pictures SET state = 'failed', reason = 'HTML with a 200', tries = 3")
    for number, state in ((1, "done"), (2, "unchanged"), (3, "failed")):
        catalog.execute(
            "INSERT INTO imports(import_id, feed_id, shop, started_at, ended_at, mode, state)"
            " VALUES(?, 'f', 'a', ?, ?, 'full', ?)",
            (f"i{number}", number, number + 0.5, state),
        )
    catalog.commit()
    census.count_all_feeds(catalog)

    health = census.feed_health(catalog, ["f"])["f"]

    assert (health.offers, health.gone, health.pictures, health.last_good_at) == (1, 1, {"failed": 1}, 2.5)
    assert health.last is not None
    assert health.last["import_id"] == "i3"
    [picture] = store.failed_pictures(catalog, feed_id="f")
    assert tuple(picture)[:3] == ("p:ab", "HTML with a 200", 3)
    assert [row["import_id"] for row in store.imports(catalog, feed_id="f", limit=2)] == ["i3", "i2"]
    assert census.feed_health(catalog, ["g"]) == {}


def test_offers_that_several_shops_have_are_found_product_by_product(catalog: sqlite3.Connection) -> None:
    for key, shop in enumerate("ababaab", start=1):
        put(catalog, key, shop=shop, gone_at=5.0 if key == 4 else None)
    products = [
        (1, "p1", "same GTIN"), (2, "p1", "same GTIN"), (3, "p2", "same GTIN"), (4, "p2", "same GTIN"),
        (5, "p3", GROUP), (6, "p3", GROUP), (7, "p4", ""),
    ]  # fmt: skip
    catalog.executemany("INSERT INTO products VALUES(?, ?, ?)", products)
    catalog.commit()

    def found(text: str, **page: int) -> list[str]:
        return [row["offer_id"] for row in store.merged_offers(catalog, text, **{"limit": 9, **page})]

    assert found("") == ["id-1", "id-2"]  # one of p2 is gone, those of p3 are of one shop
    assert (found("d SHO"), found("d%o"), found("", skip=1), found("", limit=0)) == (["id-1", "id-2"], [], [], [])
    assert f"reason <> '{GROUP}'" in store.CHANGES[6]


@pytest.mark.parametrize(
    ("ask", "index"),
    [
        (lambda catalog: store.failed_pictures(catalog, feed_id="f"), "USING INDEX pictures_state"),
        (lambda catalog: census.feed_health(catalog, ["f"]), "imports_feed"),
        (lambda catalog: census.count_feeds(catalog, "a"), "sqlite_autoindex_offers_1 (shop=?)"),
    ],
    ids=["failed pictures", "health", "counts"],
)
def test_what_one_feed_is_asked_for_takes_no_look_at_all_offers_or_pictures(
    catalog: sqlite3.Connection, ask: Callable[[sqlite3.Connection], object], index: str
) -> None:
    asked = questions(catalog)

    ask(catalog)

    plans = [plan_of(catalog, one) for one in asked if one.startswith("SELECT")]
    assert index in "\n".join(plans)
    assert not [plan for plan in plans if "SCAN" in plan]


def test_merged_products_are_paged_through_in_the_order_of_their_index(catalog: sqlite3.Connection) -> None:
    asked = questions(catalog)

    store.merged_offers(catalog, "shoe", limit=30)

    inner = plan_of(catalog, asked[0]).partition("LIST SUBQUERY")[2]
    assert "SCAN products USING INDEX products_merged" in inner
    assert "GROUP BY" not in inner  # nothing is sorted, so that a page ends where it is full


@pytest.mark.parametrize(
    ("given", "index"), [({"feed_id": "f"}, "imports_feed"), ({"shop": "a"}, "imports_shop")], ids=["feed", "shop"]
)
def test_the_imports_of_one_are_found_without_looking_through_those_of_all(
    catalog: sqlite3.Connection, given: dict[str, str], index: str
) -> None:
    asked = questions(catalog)

    store.imports(catalog, **given)  # type: ignore[arg-type]

    [(question, plan)] = [(one, plan_of(catalog, one)) for one in asked]
    assert index in plan, question
    assert "SCAN" not in plan, question


def questions(catalog: sqlite3.Connection) -> list[str]:
    """What the catalog is asked from now on, with the values in it."""
    asked: list[str] = []
    catalog.set_trace_callback(asked.append)
    return asked


def plan_of(catalog: sqlite3.Connection, question: str) -> str:
    catalog.set_trace_callback(None)
    return "\n".join(row["detail"] for row in catalog.execute(f"EXPLAIN QUERY PLAN {question}"))


def test_a_block_that_raises_changes_nothing(catalog: sqlite3.Connection) -> None:
    def interrupted() -> None:
        with store.writing(catalog):
            catalog.execute("INSERT INTO pictures(url) VALUES('x')")
            raise KeyError

    with pytest.raises(KeyError):
        interrupted()

    assert catalog.execute("SELECT count(*) FROM pictures").fetchone()[0] == 0


@pytest.mark.parametrize("version", [1, store.VERSION + 1])
def test_a_catalog_of_a_version_that_is_not_known_stays_as_it_is(tmp_path: Path, version: int) -> None:
    path = tmp_path / "catalog.db"
    with closing(store.open_catalog(path)) as catalog, catalog:
        put(catalog, 1)
        catalog.execute(f"PRAGMA user_version = {version}")

    with pytest.raises(StorageError, match=f"has version {version}, .* nothing was changed.* vitrina lens import"):
        store.open_catalog(path)

    with closing(sqlite3.connect(path)) as there:
        assert there.execute("SELECT count(*) FROM offers").fetchone()[0] == 1


@pytest.mark.parametrize("version", store.CHANGES)
def test_an_older_catalog_is_brought_up_to_date_with_all_that_it_holds(tmp_path: Path, version: int) -> None:
    path, new = tmp_path / "old.db", tmp_path / "new.db"
    with closing(store.open_catalog(path)) as catalog, catalog:
        put(catalog, 1)
        for later in reversed(range(version, store.VERSION)):
            for kind, name in reversed(re.findall(r"CREATE (TABLE|INDEX) (\w+)", store.CHANGES[later])):
                catalog.execute(f"DROP {kind} {name}")
        catalog.execute(f"PRAGMA user_version = {version}")

    with closing(store.open_catalog(path)) as catalog, closing(store.open_catalog(new)) as fresh:
        assert store.live_count(catalog) == 1
        assert schema(catalog) == schema(fresh)
    with closing(store.open_catalog(path)) as catalog:
        assert store.live_count(catalog) == 1


def schema(catalog: sqlite3.Connection) -> set[tuple[object, ...]]:
    return set(map(tuple, catalog.execute("SELECT name, sql FROM sqlite_schema WHERE name NOT LIKE 'sqlite%'")))


def test_a_file_that_is_no_catalog_is_said(tmp_path: Path) -> None:
    path = tmp_path / "catalog.db"
    path.write_text("no database at all " * 100)

    with pytest.raises(StorageError, match=r"catalog\.db"):
        store.open_catalog(path)
