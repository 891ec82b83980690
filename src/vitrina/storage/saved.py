"""Saved questions: SQL with a name, for oneself or for everybody who may ask."""

from __future__ import annotations

from datetime import UTC, datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, Session, mapped_column

from vitrina.errors import DeniedError, InputError, NotFoundError
from vitrina.product import new_id
from vitrina.storage import audit
from vitrina.storage.database import Base

LONGEST_NAME, LONGEST_SQL = 100, 4000


class SavedQuestion(Base):
    """raw: it reads the lake's own tables, which needs a role. shared: others see it too; only its owner changes it."""

    __tablename__ = "saved_questions"

    question_id: Mapped[str] = mapped_column(sa.String(36), primary_key=True)
    name: Mapped[str] = mapped_column(sa.String(LONGEST_NAME))
    sql: Mapped[str] = mapped_column(sa.Text)
    raw: Mapped[bool]
    shared: Mapped[bool]
    owner: Mapped[str] = mapped_column(sa.String(100), index=True)
    created_at: Mapped[datetime]


def save_question(session: Session, *, name: str, sql: str, raw: bool, shared: bool, by: str) -> SavedQuestion:
    """A new one, or the owner's of this name with other words. Raises InputError."""
    name, sql = name.strip(), check_sql(sql)
    if not 0 < len(name) <= LONGEST_NAME:
        raise InputError(f"name: expected 1 to {LONGEST_NAME} letters, got {len(name)}")
    own = sa.select(SavedQuestion).where(SavedQuestion.owner == by, SavedQuestion.name == name)
    found = session.scalars(own).one_or_none()
    if found is None:
        found = SavedQuestion(question_id=new_id(), name=name, owner=by, created_at=datetime.now(UTC))
        session.add(found)
    found.sql, found.raw, found.shared = sql, raw, shared
    audit.record(session, by, "question.save", f"question:{found.question_id}", None, {"name": name, "sql": sql})
    return found


def saved_questions(session: Session, person: str) -> list[SavedQuestion]:
    """One's own and the shared ones, by name."""
    visible = sa.or_(SavedQuestion.owner == person, SavedQuestion.shared)
    return list(
        session.scalars(sa.select(SavedQuestion).where(visible).order_by(SavedQuestion.name, SavedQuestion.question_id))
    )


def forget_question(session: Session, question_id: str, *, by: str) -> None:
    """Raises NotFoundError, and DeniedError for somebody else's."""
    found = session.get(SavedQuestion, question_id)
    if found is None or not (found.shared or found.owner == by):
        raise NotFoundError(f"there is no saved question {question_id!r}")
    if found.owner != by:
        raise DeniedError("only who saved a question may delete it")
    audit.record(session, by, "question.delete", f"question:{question_id}", {"name": found.name}, None)
    session.delete(found)


def check_sql(sql: str) -> str:
    """Without the space around it. Raises InputError for nothing and for too much."""
    sql = sql.strip().rstrip(";").strip()
    if not sql:
        raise InputError("SQL: expected one SELECT, got nothing")
    if len(sql) > LONGEST_SQL:
        raise InputError(f"SQL: expected {LONGEST_SQL} characters at most, got {len(sql)}")
    return sql
