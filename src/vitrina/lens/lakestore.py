"""What lens keeps in the lake: searches and clicks, without anything that says who it was."""

from __future__ import annotations

import threading
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self

import pyarrow as pa

from vitrina.errors import ConflictError
from vitrina.lens.found import Found
from vitrina.product import Money, new_id
from vitrina.storage.lake import Lake
from vitrina.storage.table import TableSpec, column
from vitrina.storage.writer import LakeWriter

_TIME = pa.timestamp("us", "UTC")


def _table(name: str, comment: str, time_comment: str, *columns: pa.Field) -> TableSpec:
    schema = pa.schema(
        [
            column("event_id", pa.string(), "UUIDv7 of this row, made once where the row was made."),
            column("t", _TIME, time_comment),
            column("business_day", pa.date32(), "The day in UTC; fixed when written."),
            column("shop_id", pa.string(), "Slug of the shop in the web; empty where no shop was shown."),
            column("search_id", pa.string(), "Random id of one search; it means nothing for the next one."),
            column("channel", pa.string(), "Where it came from: 'page', 'api', 'chat' or 'command'."),
            column("category", pa.string(), "Widest level of the category of what was nearest; empty where unknown."),
            column("simulated", pa.bool_(), "True when the demo made this row."),
            *columns,
        ]
    )
    return TableSpec(name, schema, comment, partition_by=("business_day",), keep_days="lens_events_days")


LENS_SEARCHES = _table(
    "lens_searches",
    "Searches by photo: one row for each shop that a search showed, one without a shop when it found nothing.",
    "When somebody searched (UTC).",
    column("outcome", pa.string(), "'exact', 'similar' or 'nothing': the best that the search found in any shop."),
    column("offers", pa.int32(), "Offers of this shop that were shown."),
    column("exact_offers", pa.int32(), "Those of them that were shown as the very same product."),
    column("with_box", pa.bool_(), "True when the shopper said what was meant by a box."),
    column("with_words", pa.bool_(), "True when the shopper wrote words beside the photo; the words are not kept."),
    column("cpu_ms", pa.float64(), "Milliseconds of processor time that the search took."),
)

LENS_CLICKS = _table(
    "lens_clicks",
    "Clicks that were sent on to a shop.",
    "When somebody clicked (UTC).",
    column("offer_id", pa.string(), "The shop's id of the offer."),
    column("network", pa.string(), "The network that the link went through; 'direct' for the shop's own link."),
    column("price_minor", pa.int64(), "Price at that moment, in minor units (cents) of the currency."),
    column("cashback_minor", pa.int64(), "Cashback promised at that moment, in minor units; 0 for none."),
    column("currency", pa.string(), "ISO 4217 code."),
)

LENS_TABLES: dict[str, TableSpec] = {table.name: table for table in (LENS_SEARCHES, LENS_CLICKS)}

EXACT, SIMILAR, NOTHING = OUTCOMES = ("exact", "similar", "nothing")


@dataclass(frozen=True, slots=True)
class Asked:
    """How somebody searched. category: where the search does not say it by its nearest product."""

    channel: str = "page"
    category: str = ""
    with_box: bool = False
    with_words: bool = False
    simulated: bool = False


class EventLog:
    """Writes searches and clicks into the lake; opened with the first of them. Safe to use from several threads.

    with EventLog(lake, "web") as log:
        log.log_search(found, Asked(channel="page"))
    """

    def __init__(self, lake: Lake, writer_id: str) -> None:
        self._lake, self._writer_id = lake, writer_id
        self._writers: dict[str, LakeWriter] = {}
        self._opening = threading.Lock()

    def log_search(self, found: Found, asked: Asked = Asked(), *, now: datetime | None = None) -> None:
        """Rows are on the disk when this returns; in the table soon after."""
        self._writer(LENS_SEARCHES.name).add(search_rows(found, asked, now or datetime.now(UTC)))

    def log_click(
        self,
        *,
        shop: str,
        offer_id: str,
        network: str,
        price: Money,
        cashback: Money | None,
        search_id: str = "",
        asked: Asked = Asked(),
        now: datetime | None = None,
    ) -> None:
        row = _common(shop, search_id, asked, now or datetime.now(UTC)) | {
            "offer_id": offer_id,
            "network": network,
            "price_minor": price.minor,
            "cashback_minor": cashback.minor if cashback else 0,
            "currency": price.currency,
        }
        self._writer(LENS_CLICKS.name).add([row])

    def flush(self) -> None:
        """Everything that was logged is in the tables when this returns."""
        for writer in list(self._writers.values()):
            writer.flush()

    def close(self) -> None:
        with self._opening:
            for writer in self._writers.values():
                writer.close()
            self._writers.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _writer(self, table: str) -> LakeWriter:
        with self._opening:
            if table not in self._writers:
                self._writers[table] = self._open(table)
            return self._writers[table]

    def _open(self, table: str) -> LakeWriter:
        with suppress(ConflictError):  # another process writes under this name
            return self._lake.writer(table, self._writer_id)
        return self._lake.writer(table, f"{self._writer_id}.{new_id()}")


def search_rows(found: Found, asked: Asked, now: datetime) -> list[dict[str, Any]]:
    """A row for each shop that was shown, or one without a shop."""
    exact = Counter(offer.shop for product in found.exact for offer in product.offers)
    similar = Counter(offer.shop for product in found.similar for offer in product.offers)
    best = next((product.category[0] for product in (*found.exact, *found.similar) if product.category), "")
    category = asked.category or found.nearest or best
    return [
        _common(shop, found.search_id, asked, now)
        | {
            "category": category,
            "outcome": EXACT if exact else SIMILAR if similar else NOTHING,
            "offers": exact[shop] + similar[shop],
            "exact_offers": exact[shop],
            "with_box": asked.with_box,
            "with_words": asked.with_words,
            "cpu_ms": float(found.cpu_ms),
        }
        for shop in sorted(exact | similar) or [""]
    ]


def _common(shop: str, search_id: str, asked: Asked, now: datetime) -> dict[str, Any]:
    return {
        "event_id": new_id(),
        "t": now,
        "business_day": now.astimezone(UTC).date(),
        "shop_id": shop,
        "search_id": search_id,
        "channel": asked.channel,
        "category": asked.category,
        "simulated": asked.simulated,
    }
