"""The same picture, saved again by another shop: found by a sync, merged with the reason, and left alone when split."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from io import BytesIO
from itertools import chain, repeat
from pathlib import Path

import pytest

from vitrina.lens import store
from vitrina.lens.decisions import keep_apart
from vitrina.lens.demo.assortment import SHOPS
from vitrina.lens.demo.design import Design, make_designs
from vitrina.lens.demo.drawing import draw
from vitrina.lens.demo.studio import shop_picture, to_jpeg
from vitrina.lens.importing import import_feed
from vitrina.lens.index import BruteIndex
from vitrina.lens.product import NO_DECISIONS, Decisions
from vitrina.lens.reader import Order, Part
from vitrina.lens.sync import sync, sync_all
from vitrina.models.library import find_model
from vitrina.models.manifest import Model
from vitrina.settings import Settings, load_settings
from vitrina.storage.database import Database

ONE, OTHER = (one for one in make_designs(50, seed=4) if one.emblem == "word" and one.kind in ("sneakers", "jacket"))


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings({"VITRINA_HOME": str(tmp_path / "home")})


@pytest.fixture(scope="module")
def model() -> Model:
    return find_model(Path("nowhere"), "image-lite0")


@pytest.fixture
def index() -> BruteIndex:
    return BruteIndex()


def take_in(settings: Settings, folder: Path, shop: str, offers: dict[str, tuple[Design, int]]) -> None:
    """offers: id → what its picture shows, and the JPEG's quality."""
    (folder / shop).mkdir(exist_ok=True)
    records = ""
    for name, (design, quality) in offers.items():
        picture = shop_picture(draw(design), SHOPS[0].studio, [1])
        (folder / shop / f"{name}.jpg").write_bytes(to_jpeg(picture, quality))
        records += (
            f'<offer id="{name}" available="true"><url>https://{shop}.example/{name}</url><price>9</price>'
            f"<name>Thing {name}</name><picture>{name}.jpg</picture></offer>"
        )
    feed = f"<yml_catalog><shop><offers>{records}</offers></shop></yml_catalog>".encode()
    order = Order(shop, f"feed-{shop}", currency="EUR", allow_files=True)
    import_feed(settings.lens, order, [Part("feed.xml", lambda: BytesIO(feed), folder=folder / shop)])


def products(settings: Settings) -> list[tuple[str, set[str]]]:
    """Why, and which offers; of products that have several."""
    with closing(store.open_catalog(settings.lens / "catalog.db")) as catalog:
        rows = catalog.execute(
            "SELECT reason, group_concat(shop || '/' || offer_id) FROM products JOIN offers USING(offer_key)"
            " WHERE gone_at IS NULL GROUP BY product_id HAVING count(*) > 1"
        ).fetchall()
    return [(row[0], set(row[1].split(","))) for row in rows]


def noted(settings: Settings) -> tuple[int, int]:
    with closing(store.open_catalog(settings.lens / "catalog.db")) as catalog:
        pairs, compared = (catalog.execute(f"SELECT count(*) FROM {name}") for name in ("picture_pairs", "compared"))
        return pairs.fetchone()[0], compared.fetchone()[0]


def test_a_picture_that_two_shops_saved_differently_makes_one_product_and_another_colour_does_not(
    settings: Settings, model: Model, index: BruteIndex, tmp_path: Path
) -> None:
    take_in(settings, tmp_path, "best", {"1": (ONE, 92)})
    recoloured = replace(ONE, main="red" if ONE.main != "red" else "blue")
    take_in(settings, tmp_path, "other", {"a": (ONE, 60), "b": (recoloured, 60)})

    done = sync(settings, model, index)

    assert (done.pairs, done.products) == (1, 2)
    assert products(settings) == [("same picture", {"best/1", "other/a"})]


def test_only_what_is_new_is_compared(settings: Settings, model: Model, index: BruteIndex, tmp_path: Path) -> None:
    take_in(settings, tmp_path, "best", {"1": (ONE, 92), "2": (OTHER, 92)})
    assert (sync(settings, model, index).pairs, noted(settings)) == (0, (0, 2))
    steps = list[tuple[str, int, int]]()

    take_in(settings, tmp_path, "other", {"a": (ONE, 60)})
    done = sync(settings, model, index, on_progress=lambda *step: steps.append(step))

    assert (done.pairs, noted(settings)) == (1, (1, 3))
    assert [step for step in steps if step[0] == "pairs"] == [("pairs", 1, 1)]
    assert sync(settings, model, index).pairs == 0


