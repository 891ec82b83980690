"""Takes messages from the outbox to one channel, until each has arrived, was refused, or is of no more use."""

from __future__ import annotations

import logging
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

from vitrina.chat import channel, outbox
from vitrina.chat.letter import Away, Refused, Wire
from vitrina.chat.outbox import Parcel
from vitrina.errors import StorageError
from vitrina.product import new_id
from vitrina.storage.database import Database

logger = logging.getLogger(__name__)

LEASE_S = 60.0
POLL_S = 0.5
WRITE_TRIES = 4
"""How often it is tried to write down that a message was sent: what is not written down is sent again."""


class Deliverer:
    """One channel's postman. Several, in several processes, share the work."""

    def __init__(
        self,
        database: Database,
        name: str,
        wire: Wire,
        *,
        lease_s: float = LEASE_S,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._database, self._name, self._wire = database, name, wire
        self._lease_s, self._clock, self._sender = lease_s, clock, new_id()
        self._flooded: dict[str, datetime] = {}

    def run_forever(self, stop: threading.Event, *, nudge: threading.Event | None = None) -> None:
        """Until `stop` is set; what is in hand is finished. nudge: set by who knows that something waits."""
        nudge = nudge or stop
        while not stop.is_set():
            try:
                busy = self.run_once(stop)
            except StorageError:
                logger.exception("chat %s: the outbox cannot be read; trying again", self._name)
                busy = False
            if not busy:
                nudge.wait(POLL_S)
                if nudge is not stop:
                    nudge.clear()

    def run_once(self, stop: threading.Event | None = None) -> bool:
        """Deliver what is due, a handful at a time; whether there was anything."""
        now, stop = self._clock(), stop or threading.Event()
        flooded = [chat for chat, until in self._flooded.items() if until > now]
        with self._database.reading() as session:
            if not outbox.is_due(session, self._name, now, but_not=flooded):
                return False
        with self._database.session() as session:
            dropped = outbox.drop_expired(session, self._name, now)
            parcels = outbox.claim(
                session, self._name, sender=self._sender, lease_s=self._lease_s, now=now, but_not=flooded
            )
        if dropped:
            logger.warning("chat %s: %d messages dropped, they waited longer than they are of use", self._name, dropped)
        self._deliver(parcels, time.monotonic() + self._lease_s / 2, stop)
        return bool(parcels)

    def _deliver(self, parcels: Sequence[Parcel], until: float, stop: threading.Event) -> None:
        """Each chat's messages one after the other, several chats side by side."""
        chats: dict[str, list[Parcel]] = defaultdict(list)
        for parcel in parcels:
            chats[parcel.recipient.chat].append(parcel)
        failed = threading.Event()
        if len(chats) <= 1 or self._wire.lanes <= 1:
            for chat in chats.values():
                self._serve(chat, until, stop, failed)
            return
        with ThreadPoolExecutor(min(self._wire.lanes, len(chats)), thread_name_prefix=f"chat {self._name}") as pool:
            list(pool.map(lambda chat: self._serve(chat, until, stop, failed), chats.values()))

    def _serve(self, parcels: list[Parcel], until: float, stop: threading.Event, failed: threading.Event) -> None:
        """One chat. After a failure, or when the lease runs out, what is left goes back as it was."""
        for number, parcel in enumerate(parcels):
            if failed.is_set() or stop.is_set() or time.monotonic() > until:
                self._write(lambda left=parcels[number:]: self._put_back(left))  # type: ignore[misc]
                return
            try:
                self._hand_over(parcel)
            except Away as away:
                failed.set()
                self._note_away(parcel, away)
            except Refused as refused:
                logger.warning("chat %s: message %s refused: %s", self._name, parcel.message_id, refused)
                self._write(lambda parcel=parcel, why=str(refused): self._give_up(parcel, why))  # type: ignore[misc]

    def _hand_over(self, parcel: Parcel) -> None:
        """Raises Away and Refused. What was sent is written down before anything else is done."""
        if not parcel.is_sent and parcel.expires_at <= self._clock():
            self._write(lambda: self._put_back([parcel]))  # the next round drops it
            return
        chat, external_id = parcel.recipient.chat, parcel.external_id
        if parcel.is_sent:
            pictured = parcel.letter.picture is not None
            self._wire.edit(chat, external_id, parcel.letter, pictured=pictured)
        else:
            external_id = self._wire.send(chat, parcel.letter)
        self._write(lambda: self._note_arrived(parcel, external_id))

    def _note_arrived(self, parcel: Parcel, external_id: str) -> None:
        with self._database.session() as session:
            ours = outbox.arrived(session, parcel, external_id, now=self._clock())
            channel.note_sending(session, self._name, "", now=self._clock())
        if not ours:
            logger.warning("chat %s: message %s was no longer ours when it arrived", self._name, parcel.message_id)

    def _note_away(self, parcel: Parcel, away: Away) -> None:
        """Who is down is not asked by every message: the channel pauses. Too much for one chat pauses that chat."""
        now = self._clock()
        logger.info("chat %s: %s", self._name, away)
        with self._database.session() as session:
            if away.wait_s is not None and not self._is_flood_of_all(parcel.recipient.chat, away.wait_s, now):
                outbox.put_back(session, [parcel], now=now, wait_s=away.wait_s, reason=str(away))
                return
            row = channel.find_channel(session, self._name)
            failures = row.failures + 1 if row is not None else 1
            pause_s = outbox.retry_wait_s(failures) if away.wait_s is None else away.wait_s
            channel.note_sending(session, self._name, str(away), now=now, pause_s=pause_s)
            # Twice as long as the channel: should only this message be at fault, the others go first.
            own_s = max(outbox.retry_wait_s(parcel.tries + 1), 2 * pause_s) if away.wait_s is None else away.wait_s
            outbox.put_back(session, [parcel], now=now, wait_s=own_s, reason=str(away))

    def _is_flood_of_all(self, chat: str, wait_s: float, now: datetime) -> bool:
        """A channel does not say whether it has enough of one chat's messages or of all: two chats mean all."""
        self._flooded = {other: until for other, until in self._flooded.items() if until > now}
        self._flooded[chat] = now + timedelta(seconds=wait_s)
        return len(self._flooded) > 1

    def _put_back(self, parcels: Sequence[Parcel]) -> None:
        with self._database.session() as session:
            outbox.put_back(session, parcels, now=self._clock())

    def _give_up(self, parcel: Parcel, reason: str) -> None:
        with self._database.session() as session:
            outbox.gave_up(session, parcel, reason)

    def _write(self, change: Callable[[], None]) -> None:
        for left in reversed(range(WRITE_TRIES)):
            try:
                return change()
            except StorageError:
                if not left:
                    raise
                logger.exception("chat %s: what became of a message cannot be written down; trying again", self._name)
                time.sleep(0.5)
        return None
