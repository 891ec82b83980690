"""A channel that goes nowhere: what was sent stays in a list. For tests, and to look before anything is sent."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field

from vitrina.chat.letter import Incoming, Letter, Press


@dataclass(frozen=True, slots=True)
class Sent:
    recipient: str
    external_id: str
    letter: Letter


@dataclass
class MemoryWire:
    """Takes everything. faults: raised one after the other, before anything is taken. photos: what `fetch` gives."""

    lanes: int = 1
    faults: list[Exception] = field(default_factory=list)
    photos: dict[str, bytes] = field(default_factory=dict)
    sent: list[Sent] = field(default_factory=list)
    edits: list[Sent] = field(default_factory=list)
    noticed: list[tuple[str, str]] = field(default_factory=list)
    incoming: list[Incoming] = field(default_factory=list)
    _news: threading.Condition = field(default_factory=threading.Condition)

    def send(self, recipient: str, letter: Letter) -> str:
        self._fail_if_told()
        self.sent.append(Sent(recipient, str(len(self.sent) + 1), letter))
        return self.sent[-1].external_id

    def edit(self, recipient: str, external_id: str, letter: Letter, *, pictured: bool) -> None:  # noqa: ARG002
        self._fail_if_told()
        self.edits.append(Sent(recipient, external_id, letter))

    def say(self, incoming: Incoming) -> None:
        """Let it come in."""
        with self._news:
            self.incoming.append(incoming)
            self._news.notify_all()

    def read(self, after: int, *, wait_s: float) -> Sequence[Incoming]:
        with self._news:
            if not any(said.number > after for said in self.incoming):
                self._news.wait(wait_s)
            return [said for said in self.incoming if said.number > after]

    def interrupt(self) -> None:
        with self._news:
            self._news.notify_all()

    def fetch(self, photo: str) -> bytes:
        return self.photos[photo]

    def acknowledge(self, press: Press, text: str = "") -> None:
        self.noticed.append((press.press_id, text))

    def close(self) -> None:
        """Nothing is held."""

    def _fail_if_told(self) -> None:
        if self.faults:
            raise self.faults.pop(0)
