"""Codes that link a chat: once, for ten minutes, not to be guessed; and whose chats are whose."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from tests.chat.conftest import NOW

from vitrina.chat import channel, linking
from vitrina.chat.channel import ChatCode
from vitrina.chat.linking import Owner, make_code, use_code
from vitrina.chat.outbox import Recipient
from vitrina.errors import ConflictError, InputError, LimitError, NotFoundError
from vitrina.storage import accounts, audit
from vitrina.storage.database import Database
from vitrina.storage.secrets import SecretBox

CHAT = Recipient("telegram", "7")


@pytest.fixture
def kim(chats: Database) -> str:
    with chats.session() as session:
        return accounts.create_person(session, email="kim@example.org", name="Kim", by="test").person_id


def code_of(chats: Database, owner: Owner, **options: Any) -> str:
    with chats.session() as session:
        return make_code(session, owner, by="test", **{"now": NOW} | options)


def typed(chats: Database, code: str, chat: Recipient = CHAT, **options: Any) -> Any:
    with chats.session() as session:
        return use_code(session, chat, code, name="Kim", **{"now": NOW} | options)


def test_a_code_links_the_chat_once(chats: Database, kim: str) -> None:
    code = code_of(chats, Owner(person_id=kim))

    linked = typed(chats, f" {code.lower().replace('-', ' ')} ")

    assert (linked.person_id, linked.chat) == (kim, "7")
    assert typed(chats, code, Recipient("telegram", "8")) is None
    with chats.reading() as session:
        assert linking.chats_of_person(session, kim) == [CHAT]
        assert audit.entries(session)[0].action == "chat.link"


def test_only_a_hash_of_the_code_is_stored(chats: Database, kim: str) -> None:
    code = code_of(chats, Owner(person_id=kim))

    with chats.reading() as session:
        [row] = session.query(ChatCode).all()
    assert code.replace("-", "") not in str(vars(row))
    assert len(code) == 9


def test_after_ten_minutes_a_code_is_worth_nothing(chats: Database, kim: str) -> None:
    code = code_of(chats, Owner(person_id=kim))

    assert typed(chats, code, now=NOW + timedelta(minutes=10)) is None


def test_guessing_is_slowed_down_for_each_chat_of_its_own(chats: Database, kim: str) -> None:
    code = code_of(chats, Owner(person_id=kim))
    for _ in range(5):
        assert typed(chats, "AAAA-AAAA") is None
    with pytest.raises(LimitError):
        typed(chats, code)

    assert typed(chats, code, Recipient("telegram", "8")).person_id == kim


def test_at_most_five_codes_of_one_owner_are_open(chats: Database, kim: str) -> None:
    for _ in range(5):
        code_of(chats, Owner(person_id=kim))
    with pytest.raises(LimitError, match="5 codes"):
        code_of(chats, Owner(person_id=kim))

    code_of(chats, Owner(wallet="w1"))
    code_of(chats, Owner(person_id=kim), now=NOW + timedelta(minutes=11))


def test_a_persons_code_is_not_taken_in_a_group_and_a_roles_code_is(chats: Database, kim: str) -> None:
    own, roles = code_of(chats, Owner(person_id=kim)), code_of(chats, Owner(role="director", shop="riga"))
    group = Recipient("telegram", "-9")
    with pytest.raises(InputError, match="private chat"):
        typed(chats, own, group, private=False)

    assert typed(chats, roles, group, private=False).role == "director"


def test_one_human_may_be_a_person_and_a_shopper_in_one_chat(chats: Database, kim: str) -> None:
    typed(chats, code_of(chats, Owner(person_id=kim)))
    linked = typed(chats, code_of(chats, Owner(wallet="w1")))

    assert (linked.person_id, linked.wallet) == (kim, "w1")


def test_a_role_reaches_those_who_have_it_there_and_groups_that_stand_for_it(chats: Database, kim: str) -> None:
    with chats.session() as session:
        others = [accounts.create_person(session, email=f"{n}@example.org", name=n, by="t").person_id for n in "abc"]
        accounts.grant(session, kim, "director", shop="riga", by="test")
        accounts.grant(session, others[0], "director", shop=None, by="test")
        accounts.grant(session, others[1], "director", shop="tartu", by="test")
        accounts.grant(session, others[2], "seller", shop="riga", by="test")
        for number, person in enumerate([kim, *others]):
            linking.link(session, Recipient("telegram", str(number)), Owner(person_id=person), name="", by="test")
        linking.link(session, Recipient("telegram", "-1"), Owner(role="director", shop="riga"), name="", by="test")
        linking.link(session, Recipient("telegram", "-2"), Owner(role="director", shop="tartu"), name="", by="test")
        linking.link(session, Recipient("ops"), Owner(role="director"), name="", by="test")
        found = linking.chats_of_role(session, "director", "riga")

    assert {(one.channel, one.chat) for one in found} == {
        ("telegram", "0"), ("telegram", "1"), ("telegram", "-1"), ("ops", ""),
    }  # fmt: skip


def test_nobody_writes_to_who_was_switched_off(chats: Database, kim: str) -> None:
    typed(chats, code_of(chats, Owner(person_id=kim)))
    with chats.session() as session:
        accounts.grant(session, kim, "director", shop="riga", by="test")
        accounts.get_person(session, kim).disabled_at = NOW
        found = linking.chats_of_person(session, kim) + linking.chats_of_role(session, "director", "riga")

    assert found == []


def test_an_unlinked_chat_is_nobodys(chats: Database, kim: str) -> None:
    linked = typed(chats, code_of(chats, Owner(person_id=kim)))
    with pytest.raises(NotFoundError), chats.session() as session:
        linking.unlink(session, linked.link_id, by="test", person_id="somebody else")
    with chats.session() as session:
        linking.unlink(session, linked.link_id, by=kim, person_id=kim)
        assert linking.list_links(session) == []


@pytest.mark.parametrize("owner", [{}, {"person_id": "p", "wallet": "w"}, {"role": "king"}])
def test_a_chat_belongs_to_exactly_one(owner: dict[str, str]) -> None:
    with pytest.raises(InputError):
        Owner(**owner)


def test_a_bot_has_one_channel_and_its_token_is_sealed(chats: Database, box: SecretBox) -> None:
    with chats.session() as session:
        row = channel.get_channel(session, "telegram")
        row.read_up_to = 17
        assert "open-sesame" not in row.secret
        assert box.open(row.secret).startswith("4242:")
    with pytest.raises(ConflictError, match="one reader"), chats.session() as session:
        channel.set_telegram(session, "4242:another", box=box, by="test", name="second")
    with pytest.raises(ConflictError, match="is one of apprise"), chats.session() as session:
        channel.set_telegram(session, "4243:another", box=box, by="test", name="ops")
    with pytest.raises(InputError, match="BotFather") as error, chats.session() as session:
        channel.set_telegram(session, "not a token", box=box, by="test")
    assert "not a token" not in str(error.value)

    with chats.session() as session:
        assert channel.set_telegram(session, "4242:renewed", box=box, by="test").read_up_to == 17
        assert channel.set_telegram(session, "4343:other", box=box, by="test").read_up_to == 0


def test_a_channel_that_is_removed_takes_its_links_and_messages_with_it(chats: Database, kim: str) -> None:
    typed(chats, code_of(chats, Owner(person_id=kim)))
    with chats.session() as session:
        channel.remove_channel(session, "telegram", by="test")

    with chats.reading() as session:
        assert linking.list_links(session) == []
        assert [row.name for row in channel.list_channels(session)] == ["ops"]
        with pytest.raises(NotFoundError, match="there are: ops"):
            channel.get_channel(session, "telegram")
