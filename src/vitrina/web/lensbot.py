"""The shopper's bot: a photo in, at most five products out, and words or buttons to go on from there.

Photos live in this process' memory for half an hour, small, so that words can narrow the last search, and nowhere else.
"""

from __future__ import annotations

import logging
import secrets
import threading
import time
from collections import OrderedDict, defaultdict, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import quote

from vitrina.chat.letter import Away, Button, Incoming, Letter, Refused, Rows
from vitrina.chat.outbox import Recipient
from vitrina.chat.reading import Answer, Fetch
from vitrina.errors import InputError, VitrinaError
from vitrina.lens.found import Found, FoundOffer, FoundProduct
from vitrina.product import Money
from vitrina.web.words import Words

logger = logging.getLogger(__name__)

MARK = "lens"
"""What the data of its buttons begins with."""
CARDS = 5
MOST_FOUND = 20
LARGEST_PHOTO_BYTES = 10_000_000
LONGEST_WORDS = 200
REMEMBERED_S = 1800.0
MOST_REMEMBERED = 500
"""Searches."""
MOST_BYTES = 64_000_000
"""Of all remembered photos, each counted for every search of it."""
SMALL_BYTES = 200_000
"""A photo from a phone, as a chat sends it, is some 150 kB. It is remembered as it is, a larger one as a small copy."""
SMALL_PX = 1024
"""Of that copy's longer side: of a thing that fills a quarter of it, the embedder still sees all it can, 224 pixels."""
MOST_SEARCHES, SEARCHES_WITHIN_S = 20, 600.0
ANSWER_USE_S = 600.0
"""Who has waited ten minutes for a search has gone."""

Find = Callable[["bytes | None", str, "Money | None", int], Found]
"""photo, words beside it ("" for none, but not both), most that a product may cost, how many products at most."""
PictureOf = Callable[[str], "Path | None"]
"""sha256 of a product's picture → the file, when it is there."""


Ticket = Callable[[Recipient, str, str], str]
"""chat, shop, offer → what makes a click on it theirs, "" for a chat without a wallet."""


Later = Callable[[float, Callable[[], None]], None]
"""Seconds, and what to call after them."""


def in_a_thread(seconds: float, work: Callable[[], None]) -> None:
    """Nobody waits for it when the process ends."""
    timer = threading.Timer(seconds, work)
    timer.daemon = True
    timer.start()


def no_ticket(_chat: Recipient, _shop: str, _offer_id: str) -> str:
    return ""


@dataclass(frozen=True, slots=True)
class Search:
    """One search of one chat. photo: as it is remembered. products: exact ones first; the first `exact` of them are."""

    tag: str
    chat: Recipient
    photo: bytes | None
    words: str
    most: Money | None
    search_id: str
    products: tuple[FoundProduct, ...]
    exact: int
    at: float


