"""The database: things people edit, in SQLite (default) or PostgreSQL.

    database = Database("sqlite:////var/lib/vitrina/vitrina.db")
    database.migrate()
    with database.session() as session:
        session.add(...)
    with database.reading() as session:
        session.scalars(...)

`session` is one write transaction, committed at the end of the block; `reading` is a snapshot that waits for nobody
and cannot write.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.engine import URL, Connection, Dialect, make_url
from sqlalchemy.exc import ArgumentError, DontWrapMixin, InternalError, NoSuchModuleError, OperationalError
from sqlalchemy.orm import DeclarativeBase, Session

from vitrina.errors import InputError, MissingError, StorageError

if TYPE_CHECKING:
    from alembic.config import Config

_MIGRATION_LOCK = 0x71_72_1A
"""Key of PostgreSQL's advisory lock, so that two processes that start at once migrate one after the other."""


class NaiveTimeError(InputError, DontWrapMixin):
    """A time without a zone was about to be stored."""


class UtcDateTime(sa.types.TypeDecorator[datetime]):
    """Takes datetimes of any zone, refuses those without one, gives UTC back, on every engine."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise NaiveTimeError(f"expected a datetime with a time zone, got {value!r}; use datetime.now(UTC)")
        utc = value.astimezone(UTC)
        return utc.replace(tzinfo=None) if dialect.name == "sqlite" else utc

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Base(DeclarativeBase):
    """Every table of the product. Names of constraints are fixed here, so that migrations can address them."""

    metadata = sa.MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {datetime: UtcDateTime, dict[str, Any]: sa.JSON, list[str]: sa.JSON}  # noqa: RUF012


class Database:
    """One database, by address. Safe to share between threads; after a fork, make a new one.

    busy_s: how long a writer waits for another one before it gives up (SQLite).
    """

    def __init__(self, url: str, *, busy_s: float = 15.0) -> None:
        address = _address(url)
        self.dialect = address.get_backend_name()
        if self.dialect == "sqlite":
            _prepare_file(address)
        self._engine = _engine(address, busy_s)
        self._reader = self._engine.execution_options(reading=True, postgresql_readonly=True)

    @contextmanager
    def session(self) -> Iterator[Session]:
        """One write transaction: committed at the end of the block, rolled back when it raises."""
        with _storage_errors(), Session(self._engine, expire_on_commit=False) as session, session.begin():
            yield session

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """One consistent snapshot. It never waits for a writer, and a write in it is an error."""
        with _storage_errors(), Session(self._reader, expire_on_commit=False) as session:
            yield session

    def migrate(self) -> None:
        """Bring the schema up to the newest version; several processes may do so at once."""
        from alembic import command  # a quarter of the start of every process that does not need it

        with _storage_errors(), self._engine.begin() as connection:
            if self.dialect == "postgresql":
                connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_MIGRATION_LOCK)))
            command.upgrade(migration_config(connection), "head")

    def connect(self) -> Connection:
        """A bare connection, for tools that look at the schema."""
        return self._engine.connect()

    def dispose(self) -> None:
        self._engine.dispose()


def migration_config(connection: Connection) -> Config:
    """Alembic's configuration for the packaged migrations, run on a connection that is open already."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config


def _address(url: str) -> URL:
    try:
        address = make_url(url)
        if address.drivername == "postgresql":
            address = address.set(drivername="postgresql+psycopg")
        backend = address.get_backend_name()
        address.get_dialect()
    except (ArgumentError, NoSuchModuleError) as error:
        raise _unknown_address(url) from error
    if backend not in ("sqlite", "postgresql"):
        raise _unknown_address(url)
    if backend == "sqlite" and address.database in (None, "", ":memory:"):
        raise InputError("the database must be a file, such as sqlite:////var/lib/vitrina/vitrina.db, not :memory:")
    return address


def _unknown_address(url: str) -> InputError:
    scheme = url.partition("://")[0] if "://" in url else "no scheme"  # the rest may hold a password
    return InputError(
        f"database_url: expected sqlite:///PATH or postgresql://USER@HOST/NAME, got an address with {scheme!r}"
    )


def _prepare_file(address: URL) -> None:
    path = Path(str(address.database))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600)


def _engine(address: URL, busy_s: float) -> sa.Engine:
    if address.get_backend_name() == "sqlite":
        engine = sa.create_engine(address, connect_args={"timeout": busy_s, "check_same_thread": False})
        sa.event.listen(engine, "connect", _on_sqlite_connect)
        sa.event.listen(engine, "begin", _on_sqlite_begin)
        return engine
    try:
        return sa.create_engine(address, pool_pre_ping=True)
    except ModuleNotFoundError as error:
        raise MissingError('PostgreSQL needs its driver: pip install "vitrina[postgres]"') from error


def _on_sqlite_connect(raw: Any, _record: object) -> None:
    raw.isolation_level = None  # we say BEGIN ourselves
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        raw.execute(f"PRAGMA {pragma}")


def _on_sqlite_begin(connection: Connection) -> None:
    """A writer takes its lock at once: a transaction that reads first and writes later could not wait for another."""
    reading = connection.get_execution_options().get("reading", False)
    connection.exec_driver_sql(f"PRAGMA query_only={'ON' if reading else 'OFF'}")
    connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")


@contextmanager
def _storage_errors() -> Iterator[None]:
    try:
        yield
    except (OperationalError, InternalError) as error:
        raise StorageError(f"the database cannot do this now: {error.orig}") from error
