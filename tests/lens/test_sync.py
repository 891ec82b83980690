"""From offers to an index: what is there already is not done again, and nothing is lost on the way."""

from __future__ import annotations

import os
from contextlib import closing
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vitrina.errors import ConflictError, StorageError
from vitrina.lens import census, pictures, store
from vitrina.lens.importing import import_feed
from vitrina.lens.index import BruteIndex, Filter, Index, entry_id, split_entry
from vitrina.lens.places import bring_up, indexed_model, retire_others
from vitrina.lens.product import refresh_products
from vitrina.lens.reader import Order, Part
from vitrina.lens.sync import Synced, sync
from vitrina.lens.vectors import VectorStore
from vitrina.models.library import find_model
from vitrina.models.manifest import Model
from vitrina.settings import Settings, load_settings
from vitrina.storage.spool import lock_alone

DIM = 8


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings({"VITRINA_HOME": str(tmp_path / "home")})


@pytest.fixture(scope="module")
def model() -> Model:
    return find_model(Path("nowhere"), "image-lite0")


def draw(folder: Path, *names: str) -> None:
    """A picture for each name, no two alike."""
    for name in names:
        dice = np.random.default_rng(list(name.encode()))
        blocks = Image.fromarray(dice.integers(0, 255, (6, 6, 3)).astype(np.uint8))
        blocks.resize((96, 96)).save(folder / f"{name}.png")


def take_in(
    settings: Settings,
    folder: Path,
    *offers: tuple[str, int, str],
    shop: str = "best",
    now: float | None = None,
    more: str = "",
) -> None:
    """offers: id, price and picture of all that the shop has. more: of each."""
    records = "".join(
        f'<offer id="{name}" available="true"><url>https://{shop}.example/{name}</url><price>{price}</price>'
        f"<name>Shoe {name}</name><picture>{picture}.png</picture>{more}</offer>"
        for name, price, picture in offers
    )
    feed = f"<yml_catalog><shop><offers>{records}</offers></shop></yml_catalog>".encode()
    order = Order(shop, f"feed-{shop}", currency="EUR", allow_files=True)
    import_feed(settings.lens, order, [Part("feed.xml", lambda: BytesIO(feed), folder=folder)], now=now)


def shas(settings: Settings) -> dict[str, str]:
    """Name of a picture → its sum."""
    with closing(store.open_catalog(settings.lens / "catalog.db")) as catalog:
        rows = catalog.execute("SELECT url, sha256 FROM pictures").fetchall()
    return {Path(row["url"]).stem: row["sha256"] for row in rows}


# ── the whole way, with the embedder that ships ─────────────────────────────────────────────────


def test_pictures_become_entries_and_a_second_run_does_nothing(
    settings: Settings, model: Model, tmp_path: Path
) -> None:
    draw(tmp_path, "a", "b")
    take_in(settings, tmp_path, ("1", 10, "a"), ("2", 20, "b"), ("3", 5, "b"))
    index, steps = BruteIndex(), list[tuple[str, int, int]]()

    done = sync(settings, model, index, on_progress=lambda *step: steps.append(step))

    assert done == Synced({"ok": 2}, vectors=2, unreadable=0, added=4, removed=0, entries=4, products=3)
    assert {split_entry(one)[0] for one in index.entries} == set(shas(settings).values())
    assert {entry.price_minor for entry in index.entries.values()} == {1000, 500}
    assert steps[0] == ("pictures", 1, 2)
    assert ("vectors", 2, 2) in steps
    assert ("index", 2, 2) in steps
    assert steps[-1] == ("pairs", 2, 2)

    assert sync(settings, model, index) == replace(done, pictures={}, vectors=0, added=0)
    with closing(store.open_catalog(settings.lens / "catalog.db")) as catalog:
        assert census.feed_health(catalog, ["feed-best"])["feed-best"].pictures == {"ok": 2}


def test_a_picture_that_was_kept_and_is_damaged_is_fetched_again(
    settings: Settings, model: Model, tmp_path: Path
) -> None:
    draw(tmp_path, "a", "b")
    take_in(settings, tmp_path, ("1", 10, "a"), ("2", 20, "b"))
    with closing(store.open_catalog(settings.lens / "catalog.db")) as catalog:
        pictures.fetch_pictures(settings.lens, pictures.due(catalog, 0.0))
    pictures.thumbnail_path(settings.lens, shas(settings)["a"]).write_bytes(b"RIFF")
    index = BruteIndex()

    first, second = sync(settings, model, index), sync(settings, model, index)

    assert (first.vectors, first.unreadable, first.entries) == (1, 1, 2)
    assert (second.pictures, second.vectors, second.entries) == ({"ok": 1}, 1, 4)


def test_only_one_at_a_time(settings: Settings, model: Model) -> None:
    lock = lock_alone(settings.lens / "sync.lock", busy="")

    with pytest.raises(ConflictError, match="another `vitrina lens sync`"):
        sync(settings, model, BruteIndex())
    os.close(lock)


