from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable
from contextlib import closing, contextmanager
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO

import pytest

from vitrina.errors import ConflictError, NotFoundError
from vitrina.lens import census, importing, store
from vitrina.lens.importing import Imported, import_feed
from vitrina.lens.reader import Order, Part, file_address
from vitrina.storage.spool import lock_alone

ORDER = Order("best", "feed-1", currency="EUR")


def offer(number: int, *, price: str = "10", name: str = "Red shoe", picture: str = "https://a.example/1.jpg") -> str:
    return (
        f'<offer id="{number}" available="true"><url>https://a.example/{number}</url><price>{price}</price>'
        f"<picture>{picture}</picture><name>{name} {number}</name></offer>\n"
    )


def yml(*offers: str) -> bytes:
    return f"<yml_catalog><shop><offers>\n{''.join(offers)}</offers></shop></yml_catalog>".encode()


def part(content: bytes, name: str = "feed.xml", folder: Path | None = None) -> Part:
    return Part(name, lambda: BytesIO(content), len(content), folder)


Import = Callable[..., Imported]


@pytest.fixture
def put(tmp_path: Path) -> Import:
    """put(feed): the feed's bytes imported as the shop's only feed."""

    def run(*contents: bytes, order: Order = ORDER, now: float = 100.0, folder: Path | None = None) -> Imported:
        return import_feed(tmp_path, order, [part(one, folder=folder) for one in contents], now=now)

    return run


def ask(folder: Path, question: str) -> list[tuple[Any, ...]]:
    with closing(store.open_catalog(folder / "catalog.db")) as catalog:
        return [tuple(row) for row in catalog.execute(question)]


def live(folder: Path) -> dict[str, int]:
    return dict(ask(folder, "SELECT offer_id, price_minor FROM offers WHERE gone_at IS NULL ORDER BY offer_key"))  # type: ignore[arg-type]


def numbers(done: Imported) -> tuple[int, int, int, int]:
    return done.new, done.changed, done.gone, done.unchanged


def test_a_feed_becomes_offers_words_and_pictures(put: Import, tmp_path: Path) -> None:
    done = put(yml(offer(1), offer(2, picture="https://a.example/2.jpg")))

    assert (done.state, done.offers, numbers(done)) == ("done", 2, (2, 0, 0, 0))
    assert live(tmp_path) == {"1": 1000, "2": 1000}
    assert ask(tmp_path, "SELECT url, state FROM pictures ORDER BY picture_key") == [
        ("https://a.example/1.jpg", "new"),
        ("https://a.example/2.jpg", "new"),
    ]
    assert ask(tmp_path, "SELECT rowid FROM offer_words WHERE offer_words MATCH 'shoe' ORDER BY rowid") == [(1,), (2,)]


def test_one_picture_of_several_offers_is_there_once(put: Import, tmp_path: Path) -> None:
    put(yml(offer(1), offer(2), offer(3)))

    assert ask(tmp_path, "SELECT count(*) FROM pictures") == [(1,)]
    assert ask(tmp_path, "SELECT offer_key, position, picture_key FROM offer_pictures") == [
        (1, 0, 1),
        (2, 0, 1),
        (3, 0, 1),
    ]


def test_the_same_feed_again_changes_nothing(put: Import, tmp_path: Path) -> None:
    put(yml(offer(1), offer(2)))
    before = ask(tmp_path, "SELECT * FROM offers")

    assert numbers(put(yml(offer(1), offer(2)), now=200.0)) == (0, 0, 0, 2)
    assert ask(tmp_path, "SELECT * FROM offers") == before


def test_a_full_feed_makes_a_difference(put: Import, tmp_path: Path) -> None:
    put(yml(offer(1), offer(2), offer(3), offer(4)))

    done = put(yml(offer(2), offer(3, price="12", name="Blue hat"), offer(4), offer(5)), now=200.0)

    assert numbers(done) == (1, 1, 1, 2)
    assert live(tmp_path) == {"2": 1000, "3": 1200, "4": 1000, "5": 1000}
    assert ask(tmp_path, "SELECT offer_id, gone_at FROM offers WHERE gone_at IS NOT NULL") == [("1", 200.0)]
    assert ask(tmp_path, "SELECT rowid FROM offer_words WHERE offer_words MATCH 'hat'") == [(3,)]
    assert ask(tmp_path, "SELECT rowid FROM offer_words WHERE offer_words MATCH 'shoe'") == [(2,), (4,), (6,)]


def test_what_a_partial_feed_leaves_out_stays(put: Import, tmp_path: Path) -> None:
    put(yml(offer(1), offer(2)))

    assert numbers(put(yml(offer(2, price="9")), order=replace(ORDER, is_full=False))) == (0, 1, 0, 0)
    assert live(tmp_path) == {"1": 1000, "2": 900}