def test_two_that_are_near_to_each_other_are_compared_once(
    settings: Settings, model: Model, index: BruteIndex, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vitrina.lens.pairs.TOGETHER", 1)
    take_in(settings, tmp_path, "best", {"1": (ONE, 92)})
    take_in(settings, tmp_path, "other", {"a": (ONE, 60)})

    assert sync(settings, model, index).pairs == 1
    assert noted(settings) == (1, 2)


def test_what_a_shop_shows_for_two_things_joins_nothing(
    settings: Settings, model: Model, index: BruteIndex, tmp_path: Path
) -> None:
    take_in(settings, tmp_path, "best", {"1": (ONE, 92), "2": (ONE, 75)})
    take_in(settings, tmp_path, "other", {"a": (ONE, 60)})

    assert sync(settings, model, index).pairs == 3
    assert products(settings) == []


def test_what_an_editor_split_stays_apart_over_later_syncs(
    settings: Settings, model: Model, index: BruteIndex, tmp_path: Path
) -> None:
    take_in(settings, tmp_path, "best", {"1": (ONE, 92)})
    take_in(settings, tmp_path, "other", {"a": (ONE, 60)})
    sync(settings, model, index)
    split = Decisions(apart=frozenset({("other", "a")}))

    found = []
    for quality in (60, 55, 50):  # its picture is another file each time
        take_in(settings, tmp_path, "other", {"a": (ONE, quality)})
        take_in(settings, tmp_path, f"third-{quality}", {"x": (ONE, quality + 2)})
        sync(settings, model, index, decisions=lambda: split)
        found.append(products(settings))

    assert all(len(some) == 1 and "other/a" not in some[0][1] for some in found)
    sync(settings, model, index, decisions=lambda: NO_DECISIONS)
    assert "other/a" in products(settings)[0][1]


def test_what_an_editor_splits_while_pictures_are_fetched_stays_apart(
    settings: Settings, database: Database, tmp_path: Path
) -> None:
    take_in(settings, tmp_path, "best", {"1": (ONE, 92)})
    take_in(settings, tmp_path, "other", {"a": (ONE, 92)})

    def decide(step: str, done: int, all_: int) -> None:
        if step == "pictures" and done == all_:
            with database.session() as session:
                keep_apart(session, ("other", "a"), by="me")

    assert sync_all(settings, database, on_progress=decide).products == 2
    assert products(settings) == []


def test_what_an_editor_splits_while_offers_are_merged_stays_apart(
    settings: Settings, model: Model, index: BruteIndex, tmp_path: Path
) -> None:
    take_in(settings, tmp_path, "best", {"1": (ONE, 92)})
    take_in(settings, tmp_path, "other", {"a": (ONE, 92)})
    split = Decisions(apart=frozenset({("other", "a")}))
    decided = chain([NO_DECISIONS], repeat(split))

    sync(settings, model, index, decisions=lambda: next(decided))

    assert products(settings) == []


class StoppedError(Exception):
    pass


def test_a_run_that_was_stopped_goes_on_where_it_was(
    settings: Settings, model: Model, index: BruteIndex, tmp_path: Path
) -> None:
    designs = make_designs(50, seed=8)
    take_in(settings, tmp_path, "best", {str(one.number): (one, 92) for one in designs})
    take_in(settings, tmp_path, "other", {str(one.number): (one, 60) for one in designs[:3]})

    def stop_early(step: str, _done: int, _all: int) -> None:
        if step == "pairs":
            raise StoppedError

    with pytest.raises(StoppedError):
        sync(settings, model, index, on_progress=stop_early)
    before, steps = noted(settings)[1], list[tuple[str, int, int]]()
    done = sync(settings, model, index, on_progress=lambda *step: steps.append(step))

    assert 0 < before < 53
    assert [step for step in steps if step[0] == "pairs"][-1] == ("pairs", 53 - before, 53 - before)
    assert {tuple(sorted(some)) for _, some in products(settings)} >= {
        (f"best/{one.number}", f"other/{one.number}") for one in designs[:3]
    }
    assert done.vectors == 0
