"""Telegram through its Bot API: messages with buttons and pictures out, words, photos and presses in.

The bot's token stands in every address, so the loggers that write addresses are silenced here, and no reason that
leaves this module holds it.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import json
import logging
import threading
from collections.abc import Coroutine, Sequence
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from vitrina.chat.channel import TELEGRAM_URL
from vitrina.chat.letter import Away, Incoming, Letter, Press, Refused, Rows, links_as_lines
from vitrina.chat.pace import Pace
from vitrina.errors import InputError, MissingError, VitrinaError

if TYPE_CHECKING:
    from telegram import Bot, Message, Update
    from telegram.request import HTTPXRequest

T = TypeVar("T")

TALKATIVE = ("httpx", "httpcore", "telegram")
LONGEST_TEXT, LONGEST_CAPTION = 4096, 1024
LARGEST_PHOTO_BYTES = 10_000_000
MOST_A_SECOND = 25.0
"""Telegram takes about 30 messages a second from one bot."""
ANSWER_S, UPLOAD_S = 10.0, 30.0
WANTED = ["message", "callback_query"]


class Conflicted(Away):
    """Somebody else reads this bot."""


class Unknown(Away):
    """Telegram does not know the token; messages wait for a new one."""


class TelegramWire:
    """One bot. Works in a thread of its own; every method may be called from any other.

    url: where the Bot API answers, https://api.telegram.org or a server of one's own.
    Raises MissingError without python-telegram-bot.
    """

    lanes = 4

    def __init__(self, token: str, *, channel: str = "telegram", url: str = TELEGRAM_URL) -> None:
        self._token, self._channel = token, channel
        hush()
        self._bot = _bot(token, url)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name=f"telegram {channel}", daemon=True)
        self._thread.start()
        self._pace = Pace(MOST_A_SECOND)
        self._reading: concurrent.futures.Future[Any] | None = None

    def whoami(self) -> str:
        """The bot's name. Raises Unknown for a token that Telegram does not know."""
        me = self._do(self._bot.get_me())
        return str(me.username or "")

    # ── out ─────────────────────────────────────────────────────────────────────────────────────

    def send(self, recipient: str, letter: Letter) -> str:
        self._pace.wait()
        try:
            message = self._do(self._sending(recipient, letter), timeout_s=UPLOAD_S + ANSWER_S)
        except Refused as refused:
            if not _about_links(refused, letter):
                raise
            message = self._do(self._sending(recipient, _links_as_text(letter)), timeout_s=UPLOAD_S + ANSWER_S)
        return str(message.message_id)

    def edit(self, recipient: str, external_id: str, letter: Letter, *, pictured: bool) -> None:
        self._pace.wait()
        with contextlib.suppress(_Unchanged):
            try:
                self._do(self._editing(recipient, external_id, letter, pictured))
            except Refused as refused:
                if "in the message to edit" in str(refused):  # its picture was gone when it was sent
                    self._do(self._editing(recipient, external_id, letter, not pictured))
                elif _about_links(refused, letter):
                    self._do(self._editing(recipient, external_id, _links_as_text(letter), pictured))
                else:
                    raise

    async def _sending(self, recipient: str, letter: Letter) -> Message:
        keys = _keyboard(letter.buttons)
        picture = _picture(letter.picture)
        if picture is None:
            text = _cut(letter.text, LONGEST_TEXT)
            return await self._bot.send_message(recipient, text, reply_markup=keys, link_preview_options=_no_preview())
        caption = _cut(letter.text, LONGEST_CAPTION)
        return await self._bot.send_photo(recipient, picture, caption=caption, reply_markup=keys)

    async def _editing(self, recipient: str, external_id: str, letter: Letter, pictured: bool) -> None:
        keys, number = _keyboard(letter.buttons), int(external_id)
        if pictured:
            caption = _cut(letter.text, LONGEST_CAPTION)
            await self._bot.edit_message_caption(recipient, number, caption=caption, reply_markup=keys)
            return
        text = _cut(letter.text, LONGEST_TEXT)
        await self._bot.edit_message_text(
            text, recipient, number, reply_markup=keys, link_preview_options=_no_preview()
        )

    # ── in ──────────────────────────────────────────────────────────────────────────────────────

    def read(self, after: int, *, wait_s: float) -> Sequence[Incoming]:
        """Raises Conflicted when somebody else reads this bot."""
        polling = self._bot.get_updates(
            offset=after + 1, timeout=max(0, round(wait_s)), allowed_updates=WANTED, read_timeout=wait_s + ANSWER_S
        )
        updates = self._do(polling, timeout_s=wait_s + 2 * ANSWER_S, interruptible=True)
        return [self._incoming(update) for update in updates or ()]

    def interrupt(self) -> None:
        reading = self._reading
        if reading is not None:
            reading.cancel()

    def fetch(self, photo: str) -> bytes:
        return self._do(self._fetching(photo), timeout_s=UPLOAD_S + ANSWER_S)

    async def _fetching(self, photo: str) -> bytes:
        file = await self._bot.get_file(photo)
        if (file.file_size or 0) > LARGEST_PHOTO_BYTES:
            raise Refused(f"a photo of {file.file_size} bytes; at most {LARGEST_PHOTO_BYTES} are taken")
        return bytes(await file.download_as_bytearray(read_timeout=UPLOAD_S))

    def acknowledge(self, press: Press, text: str = "") -> None:
        """A press may be too old to be answered: that is no fault."""
        with contextlib.suppress(Refused, Away):
            self._do(self._bot.answer_callback_query(press.press_id, text=text[:200] or None))

    def _incoming(self, update: Update) -> Incoming:
        message, query = update.effective_message, update.callback_query
        chat, who = update.effective_chat, update.effective_user
        press = None
        if query is not None:
            press = Press(query.id, query.data or "", str(message.message_id) if message else "")
        photo, photo_bytes = _photo_of(message) if message is not None and press is None else ("", 0)
        said = "" if message is None or press is not None else message.text or message.caption or ""
        return Incoming(
            channel=self._channel,
            chat=str(chat.id) if chat else "",
            number=update.update_id,
            text=said,
            name=who.full_name if who else "",
            language=(who.language_code or "") if who else "",
            private=chat is not None and chat.type == "private",
            photo=photo,
            photo_bytes=photo_bytes,
            press=press,
        )

    # ── how ─────────────────────────────────────────────────────────────────────────────────────

    def close(self) -> None:
        self.interrupt()
        if self._loop.is_closed():
            return
        with contextlib.suppress(VitrinaError):
            self._do(self._shutting())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(ANSWER_S)
        self._loop.close()

    async def _shutting(self) -> None:
        for request in self._bot._request:  # `Bot.shutdown` does this only after `initialize`, which asks Telegram
            await request.shutdown()

    def _do(self, work: Coroutine[Any, Any, T], *, timeout_s: float = 2 * ANSWER_S, interruptible: bool = False) -> T:
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        if interruptible:
            self._reading = future
        try:
            return future.result(timeout_s)
        except concurrent.futures.CancelledError:
            return None  # type: ignore[return-value]  # interrupted: nothing was read
        except concurrent.futures.TimeoutError as error:
            future.cancel()
            raise Away(f"Telegram did not answer within {timeout_s:.0f} s") from error
        except VitrinaError:
            raise
        except Exception as error:  # noqa: BLE001 - told apart here, and what is unknown is raised again
            raise self._explained(error) from None  # the cause holds the address, and the address the token
        finally:
            if interruptible:
                self._reading = None

    def _explained(self, error: Exception) -> Exception:
        """Telegram's error as ours, without the token."""
        from telegram import error as theirs

        said = str(error).replace(self._token, "***")
        match error:
            case theirs.InvalidToken():
                return Unknown("Telegram does not know this token; ask @BotFather for it, and set it again")
            case theirs.ChatMigrated():
                return Refused(f"the group has become another one ({error.new_chat_id}); link it again")
            case theirs.Forbidden():
                return Refused(said)
            case theirs.BadRequest():
                return _Unchanged(said) if "not modified" in said else Refused(said)
            case theirs.Conflict():
                return Conflicted("another program reads this bot; each bot can have one reader")
            case theirs.TelegramError():
                wait_s = getattr(error, "wait_s", None)
                return Away(said, wait_s=wait_s)
            case _:
                return Away(f"{type(error).__name__}: {said}")


