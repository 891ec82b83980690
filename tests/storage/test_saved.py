"""Saved questions: one's own, and those for everybody."""

from __future__ import annotations

import pytest

from vitrina.errors import DeniedError, InputError, NotFoundError
from vitrina.storage import audit
from vitrina.storage.database import Database
from vitrina.storage.saved import forget_question, save_question, saved_questions


def save(database: Database, name: str, *, by: str = "anna", shared: bool = False, sql: str = "SELECT 1;") -> str:
    with database.session() as session:
        return save_question(session, name=name, sql=sql, raw=False, shared=shared, by=by).question_id


def names(database: Database, person: str) -> list[str]:
    with database.reading() as session:
        return [one.name for one in saved_questions(session, person)]


def test_a_question_is_seen_by_its_owner_and_a_shared_one_by_all(database: Database) -> None:
    save(database, "mine")
    save(database, "ours", shared=True)

    assert names(database, "anna") == ["mine", "ours"]
    assert names(database, "bob") == ["ours"]


def test_saving_under_the_same_name_changes_the_words(database: Database) -> None:
    first, second = save(database, "mine"), save(database, " mine ", sql=" SELECT 2 ; ")

    assert first == second
    with database.reading() as session:
        assert [one.sql for one in saved_questions(session, "anna")] == ["SELECT 2"]
        assert [entry.action for entry in audit.entries(session)] == ["question.save", "question.save"]


def test_only_its_owner_deletes_a_question(database: Database) -> None:
    mine, ours = save(database, "mine"), save(database, "ours", shared=True)

    with database.session() as session:
        with pytest.raises(DeniedError):
            forget_question(session, ours, by="bob")
        with pytest.raises(NotFoundError):
            forget_question(session, mine, by="bob")
        forget_question(session, ours, by="anna")

    assert names(database, "anna") == ["mine"]


@pytest.mark.parametrize(("name", "sql"), [("", "SELECT 1"), ("n" * 101, "SELECT 1"), ("n", " ; "), ("n", "S" * 4001)])
def test_what_is_empty_or_too_long_is_refused(database: Database, name: str, sql: str) -> None:
    with pytest.raises(InputError):
        save(database, name, sql=sql)
