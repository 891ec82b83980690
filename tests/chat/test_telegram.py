"""Telegram's Bot API over real HTTP: what goes out arrives, what comes in is understood, and the token stays inside."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.servers.telegram import TOKEN, TelegramServer

from vitrina.chat.letter import Away, Button, Letter, Refused
from vitrina.chat.telegram import Conflicted, TelegramWire, Unknown, check_token
from vitrina.errors import InputError

JPEG = b"\xff\xd8\xff\xe0 a small picture"


def test_a_message_with_buttons_arrives(wire: TelegramWire, telegram: TelegramServer) -> None:
    buttons = ((Button("Open", url="https://shop.example.org/go/1"), Button("I'm on it", data="alert:1:take")),)

    number = wire.send("7", Letter("Open till 3", buttons))

    [shown] = telegram.shown
    assert (shown.chat, shown.text, str(shown.message_id)) == ("7", "Open till 3", number)
    assert shown.buttons == [
        [
            {"text": "Open", "url": "https://shop.example.org/go/1"},
            {"text": "I'm on it", "callback_data": "alert:1:take"},
        ]
    ]


def test_a_picture_goes_with_its_words_and_without_it_the_words_go_alone(
    wire: TelegramWire, telegram: TelegramServer, tmp_path: Path
) -> None:
    (tmp_path / "shoe.jpg").write_bytes(JPEG)

    wire.send("7", Letter("A shoe", picture=tmp_path / "shoe.jpg"))
    wire.send("7", Letter("A lost shoe", picture=tmp_path / "gone.jpg"))

    assert [(one.text, one.photo) for one in telegram.shown] == [("A shoe", JPEG), ("A lost shoe", b"")]


def test_what_was_sent_is_changed_words_and_captions_alike(
    wire: TelegramWire, telegram: TelegramServer, tmp_path: Path
) -> None:
    (tmp_path / "shoe.jpg").write_bytes(JPEG)
    plain = wire.send("7", Letter("5 people wait", ((Button("I'm on it", data="x"),),)))
    pictured = wire.send("7", Letter("A shoe", picture=tmp_path / "shoe.jpg"))

    wire.edit("7", plain, Letter("Kim is on it"), pictured=False)
    wire.edit("7", plain, Letter("Kim is on it"), pictured=False)  # says so already
    wire.edit("7", pictured, Letter("Sold out"), pictured=True)

    assert [(one.text, one.buttons) for one in telegram.shown] == [("Kim is on it", []), ("Sold out", [])]


def test_a_message_whose_picture_was_gone_is_changed_as_the_words_that_it_is(
    wire: TelegramWire, telegram: TelegramServer, tmp_path: Path
) -> None:
    number = wire.send("7", Letter("A shoe", picture=tmp_path / "gone.jpg"))
    wire.edit("7", number, Letter("Sold out", picture=tmp_path / "gone.jpg"), pictured=True)

    assert [one.text for one in telegram.shown] == ["Sold out"]


@pytest.mark.parametrize("text", ["a" * 4096, "a" * 4097, "👟" * 2048, "👟" * 2049, "a" + "👟" * 2048, "é" * 9000])
def test_the_longest_text_is_counted_as_telegram_counts(
    wire: TelegramWire, telegram: TelegramServer, text: str
) -> None:
    wire.send("7", Letter(text))

    [shown] = telegram.shown
    assert shown.text == text or (shown.text[-1] == "…" and text.startswith(shown.text[:-1]))
    assert len(shown.text.encode("utf-16-le")) // 2 in (len(text.encode("utf-16-le")) // 2, 4095, 4096)


def test_long_texts_are_cut_and_links_that_telegram_refuses_become_words(
    wire: TelegramWire, telegram: TelegramServer
) -> None:
    wire.send("7", Letter("a" * 5000))
    wire.send("7", Letter("Look", ((Button("Open", url="http://localhost:8000/x"), Button("More", data="m")),)))

    long, linked = telegram.shown
    assert (len(long.text), long.text[-1]) == (4096, "…")
    assert linked.text == "Look\nOpen: http://localhost:8000/x"
    assert linked.buttons == [[{"text": "More", "callback_data": "m"}]]


def test_words_photos_and_presses_come_in(wire: TelegramWire, telegram: TelegramServer) -> None:
    telegram.say(7, "/link@vitrina_test_bot AB12", language="ru")
    telegram.send_photo(8, JPEG, caption="but in red")
    wire.send("7", Letter("Choose", ((Button("More", data="more:1"),),)))
    telegram.press(telegram.shown[0], "More")
    telegram.say(-9, "hello", group=True)

    said, photo, press, group = wire.read(0, wait_s=0)

    assert (said.chat, said.command, said.language, said.name) == ("7", ("link", "AB12"), "ru", "Person 7")
    assert (photo.text, wire.fetch(photo.photo), photo.photo_bytes) == ("but in red", JPEG, len(JPEG))
    assert press.press is not None
    assert (press.press.data, press.press.external_id, press.text) == (
        "more:1",
        str(telegram.shown[0].message_id),
        "",
    )
    assert (said.private, group.private) == (True, False)
    wire.acknowledge(press.press, "One moment")
    assert telegram.noticed[0]["text"] == "One moment"
    assert wire.read(group.number, wait_s=0) == []
    assert telegram.unread == 0


def test_a_wait_for_news_ends_with_the_news_or_when_it_is_interrupted(
    wire: TelegramWire, telegram: TelegramServer
) -> None:
    threading.Timer(0.2, telegram.say, (7, "now")).start()
    [said] = wire.read(0, wait_s=3600)
    nothing: list[object] = []
    reading = threading.Thread(target=lambda: nothing.append(list(wire.read(said.number, wait_s=3600))), daemon=True)
    reading.start()
    until = time.monotonic() + 240
    while reading.is_alive() and time.monotonic() < until:
        wire.interrupt()  # again and again, as the switchboard does: it may be about to read
        reading.join(0.1)

    assert (said.text, nothing) == ("now", [[]])


@pytest.mark.parametrize(
    ("chat", "said"), [("3", "Chat not found"), ("4", "blocked by the user")], ids=["gone", "blocked"]
)
def test_what_will_never_arrive_is_refused(wire: TelegramWire, telegram: TelegramServer, chat: str, said: str) -> None:
    telegram.gone, telegram.blocked = {"3"}, {"4"}

    with pytest.raises(Refused, match=said):
        wire.send(chat, Letter("hello"))


def test_what_may_arrive_later_says_so_and_how_long_to_wait(wire: TelegramWire, telegram: TelegramServer) -> None:
    telegram.floods["7"] = [17]
    with pytest.raises(Away, match="wait 17 s") as flood:
        wire.send("7", Letter("hello"))
    assert flood.value.wait_s == 17
    telegram.faults = [500, 502, "cut"]
    for _ in range(3):
        with pytest.raises(Away) as away:
            wire.send("8", Letter("hello"))
        assert away.value.wait_s is None
    telegram.stop()
    with pytest.raises(Away):
        wire.send("8", Letter("hello"))


def test_a_second_reader_is_noticed(
    wire: TelegramWire, open_wire: Callable[[], TelegramWire], telegram: TelegramServer
) -> None:
    faults: list[Exception] = []

    def read() -> None:
        try:
            wire.read(0, wait_s=3600)
        except Conflicted as conflicted:
            faults.append(conflicted)

    first = threading.Thread(target=read)
    first.start()
    while not telegram.calls:
        time.sleep(0.01)
    open_wire().read(0, wait_s=0)
    first.join(240)

    assert "another program reads this bot" in str(faults[0])


def test_the_token_is_in_no_log_and_no_error(
    telegram: TelegramServer, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    caplog.set_level(logging.DEBUG)
    (tmp_path / "shoe.jpg").write_bytes(JPEG)
    wire, faults = TelegramWire(TOKEN, url=telegram.url), []
    telegram.send_photo(7, JPEG)
    wire.send("7", Letter("hello", picture=tmp_path / "shoe.jpg"))
    wire.fetch(wire.read(0, wait_s=0)[0].photo)
    telegram.faults, telegram.gone = [500, "cut"], {"3"}
    telegram.token = "1:changed"
    for chat in ("7", "7", "3"):
        with pytest.raises(Away) as fault:
            wire.send(chat, Letter("hello"))
        faults.append(fault)
    telegram.stop()
    with pytest.raises(Away) as fault:
        wire.send("7", Letter("hello"))
    wire.close()

    told = caplog.text + "".join(f"{one.getrepr(style='long')}" for one in [*faults, fault])
    assert TOKEN not in told.replace(f'"{TOKEN}"', "")
    assert "open-sesame" not in caplog.text
    assert isinstance(faults[0].value, Unknown)
    assert faults[0].value.__cause__ is None


def test_a_token_is_tried_before_it_is_kept(telegram: TelegramServer) -> None:
    assert check_token(TOKEN, url=telegram.url) == "vitrina_test_bot"
    with pytest.raises(InputError, match="BotFather"):
        check_token("4242:wrong", url=telegram.url)
    telegram.stop()
    with pytest.raises(Away):
        check_token(TOKEN, url=telegram.url)
