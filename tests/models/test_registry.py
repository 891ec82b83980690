from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from vitrina.models.library import add_model
from vitrina.models.manifest import PERSON_DETECTOR, shipped_models
from vitrina.models.registry import promote, promoted, promotions, running_model
from vitrina.storage.database import Database


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = Database(f"sqlite:///{tmp_path / 'vitrina.db'}")
    database.migrate()
    yield database
    database.dispose()


def test_the_shipped_model_runs_until_another_one_is_promoted(database: Database, tmp_path: Path) -> None:
    with database.reading() as session:
        assert running_model(session, tmp_path, PERSON_DETECTOR).name == "person-nanodet-g"


def test_the_newest_promotion_runs_and_the_others_stay_on_record(
    database: Database, write_model, tmp_path: Path
) -> None:
    mine = add_model(tmp_path, write_model(), name="mine")

    with database.session() as session:
        promote(session, mine, by="cli:ann", score={"ap": 0.95})
    with database.session() as session:
        promote(session, shipped_models()[0], by="cli:ann")
        promote(session, mine, by="cli:bob", score={"ap": 0.96})

    with database.reading() as session:
        assert running_model(session, tmp_path, PERSON_DETECTOR) == mine
        history = [(row.name, row.promoted_by, row.score.get("ap")) for row in promotions(session)]
    assert history == [("mine", "cli:bob", 0.96), ("person-nanodet-g", "cli:ann", 0.907), ("mine", "cli:ann", 0.95)]


def test_a_shop_may_have_a_model_of_its_own(database: Database, write_model, tmp_path: Path) -> None:
    mine = add_model(tmp_path, write_model(), name="mine")

    with database.session() as session:
        promote(session, mine, by="cli:ann", place="riga-1")
        promote(session, shipped_models()[0], by="cli:ann")

    with database.reading() as session:
        assert running_model(session, tmp_path, PERSON_DETECTOR, "riga-1") == mine
        assert running_model(session, tmp_path, PERSON_DETECTOR, "riga-2").name == "person-nanodet-g"
        row = promoted(session, PERSON_DETECTOR, "riga-1")
    assert row is not None
    assert (row.sha256, row.layout, row.promoted_at.tzinfo is not None) == (mine.sha256, "yolox", True)
