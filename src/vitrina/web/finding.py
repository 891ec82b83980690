"""Searches that arrive over HTTP: what was asked, checked; a few at a time, so that a crowd waits and nothing falls."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager

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

_places = threading.BoundedSemaphore(AT_ONCE)


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
    """Search, and note in the lake that somebody did. Raises LimitError when too many search at once."""
    if photo is not None and len(photo) > LARGEST_PHOTO:
        raise InputError(f"photo: expected at most {LARGEST_PHOTO // 1_000_000} MB, got {len(photo) / 1e6:.1f} MB")
    with _a_place():
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


@contextmanager
def _a_place() -> Iterator[None]:
    if not _places.acquire(timeout=PATIENCE_S):
        raise LimitError("too many people search at this moment; try again in some seconds")
    try:
        yield
    finally:
        _places.release()


def _note(site: Site, found: Found, asked: Asked) -> None:
    try:
        site.events.log_search(found, asked)
    except StorageError as error:  # whoever searched has their answer all the same
        logger.warning("a search does not reach the lake: %s", error)