def test_an_offer_that_was_gone_comes_back_as_new(put: Import, tmp_path: Path) -> None:
    for feed in (yml(offer(1), offer(2), offer(3)), yml(offer(1), offer(2)), yml(offer(1), offer(2), offer(3))):
        done = put(feed)

    assert numbers(done) == (1, 0, 0, 2)
    assert ask(tmp_path, "SELECT rowid FROM offer_words WHERE offer_words MATCH 'shoe'") == [(1,), (2,), (3,)]


def test_changed_pictures_replace_the_old_ones(put: Import, tmp_path: Path) -> None:
    put(yml(offer(1)))
    put(yml(offer(1, picture="https://a.example/new.jpg")))

    with closing(store.open_catalog(tmp_path / "catalog.db")) as catalog:
        found = store.offer(catalog, "best", "1")
    assert found is not None
    assert found.pictures == ("https://a.example/new.jpg",)


def test_two_feeds_of_a_shop_lose_only_their_own_offers(put: Import, tmp_path: Path) -> None:
    put(yml(offer(1), offer(2)))
    put(yml(offer(3)), order=replace(ORDER, feed_id="feed-2"))

    assert numbers(put(yml(offer(1), offer(2)))) == (0, 0, 0, 2)
    assert list(live(tmp_path)) == ["1", "2", "3"]


def test_several_files_are_one_feed(put: Import, tmp_path: Path) -> None:
    put(yml(offer(1)), yml(offer(2)))

    assert list(live(tmp_path)) == ["1", "2"]


def test_the_second_offer_with_an_id_is_rejected(put: Import, tmp_path: Path) -> None:
    for _ in range(2):
        done = put(yml(offer(1), offer(1, price="5"), offer(2)))

    assert (done.offers, done.rejected) == (2, 1)
    assert live(tmp_path) == {"1": 1000, "2": 1000}
    assert ask(tmp_path, f"SELECT line, offer_id, reason FROM rejects WHERE import_id = '{done.import_id}'") == [
        (3, "1", "another offer before it has this id")
    ]


def test_an_offer_without_a_price_costs_that_offer(put: Import, tmp_path: Path) -> None:
    done = put(yml(offer(1), offer(2, price=""), offer(3)))

    assert (done.state, done.rejected) == ("done", 1)
    assert list(live(tmp_path)) == ["1", "3"]


def test_a_full_feed_that_ends_in_the_middle_changes_nothing(put: Import, tmp_path: Path) -> None:
    put(yml(offer(1), offer(2)))

    done = put(yml(offer(1, price="5"), offer(7))[:-30])

    assert done.state == "failed"
    assert "feed.xml:4: the feed ends in the middle" in done.reason
    assert live(tmp_path) == {"1": 1000, "2": 1000}


def test_of_a_partial_feed_the_offers_before_the_damage_count(put: Import, tmp_path: Path) -> None:
    put(yml(offer(1), offer(2)))

    done = put(yml(offer(1, price="5"), offer(7))[:-30], order=replace(ORDER, is_full=False))

    assert (done.state, done.new, done.changed) == ("done", 1, 1)
    assert "ends in the middle" in done.reason
    assert live(tmp_path) == {"1": 500, "2": 1000, "7": 1000}


def test_what_is_no_feed_fails_and_says_what_it_is(put: Import, tmp_path: Path) -> None:
    put(yml(offer(1)))

    done = put(b"<!DOCTYPE html><html><body>Sign in</body></html>")

    assert (done.state, live(tmp_path)) == ("failed", {"1": 1000})
    assert "web page" in done.reason


def test_a_feed_without_any_good_offer_fails(put: Import) -> None:
    assert put(yml()).reason == "there is no offer in it"
    assert "1 were rejected" in put(yml(offer(1, price=""))).reason


# A feed that shrinks -------------------------------------------------------------------------------------------------


def shrunk(put: Import) -> Imported:
    put(yml(*map(offer, range(1, 10))))
    return put(yml(offer(1), offer(2, price="7"), offer(20)))


def test_a_feed_that_shrinks_by_more_than_a_third_is_held(put: Import, tmp_path: Path) -> None:
    held = shrunk(put)

    assert (held.state, held.gone) == ("held", 7)
    assert "feeds approve" in held.reason
    assert len(live(tmp_path)) == 9


def test_a_third_is_not_held(put: Import) -> None:
    put(yml(*map(offer, range(9))))

    assert put(yml(*map(offer, range(6)))).state == "done"


def test_a_held_import_counts_when_a_person_approves_it(put: Import, tmp_path: Path) -> None:
    held = shrunk(put)

    done = importing.approve(tmp_path, held.import_id[-8:])

    assert (done.state, done.gone) == ("done", 7)
    assert live(tmp_path) == {"1": 1000, "2": 700, "20": 1000}
    with pytest.raises(ConflictError, match="not held"):
        importing.approve(tmp_path, held.import_id)
    assert list((tmp_path / "staging").iterdir()) == []


