"""The shopper's bot: a photo in, cards out, and words and buttons to go on from there."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from operator import itemgetter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from vitrina.chat.letter import Away, Incoming, Letter, Press
from vitrina.chat.reading import Answer
from vitrina.errors import InputError, StorageError
from vitrina.lens.found import Found, FoundOffer, FoundProduct
from vitrina.lens.photo import upright_size
from vitrina.product import Money
from vitrina.web.lensbot import LensBot
from vitrina.web.words import Words

EN, RU = Words("en"), Words("ru")
BASE = "https://lens.example.org"


def offer(shop: str, price: int, *, cashback: int = 0, available: bool = True) -> FoundOffer:
    back = Money(cashback, "EUR") if cashback else None
    return FoundOffer(
        shop, shop.title(), f"{shop}/1 a", "Runner", Money(price, "EUR"), None, back, Money(price - cashback, "EUR"),
        available,
    )  # fmt: skip


def product(number: int, *offers: FoundOffer) -> FoundProduct:
    offers = offers or (offer("north", 4990),)
    return FoundProduct(f"p{number}", f"Runner {number}", "Fleet", ("Shoes",), f"{number:064d}", 0.9, 0.9, offers)


def found(exact: int = 0, similar: int = 0) -> Found:
    products = [product(number) for number in range(exact + similar)]
    return Found("s1", tuple(products[:exact]), tuple(products[exact:]), (0, 0, 1, 1), (), 90.0)


@dataclass
class Shelf:
    """Finds what it was told to find, and keeps what it was asked."""

    finds: Found = field(default_factory=lambda: found(1, 7))
    asked: list[tuple[bytes | None, str, Money | None]] = field(default_factory=list)

    def __call__(self, photo: bytes | None, text: str, most: Money | None, limit: int) -> Found:
        if photo == b"no picture":
            raise InputError("the photo is text, not a picture")
        if photo == b"no index":
            raise StorageError("the index is away")
        self.asked.append((photo, text, most))
        return self.finds


@dataclass
class Clock:
    now: float = 0.0
    calls: list[tuple[float, Callable[[], None]]] = field(default_factory=list)

    def __call__(self) -> float:
        return self.now

    def call(self, seconds: float, work: Callable[[], None]) -> None:
        self.calls.append((self.now + seconds, work))

    def pass_by(self, seconds: float) -> None:
        """Whatever is to be called meanwhile is called when its time comes."""
        until = self.now + seconds
        while any(at <= until for at, _ in self.calls):
            due = min(self.calls, key=itemgetter(0))
            self.calls.remove(due)
            self.now, work = due
            work()
        self.now = until


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def bot(shelf: Shelf, clock: Clock, tmp_path: Path) -> LensBot:
    for number in range(8):
        (tmp_path / f"{number:064d}.webp").write_bytes(f"picture {number}".encode())
    return LensBot(shelf, lambda sha: tmp_path / f"{sha}.webp", BASE, clock=clock, later=clock.call)


def send(bot: LensBot, photo: bytes = b"photo", *, words: Words = EN, chat: str = "7", **more: Any) -> Answer:
    said = Incoming("telegram", chat, 1, photo="p1", **more)
    return bot.answer(said, lambda: photo, words)


def write(bot: LensBot, text: str, *, chat: str = "7") -> Answer:
    return bot.answer(Incoming("telegram", chat, 1, text), _nothing, EN)


def press(bot: LensBot, letter: Letter, text: str, *, chat: str = "7") -> Answer:
    [data] = [button.data for row in letter.buttons for button in row if button.text == text]
    return bot.answer(Incoming("telegram", chat, 1, press=Press("1", data, "41")), _nothing, EN)


def _nothing() -> bytes:
    raise AssertionError("there is no photo to get")


def said(answer: Answer) -> list[str]:
    return [letter.text for letter in answer.letters]


def test_a_photo_gives_at_most_five_cards_with_pictures_prices_and_buttons(bot: LensBot, shelf: Shelf) -> None:
    shelf.finds = Found(
        "s1",
        (product(0, offer("north", 4990, cashback=500), offer("south", 5100)),),
        (product(1, offer("south", 2500, available=False)), *(product(n) for n in range(2, 8))),
        (0, 0, 1, 1), (), 90.0,
    )  # fmt: skip

    letters = send(bot).letters

    assert len(letters) == 5
    assert letters[0].text == ("Runner 0\nThis very thing\n2 shops, from €49.90 at North\nCashback €5.00, so €44.90")
    assert letters[1].text == "Runner 1\nAlike\n€25.00 at South\nNot in stock now"
    assert letters[0].picture is not None
    assert letters[0].picture.read_bytes() == b"picture 0"
    assert [[button.text for button in row] for row in letters[0].buttons] == [
        ["Open at North"],
        ["More like this", "Only cheaper"],
    ]
    assert letters[0].buttons[0][0].url == f"{BASE}/go/north/north%2F1%20a?s=s1&n=1"
    assert [button.text for button in letters[4].buttons[-1]] == ["3 more"]


def test_links_for_a_chat_with_a_wallet_carry_its_ticket(shelf: Shelf) -> None:
    bot = LensBot(shelf, lambda _sha: None, BASE, ticket=lambda chat, shop, offer_id: f"{chat.chat}-{shop}")

    assert send(bot).letters[0].buttons[0][0].url.endswith("?s=s1&n=1&w=7-north")


def test_the_cards_speak_russian(bot: LensBot) -> None:
    [first, *_] = send(bot, words=RU).letters

    assert re.search(r"[а-я]", first.text)
    assert all(re.search(r"[а-я]", button.text) for row in first.buttons for button in row)


def test_the_next_five_come_without_another_search(bot: LensBot, shelf: Shelf) -> None:
    first = send(bot)
    second = press(bot, first.letters[-1], "3 more")

    assert [text.partition("\n")[0] for text in said(second)] == ["Runner 5", "Runner 6", "Runner 7"]
    assert len(shelf.asked) == 1
    assert len(second.letters[-1].buttons) == 2, "there is nothing after them"


def test_more_like_this_searches_with_the_products_own_picture_and_leaves_it_out(bot: LensBot, shelf: Shelf) -> None:
    more = press(bot, send(bot).letters[2], "More like this")

    assert shelf.asked[1] == (b"picture 2", "", None)
    assert "Runner 2" not in " ".join(said(more))


def test_only_cheaper_asks_for_less_than_this_price(bot: LensBot, shelf: Shelf) -> None:
    press(bot, send(bot).letters[0], "Only cheaper")
    assert shelf.asked[1] == (b"photo", "", Money(4989, "EUR"))


def test_words_after_the_photo_and_beside_it_narrow_the_search(bot: LensBot, shelf: Shelf) -> None:
    send(bot, text="in red")
    write(bot, "in blue")

    assert [(photo, text) for photo, text, _ in shelf.asked] == [(b"photo", "in red"), (b"photo", "in blue")]


def test_words_without_a_photo_find_what_has_them_and_nothing_is_said_of_likeness(bot: LensBot, shelf: Shelf) -> None:
    alone, first, *_ = write(bot, "red bag").letters
    press(bot, first, "Only cheaper")

    assert alone.text == "These have your words. Send me a photo to find a certain thing."
    assert first.text == "Runner 0\n€49.90 at North"
    assert shelf.asked == [(None, "red bag", None), (None, "red bag", Money(4989, "EUR"))]
    shelf.finds = found()
    assert said(write(bot, "green bag", chat="8")) == [
        "Nothing found with these words. Try others, or send me a photo."
    ]


def test_what_is_said_when_there_is_nothing(bot: LensBot, shelf: Shelf) -> None:
    letters = send(bot).letters
    shelf.finds = found()

    assert "Nothing alike found. A photo of the thing alone" in said(send(bot))[0]
    assert "Nothing alike found with these words" in said(write(bot, "in red"))[0]
    assert said(press(bot, letters[0], "Only cheaper")) == ["Nothing alike costs less than €49.90."]


@pytest.mark.parametrize(
    ("ask", "expected"),
    [
        (lambda bot: write(bot, "?!"), "I understand photos and words"),
        (lambda bot: write(bot, "  "), "I understand photos and words"),
        (lambda bot: send(bot, b"no picture"), "cannot read this picture"),
        (lambda bot: send(bot, b"no index"), "try again later"),
        (lambda bot: send(bot, photo_bytes=20_000_000), "too large"),
    ],
)
def test_what_it_cannot_do_it_says(bot: LensBot, ask: Callable[[LensBot], Answer], expected: str) -> None:
    assert expected in said(ask(bot))[0]


def test_a_photo_that_cannot_be_got_is_asked_for_again(bot: LensBot) -> None:
    def away() -> bytes:
        raise Away("no route")

    answer = bot.answer(Incoming("telegram", "7", 1, photo="p1"), away, EN)
    assert "send it once more" in said(answer)[0]


def test_after_half_an_hour_a_photo_is_forgotten(bot: LensBot, clock: Clock) -> None:
    letters = send(bot).letters
    clock.now = 1801

    assert press(bot, letters[0], "More like this").notice == "This search is over. Please send the photo once more."
    assert "These have your words" in said(write(bot, "in red"))[0]


def test_photos_are_forgotten_in_time_also_when_nobody_writes_any_more(bot: LensBot, clock: Clock) -> None:
    send(bot, b"first")
    clock.pass_by(600)
    send(bot, b"the second")
    held = [bot.remembered_bytes]
    for seconds in (1199, 2, 598, 2):
        clock.pass_by(seconds)
        held.append(bot.remembered_bytes)

    assert held == [15, 15, 10, 10, 0]
    assert clock.calls == [], "nothing is left to wait for"
    send(bot)
    assert len(clock.calls) == 1


def test_a_large_photo_is_searched_as_it_is_and_remembered_small(bot: LensBot, shelf: Shelf) -> None:
    large = large_photo()
    send(bot, large)
    write(bot, "in red")
    write(bot, "in blue")

    [first, second, third] = [photo for photo, _, _ in shelf.asked]
    assert first == large
    assert second is not None
    assert upright_size(second) == (1024, 768)
    assert len(second) <= 200_000 < len(large)
    assert third == second, "a copy of a copy would lose something each time"


def test_what_all_photos_take_is_bounded(bot: LensBot, shelf: Shelf) -> None:
    cards = {chat: send(bot, bytes(200_000), chat=str(chat)).letters for chat in range(330)}

    pressed = [press(bot, cards[chat][0], "Only cheaper", chat=str(chat)).notice for chat in (0, 9, 10, 329)]

    over = "This search is over. Please send the photo once more."
    assert pressed == [over, over, "", ""]
    assert bot.remembered_bytes <= 64_000_000


def large_photo() -> bytes:
    out = io.BytesIO()
    noise = np.random.default_rng(1).integers(0, 255, (30, 40, 3)).astype(np.uint8)
    Image.fromarray(noise).resize((2000, 1500)).save(out, "JPEG", quality=95)
    return out.getvalue()


def test_nobody_goes_on_from_somebody_elses_photo(bot: LensBot) -> None:
    letters = send(bot, chat="7").letters

    assert "over" in press(bot, letters[0], "More like this", chat="8").notice
    assert "These have your words" in said(write(bot, "in red", chat="8"))[0]


def test_too_many_searches_are_asked_to_wait_and_other_chats_go_on(bot: LensBot, clock: Clock, shelf: Shelf) -> None:
    for _ in range(20):
        send(bot)
    assert said(send(bot)) == ["Those were many searches. Please wait 10 minutes."]
    assert len(send(bot, chat="8").letters) == 5
    assert len(shelf.asked) == 21
    clock.now = 601
    assert len(send(bot).letters) == 5


@pytest.mark.parametrize("data", ["", "lens:more", "lens:more:abc:x", "alert:more:abc:1", "lens:next:abc:99"])
def test_odd_presses_do_nothing(bot: LensBot, data: str) -> None:
    answer = bot.answer(Incoming("telegram", "7", 1, press=Press("1", data, "41")), _nothing, EN)
    assert list(answer.letters) == []


def test_what_is_said_in_a_group_is_not_answered(bot: LensBot, shelf: Shelf) -> None:
    assert said(send(bot, private=False)) == []
    assert shelf.asked == []
