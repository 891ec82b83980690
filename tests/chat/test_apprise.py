"""Every other channel through Apprise, against an address that really listens."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pytest
from tests.chat.conftest import NOW, Clock, Hook, rows

from vitrina.chat import channel, outbox
from vitrina.chat.apprise import AppriseWire, without_secrets
from vitrina.chat.delivery import Deliverer
from vitrina.chat.letter import Away, Button, Letter, Refused
from vitrina.chat.outbox import Recipient
from vitrina.errors import InputError
from vitrina.storage.database import Database
from vitrina.storage.secrets import SecretBox

LOOK = ((Button("Look", url="https://shop.example.org/now"), Button("I'm on it", data="take")),)


def address(hook: Hook) -> str:
    return f"json://kim:open-sesame@127.0.0.1:{hook.port}/hook?:shop=17"


def test_a_message_arrives_and_buttons_that_open_something_become_lines(hook: Hook) -> None:
    AppriseWire(address(hook)).send("", Letter("Open till 3: 5 people, 4 min", LOOK))

    [got] = [json.loads(body) for body in hook.got]
    assert got["message"] == "Open till 3: 5 people, 4 min\nLook: https://shop.example.org/now"
    assert got["shop"] == "17"


def test_a_picture_is_attached_when_it_is_there(hook: Hook, tmp_path: Path) -> None:
    (tmp_path / "shoe.jpg").write_bytes(b"\xff\xd8\xff picture")
    wire = AppriseWire(address(hook))

    wire.send("", Letter("A shoe", picture=tmp_path / "shoe.jpg"))
    wire.send("", Letter("A lost shoe", picture=tmp_path / "gone.jpg"))

    first, second = (json.loads(body)["attachments"] for body in hook.got)
    assert ([one["filename"] for one in first], second) == (["shoe.jpg"], [])


def test_what_fails_says_why_without_the_secret_and_is_tried_again(
    database: Database, box: SecretBox, hook: Hook, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with database.session() as session:
        row = channel.add_apprise(session, "ops", address(hook), box=box, by="test")
        outbox.enqueue(session, Letter("hello"), [Recipient("ops")], topic="1", now=NOW)
    hook.codes = [503, 200]
    postman = Deliverer(database, "ops", AppriseWire(box.open(row.secret)), clock=clock)
    postman.run_once()
    [waiting] = rows(database)
    clock.go(2)
    postman.run_once()

    assert (waiting.state, "503" in waiting.reason) == ("waiting", True)
    assert [(one.state, one.tries) for one in rows(database)] == [("sent", 2)]
    assert len(hook.got) == 2
    assert "open-sesame" not in caplog.text + waiting.reason + row.secret


def test_an_address_that_nobody_answers_is_away(hook: Hook) -> None:
    with pytest.raises(Away):
        AppriseWire("json://127.0.0.1:9/hook").send("", Letter("hello"))


def test_a_sent_message_cannot_be_changed_there(hook: Hook) -> None:
    with pytest.raises(Refused, match="cannot change"):
        AppriseWire(address(hook)).edit("", "", Letter("x"), pictured=False)


@pytest.mark.parametrize("wrong", ["nonsense://x", "slack://tooshort"])
def test_an_address_that_apprise_does_not_know_is_refused_without_being_shown(wrong: str) -> None:
    with pytest.raises(InputError, match=f"{wrong.split(':')[0]}://") as error:
        AppriseWire(wrong)
    assert "tooshort" not in str(error.value)


def test_an_address_is_checked_before_it_is_kept(database: Database, box: SecretBox) -> None:
    for wrong in ("", "not an address", "mailto://two lines\nhere"):
        with pytest.raises(InputError, match="expected one that Apprise knows"), database.session() as session:
            channel.add_apprise(session, "ops", wrong, box=box, by="test")


@pytest.mark.parametrize(
    ("reason", "left"),
    [
        ("Failed to send to json://kim:open-sesame@example.org/hook", "Failed to send to ***"),
        ("example.org: open-sesame was refused", "***: *** was refused"),
        ("first line\nsecond line", "first line"),
    ],
)
def test_reasons_lose_what_the_address_holds(reason: str, left: Any) -> None:
    assert without_secrets(reason, "json://kim:open-sesame@example.org/hook") == left
