"""Google Merchant: RSS 2.0 and Atom. The same attributes as a table are read by `table`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from vitrina.lens.feed.cut import Cutter
from vitrina.lens.feed.element import elements
from vitrina.lens.feed.facts import Facts
from vitrina.lens.feed.offers import Record, levels, make_offer
from vitrina.lens.offer import Offer, Reject

TAGS = (b"item", b"entry")
PARAMS = (
    "color",
    "size",
    "size_system",
    "size_type",
    "material",
    "pattern",
    "gender",
    "age_group",
    "condition",
    "unit_pricing_measure",
)
_LISTS = frozenset({"image_link", "additional_image_link", "product_type", "google_product_category"})


def read_google(
    cutter: Cutter, namespaces: dict[str, str], shop: str, facts: Facts, now: datetime
) -> Iterator[Offer | Reject]:
    names: dict[str, str] = {}
    for found in elements(cutter, namespaces, facts):
        if isinstance(found, Reject):
            yield found
        else:
            yield make_offer(shop, _record(found.element, found.line, names, facts, now))


def _record(element: Any, line: int, names: dict[str, str], facts: Facts, now: datetime) -> Record:
    values: dict[str, str] = {}
    lists: dict[str, list[str]] = {}
    params: list[tuple[str, str]] = []
    for child in element:
        tag = child.tag
        name = names.get(tag)
        if name is None:
            name = names[tag] = tag.rpartition("}")[2]
        text = "".join(child.itertext()) if len(child) else child.text or ""
        if name in _LISTS:
            lists.setdefault(name, []).append(text)
        elif name == "product_detail":
            params.append(_detail(child, names))
        elif name == "link":
            values.setdefault("link", text.strip() or child.get("href") or "")
        elif name not in values:
            values[name] = text
    return google_record(values, lists, params, line, facts.currency, now)


def google_record(
    values: Mapping[str, str],
    lists: Mapping[str, Sequence[str]],
    params: list[tuple[str, str]],
    line: int,
    currency: str,
    now: datetime,
) -> Record:
    """From values by Google's names of attributes."""
    get = values.get
    images = [*lists.get("image_link", ())]
    for text in lists.get("additional_image_link", ()):
        images += [text] if text.count("://") < 2 else text.split(",")
    kind = next((text for text in lists.get("product_type", ()) if text.strip()), "")
    if not kind:
        taxonomy = (text for text in lists.get("google_product_category", ()) if not text.strip().isdigit())
        kind = next((text for text in taxonomy if text.strip()), "")
    return Record(
        line=line,
        offer_id=get("id", ""),
        name=get("title", ""),
        url=get("link", ""),
        price=get("price", ""),
        sale=get("sale_price", "") if holds(get("sale_price_effective_date", ""), now) else "",
        currency=currency,
        available=[get("availability", "")],
        group_id=get("item_group_id", ""),
        brand=get("brand", ""),
        vendor_code=get("mpn", ""),
        barcodes=[get("gtin", "")],
        category=levels(kind, ">›"),
        pictures=images,
        params=[*((name, values[name]) for name in PARAMS if name in values), *params],
        description=get("description", "") or get("summary", ""),
    )


def holds(interval: str, now: datetime) -> bool:
    """Whether `2026-02-24T11:07+0100/2026-02-29T23:07+0100` holds now; "" and what cannot be read hold always."""
    first, slash, last = interval.strip().partition("/")
    if not slash:
        return True
    try:
        begin, end = datetime.fromisoformat(first.strip()), datetime.fromisoformat(last.strip())
        return begin <= now <= end
    except (ValueError, TypeError):  # no date, or one without a zone
        return True


def _detail(element: Any, names: dict[str, str]) -> tuple[str, str]:
    parts = {}
    for child in element:
        parts[names.get(child.tag) or child.tag.rpartition("}")[2]] = child.text or ""
    return parts.get("attribute_name", ""), parts.get("attribute_value", "")
