"""What pages show of chat: channels and how they are doing, one's own chats, and a code that links one more."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import segno
from markupsafe import Markup

from vitrina.chat import channel, linking, outbox
from vitrina.chat.channel import TELEGRAM, ChatChannel, ChatLink
from vitrina.chat.linking import Owner
from vitrina.storage.accounts import SignedIn
from vitrina.web.site import Site


@dataclass(frozen=True, slots=True)
class ShownChannel:
    """wrong: what keeps it from working, "" when nothing does. counts: messages by state."""

    row: ChatChannel
    wrong: str
    counts: dict[str, int]
    links: int


@dataclass(frozen=True, slots=True)
class ShownCode:
    """A code that was made just now. url: opens the bot with the code typed in, "" while its name is not known."""

    code: str
    username: str
    url: str

    @property
    def qr(self) -> Markup:
        drawn = segno.make(self.url, error="m").svg_inline(scale=4, border=0, omitsize=True, svgclass=None)
        return Markup(drawn)  # noqa: S704  (drawn by segno from our own address)


def shown_channels(session: Any) -> list[ShownChannel]:
    counts = outbox.counts(session)
    return [
        ShownChannel(
            row,
            "; ".join(part for part in (row.status if row.connected is False else "", row.reading) if part),
            counts.get(row.name, {}),
            len(linking.list_links(session, channel=row.name)),
        )
        for row in channel.list_channels(session)
    ]


def own_chats(session: Any, who: SignedIn) -> list[ChatLink]:
    return linking.list_links(session, person_id=who.person_id)


def has_bot(session: Any) -> bool:
    """Whether there is anything to type a code into."""
    return any(row.kind == TELEGRAM for row in channel.list_channels(session))


def make_code(site: Site, owner: Owner, *, by: str) -> ShownCode:
    """For a chat of the owner's. Raises LimitError when too many are open."""
    with site.database.session() as session:
        code = linking.make_code(session, owner, by=by)
        bots = [row for row in channel.list_channels(session) if row.kind == TELEGRAM]
    only = bots[0] if len(bots) == 1 else None
    return ShownCode(code, only.username if only else "", linking.code_link(only, code) if only else "")


def make_own_code(site: Site, who: SignedIn) -> ShownCode:
    return make_code(site, Owner(person_id=who.person_id), by=who.person_id)
