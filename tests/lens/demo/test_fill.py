"""The demo's catalog is said to be ready when a photo finds something, not when everything is compared."""

from __future__ import annotations

from pathlib import Path

import pytest

from vitrina.lens.catalog import Catalog
from vitrina.lens.demo.fill import fill
from vitrina.lens.demo.home import sample_folder
from vitrina.settings import Settings, load_settings
from vitrina.storage.database import Database


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    settings = load_settings({"VITRINA_HOME": str(tmp_path / "home"), "VITRINA_WORKERS": "1"})
    settings.home.mkdir(mode=0o700)
    return settings


def test_filling_is_said_to_be_done_as_soon_as_each_sample_finds_its_product(settings: Settings) -> None:
    database = Database(settings.database)
    database.migrate()
    finds: list[int] = []

    def on_progress(done: int, all_: int) -> None:
        if done == all_ and not finds:
            photos = sorted(sample_folder(settings).glob("*.jpg"))
            finds.extend(len(Catalog(settings, database).find(photo.read_bytes()).exact) for photo in photos)

    fill(settings, database, products=30, on_progress=on_progress)

    assert finds
    assert all(finds)
    database.dispose()
