"""Affiliate networks and the shops' programs in them: what somebody set up. Shipped ones need no row."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from vitrina.lens.shops import LensShop
from vitrina.storage.database import Base


class LensNetwork(Base):
    """A network, see `link.Network`. secret: its HMAC key, token: what it sends along; both sealed.

    fields: our word → their parameter. states: their word → our state.
    """

    __tablename__ = "lens_networks"

    name: Mapped[str] = mapped_column(sa.String(64), primary_key=True)
    template: Mapped[str] = mapped_column(sa.Text)
    sub_ids: Mapped[dict[str, Any]]
    hosts: Mapped[list[str]]
    fields: Mapped[dict[str, Any]]
    states: Mapped[dict[str, Any]]
    secret: Mapped[str | None] = mapped_column(sa.Text)
    token: Mapped[str | None] = mapped_column(sa.Text)
    active: Mapped[bool]
    created_at: Mapped[datetime]


class LensProgram(Base):
    """A shop's place in a network. base: the address that the network gave for it."""

    __tablename__ = "lens_programs"

    shop: Mapped[str] = mapped_column(sa.ForeignKey(LensShop.slug), primary_key=True)
    network: Mapped[str] = mapped_column(sa.String(64))
    base: Mapped[str] = mapped_column(sa.Text)
    created_at: Mapped[datetime]