class _Unchanged(Refused):
    """The message says so already."""


def hush() -> None:
    """Below warnings these loggers write whole addresses, with the token in them; and every failure is raised."""
    for name in TALKATIVE:
        logging.getLogger(name).setLevel(logging.CRITICAL)


def _bot(token: str, url: str) -> Bot:
    try:
        from telegram import Bot
    except ImportError as error:
        raise MissingError('python-telegram-bot is not installed: pip install "vitrina[chat]"') from error
    base = url.rstrip("/")
    return Bot(
        token,
        base_url=f"{base}/bot",
        base_file_url=f"{base}/file/bot",
        request=_request(),
        get_updates_request=_request(),
    )


def _request() -> HTTPXRequest:
    from telegram.error import TelegramError
    from telegram.request import HTTPXRequest

    class TooMuchError(TelegramError):
        """429. The library's own error warns of its own future each time it is made."""

        def __init__(self, wait_s: float) -> None:
            super().__init__(f"Telegram asks to wait {wait_s:g} s")
            self.wait_s = wait_s

    class Request(HTTPXRequest):
        async def do_request(self, *args: Any, **options: Any) -> tuple[int, bytes]:
            code, payload = await super().do_request(*args, **options)
            if code == 429:
                raise TooMuchError(_retry_after_s(payload))
            return code, payload

    return Request(
        connection_pool_size=16,
        connect_timeout=ANSWER_S / 2,
        read_timeout=ANSWER_S,
        write_timeout=ANSWER_S,
        pool_timeout=ANSWER_S,
        media_write_timeout=UPLOAD_S,
    )