def test_a_held_import_bears_what_happened_since(put: Import, tmp_path: Path) -> None:
    held = shrunk(put)
    put(yml(offer(20, price="1"), offer(21)), order=replace(ORDER, feed_id="feed-2"))

    importing.approve(tmp_path, held.import_id)

    assert live(tmp_path) == {"1": 1000, "2": 700, "20": 1000, "21": 1000}
    assert ask(tmp_path, "SELECT count(*) FROM offer_words WHERE offer_words MATCH 'shoe'") == [(4,)]


def test_a_held_import_can_be_refused_or_overtaken(put: Import, tmp_path: Path) -> None:
    first = shrunk(put)
    put(yml(*map(offer, range(1, 10))))
    second = put(yml(offer(1)))

    assert importing.refuse(tmp_path, second.import_id).state == "failed"
    with pytest.raises(ConflictError, match="failed"):
        importing.approve(tmp_path, first.import_id)
    with pytest.raises(NotFoundError):
        importing.approve(tmp_path, "no-such-import")
    assert len(live(tmp_path)) == 9


# Pictures that are files ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["../secret.jpg", "/etc/passwd", "file:///etc/passwd", "none.jpg", "link.jpg", "a\0b"])
def test_a_picture_outside_of_the_feeds_folder_is_left_out(tmp_path: Path, path: str) -> None:
    folder = tmp_path / "feed"
    folder.mkdir()
    (tmp_path / "secret.jpg").write_text("x")
    (folder / "link.jpg").symlink_to(tmp_path / "secret.jpg")

    assert file_address(folder, path) == ""


def test_a_picture_may_be_a_file_only_where_that_is_allowed(put: Import, tmp_path: Path) -> None:
    folder = tmp_path / "feed"
    (folder / "ä b").mkdir(parents=True)
    (folder / "ä b" / "1.jpg").write_text("x")
    feed = yml(offer(1, picture="ä b/1.jpg"))

    refused = put(feed, folder=folder)
    assert ask(tmp_path, "SELECT count(*) FROM pictures") == [(0,)]
    assert refused.notes == ("line 2: a picture is no address (--allow-files takes paths), left out: 'ä b/1.jpg'",)

    put(feed, folder=folder, order=replace(ORDER, allow_files=True))
    assert ask(tmp_path, "SELECT url FROM pictures") == [(f"file://{folder}/%C3%A4%20b/1.jpg",)]


def test_pictures_that_are_missing_are_told_in_one_line_with_a_few_of_them(put: Import, tmp_path: Path) -> None:
    feed = yml("\n".join(offer(number, picture=f"{number}.jpg") for number in range(1, 801)))

    done = put(feed, folder=tmp_path, order=replace(ORDER, allow_files=True))

    missing = "a picture is no file in the feed's folder, left out: '1.jpg', '2.jpg', '3.jpg', … (800 times)"
    assert done.notes == (f"line 2: {missing}",)


def test_what_another_feed_of_the_shop_tells_too_stays_when_the_first_one_is_removed(
    put: Import, tmp_path: Path
) -> None:
    feed = yml(offer(1), offer(2))
    put(feed)
    moved = put(feed, order=replace(ORDER, feed_id="feed-2"))

    assert numbers(moved) == (0, 2, 0, 0)
    assert importing.retire_feed(tmp_path, "best", "feed-1") == 0
    assert live(tmp_path) == {"1": 1000, "2": 1000}
    assert numbers(put(feed, order=replace(ORDER, feed_id="feed-2"))) == (0, 0, 0, 2)


def test_what_an_import_left_out_and_mended_is_kept_for_the_newest_ones(
    put: Import, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importing, "TOLD_IMPORTS", 2)
    feed = yml(offer(1, name="Red & shoe"), offer(2, price="free"))

    done = [put(feed, now=100.0 + number) for number in range(4)]

    assert done[0].notes == ("line 2: & that stands alone read as itself",)
    ids = {one.import_id for one in done[2:]}
    assert {row[0] for row in ask(tmp_path, "SELECT import_id FROM rejects")} == ids
    assert {row[0] for row in ask(tmp_path, "SELECT import_id FROM notes")} == ids
    with closing(store.open_catalog(tmp_path / "catalog.db")) as catalog:
        assert importing.find_import(catalog, done[3].import_id) == done[3]
    assert ask(tmp_path, "SELECT count(*) FROM imports") == [(4,)]


# Whatever happens meanwhile ------------------------------------------------------------------------------------------