def test_an_import_that_began_before_the_products_were_merged_and_ended_later_counts(
    settings: Settings, tmp_path: Path
) -> None:
    draw(tmp_path, "a")
    gtin = "<barcode>4006381333931</barcode>"
    take_in(settings, tmp_path, ("1", 10, "a"), now=200.0, more=gtin)
    take_in(settings, tmp_path, ("1", 10, "a"), shop="other", now=150.0)
    with closing(store.open_catalog(settings.lens / "catalog.db")) as catalog:
        before = refresh_products(catalog)
        take_in(settings, tmp_path, ("1", 10, "a"), shop="other", now=100.0, more=gtin)
        after, again = refresh_products(catalog), refresh_products(catalog)

    assert (before.products, after.products, again) == (2, 1, replace(after, is_new=False))


def test_whether_products_are_stale_is_known_without_a_look_at_the_offers(settings: Settings, tmp_path: Path) -> None:
    draw(tmp_path, "a")
    take_in(settings, tmp_path, ("1", 10, "a"))
    with closing(store.open_catalog(settings.lens / "catalog.db")) as catalog:
        refresh_products(catalog)
        asked: list[str] = []
        catalog.set_trace_callback(asked.append)
        take_in(settings, tmp_path, ("1", 10, "a"))  # as it was

        assert not refresh_products(catalog).is_new
    assert not [question for question in asked if "FROM offers" in question or "FROM pictures" in question]


# ── the index alone ─────────────────────────────────────────────────────────────────────────────


def prepared(settings: Settings, *, models: tuple[str, ...] = ("lite",)) -> VectorStore:
    """Every picture fetched, with vectors that are made up."""
    with closing(store.open_catalog(settings.lens / "catalog.db")) as catalog:
        pictures.fetch_pictures(settings.lens, pictures.due(catalog, 0.0))
    vectors = VectorStore(settings.lens / "vectors")
    for name in models:
        for sha in vectors.missing(name, [one for one in shas(settings).values() if one]):
            dice = np.random.default_rng(int(sha[:8], 16))
            vectors.append(name, [sha], [dice.normal(size=(2, DIM)).astype(np.float32)])
    return vectors


def up(settings: Settings, index: BruteIndex, vectors: VectorStore, *, shops: tuple[str, ...] = ()) -> tuple[int, int]:
    return bring_up(settings.lens / "catalog.db", "lite", index, vectors, shops=shops)


def test_a_new_price_changes_the_entries_and_nothing_else(settings: Settings, tmp_path: Path) -> None:
    draw(tmp_path, "a", "b")
    take_in(settings, tmp_path, ("1", 10, "a"), ("2", 20, "b"))
    index, vectors = BruteIndex(), prepared(settings)
    assert up(settings, index, vectors) == (4, 0)

    take_in(settings, tmp_path, ("1", 10, "a"), ("2", 15, "b"))

    assert up(settings, index, vectors) == (2, 0)
    assert index.count(Filter(min_price_minor=1500, max_price_minor=1500, currency="EUR")) == 2
    assert index.count() == 4


def test_what_no_shop_shows_any_more_leaves_and_what_another_shows_stays(settings: Settings, tmp_path: Path) -> None:
    draw(tmp_path, "a", "b", "c")
    take_in(settings, tmp_path, ("1", 10, "a"), ("2", 20, "b"), ("3", 30, "c"))
    take_in(settings, tmp_path, ("1", 10, "a"), shop="other")
    index, vectors = BruteIndex(), prepared(settings)
    up(settings, index, vectors)

    take_in(settings, tmp_path, ("2", 20, "b"), ("3", 30, "c"))

    a = shas(settings)["a"]
    assert up(settings, index, vectors) == (0, 1)
    assert entry_id(a, 0, "best") not in index.entries
    assert {entry_id(a, 0, "other"), entry_id(a, 1, "other")} <= index.entries.keys()
    assert index.count() == 6


def test_one_shop_alone_may_be_brought_up(settings: Settings, tmp_path: Path) -> None:
    draw(tmp_path, "a", "b")
    take_in(settings, tmp_path, ("1", 10, "a"), ("2", 10, "b"))
    take_in(settings, tmp_path, ("1", 10, "a"), shop="other")
    index, vectors = BruteIndex(), prepared(settings)

    assert up(settings, index, vectors, shops=("other",)) == (2, 0)
    assert {split_entry(one)[2] for one in index.entries} == {"other"}
    assert up(settings, index, vectors) == (4, 0)
    assert up(settings, index, vectors, shops=("other",)) == (0, 0)


def test_an_index_that_was_lost_is_filled_from_the_vectors(settings: Settings, tmp_path: Path) -> None:
    draw(tmp_path, "a", "b")
    take_in(settings, tmp_path, ("1", 10, "a"), ("2", 10, "b"))
    first, second, vectors = BruteIndex(), BruteIndex(), prepared(settings)
    up(settings, first, vectors)

    assert up(settings, second, vectors) == (4, 0)
    assert second.entries.keys() == first.entries.keys()


