"""What changes between two states of a shop, as sentences for the person who is about to change it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import fields, replace
from typing import Any, TypeVar

from vitrina.floor.geometry.ground import Ground
from vitrina.floor.layout import PLAN, WEEKDAYS, CameraLayout, Layout, Line, Shop, VideoRecorder, Zone
from vitrina.floor.setup.hours import format_day

Row = TypeVar("Row", VideoRecorder, CameraLayout, Zone, Line)

_MOVED = {
    "polygon": "polygon moved",
    "a": "moved",
    "b": "moved",
    "till": "till moved",
    "source": "address changed",
    "address": "address changed",
}


def diff(old: Shop | None, new: Shop) -> list[str]:
    """Sentences such as `zone till: polygon moved`; empty when nothing changes."""
    if old is None:
        rows = ((new.layout.cameras, "camera"), (new.layout.zones, "zone"), (new.layout.lines, "line"))
        counts = ", ".join(f"{len(found)} {word}{'' if len(found) == 1 else 's'}" for found, word in rows)
        return [f"shop {new.slug}: new, with {counts}"]
    return [*_shop(old, new), *_layout(old.layout, new.layout)]


def same_geometry(old: Layout, new: Layout) -> bool:
    """Whether rows counted under one layout can stand beside rows of the other: only names and the like differ."""
    return _geometry(old) == _geometry(new)


def _geometry(layout: Layout) -> Layout:
    return Layout(
        layout_id="",
        valid_from=layout.valid_from.min,
        plan=replace(layout.plan, picture=None),
        cameras=tuple(replace(camera, name="", source="", channel=None) for camera in layout.cameras),
        zones=tuple(replace(zone, name="", products=()) for zone in layout.zones),
        lines=tuple(replace(line, name="") for line in layout.lines),
    )


def _shop(old: Shop, new: Shop) -> Iterator[str]:
    for name in ("name", "timezone", "currency", "day_starts"):
        before, after = getattr(old, name), getattr(new, name)
        if before != after:
            yield f"shop: {name} {before} → {after}"
    if old.opens != new.opens:
        yield f"shop: hours {_hours(old)} → {_hours(new)}"


def _hours(shop: Shop) -> str:
    days = [f"{day} {format_day(hours)}" for day, hours in zip(WEEKDAYS, shop.opens, strict=False)]
    return ", ".join(days) or "not given"


def _layout(old: Layout, new: Layout) -> Iterator[str]:
    if old.plan != new.plan:
        yield f"plan: {_plan(old)} → {_plan(new)}"
    yield from _rows("recorder", old.recorders, new.recorders)
    yield from _rows("camera", old.cameras, new.cameras)
    yield from _rows("zone", old.zones, new.zones)
    yield from _rows("line", old.lines, new.lines)


def _plan(layout: Layout) -> str:
    plan = layout.plan
    return f"{plan.width_m:g}×{plan.height_m:g} m{f' ({plan.picture})' if plan.picture else ''}"


def _rows(word: str, old: Sequence[Row], new: Sequence[Row]) -> Iterator[str]:
    before, after = ({row.slug: row for row in rows} for rows in (old, new))
    yield from (f"{word} {slug}: removed" for slug in before if slug not in after)
    for slug, row in after.items():
        if slug not in before:
            yield f"{word} {slug}: new"
        elif changes := list(dict.fromkeys(_changes(before[slug], row))):
            yield f"{word} {slug}: {', '.join(changes)}"
    kept = [slug for slug in before if slug in after]
    if kept != [slug for slug in after if slug in before]:
        yield f"{word}s: in another order"


def _changes(old: Any, new: Any) -> Iterator[str]:
    for name in (field.name for field in fields(old)):
        before, after = getattr(old, name), getattr(new, name)
        if before == after or (name == "source" and new.channel is not None):
            continue  # the source of a recorder's camera is made of its recorder and channel
        if name == "channel":
            yield f"{_channel(before)} → {_channel(after)}"
        elif name == "ground":
            yield from _calibration(before, after)
        else:
            yield _MOVED.get(name) or f"{name} {_said(before)} → {_said(after)}"


def _channel(channel: tuple[str, int] | None) -> str:
    return "channel {1} of recorder {0}".format(*channel) if channel else "an address of its own"


def _calibration(old: Ground | None, new: Ground | None) -> Iterator[str]:
    if old is None or new is None:
        yield "calibration removed" if new is None else f"calibrated with {len(new.points_px)} points, {_cm(new)} off"
        return
    before, after = (set(zip(ground.points_px, ground.points_m, strict=True)) for ground in (old, new))
    added, gone = len(after - before), len(before - after)
    counts = [f"{sign}{n} calibration point{'' if n == 1 else 's'}" for sign, n in (("+", added), ("−", gone)) if n]
    yield ", ".join([*(counts or ["calibration changed"]), f"residual {old.residual_median_cm:.0f} → {_cm(new)}"])


def _cm(ground: Ground) -> str:
    return f"{ground.residual_median_cm:.0f} cm"


def _said(value: Any) -> str:
    if isinstance(value, tuple):
        return "×".join(str(part) for part in value) if value else "none"
    if isinstance(value, float):
        return f"{value:g}"
    return "the plan" if value == PLAN else str(value)