class LensBot:
    """Knows no chat: it is given what came in and gives back what to say."""

    def __init__(
        self,
        find: Find,
        picture_of: PictureOf,
        base_url: str,
        *,
        ticket: Ticket = no_ticket,
        clock: Callable[[], float] = time.monotonic,
        later: Later = in_a_thread,
    ) -> None:
        """later: photos are forgotten in time also when nobody writes any more."""
        self._find, self._picture_of, self._base_url, self._clock = find, picture_of, base_url, clock
        self._ticket, self._later, self._is_timed = ticket, later, False
        self._searches: OrderedDict[str, Search] = OrderedDict()
        self._times: dict[Recipient, deque[float]] = defaultdict(deque)
        self._lock = threading.Lock()

    def answer(self, said: Incoming, fetch: Fetch, words: Words) -> Answer:
        """What is said in a group is none of its business."""
        if not said.private:
            return Answer()
        if said.press is not None:
            return self._pressed(said, words)
        if said.photo:
            return self._photographed(said, fetch, words)
        return self._written(said, words)

    # ── what people do ──────────────────────────────────────────────────────────────────────────

    def _photographed(self, said: Incoming, fetch: Fetch, words: Words) -> Answer:
        _ = words.gettext
        if said.photo_bytes > LARGEST_PHOTO_BYTES:
            return _say(_("This photo is too large. Send it as a photo, not as a file."))
        wait = self._too_often(_chat(said), words)
        if wait:
            return _say(wait)
        try:
            photo = fetch()
        except (Away, Refused):
            return _say(_("I could not get the photo. Please send it once more."))
        return self._search(_chat(said), photo, said.text[:LONGEST_WORDS], None, words)

    def _written(self, said: Incoming, words: Words) -> Answer:
        """Words after a photo are about that photo; without one, they are all there is to go by."""
        chat, text = _chat(said), said.text[:LONGEST_WORDS]
        if not any(map(str.isalnum, text)):
            return _say(_help(words))
        last = self._last(chat)
        photo, most = (last.photo, last.most) if last is not None else (None, None)
        return self._too_often_or(chat, words, lambda: self._search(chat, photo, text, most, words))

    def _pressed(self, said: Incoming, words: Words) -> Answer:
        _ = words.gettext
        what, tag, number = _parsed(said.press.data if said.press else "")
        search = self._remembered(tag, _chat(said))
        if search is None or number >= len(search.products):
            return Answer(notice=_("This search is over. Please send the photo once more."))
        if what == "next":
            return Answer(self._cards(search, number, words))
        product = search.products[number]
        again = {"more": self._more, "less": self._cheaper}.get(what)
        if again is None:
            return Answer()
        return self._too_often_or(_chat(said), words, lambda: again(search, product, words))

    def _more(self, search: Search, product: FoundProduct, words: Words) -> Answer:
        """From here the product's own picture is the photo."""
        picture = self._picture_of(product.picture)
        try:
            photo = picture.read_bytes() if picture else b""
        except OSError:
            photo = b""
        if not photo:
            return Answer(notice=words.gettext("This product's picture is gone."))
        return self._search(search.chat, photo, search.words, search.most, words, but_not=product.product_id)

    def _cheaper(self, search: Search, product: FoundProduct, words: Words) -> Answer:
        price = product.offers[0].price
        most = replace(price, minor=price.minor - 1)
        return self._search(search.chat, search.photo, search.words, most, words)

    # ── searching ───────────────────────────────────────────────────────────────────────────────

    def _search(
        self, chat: Recipient, photo: bytes | None, text: str, most: Money | None, words: Words, *, but_not: str = ""
    ) -> Answer:
        try:
            found = self._find(photo, text, most, MOST_FOUND)
            kept = _small(photo) if photo is not None else None
        except InputError:
            unread = words.gettext("I cannot read this picture. Send a photo as JPEG, PNG, WebP or HEIC.")
            return _say(unread if photo is not None else _help(words))
        except VitrinaError:
            logger.exception("a photo could not be searched for")
            return _say(words.gettext("I cannot search now. Please try again later."))
        exact = [product for product in found.exact if product.product_id != but_not]
        similar = [product for product in found.similar if product.product_id != but_not]
        search = Search(
            secrets.token_hex(6), chat, kept, text, most, found.search_id, (*exact, *similar), len(exact),
            self._clock(),
        )  # fmt: skip
        self._remember(search)
        if not search.products:
            return _say(_nothing(search, words))
        cards = self._cards(search, 0, words)
        if photo is None:
            alone = words.gettext("These have your words. Send me a photo to find a certain thing.")
            return Answer([Letter(alone, use_s=ANSWER_USE_S), *cards])
        return Answer(cards)

    def _cards(self, search: Search, first: int, words: Words) -> list[Letter]:
        shown = range(first, min(first + CARDS, len(search.products)))
        return [
            Letter(
                _card(search.products[number], words, _how_alike(search, number, words)),
                self._buttons(search, number, words, is_last=number == shown[-1]),
                self._picture_of(search.products[number].picture),
                ANSWER_USE_S,
            )
            for number in shown
        ]

    def _buttons(self, search: Search, number: int, words: Words, *, is_last: bool) -> Rows:
        _ = words.gettext
        offer = search.products[number].offers[0]
        rows: list[tuple[Button, ...]] = [
            (Button(_("Open at {shop}").format(shop=offer.shop_name[:40]), url=self._link(offer, search, number + 1)),),
            (
                Button(_("More like this"), data=_data("more", search.tag, number)),
                Button(_("Only cheaper"), data=_data("less", search.tag, number)),
            ),
        ]
        if is_last and number + 1 < len(search.products):
            left = min(CARDS, len(search.products) - number - 1)
            text = words.ngettext("{n} more", "{n} more", left).format(n=left)
            rows.append((Button(text, data=_data("next", search.tag, number + 1)),))
        return tuple(rows)

    def _link(self, offer: FoundOffer, search: Search, shown_at: int) -> str:
        place = f"{quote(offer.shop, safe='')}/{quote(offer.offer_id, safe='')}"
        ticket = self._ticket(search.chat, offer.shop, offer.offer_id)
        whose = f"&w={ticket}" if ticket else ""
        return f"{self._base_url}/go/{place}?s={quote(search.search_id, safe='')}&n={shown_at}{whose}"

    # ── memory ──────────────────────────────────────────────────────────────────────────────────

    @property
    def remembered_bytes(self) -> int:
        """Of all photos in memory now."""
        with self._lock:
            return self._bytes()

    def _remember(self, search: Search) -> None:
        with self._lock:
            self._forget_old()
            self._searches[search.tag] = search
            while len(self._searches) > MOST_REMEMBERED or self._bytes() > MOST_BYTES:
                self._searches.popitem(last=False)
            self._forget_later()

    def _bytes(self) -> int:
        return sum(len(search.photo or b"") for search in self._searches.values())

    def _forget_later(self) -> None:
        """One timer at a time, for the oldest."""
        if self._searches and not self._is_timed:
            oldest = next(iter(self._searches.values())).at
            self._is_timed = True
            self._later(max(1.0, oldest + REMEMBERED_S - self._clock()), self._on_time)

    def _on_time(self) -> None:
        with self._lock:
            self._is_timed = False
            self._forget_old()
            self._forget_later()

    def _remembered(self, tag: str, chat: Recipient) -> Search | None:
        with self._lock:
            self._forget_old()
            search = self._searches.get(tag)
        return search if search is not None and search.chat == chat else None

    def _last(self, chat: Recipient) -> Search | None:
        with self._lock:
            self._forget_old()
            return next((search for search in reversed(self._searches.values()) if search.chat == chat), None)

    def _forget_old(self) -> None:
        oldest = self._clock() - REMEMBERED_S
        while self._searches and next(iter(self._searches.values())).at <= oldest:
            self._searches.popitem(last=False)

    def _too_often_or(self, chat: Recipient, words: Words, work: Callable[[], Answer]) -> Answer:
        wait = self._too_often(chat, words)
        return _say(wait) if wait else work()

    def _too_often(self, chat: Recipient, words: Words) -> str:
        """Counts one more search; what to say when it is one too many, and then it is not counted."""
        now = self._clock()
        with self._lock:
            for other in [other for other, times in self._times.items() if now - times[-1] > SEARCHES_WITHIN_S]:
                del self._times[other]
            times = self._times[chat]
            while times and now - times[0] > SEARCHES_WITHIN_S:
                times.popleft()
            if len(times) < MOST_SEARCHES:
                times.append(now)
                return ""
            minutes = max(1, round((SEARCHES_WITHIN_S - (now - times[0])) / 60))
        text = words.ngettext(
            "Those were many searches. Please wait {n} minute.",
            "Those were many searches. Please wait {n} minutes.",
            minutes,
        )
        return text.format(n=minutes)


