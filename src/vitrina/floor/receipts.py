"""Receipts from the shop's tills: lines of a file in, rows of the lake out. Pure; `cli/receipts.py` reads and appends.

A file may be given twice, or grow from one export to the next: what is there is left, what differs becomes a new
revision of the same receipt, which stays on its business day.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from functools import partial
from typing import Any, TypeAlias
from zoneinfo import ZoneInfo

from vitrina.errors import InputError
from vitrina.floor.layout import Shop
from vitrina.product import Money, ShopClock, check_currency, new_id

NEEDED = ("receipt_id", "t", "total")
COLUMNS = (*NEEDED, "currency", "items", "revision")
DELIMITERS = ",;\t|"
DAY_FIRST = ("%d.%m.%Y %H:%M:%S", "%d.%m.%Y %H:%M")
LONGEST_ID = 200
_Row: TypeAlias = dict[str | Any, str | Any]

_AMOUNT = re.compile(r"[+-]?(?=\.?\d)(\d{1,3}(,\d{2,3})*,\d{3}|\d*)(\.\d*)?", re.ASCII)
"""With a decimal point, and commas, if any, before thousands; 1,23,456 is how India writes it."""
_EITHER = re.compile(r"[+-]?[1-9]\d{0,2}[.,]\d{3}", re.ASCII)
"""1.234 is a little more than one, or more than a thousand."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """One receipt as a file tells it. revision 0: the file does not number them. line: where it stood."""

    receipt_id: str
    t: datetime
    total: Money
    items: int
    revision: int
    line: int


@dataclass(frozen=True, slots=True)
class Rejected:
    """A line that is no receipt, and why."""

    line: int
    reason: str


@dataclass(frozen=True, slots=True)
class _Marks:
    """How a file writes amounts. comma: a comma alone may be the decimal one. decimal: which is, where amounts tell."""

    comma: bool
    decimal: str | None = None


@dataclass(frozen=True, slots=True)
class Known:
    """What the lake holds of a receipt: its highest revision."""

    revision: int
    t: datetime
    business_day: date
    total: Money
    items: int


def read_receipts(text: str, shop: Shop, *, columns: Mapping[str, str] | None = None) -> Iterator[Receipt | Rejected]:
    """The lines of a CSV file with a header, each as a receipt or with the reason why it is none.

    columns: our name → the file's, where they differ; `"t": "date+time"` joins two columns. Without a zone a time is
    the shop's own. Amounts may have a decimal comma where the file is not separated by commas; one that may be read in
    two ways is read as the file's others are.
    Raises InputError when the header does not name what is needed.
    """
    delimiter = max(DELIMITERS, key=text.partition("\n")[0].count)
    try:
        names = _names(csv.DictReader(io.StringIO(text), delimiter=delimiter).fieldnames or [], columns or {})
    except csv.Error as error:
        raise InputError(f"line 1: expected a header of column names: {error}") from error
    marks = _marks(
        (_value(row, names, "total") for _, row in _lines(text, delimiter) if isinstance(row, dict)), delimiter
    )
    for line, row in _lines(text, delimiter):
        try:
            yield Rejected(line, row) if isinstance(row, str) else _receipt(row, names, shop, marks=marks, line=line)
        except InputError as error:
            yield Rejected(line, str(error))


def _lines(text: str, delimiter: str) -> Iterator[tuple[int, _Row | str]]:
    """Each line below the header with its number, or why it is none."""
    reader = csv.DictReader(io.StringIO(text), delimiter=delimiter)
    while True:
        try:
            row = next(reader, None)
        except csv.Error as error:
            yield reader.line_num, str(error)
            continue
        if row is None:
            return
        if any(row.get(None) or ()):
            yield (
                reader.line_num,
                f"expected the header's {len(reader.fieldnames or ())} columns, got more; "
                f"put quotes round a value that has a {delimiter!r} in it",
            )
        elif any(row.values()):
            yield reader.line_num, row


def by_receipt(found: Iterable[Receipt], *, per_item: bool) -> Iterator[Receipt | Rejected]:
    """Each receipt once. per_item: the file has a line for each item sold, so totals are added up."""
    kept: dict[str, Receipt] = {}
    rejected = []
    for one in found:
        before = kept.get(one.receipt_id)
        if before is None:
            kept[one.receipt_id] = replace(one, items=one.items or 1) if per_item else one
        elif per_item and one.revision == before.revision and one.total.currency == before.total.currency:
            items, total = before.items + (one.items or 1), before.total + one.total
            kept[one.receipt_id] = replace(before, total=total, items=items, t=min(before.t, one.t))
        elif one.revision > before.revision:
            kept[one.receipt_id] = replace(one, items=one.items or 1) if per_item else one
        elif (one.t, one.total) != (before.t, before.total) and one.revision == before.revision:
            what = "currency." if per_item else "time or total. One line for each item sold? Add --per-item."
            why = f"receipt {one.receipt_id} stands on line {before.line} already, with another {what}"
            rejected.append(Rejected(one.line, why))
    yield from kept.values()
    yield from rejected


def rows(found: Iterable[Receipt], known: Mapping[str, Known], shop: Shop, *, source: str) -> list[dict[str, Any]]:
    """Rows of what the lake does not have yet. known: receipt id → what it has."""
    clock = ShopClock(shop.timezone, shop.day_starts)
    new = []
    for one in found:
        before = known.get(one.receipt_id)
        if before is not None and _is_there(one, before):
            continue
        new.append(
            {
                "event_id": new_id(),
                "t": before.t if before else one.t,
                "business_day": before.business_day if before else clock.business_day(one.t),
                "shop_id": shop.slug,
                "layout_id": shop.layout.layout_id,
                "simulated": False,
                "source": source,
                "receipt_id": one.receipt_id,
                "revision": one.revision or (before.revision + 1 if before else 1),
                "total_minor": one.total.minor,
                "currency": one.total.currency,
                "items": one.items,
            }
        )
    return new


def _is_there(one: Receipt, known: Known) -> bool:
    if one.revision:
        return one.revision <= known.revision
    return (one.total, one.items) == (known.total, known.items)


def _names(header: Iterable[str], columns: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    """Our name → the file's columns that hold it."""
    there = [name.strip() for name in header]
    unknown = sorted(columns.keys() - set(COLUMNS))
    if unknown:
        raise InputError(f"there is no column {unknown[0]!r} to fill; expected one of {', '.join(COLUMNS)}")
    names = {ours: tuple(columns.get(ours, ours).split("+")) for ours in COLUMNS}
    for ours, theirs in names.items():
        missing = [name for name in theirs if name not in there]
        if missing and (ours in NEEDED or ours in columns):
            raise InputError(
                f"line 1: there is no column {missing[0]!r} for {ours}, only {', '.join(there) or 'nothing'}. "
                f"Say which it is: --column {ours}=NAME"
            )
    return {ours: theirs for ours, theirs in names.items() if all(name in there for name in theirs)}


