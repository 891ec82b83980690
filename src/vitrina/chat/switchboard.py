"""Every channel that is set, sent to and read in one process; a channel that is changed is connected anew."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from vitrina.chat import channel, outbox
from vitrina.chat.apprise import AppriseWire
from vitrina.chat.channel import TELEGRAM, ChatChannel
from vitrina.chat.delivery import Deliverer
from vitrina.chat.letter import Away, Refused, Wire
from vitrina.chat.reading import REPLY, Answering, Reader
from vitrina.chat.telegram import TelegramWire
from vitrina.errors import StorageError, VitrinaError
from vitrina.storage.database import Database
from vitrina.storage.secrets import SecretBox

logger = logging.getLogger(__name__)

LOOK_EVERY_S = 2.0
FORGET_AFTER = timedelta(days=30)
FORGET_REPLIES_AFTER = timedelta(days=1)
"""What strangers asked for is nobody's business the day after."""
FORGET_EVERY = timedelta(hours=1)
TRY_AGAIN_AFTER = timedelta(seconds=30)


@dataclass
class Line:
    """A channel that is connected: its threads, and how to end them."""

    changed_at: datetime
    wire: Wire | None = None
    stop: threading.Event = field(default_factory=threading.Event)
    nudge: threading.Event = field(default_factory=threading.Event)
    threads: list[threading.Thread] = field(default_factory=list)
    failed_at: datetime | None = None

    def end(self) -> None:
        """What is being sent is finished."""
        self.stop.set()
        self.nudge.set()
        interrupt = getattr(self.wire, "interrupt", None)
        for thread in self.threads:
            while thread.is_alive():
                if interrupt is not None:
                    interrupt()  # again and again: it may have been about to read
                thread.join(0.1)
        if self.wire is not None:
            self.wire.close()


def open_wire(row: ChatChannel, box: SecretBox) -> Wire:
    """Raises MissingError when its library is not installed, StorageError when its secret cannot be opened."""
    secret = box.open(row.secret)
    return TelegramWire(secret, channel=row.name, url=row.url) if row.kind == TELEGRAM else AppriseWire(secret)


class Switchboard:
    """Looks every two seconds which channels there are."""

    def __init__(
        self,
        database: Database,
        box: SecretBox,
        answering: Answering,
        *,
        opening: Callable[[ChatChannel, SecretBox], Wire] = open_wire,
    ) -> None:
        self._database, self._box, self._answering, self._opening = database, box, answering, opening
        self._lines: dict[str, Line] = {}
        self._forgot_at: datetime | None = None

    def run(self, stop: threading.Event) -> None:
        try:
            while not stop.is_set():
                try:
                    self.look()
                except StorageError:
                    logger.exception("chat: the channels cannot be looked at; what runs goes on")
                stop.wait(LOOK_EVERY_S)
        finally:
            self.close()

    def look(self) -> None:
        """One round: connect what is new, end what is gone, connect anew what was changed or could not be opened."""
        now = datetime.now(UTC)
        with self._database.reading() as session:
            rows = {row.name: row for row in channel.list_channels(session)}
        for name in [name for name, line in self._lines.items() if self._is_over(line, rows.get(name), now)]:
            self._lines.pop(name).end()
        for name, row in rows.items():
            if name not in self._lines:
                self._lines[name] = self._connect(row, now)
        if self._forgot_at is None or now - self._forgot_at > FORGET_EVERY:
            with self._database.session() as session:
                outbox.forget(session, now - FORGET_AFTER)
                outbox.forget(session, now - FORGET_REPLIES_AFTER, about=REPLY)
            self._forgot_at = now

    def close(self) -> None:
        for line in self._lines.values():
            line.stop.set()
        for line in self._lines.values():
            line.end()
        self._lines.clear()

    def _is_over(self, line: Line, row: ChatChannel | None, now: datetime) -> bool:
        if row is None or row.changed_at != line.changed_at:
            return True
        return line.failed_at is not None and now - line.failed_at > TRY_AGAIN_AFTER

    def _connect(self, row: ChatChannel, now: datetime) -> Line:
        line = Line(row.changed_at)
        try:
            wire = line.wire = self._opening(row, self._box)
        except VitrinaError as error:
            logger.warning("chat %s cannot be opened: %s", row.name, error)
            line.failed_at = now
            with self._database.session() as session:
                channel.note_sending(session, row.name, str(error), now=now)
            return line
        deliverer = Deliverer(self._database, row.name, wire)
        self._start(line, f"deliver {row.name}", lambda: deliverer.run_forever(line.stop, nudge=line.nudge))
        if isinstance(wire, TelegramWire):
            reader = Reader(self._database, row.name, wire, self._answering)
            self._start(line, f"read {row.name}", lambda: self._read(row.name, wire, reader, line))
        return line

    def _read(self, name: str, wire: TelegramWire, reader: Reader, line: Line) -> None:
        """The bot's name is wanted for links; it is asked for once Telegram answers."""
        try:
            username = wire.whoami()
            with self._database.session() as session:
                channel.note_username(session, name, username)
        except (Away, Refused, StorageError) as error:
            logger.warning("chat %s: the bot's name is not known yet: %s", name, error)
        reader.run_forever(line.stop, nudge=line.nudge)

    def _start(self, line: Line, name: str, work: Callable[[], None]) -> None:
        thread = threading.Thread(target=self._guarded, args=(name, work, line), name=name, daemon=True)
        line.threads.append(thread)
        thread.start()

    def _guarded(self, name: str, work: Callable[[], None], line: Line) -> None:
        try:
            work()
        except Exception:  # the edge of a thread: the line is opened again after a while
            logger.exception("%s ended; opening the channel again", name)
            line.failed_at = datetime.now(UTC)
