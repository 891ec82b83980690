"""What several folders of tests need: databases of both kinds, really running."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from vitrina.storage.database import Database


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """An empty database with the newest schema; the slow tests run on PostgreSQL as well."""
    database = Database(request.getfixturevalue(f"{request.param}_url"))
    database.migrate()
    yield database
    database.dispose()


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'vitrina.db'}"


@pytest.fixture
def postgresql_url(postgresql_server: str) -> str:
    """A fresh database on the server."""
    import psycopg

    name = f"t{uuid.uuid4().hex}"
    with psycopg.connect(postgresql_server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    return postgresql_server.replace("/postgres?", f"/{name}?").replace("postgresql:", "postgresql+psycopg:")


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[str]:
    """A PostgreSQL cluster of our own in a temporary folder, on a Unix socket; skips with the reason where none is."""
    pytest.importorskip("psycopg", reason='psycopg is not installed: pip install "vitrina[postgres]"')
    initdb = _program("initdb")
    if initdb is None:
        pytest.skip("PostgreSQL is not installed: apt-get install postgresql")
    user = _user()
    folder = Path(tempfile.mkdtemp(prefix="vitrina-pg-", dir="/tmp"))
    if user is not None:
        shutil.chown(folder, user)
    data, port = folder / "data", _free_port()
    try:
        _run([initdb, "-D", data, "-U", "vitrina", "-A", "trust", "--no-sync"], user)
        options = f"-c listen_addresses='' -c unix_socket_directories={folder} -c port={port} -c fsync=off"
        _run([initdb.with_name("pg_ctl"), "-D", data, "-w", "-l", folder / "log", "-o", options, "start"], user)
        try:
            yield f"postgresql://vitrina@/postgres?host={folder}&port={port}"
        finally:
            _run([initdb.with_name("pg_ctl"), "-D", data, "-m", "immediate", "stop"], user)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _program(name: str) -> Path | None:
    installed = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    found = str(installed[-1]) if installed else shutil.which(name)
    return Path(found) if found else None


def _user() -> str | None:
    """PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name).pw_name
        except KeyError:
            continue
    pytest.skip("PostgreSQL does not run as root, and there is no other user here")


def _run(command: list[str | Path], user: str | None) -> None:
    done = subprocess.run(list(map(str, command)), user=user, cwd="/tmp", capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
