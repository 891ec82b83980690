"""The process of `vitrina up` that talks: it delivers the outbox and answers the bot's visitors."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from vitrina.chat.linking import find_link
from vitrina.chat.outbox import Recipient
from vitrina.chat.reading import Answering
from vitrina.chat.switchboard import Switchboard
from vitrina.lens.found import Found
from vitrina.lens.ticket import TICKETS, make_ticket
from vitrina.product import Money
from vitrina.settings import Settings
from vitrina.storage.database import Database
from vitrina.storage.secrets import SecretBox
from vitrina.work.supervise import leave_with_parent

if TYPE_CHECKING:
    from vitrina.lens.catalog import Catalog

Find = Callable[[bytes | None, str, Money | None, int], Found]
Bot = Callable[[Settings, Database], Answering]


def talk(settings: Settings, bot: Bot) -> None:
    """Until SIGTERM; what is being sent is finished. bot: made with the database of this process."""
    leave_with_parent()
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    database = Database(settings.database)
    try:
        Switchboard(database, SecretBox(settings.home), bot(settings, database)).run(stop)
    finally:
        database.dispose()


def finder(settings: Settings, database: Database) -> Find:
    """The catalog's search. It is opened by the first photo: until then this process needs no memory for it."""

    @cache
    def catalog() -> Catalog:
        from vitrina.lens.catalog import Catalog

        return Catalog(settings, database)

    def find(photo: bytes | None, text: str, most: Money | None, limit: int) -> Found:
        from vitrina.lens.rank import Wishes

        return catalog().find(photo, text=text, where=Wishes(max_price=most), limit=limit)

    return find


def picture_of(settings: Settings) -> Callable[[str], Path | None]:
    """A product's picture as the catalog keeps it."""

    def path(sha256: str) -> Path | None:
        from vitrina.lens.pictures import thumbnail_path

        return thumbnail_path(settings.lens, sha256) if sha256 else None

    return path


def ticket_of(settings: Settings, database: Database) -> Callable[[Recipient, str, str], str]:
    """Clicks from a chat that is linked to a wallet belong to it."""
    key = SecretBox(settings.home).derive(TICKETS)

    def ticket(chat: Recipient, shop: str, offer_id: str) -> str:
        with database.reading() as session:
            link = find_link(session, chat)
        if link is None or link.wallet is None:
            return ""
        return make_ticket(key, link.wallet, shop=shop, offer_id=offer_id, now_s=time.time())

    return ticket
