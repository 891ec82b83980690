"""A strip of time: what was watched, what was not, and what nobody expected. SVG from the server."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import groupby

from markupsafe import Markup

Tip = Callable[[int, int, str], str]


def strip_chart(fills: Sequence[str], *, tip: Tip, label: str, every: int, height_px: int = 22) -> Markup:
    """fills: by slot, 'full', 'part', 'gap' or 'off'. every: slots between two marks. tip(first, beyond, fill)."""
    count, parts, slot = len(fills), [], 0
    for fill, run in groupby(fills):
        beyond = slot + len(list(run))
        parts.append(
            Markup('<rect class="strip-{}" x="{}%" width="{}%" y="0" height="{}" data-tip="{}"/>').format(
                fill, _share(slot, count), _share(beyond - slot, count), height_px, tip(slot, beyond, fill)
            )
        )
        slot = beyond
    marks = [
        Markup('<line class="strip-mark" x1="{0}%" x2="{0}%" y1="0" y2="{1}"/>').format(_share(at, count), height_px)
        for at in range(every, count, every)
    ]
    return Markup('<svg class="strip" role="img" aria-label="{}" width="100%" height="{}">{}</svg>').format(
        label, height_px, Markup("").join([*parts, *marks])
    )


def _share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.3f}".rstrip("0").rstrip(".")
