"""Reads one channel: each message from outside is answered once, by the one process that may read."""

from __future__ import annotations

import logging
import threading
from collections import defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime

from sqlalchemy.orm import Session

from vitrina.chat import channel, outbox
from vitrina.chat.letter import Away, Incoming, Letter, Refused, TwoWayWire
from vitrina.chat.outbox import Recipient
from vitrina.errors import StorageError, VitrinaError
from vitrina.product import new_id
from vitrina.storage.database import Database

logger = logging.getLogger(__name__)

LEASE_S = 60.0
POLL_S = 20.0
PAUSE_S = 5.0
REPLY = "reply:"
"""What topics of answers begin with."""


@dataclass(frozen=True, slots=True)
class Answer:
    """letters: to the chat that it came from. notice: shown for a moment to who pressed a button.

    also: done in the very transaction in which the letters begin to wait.
    """

    letters: Sequence[Letter] = ()
    notice: str = ""
    also: Callable[[Session], None] | None = field(default=None)


Fetch = Callable[[], bytes]
Answering = Callable[[Incoming, Fetch], Answer]
"""Given what came in, and how to get its photo (raises Away and Refused)."""


class Reader:
    """One channel's ear. Only one at a time reads; the others wait until it leaves or dies.

    The letters of an answer and the fact that it was given are stored together, so that nothing is answered twice.
    """

    def __init__(
        self,
        database: Database,
        name: str,
        wire: TwoWayWire,
        answering: Answering,
        *,
        lease_s: float = LEASE_S,
        poll_s: float = POLL_S,
        side_by_side: int = 4,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._database, self._name, self._wire, self._answering = database, name, wire, answering
        self._lease_s, self._poll_s, self._clock = lease_s, poll_s, clock
        self._side_by_side, self._reader = side_by_side, new_id()

    def run_forever(self, stop: threading.Event, *, nudge: threading.Event | None = None) -> None:
        """Until `stop` is set (and `wire.interrupt` called). nudge: set when there are answers to be delivered."""
        while not stop.is_set():
            try:
                if not self.run_once(nudge=nudge):
                    stop.wait(PAUSE_S)
            except (Away, Refused) as error:
                self._note(str(error))
                stop.wait(getattr(error, "wait_s", None) or PAUSE_S)
            except StorageError:
                logger.exception("chat %s: cannot be read now; trying again", self._name)
                stop.wait(PAUSE_S)
        self.leave()

    def run_once(self, *, nudge: threading.Event | None = None) -> bool:
        """Wait for messages and answer them; False when somebody else reads. Raises Away and Refused."""
        with self._database.session() as session:
            after = channel.hold_reader(session, self._name, self._reader, lease_s=self._lease_s, now=self._clock())
        if after is None:
            return False
        said = self._wire.read(after, wait_s=self._poll_s)
        self._note("")
        if said:
            self._answer_all(said, nudge)
            with self._database.session() as session:
                channel.note_read(session, self._name, max(one.number for one in said))
        return True

    def leave(self) -> None:
        """Let another one read at once."""
        try:
            with self._database.session() as session:
                channel.leave_reader(session, self._name, self._reader)
        except StorageError:
            logger.exception("chat %s: the reader's place stays taken for %.0f s", self._name, self._lease_s)

    def _answer_all(self, said: Sequence[Incoming], nudge: threading.Event | None) -> None:
        """Each chat's messages one after the other, several chats side by side."""
        chats: dict[str, list[Incoming]] = defaultdict(list)
        for one in said:
            chats[one.chat].append(one)

        def serve(ones: list[Incoming]) -> None:
            for one in ones:
                self._answer(one)
                if nudge is not None:
                    nudge.set()

        if len(chats) == 1:
            serve(list(said))
            return
        with ThreadPoolExecutor(min(self._side_by_side, len(chats)), thread_name_prefix=f"read {self._name}") as pool:
            list(pool.map(serve, chats.values()))

    def _answer(self, said: Incoming) -> None:
        """A database that is away is raised: then nothing counts as read, and all of it comes again."""
        answer = Answer()
        try:
            answer = self._answering(said, lambda: self._wire.fetch(said.photo))
            self._store(said, answer)
        except StorageError:
            raise
        except VitrinaError as error:
            logger.warning("chat %s: message %d was not answered: %s", self._name, said.number, error)
        except Exception:  # the edge of a worker loop: one odd message must not stop the bot for everybody
            logger.exception("chat %s: message %d was not answered", self._name, said.number)
        if said.press is not None:
            self._wire.acknowledge(said.press, answer.notice)

    def _store(self, said: Incoming, answer: Answer) -> None:
        if not answer.letters and answer.also is None:
            return
        recipient = Recipient(said.channel, said.chat)
        with self._database.session() as session:
            if answer.also is not None:
                answer.also(session)
            for number, letter in enumerate(answer.letters):
                outbox.enqueue(session, letter, [recipient], topic=f"{REPLY}{said.channel}:{said.number}:{number}")

    def _note(self, status: str) -> None:
        with self._database.reading() as session:
            row = channel.find_channel(session, self._name)
        if row is not None and row.reading != status:
            with self._database.session() as session:
                channel.note_reading(session, self._name, status)
