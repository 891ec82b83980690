"""Writes a shop as the document that the database keeps and as the file that people edit: one form, every value in it.

What `export` gives is canonical: reading it gives the same shop, and writing that gives the same text.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from vitrina.floor.geometry.ground import Ground
from vitrina.floor.layout import WEEKDAYS, CameraLayout, Layout, Line, Shop, Zone
from vitrina.floor.setup.hours import format_day
from vitrina.floor.setup.recorder import recorder_row

HEADER = "# A shop for Vitrina. y points down, on the plan and in pictures; metres on the plan, pixels in pictures.\n"
INLINE = 2
"""Lists with more rows than this get a line for each."""


def document(shop: Shop) -> dict[str, Any]:
    """The shop as nested dictionaries and lists, in the order of the file."""
    head = {
        "slug": shop.slug,
        "name": shop.name,
        "timezone": shop.timezone,
        "currency": shop.currency,
        "day_starts": f"{shop.day_starts:%H:%M}",
    }
    opens = {day: format_day(hours) for day, hours in zip(WEEKDAYS, shop.opens, strict=False)}
    return {"shop": head, **({"hours": opens} if opens else {}), **layout_document(shop.layout)}


def layout_document(layout: Layout) -> dict[str, Any]:
    plan: dict[str, Any] = {"width_m": layout.plan.width_m, "height_m": layout.plan.height_m}
    if layout.plan.picture is not None:
        plan["picture"] = layout.plan.picture
    recorders = [recorder_row(recorder) for recorder in layout.recorders]
    return {
        "plan": plan,
        **({"recorder": recorders} if recorders else {}),
        "camera": [_camera(camera) for camera in layout.cameras],
        "zone": [_zone(zone) for zone in layout.zones],
        "line": [_line(line) for line in layout.lines],
    }


def export(shop: Shop) -> str:
    """The shop as the text of a `shop.toml`; passwords in addresses are `***`."""
    return to_toml(document(shop))


def to_toml(values: Mapping[str, Any]) -> str:
    """TOML of a document: tables of plain values, and lists of such tables."""
    parts = [HEADER]
    for key, value in values.items():
        tables = value if isinstance(value, list) else [value]
        header = f"[[{key}]]" if isinstance(value, list) else f"[{key}]"
        parts += ["\n".join([header, *_pairs(table)]) + "\n" for table in tables]
    return "\n".join(parts)


def _camera(camera: CameraLayout) -> dict[str, Any]:
    row: dict[str, Any] = {
        "slug": camera.slug,
        "name": camera.name,
        **({"source": camera.source} if camera.channel is None else _channel(camera.channel)),
        "size": list(camera.size_wh),
    }
    if camera.input_hw is not None:
        row["input"] = "{}x{}".format(*camera.input_hw)
    return row | (_ground(camera.ground) if camera.ground else {})


def _channel(channel: tuple[str, int]) -> dict[str, Any]:
    recorder, number = channel
    return {"recorder": recorder, "channel": number}


def _ground(ground: Ground) -> dict[str, Any]:
    points = [[*px, *metres] for px, metres in zip(ground.points_px, ground.points_m, strict=True)]
    return {**({"k1": ground.k1} if ground.k1_given else {}), "points": points}


def _zone(zone: Zone) -> dict[str, Any]:
    row: dict[str, Any] = {
        "slug": zone.slug,
        "name": zone.name,
        "kind": zone.kind,
        "space": zone.space,
        "polygon": [list(corner) for corner in zone.polygon],
        "stop_s": zone.stop_s,
        "enter_s": zone.enter_s,
        "leave_s": zone.leave_s,
        "lost_s": zone.lost_s,
    }
    if zone.products:
        row["products"] = list(zone.products)
    if zone.till is not None:
        row |= {"till": list(zone.till), "till_reach": zone.till_reach, "serve_s": zone.serve_s}
    return row


def _line(line: Line) -> dict[str, Any]:
    return {
        "slug": line.slug,
        "name": line.name,
        "kind": line.kind,
        "space": line.space,
        "a": list(line.a),
        "b": list(line.b),
    }


def _pairs(table: Mapping[str, Any]) -> Iterator[str]:
    for key, value in table.items():
        if isinstance(value, list) and value and isinstance(value[0], list) and len(value) > INLINE:
            rows = "".join(f"  {_value(row)},\n" for row in value)
            yield f"{key} = [\n{rows}]"
        else:
            yield f"{key} = {_value(value)}"


def _value(value: Any) -> str:
    if isinstance(value, list):
        return f"[{', '.join(_value(item) for item in value)}]"
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else repr(value)
    if isinstance(value, int):
        return str(value)
    # JSON's escapes are TOML's, but for DEL, which JSON leaves bare and TOML refuses
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
