"""Tables: Google Merchant's TSV, Admitad's CSV, and any other whose columns somebody names."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime

from vitrina.errors import InputError
from vitrina.lens.feed.detect import Kind
from vitrina.lens.feed.facts import Facts
from vitrina.lens.feed.google import PARAMS, holds
from vitrina.lens.feed.lines import Lines, rows
from vitrina.lens.feed.offers import Record, levels, make_offer
from vitrina.lens.offer import Offer, Reject

DELIMITERS = "\t;,|"
PARAM = "param:"
"""`param:Colour=Farbe` in a mapping takes a column as a parameter."""

COLUMNS: dict[str, tuple[str, ...]] = {
    "id": ("id", "offer_id", "offerid", "sku", "product_id", "item_id", "article", "артикул"),
    "name": ("name", "title", "product_name", "название", "наименование"),
    "url": ("url", "link", "product_url", "deeplink", "deep_link", "ссылка"),
    "price": ("price", "price_value", "current_price", "цена"),
    "sale_price": ("sale_price",),
    "sale_price_effective_date": ("sale_price_effective_date",),
    "old_price": ("old_price", "oldprice", "regular_price", "rrp"),
    "currency": ("currency", "currencyid", "currency_id", "валюта"),
    "available": ("available", "availability", "in_stock", "stock_status", "deleted"),
    "group_id": ("group_id", "item_group_id", "group"),
    "brand": ("brand", "vendor", "manufacturer", "бренд", "производитель"),
    "vendor_code": ("vendor_code", "vendorcode", "mpn", "model_number"),
    "gtin": ("gtin", "ean", "barcode", "upc", "isbn", "ean13", "штрихкод"),
    "category": ("category", "product_type", "categoryid", "google_product_category", "category_path", "категория"),
    "picture": ("picture", "image_link", "image", "photo", "picture_url", "image_url", "images", "pictures", "фото"),
    "pictures": ("additional_image_link", "additional_images"),
    "params": ("param", "params", "parameters", "attributes"),
    "description": ("description", "summary", "описание"),
}
"""Our column → what it is called where nobody says otherwise, the likeliest name first."""

NEEDED = ("id", "name", "url", "price")
_AS_PARAMS = (*PARAMS, "colour", "цвет", "размер", "материал", "sex", "season")


def read_table(
    read: Callable[[int], bytes], kind: Kind, shop: str, facts: Facts, *, mapping: Mapping[str, str], now: datetime
) -> Iterator[Offer | Reject]:
    newline = b"\r" if "\n" not in kind.text and "\r" in kind.text else b"\n"
    delimiter = delimiter_of(kind.text)
    found = rows(Lines(read, newline), delimiter)
    head = next(found, None)
    if head is None:
        raise InputError("expected a table with a header line, got nothing")
    columns, params = match(head[1], mapping)
    is_deleted = "available" in columns and head[1][columns["available"]].strip().lower() == "deleted"
    for line, row, problem in found:
        record = _record(line, row, columns, params, facts, now)
        if is_deleted:
            record.available = [
                "false" if word.strip().lower() in ("true", "1") else "true" for word in record.available
            ]
        yield Reject(line, record.offer_id.strip()[:40], problem) if problem else make_offer(shop, record)


def delimiter_of(text: str) -> str:
    """The mark that the header has most of; tab where it has none."""
    header = next((line for line in text.splitlines() if line.strip()), "")
    return max(DELIMITERS, key=header.count)


def match(header: list[str], mapping: Mapping[str, str]) -> tuple[dict[str, int], dict[str, int]]:
    """Our columns and parameters → places in a row. Raises InputError for a needed one that is not there."""
    there = {name.strip().lstrip("\ufeff").lower().replace(" ", "_"): place for place, name in enumerate(header)}
    there |= {name.removeprefix("g:"): place for name, place in there.items()}
    exact = {name.strip().lstrip("\ufeff"): place for place, name in enumerate(header)}
    columns, params = {}, {}
    for ours, theirs in mapping.items():
        place = exact.get(theirs, there.get(theirs.lower()))
        if place is None:
            raise InputError(f"mapping: the table has no column {theirs!r}{_near(theirs, header)}")
        if ours.startswith(PARAM):
            params[ours.removeprefix(PARAM)] = place
        elif ours in COLUMNS:
            columns[ours] = place
        else:
            raise InputError(f"mapping: expected one of {', '.join(COLUMNS)} or {PARAM}NAME, got {ours!r}")
    for ours, names in COLUMNS.items():
        place = next((there[name] for name in names if name in there), None)
        if ours not in columns and place is not None and place not in {*columns.values(), *params.values()}:
            columns[ours] = place
    missing = [ours for ours in NEEDED if ours not in columns]
    if missing:
        raise InputError(
            f"expected a column for {', '.join(missing)}, the table has {', '.join(header)[:300]}. "
            f"Say which is which: --column {missing[0]}=THEIRS."
        )
    params |= {name: there[name] for name in _AS_PARAMS if name in there and name not in params}
    return columns, params


def _near(word: str, header: list[str]) -> str:
    near = difflib.get_close_matches(word, header, n=1)
    return f"; did you mean {near[0]}?" if near else f"; it has {', '.join(header)[:300]}"


def _record(
    line: int, row: list[str], columns: Mapping[str, int], params: Mapping[str, int], facts: Facts, now: datetime
) -> Record:
    def get(ours: str) -> str:
        place = columns.get(ours)
        return row[place] if place is not None and place < len(row) else ""

    pairs = [(name, row[place]) for name, place in params.items() if place < len(row)]
    category = get("category")
    return Record(
        line=line,
        offer_id=get("id"),
        name=get("name"),
        url=get("url"),
        price=get("price"),
        sale=get("sale_price") if holds(get("sale_price_effective_date"), now) else "",
        old_price=get("old_price"),
        currency=get("currency") or facts.currency,
        available=[get("available")],
        group_id=get("group_id"),
        brand=get("brand"),
        vendor_code=get("vendor_code"),
        barcodes=get("gtin").replace(",", "|").split("|"),
        category=() if category.strip().isdigit() else levels(category),
        pictures=[*_pictures(get("picture")), *_pictures(get("pictures"))],
        params=[*pairs, *_pairs(get("params"))],
        description=get("description"),
    )


def _pictures(text: str) -> list[str]:
    """One or several; a comma may be part of an address, so it divides only before the next address."""
    if "|" in text:
        return text.split("|")
    if text.count("://") > 1:
        return text.replace(",http", "\nhttp").replace(", http", "\nhttp").replace(";http", "\nhttp").split("\n")
    return [text] if text.strip() else []


def _pairs(text: str) -> list[tuple[str, str]]:
    """Admitad's `Colour:red|Size:42`."""
    if ":" not in text:
        return []
    return [(name, value) for part in text.split("|") for name, colon, value in [part.partition(":")] if colon]