def _small(photo: bytes) -> bytes:
    """What is imported here takes memory, which a bot that nobody sends photos does without."""
    from vitrina.lens.photo import small_copy

    return small_copy(photo, most_bytes=SMALL_BYTES, longest_px=SMALL_PX)


def _chat(said: Incoming) -> Recipient:
    return Recipient(said.channel, said.chat)


def greeting(words: Words) -> str:
    _ = words.gettext
    return "\n".join(
        [
            _("Send me a photo of a thing, and I look for where to buy it, and for how much after cashback."),
            _("Then write words to narrow it down, such as: red, leather. The buttons below a product find more."),
            _("Photos are not stored: I remember the last one for half an hour, so that you can go on from it."),
        ]
    )


def _say(text: str) -> Answer:
    return Answer([Letter(text, use_s=ANSWER_USE_S)])


def _data(what: str, tag: str, number: int) -> str:
    return f"{MARK}:{what}:{tag}:{number}"


def _parsed(data: str) -> tuple[str, str, int]:
    mark, _, rest = data.partition(":")
    parts = rest.split(":")
    if mark != MARK or len(parts) != 3 or not parts[2].isdecimal():
        return "", "", 0
    return parts[0], parts[1], int(parts[2])


def _nothing(search: Search, words: Words) -> str:
    _ = words.gettext
    if search.most is not None:
        price = words.money(search.most.minor + 1, search.most.currency)
        return _("Nothing alike costs less than {price}.").format(price=price)
    if search.photo is None:
        return _("Nothing found with these words. Try others, or send me a photo.")
    if search.words:
        return _("Nothing alike found with these words. Try other words, or none: send the photo again.")
    return _("Nothing alike found. A photo of the thing alone, from near, works best.")


def _help(words: Words) -> str:
    return words.gettext("I understand photos and words. Send me a photo of what you would like to have.")


def _how_alike(search: Search, number: int, words: Words) -> list[str]:
    """Nothing is said of likeness where there was no photo."""
    if search.photo is None:
        return []
    return [words.gettext("This very thing") if number < search.exact else words.gettext("Alike")]


def _card(product: FoundProduct, words: Words, alike: list[str]) -> str:
    """Name, likeness, price, cashback, and what it costs after it."""
    _ = words.gettext
    offer = product.offers[0]
    return "\n".join(
        [
            product.name,
            *alike,
            *_price(product.offers, words),
            *([] if offer.available else [_("Not in stock now")]),
        ]
    )


def _price(offers: Sequence[FoundOffer], words: Words) -> list[str]:
    _ = words.gettext
    offer, shops = offers[0], len({offer.shop for offer in offers})
    price = words.money(offer.price.minor, offer.price.currency)
    if shops > 1:
        text = words.ngettext("{n} shop, from {price} at {shop}", "{n} shops, from {price} at {shop}", shops)
    else:
        text = _("{price} at {shop}")
    lines = [text.format(n=shops, price=price, shop=offer.shop_name)]
    if offer.cashback is not None and offer.cashback.minor > 0:
        back = words.money(offer.cashback.minor, offer.cashback.currency)
        after = words.money(offer.after.minor, offer.after.currency)
        lines.append(_("Cashback {back}, so {after}").format(back=back, after=after))
    return lines
