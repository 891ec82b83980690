from __future__ import annotations

import importlib
import stat
import threading
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

import vitrina
from vitrina.errors import InputError, StorageError
from vitrina.storage import audit
from vitrina.storage.audit import AuditEntry
from vitrina.storage.database import Base, Database


def entry(at: datetime, name: str = "x") -> AuditEntry:
    return AuditEntry(entry_id=name, at=at, who="system", action="test", object="thing:1")


def test_what_a_session_adds_is_there_after_it(database: Database) -> None:
    with database.session() as session:
        audit.record(session, "anna", "shop.edit", "shop:riga", {"name": "A"}, {"name": "B"})
    with database.reading() as session:
        [found] = audit.entries(session, object="shop:riga")
    assert (found.who, found.action, found.before, found.after) == ("anna", "shop.edit", {"name": "A"}, {"name": "B"})


def test_a_session_that_raises_leaves_nothing(database: Database) -> None:
    def change_and_fail() -> None:
        with database.session() as session:
            audit.record(session, "anna", "shop.edit", "shop:riga")
            session.flush()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        change_and_fail()
    with database.reading() as session:
        assert audit.entries(session) == []


def test_the_newest_change_comes_first(database: Database) -> None:
    for number in range(5):
        with database.session() as session:
            audit.record(session, "anna", f"step-{number}", "shop:riga")
    with database.reading() as session:
        assert [found.action for found in audit.entries(session, limit=3)] == ["step-4", "step-3", "step-2"]


def test_a_time_without_a_zone_is_refused(database: Database) -> None:
    with pytest.raises(InputError, match="time zone"), database.session() as session:
        session.add(entry(datetime(2026, 1, 1)))


def test_a_time_of_any_zone_comes_back_as_the_same_moment_in_utc(database: Database) -> None:
    moment = datetime(2026, 3, 1, 1, 30, 0, 123456, tzinfo=timezone(timedelta(hours=5, minutes=30)))
    with database.session() as session:
        session.add(entry(moment))
    with database.reading() as session:
        found = session.get_one(AuditEntry, "x").at
    assert found == moment
    assert found.tzinfo is UTC


def test_reading_cannot_write(database: Database) -> None:
    with database.reading() as session:
        session.add(entry(datetime.now(UTC)))
        with pytest.raises(sa.exc.DBAPIError, match=r"read-?only"):
            session.flush()
    with database.session() as session:
        session.add(entry(datetime.now(UTC)))  # the same connection can, later


def test_a_reader_neither_waits_for_a_writer_nor_sees_half_of_its_work(database: Database) -> None:
    with database.session() as writing:
        writing.add(entry(datetime.now(UTC)))
        writing.flush()
        with database.reading() as reading:
            assert audit.entries(reading) == []


def test_two_writers_that_read_first_lose_no_update(database: Database) -> None:
    """What SQLite's BEGIN IMMEDIATE and PostgreSQL's row locks are for."""
    with database.session() as session:
        session.add(AuditEntry(entry_id="x", at=datetime.now(UTC), who="s", action="a", object="o", after={"n": 0}))

    def count_up() -> None:
        for _ in range(20):
            with database.session() as session:
                row = session.get_one(AuditEntry, "x", with_for_update=True)
                row.after = {"n": (row.after or {})["n"] + 1}

    threads = [threading.Thread(target=count_up) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with database.reading() as session:
        assert session.get_one(AuditEntry, "x").after == {"n": 80}


def test_a_locked_database_is_a_storage_error_with_the_reason(sqlite_url: str) -> None:
    database = Database(sqlite_url, busy_s=0.1)
    database.migrate()
    with database.session() as first:
        first.add(entry(datetime.now(UTC), "a"))
        first.flush()
        with pytest.raises(StorageError, match="locked"), database.session() as second:
            second.add(entry(datetime.now(UTC), "b"))
    database.dispose()


def test_the_versions_make_the_schema_that_the_code_expects(database: Database) -> None:
    for name in modules_with_tables():
        importlib.import_module(name)
    with database.connect() as connection:
        context = MigrationContext.configure(connection)
        differences = compare_metadata(context, Base.metadata)
    assert differences == [], "run tools/new_migration.py"


def modules_with_tables() -> list[str]:
    root = Path(vitrina.__file__).parent
    paths = [path for path in root.rglob("*.py") if "(Base):" in path.read_text(encoding="utf-8")]
    return [".".join(("vitrina", *path.relative_to(root).with_suffix("").parts)) for path in sorted(paths)]


def test_migrating_again_and_from_several_threads_at_once_changes_nothing(database: Database) -> None:
    failures: list[BaseException] = []

    def migrate() -> None:
        try:
            database.migrate()
        except StorageError as error:
            failures.append(error)

    threads = [threading.Thread(target=migrate) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


def test_the_file_is_readable_by_its_owner_only(sqlite_url: str, tmp_path: Path) -> None:
    Database(sqlite_url).dispose()
    assert stat.S_IMODE((tmp_path / "vitrina.db").stat().st_mode) == 0o600


@pytest.mark.parametrize("url", ["", "mysql://u:hunter2@host/db", "nonsense", "sqlite://", "sqlite:///:memory:"])
def test_an_address_that_does_not_fit_is_refused_without_repeating_its_password(url: str) -> None:
    with pytest.raises(InputError) as refused:
        Database(url)
    assert "hunter2" not in str(refused.value)
