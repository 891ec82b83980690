from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from vitrina.errors import ConflictError, InputError, NotFoundError
from vitrina.lens import shops
from vitrina.lens.shops import FeedSettings
from vitrina.storage import audit
from vitrina.storage.database import Database
from vitrina.storage.secrets import SecretBox

ADDRESS = "https://network.example/feed.xml?code=s3cret"


@pytest.fixture
def box(tmp_path: Path) -> SecretBox:
    return SecretBox(tmp_path)


def test_a_shop_is_made_then_changed_in_what_is_given(database: Database) -> None:
    with database.session() as session:
        shops.save_shop(session, "best", by="me", name="Best", currency="EUR", countries=["DE"])
        shops.save_shop(session, "best", by="me", network="admitad")
        shops.save_shop(session, "best", by="me", network="admitad")

    with database.reading() as session:
        shop = shops.find_shop(session, "best")
        assert (shop.name, shop.currency, shop.countries, shop.network) == ("Best", "EUR", ["DE"], "admitad")
        assert [row.slug for row in shops.list_shops(session)] == ["best"]
        log = audit.entries(session, object="lens-shop:best")
    assert [(entry.action, entry.who) for entry in log] == [("lens.shop.save", "me")] * 2


@pytest.mark.parametrize(
    ("slug", "given", "message"),
    [
        ("Best Shop", {"currency": "EUR"}, "small letters"),
        ("best", {"currency": "EURO"}, "ISO 4217"),
        ("best", {}, "currency"),
        ("best", {"currency": "EUR", "countries": ["Germany"]}, "two letters"),
    ],
)
def test_a_shop_that_does_not_fit_is_refused(
    database: Database, slug: str, given: dict[str, object], message: str
) -> None:
    with database.session() as session, pytest.raises(InputError, match=message):
        shops.save_shop(session, slug, by="me", **given)  # type: ignore[arg-type]


def test_a_shop_that_is_not_there_is_guessed(database: Database) -> None:
    with database.session() as session:
        with pytest.raises(NotFoundError, match="none yet"):
            shops.find_shop(session, "best")
        shops.save_shop(session, "best", by="me", currency="EUR")
        with pytest.raises(NotFoundError, match="did you mean best"):
            shops.find_shop(session, "bset")


@pytest.mark.parametrize(("name", "slug"), [("Best Shop", "best-shop"), ("a", "a"), (" H&M ", "h-m")])
def test_a_name_gives_a_slug(name: str, slug: str) -> None:
    assert shops.slug_of(name) == slug


def test_a_name_without_latin_letters_gives_no_slug() -> None:
    with pytest.raises(InputError, match="Latin"):
        shops.slug_of("Магазин")


def test_a_feed_keeps_its_secrets_sealed(database: Database, box: SecretBox) -> None:
    with database.session() as session:
        shops.save_shop(session, "best", by="me", currency="EUR")
        feed = shops.add_feed(session, "best", FeedSettings(ADDRESS, cron="0 *"), box=box, by="me")

    with database.reading() as session:
        stored = shops.find_feed(session, feed.feed_id[-8:])
        assert stored.source == "https://network.example/feed.xml?code=***"
        assert shops.feed_source(stored, box) == ADDRESS
        told = [str(entry.after) for entry in audit.entries(session)]
        assert "s3cret" not in f"{told} {stored.secrets}"
        soon = datetime.now(UTC) + timedelta(hours=2)
        assert [row.feed_id for row in shops.due_feeds(session, soon)] == [feed.feed_id]
        assert shops.due_feeds(session, datetime.now(UTC) - timedelta(hours=2)) == []


def test_a_shop_that_is_off_has_no_feed_that_is_due(database: Database, box: SecretBox) -> None:
    with database.session() as session:
        shops.save_shop(session, "best", by="me", currency="EUR")
        shops.add_feed(session, "best", FeedSettings("/feed.xml", cron="0 *"), box=box, by="me")
        soon = datetime.now(UTC) + timedelta(hours=2)
        assert len(shops.due_feeds(session, soon)) == 1

        shops.save_shop(session, "best", by="me", active=False)
        assert shops.due_feeds(session, soon) == []


def test_a_feed_is_added_once_and_saved_as_often_as_one_likes(database: Database, box: SecretBox) -> None:
    with database.session() as session:
        shops.save_shop(session, "best", by="me", currency="EUR")
        first = shops.add_feed(session, "best", FeedSettings(ADDRESS), box=box, by="me")
        with pytest.raises(ConflictError):
            shops.add_feed(session, "best", FeedSettings(ADDRESS), box=box, by="me")
        again = shops.save_feed(session, "best", FeedSettings(ADDRESS + "2", mode="partial"), box=box, by="me")

        assert (again.feed_id, again.mode) == (first.feed_id, "partial")
        assert shops.feed_source(again, box) == ADDRESS + "2"
        assert len(shops.list_feeds(session, shop="best")) == 1


@pytest.mark.parametrize("name", ["feed_id", "country_code"])
def test_feeds_that_differ_in_their_number_are_two_and_a_new_key_is_the_same_feed(
    database: Database, box: SecretBox, name: str
) -> None:
    export = "https://export.example/?user=me&code={code}&" + name + "={number}"
    with database.session() as session:
        shops.save_shop(session, "best", by="me", currency="EUR")
        first = shops.save_feed(session, "best", FeedSettings(export.format(code=1, number=7)), box=box, by="me")
        other = shops.save_feed(session, "best", FeedSettings(export.format(code=1, number=8)), box=box, by="me")
        again = shops.save_feed(session, "best", FeedSettings(export.format(code=2, number=7)), box=box, by="me")

        assert first.feed_id == again.feed_id != other.feed_id
        assert shops.feed_source(again, box) == export.format(code=2, number=7)
        assert shops.feed_source(other, box) == export.format(code=1, number=8)


def test_when_a_feed_is_removed_the_shops_others_are_imported_anew(database: Database, box: SecretBox) -> None:
    with database.session() as session:
        shops.save_shop(session, "best", by="me", currency="EUR")
        old, new = (
            shops.add_feed(session, "best", FeedSettings(f"/data/{name}.xml"), box=box, by="me") for name in "ab"
        )
        shops.keep_version(session, new.feed_id, '"1"', "Sunday")
        shops.remove_feed(session, old.feed_id, by="me")
        session.refresh(new)

        assert (new.etag, new.last_modified) == ("", "")


def test_a_feed_can_be_removed(database: Database, box: SecretBox) -> None:
    with database.session() as session:
        shops.save_shop(session, "best", by="me", currency="EUR")
        feed = shops.add_feed(session, "best", FeedSettings("/data/feed.xml"), box=box, by="me")
        shops.remove_feed(session, feed.feed_id, by="me")

        assert shops.list_feeds(session) == []
        with pytest.raises(NotFoundError, match="feeds list"):
            shops.find_feed(session, feed.feed_id)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (FeedSettings("feed.xml"), "whole path"),
        (FeedSettings("/feed.xml", mode="half"), "full, partial"),
        (FeedSettings("/feed.xml", format="xls"), "auto"),
        (FeedSettings("/feed.xml", cron="each day"), "expected"),
        (FeedSettings("https://a b/"), "spaces"),
    ],
)
def test_a_feed_that_does_not_fit_is_refused(
    database: Database, box: SecretBox, given: FeedSettings, message: str
) -> None:
    with database.session() as session:
        shops.save_shop(session, "best", by="me", currency="EUR")
        with pytest.raises(InputError, match=message):
            shops.add_feed(session, "best", given, box=box, by="me")
