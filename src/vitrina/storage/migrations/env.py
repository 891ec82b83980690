"""Alembic runs this file; `vitrina.storage.database.Database.migrate` is its only caller in the product.

The connection is given with its transaction begun and its lock taken. `metadata` is given when a new version is made.
"""

from typing import Any, Literal

import sqlalchemy as sa
from alembic import context

connection = context.config.attributes["connection"]
metadata = context.config.attributes.get("metadata")


def render_item(kind: str, item: Any, _context: Any) -> str | Literal[False]:
    """Write our types as what they are in the database: a version must not change when our code does."""
    if kind == "type" and isinstance(item, sa.types.TypeDecorator):
        return f"sa.{item.impl!r}"
    return False


context.configure(
    connection=connection,
    target_metadata=metadata,
    transactional_ddl=True,
    render_item=render_item,
    render_as_batch=context.config.attributes.get("batch", False),
)
with context.begin_transaction():
    context.run_migrations()
