"""A figure in words: its value, its interval, its change and its note, as the pages show them."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import get_args

from vitrina.floor.counting.presence import Reason, SourceReason
from vitrina.floor.measures import figures as notes
from vitrina.floor.measures.compared import MOVED, PAIRS, PARTLY_COUNTED, UNSOLD
from vitrina.floor.measures.figures import Change, Figure
from vitrina.web.words import NOTHING, Words


@dataclass(frozen=True, slots=True)
class Told:
    """One figure, ready to be shown.

    change: such as `+12%`; against: what it is compared with and how much is chance; clear: more than chance.
    """

    name: str
    value: str
    known: bool
    count: str
    interval: str
    note: str
    change: str = ""
    against: str = ""
    clear: bool = False


def tell(words: Words, figure: Figure, currency: str) -> Told:
    known = figure.value is not None
    change, against, clear = tell_change(words, figure)
    return Told(
        name=figure.name,
        value=amount(words, figure.value, figure.unit, currency),
        known=known,
        count=tell_count(words, figure),
        interval=between(words, figure.low, figure.high, figure.unit, currency),
        note=tell_note(words, figure.note),
        change=change,
        against=against,
        clear=clear,
    )


def tell_count(words: Words, figure: Figure) -> str:
    """`n = 412`; nothing where the figure is itself a count."""
    if figure.n is None or (figure.unit == "people" and figure.low is None):
        return ""
    return f"n = {words.number(figure.n)}"


def amount(words: Words, value: float | None, unit: str, currency: str) -> str:
    if value is None:
        return NOTHING
    if unit == "money":
        return words.money(value, currency)
    if unit == "s":
        return words.duration(value)
    if unit in ("share", "ratio"):
        return tell_share(words, value)
    return words.number(value, digits=0 if value == round(value) or abs(value) >= 100 else 1)


def between(words: Words, low: float | None, high: float | None, unit: str, currency: str) -> str:
    """`402–431`; nothing when there is no interval."""
    if low is None or high is None:
        return ""
    return f"{amount(words, low, unit, currency)} – {amount(words, high, unit, currency)}"


def tell_change(words: Words, figure: Figure) -> tuple[str, str, bool]:
    """Shares change by points, everything else by per cent of what it was before."""
    change, value = figure.change, figure.value
    if change is None or value is None or not change.days:
        return "", "", False
    if figure.unit in ("share", "ratio"):
        form: Callable[[float], str] = lambda part: tell_points(words, part)  # noqa: E731
        scale = 1.0
    else:
        before = value - change.value
        if before <= 0:
            return "", "", False
        form, scale = (lambda part: words.percent(part, sign=True)), before
    against = _against(words, change)
    clear = change.low is not None and change.high is not None and (change.low > 0 or change.high < 0)
    if change.low is not None and change.high is not None:
        swing = words.gettext("usual swing ±{swing}").format(
            swing=form((change.high - change.low) / 2 / scale).lstrip("+")
        )
        against = f"{against} · {swing}"
    return form(change.value / scale), against, clear


def tell_note(words: Words, note: str) -> str:
    """Notes are fixed English sentences of `floor/measures/figures.py`, several of them joined by `; `."""
    return "; ".join(_one_note(words, part) for part in note.split("; ")) if note else ""


def tell_reason(words: Words, reason: str) -> str:
    return words.gettext(reason)


NOTES: tuple[str, ...] = (
    notes.NOT_AUDITED,
    notes.INCL_STAFF,
    notes.TOO_FEW,
    notes.NO_RECEIPTS,
    notes.NO_FOOTFALL,
    notes.NO_OUTSIDE,
    notes.NOTHING_SEEN,
    notes.NOT_WATCHED,
    notes.PARTLY_WATCHED,
    notes.MORE_THAN_FOOTFALL,
    notes.OTHER_CURRENCY,
    notes.CLOSED,
    MOVED,
    PARTLY_COUNTED,
    UNSOLD,
    PAIRS,
)
"""Every note that a figure may carry; each has a translation."""

REASONS: tuple[str, ...] = (*get_args(Reason), *get_args(SourceReason), "stream lost")
"""Why a camera was not watched: what workers and the simulator write."""


def _one_note(words: Words, note: str) -> str:
    for template in (notes.TOO_FEW, PAIRS):
        number = re.fullmatch(re.sub(r"\\\{\w+\\\}", r"(\\d+)", re.escape(template)), note)
        if number:
            return re.sub(r"\{\w+\}", number[1], words.gettext(template))
    return words.gettext(note)


def _against(words: Words, change: Change) -> str:
    weekday, n = words.weekday(date.fromisoformat(change.days[0])), len(change.days)
    return words.ngettext("vs. {n} earlier {weekday}", "vs. mean of {n} {weekday}", n).format(n=n, weekday=weekday)


def tell_points(words: Words, part: float) -> str:
    """A difference of two shares, such as `+2.6 pp`, which no line breaks."""
    points = round(part * 100, 1)
    sign = "+" if points > 0 else "−" if points < 0 else ""
    text = words.gettext("{points} pp").format(points=sign + words.number(abs(points), digits=1))
    return text.replace(" ", "\N{NO-BREAK SPACE}")


def tell_share(words: Words, share: float | None) -> str:
    """Small shares with one decimal: 0.4% is not nothing."""
    return words.percent(share, digits=1 if share is not None and 0 < abs(share) < 0.1 else 0)
