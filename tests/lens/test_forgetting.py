"""What is gone for long is forgotten, with all that was made of it; what somebody still shows or brings stays."""

from __future__ import annotations

from contextlib import closing
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from vitrina.errors import ConflictError
from vitrina.lens import forgetting, pictures, store
from vitrina.lens.forgetting import DAY_S, Forgotten, forget_gone
from vitrina.lens.importing import Imported, import_feed
from vitrina.lens.product import refresh_products
from vitrina.lens.reader import Order, Part
from vitrina.lens.vectors import VectorStore
from vitrina.settings import Settings, load_settings
from vitrina.storage.spool import lock_alone

FETCHED, GONE = 1000.0, 2000.0
LATER = GONE + 91 * DAY_S


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings({"VITRINA_HOME": str(tmp_path / "home")})


def feed(*offers: tuple[str, str]) -> bytes:
    """offers: id and picture."""
    records = "".join(
        f'<offer id="{name}" available="true"><url>https://best.example/{name}</url><price>10</price>'
        f"<name>Shoe {name}</name><picture>{picture}.png</picture></offer>"
        for name, picture in offers
    )
    return f"<yml_catalog><shop><offers>{records}</offers></shop></yml_catalog>".encode()


def take_in(settings: Settings, folder: Path, *offers: tuple[str, str], now: float, during: Any = None) -> Imported:
    content = feed(*offers)
    order = Order("best", "feed-1", currency="EUR", allow_files=True)

    def on_progress(_bytes: int, offers: int) -> None:
        if during and offers:
            during()

    part = Part("feed.xml", lambda: BytesIO(content), folder=folder)
    return import_feed(settings.lens, order, [part], now=now, on_progress=on_progress)


@pytest.fixture
def shas(settings: Settings, tmp_path: Path) -> dict[str, str]:
    """Offers 1 to 6 were there, with pictures a, b, c, d, d, e; 2 and 4 are gone. Name of each picture → its sum."""
    for name in "abcde":
        dice = np.random.default_rng(list(name.encode()))
        Image.fromarray(dice.integers(0, 255, (60, 60, 3)).astype(np.uint8)).save(tmp_path / f"{name}.png")
    all_ = [("1", "a"), ("2", "b"), ("3", "c"), ("4", "d"), ("5", "d"), ("6", "e")]
    take_in(settings, tmp_path, *all_, now=1.0)
    with closing(store.open_catalog(settings.lens / "catalog.db")) as catalog:
        pictures.fetch_pictures(settings.lens, pictures.due(catalog, FETCHED), now=lambda: FETCHED)
        refresh_products(catalog)
        rows = catalog.execute("SELECT url, sha256 FROM pictures").fetchall()
        found = {Path(row["url"]).stem: row["sha256"] for row in rows}
        with store.writing(catalog):
            catalog.executemany("INSERT INTO compared VALUES(?)", [(sha,) for sha in found.values()])
            pairs = [sorted((found[one], found[other])) for one, other in ("ab", "bc", "cd")]
            catalog.executemany("INSERT INTO picture_pairs VALUES(?, ?)", pairs)
    take_in(settings, tmp_path, *(one for one in all_ if one[0] not in "24"), now=GONE)
    return found


def ask(settings: Settings, question: str) -> list[Any]:
    with closing(store.open_catalog(settings.lens / "catalog.db")) as catalog:
        return [row[0] if len(row) == 1 else tuple(row) for row in catalog.execute(question)]


def forget(settings: Settings, now: float = LATER) -> Forgotten:
    return forget_gone(settings, now=now, pause_s=0.0)


def test_an_offer_that_is_gone_for_long_is_forgotten_with_what_only_it_had(
    settings: Settings, shas: dict[str, str]
) -> None:
    assert forget(settings) == Forgotten(offers=2, pictures=1)

    assert ask(settings, "SELECT offer_id FROM offers") == ["1", "3", "5", "6"]
    assert ask(settings, "SELECT DISTINCT offer_key FROM offer_pictures") == [1, 3, 5, 6]
    assert ask(settings, "SELECT offer_key FROM products ORDER BY offer_key") == [1, 3, 5, 6]
    left = {sha for name, sha in shas.items() if name != "b"}
    assert set(ask(settings, "SELECT sha256 FROM pictures")) == left
    assert set(ask(settings, "SELECT sha256 FROM compared")) == left
    assert ask(settings, "SELECT sha256, other FROM picture_pairs") == [tuple(sorted((shas["c"], shas["d"])))]
    assert {path.stem for path in settings.lens.glob("pictures/*/*.webp")} == left
    assert ask(settings, "SELECT offers, gone FROM feed_counts") == [(4, 0)]
    assert forget(settings) == Forgotten()


