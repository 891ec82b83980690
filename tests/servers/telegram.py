"""A server that speaks the part of Telegram's Bot API that we use, over real HTTP, with Telegram's own refusals.

It can be stopped and started again on the same port: what was sent, and what waits to be read, stays.
"""

from __future__ import annotations

import email.parser
import email.policy
import json
import re
import threading
import time
import urllib.parse
from collections import defaultdict
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

TOKEN = "4242:open-sesame_and-nobody-else-knows"
LONGEST_TEXT, LONGEST_CAPTION, LONGEST_DATA = 4096, 1024, 64


class RefusalError(Exception):
    def __init__(self, code: int, description: str, **parameters: Any) -> None:
        super().__init__(description)
        self.body = {"ok": False, "error_code": code, "description": description}
        self.body |= {"parameters": parameters} if parameters else {}
        self.code = code


class CutError(Exception):
    """The connection breaks before there is an answer."""


@dataclass
class Shown:
    """A message as its reader sees it now."""

    chat: str
    message_id: int
    text: str
    buttons: list[list[dict[str, str]]] = field(default_factory=list)
    photo: bytes = b""
    versions: int = 1


@dataclass
class TelegramServer:
    """faults: what is done instead of answering, one after the other: an HTTP status, "cut" (nothing was taken), or
    "lost" (it was taken, and the answer was lost). floods: chat → seconds, each answered once with 429 after which a
    message that comes too early is counted in `impatient`.
    """

    token: str = TOKEN
    username: str = "vitrina_test_bot"
    port: int = 0
    shown: list[Shown] = field(default_factory=list)
    noticed: list[dict[str, Any]] = field(default_factory=list)
    files: dict[str, bytes] = field(default_factory=dict)
    faults: list[int | str] = field(default_factory=list)
    floods: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    quiet_until: dict[str, float] = field(default_factory=dict)
    impatient: int = 0
    blocked: set[str] = field(default_factory=set)
    gone: set[str] = field(default_factory=set)
    calls: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    slow_s: float = 0.0

    def __post_init__(self) -> None:
        self._updates: list[dict[str, Any]] = []
        self._next = {"update": 1000, "message": 1}
        self._news = threading.Condition()
        self._poll = 0
        self._server: ThreadingHTTPServer | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    # ── what people do ──────────────────────────────────────────────────────────────────────────

    def say(self, chat: int, text: str, *, language: str = "en", group: bool = False) -> int:
        return self._arrive(self._message(chat, language, group, text=text))

    def send_photo(self, chat: int, content: bytes, *, caption: str = "", language: str = "en") -> int:
        """As Telegram shows a photo: several sizes, the last one the largest."""
        name = f"photo{len(self.files)}"
        self.files |= {f"{name}s": content[:100], name: content}
        sizes = [
            {"file_id": f"{name}s", "file_unique_id": f"{name}s", "width": 90, "height": 90, "file_size": 100},
            {"file_id": name, "file_unique_id": name, "width": 900, "height": 900, "file_size": len(content)},
        ]
        caption_of = {"caption": caption} if caption else {}
        return self._arrive(self._message(chat, language, False, photo=sizes, **caption_of))

    def press(self, shown: Shown, text: str, *, language: str = "en") -> int:
        """Press the button with this text."""
        [data] = [b["callback_data"] for row in shown.buttons for b in row if b["text"] == text]
        chat = int(shown.chat)
        message = {"message_id": shown.message_id, "date": 1, "chat": _chat(chat, False), "text": shown.text}
        query = {"id": f"press{self._next['update']}", "from": _person(chat, language), "chat_instance": "1"}
        return self._arrive({"callback_query": query | {"message": message, "data": data}})

    def _message(self, chat: int, language: str, group: bool, **content: Any) -> dict[str, Any]:
        number = self._count("message")
        head = {"message_id": number, "date": 1, "chat": _chat(chat, group), "from": _person(chat, language)}
        return {"message": head | content}

    def _arrive(self, update: dict[str, Any]) -> int:
        with self._news:
            number = self._count("update")
            self._updates.append({"update_id": number, **update})
            self._news.notify_all()
        return number

    def _count(self, what: str) -> int:
        self._next[what] += 1
        return self._next[what] - 1

    def in_chat(self, chat: int) -> list[Shown]:
        return [one for one in self.shown if one.chat == str(chat)]

    @property
    def unread(self) -> int:
        return len(self._updates)

    # ── methods of the Bot API ──────────────────────────────────────────────────────────────────

    def answer(self, method: str, given: dict[str, Any]) -> Any:
        known = {
            "getMe": self._get_me,
            "getUpdates": self._get_updates,
            "sendMessage": self._send,
            "sendPhoto": self._send,
            "editMessageText": self._edit,
            "editMessageCaption": self._edit,
            "answerCallbackQuery": self._notice,
            "getFile": self._get_file,
        }
        if method not in known:
            raise RefusalError(404, "Not Found")
        return known[method](given)

    def _get_me(self, _given: dict[str, Any]) -> Any:
        return {"id": int(self.token.split(":")[0]), "is_bot": True, "first_name": "Test", "username": self.username}

    def _get_updates(self, given: dict[str, Any]) -> Any:
        """A second reader ends the wait of the first."""
        with self._news:
            self._poll += 1
            mine, until = self._poll, time.monotonic() + float(given.get("timeout", 0))
            self._news.notify_all()
            self._updates = [one for one in self._updates if one["update_id"] >= int(given.get("offset", 0))]
            while not self._updates and self._poll == mine and time.monotonic() < until and self._server is not None:
                self._news.wait(0.05)
            if self._poll != mine:
                raise RefusalError(
                    409, "Conflict: terminated by other getUpdates request; make sure that only one bot runs"
                )
            return self._updates[:100]

    def _send(self, given: dict[str, Any]) -> Any:
        chat, buttons = self._checked(given)
        lost = self._fault()
        shown = Shown(chat, self._count("message"), _words(given), buttons, given.get("photo", b""))
        self.shown.append(shown)
        if lost:
            raise CutError
        return {"message_id": shown.message_id, "date": 1, "chat": _chat(int(chat), False), "text": shown.text or "."}

    def _edit(self, given: dict[str, Any]) -> Any:
        chat, buttons = self._checked(given)
        found = [one for one in self.shown if (one.chat, one.message_id) == (chat, int(given["message_id"]))]
        if not found:
            raise RefusalError(400, "Bad Request: message to edit not found")
        [shown] = found
        if bool(shown.photo) != ("caption" in given):
            missing = "caption" if "caption" in given else "text"
            raise RefusalError(400, f"Bad Request: there is no {missing} in the message to edit")
        if (shown.text, shown.buttons) == (_words(given), buttons):
            raise RefusalError(400, "Bad Request: message is not modified: specified new message content is the same")
        self._fault()
        shown.text, shown.buttons, shown.versions = _words(given), buttons, shown.versions + 1
        return {"message_id": shown.message_id, "date": 1, "chat": _chat(int(chat), False), "text": shown.text or "."}

    def _notice(self, given: dict[str, Any]) -> Any:
        self.noticed.append(given)
        return True

    def _get_file(self, given: dict[str, Any]) -> Any:
        name = given["file_id"]
        if name not in self.files:
            raise RefusalError(400, "Bad Request: wrong file_id or the file is temporarily unavailable")
        size = len(self.files[name])
        return {"file_id": name, "file_unique_id": name, "file_size": size, "file_path": f"photos/{name}.jpg"}

    def _checked(self, given: dict[str, Any]) -> tuple[str, list[list[dict[str, str]]]]:
        chat, text = str(given["chat_id"]), _words(given)
        if chat in self.gone:
            raise RefusalError(400, "Bad Request: chat not found")
        if chat in self.blocked:
            raise RefusalError(403, "Forbidden: bot was blocked by the user")
        self._slow_down(chat)
        if not text and "photo" not in given:
            raise RefusalError(400, "Bad Request: message text is empty")
        if len(text.encode("utf-16-le")) // 2 > (
            LONGEST_CAPTION if "photo" in given or "caption" in given else LONGEST_TEXT
        ):
            raise RefusalError(400, "Bad Request: message is too long")
        # It arrives as a JSON text inside the form.
        buttons = json.loads(given["reply_markup"])["inline_keyboard"] if "reply_markup" in given else []
        for button in (button for row in buttons for button in row):
            _check_button(button)
        return chat, buttons

    def _slow_down(self, chat: str) -> None:
        left_s = self.quiet_until.get(chat, 0.0) - time.monotonic()
        if left_s > 0:
            self.impatient += 1
            raise RefusalError(429, "Too Many Requests", retry_after=max(1, round(left_s)))
        if self.floods.get(chat):
            wait_s = self.floods[chat].pop(0)
            self.quiet_until[chat] = time.monotonic() + wait_s
            raise RefusalError(429, f"Too Many Requests: retry after {wait_s:g}", retry_after=wait_s)

    def _fault(self) -> bool:
        """Whether the answer gets lost."""
        fault = self.faults.pop(0) if self.faults else None
        if fault == "cut":
            raise CutError
        if isinstance(fault, int):
            raise RefusalError(fault, "Internal Server Error" if fault == 500 else "Bad Gateway")
        return fault == "lost"

    # ── HTTP ────────────────────────────────────────────────────────────────────────────────────

    def start(self) -> TelegramServer:
        telegram = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                found = re.fullmatch(r"/bot([^/]+)/(\w+)", self.path)
                try:
                    if found is None or found[1] != telegram.token:
                        raise RefusalError(401, "Unauthorized")
                    given = _parse(self.headers.get("Content-Type") or "", body)
                    telegram.calls.append((found[2], given))
                    time.sleep(telegram.slow_s)
                    self.give(200, json.dumps({"ok": True, "result": telegram.answer(found[2], given)}).encode())
                except RefusalError as refusal:
                    self.give(refusal.code, json.dumps(refusal.body).encode())
                except CutError:
                    self.close_connection = True

            def do_GET(self) -> None:
                found = re.fullmatch(r"/file/bot([^/]+)/photos/(\w+)\.jpg", urllib.parse.unquote(self.path))
                if found is None or found[1] != telegram.token or found[2] not in telegram.files:
                    self.give(404, b"Not Found")
                    return
                self.give(200, telegram.files[found[2]])

            def give(self, code: int, body: bytes) -> None:
                self.send_response(code)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 64

            def handle_error(self, *_: Any) -> None:
                """Who hangs up is no fault of ours."""

        self._server = Server(("127.0.0.1", self.port), Handler)
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def stop(self) -> None:
        """Nobody answers any more; who waits for news is cut off."""
        server, self._server = self._server, None
        if server is not None:
            with self._news:
                self._news.notify_all()
            server.shutdown()
            server.server_close()


