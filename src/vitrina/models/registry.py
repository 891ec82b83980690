"""Which model runs where: every promotion is a row, the newest one of a role and place counts."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, Session, mapped_column

from vitrina.models.library import find_model, model_by_sha
from vitrina.models.manifest import DEFAULT_MODELS, Model
from vitrina.storage.database import Base

EVERYWHERE = ""
"""The place of a promotion that holds for every shop without one of its own."""


class Promotion(Base):
    """One decision to run a model. Rows are only added, so that the past stays explained.

    place: the slug of a shop, or EVERYWHERE. score: what the model was promoted for, such as {"ap": 0.91}.
    """

    __tablename__ = "model_promotions"
    __table_args__ = (sa.Index(None, "role", "place", "id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    role: Mapped[str] = mapped_column(sa.String(40))
    place: Mapped[str] = mapped_column(sa.String(80))
    name: Mapped[str] = mapped_column(sa.String(80))
    sha256: Mapped[str] = mapped_column(sa.String(64))
    layout: Mapped[str] = mapped_column(sa.String(40))
    score: Mapped[dict[str, Any]]
    promoted_at: Mapped[datetime]
    promoted_by: Mapped[str] = mapped_column(sa.String(200))


def promote(
    session: Session,
    model: Model,
    *,
    by: str,
    place: str = EVERYWHERE,
    score: Mapping[str, Any] | None = None,
    now: datetime | None = None,
) -> Promotion:
    """Let `model` run in its role from now on; the score defaults to the one in its manifest."""
    row = Promotion(
        role=model.role,
        place=place,
        name=model.name,
        sha256=model.sha256,
        layout=model.layout,
        score=dict(model.score if score is None else score),
        promoted_at=now or datetime.now(UTC),
        promoted_by=by,
    )
    session.add(row)
    session.flush()
    return row


def promoted(session: Session, role: str, place: str = EVERYWHERE) -> Promotion | None:
    """The newest promotion for this place, else the newest one for everywhere, else None."""
    newest = sa.select(Promotion).where(Promotion.role == role).order_by(Promotion.id.desc()).limit(1)
    own = session.scalar(newest.where(Promotion.place == place))
    return own or session.scalar(newest.where(Promotion.place == EVERYWHERE))


def promotions(session: Session, role: str | None = None) -> list[Promotion]:
    """The whole history, newest first."""
    rows = sa.select(Promotion).order_by(Promotion.id.desc())
    return list(session.scalars(rows if role is None else rows.where(Promotion.role == role)))


def running_model(session: Session, home: Path, role: str, place: str = EVERYWHERE) -> Model:
    """The model to load: the promoted one, by its sha256, else the one that ships.

    NotFoundError when the promoted file is no longer there.
    """
    row = promoted(session, role, place)
    return find_model(home, DEFAULT_MODELS[role]) if row is None else model_by_sha(home, row.sha256, name=row.name)
