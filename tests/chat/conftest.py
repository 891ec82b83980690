"""A Telegram of one's own, and an outbox in front of it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from tests.servers.telegram import TOKEN, TelegramServer

from vitrina.chat import channel, outbox
from vitrina.chat.channel import ChatMessage
from vitrina.chat.letter import Letter
from vitrina.chat.outbox import Recipient
from vitrina.chat.telegram import TelegramWire
from vitrina.storage.database import Database
from vitrina.storage.secrets import SecretBox

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)


@dataclass
class Clock:
    """Stands still until it is moved."""

    now: datetime = NOW

    def __call__(self) -> datetime:
        return self.now

    def go(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def box(tmp_path: Path) -> SecretBox:
    return SecretBox(tmp_path)


@pytest.fixture
def telegram() -> Iterator[TelegramServer]:
    server = TelegramServer().start()
    yield server
    server.stop()


@pytest.fixture
def wire(telegram: TelegramServer) -> Iterator[TelegramWire]:
    with closing(TelegramWire(TOKEN, url=telegram.url)) as wire:
        yield wire


@pytest.fixture
def open_wire(telegram: TelegramServer) -> Iterator[Callable[[], TelegramWire]]:
    """One more, as another process would have it."""
    with ExitStack() as opened:
        yield lambda: opened.enter_context(closing(TelegramWire(TOKEN, url=telegram.url)))


@pytest.fixture
def chats(database: Database, box: SecretBox, telegram: TelegramServer) -> Database:
    """A database in which the channels `telegram` and `ops` are set."""
    with database.session() as session:
        channel.set_telegram(session, TOKEN, box=box, by="test", url=telegram.url)
        channel.add_apprise(session, "ops", "json://127.0.0.1:9/hook", box=box, by="test")
    return database


def put(database: Database, *texts: str, to: int = 7, now: datetime = NOW, **letter: Any) -> None:
    """Let texts wait for a chat of Telegram's, each its own topic."""
    with database.session() as session:
        for text in texts:
            outbox.enqueue(session, Letter(text, **letter), [Recipient("telegram", str(to))], topic=text, now=now)


def rows(database: Database) -> list[ChatMessage]:
    """Oldest first."""
    with database.reading() as session:
        return list(reversed(outbox.messages(session, limit=100_000)))


def states(database: Database) -> list[str]:
    return [row.state for row in rows(database)]


@dataclass
class Hook:
    """An address that takes messages, and answers with the codes that it is told, the last one again and again."""

    codes: list[int] = field(default_factory=lambda: [200])
    got: list[bytes] = field(default_factory=list)
    port: int = 0


@pytest.fixture
def hook() -> Iterator[Hook]:
    found = Hook()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            found.got.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(found.codes.pop(0) if len(found.codes) > 1 else found.codes[0])
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    found.port = server.server_port
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield found
    server.shutdown()
    server.server_close()


@pytest.fixture
def eventually() -> Callable[[Callable[[], bool]], bool]:
    """Whether it comes true; a machine that stalls has minutes for it."""

    def wait(condition: Callable[[], bool]) -> bool:
        until = time.monotonic() + 240
        while time.monotonic() < until:
            if condition():
                return True
            time.sleep(0.02)
        return False

    return wait
