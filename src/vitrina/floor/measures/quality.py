"""Checks of the rows behind the measures: what is asked of each table, and how the answer is judged. Pure over Ibis.

One question a table answers all its checks for all shops at once. A check says what is wrong in words that lead to
something that can be done; what nobody can expect (a shop of recordings has no new rows) is not judged.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

import ibis
import pyarrow as pa
from ibis import _

from vitrina.floor.layout import Shop
from vitrina.floor.measures.chainrows import Source, watched_lately
from vitrina.floor.measures.day import opening_times
from vitrina.floor.measures.queries import Tables
from vitrina.product import ShopClock

Verdict = Literal["pass", "warn", "fail", "none"]
Row = Mapping[str, Any]

CHECKED_DAYS = 7
LONGEST_DWELL_S = 12 * 3600
LONGEST_WAIT_S = 3 * 3600
FEW = 0.001
"""Up to this share of impossible rows is a warning, above it the measure is not to be trusted."""
UNKNOWN_WARN, UNKNOWN_FAIL = 0.1, 0.3
OLD_H, GONE_H = 26.0, 72.0
WATCHED_WARN, WATCHED_FAIL = 0.9, 0.5
CHECKED_TABLES = ("crossings", "visits", "waits", "presence", "receipts")

WATCHED = "presence.watched"
WATCHED_TITLE = "share of the opening hours that was watched"
WATCHED_ADVICE = "Look at the cameras' page: which one was not watched, and why."
HOURS, SHARE, ROWS = "hours", "share", "rows"


@dataclass(frozen=True, slots=True)
class Facts:
    """What a judge must know beside the rows. expected: the shop should have new rows every day."""

    shop: Shop
    expected: bool
    now: datetime


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check found in one shop. value: in `unit`, None where there was nothing to look at."""

    check: str
    table: str
    shop: str
    title: str
    verdict: Verdict
    value: float | None
    unit: str
    advice: str


@dataclass(frozen=True, slots=True)
class Check:
    """A question to one table. asks: the columns that it needs of the table's rows of a shop, as aggregates.

    judge: from those (and `rows`) to a verdict and the value that is shown.
    """

    table: str
    name: str
    title: str
    unit: str
    asks: Mapping[str, Any]
    judge: Callable[[Row, Facts], tuple[Verdict, float | None]]
    advice: str


@dataclass(frozen=True, slots=True)
class Examined:
    """All shops' rows of the last days, examined at a moment."""

    findings: tuple[Finding, ...]
    answers: Mapping[str, pa.Table]

    def of(self, shop: str, tables: Sequence[str]) -> list[Finding]:
        """Those about these tables; with any that cameras fill goes how much was watched."""
        also = {WATCHED} if set(tables) - {"receipts"} else set()
        return [one for one in self.findings if one.shop == shop and (one.table in tables or one.check in also)]


def examine(source: Source, shops: Sequence[Shop], now: datetime) -> Examined:
    """Every check of the last seven days, in as many questions as there are tables, whatever the number of shops."""
    today = now.date()
    days = (today - timedelta(days=CHECKED_DAYS), today + timedelta(days=1))
    tables = {name: source.expr(name, days=days) for name in CHECKED_TABLES}
    answers = {name: asked.to_pyarrow() for name, asked in questions(tables, now - timedelta(days=1)).items()}
    watched = watched_lately(source, shops, days[0], today, now)
    return Examined(tuple(findings(answers, watched, shops, now)), answers)


def questions(tables: Tables, since: datetime) -> dict[str, ibis.Table]:
    """One question for each table: all its checks, by shop. since: a day ago."""
    return {name: _question(tables[name], name, since) for name in CHECKED_TABLES}


def _question(table: ibis.Table, name: str, since: datetime) -> ibis.Table:
    common = {
        "rows": _.count(),
        "rows_day": (_.t >= ibis.timestamp(since.isoformat())).cast("int64").sum(),
        "newest": _.t.max(),
        "simulated": _.simulated.cast("int64").max(),
    }
    asked = {column: value for check in CHECKS if check.table == name for column, value in check.asks.items()}
    return table.group_by("shop_id").agg(**common, **asked)


