"""An import that is killed at any moment leaves the catalog as it was or as it should be, and the next one ends it."""

from __future__ import annotations

import random
import shutil
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from vitrina.lens import store
from vitrina.lens.importing import import_feed
from vitrina.lens.reader import Order, Part

KILLS = 30
OFFERS = 6000

Told = tuple[tuple[object, ...], ...]


def write_feed(path: Path, numbers: range, price: int) -> Path:
    records = (
        f'<offer id="{n}"><url>https://a.example/{n}</url><price>{price if n % 3 else 1}</price><name>Shoe {n}</name>'
        f"<vendor>Brand {n % 7}</vendor><picture>https://a.example/{n // 2}-{price if n % 5 else 1}.jpg</picture>"
        "</offer>\n"
        for n in numbers
    )
    path.write_text(f"<yml_catalog><shop><offers>\n{''.join(records)}</offers></shop></yml_catalog>")
    return path


def told(folder: Path) -> tuple[Told, Told, Told]:
    """Everything that somebody can see of a catalog: its keys may differ."""
    questions = (
        "SELECT shop, offer_id, digest, name, brand, price_minor, gone_at, changed_at FROM offers ORDER BY offer_id",
        "SELECT offer_id, position, pictures.url FROM offers JOIN offer_pictures USING(offer_key)"
        " JOIN pictures USING(picture_key) WHERE gone_at IS NULL ORDER BY offer_id, position",
        "SELECT offer_id FROM offers WHERE offer_key IN"
        " (SELECT rowid FROM offer_words WHERE offer_words MATCH 'shoe') ORDER BY offer_id",
    )
    with closing(store.open_catalog(folder / "catalog.db")) as catalog:
        catalog.execute("INSERT INTO offer_words(offer_words, rank) VALUES('integrity-check', 0)")
        catalog.rollback()
        first, second, third = (tuple(map(tuple, catalog.execute(question))) for question in questions)
        return first, second, third


def run(folder: Path, feed: Path, *, kill_after_s: float | None) -> float:
    """Seconds that the import took, or was let live."""
    command = [sys.executable, str(Path(__file__).with_name("importer.py")), str(folder), str(feed)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "begins\n"
    began = time.monotonic()
    if kill_after_s is not None:
        time.sleep(kill_after_s)
        process.kill()
    process.communicate()
    return time.monotonic() - began


@pytest.mark.slow
def test_an_import_killed_at_random_moments_and_run_again_gives_the_same_catalog(tmp_path: Path) -> None:
    old, new = (
        write_feed(tmp_path / "old.xml", range(OFFERS), 5),
        write_feed(tmp_path / "new.xml", range(900, OFFERS + 900), 7),
    )
    begun, whole = tmp_path / "begun", tmp_path / "whole"
    import_feed(begun, Order("best", "feed-1", currency="EUR"), [Part("old.xml", lambda: old.open("rb"))], now=1.0)
    shutil.copytree(begun, whole)
    took_s = run(whole, new, kill_after_s=None)
    before, after = told(begun), told(whole)
    dice = random.Random(20)

    for number in range(KILLS):
        folder = tmp_path / f"kill-{number}"
        shutil.copytree(begun, folder)
        for _ in range(dice.choice([1, 1, 2])):
            run(folder, new, kill_after_s=dice.uniform(0, took_s))
            assert told(folder) in (before, after)
        run(folder, new, kill_after_s=None)
        assert told(folder) == after
        assert list((folder / "staging").iterdir()) == []
        shutil.rmtree(folder)
