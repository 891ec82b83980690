"""What several folders of tests need: databases of both kinds, a simulated chain and a web server, really running."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings as hypothesis_settings

from vitrina.floor.setup import shops
from vitrina.floor.setup.shopfile import ShopFile
from vitrina.floor.simulate.chain import simulate_chain
from vitrina.floor.simulate.write import write_chain
from vitrina.floor.store import FLOOR_TABLES
from vitrina.settings import Settings, load_settings
from vitrina.storage import accounts, apikeys
from vitrina.storage.database import Database
from vitrina.storage.lake import Lake
from vitrina.storage.secrets import SecretBox

PASSWORD = "correct horse battery"

# A busy machine is no mistake; and what lands or not must not depend on chance: new cases are looked for elsewhere.
hypothesis_settings.register_profile("here", deadline=None)
hypothesis_settings.register_profile("ci", deadline=None, derandomize=True)
hypothesis_settings.load_profile("ci" if os.environ.get("CI") else "here")


@cache
def password_hash() -> str:
    """Slow by intention, so made once."""
    return accounts.hash_password(PASSWORD)


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


# The web: a simulated chain on disk, and a server that really listens ------------------------------------------------

CHAIN_DAY = date(2026, 3, 10)
CHAIN_NOW = datetime(2026, 3, 10, 15, 30, tzinfo=UTC)
"""A Tuesday afternoon: Berlin and London are open, Tokyo has closed."""


@dataclass(frozen=True)
class Home:
    """A folder with a database and a lake of its own; the lake of the chain is shared and only read."""

    path: Path
    settings: Settings

    def database(self) -> Database:
        return Database(self.settings.database)

    def lake(self) -> Lake:
        return Lake(self.settings.lake, tables=FLOOR_TABLES)

    def person(self, email: str, *roles: tuple[str, str | None], name: str = "") -> str:
        """A new person with `PASSWORD` and roles, pairs of role and shop (None: every shop); gives the id."""
        database = self.database()
        with database.session() as session:
            person = accounts.create_person(session, email=email, name=name or email, by="test")
            person.password_hash = password_hash()
            for role, shop in roles:
                accounts.grant(session, person.person_id, role, shop=shop, by="test")
        database.dispose()
        return person.person_id

    def key(self, person_id: str, *scopes: str) -> str:
        database = self.database()
        with database.session() as session:
            _, key = apikeys.create_key(session, person_id, name="test", scopes=scopes)
        database.dispose()
        return key


def make_home(path: Path, **variables: str) -> Home:
    path.mkdir(exist_ok=True, mode=0o700)
    home = Home(path, load_settings({"VITRINA_HOME": str(path)} | variables))
    database = home.database()
    database.migrate()
    database.dispose()
    return home


@pytest.fixture(scope="session")
def simulated_chain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three simulated shops over eight days, with people counted until `CHAIN_NOW`."""
    home = make_home(tmp_path_factory.mktemp("chain"))
    chain = simulate_chain(3, 8, seed=7, end_day=CHAIN_DAY, until=CHAIN_NOW)
    database, box = home.database(), SecretBox(home.path)
    with database.session() as session:
        stored = [
            shops.apply(session, ShopFile(shop, {}), "test", box=box, now=shop.layout.valid_from).shop
            for shop in chain.shops
        ]
    database.dispose()
    write_chain(home.lake(), replace(chain, shops=tuple(stored)))
    return home.path


@pytest.fixture
def chain_home(simulated_chain: Path, tmp_path: Path) -> Home:
    """The chain with a database of this test's own."""
    return copy_chain(simulated_chain, tmp_path / "home")


@pytest.fixture(scope="session")
def shared_chain(simulated_chain: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Home, str]]:
    """The chain and the address of a server for tests that only look; there is one administrator, Anna."""
    from vitrina.web.app import create_app

    home = copy_chain(simulated_chain, tmp_path_factory.mktemp("shared") / "home")
    home.person("anna@example.org", ("admin", None), name="Anna")
    with serving(create_app(home.settings, now=lambda: CHAIN_NOW)) as address:
        yield home, address


def copy_chain(simulated_chain: Path, path: Path) -> Home:
    path.mkdir(mode=0o700)
    shutil.copy(simulated_chain / "vitrina.db", path)
    shutil.copy(simulated_chain / "secret.key", path)
    (path / "lake").symlink_to(simulated_chain / "lake")
    return make_home(path)


@pytest.fixture
def empty_home(tmp_path: Path) -> Home:
    return make_home(tmp_path / "empty")


@contextmanager
def serving(app: Any) -> Iterator[str]:
    """The address of a real server that runs `app` until the block ends."""
    import uvicorn

    port = _free_port()
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=port, log_config=None, server_header=False))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started and thread.is_alive():
        time.sleep(0.005)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(timeout=20)


@pytest.fixture
def serve() -> Iterator[Callable[..., str]]:
    """serve(home, **options of create_app) → address; stopped after the test. Time stands at `CHAIN_NOW`."""
    from vitrina.web.app import create_app

    with ExitStack() as running:

        def start(home: Home, **options: Any) -> str:
            app = create_app(home.settings, **{"now": lambda: CHAIN_NOW} | options)
            return running.enter_context(serving(app))

        yield start


# Lens: a shop in the web with one boot, cashback on it, and a network that signs -------------------------------------

NETWORK_SECRET = "what only the network knows"


@pytest.fixture
def lens_home(lens_shop: Path, tmp_path: Path) -> Home:
    """Shop `best`: boot `1` for 49.90 EUR, 5 % back after 14 days, links by Admitad, postbacks signed."""
    shutil.copytree(lens_shop, tmp_path / "lens-home")
    return Home(tmp_path / "lens-home", load_settings({"VITRINA_HOME": str(tmp_path / "lens-home")}))


@pytest.fixture(scope="session")
def lens_shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from vitrina.lens import networks, terms
    from vitrina.lens import shops as lens_shops

    home = make_home(tmp_path_factory.mktemp("lens") / "home")
    database, yesterday = home.database(), datetime.now(UTC).date() - timedelta(days=1)
    with database.session() as session:
        lens_shops.save_shop(session, "best", by="test", name="Best", currency="EUR")
        networks.set_program(session, "best", "admitad", base="https://ad.admitad.com/g/abc/", by="test")
        networks.set_secret(session, "admitad", box=SecretBox(home.path), by="test", secret=NETWORK_SECRET)
        given = terms.TermSettings("best", percent="5", hold_days=14, first=yesterday)
        terms.set_term(session, given, by="test", today=yesterday)
    database.dispose()
    put_offer(home, "1", "https://best.example/boot?id=1")
    return home.path


@pytest.fixture
def offer_put() -> Callable[..., None]:
    """offer_put(home, offer_id, url) → one more boot in the catalog."""
    return put_offer


def put_offer(home: Home, offer_id: str, url: str, *, shop: str = "best", gone_at: float | None = None) -> None:
    import contextlib

    from vitrina.lens import store

    with contextlib.closing(store.open_catalog(home.settings.lens / "catalog.db")) as catalog, catalog:
        catalog.execute(
            "INSERT INTO offers(shop, offer_id, digest, name, brand, vendor_code, gtin, group_id, category,"
            " price_minor, currency, available, url, params, description, line, feed_id, gone_at, changed_at) VALUES"
            " (?, ?, x'00', 'Boot', '', '', '', '', 'Shoes › Boots', 4990, 'EUR', 1, ?, '[]', '', 1, '', ?, 0)",
            (shop, offer_id, url, gone_at),
        )
