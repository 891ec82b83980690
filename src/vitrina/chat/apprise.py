"""Every other channel (mail, Slack, Mattermost, a webhook …) through Apprise: it sends, and nothing comes back."""

from __future__ import annotations

import logging
import re
import threading

from vitrina.chat.letter import Away, Letter, Refused, links_as_lines
from vitrina.errors import InputError, MissingError

TALKATIVE = ("apprise", "urllib3", "requests")
"""Loggers whose lines hold addresses, and addresses hold passwords."""
LONGEST_REASON = 200


class AppriseWire:
    """One address of Apprise's. It is a secret: neither it nor a part of it gets into a log or a reason."""

    lanes = 1

    def __init__(self, address: str) -> None:
        try:
            import apprise
        except ImportError as error:
            raise MissingError('Apprise is not installed: pip install "vitrina[chat]"') from error
        hush()
        self._address = address
        self._apprise = apprise.Apprise()
        if not self._apprise.add(address):
            scheme = address.partition("://")[0]
            raise InputError(
                f"address: Apprise cannot make anything of this {scheme}:// address; see its documentation"
            )
        self._one_at_a_time = threading.Lock()

    def send(self, recipient: str, letter: Letter) -> str:  # noqa: ARG002 - the address is the recipient
        picture = letter.picture if letter.picture is not None and letter.picture.is_file() else None
        with self._one_at_a_time, _Listening() as heard:
            done = self._apprise.notify(body=links_as_lines(letter), attach=str(picture) if picture else None)
        if not done:
            raise Away(without_secrets(heard.said, self._address) or "Apprise could not send it")
        return ""

    def edit(self, recipient: str, external_id: str, letter: Letter, *, pictured: bool) -> None:  # noqa: ARG002
        raise Refused("this channel cannot change a message that was sent")

    def close(self) -> None:
        """Nothing is held between two messages."""


def without_secrets(reason: str, address: str) -> str:
    """The reason's first line, with nothing in it that the address holds after its scheme."""
    parts = sorted((part for part in re.split(r"[/?&=@:;,]+", address)[1:] if len(part) > 3), key=len, reverse=True)
    line = reason.strip().partition("\n")[0].replace(address, "***")
    for part in parts:
        line = line.replace(part, "***")
    return line[:LONGEST_REASON]


def hush() -> None:
    """Below warnings these loggers write whole addresses; and what they warn of, we say ourselves."""
    for name in TALKATIVE:
        logger = logging.getLogger(name)
        logger.setLevel(max(logging.WARNING, logger.level))
    logging.getLogger("apprise").propagate = False


class _Listening(logging.Handler):
    """What Apprise warns of while it sends: it gives no other reason."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.said = ""

    def emit(self, record: logging.LogRecord) -> None:
        self.said = self.said or record.getMessage()

    def __enter__(self) -> _Listening:
        logging.getLogger("apprise").addHandler(self)
        return self

    def __exit__(self, *_: object) -> None:
        logging.getLogger("apprise").removeHandler(self)
