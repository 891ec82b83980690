"""What shoppers miss: purchases after a click that no network has told us of."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from vitrina.lens.clicks import LensClick
from vitrina.storage.database import Base


class LensMissing(Base):
    """A shopper's question about one click. state: open, found or refused. order_id, note: in the shopper's words."""

    __tablename__ = "lens_missing"

    click_id: Mapped[str] = mapped_column(sa.ForeignKey(LensClick.click_id), primary_key=True)
    wallet: Mapped[str] = mapped_column(sa.String(64))
    at: Mapped[datetime]
    order_id: Mapped[str] = mapped_column(sa.String(200))
    note: Mapped[str] = mapped_column(sa.Text)
    state: Mapped[str] = mapped_column(sa.String(16), index=True)
    answer: Mapped[str] = mapped_column(sa.Text)
    answered_by: Mapped[str] = mapped_column(sa.String(100))
    answered_at: Mapped[datetime | None]
