"""Whatever happens on the way, every message ends once: sent, refused or dropped, and on record as what it was."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.chat.conftest import Clock, put, rows

from vitrina.chat import channel
from vitrina.chat.channel import ChatChannel, ChatMessage
from vitrina.chat.delivery import Deliverer
from vitrina.chat.letter import Away, Refused
from vitrina.chat.memory import MemoryWire
from vitrina.storage.database import Database
from vitrina.storage.secrets import SecretBox

FAULTS = st.sampled_from(
    [Away("down"), Away("too much", wait_s=20), Away("too much", wait_s=3), Refused("blocked"), None, None]
)


@pytest.fixture(scope="module")
def chats(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    folder: Path = tmp_path_factory.mktemp("chats")
    database = Database(f"sqlite:///{folder / 'vitrina.db'}")
    database.migrate()
    with database.session() as session:
        channel.set_telegram(session, "1:token", box=SecretBox(folder), by="test")
    yield database
    database.dispose()


class Faulty(MemoryWire):
    """Takes what it has no fault for."""

    ways: list[Exception | None]

    def _fail_if_told(self) -> None:
        fault = self.ways.pop(0) if self.ways else None
        if fault is not None:
            raise fault


@given(
    ways=st.lists(FAULTS, max_size=25),
    chats_of=st.lists(st.integers(1, 3), min_size=1, max_size=8),
    uses_s=st.lists(st.sampled_from([5.0, 60.0, 3600.0]), min_size=8, max_size=8),
    killed=st.booleans(),
)
@settings(max_examples=20)
def test_every_message_ends_once(
    chats: Database, ways: list[Exception | None], chats_of: list[int], uses_s: list[float], killed: bool
) -> None:
    with chats.session() as session:
        session.execute(sa.delete(ChatMessage))
        session.execute(sa.update(ChatChannel).values(paused_until=None, failures=0))
    clock, wire = Clock(), Faulty()
    wire.ways = list(ways)
    for number, (chat, use_s) in enumerate(zip(chats_of, uses_s, strict=False)):
        put(chats, f"{number}", to=chat, use_s=use_s)
    postman = Deliverer(chats, "telegram", wire, clock=clock)
    for round_ in range(300):
        postman.run_once()
        if killed and round_ == 3:
            postman = Deliverer(chats, "telegram", wire, clock=clock)
        if not any(row.next_try_at for row in rows(chats)):
            break
        clock.go(3 if round_ < 50 else 60)

    ended = {row.text: row.state for row in rows(chats)}
    assert Counter(one.letter.text for one in wire.sent) == Counter(
        text for text, state in ended.items() if state == "sent"
    )
    assert set(ended.values()) <= {"sent", "failed", "dropped"}
    assert sum(state == "failed" for state in ended.values()) <= sum(isinstance(way, Refused) for way in ways)
