"""Cashback terms out of a table, as networks export them. Pure.

Columns: shop, category, rate (`5 %` or `2.50 EUR`) or else percent or amount, cap, currency, hold_days, valid_from,
valid_to. Only a rate is needed when the shop is said otherwise.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Mapping
from datetime import date, datetime

from vitrina.errors import InputError
from vitrina.lens.cashback import parse_category
from vitrina.lens.offer import Reject
from vitrina.lens.terms import TermSettings

COLUMNS = ("shop", "category", "rate", "percent", "amount", "cap", "currency", "hold_days", "valid_from", "valid_to")
USUAL_HOLD_DAYS = 30

_RATE = re.compile(r"(?P<number>\d+(?:[.,]\d+)?)\s*(?P<unit>%|[A-Za-z]{3})?")
_DAYS = ("%Y-%m-%d", "%d.%m.%Y", "%d/%m/%Y")


def read_terms(
    text: str, *, shop: str = "", columns: Mapping[str, str] | None = None
) -> Iterator[tuple[int, TermSettings] | Reject]:
    """Each line with its number, from 2 on, or why it does not fit. columns: ours → theirs.

    Raises InputError for a table without the columns that are needed.
    """
    reader = csv.reader(io.StringIO(text.lstrip("\ufeff"), newline=""), delimiter=_delimiter(text))
    try:
        header = [name.strip() for name in next(reader, [])]
        places = _places(header, columns or {}, shop)
        for row in reader:
            if any(cell.strip() for cell in row):
                yield _read(row, places, shop, reader.line_num)
    except csv.Error as error:
        raise InputError(f"line {reader.line_num}: not readable as CSV: {error}") from error


def _read(row: list[str], places: Mapping[str, int], shop: str, line: int) -> tuple[int, TermSettings] | Reject:
    given = {ours: row[place].strip() if place < len(row) else "" for ours, place in places.items()}
    try:
        return line, _settings(given, shop)
    except InputError as error:
        return Reject(line, "", str(error))


def _settings(given: Mapping[str, str], shop: str) -> TermSettings:
    percent, amount, currency = given.get("percent", ""), given.get("amount", ""), given.get("currency", "")
    if given.get("rate"):
        found = _RATE.fullmatch(given["rate"])
        if found is None:
            raise InputError(f"rate: expected `5 %` or `2.50 EUR`, got {given['rate'][:40]!r}")
        number, unit = found["number"].replace(",", "."), (found["unit"] or "").upper()
        if unit == "%":
            percent = number
        else:
            amount, currency = number, unit or currency
    hold_days = given.get("hold_days", "") or str(USUAL_HOLD_DAYS)
    if not (hold_days.isascii() and hold_days.isdigit()):
        raise InputError(f"hold_days: expected a number of days, got {hold_days[:40]!r}")
    return TermSettings(
        shop=given.get("shop") or shop,
        category=parse_category(given.get("category", "")),
        percent=percent,
        amount=amount.replace(",", "."),
        cap=given.get("cap", "").replace(",", "."),
        currency=currency.upper(),
        hold_days=int(hold_days[:6]),
        first=_day("valid_from", given.get("valid_from", "")),
        last=_day("valid_to", given.get("valid_to", "")),
    )


def _places(header: list[str], columns: Mapping[str, str], shop: str) -> dict[str, int]:
    unknown = sorted(set(columns) - set(COLUMNS))
    if unknown:
        raise InputError(f"columns: expected some of {', '.join(COLUMNS)}, got {', '.join(unknown)}")
    lower = [name.lower() for name in header]
    names = {ours: columns.get(ours, ours).lower() for ours in COLUMNS}
    missing = [theirs for ours, theirs in columns.items() if names[ours] not in lower]
    places = {ours: lower.index(theirs) for ours, theirs in names.items() if theirs in lower}
    if missing or not {"rate", "percent", "amount"} & set(places) or not (shop or "shop" in places):
        wanted = ", ".join(missing) or ("a column rate, percent or amount" if shop else "columns shop and rate")
        raise InputError(f"expected {wanted}; the table has {', '.join(header) or 'no header'}")
    return places


def _day(name: str, text: str) -> date | None:
    if not text:
        return None
    for form in _DAYS:
        try:
            return datetime.strptime(text, form).date()
        except ValueError:
            continue
    raise InputError(f"{name}: expected a day such as 2026-11-03 or 03.11.2026, got {text[:40]!r}")


def _delimiter(text: str) -> str:
    first = text.partition("\n")[0]
    return max(",;\t", key=first.count)
