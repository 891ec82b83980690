from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from vitrina.errors import ConflictError
from vitrina.models.registry import Promotion
from vitrina.storage import accounts, audit, sessions
from vitrina.storage.database import Database
from vitrina.storage.move import copy_database

NOON = datetime(2026, 6, 1, 12, 0, 0, 123456, tzinfo=UTC)


@pytest.fixture
def full(tmp_path: Path) -> Database:
    """A SQLite database with a person, their role, a log with JSON and times, and rows that the database numbers."""
    database = Database(f"sqlite:///{tmp_path / 'old.db'}")
    database.migrate()
    with database.session() as session:
        anna = accounts.create_person(session, email="anna@example.org", name="Анна", password="x" * 12, by="test")
        accounts.grant(session, anna.person_id, "admin", shop=None, by="test")
        sessions.start_session(session, anna.person_id, days=1, now=NOON)
        session.add_all(promotion(name) for name in ("a", "b", "c"))
    return database


def promotion(name: str) -> Promotion:
    return Promotion(
        role="people",
        place="*",
        name=name,
        sha256="0",
        layout="x",
        score={"ap": 0.5},
        promoted_at=NOON,
        promoted_by="t",
    )


def test_everything_is_in_the_new_database(full: Database, database: Database) -> None:
    copied = copy_database(full, database)
    assert copied["persons"] == copied["roles"] == copied["sign_ins"] == 1
    assert copied["model_promotions"] == 3
    with full.reading() as old, database.reading() as new:
        assert [vars_of(row) for row in audit.entries(new)] == [vars_of(row) for row in audit.entries(old)]
        [anna] = [accounts.find_person(session, "anna@example.org") for session in (new,)]
        assert anna is not None
        assert accounts.may(new, anna.person_id, "audit.view")
    with database.session() as session:
        session.add(promotion("d"))
    with pytest.raises(ConflictError, match="not empty"):
        copy_database(full, database)
    full.dispose()


def vars_of(row: audit.AuditEntry) -> dict[str, object]:
    return {name: value for name, value in vars(row).items() if not name.startswith("_")}
