"""Reading a channel: everything is answered once, by the one who may read."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from tests.chat.conftest import Clock, rows
from tests.servers.telegram import TelegramServer

from vitrina.chat import channel
from vitrina.chat.letter import Incoming, Letter, Press
from vitrina.chat.memory import MemoryWire
from vitrina.chat.reading import Answer, Fetch, Reader
from vitrina.chat.switchboard import Switchboard
from vitrina.errors import InputError
from vitrina.storage.database import Database
from vitrina.storage.secrets import SecretBox


def echo(said: Incoming, fetch: Fetch) -> Answer:
    if said.press is not None:
        return Answer(notice=f"pressed {said.press.data}")
    if said.photo:
        return Answer([Letter(f"{len(fetch())} bytes")])
    if said.text == "boom":
        raise RuntimeError("odd")
    if said.text == "wrong":
        raise InputError("no")
    return Answer([Letter(f"{said.text}!"), Letter("Anything else?")])


@pytest.fixture
def memory() -> MemoryWire:
    return MemoryWire()


def reader_of(chats: Database, memory: MemoryWire, answering: Any = echo, **options: Any) -> Reader:
    return Reader(chats, "telegram", memory, answering, **{"poll_s": 0} | options)


def said(number: int, text: str = "", chat: str = "7", **more: Any) -> Incoming:
    return Incoming("telegram", chat, number, text, **more)


def texts(chats: Database) -> list[str]:
    return [row.text for row in rows(chats)]


def test_each_message_is_answered_once_also_by_a_reader_that_begins_anew(chats: Database, memory: MemoryWire) -> None:
    memory.incoming = [said(1, "hello"), said(2, photo="p1")]
    memory.photos = {"p1": b"12345"}
    first = reader_of(chats, memory)
    first.run_once()
    first.run_once()
    first.leave()
    memory.incoming.append(said(3, "again"))
    reader_of(chats, memory).run_once()

    assert texts(chats) == ["hello!", "Anything else?", "5 bytes", "again!", "Anything else?"]


def test_what_was_answered_but_not_noted_as_read_is_not_answered_twice(chats: Database, memory: MemoryWire) -> None:
    memory.incoming = [said(1, "hello")]
    reader_of(chats, memory).run_once()
    with chats.session() as session:
        row = channel.get_channel(session, "telegram")
        row.read_up_to, row.reader_until = 0, None
    reader_of(chats, memory).run_once()

    assert texts(chats) == ["hello!", "Anything else?"]


def test_a_press_is_noticed(chats: Database, memory: MemoryWire) -> None:
    memory.incoming = [said(1, press=Press("press1", "take", "41"))]
    reader_of(chats, memory).run_once()

    assert memory.noticed == [("press1", "pressed take")]


def test_one_odd_message_stops_nobody(chats: Database, memory: MemoryWire) -> None:
    memory.incoming = [said(1, "boom"), said(2, "wrong"), said(3, "hello"), said(4, "hi", chat="8")]
    reader_of(chats, memory).run_once()

    assert sorted(texts(chats)) == sorted(["hello!", "Anything else?", "hi!", "Anything else?"])


def test_what_an_answer_changes_and_its_letters_are_stored_together(chats: Database, memory: MemoryWire) -> None:
    def answering(one: Incoming, _fetch: Fetch) -> Answer:
        def fail(_session: Any) -> None:
            raise InputError("no")

        return Answer([Letter("done")], also=fail if one.text == "bad" else None)

    memory.incoming = [said(1, "bad"), said(2, "good")]
    reader_of(chats, memory, answering).run_once()

    assert texts(chats) == ["done"]


def test_one_at_a_time_reads_until_it_leaves_or_is_dead(chats: Database, memory: MemoryWire, clock: Clock) -> None:
    first, second, third = (reader_of(chats, memory, clock=clock) for _ in range(3))

    assert (first.run_once(), second.run_once()) == (True, False)
    first.leave()
    assert (second.run_once(), first.run_once()) == (True, False)
    clock.go(61)
    assert (third.run_once(), second.run_once()) == (True, False)


def test_chats_are_answered_side_by_side_and_each_in_its_order(chats: Database, memory: MemoryWire) -> None:
    all_four = threading.Barrier(4, timeout=240)

    def together(one: Incoming, _fetch: Fetch) -> Answer:
        all_four.wait()
        return Answer([Letter(one.text)])

    memory.incoming = [said(n, f"{n}", chat=str(n % 4)) for n in range(1, 21)]
    reader_of(chats, memory, together).run_once()

    assert not all_four.broken
    for chat in range(4):
        own = [int(row.text) for row in rows(chats) if row.recipient == str(chat)]
        assert own == sorted(own)
        assert len(own) == 5


def test_the_switchboard_answers_follows_changes_and_ends(
    chats: Database, box: SecretBox, telegram: TelegramServer, eventually: Callable[[Callable[[], bool]], bool]
) -> None:
    stop = threading.Event()
    board = threading.Thread(target=Switchboard(chats, box, echo).run, args=(stop,))
    board.start()
    telegram.say(7, "hello")
    answered = eventually(lambda: [one.text for one in telegram.shown] == ["hello!", "Anything else?"])
    with chats.session() as session:
        row = channel.get_channel(session, "telegram")
        known = (row.username, row.connected, row.reading)
        channel.remove_channel(session, "telegram", by="test")
    calls = eventually(lambda: not any(thread.name.startswith("read") for thread in threading.enumerate()))
    stop.set()
    board.join(240)

    assert (answered, calls, known) == (True, True, ("vitrina_test_bot", True, ""))
    assert not board.is_alive()


def test_a_channel_that_cannot_be_opened_says_why_and_the_others_work(
    chats: Database, box: SecretBox, telegram: TelegramServer, eventually: Callable[[Callable[[], bool]], bool]
) -> None:
    with chats.session() as session:
        channel.add_apprise(session, "ops", "nonsense://nowhere", box=box, by="test")
    board = Switchboard(chats, box, echo)
    board.look()
    telegram.say(7, "hello")
    try:
        assert eventually(lambda: len(telegram.shown) == 2)
        with chats.reading() as session:
            row = channel.get_channel(session, "ops")
        assert (row.connected, "Apprise cannot" in row.status) == (False, True)
    finally:
        board.close()