def _value(row: _Row, names: Mapping[str, tuple[str, ...]], ours: str) -> str:
    cells = {(name or "").strip(): cell for name, cell in row.items()}
    return " ".join((cells[name] or "").strip() for name in names.get(ours, ()))


def _receipt(row: _Row, names: Mapping[str, tuple[str, ...]], shop: Shop, *, marks: _Marks, line: int) -> Receipt:
    value = partial(_value, row, names)
    currency = check_currency(value("currency").upper() or shop.currency)
    receipt_id = value("receipt_id")
    if not receipt_id or len(receipt_id) > LONGEST_ID:
        raise InputError(f"receipt_id: expected the receipt's number, up to {LONGEST_ID} letters, got {receipt_id!r}")
    return Receipt(
        receipt_id=receipt_id,
        t=_moment(value("t"), shop),
        total=Money.parse(_amount(value("total"), currency, marks), currency),
        items=_whole("items", value("items")),
        revision=_whole("revision", value("revision")),
        line=line,
    )


def _moment(text: str, shop: Shop) -> datetime:
    """With the shop's own time zone where the text has none; of an hour that comes twice, the first.

    A day alone is refused: its midnight would belong to the business day before.
    """
    moment: datetime | None = None
    try:
        moment = datetime.fromisoformat(text) if len(text) > len("2026-11-20") else None
    except ValueError:
        for form in DAY_FIRST:
            try:
                moment = datetime.strptime(text, form)
                break
            except ValueError:
                continue
    if moment is None:
        raise InputError(f"t: expected a moment such as 2026-11-20 14:05 or 20.11.2026 14:05, got {text!r}")
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=ZoneInfo(shop.timezone))
    return moment.astimezone(UTC)


def _marks(amounts: Iterable[str], delimiter: str) -> _Marks:
    """What a file's amounts tell together: nothing where none tells, or where some tell one thing and some another."""
    comma, told = delimiter != ",", set()
    for text in amounts:
        plain = _plain(text)
        mark = _own_mark(plain, comma=comma) if "." in plain or "," in plain else None
        if mark and _AMOUNT.fullmatch(_pointed(plain, mark)):
            told.add(mark)
    return _Marks(comma, told.pop() if len(told) == 1 else None)


def _amount(text: str, currency: str, marks: _Marks) -> str:
    """Without thousands separators, and with a decimal point."""
    plain = _plain(text)
    mark = _own_mark(plain, comma=marks.comma) or _settled_mark(plain, currency, marks)
    pointed = _pointed(plain, mark)
    if not _AMOUNT.fullmatch(pointed):
        raise InputError(f"total: expected an amount such as 12.50, got {text!r}")
    return pointed.replace(",", "")


def _own_mark(plain: str, *, comma: bool) -> str | None:
    """Which of point and comma is the decimal one, by this amount alone; None where it may be read in two ways.

    Where both stand, the last; what stands twice is before thousands; a comma alone is it where `comma` says so.
    """
    if _EITHER.fullmatch(plain):
        return None
    if "." in plain and "," in plain:
        return max(".,", key=plain.rfind)
    return "," if plain.count(".") > 1 or (comma and plain.count(",") == 1) else "."


def _settled_mark(plain: str, currency: str, marks: _Marks) -> str:
    """Of an amount such as 1.234: by the file's others, or by a currency that has three decimals, else InputError."""
    if marks.decimal:
        return marks.decimal
    if "," in plain and not marks.comma:
        return "."
    if Money(1000, currency).major == 1:
        return "," if "," in plain else "."
    small, large = plain.replace(",", "."), re.sub("[.,]", "", plain)
    raise InputError(
        f"total: {plain!r} may be {small} or {large}, and the file's other amounts do not tell which; "
        "write it with two decimals, or without a mark before thousands"
    )


def _plain(text: str) -> str:
    return re.sub(r"[\s\u00a0\u202f'’]", "", text)


def _pointed(plain: str, mark: str) -> str:
    """With a point before decimals, and commas before thousands."""
    return plain.translate(str.maketrans(",.", ".,")) if mark == "," else plain


def _whole(name: str, text: str) -> int:
    if not text:
        return 0
    if not text.isdecimal() or len(text) > 9:
        raise InputError(f"{name}: expected a whole number, got {text!r}")
    return int(text)
