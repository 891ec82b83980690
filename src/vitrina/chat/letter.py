"""What goes out and what comes in, in no channel's own terms; and what a channel has to be able to do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from vitrina.errors import InputError, VitrinaError

LONGEST_DATA = 64
"""Bytes that Telegram gives back when a button is pressed."""
DAY_S = 86400.0


@dataclass(frozen=True, slots=True)
class Button:
    """Either opens an address, or gives `data` back to us when it is pressed (64 bytes at most)."""

    text: str
    url: str = ""
    data: str = ""

    def __post_init__(self) -> None:
        if bool(self.url) == bool(self.data):
            raise InputError(f"button {self.text!r}: expected either an address or data")
        if len(self.data.encode()) > LONGEST_DATA:
            raise InputError(f"button {self.text!r}: data of {len(self.data.encode())} bytes, expected {LONGEST_DATA}")


Rows = tuple[tuple[Button, ...], ...]


@dataclass(frozen=True, slots=True)
class Letter:
    """One message in plain text. picture: a file that is there when it is sent; without it the text goes alone.

    use_s: after so many seconds nobody needs it any more, and what is still waiting then is dropped.
    """

    text: str
    buttons: Rows = ()
    picture: Path | None = None
    use_s: float = DAY_S


def links_as_lines(letter: Letter) -> str:
    """The text, with a line for each button that opens something: for channels that show no such button."""
    links = [f"{button.text}: {button.url}" for row in letter.buttons for button in row if button.url]
    return "\n".join([letter.text, *links])


@dataclass(frozen=True, slots=True)
class Press:
    """Somebody pressed a button. external_id: the message it stands on, in the channel's terms."""

    press_id: str
    data: str
    external_id: str


@dataclass(frozen=True, slots=True)
class Incoming:
    """What somebody wrote, sent or pressed.

    number: grows with each one of its channel. photo: what `Wire.fetch` takes, "" without one.
    private: nobody else reads this chat. language: what the sender's program is set to, such as `ru`, or "".
    """

    channel: str
    chat: str
    number: int
    text: str = ""
    name: str = ""
    language: str = ""
    private: bool = True
    photo: str = ""
    photo_bytes: int = 0
    press: Press | None = None

    @property
    def command(self) -> tuple[str, str]:
        """`/link@shop_bot AB12` → ("link", "AB12"); ("", text) for what is no command."""
        if not self.text.startswith("/"):
            return "", self.text
        word, _, rest = self.text[1:].partition(" ")
        return word.partition("@")[0].casefold(), rest.strip()


class Away(VitrinaError):  # noqa: N818 - it is expected
    """The channel cannot take it now. wait_s: how long it asked to be left alone; None: it did not say."""

    def __init__(self, reason: str, *, wait_s: float | None = None) -> None:
        super().__init__(reason)
        self.wait_s = wait_s


class Refused(VitrinaError):  # noqa: N818 - it is expected
    """The channel will never take this message: the chat is gone, or the bot was blocked there."""


class Wire(Protocol):
    """A channel that sends. Methods raise Away, or Refused; they may be called from several threads."""

    lanes: int
    """How many recipients may be served side by side."""

    def send(self, recipient: str, letter: Letter) -> str:
        """The message's id in the channel's own terms, "" where it gives none."""
        ...

    def edit(self, recipient: str, external_id: str, letter: Letter, *, pictured: bool) -> None:
        """Change what was sent. A channel that cannot do so raises Refused. pictured: it was sent with a picture."""
        ...

    def close(self) -> None: ...


class TwoWayWire(Wire, Protocol):
    """A channel that is read as well, by one reader at a time."""

    def read(self, after: int, *, wait_s: float) -> Sequence[Incoming]:
        """What came after the one with that number, oldest first; waits for it. What came before it is forgotten."""
        ...

    def interrupt(self) -> None:
        """End a `read` that waits, from another thread; it gives nothing then."""
        ...

    def fetch(self, photo: str) -> bytes:
        """The photo itself."""
        ...

    def acknowledge(self, press: Press, text: str = "") -> None:
        """Tell who pressed that it was noticed; a text is shown for a moment."""
        ...


def rows_as_json(rows: Rows) -> list[Any]:
    return [[{"text": b.text, **({"url": b.url} if b.url else {"data": b.data})} for b in row] for row in rows]


def rows_from_json(rows: list[Any]) -> Rows:
    return tuple(tuple(Button(b["text"], b.get("url", ""), b.get("data", "")) for b in row) for row in rows)