def _retry_after_s(payload: bytes) -> float:
    try:
        return max(0.1, float(json.loads(payload)["parameters"]["retry_after"]))
    except (ValueError, KeyError, TypeError):
        return 5.0


def _keyboard(rows: Rows) -> Any:
    from telegram import InlineKeyboardButton, InlineKeyboardMarkup

    if not rows:
        return None
    made = [
        [InlineKeyboardButton(b.text, url=b.url or None, callback_data=b.data or None) for b in row] for row in rows
    ]
    return InlineKeyboardMarkup(made)


def _no_preview() -> Any:
    from telegram import LinkPreviewOptions

    return LinkPreviewOptions(is_disabled=True)


def _picture(path: Path | None) -> Any:
    """As JPEG, which every client shows; None when the file is not there any more."""
    from telegram import InputFile

    if path is None:
        return None
    try:
        content = path.read_bytes()
    except OSError:
        return None
    return InputFile(_as_jpeg(content), filename=f"{path.stem}.jpg")


def _as_jpeg(content: bytes) -> bytes:
    """As it is when there is no Pillow (it comes with the parts that have pictures), or it is no picture."""
    if content.startswith(b"\xff\xd8"):
        return content
    try:
        from PIL import Image
    except ImportError:
        return content
    out = BytesIO()
    with contextlib.suppress(OSError, ValueError):
        Image.open(BytesIO(content)).convert("RGB").save(out, "JPEG", quality=90)
    return out.getvalue() or content


def _photo_of(message: Message) -> tuple[str, int]:
    """The largest size of a photo, or a picture that was sent as a file."""
    if message.photo:
        largest = max(message.photo, key=lambda size: size.width * size.height)
        return largest.file_id, largest.file_size or 0
    document = message.document
    if document is not None and (document.mime_type or "").startswith("image/"):
        return document.file_id, document.file_size or 0
    return "", 0


def _about_links(refused: Refused, letter: Letter) -> bool:
    """Telegram refuses buttons that lead into a private network; the words can still be sent."""
    return "URL" in str(refused).upper() and any(button.url for row in letter.buttons for button in row)


def _links_as_text(letter: Letter) -> Letter:
    kept = tuple(tuple(button for button in row if not button.url) for row in letter.buttons)
    return Letter(links_as_lines(letter), tuple(row for row in kept if row), letter.picture, letter.use_s)


def _cut(text: str, longest: int) -> str:
    """As Telegram counts letters: in units of UTF-16, of which an emoji has two."""
    units = text.encode("utf-16-le", "surrogatepass")
    if len(units) <= 2 * longest:
        return text
    return units[: 2 * longest - 2].decode("utf-16-le", "ignore") + "…"


def check_token(token: str, *, url: str = TELEGRAM_URL) -> str:
    """The name of the token's bot. Raises InputError when Telegram does not know it, Away when it cannot be asked."""
    wire = TelegramWire(token, url=url)
    try:
        return wire.whoami()
    except Unknown as unknown:
        raise InputError(str(unknown)) from None
    finally:
        wire.close()
