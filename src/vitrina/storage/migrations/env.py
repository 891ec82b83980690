"""Alembic runs this file; `vitrina.storage.database.Database.migrate` is its only caller in the product.

The connection is given with its transaction begun and its lock taken.
"""

from alembic import context

connection = context.config.attributes["connection"]

context.configure(
    connection=connection,
    target_metadata=context.config.attributes.get("metadata"),
    transactional_ddl=True,
    render_as_batch=connection.dialect.name == "sqlite",
)
with context.begin_transaction():
    context.run_migrations()