def test_two_imports_of_a_shop_do_not_run_at_once(put: Import, tmp_path: Path) -> None:
    import os

    lock = lock_alone(tmp_path / "locks" / "best.lock", busy="")
    try:
        with pytest.raises(ConflictError, match="another import of shop best"):
            put(yml(offer(1)))
    finally:
        os.close(lock)


def test_an_import_that_is_stopped_changes_nothing_and_is_written_down(tmp_path: Path) -> None:
    class StopError(Exception):
        pass

    def stop(_bytes: int, _offers: int) -> None:
        raise StopError("asked to stop")

    with pytest.raises(StopError):
        import_feed(tmp_path, ORDER, [part(yml(offer(1)))], on_progress=stop)

    assert live(tmp_path) == {}
    assert ask(tmp_path, "SELECT state, reason FROM imports") == [("failed", "asked to stop")]
    assert list((tmp_path / "staging").iterdir()) == []


def test_a_file_that_cannot_be_read_on_is_damage(tmp_path: Path) -> None:
    class Broken(BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            raise OSError(5, "Input/output error")

    @contextmanager
    def opened() -> Iterable[BinaryIO]:  # type: ignore[misc]
        yield Broken()

    done = import_feed(tmp_path, ORDER, [Part("feed.xml", opened)])  # type: ignore[arg-type]

    assert (done.state, "Input/output error" in done.reason) == ("failed", True)


def test_a_server_that_has_nothing_new_is_written_down(tmp_path: Path) -> None:
    assert importing.note_unchanged(tmp_path, ORDER, "the same since Monday").state == "unchanged"
    assert ask(tmp_path, "SELECT state, reason, mode FROM imports") == [("unchanged", "the same since Monday", "full")]


def test_the_offers_of_a_removed_feed_are_gone(put: Import, tmp_path: Path) -> None:
    put(yml(offer(1), offer(2)))

    assert importing.retire_feed(tmp_path, "best", "feed-1") == 2
    assert live(tmp_path) == {}
    assert ask(tmp_path, "SELECT count(*) FROM offer_words WHERE offer_words MATCH 'shoe'") == [(0,)]


def test_a_feed_that_is_polled_for_years_leaves_its_last_polls_and_all_that_it_brought(
    put: Import, tmp_path: Path
) -> None:
    put(yml(offer(1)), now=1.0)
    importing.note_unchanged(tmp_path, replace(ORDER, feed_id="feed-2"), "nothing new", now=1.5)
    for poll in range(importing.TOLD_IMPORTS + 3):
        importing.note_unchanged(tmp_path, ORDER, "nothing new", now=2.0 + poll)

    kept = "SELECT count(*), min(started_at) FROM imports WHERE state = 'unchanged' AND feed_id = 'feed-1'"
    assert ask(tmp_path, kept) == [(importing.TOLD_IMPORTS, 5.0)]
    assert ask(tmp_path, "SELECT feed_id, state FROM imports WHERE started_at < 2 ORDER BY started_at") == [
        ("feed-1", "done"),
        ("feed-2", "unchanged"),
    ]


def test_what_feeds_have_is_counted_when_it_changes(put: Import, tmp_path: Path) -> None:
    put(yml(offer(1), offer(2), offer(3, picture="https://a.example/3.jpg")))
    put(yml(offer(9)), order=replace(ORDER, feed_id="feed-2"))
    put(yml(offer(1), offer(2)))

    def counted() -> dict[str, tuple[int, int, dict[str, int]]]:
        with closing(store.open_catalog(tmp_path / "catalog.db")) as catalog:
            found = census.feed_health(catalog, ["feed-1", "feed-2", "feed-3"])
        return {name: (one.offers, one.gone, one.pictures) for name, one in found.items()}

    assert counted() == {"feed-1": (2, 1, {"new": 1}), "feed-2": (1, 0, {"new": 1})}
    importing.retire_feed(tmp_path, "best", "feed-1")
    assert counted() == {"feed-1": (0, 3, {}), "feed-2": (1, 0, {"new": 1})}


def test_the_words_are_those_of_the_offers(put: Import, tmp_path: Path) -> None:
    put(yml(*map(offer, range(9))))
    put(yml(*(offer(number, name=f"Hat {number}") for number in range(2, 11))))

    with closing(store.open_catalog(tmp_path / "catalog.db")) as catalog:
        live_rows = catalog.execute("SELECT offer_key FROM offers WHERE gone_at IS NULL").fetchall()
        found = catalog.execute("SELECT rowid FROM offer_words WHERE offer_words MATCH 'hat'").fetchall()
        assert {row[0] for row in found} == {row[0] for row in live_rows}
        assert catalog.execute("SELECT count(*) FROM offer_words WHERE offer_words MATCH 'red'").fetchone()[0] == 0
        assert isinstance(catalog, sqlite3.Connection)
