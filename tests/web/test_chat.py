"""Chat on the pages: how channels are doing, and a code for whoever is signed in; and what the bot says about links."""

from __future__ import annotations

import re
from typing import Any

import httpx
import pytest

from vitrina.chat import channel, linking, outbox
from vitrina.chat.letter import Incoming, Letter
from vitrina.chat.linking import Owner
from vitrina.chat.outbox import Recipient
from vitrina.cli.chatting import ticket_of
from vitrina.lens.clicks import LensClick
from vitrina.lens.wallet import wallet_of
from vitrina.storage.secrets import SecretBox
from vitrina.web.chatbot import ChatBot

CODE = re.compile(r"/link ([0-9A-Z]{4}-[0-9A-Z]{4})")


@pytest.fixture
def home(chain_home: Any) -> Any:
    """With a bot, and one message on its way."""
    chain_home.person("anna@example.org", ("admin", None), name="Anna")
    chain_home.person("sven@example.org", ("seller", "demo-berlin"), name="Sven")
    database = chain_home.database()
    with database.session() as session:
        box = SecretBox(chain_home.path)
        channel.set_telegram(session, "4242:open-sesame", box=box, by="test").username = "shop_bot"
        outbox.enqueue(session, Letter("hello"), [Recipient("telegram", "7")], topic="1")
    database.dispose()
    return chain_home


def browser(home: Any, serve: Any, visit: Any, email: str) -> Any:
    visitor = visit(str(serve(home)))
    visitor.sign_in(email)
    return visitor


def type_in(home: Any, text: str, *, chat: str = "7", private: bool = True, language: str = "en") -> str:
    """What the bot answers."""
    database = home.database()
    said = Incoming("telegram", chat, 1, text, name="Phone", private=private, language=language)
    [letter] = ChatBot(database).answer(said, lambda: b"").letters
    database.dispose()
    return letter.text


def test_the_card_shows_channels_what_is_wrong_and_counts(home: Any, serve: Any, visit: Any) -> None:
    anna = browser(home, serve, visit, "anna@example.org")
    assert "nothing sent yet" in anna.get("/connections").text
    database = home.database()
    with database.session() as session:
        row = channel.get_channel(session, "telegram")
        row.connected, row.status, row.reading = False, "no route to host", "another program reads this bot"
    database.dispose()

    page = anna.get("/connections").text

    assert "@shop_bot" in page
    assert "no route to host; another program reads this bot" in page
    assert "open-sesame" not in page


def test_prometheus_sees_what_waits(home: Any, serve: Any) -> None:
    person = home.person("watch@example.org", ("engineer", None))
    key = home.key(person, "metrics.view")
    answer = httpx.get(f"{serve(home)}/metrics", headers={"Authorization": f"Bearer {key}"}, timeout=60)

    assert 'vitrina_chat_messages{channel="telegram",state="waiting"} 1.0' in answer.text
    assert 'vitrina_chat_works{channel="telegram"} 0.0' in answer.text


def test_without_a_channel_the_card_says_how_to_begin(chain_home: Any, serve: Any, visit: Any) -> None:
    chain_home.person("anna@example.org", ("admin", None), name="Anna")
    anna = browser(chain_home, serve, visit, "anna@example.org")

    assert "vitrina chat telegram set" in anna.get("/connections").text
    assert "Link a chat" not in anna.get("/account").text


@pytest.mark.parametrize(
    ("email", "page", "action"),
    [("anna@example.org", "/connections", "/connections/chat"), ("sven@example.org", "/account", "/account/chats")],
)
def test_a_code_of_ones_own_is_shown_once_typed_in_and_unlinked(
    home: Any, serve: Any, visit: Any, email: str, page: str, action: str
) -> None:
    visitor = browser(home, serve, visit, email)

    made = visitor.post(f"{action}/code", page).text
    code = CODE.search(made)
    assert code is not None
    assert f"https://t.me/shop_bot?start={code[1].replace('-', '')}" in made
    assert "<svg" in made
    assert CODE.search(visitor.get(page).text) is None
    name = "Anna" if email.startswith("anna") else "Sven"
    assert type_in(home, f"/start {code[1].replace('-', '')}") == f"This chat is linked: {name}."
    shown = visitor.get(page).text
    assert "Phone" in shown
    [link_id] = re.findall(rf"{action}/([0-9a-f-]{{36}})/unlink", shown)
    assert visitor.post(f"{action}/{link_id}/unlink", page).status_code == 303
    assert "Phone" not in visitor.get(page).text


