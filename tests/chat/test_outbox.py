"""The outbox: nothing is lost, nothing goes out twice, what is of no more use is dropped and on record."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from tests.chat.conftest import NOW, Clock, put, rows, states
from tests.servers.telegram import TelegramServer

from vitrina.chat import channel, outbox
from vitrina.chat.delivery import Deliverer
from vitrina.chat.letter import Away, Button, Letter, Refused
from vitrina.chat.memory import MemoryWire
from vitrina.chat.outbox import Recipient
from vitrina.chat.telegram import TelegramWire
from vitrina.errors import InputError
from vitrina.storage.database import Database

TAKE = ((Button("I'm on it", data="alert:1:take"),),)
KIM, TIM = Recipient("telegram", "7"), Recipient("telegram", "8")


@pytest.fixture
def memory() -> MemoryWire:
    return MemoryWire()


@pytest.fixture
def postman(chats: Database, memory: MemoryWire, clock: Clock) -> Deliverer:
    return Deliverer(chats, "telegram", memory, clock=clock)


def run_all(postman: Deliverer) -> None:
    while postman.run_once():
        pass


def texts(memory: MemoryWire) -> list[str]:
    return [one.letter.text for one in memory.sent]


def test_what_waits_is_sent_once_in_its_order(chats: Database, memory: MemoryWire, postman: Deliverer) -> None:
    put(chats, *(f"{n}" for n in range(50)))
    put(chats, "3", "4")  # the same topics again

    run_all(postman)

    assert texts(memory) == [f"{n}" for n in range(50)]
    assert {(row.state, row.tries, row.shown) for row in rows(chats)} == {("sent", 1, 1)}
    assert not postman.run_once()


def test_nothing_leaves_that_was_not_committed(chats: Database, memory: MemoryWire, postman: Deliverer) -> None:
    def change() -> None:
        with chats.session() as session:
            outbox.enqueue(session, Letter("no"), [KIM], topic="1")
            Button("neither")

    with pytest.raises(InputError):
        change()

    assert not postman.run_once()
    assert memory.sent == []


def test_a_channel_that_is_down_is_asked_ever_more_rarely_and_loses_nothing(
    chats: Database, memory: MemoryWire, postman: Deliverer, clock: Clock
) -> None:
    put(chats, "a", "b", "c")
    memory.faults = [Away("no route to host")] * 5
    asked_at = []
    for _ in range(90):
        before = len(memory.faults)
        postman.run_once()
        if len(memory.faults) < before:
            asked_at.append((clock.now - NOW).total_seconds())
        clock.go(1)

    assert [round(later - earlier) for earlier, later in pairwise(asked_at)] == [1, 2, 4, 8]
    assert sorted(texts(memory)) == ["a", "b", "c"]
    with chats.reading() as session:
        row = channel.get_channel(session, "telegram")
    assert (row.connected, row.status, row.failures) == (True, "", 0)


def test_while_it_is_down_the_channel_says_why(chats: Database, memory: MemoryWire, postman: Deliverer) -> None:
    put(chats, "a")
    memory.faults = [Away("no route to host")]
    postman.run_once()

    with chats.reading() as session:
        row = channel.get_channel(session, "telegram")
    assert (row.connected, row.status, row.failures) == (False, "no route to host", 1)
    assert [(row.state, row.reason, row.tries) for row in rows(chats)] == [("waiting", "no route to host", 1)]


def test_what_waited_longer_than_it_is_of_use_is_dropped_and_on_record(
    chats: Database, memory: MemoryWire, postman: Deliverer, clock: Clock
) -> None:
    put(chats, "queue at till 3", use_s=180)
    put(chats, "the day's figures", use_s=3600)
    memory.faults = [Away("no route to host")] * 8
    for _ in range(60):
        postman.run_once()
        clock.go(6)

    assert texts(memory) == ["the day's figures"]
    dropped, sent = rows(chats)
    assert (dropped.state, sent.state) == ("dropped", "sent")
    assert "of no more use after 180 s" in dropped.reason
    assert "no route to host" in dropped.reason
    assert dropped.next_try_at is None


def test_one_message_that_always_fails_does_not_hold_up_the_others(
    chats: Database, memory: MemoryWire, clock: Clock
) -> None:
    class Picky(MemoryWire):
        def send(self, recipient: str, letter: Letter) -> str:
            if letter.text == "odd":
                raise Away("server error")
            return super().send(recipient, letter)

    picky = Picky()
    postman = Deliverer(chats, "telegram", picky, clock=clock)
    put(chats, "odd", *(f"{n}" for n in range(30)), use_s=600)
    for _ in range(60):
        postman.run_once()
        clock.go(12)

    assert texts(picky) == [f"{n}" for n in range(30)]
    assert states(chats)[0] == "dropped"


def test_what_is_refused_fails_with_its_reason_and_the_next_goes_on(
    chats: Database, memory: MemoryWire, postman: Deliverer
) -> None:
    put(chats, "a", "b")
    memory.faults = [Refused("bot was blocked by the user")]
    run_all(postman)

    assert [(row.state, row.reason) for row in rows(chats)] == [
        ("failed", "bot was blocked by the user"),
        ("sent", ""),
    ]


def test_too_much_for_one_chat_lets_the_others_go_on(
    chats: Database, memory: MemoryWire, postman: Deliverer, clock: Clock
) -> None:
    put(chats, "a", "b", to=7)
    put(chats, "c", to=8)
    memory.faults = [Away("wait", wait_s=30)]
    postman.run_once()
    run_all(postman)
    assert texts(memory) == ["c"]

    clock.go(29)
    run_all(postman)
    assert texts(memory) == ["c"]
    clock.go(2)
    run_all(postman)
    assert texts(memory) == ["c", "a", "b"]


def test_too_much_for_two_chats_pauses_them_all(
    chats: Database, memory: MemoryWire, postman: Deliverer, clock: Clock
) -> None:
    for chat in range(4):
        put(chats, f"{chat}", to=chat)
    memory.faults = [Away("wait", wait_s=30)] * 2
    for _ in range(20):
        postman.run_once()

    assert (memory.sent, memory.faults) == ([], [])
    clock.go(31)
    run_all(postman)
    assert sorted(texts(memory)) == ["0", "1", "2", "3"]


def test_everybodys_copy_changes_be_it_sent_or_not(chats: Database, memory: MemoryWire, postman: Deliverer) -> None:
    with chats.session() as session:
        outbox.enqueue(session, Letter("5 people wait", TAKE), [KIM, TIM], topic="alert:1", now=NOW)
    run_all(postman)
    with chats.session() as session:
        assert outbox.topic_of(session, KIM, memory.sent[0].external_id) == "alert:1"
        outbox.enqueue(session, Letter("5 people wait", TAKE), [Recipient("telegram", "9")], topic="alert:1", now=NOW)
        assert outbox.change(session, "alert:1", "Kim is on it", now=NOW) == 3
    run_all(postman)

    assert [(one.recipient, one.external_id, one.letter.text, one.letter.buttons) for one in memory.edits] == [
        ("7", "1", "Kim is on it", ()),
        ("8", "2", "Kim is on it", ()),
    ]
    assert memory.sent[2].letter == Letter("Kim is on it")
    assert not postman.run_once()


def test_a_change_while_the_message_is_being_sent_is_made_afterwards(chats: Database, clock: Clock) -> None:
    class Changing(MemoryWire):
        def send(self, recipient: str, letter: Letter) -> str:
            with chats.session() as session:
                outbox.change(session, "a", "changed", now=NOW)
            return super().send(recipient, letter)

    changing = Changing()
    put(chats, "a")
    run_all(Deliverer(chats, "telegram", changing, clock=clock))

    assert [one.letter.text for one in changing.sent + changing.edits] == ["a", "changed"]


def test_a_message_that_cannot_be_changed_stays_sent_with_the_reason(
    chats: Database, memory: MemoryWire, postman: Deliverer
) -> None:
    put(chats, "a")
    run_all(postman)
    with chats.session() as session:
        outbox.change(session, "a", "b", now=NOW)
    memory.faults = [Refused("message to edit not found")]
    run_all(postman)

    assert [(row.state, row.reason) for row in rows(chats)] == [("sent", "message to edit not found")]


def test_what_a_dead_process_held_is_sent_when_its_lease_is_over(
    chats: Database, memory: MemoryWire, postman: Deliverer, clock: Clock
) -> None:
    put(chats, "a", "b")
    with chats.session() as session:
        held = outbox.claim(session, "telegram", sender="dead", lease_s=60, now=NOW)
        assert outbox.arrived(session, held[0], "41", now=NOW)
    run_all(postman)
    assert texts(memory) == []

    clock.go(61)
    run_all(postman)
    assert texts(memory) == ["b"]
    with chats.session() as session:
        assert not outbox.arrived(session, held[1], "42", now=NOW), "it is not the dead one's any more"


def test_while_somebody_holds_a_chat_its_next_message_waits(chats: Database) -> None:
    put(chats, "a", to=7)
    with chats.session() as session:
        outbox.claim(session, "telegram", sender="one", lease_s=60, now=NOW)
    put(chats, "b", to=7)
    put(chats, "c", to=8)
    with chats.session() as session:
        other = outbox.claim(session, "telegram", sender="two", lease_s=60, now=NOW)

    assert [parcel.letter.text for parcel in other] == ["c"]


def test_processes_that_share_an_outbox_send_each_message_once(
    chats: Database, open_wire: Callable[[], TelegramWire], telegram: TelegramServer
) -> None:
    for chat in range(5):
        put(chats, *(f"{chat}.{n}" for n in range(12)), to=chat, now=datetime.now(UTC))
    stop, done = threading.Event(), time.monotonic() + 240
    postmen = [Deliverer(chats, "telegram", open_wire()) for _ in range(3)]
    threads = [threading.Thread(target=postman.run_forever, args=(stop,)) for postman in postmen]
    for thread in threads:
        thread.start()
    while len(telegram.shown) < 60 and time.monotonic() < done:
        time.sleep(0.05)
    stop.set()
    for thread in threads:
        thread.join()

    assert sorted(one.text for one in telegram.shown) == sorted(f"{chat}.{n}" for chat in range(5) for n in range(12))
    assert set(states(chats)) == {"sent"}
    for chat in range(5):
        assert [one.text for one in telegram.in_chat(chat)] == [f"{chat}.{n}" for n in range(12)]


def test_asked_to_stop_it_finishes_what_it_sends_and_puts_the_rest_back(chats: Database, clock: Clock) -> None:
    stop = threading.Event()

    class Stopping(MemoryWire):
        def send(self, recipient: str, letter: Letter) -> str:
            stop.set()
            return super().send(recipient, letter)

    put(chats, "a", "b", "c")
    Deliverer(chats, "telegram", Stopping(), clock=clock).run_once(stop)

    assert states(chats) == ["sent", "waiting", "waiting"]
    assert [row.lease_until for row in rows(chats)] == [None] * 3


def test_a_flood_limit_is_respected_and_nothing_is_lost(
    chats: Database, wire: TelegramWire, telegram: TelegramServer
) -> None:
    put(chats, "a", "b", "c", to=7, now=datetime.now(UTC))
    telegram.floods["7"] = [1, 1]
    postman, done = Deliverer(chats, "telegram", wire), time.monotonic() + 240
    while len(telegram.shown) < 3 and time.monotonic() < done:
        postman.run_once()
        time.sleep(0.02)

    assert [one.text for one in telegram.shown] == ["a", "b", "c"]
    assert telegram.impatient == 0


def test_a_server_that_dies_and_comes_back_gets_everything_once(
    chats: Database, wire: TelegramWire, telegram: TelegramServer, clock: Clock
) -> None:
    put(chats, *(f"{n}" for n in range(12)))
    telegram.faults = [500, "cut"]
    telegram.stop()
    postman = Deliverer(chats, "telegram", wire, clock=clock)
    for round_ in range(40):
        if round_ == 5:
            telegram.start()
        if round_ == 20:
            telegram.stop()
            put(chats, "late", now=clock.now)
        if round_ == 25:
            telegram.start()
        postman.run_once()
        clock.go(15)

    assert sorted(one.text for one in telegram.shown) == sorted([*(f"{n}" for n in range(12)), "late"])
    assert set(states(chats)) == {"sent"}


def test_an_answer_that_is_lost_repeats_that_message_and_no_other(
    chats: Database, wire: TelegramWire, telegram: TelegramServer, clock: Clock
) -> None:
    put(chats, "a", "b", "c")
    telegram.faults = ["lost"]
    postman = Deliverer(chats, "telegram", wire, clock=clock)
    for _ in range(5):
        postman.run_once()
        clock.go(15)

    assert sorted(one.text for one in telegram.shown) == ["a", "a", "b", "c"]


def test_old_messages_are_forgotten_but_not_those_that_wait(chats: Database, postman: Deliverer, clock: Clock) -> None:
    put(chats, "sent")
    run_all(postman)
    put(chats, "waiting", now=NOW)
    with chats.session() as session:
        outbox.forget(session, NOW + timedelta(days=1))

    assert [row.text for row in rows(chats)] == ["waiting"]


def test_answers_may_be_forgotten_before_the_others(chats: Database, postman: Deliverer) -> None:
    put(chats, "reply:telegram:1:0", "alert:1")
    run_all(postman)
    with chats.session() as session:
        outbox.forget(session, NOW + timedelta(days=1), about="reply:")

    assert [row.text for row in rows(chats)] == ["alert:1"]


def test_messages_are_counted_by_channel_and_state(chats: Database, postman: Deliverer, memory: MemoryWire) -> None:
    put(chats, "a", "b")
    memory.faults = [Refused("no")]
    run_all(postman)
    put(chats, "c")

    with chats.reading() as session:
        found = outbox.counts(session)
        failed = outbox.messages(session, state="failed", channel="telegram")
    assert found == {"telegram": {"waiting": 1, "sent": 1, "dropped": 0, "failed": 1}}
    assert [row.text for row in failed] == ["a"]


@pytest.mark.parametrize(
    ("button", "said"),
    [
        ({"text": "x"}, "either an address or data"),
        ({"text": "x", "url": "https://a.example", "data": "d"}, "either an address or data"),
        ({"text": "x", "data": "я" * 33}, "data of 66 bytes"),
    ],
)
def test_a_button_that_telegram_would_refuse_is_refused_at_once(button: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        Button(**button)


def test_a_picture_goes_with_its_message(chats: Database, memory: MemoryWire, postman: Deliverer) -> None:
    put(chats, "a", picture=Path("/pictures/a.webp"), buttons=TAKE)
    run_all(postman)

    assert memory.sent[0].letter == Letter("a", TAKE, Path("/pictures/a.webp"))