def findings(
    answers: Mapping[str, pa.Table], watched: Mapping[str, float], shops: Sequence[Shop], now: datetime
) -> list[Finding]:
    """answers: to `questions`. watched: share of the open camera time of each shop that was analysed."""
    rows = {name: {row["shop_id"]: row for row in table.to_pylist()} for name, table in answers.items()}
    found = []
    for shop in shops:
        simulated = any(rows[name].get(shop.slug, {}).get("simulated") for name in rows)
        facts = Facts(shop, simulated or any(camera.is_live for camera in shop.layout.cameras), now)
        found += [_find(check, rows[check.table].get(shop.slug, NOTHING), facts) for check in CHECKS]
        found.append(_watched(shop, watched.get(shop.slug) if facts.expected else None))
    return found


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    order: tuple[Verdict, ...] = ("fail", "warn", "pass", "none")
    return min(verdicts, key=order.index, default="none")


def last_load(answers: Mapping[str, pa.Table], shop: str) -> dict[str, Row]:
    """By table: rows of the last days and of the last 24 hours, and when the newest of them happened."""
    found: dict[str, Row] = {}
    for name, table in answers.items():
        row = next((row for row in table.to_pylist() if row["shop_id"] == shop), NOTHING)
        found[name] = {key: row[key] for key in ("rows", "rows_day", "newest")}
    return found


NOTHING: Row = {"rows": 0, "rows_day": 0, "newest": None}


def _find(check: Check, row: Row, facts: Facts) -> Finding:
    verdict, value = check.judge(row, facts)
    advice = check.advice if verdict in ("warn", "fail") else ""
    name = f"{check.table}.{check.name}"
    return Finding(name, check.table, facts.shop.slug, check.title, verdict, value, check.unit, advice)


def _watched(shop: Shop, share: float | None) -> Finding:
    known = share is not None and share == share
    verdict: Verdict = "none"
    if known and share is not None:
        verdict = "fail" if share < WATCHED_FAIL else "warn" if share < WATCHED_WARN else "pass"
    advice = WATCHED_ADVICE if verdict in ("warn", "fail") else ""
    return Finding(WATCHED, "presence", shop.slug, WATCHED_TITLE, verdict, share if known else None, SHARE, advice)


# Judges ------------------------------------------------------------------------------------------------------------


def _none_of(column: str) -> Callable[[Row, Facts], tuple[Verdict, float | None]]:
    """None may be there at all."""

    def judge(row: Row, _facts: Facts) -> tuple[Verdict, float | None]:
        found = row.get(column) or 0
        return ("none", None) if not row["rows"] else ("fail" if found else "pass", float(found))

    return judge


def _few_of(column: str) -> Callable[[Row, Facts], tuple[Verdict, float | None]]:
    """A few may be a slip; many make the measure worthless."""

    def judge(row: Row, _facts: Facts) -> tuple[Verdict, float | None]:
        if not row["rows"]:
            return "none", None
        found = row[column] or 0
        return ("pass" if not found else "warn" if found <= FEW * row["rows"] else "fail"), float(found)

    return judge


def _share_of(column: str, warn: float, fail: float) -> Callable[[Row, Facts], tuple[Verdict, float | None]]:
    def judge(row: Row, _facts: Facts) -> tuple[Verdict, float | None]:
        if not row["rows"]:
            return "none", None
        share = (row[column] or 0) / row["rows"]
        return ("fail" if share > fail else "warn" if share > warn else "pass"), share

    return judge


def _fresh(row: Row, facts: Facts) -> tuple[Verdict, float | None]:
    """Hours since the newest row happened; days on which the shop is closed are not held against it."""
    if not facts.expected:
        return "none", None
    if row["newest"] is None:
        return "fail", None
    hours = (facts.now - row["newest"]) / timedelta(hours=1)
    missed = hours - 24.0 * _closed_days(facts.shop, row["newest"], facts.now)
    return ("fail" if missed > GONE_H else "warn" if missed > OLD_H else "pass"), max(0.0, hours)


def _closed_days(shop: Shop, since: datetime, until: datetime) -> int:
    """Whole business days between two moments on which a shop that says when it opens does not."""
    clock = ShopClock(shop.timezone, shop.day_starts)
    first, last = clock.business_day(since), clock.business_day(until)
    between = (first + timedelta(days=number) for number in range(1, (last - first).days))
    return sum(not opening_times(shop, day) for day in between) if shop.opens else 0


