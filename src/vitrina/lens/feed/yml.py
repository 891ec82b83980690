"""Yandex Market Language, also as Admitad and other networks write it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from vitrina.lens.feed.cut import Cutter
from vitrina.lens.feed.element import elements
from vitrina.lens.feed.facts import Facts
from vitrina.lens.feed.offers import LONGEST_WORD, MOST_LEVELS, Record, make_offer
from vitrina.lens.feed.price import currency_code
from vitrina.lens.feed.wording import plain
from vitrina.lens.offer import Offer, Reject

TAGS = (b"offer", b"category", b"currency")
MOST_CATEGORIES = 200_000

_LISTS = frozenset({"picture", "original_picture", "barcode", "param", "available", "categoryId"})
_COUNTS = frozenset({"count", "stock_quantity", "quantity_in_stock", "quantity"})


class Categories:
    """The tree: id → name and parent. Paths are made when they are asked for, and kept."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[str, str]] = {}
        self._paths: dict[str, tuple[str, ...]] = {}

    def add(self, category_id: str, parent_id: str, name: str) -> None:
        if category_id and name and len(self._known) < MOST_CATEGORIES:
            self._known[category_id] = (parent_id, name)
            self._paths.clear()

    def path(self, category_id: str) -> tuple[str, ...]:
        """From the widest to this one; a tree that runs in a circle is left where it closes."""
        known = self._paths.get(category_id)
        if known is None:
            known = self._paths[category_id] = self._walk(category_id)
        return known

    def _walk(self, category_id: str) -> tuple[str, ...]:
        names: list[str] = []
        seen: set[str] = set()
        while category_id in self._known and category_id not in seen and len(names) < MOST_LEVELS:
            seen.add(category_id)
            category_id, name = self._known[category_id]
            names.append(name)
        return tuple(reversed(names))


def read_yml(
    cutter: Cutter, namespaces: dict[str, str], shop: str, facts: Facts, currency: str = ""
) -> Iterator[Offer | Reject]:
    """currency: of offers that name none in a feed that names none."""
    categories = Categories()
    for found in elements(cutter, namespaces, facts):
        if isinstance(found, Reject):
            yield found
        elif found.tag == b"offer":
            yield make_offer(shop, _record(found.element, found.line, categories, facts.currency or currency))
        elif found.tag == b"category":
            element = found.element
            name = plain(element.text or "", LONGEST_WORD)
            categories.add((element.get("id") or "").strip(), (element.get("parentId") or "").strip(), name)
        elif not facts.currency and found.element.get("rate") in (None, "1", "1.0", "1.00"):
            facts.currency = currency_code(found.element.get("id") or "")


def _record(element: Any, line: int, categories: Categories, currency: str) -> Record:
    values: dict[str, str] = {}
    lists: dict[str, list[str]] = {}
    params: list[tuple[str, str]] = []
    for child in element:
        tag, text = child.tag, child.text or ""
        if tag == "param":
            params.append(_param(child, text))
        elif tag in _LISTS:
            lists.setdefault(tag, []).append(text)
        elif tag not in values:
            values[tag] = "".join(child.itertext()) if len(child) else text
    get, more = values.get, lists.get
    return Record(
        line=line,
        offer_id=element.get("id") or "",
        name=get("name") or _made_name(values),
        url=get("url", ""),
        price=get("price", ""),
        old_price=get("oldprice") or get("old_price") or "",
        currency=get("currencyId") or currency,
        available=_available(element, more("available", []), values),
        group_id=element.get("group_id") or get("group_id", ""),
        brand=get("vendor") or get("brand") or "",
        vendor_code=get("vendorCode") or get("article") or "",
        barcodes=more("barcode", ()),
        category=_category(categories, more("categoryId", ())),
        pictures=more("original_picture") or more("picture") or (),
        params=params,
        description=get("description", ""),
    )


def _category(categories: Categories, ids: Sequence[str]) -> tuple[str, ...]:
    """Of several, the first that the tree knows."""
    for category_id in ids:
        path = categories.path(category_id.strip())
        if path:
            return path
    return ()


def _param(element: Any, text: str) -> tuple[str, str]:
    unit = element.get("unit")
    if len(element):
        text = "".join(element.itertext())
    return element.get("name") or "", f"{text} {unit}" if unit and text.strip() else text


def _available(element: Any, children: list[str], values: dict[str, str]) -> list[str]:
    """All that says whether it can be had: the attribute, the child, how many there are, and Admitad's `deleted`."""
    said = [*children]
    if (attribute := element.get("available")) is not None:
        said.append(attribute)
    deleted = element.get("deleted") or values.get("deleted")
    if deleted and deleted.strip().lower() in ("true", "1"):
        said.append("false")
    if not _COUNTS.isdisjoint(values):
        said += ["false" for key in _COUNTS if values.get(key, "").strip() == "0"]
    return said


def _made_name(values: dict[str, str]) -> str:
    """What the types of offers without a name have in its place: `vendor.model`, books, music and films."""
    if values.get("model"):
        return " ".join(values[key] for key in ("typePrefix", "vendor", "model") if values.get(key))
    return " ".join(values[key] for key in ("author", "artist", "title") if values.get(key))
