"""`vitrina chat`, as it is typed, with a Telegram that really answers."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.servers.telegram import TOKEN, TelegramServer
from typer.testing import CliRunner

from vitrina.chat import linking, outbox
from vitrina.chat.letter import Letter
from vitrina.chat.linking import Owner
from vitrina.chat.outbox import Recipient
from vitrina.cli import chat
from vitrina.errors import InputError, NotFoundError
from vitrina.settings import Settings, load_settings
from vitrina.storage import accounts
from vitrina.storage.database import Database

Run = Callable[..., str]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings({"VITRINA_HOME": str(tmp_path / "home")}, folder=tmp_path)


@pytest.fixture
def run(settings: Settings) -> Run:
    def invoke(*words: str, ends_with: int = 0, typed: str = "") -> str:
        done = CliRunner().invoke(chat.app, list(words), obj=settings, catch_exceptions=False, input=typed)
        assert done.exit_code == ends_with, done.output
        return done.output

    return invoke


@pytest.fixture
def database(settings: Settings) -> Iterator[Database]:
    settings.home.mkdir(mode=0o700)
    found = Database(settings.database)
    found.migrate()
    yield found
    found.dispose()


@pytest.fixture
def telegram() -> Iterator[TelegramServer]:
    server = TelegramServer().start()
    yield server
    server.stop()


@pytest.fixture
def bot(run: Run, telegram: TelegramServer, tmp_path: Path) -> Any:
    (tmp_path / "token").write_text(f"{TOKEN}\nrest\n")
    return json.loads(run("telegram", "set", "--token-file", str(tmp_path / "token"), "--url", telegram.url, "--json"))


def test_a_bot_is_set_and_its_token_shown_nowhere(run: Run, bot: Any) -> None:
    assert (bot["name"], bot["username"], bot["warning"]) == ("telegram", "vitrina_test_bot", "")
    shown = run("list") + run("list", "--json") + json.dumps(bot)
    assert "vitrina_test_bot" in shown
    assert "open-sesame" not in shown


def test_a_token_that_telegram_does_not_know_is_not_kept(run: Run, telegram: TelegramServer) -> None:
    with pytest.raises(InputError, match="BotFather"):
        run("telegram", "set", "--ask-token", "--url", telegram.url, typed="4242:wrong\n")
    assert json.loads(run("list", "--json"))["channels"] == []


def test_while_telegram_is_down_a_token_is_kept_as_it_is(run: Run, telegram: TelegramServer) -> None:
    telegram.stop()
    said = run("telegram", "set", "--ask-token", "--url", telegram.url, typed=f"{TOKEN}\n")

    assert "cannot be asked now" in said
    assert [row["name"] for row in json.loads(run("list", "--json"))["channels"]] == ["telegram"]


@pytest.mark.parametrize("words", [(), ("--ask-token", "--token-file", "x")])
def test_the_token_comes_from_one_place(run: Run, words: tuple[str, ...]) -> None:
    with pytest.raises(InputError, match="either --token-file"):
        run("telegram", "set", *words)


def test_a_code_is_made_for_a_person_and_its_chat_is_tested_and_unlinked(
    database: Database, run: Run, bot: Any, telegram: TelegramServer
) -> None:
    with database.session() as session:
        accounts.create_person(session, email="kim@example.org", name="Kim", by="test")
    made = json.loads(run("link", "--person", "kim@example.org", "--json"))
    with database.session() as session:
        linking.use_code(session, Recipient("telegram", "7"), made["code"], name="Kim's phone")

    assert made["url"] == f"https://t.me/vitrina_test_bot?start={made['code'].replace('-', '')}"
    [link] = json.loads(run("list", "--json"))["links"]
    assert (link["whose"], link["chat"]) == ("kim@example.org", "7")
    assert "sent" in run("test", "telegram")
    assert [(one.chat, one.text) for one in telegram.shown] == [("7", "This is a test from Vitrina.")]
    telegram.blocked = {"7"}
    assert "blocked by the user" in run("test", ends_with=1)
    run("unlink", link["link_id"][-8:])
    assert "no chat is linked yet" in run("test", ends_with=1)


def test_a_code_is_shown_to_be_typed_or_scanned(run: Run, bot: Any) -> None:
    shown = run("link", "--role", "director")

    assert "/link " in shown
    assert "https://t.me/vitrina_test_bot?start=" in shown
    assert "█" in shown


def test_an_apprise_channel_is_added_tried_dry_linked_and_removed(run: Run, tmp_path: Path) -> None:
    (tmp_path / "address").write_text("json://kim:open-sesame@127.0.0.1:9/hook\n")
    run("apprise", "add", "ops", str(tmp_path / "address"))

    assert "would be sent" in run("test", "ops", "--dry-run")
    assert "open-sesame" not in run("test", "ops", ends_with=1) + run("list", "--json")
    assert "is linked" in run("link", "--role", "director", "--channel", "ops")
    [link] = json.loads(run("list", "--json"))["links"]
    assert link["whose"] == "director in every shop"
    run("remove", "ops")
    assert json.loads(run("list", "--json")) == {"channels": [], "links": []}


def test_the_outbox_is_listed_by_state(database: Database, run: Run, bot: Any) -> None:
    now = datetime.now(UTC)
    with database.session() as session:
        for text in ("one", "two"):
            outbox.enqueue(session, Letter(text, use_s=60), [Recipient("telegram", "7")], topic=text, now=now)
        linking.link(session, Recipient("telegram", "7"), Owner(wallet="w"), name="", by="test")
    assert "one" in run("outbox")
    assert "a shopper" in run("list")
    with database.session() as session:
        outbox.drop_expired(session, "telegram", now + timedelta(minutes=2))

    assert json.loads(run("outbox", "--state", "waiting", "--json")) == []
    dropped = json.loads(run("outbox", "--state", "dropped", "--json"))
    assert [(one["text"], one["state"]) for one in dropped] == [("two", "dropped"), ("one", "dropped")]
    with pytest.raises(InputError, match="expected one of waiting"):
        run("outbox", "--state", "lost")


def test_what_is_not_there_is_named(run: Run, bot: Any) -> None:
    with pytest.raises(NotFoundError, match="no person"):
        run("link", "--person", "nobody@example.org")
    with pytest.raises(NotFoundError, match="there are: telegram"):
        run("link", "--role", "director", "--channel", "second")
    with pytest.raises(NotFoundError, match="riga-1"):
        run("link", "--role", "director", "--shop", "riga-1")
    with pytest.raises(InputError, match="exactly one"):
        run("link")
    with pytest.raises(NotFoundError):
        run("unlink", "12345678")
    with pytest.raises(NotFoundError):
        run("remove", "ops")
