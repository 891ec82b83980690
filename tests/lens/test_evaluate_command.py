"""`vitrina lens evaluate`, over the real clothes and grocery sets: imported as a shop, searched as a shopper would."""

from __future__ import annotations

import csv
import json
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

DATA = Path(__file__).parents[3] / "shared" / "data" / "lens"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not DATA.exists(), reason="the shared evaluation pictures are not here"),
]


def vitrina(home: Path, *words: object) -> str:
    command = [sys.executable, "-m", "vitrina.cli.main", "--home", str(home), "lens", *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def filled(folder: Path, shop: str, items: Iterable[tuple[str, Path]]) -> Path:
    """A home whose catalog has these pictures as offers."""
    feed = folder / "feed.csv"
    with feed.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "title", "price", "link", "image_link", "availability", "product_type"])
        for offer_id, picture in items:
            shutil.copyfile(picture, folder / picture.name)  # links that lead out of the feed's folder are refused
            link = f"https://shop.example/{offer_id}"
            writer.writerow([offer_id, offer_id, "10.00 EUR", link, picture.name, "in_stock", shop])
    home = folder / "home"
    vitrina(home, "import", feed, "--shop", shop, "--allow-files")
    vitrina(home, "sync")
    return home


@pytest.fixture(scope="module")
def clothes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pictures = sorted((DATA / "clothes" / "catalog").glob("*.jpg"))
    return filled(tmp_path_factory.mktemp("clothes"), "clothes", ((path.name, path) for path in pictures))


@pytest.fixture(scope="module")
def grocery(tmp_path_factory: pytest.TempPathFactory) -> Path:
    with (DATA / "grocery" / "catalog.csv").open() as file:
        items = [(row["product_id"], DATA / "grocery" / "iconic" / row["picture"]) for row in csv.DictReader(file)]
    return filled(tmp_path_factory.mktemp("grocery"), "grocery", items)


def told(home: Path, *words: object) -> Any:
    return json.loads(vitrina(home, "evaluate", *words, "--json"))


def test_a_thing_in_a_cluttered_photo_is_found_without_a_box(clothes: Path) -> None:
    answer = told(clothes, DATA / "clothes" / "queries.csv", "--ignore-boxes")

    assert answer["queries"] == 150
    assert answer["recall@1"]["value"] >= 0.85
    assert answer["recall@1"]["low"] < answer["recall@1"]["value"] < answer["recall@1"]["high"]
    assert answer["answers_missing"] == 0
    assert list(answer["categories"]) == ["clothes"]


def test_a_box_finds_more(clothes: Path) -> None:
    assert told(clothes, DATA / "clothes" / "queries.csv")["recall@1"]["value"] >= 0.96


def test_a_photo_from_the_shop_finds_the_product(grocery: Path, tmp_path: Path) -> None:
    with (DATA / "grocery" / "photos.csv").open() as file:
        rows = [[DATA / "grocery" / "photos" / row["photo"], row["product_id"]] for row in csv.DictReader(file)]
    queries = tmp_path / "queries.csv"
    with queries.open("w", newline="") as file:
        csv.writer(file).writerows([["photo", "answer"], *rows])

    answer = told(grocery, queries, "--confusions", tmp_path / "look")

    assert answer["recall@1"]["value"] >= 0.38
    assert answer["recall@5"]["value"] >= 0.76
    assert (tmp_path / "look" / "index.html").stat().st_size > 100_000


def test_photos_of_things_the_catalog_does_not_have_find_nothing_alike(clothes: Path, tmp_path: Path) -> None:
    photos = sorted((DATA / "grocery" / "photos").glob("*.jpg"))[::10]
    queries = tmp_path / "queries.csv"
    with queries.open("w", newline="") as file:
        csv.writer(file).writerows([["photo", "answer"], *([photo, "none"] for photo in photos)])

    answer = told(clothes, queries)

    assert answer["nothing_alike"]["value"] >= 0.9
    assert answer["answers_missing"] == len(photos)


def test_queries_and_catalog_are_laid_out_for_a_contest(clothes: Path, tmp_path: Path) -> None:
    answer = told(clothes, DATA / "clothes" / "queries.csv", "--contest", tmp_path / "contest")

    assert (answer["queries"], answer["offers"]) == (150, 800)
    assert len(list((tmp_path / "contest" / "public" / "pictures").iterdir())) == 800


def test_curves_that_are_fitted_here_hold_better_on_the_other_half_of_the_photos(clothes: Path) -> None:
    kept = clothes / "lens" / "likeness" / "image-lite0.json"
    try:
        [free] = told(clothes, DATA / "clothes" / "queries.csv", "--ignore-boxes", "--fit")

        assert free["kept"]
        assert free["after"]["calibration_error"] < free["before"]["calibration_error"]
        assert json.loads(kept.read_text())["fitted_on"].startswith("150 queries")
    finally:
        kept.unlink(missing_ok=True)  # for the other tests
