"""Simulated shops: the same each time, known again across shops, and with the mistakes that feeds have."""

from __future__ import annotations

import io
from itertools import combinations
from pathlib import Path

import cv2
import numpy as np
import pytest

from vitrina.lens.demo.assortment import SHOPS, listings, stocked
from vitrina.lens.demo.design import CLOTHS, KINDS, make_designs, with_check_digit
from vitrina.lens.demo.drawing import draw
from vitrina.lens.demo.feedtext import feed_text
from vitrina.lens.demo.studio import shop_picture
from vitrina.lens.demo.write import write_shops
from vitrina.lens.feed.gtin import gtin
from vitrina.lens.feed.reading import read_feed
from vitrina.lens.offer import Offer, Reject

DESIGNS = make_designs(300)


def test_the_same_seed_makes_the_same_products() -> None:
    assert make_designs(20, seed=4) == make_designs(20, seed=4)
    assert make_designs(20, seed=4) != make_designs(20, seed=5)


def test_products_are_of_every_kind_and_cloth() -> None:
    assert {one.kind for one in DESIGNS} == {kind.name for kind in KINDS}
    assert {one.cloth for one in DESIGNS} == set(CLOTHS)


@pytest.mark.parametrize(("digits", "gtin"), [("400638133393", "4006381333931"), ("629104150021", "6291041500213")])
def test_check_digits_are_those_of_gs1(digits: str, gtin: str) -> None:
    assert with_check_digit(digits) == gtin


@pytest.mark.parametrize("kind", [kind.name for kind in KINDS])
def test_a_product_is_drawn_in_the_middle_with_nothing_at_the_edge(kind: str) -> None:
    product = draw(next(one for one in DESIGNS if one.kind == kind), size=120)

    alpha = product[..., 3]
    assert product.shape == (120, 120, 4)
    assert 0.08 < (alpha > 0).mean() < 0.75
    assert not np.concatenate([alpha[0], alpha[-1], alpha[:, 0], alpha[:, -1]]).any()


def test_no_two_products_look_the_same() -> None:
    small = [cv2.resize(draw(one, size=96), (24, 24), interpolation=cv2.INTER_AREA) for one in DESIGNS[:60]]

    assert all(np.abs(one.astype(int) - other).mean() > 1 for one, other in combinations(small, 2))


def test_shops_show_the_same_product_in_pictures_of_their_own_or_the_makers() -> None:
    product = draw(DESIGNS[0])
    pictures = {shop.slug: shop_picture(product, shop.studio, [0]).tobytes() for shop in SHOPS}

    assert pictures["ostrand"] == pictures["tuli"]
    assert len(set(pictures.values())) == len(SHOPS) - 1


@pytest.mark.parametrize("shop", SHOPS, ids=lambda shop: shop.slug)
def test_each_feed_is_read_and_has_a_few_mistakes(shop: object) -> None:
    sold = stocked(DESIGNS)[shop.slug]  # type: ignore[attr-defined]
    listed = list(listings(shop, sold))  # type: ignore[arg-type]
    text = feed_text(shop, listed)  # type: ignore[arg-type]

    found = list(read_feed(io.BytesIO(text.encode()), "any", currency="EUR", name="feed"))

    offers = [one for one in found if isinstance(one, Offer)]
    assert len(offers) >= 0.95 * len(listed)
    assert "imulated" in text[:300] or "\t" in text
    assert all(one.url.startswith(shop.site) for one in offers)  # type: ignore[attr-defined]
    assert all(gtin(one.gtin) for one in offers if one.gtin)
    assert len(listed) < 100 or any(isinstance(one, Reject) for one in found)


def test_what_two_shops_sell_can_be_known_again_by_number_or_code() -> None:
    ostrand, velmora = (next(shop for shop in SHOPS if shop.slug == slug) for slug in ("ostrand", "velmora"))
    both = [one for one in stocked(DESIGNS)["ostrand"] if one in stocked(DESIGNS)["velmora"]]

    ours = {one.gtin for one in listings(ostrand, both)}
    theirs = {one.gtin for one in listings(velmora, both)}

    assert both
    assert ours <= theirs


def test_shops_are_written_once(tmp_path: Path) -> None:
    write_shops(tmp_path / "shops", products=12)
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "shops").rglob("*")}
    write_shops(tmp_path / "shops", products=12)

    assert before == {path: path.stat().st_mtime_ns for path in (tmp_path / "shops").rglob("*")}
    assert len(list((tmp_path / "shops").rglob("*.jpg"))) >= 12


def test_shops_that_were_half_written_are_written_anew(tmp_path: Path) -> None:
    (tmp_path / "shops" / "ostrand").mkdir(parents=True)
    write_shops(tmp_path / "shops", products=3)

    assert (tmp_path / "shops" / "complete").exists()