def test_what_is_gone_since_yesterday_stays_and_so_does_a_picture_that_was_fetched_since(
    settings: Settings, shas: dict[str, str], tmp_path: Path
) -> None:
    assert forget(settings, now=GONE + DAY_S) == Forgotten()

    take_in(settings, tmp_path, ("1", "a"), ("3", "c"), ("5", "d"), ("6", "c"), now=GONE + 1)  # another picture

    assert forget(settings, now=FETCHED + 90 * DAY_S).pictures == 0
    assert forget(settings).pictures == 2
    assert not pictures.thumbnail_path(settings.lens, shas["e"]).exists()


def test_an_offer_that_comes_back_while_it_is_forgotten_is_a_new_one(
    settings: Settings, shas: dict[str, str], tmp_path: Path
) -> None:
    back = [("1", "a"), ("2", "b"), ("3", "c"), ("5", "d"), ("6", "e")]

    done = take_in(settings, tmp_path, *back, now=LATER, during=lambda: forget(settings))

    assert (done.new, done.gone, done.unchanged) == (1, 0, 4)
    assert ask(settings, "SELECT offer_id FROM offers WHERE gone_at IS NULL ORDER BY offer_id") == list("12356")
    [key] = ask(settings, "SELECT offer_key FROM offers WHERE offer_id = '2'")
    assert key > 6
    assert ask(settings, f"SELECT state FROM pictures JOIN offer_pictures USING(picture_key) WHERE offer_key = {key}")
    assert ask(settings, "SELECT count(*) FROM offer_words WHERE offer_words MATCH 'shoe'") == [5]


def test_no_key_is_given_twice(settings: Settings, shas: dict[str, str], tmp_path: Path) -> None:
    take_in(settings, tmp_path, ("1", "a"), ("3", "c"), ("5", "d"), now=GONE)

    assert forget(settings).offers == 2
    assert max(ask(settings, "SELECT offer_key FROM offers")) == 6


def test_many_are_forgotten_in_portions_between_which_the_catalog_is_free(
    settings: Settings, tmp_path: Path, shas: dict[str, str]
) -> None:
    many = [(f"m{number}", "a") for number in range(forgetting.AT_ONCE)]
    take_in(settings, tmp_path, ("1", "a"), ("3", "c"), ("5", "d"), ("6", "e"), *many, ("7", "a"), now=GONE)
    with closing(store.open_catalog(settings.lens / "catalog.db")) as catalog, store.writing(catalog):
        catalog.execute("UPDATE offers SET gone_at = ? WHERE offer_id LIKE 'm%'", (GONE,))
    free = 0

    def check() -> None:
        nonlocal free
        with closing(store.open_catalog(settings.lens / "catalog.db")) as catalog, store.writing(catalog):
            free += 1

    assert forget_gone(settings, now=LATER, pause_s=0.0, check=check).offers == 2 + len(many)
    assert free >= 2


def test_vectors_of_forgotten_pictures_are_dropped_where_they_are_many(
    settings: Settings, shas: dict[str, str]
) -> None:
    vectors = VectorStore(settings.lens / "vectors")
    names = sorted(shas)
    vectors.append("lite", [shas[name] for name in names], [np.full((2, 4), place, np.float32) for place in range(5)])
    vectors.append("other", [shas["b"]], [np.ones((1, 4), np.float32)])

    assert forget(settings).files == 1  # a fifth of the other one

    assert VectorStore(settings.lens / "vectors").missing("other", shas.values()) == list(shas.values())
    assert vectors.drop_others("lite", [shas[name] for name in "ace"]) == 1
    assert vectors.read("lite", shas.values()).keys() == {shas[name] for name in "ace"}
    assert vectors.read("lite", [shas["e"]])[shas["e"]][0, 0] == 4
    assert vectors.drop_others("lite", [shas[name] for name in "ace"]) == 0


def test_nothing_is_forgotten_while_a_sync_runs_nor_where_there_is_no_catalog(
    settings: Settings, tmp_path: Path, shas: dict[str, str]
) -> None:
    import os

    lock = lock_alone(settings.lens / "sync.lock", busy="")
    with pytest.raises(ConflictError, match="sync"):
        forget(settings)
    os.close(lock)

    assert forget(load_settings({"VITRINA_HOME": str(tmp_path / "empty")})) == Forgotten()


def test_gone_offers_are_found_by_an_index(settings: Settings, shas: dict[str, str]) -> None:
    with closing(store.open_catalog(settings.lens / "catalog.db")) as catalog:
        asked: list[str] = []
        catalog.set_trace_callback(asked.append)
        forgetting._forget_offers(catalog, LATER, lambda: None)
        forgetting._forget_made(catalog, settings.lens, ["ab"])
        catalog.set_trace_callback(None)
        told = [one for one in asked if one.startswith(("SELECT", "DELETE")) and "feed_counts" not in one]
        plans = [" ".join(row["detail"] for row in catalog.execute(f"EXPLAIN QUERY PLAN {one}")) for one in told]

    assert "offers_gone" in plans[0]
    assert not [(one, plan) for one, plan in zip(told, plans, strict=True) if "SCAN" in plan]
