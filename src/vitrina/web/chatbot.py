"""What the bot says: linking a chat to its owner here, everything else by the part that it is about."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from vitrina.chat import linking
from vitrina.chat.channel import ChatLink
from vitrina.chat.letter import Incoming, Letter
from vitrina.chat.outbox import Recipient
from vitrina.chat.reading import Answer, Fetch
from vitrina.errors import InputError, LimitError
from vitrina.storage import accounts
from vitrina.storage.database import Database
from vitrina.web.lensbot import LensBot, greeting
from vitrina.web.words import Words, choose_language

USE_S = 600.0


class ChatBot:
    """lens: who answers photos; None where that part does not run."""

    def __init__(self, database: Database, *, language: str = "en", lens: LensBot | None = None) -> None:
        self._database, self._language, self._lens = database, language, lens

    def answer(self, said: Incoming, fetch: Fetch) -> Answer:
        words = Words(choose_language(None, said.language, self._language))
        command, rest = said.command
        commands: dict[str, Callable[[], str]] = {
            "link": lambda: self._link(said, rest, words),
            "unlink": lambda: self._unlink(said, words),
            "start": lambda: self._link(said, rest, words) if rest else self._help(words),
            "help": lambda: self._help(words),
        }
        if command in commands and said.press is None:
            return Answer([Letter(commands[command](), use_s=USE_S)])
        if self._lens is not None:
            return self._lens.answer(said, fetch, words)
        if not said.private or said.press is not None:
            return Answer()
        return Answer([Letter(self._help(words), use_s=USE_S)])

    def _help(self, words: Words) -> str:
        _ = words.gettext
        about_links = _("/link CODE links this chat to your account, /unlink ends that.")
        return f"{greeting(words)}\n{about_links}" if self._lens is not None else about_links

    def _link(self, said: Incoming, code: str, words: Words) -> str:
        _ = words.gettext
        if not code:
            return _("Type /link and the code that your account's page shows, such as /link AB2C-3DE4.")
        try:
            with self._database.session() as session:
                recipient = Recipient(said.channel, said.chat)
                found = linking.use_code(session, recipient, code, name=said.name, private=said.private)
                whose = _whose(session, found, words) if found is not None else ""
        except LimitError:
            return _("Too many wrong codes. Please wait a while.")
        except InputError:
            return _("This code is for a private chat with me, not for a group.")
        if found is None:
            return _("This code is unknown, was used, or is older than ten minutes. Please make a new one.")
        return _("This chat is linked: {whose}.").format(whose=whose)

    def _unlink(self, said: Incoming, words: Words) -> str:
        _ = words.gettext
        with self._database.session() as session:
            link = linking.find_link(session, Recipient(said.channel, said.chat))
            if link is None:
                return _("This chat is not linked.")
            linking.unlink(session, link.link_id, by=f"chat:{said.channel}")
        return _("This chat is not linked any more.")


def _whose(session: Any, link: ChatLink, words: Words) -> str:
    _ = words.gettext
    if link.role is not None:
        return f"{link.role}, {link.shop}" if link.shop else link.role
    if link.person_id is not None:
        return str(accounts.get_person(session, link.person_id).name)
    return _("your cashback")
