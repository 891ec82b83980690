"""Searches that arrive over HTTP: what was asked, checked; a few at a time, so that a crowd waits and nothing falls.

Who waits holds no thread: the other pages have those to themselves.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TypeVar

from anyio import CapacityLimiter, fail_after
from anyio.to_thread import run_sync

from vitrina.errors import InputError, LimitError, StorageError
from vitrina.lens.found import BoxFractions, Found
from vitrina.lens.lakestore import Asked
from vitrina.lens.rank import Wishes
from vitrina.product import Money, check_currency
from vitrina.web.site import Site

logger = logging.getLogger(__name__)

LARGEST_PHOTO = 10_000_000
LARGEST_FORM = LARGEST_PHOTO + 100_000
AT_ONCE = 3
PATIENCE_S = 20.0

_places = CapacityLimiter(AT_ONCE)

Answer = TypeVar("Answer")


async def in_turn(work: Callable[[], Answer]) -> Answer:
    """In a thread, when fewer than `AT_ONCE` others are at it. Raises LimitError when that takes too long."""
    place = object()
    try:
        with fail_after(PATIENCE_S):
            await _places.acquire_on_behalf_of(place)
    except TimeoutError as error:
        raise LimitError("too many people search at this moment; try again in some seconds") from error
    try:
        return await run_sync(work)
    finally:
        _places.release_on_behalf_of(place)


def find(
    site: Site,
    photo: bytes | None,
    *,
    box: BoxFractions | None = None,
    text: str = "",
    where: Wishes,
    limit: int,
    channel: str,
) -> Found:
    """Search, and note in the lake that somebody did. Call it by `in_turn`."""
    if photo is not None and len(photo) > LARGEST_PHOTO:
        raise InputError(f"photo: expected at most {LARGEST_PHOTO // 1_000_000} MB, got {len(photo) / 1e6:.1f} MB")
    found = site.catalog.find(photo, box=box, text=text[:200], where=where, limit=limit)
    _note(site, found, Asked(channel, with_box=box is not None, with_words=bool(text), simulated=site.stage.demo))
    return found


def parse_box(text: str) -> BoxFractions | None:
    """`0.1,0.2,0.8,0.9` → the box; None where none is given. Raises InputError."""
    if not text:
        return None
    try:
        left, top, right, bottom = (float(part) for part in text.split(","))
    except ValueError as error:
        raise InputError(f"box: expected fractions such as 0.1,0.2,0.8,0.9, got {text[:60]!r}") from error
    if not (0 <= left < right <= 1 and 0 <= top < bottom <= 1):
        raise InputError(f"box: expected left < right and top < bottom between 0 and 1, got {text[:60]!r}")
    return left, top, right, bottom


def parse_price(amount: str, currency: str) -> Money | None:
    """None where no amount is given. Raises InputError."""
    return Money.parse(amount.replace(",", "."), check_currency(currency)) if amount.strip() else None


def _note(site: Site, found: Found, asked: Asked) -> None:
    try:
        site.events.log_search(found, asked)
    except StorageError as error:  # whoever searched has their answer all the same
        logger.warning("a search does not reach the lake: %s", error)
