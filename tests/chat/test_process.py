"""The process of `vitrina up` that talks, really running: SIGTERM drains it, and kill -9 loses nothing."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from tests.chat.conftest import states
from tests.servers.telegram import TOKEN, TelegramServer

from vitrina.chat import channel, outbox
from vitrina.chat.letter import Letter
from vitrina.chat.outbox import Recipient
from vitrina.cli import up
from vitrina.settings import Settings, load_settings
from vitrina.storage.database import Database
from vitrina.storage.secrets import SecretBox

Eventually = Callable[[Callable[[], bool]], bool]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings({"VITRINA_HOME": str(tmp_path)})


@pytest.fixture
def database(settings: Settings) -> Iterator[Database]:
    found = Database(settings.database)
    found.migrate()
    yield found
    found.dispose()


@pytest.fixture
def bot(database: Database, settings: Settings, telegram: TelegramServer) -> None:
    with database.session() as session:
        channel.set_telegram(session, TOKEN, box=SecretBox(settings.home), by="test", url=telegram.url)


@contextlib.contextmanager
def talking(settings: Settings, **variables: str) -> Iterator[subprocess.Popen[bytes]]:
    """The process, with its log in the home; killed at the end of the block when it is still there."""
    environ = os.environ | {"VITRINA_HOME": str(settings.home), "VITRINA_LOG_LEVEL": "debug"} | variables
    command = [sys.executable, "-m", "vitrina.cli.main", "up", "--only", "chat"]
    with (settings.home / "log.txt").open("ab") as log:
        process = subprocess.Popen(command, env=environ, stdin=subprocess.PIPE, stdout=log, stderr=log)
        try:
            yield process
        finally:
            process.kill()
            process.wait()
            assert process.stdin is not None
            process.stdin.close()


def put(database: Database, texts: list[str], *, chats: int = 1) -> None:
    with database.session() as session:
        for number, text in enumerate(texts):
            recipient = Recipient("telegram", str(1 + number % chats))
            outbox.enqueue(session, Letter(text), [recipient], topic=text)


def test_the_process_is_wanted_only_where_there_is_a_channel(database: Database, settings: Settings) -> None:
    assert "chat" not in up.commands(settings, database, is_demo=False)
    with database.session() as session:
        channel.set_telegram(session, TOKEN, box=SecretBox(settings.home), by="test")
    assert up.commands(settings, database, is_demo=False)["chat"][-2:] == ["--only", "chat"]


def test_looking_whether_it_is_wanted_imports_no_library_of_chats() -> None:
    program = """
import sys, vitrina.cli.up, vitrina.cli.chat
print(sorted({"telegram", "apprise", "httpx"} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"


@pytest.mark.slow
def test_sigterm_finishes_what_is_being_sent_and_the_next_process_goes_on(
    bot: None, database: Database, settings: Settings, telegram: TelegramServer, eventually: Eventually
) -> None:
    texts = [f"{n}" for n in range(200)]
    telegram.slow_s = 0.5
    put(database, texts, chats=8)
    with talking(settings) as process:
        assert eventually(lambda: len(telegram.shown) > 5)
        process.send_signal(signal.SIGTERM)
        assert process.wait(240) == 0
    telegram.slow_s = 0.0
    with database.reading() as session:
        row = channel.get_channel(session, "telegram")
    assert states(database).count("sent") == len(telegram.shown) < len(texts)
    assert row.reader_until is None, "another one may read at once"
    with talking(settings):
        assert eventually(lambda: states(database).count("sent") == len(texts))

    assert sorted(one.text for one in telegram.shown) == sorted(texts)
    assert "open-sesame" not in (settings.home / "log.txt").read_text()


@pytest.mark.slow
def test_kill_9_at_any_moment_loses_nothing_and_repeats_at_most_what_was_in_hand(
    bot: None, database: Database, settings: Settings, telegram: TelegramServer, eventually: Eventually
) -> None:
    texts, kills = [f"{n}" for n in range(60)], 4
    telegram.slow_s = 0.05
    put(database, texts, chats=6)
    for kill in range(kills):
        with talking(settings) as process:
            assert eventually(lambda: len(telegram.shown) > 12 * (kill + 1) - 6)  # noqa: B023 - asked at once
            process.send_signal(signal.SIGKILL)
            process.wait()
        _let_leases_end(database)
    with talking(settings):
        assert eventually(lambda: states(database).count("sent") == 60)

    shown = [one.text for one in telegram.shown]
    assert set(shown) == set(texts)
    repeated = {text: shown.count(text) - 1 for text in texts if shown.count(text) > 1}
    assert sum(repeated.values()) <= kills * 4, "four chats are served side by side"


def _let_leases_end(database: Database) -> None:
    """A minute later."""
    import sqlalchemy as sa

    with database.session() as session:
        session.execute(sa.update(channel.ChatMessage).values(lease_until=None))
        session.execute(sa.update(channel.ChatChannel).values(reader_until=None))


@pytest.mark.slow
def test_up_runs_it_beside_the_pages_and_ends_it(
    bot: None, database: Database, settings: Settings, telegram: TelegramServer, eventually: Eventually
) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    environ = os.environ | {"VITRINA_HOME": str(settings.home), "VITRINA_PORT": port}
    command = [sys.executable, "-m", "vitrina.cli.main", "up"]
    with (settings.home / "up.txt").open("wb") as log:
        process = subprocess.Popen(command, env=environ, stdout=log, stderr=log)
    try:
        telegram.say(7, "/help")
        assert eventually(lambda: len(telegram.shown) == 1)
        children: list[Any] = psutil.Process(process.pid).children(recursive=True)
        assert any("chat" in child.cmdline() for child in children)
        process.send_signal(signal.SIGTERM)
        assert process.wait(240) == 0
        assert not any(child.is_running() for child in children)
    finally:
        process.kill()
        process.wait()
    assert "Send me a photo" in telegram.shown[0].text