def _words(given: dict[str, Any]) -> str:
    return str(given.get("text", given.get("caption", "")))


def _check_button(button: dict[str, str]) -> None:
    if "callback_data" in button and not 1 <= len(button["callback_data"].encode()) <= LONGEST_DATA:
        raise RefusalError(400, "Bad Request: BUTTON_DATA_INVALID")
    if "url" in button and "." not in (urllib.parse.urlsplit(button["url"]).hostname or ""):
        url = button["url"]
        raise RefusalError(400, f"Bad Request: inline keyboard button URL '{url}' is invalid: Wrong HTTP URL")
    if "url" in button and urllib.parse.urlsplit(button["url"]).hostname == "127.0.0.1":
        raise RefusalError(400, "Bad Request: inline keyboard button URL is invalid: Wrong HTTP URL")


def _chat(chat: int, group: bool) -> dict[str, Any]:
    return {"id": chat, "type": "group", "title": "Group"} if group else {"id": chat, "type": "private"}


def _person(chat: int, language: str) -> dict[str, Any]:
    return {"id": abs(chat), "is_bot": False, "first_name": f"Person {abs(chat)}", "language_code": language}


def _parse(content_type: str, body: bytes) -> dict[str, Any]:
    """Forms of both kinds; a file is its bytes."""
    if content_type.startswith("multipart/"):
        head = f"Content-Type: {content_type}\r\n\r\n".encode()
        parts = email.parser.BytesParser(policy=email.policy.HTTP).parsebytes(head + body)
        found: dict[str, Any] = {}
        for part in parts.iter_parts():
            content = part.get_payload(decode=True)
            name = part.get_param("name", header="content-disposition")
            found[str(name)] = content if part.get_filename() else content.decode()
        # The file is a part of its own that the field points to: attach://NAME.
        for name, value in list(found.items()):
            if isinstance(value, str) and value.startswith("attach://"):
                found[name] = found[value.removeprefix("attach://")]
        return found
    return dict(urllib.parse.parse_qsl(body.decode(), keep_blank_values=True))