def _some_sales(row: Row, facts: Facts) -> tuple[Verdict, float | None]:
    """A shop without any receipts has no tills connected, which is a choice; one whose receipts stopped has not."""
    return ("none", None) if row["newest"] is None else _fresh(row, facts)


def _foreign(row: Row, facts: Facts) -> tuple[Verdict, float | None]:
    if not row["rows"]:
        return "none", None
    currencies = {row["currency_least"], row["currency_most"]} - {facts.shop.currency}
    return ("warn" if currencies else "pass"), float(len(currencies))


_LATE = "No row came for long. Look at the cameras' page and the log of `vitrina up`."
_TWICE = "Rows were written twice. Run `vitrina lake describe`, and tell us what wrote them."

CHECKS: tuple[Check, ...] = (
    *(
        Check(table, "fresh", "hours since the newest row", HOURS, {}, judge, advice)
        for table, judge, advice in (
            ("crossings", _fresh, _LATE),
            ("visits", _fresh, _LATE),
            ("presence", _fresh, _LATE),
            ("receipts", _some_sales, "No receipt came for long. Look at the tills' import."),
        )
    ),
    *(
        Check(
            table,
            "twice",
            "rows stored twice",
            ROWS,
            {"twice": _.count() - _.event_id.nunique()},
            _none_of("twice"),
            _TWICE,
        )
        for table in ("crossings", "visits", "waits", "presence")
    ),
    Check(
        "receipts",
        "twice",
        "receipts stored twice",
        ROWS,
        {"twice": _.count() - (_.source + "/" + _.receipt_id + "/" + _.revision.cast("string")).nunique()},
        _none_of("twice"),
        "The same revision of a receipt came twice; only one counts. Look at the tills' import.",
    ),
    Check(
        "crossings",
        "direction",
        "crossings that are neither in nor out",
        ROWS,
        {"odd": (~_.direction.isin(("in", "out"))).cast("int64").sum()},
        _none_of("odd"),
        "Only 'in' and 'out' are counted. Look at what wrote these rows.",
    ),
    Check(
        "visits",
        "dwell",
        "visits of an impossible length",
        ROWS,
        {"odd": ((_.left_t < _.t) | (_.dwell_s < 0) | (_.dwell_s > LONGEST_DWELL_S)).cast("int64").sum()},
        _few_of("odd"),
        "Shorter than nothing or longer than 12 hours. Look for a camera whose clock jumps, or a mannequin in a zone.",
    ),
    Check(
        "waits",
        "outcome",
        "share of waits without a known end",
        SHARE,
        {"unknown": (~_.outcome.isin(("served", "abandoned"))).cast("int64").sum()},
        _share_of("unknown", UNKNOWN_WARN, UNKNOWN_FAIL),
        "People vanish in mid-queue. Move the camera so that it sees the whole queue, or mark the till's point.",
    ),
    Check(
        "waits",
        "length",
        "waits of an impossible length",
        ROWS,
        {"odd": ((_.ended_t < _.t) | (_.wait_s < 0) | (_.wait_s > LONGEST_WAIT_S)).cast("int64").sum()},
        _few_of("odd"),
        "Shorter than nothing or longer than 3 hours. Look for something in the queue's zone that is no customer.",
    ),
    Check(
        "presence",
        "minute",
        "minutes watched for more than 60 s",
        ROWS,
        {"odd": (_.watched_s > 60.5).cast("int64").sum()},
        _none_of("odd"),
        "Two workers may have watched the same camera. Stop one of them.",
    ),
    Check(
        "receipts",
        "currency",
        "other currencies than the shop's",
        "currencies",
        {"currency_least": _.currency.min(), "currency_most": _.currency.max()},
        _foreign,
        "Receipts in another currency are left out of sales. Look at the tills' import, or correct the shop's file.",
    ),
    Check(
        "receipts",
        "items",
        "receipts with fewer than 0 items",
        ROWS,
        {"odd": (_["items"] < 0).cast("int64").sum()},
        _few_of("odd"),
        "Returns belong into the total, not into the number of items. Look at the tills' import.",
    ),
)
"""Every check; that of the share watched is `presence.watched` and needs the opening hours besides."""


def sentences() -> set[str]:
    """Every title and every advice, to be translated."""
    return {text for check in CHECKS for text in (check.title, check.advice)} | {WATCHED_TITLE, WATCHED_ADVICE}
