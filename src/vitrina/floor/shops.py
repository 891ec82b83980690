"""The shops that somebody set up: their cameras, and their layouts as versions that are never changed afterwards."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from vitrina.storage.database import Base


class ShopRow(Base):
    """A shop. opens: by weekday `mon` … `sun`, a list of `HH:MM-HH:MM`; None when nobody said."""

    __tablename__ = "shops"

    slug: Mapped[str] = mapped_column(sa.String(64), primary_key=True)
    name: Mapped[str] = mapped_column(sa.String(200))
    timezone: Mapped[str] = mapped_column(sa.String(64))
    currency: Mapped[str] = mapped_column(sa.String(3))
    day_starts: Mapped[str] = mapped_column(sa.String(5))
    opens: Mapped[dict[str, Any] | None] = mapped_column(sa.JSON(none_as_null=True))
    created_at: Mapped[datetime] = mapped_column()


class CameraRow(Base):
    """What belongs to a camera whatever the layout.

    source: its address with `***` for every password. secrets: those passwords, sealed, in their order.
    chosen_input: the detector's input (height, width) that the camera chose by itself from its first pictures.
    """

    __tablename__ = "cameras"

    shop_slug: Mapped[str] = mapped_column(sa.ForeignKey(ShopRow.slug), primary_key=True)
    slug: Mapped[str] = mapped_column(sa.String(64), primary_key=True)
    name: Mapped[str] = mapped_column(sa.String(200))
    source: Mapped[str] = mapped_column(sa.Text)
    secrets: Mapped[str | None] = mapped_column(sa.Text)
    chosen_input: Mapped[list[int] | None] = mapped_column(sa.JSON(none_as_null=True))


class LayoutVersion(Base):
    """Plan, cameras, zones and lines, valid from a moment until the next version's.

    document: as in the shop file, with the calibration as the points that were clicked.
    """

    __tablename__ = "layouts"
    __table_args__ = (sa.Index(None, "shop_slug", "valid_from"),)

    layout_id: Mapped[str] = mapped_column(sa.String(36), primary_key=True)
    shop_slug: Mapped[str] = mapped_column(sa.ForeignKey(ShopRow.slug))
    valid_from: Mapped[datetime] = mapped_column()
    made_by: Mapped[str] = mapped_column(sa.String(100))
    document: Mapped[dict[str, Any]] = mapped_column(sa.JSON)