def test_an_index_at_another_address_is_emptied_and_filled(settings: Settings, tmp_path: Path) -> None:
    draw(tmp_path, "a", "b", "c", "d")
    take_in(settings, tmp_path, *((name, 10, name) for name in "abcd"))
    here, there, vectors, path = BruteIndex(), BruteIndex(), prepared(settings), settings.lens / "catalog.db"
    up(settings, here, vectors)
    assert bring_up(path, "lite", there, vectors, address="https://qdrant.example") == (8, 0)
    take_in(settings, tmp_path, *((name, 10, name) for name in "bcd"))
    assert bring_up(path, "lite", there, vectors, address="https://qdrant.example") == (0, 1)

    assert up(settings, here, vectors) == (6, 0)
    assert here.entries.keys() == there.entries.keys()


def test_an_index_that_was_kept_in_an_older_way_is_made_anew_without_looking_at_a_picture(
    settings: Settings, model: Model, tmp_path: Path
) -> None:
    draw(tmp_path, "a", "b")
    take_in(settings, tmp_path, ("1", 10, "a"), ("2", 10, "b"))
    index, vectors = BruteIndex(), prepared(settings, models=(model.name,))
    assert bring_up(settings.lens / "catalog.db", model.name, index, vectors, address="older") == (4, 0)

    done = sync(settings, model, index)

    assert (done.vectors, done.added, done.entries) == (0, 4, 4)
    assert sync(settings, model, index).added == 0


def test_a_run_settles_what_the_one_before_was_cut_off_from_settling(settings: Settings, tmp_path: Path) -> None:
    draw(tmp_path, "a")
    take_in(settings, tmp_path, ("1", 10, "a"))
    index, vectors = CutOff(), prepared(settings)
    with pytest.raises(StorageError):
        up(settings, index, vectors)

    assert up(settings, index, vectors) == (0, 0)
    assert index.settled == 1


class CutOff(BruteIndex):
    """As if its process ended while it was settled for the first time."""

    tries, settled = 0, 0

    def settle(self) -> None:
        self.tries += 1
        if self.tries == 1:
            raise StorageError("the index did not answer")
        self.settled += 1


def test_a_picture_without_vectors_waits_for_the_next_time(settings: Settings, tmp_path: Path) -> None:
    draw(tmp_path, "a", "b")
    take_in(settings, tmp_path, ("1", 10, "a"), ("2", 10, "b"))
    index, vectors = BruteIndex(), VectorStore(settings.lens / "vectors")
    prepared(settings, models=())

    assert up(settings, index, vectors) == (0, 0)
    vectors = prepared(settings)
    assert up(settings, index, vectors) == (4, 0)


def test_the_index_of_another_embedder_is_asked_once_it_is_complete(settings: Settings, tmp_path: Path) -> None:
    draw(tmp_path, "a")
    take_in(settings, tmp_path, ("1", 10, "a"))
    vectors, path = prepared(settings, models=("old", "new")), settings.lens / "catalog.db"

    def asked(wanted: str) -> str:
        with closing(store.open_catalog(path)) as catalog:
            return indexed_model(catalog, wanted)

    assert asked("old") == "old"
    bring_up(path, "old", BruteIndex(), vectors)
    assert asked("new") == "old"
    bring_up(path, "new", BruteIndex(), vectors, shops=("best",))
    assert asked("new") == "old"
    bring_up(path, "new", BruteIndex(), vectors)
    assert asked("new") == "new"


def test_the_index_of_an_embedder_that_was_left_is_removed_a_run_later_and_can_be_filled_again(
    settings: Settings, tmp_path: Path
) -> None:
    draw(tmp_path, "a")
    take_in(settings, tmp_path, ("1", 10, "a"))
    vectors, path = prepared(settings, models=("old", "new")), settings.lens / "catalog.db"
    indexes = {"old": BruteIndex(), "new": BruteIndex()}

    def run(model: str) -> dict[str, int]:
        """What each index holds after a sync."""
        retire_others(path, model, indexes.__getitem__)
        bring_up(path, model, indexes[model], vectors)
        return {name: index.count() for name, index in indexes.items()}

    assert run("old") == {"old": 2, "new": 0}
    assert run("new") == {"old": 2, "new": 2}
    assert run("new") == {"old": 0, "new": 2}
    assert run("old") == {"old": 2, "new": 2}
    assert run("old") == {"old": 2, "new": 0}


def test_an_index_that_cannot_be_removed_holds_up_no_sync(settings: Settings, tmp_path: Path) -> None:
    draw(tmp_path, "a")
    take_in(settings, tmp_path, ("1", 10, "a"))
    vectors, path, broken = prepared(settings, models=("old", "new")), settings.lens / "catalog.db", BruteIndex()
    for model in ("old", "new"):
        bring_up(path, model, broken, vectors)

    def fail(_model: str) -> Index:
        raise StorageError("the index cannot be opened")

    retire_others(path, "new", fail)
    retire_others(path, "new", lambda _model: broken)

    assert broken.count() == 0  # the second run tries it again