def test_too_many_codes_are_refused_on_the_page(home: Any, serve: Any, visit: Any) -> None:
    sven = browser(home, serve, visit, "sven@example.org")
    answers = [sven.post("/account/chats/code", "/account") for _ in range(6)]

    assert [answer.status_code for answer in answers] == [200] * 5 + [429]
    assert sven.post("/connections/chat/code", "/account").status_code == 403


def test_nobody_unlinks_somebody_elses_chat(home: Any, serve: Any, visit: Any) -> None:
    database = home.database()
    with database.session() as session:
        link = linking.link(session, Recipient("telegram", "7"), Owner(role="director"), name="", by="test")
    database.dispose()
    sven = browser(home, serve, visit, "sven@example.org")

    assert sven.post(f"/account/chats/{link.link_id}/unlink", "/account").status_code == 404


def test_the_bot_says_what_is_wrong_with_a_code(home: Any) -> None:
    assert "/link and the code" in type_in(home, "/link")
    assert "unknown, was used" in type_in(home, "/link AAAA-AAAA")
    for _ in range(4):
        type_in(home, "/link AAAA-AAAA")
    assert "Too many wrong codes" in type_in(home, "/link AAAA-AAAA")
    assert "not linked" in type_in(home, "/unlink", chat="8")


def test_codes_of_roles_wallets_and_persons_say_whose_the_chat_is(home: Any) -> None:
    database = home.database()
    person = home.person("kim@example.org", name="Kim")
    owners = [
        Owner(role="director", shop="demo-berlin"),
        Owner(role="admin"),
        Owner(wallet="w"),
        Owner(person_id=person),
    ]
    with database.session() as session:
        group, every, wallet, own = (linking.make_code(session, owner, by="test") for owner in owners)
    database.dispose()

    assert type_in(home, f"/link@shop_bot {group}", chat="-1", private=False) == (
        "This chat is linked: director, demo-berlin."
    )
    assert type_in(home, f"/link {every}", chat="9") == "This chat is linked: admin."
    assert type_in(home, f"/link {wallet}", chat="10") == "This chat is linked: your cashback."
    assert "not for a group" in type_in(home, f"/link {own}", chat="-2", private=False)
    assert type_in(home, "/unlink", chat="10") == "This chat is not linked any more."


def test_without_a_part_that_answers_the_bot_explains_links(home: Any) -> None:
    for text in ("/start", "/help", "hello"):
        assert "/link CODE" in type_in(home, text)
    assert re.search("[а-я]", type_in(home, "/help", language="ru-RU"))


def test_a_click_from_a_linked_chat_belongs_to_the_shoppers_wallet_in_any_browser(
    lens_home: Any, serve: Any, visit: Any
) -> None:
    database, address = lens_home.database(), str(serve(lens_home))
    with database.session() as session:
        channel.set_telegram(session, "4242:open-sesame", box=SecretBox(lens_home.path), by="test")
    shopper = visit(address)
    page = shopper.post("/cashback", "/cashback").headers["location"].partition("?")[0]

    code = CODE.search(shopper.post(f"{page}/chat", page).text)
    assert code is not None
    assert type_in(lens_home, f"/link {code[1]}") == "This chat is linked: your cashback."
    assert "1 chat is linked" in shopper.get(page).text
    ticket = ticket_of(lens_home.settings, database)(Recipient("telegram", "7"), "best", "1")
    browser = {"User-Agent": "Mozilla/5.0 Chrome/140", "Accept": "text/html"}
    for path in (f"/go/best/1?w={ticket}", "/go/best/1?w=nonsense", "/go/best/1"):
        assert httpx.get(address + path, headers=browser, timeout=60).status_code == 302
    with database.reading() as session:
        owners = [row.wallet for row in session.query(LensClick).order_by(LensClick.t)]
    database.dispose()

    assert owners == [wallet_of(page.rpartition("/")[2]), None, None]
    assert ticket_of(lens_home.settings, database)(Recipient("telegram", "8"), "best", "1") == ""


def test_somebody_without_the_link_makes_no_code_for_it(lens_home: Any, serve: Any, visit: Any) -> None:
    stranger = visit(str(serve(lens_home)))

    assert stranger.post(f"/cashback/{'x' * 43}/chat", "/cashback").status_code == 404
