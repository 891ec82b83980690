"""The whole way: a photo sent to a Telegram that really answers, through reader, bot, outbox and back."""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from tests.chat.conftest import states
from tests.servers.telegram import TOKEN, TelegramServer

from vitrina.chat import channel
from vitrina.chat.switchboard import Switchboard
from vitrina.lens.found import Found, FoundOffer, FoundProduct
from vitrina.product import Money
from vitrina.storage.database import Database
from vitrina.storage.secrets import SecretBox
from vitrina.web.chatbot import ChatBot
from vitrina.web.lensbot import LensBot


def picture(colour: str, form: str) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (64, 64), colour).save(out, form)
    return out.getvalue()


PHOTO = picture("red", "JPEG")


def eventually(condition: Callable[[], bool]) -> bool:
    until = time.monotonic() + 240
    while time.monotonic() < until:
        if condition():
            return True
        time.sleep(0.02)
    return False


def find(photo: bytes, text: str, most: Money | None, limit: int) -> Found:
    """Seven products, cheaper each time; words find one, and nothing is cheaper than 10."""
    assert photo.startswith((b"\xff\xd8", b"RIFF"))
    count = 0 if most and most.minor < 1000 else 1 if text else 7
    prices = [Money(1000 * (n + 1), "EUR") for n in range(count)]
    offers = [FoundOffer("north", "North", f"{n}", "", one, None, None, one, True) for n, one in enumerate(prices)]
    products = [
        FoundProduct(f"p{n}", f"Shoe {n}{text}", "", (), "a" * 64, 0.9, 0.9, (offer,)) for n, offer in enumerate(offers)
    ]
    return Found("s1", tuple(products[:1]), tuple(products[1:]), (0, 0, 1, 1), (), 1.0)


@pytest.fixture
def telegram() -> Iterator[TelegramServer]:
    server = TelegramServer().start()
    yield server
    server.stop()


@pytest.fixture
def talking(tmp_path: Path, sqlite_url: str, telegram: TelegramServer) -> Iterator[Database]:
    """A switchboard at work, with the shopper's bot."""
    (tmp_path / "shoe.webp").write_bytes(picture("blue", "WEBP"))
    database, box, stop = Database(sqlite_url), SecretBox(tmp_path), threading.Event()
    database.migrate()
    with database.session() as session:
        channel.set_telegram(session, TOKEN, box=box, by="test", url=telegram.url)
    lens = LensBot(find, lambda _sha: tmp_path / "shoe.webp", "https://lens.example.org")
    board = threading.Thread(target=Switchboard(database, box, ChatBot(database, lens=lens).answer).run, args=(stop,))
    board.start()
    yield database
    stop.set()
    board.join()
    database.dispose()


@pytest.fixture
def cards(telegram: TelegramServer) -> Callable[[int], list[Any]]:
    """Waits until the chat has so many messages."""

    def wait(count: int) -> list[Any]:
        eventually(lambda: len(telegram.in_chat(7)) >= count)
        return telegram.in_chat(7)

    return wait


def test_a_shopper_finds_a_shoe(
    talking: Database, telegram: TelegramServer, cards: Callable[[int], list[Any]], tmp_path: Path
) -> None:
    telegram.say(7, "/start")
    telegram.send_photo(7, PHOTO)
    greeting, *first = cards(6)
    assert "Send me a photo" in greeting.text
    assert [one.text.partition("\n")[0] for one in first] == [f"Shoe {n}" for n in range(5)]
    assert first[0].photo.startswith(b"\xff\xd8"), "as JPEG, which every client shows"
    assert first[0].buttons[0][0] == {"text": "Open at North", "url": "https://lens.example.org/go/north/0?s=s1&n=1"}

    telegram.press(first[4], "2 more")
    assert [one.text.partition("\n")[0] for one in cards(8)[6:]] == ["Shoe 5", "Shoe 6"]
    telegram.say(7, " in red")
    assert cards(9)[8].text.startswith("Shoe 0 in red")
    telegram.press(first[0], "Only cheaper")
    assert cards(10)[9].text == "Nothing alike costs less than €10.00."
    assert eventually(lambda: len(telegram.noticed) == 2), "who pressed a button is told so"
    assert eventually(lambda: telegram.unread == 0), "and nothing is answered a second time"

    stored = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert PHOTO not in stored, "the photo is nowhere on the disk"


@pytest.mark.slow
def test_a_telegram_that_goes_away_in_the_middle_gets_every_card_once(
    talking: Database, telegram: TelegramServer, cards: Callable[[int], list[Any]]
) -> None:
    telegram.faults = ["cut", 500]
    telegram.send_photo(7, PHOTO)
    cards(2)
    telegram.stop()
    time.sleep(0.3)
    telegram.start()

    assert eventually(lambda: states(talking) == ["sent"] * 5), "nothing is left that could be sent again"
    assert sorted(one.text.partition("\n")[0] for one in telegram.in_chat(7)) == [f"Shoe {n}" for n in range(5)]
