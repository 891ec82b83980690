"""A whole catalog: drawn, written as feeds, imported, looked at and searched."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vitrina.errors import InputError, NotFoundError
from vitrina.lens import intake, shops
from vitrina.lens.catalog import Catalog
from vitrina.lens.demo.assortment import SHOPS, listings, stocked
from vitrina.lens.demo.design import Design, make_designs
from vitrina.lens.demo.drawing import draw
from vitrina.lens.demo.feedtext import file_name
from vitrina.lens.demo.studio import Placed, snapshot, to_jpeg
from vitrina.lens.demo.write import write_shops
from vitrina.lens.index import BruteIndex
from vitrina.lens.photo import small_copy
from vitrina.lens.rank import Wishes
from vitrina.lens.shops import FeedSettings
from vitrina.lens.sync import sync
from vitrina.lens.terms import TermSettings, set_term
from vitrina.models.library import find_model
from vitrina.product import Money
from vitrina.settings import Settings, load_settings
from vitrina.storage.database import Database
from vitrina.storage.secrets import SecretBox
from vitrina.web.lensbot import SMALL_BYTES, SMALL_PX

COUNT = 40


@dataclass
class World:
    settings: Settings
    database: Database
    catalog: Catalog


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    home = tmp_path_factory.mktemp("catalog") / "home"
    settings = load_settings({"VITRINA_HOME": str(home)})
    settings.lens.mkdir(parents=True)
    database = Database(settings.database)
    database.migrate()
    write_shops(home / "feeds", products=COUNT)
    for shop in SHOPS:
        with database.session() as session:
            shops.save_shop(session, shop.slug, by="test", name=shop.name, currency="EUR")
            given = FeedSettings(str(home / "feeds" / shop.slug / file_name(shop)), allow_files=True)
            feed_id = shops.save_feed(session, shop.slug, given, box=SecretBox(home), by="test").feed_id
            set_term(session, TermSettings(shop=shop.slug, percent="10"), by="test", today=date(2026, 1, 1))
        intake.take_in(settings, database, feed_id)
    model, index = find_model(home, "image-lite0"), BruteIndex()
    done = sync(settings, model, index)
    assert done.products >= COUNT - 2  # the feeds have mistakes
    yield World(settings, database, Catalog(settings, database, open_index=lambda *_: index))
    database.dispose()


def photo(design: Design, seed: int = 5) -> np.ndarray:
    """The product on a cluttered scene, turned a little."""
    return snapshot([Placed(draw(design, size=700), 0.5, 0.48, 0.75, 6.0)], seed=seed)


def sellers(design: Design) -> set[str]:
    return {slug for slug, some in stocked(make_designs(COUNT)).items() if design in some}


@pytest.mark.parametrize("number", range(0, COUNT, 8))
def test_a_photo_of_a_thing_finds_it(world: World, number: int) -> None:
    design = make_designs(COUNT)[number]

    found = world.catalog.find(to_jpeg(photo(design), 85))

    names = [one.name for one in (*found.exact, *found.similar)]
    assert any(design.name in name for name in names[:2])
    assert found.cpu_ms > 0
    left, top, right, bottom = found.box
    assert 0 <= left < right <= 1
    assert 0 <= top < bottom <= 1


@pytest.mark.parametrize("number", range(4, COUNT, 8))
def test_the_copy_of_a_photo_that_the_bot_remembers_finds_the_thing_as_well(world: World, number: int) -> None:
    design = make_designs(COUNT)[number]
    shown = Image.fromarray(photo(design))
    sent = to_jpeg(np.asarray(shown.resize((3 * shown.width, 3 * shown.height), Image.Resampling.BICUBIC)), 92)
    copy = small_copy(sent, most_bytes=SMALL_BYTES, longest_px=SMALL_PX)

    first, again = ([*one.exact, *one.similar][0] for one in map(world.catalog.find, (sent, copy)))

    assert len(sent) > SMALL_BYTES >= len(copy)
    assert design.name in first.name
    assert design.name in again.name


def test_shops_that_sell_the_same_are_one_product_with_the_cheapest_after_cashback_first(world: World) -> None:
    design = next(one for one in make_designs(COUNT) if len(sellers(one)) > 1)

    found = world.catalog.find(photo(design))
    product = next(one for one in (*found.exact, *found.similar) if design.name in one.name)

    assert {offer.shop for offer in product.offers} <= sellers(design)
    assert len(product.offers) > 1
    assert product.why in ("same GTIN", "same brand and vendor code")
    in_stock = [offer.after.minor for offer in product.offers if offer.available]
    assert in_stock == sorted(in_stock)
    assert all(
        offer.cashback is not None and offer.cashback.minor * 10 <= offer.price.minor for offer in product.offers
    )
    assert world.catalog.product(product.product_id).offers == product.offers


def test_words_alone_find_products_and_beside_a_photo_they_narrow(world: World) -> None:
    design = make_designs(COUNT)[3]
    word = design.brand

    by_words = world.catalog.find(text=word)
    narrowed = world.catalog.find(photo(design), text=word)

    assert by_words.similar
    assert all(word.lower() in f"{one.name} {one.brand}".lower() for one in by_words.similar)
    assert all(word.lower() in f"{one.name} {one.brand}".lower() for one in (*narrowed.exact, *narrowed.similar))


def test_wishes_are_kept(world: World) -> None:
    design, shop = make_designs(COUNT)[3], SHOPS[0].slug
    most = Money(4000, "EUR")

    cheap = world.catalog.find(photo(design), where=Wishes(max_price=most))
    one_shop = world.catalog.find(photo(design), where=Wishes(shops=(shop,)))

    assert all(offer.price.minor <= most.minor for one in (*cheap.exact, *cheap.similar) for offer in one.offers)
    assert {offer.shop for one in (*one_shop.exact, *one_shop.similar) for offer in one.offers} <= {shop}


def test_shops_say_that_they_are_simulated(world: World) -> None:
    found = world.catalog.find(text=make_designs(COUNT)[0].brand)

    assert all("simulated" in offer.shop_name for one in found.similar for offer in one.offers)


def test_a_photo_of_nothing_finds_nothing_alike(world: World) -> None:
    noise = np.random.default_rng(1).integers(0, 255, (400, 400, 3), np.uint8)

    assert not world.catalog.find(noise).exact


def test_what_is_no_picture_and_a_search_for_nothing_are_refused(world: World) -> None:
    with pytest.raises(InputError):
        world.catalog.find(b"<html>no</html>")
    with pytest.raises(InputError, match="expected a photo, or words"):
        world.catalog.find(text="  ")
    with pytest.raises(NotFoundError, match="no product"):
        world.catalog.product("nowhere")


def test_without_a_catalog_it_says_what_to_do(tmp_path: Path) -> None:
    settings = load_settings({"VITRINA_HOME": str(tmp_path)})
    database = Database(settings.database)
    database.migrate()

    with pytest.raises(NotFoundError, match="vitrina lens import"):
        Catalog(settings, database).find(text="shoe")
    database.dispose()


def test_scores_are_the_nearest_products_with_their_offers_best_first(world: World) -> None:
    design = make_designs(COUNT)[8]
    listing = next(one for shop in SHOPS if shop.slug in sellers(design) for one in listings(shop, [design]))

    found = world.catalog.scores(to_jpeg(photo(design), 85))

    assert {listing.offer_id, f"{listing.shop.slug}/{listing.offer_id}"} <= found[0].names
    assert found[0].category == design.of.category[-1]
    assert [one.score for one in found] == sorted((one.score for one in found), reverse=True)
    assert world.catalog.model().name == "image-lite0"
