"""One command's session with the database: opened, brought up to date, closed."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from sqlalchemy.orm import Session

from vitrina.settings import Settings
from vitrina.storage.database import Database


@contextlib.contextmanager
def database_session(settings: Settings) -> Iterator[Session]:
    """Commits when the block ends, takes everything back when it raises."""
    settings.home.mkdir(parents=True, exist_ok=True, mode=0o700)
    database = Database(settings.database)
    try:
        database.migrate()
        with database.session() as session:
            yield session
    finally:
        database.dispose()
