"""A shop as people write it, `shop.toml`, read with every mistake named by file, line and field.

`shoptext` writes what this reads.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, time
from typing import Any, TypeVar, cast

import shapely
from shapely.validation import explain_validity

from vitrina.errors import InputError
from vitrina.floor.counting.line import check_line
from vitrina.floor.geometry.ground import K1_LIMIT, Ground, GroundError, fit_ground
from vitrina.floor.layout import (
    LINE_KINDS,
    PLAN,
    WEEKDAYS,
    ZONE_KINDS,
    CameraLayout,
    Hours,
    Layout,
    Line,
    LineKind,
    Plan,
    Point,
    Shop,
    VideoRecorder,
    Zone,
    ZoneKind,
)
from vitrina.floor.setup.address import check_source, hide
from vitrina.floor.setup.field import Table, did_you_mean
from vitrina.floor.setup.hours import CLOSED, parse_day, parse_time
from vitrina.floor.setup.recorder import check_used, read_channel, read_recorder, without_password
from vitrina.floor.setup.tomllines import find_lines
from vitrina.product import check_currency, check_timezone

DRAFT = "draft"
"""The id of a layout that was read from a file and not applied yet; it is valid from the epoch on."""
EPOCH = datetime.fromtimestamp(0, UTC)

LONGEST_SIDE_M = 1000.0
LONGEST_WAIT_S = 3600.0
SHORTEST_LINE_M = 0.3

_SHOP_KEYS = ("slug", "name", "timezone", "currency", "day_starts")
_PLAN_KEYS = ("width_m", "height_m", "picture")
_CAMERA_KEYS = ("slug", "name", "source", "recorder", "channel", "size", "input", "k1", "points")
_QUEUE_KEYS = ("till", "till_reach", "serve_s")
_ZONE_KEYS = (
    *("slug", "name", "kind", "space", "polygon", "products", "stop_s", "enter_s", "leave_s", "lost_s"),
    *_QUEUE_KEYS,
)
_LINE_KEYS = ("slug", "name", "kind", "space", "a", "b")

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ShopFile:
    """What a file says. secrets: the passwords of each camera's address, by its slug; they are nowhere in `shop`."""

    shop: Shop
    secrets: Mapping[str, tuple[str, ...]] = field(repr=False)


def parse(text: str | bytes, *, name: str = "shop.toml") -> ShopFile:
    """Read a shop file. Raises InputError with the first mistake of every table, one a line."""
    decoded = text if isinstance(text, str) else _decoded(text, name)
    decoded = decoded.removeprefix("\ufeff").replace("\r\n", "\n")
    try:
        values = tomllib.loads(decoded)
    except tomllib.TOMLDecodeError as error:
        raise _not_toml(name, decoded, str(error)) from error
    return _read(Table(name, find_lines(decoded), (), values), DRAFT, EPOCH)


def read_document(
    document: Mapping[str, Any], *, name: str, layout_id: str = DRAFT, valid_from: datetime = EPOCH
) -> ShopFile:
    """Read what `shoptext.document` made, as `parse` does; name: what to call it in an error."""
    return _read(Table(name, {}, (), document), layout_id, valid_from)


class _Mistakes:
    """Collects the first mistake of every table, so that a file is put right in one go."""

    def __init__(self) -> None:
        self.found: list[str] = []

    def attempt(self, read: Callable[..., T], *args: Any) -> T | None:
        try:
            return read(*args)
        except InputError as error:
            self.found.append(str(error))
            return None


@dataclass(frozen=True, slots=True)
class _Spaces:
    """What zones and lines can be drawn in. known: cameras by slug, None for one that has a mistake of its own."""

    plan: Plan | None
    known: Mapping[str, CameraLayout | None]

    def size_of(self, space: str) -> tuple[float, float] | None:
        if space == PLAN:
            return (self.plan.width_m, self.plan.height_m) if self.plan else None
        camera = self.known[space]
        return camera.size_wh if camera else None


def _read(root: Table, layout_id: str, valid_from: datetime) -> ShopFile:
    mistakes = _Mistakes()
    mistakes.attempt(root.check_keys, ("shop", "hours", "plan", "recorder", "camera", "zone", "line"))
    head = mistakes.attempt(_shop_head, root.table("shop"))
    opens = mistakes.attempt(_opens, root, head["day_starts"] if head else None)
    plan = mistakes.attempt(_plan, root.table("plan"))
    boxes = [(table, mistakes.attempt(read_recorder, table)) for table in root.tables("recorder")]
    known = {str(table.values.get("slug")): box for table, box in boxes}
    cameras = [(table, mistakes.attempt(_camera, table, known)) for table in root.tables("camera")]
    found = [camera for _, camera in cameras if camera]
    for table, box in boxes:
        if box and len(found) == len(cameras):
            mistakes.attempt(check_used, table, box, found)
    spaces = _Spaces(plan, {str(table.values.get("slug")): camera for table, camera in cameras})
    zones = [(table, mistakes.attempt(_zone, table, spaces)) for table in root.tables("zone")]
    lines = [(table, mistakes.attempt(_line, table, spaces)) for table in root.tables("line")]
    for rows in (boxes, cameras, zones, lines):
        mistakes.attempt(_refuse_twins, [table for table, _ in rows])
    if mistakes.found or head is None or plan is None or opens is None:
        raise InputError("\n".join(mistakes.found))
    shown = {camera.slug: hide(camera.source) for camera in found}
    layout = Layout(
        layout_id=layout_id,
        valid_from=valid_from,
        plan=plan,
        cameras=tuple(replace(camera, source=shown[camera.slug][0]) for camera in found),
        zones=tuple(zone for _, zone in zones if zone),
        lines=tuple(line for _, line in lines if line),
        recorders=tuple(without_password(box) for _, box in boxes if box),
    )
    return ShopFile(Shop(**head, layout=layout, opens=opens), {slug: secrets for slug, (_, secrets) in shown.items()})


def _shop_head(table: Table) -> dict[str, Any]:
    table.check_keys(_SHOP_KEYS)
    slug = table.slug("slug")
    return {
        "slug": slug,
        "name": table.text("name", default=slug),
        "timezone": table.parsed("timezone", check_timezone),
        "currency": table.parsed("currency", check_currency),
        "day_starts": table.parsed("day_starts", parse_time, default="04:00"),
    }


def _opens(root: Table, day_starts: time | None) -> tuple[tuple[Hours, ...], ...]:
    """Seven days from Monday; a day that is left out is closed. Nothing when the file has no hours."""
    table = root.table("hours")
    table.check_keys(WEEKDAYS)
    if "hours" not in root.values:
        return ()
    return tuple(
        table.parsed(day, lambda text: parse_day(text, day_starts or time(4)), default=CLOSED) for day in WEEKDAYS
    )


def _plan(table: Table) -> Plan:
    table.check_keys(_PLAN_KEYS)
    width_m, height_m = (
        table.number(key, low=1.0, high=LONGEST_SIDE_M, unit="metres") for key in ("width_m", "height_m")
    )
    return Plan(width_m, height_m, table.text("picture") if "picture" in table.values else None)


def _camera(table: Table, recorders: Mapping[str, VideoRecorder | None]) -> CameraLayout:
    """The camera with its address as it stands, passwords included."""
    table.check_keys(_CAMERA_KEYS)
    slug = table.slug("slug")
    if slug == PLAN:
        raise table.error(f"{PLAN!r} means the plan; call the camera something else", "slug")
    width, height = table.whole_numbers("size", 2, "[width, height] of its picture in pixels", low=16, high=16384)
    source, channel = _source(table, recorders)
    return CameraLayout(
        slug=slug,
        name=table.text("name", default=slug),
        source=source,
        size_wh=(width, height),
        ground=_ground(table, (width, height)),
        input_hw=_input_hw(table),
        channel=channel,
    )


def _source(table: Table, recorders: Mapping[str, VideoRecorder | None]) -> tuple[str, tuple[str, int] | None]:
    """The camera's own address, or the one that its recorder and channel make."""
    if "recorder" in table.values:
        return read_channel(table, recorders)
    if "channel" in table.values:
        raise table.error("belongs to a recorder; say which one", "channel")
    return table.parsed("source", check_source), None


def _ground(table: Table, size_wh: tuple[int, int]) -> Ground | None:
    k1 = table.number("k1", low=-K1_LIMIT, high=K1_LIMIT) if "k1" in table.values else None
    if "points" not in table.values:
        if k1 is not None:
            raise table.error("k1 belongs to a calibration; add its points", "k1")
        return None
    rows = list(table.rows("points", ("x_px", "y_px", "x_m", "y_m"), ""))
    try:
        return fit_ground([row[:2] for row in rows], [row[2:] for row in rows], size_wh, k1=k1)
    except GroundError as error:
        path = ("points",) if error.index is None else ("points", error.index)
        raise table.error(str(error), *path) from error


def _input_hw(table: Table) -> tuple[int, int] | None:
    if "input" not in table.values:
        return None
    found = re.fullmatch(r"(\d{2,4})x(\d{2,4})", table.text("input"))
    height, width = (int(side) for side in found.groups()) if found else (0, 0)
    if not all(64 <= side <= 2048 and side % 32 == 0 for side in (height, width)):
        raise table.error(
            f'expected "HEIGHTxWIDTH" such as "320x416", multiples of 32 from 64 to 2048, got {table.text("input")!r}',
            "input",
        )
    return height, width


def _zone(table: Table, spaces: _Spaces) -> Zone:
    table.check_keys(_ZONE_KEYS)
    slug, kind = table.slug("slug"), cast(ZoneKind, table.choice("kind", ZONE_KINDS))
    space, unit = _space(table, spaces)
    return Zone(
        slug=slug,
        name=table.text("name", default=slug),
        kind=kind,
        polygon=_polygon(table, space, unit, spaces),
        space=space,
        products=_products(table),
        stop_s=_seconds(table, "stop_s", 5.0),
        enter_s=_seconds(table, "enter_s", 1.0),
        leave_s=_seconds(table, "leave_s", 2.0),
        lost_s=_seconds(table, "lost_s", 5.0),
        **_till(table, kind, space, unit),
    )


def _till(table: Table, kind: ZoneKind, space: str, unit: str) -> dict[str, Any]:
    if kind != "queue":
        for key in _QUEUE_KEYS:
            if key in table.values:
                raise table.error('belongs to a zone of kind "queue" only', key)
        return {}
    reach = table.number("till_reach", low=0.1, high=5000, default=1.2 if space == PLAN else None, unit=unit)
    return {"till": table.point("till", unit), "till_reach": reach, "serve_s": _seconds(table, "serve_s", 8.0)}


def _seconds(table: Table, key: str, default: float) -> float:
    return table.number(key, low=0.0, high=LONGEST_WAIT_S, default=default, unit="seconds")


def _line(table: Table, spaces: _Spaces) -> Line:
    table.check_keys(_LINE_KEYS)
    slug, kind = table.slug("slug"), cast(LineKind, table.choice("kind", LINE_KINDS))
    space, unit = _space(table, spaces)
    a, b = table.point("a", unit), table.point("b", unit)
    size = spaces.size_of(space)
    if space == PLAN:
        for key, end in (("a", a), ("b", b)):
            _check_inside(table, end, space, size, key)
        if (a[0] - b[0]) ** 2 + (a[1] - b[1]) ** 2 < SHORTEST_LINE_M**2:
            raise table.error(f"expected a line of {SHORTEST_LINE_M} m at least; draw it across the whole way", "b")
    elif size is not None:
        try:
            check_line(a, b, (int(size[0]), int(size[1])))
        except InputError as error:
            raise table.error(str(error), "a") from error
    return Line(slug, table.text("name", default=slug), kind, a, b, space)


def _space(table: Table, spaces: _Spaces) -> tuple[str, str]:
    """The space that a zone or line was drawn in, and its unit."""
    space = table.text("space", default=PLAN)
    if space != PLAN and space not in spaces.known:
        names = (PLAN, *spaces.known)
        raise table.error(f"expected {PLAN!r} or a camera's slug, got {space!r}; {did_you_mean(space, names)}", "space")
    return space, "metres" if space == PLAN else "pixels"


def _polygon(table: Table, space: str, unit: str, spaces: _Spaces) -> tuple[Point, ...]:
    corners = table.points("polygon", unit)
    if len(corners) < 3:
        raise table.error(f"expected at least 3 corners, got {len(corners)}", "polygon")
    for index, corner in enumerate(corners):
        _check_inside(table, corner, space, spaces.size_of(space), "polygon", index)
    polygon = shapely.Polygon(corners)
    if shapely.MultiPoint(corners).convex_hull.area == 0:
        raise table.error("its corners lie on one line: it has no inside", "polygon")
    if not polygon.is_valid:
        where = re.search(r"\[(\S+) (\S+)\]", explain_validity(polygon))
        place = f" near ({float(where[1]):.4g}, {float(where[2]):.4g})" if where else ""
        raise table.error(f"its outline crosses itself{place}: put the corners in order, round the edge", "polygon")
    return corners


def _check_inside(table: Table, point: Point, space: str, size: tuple[float, float] | None, *path: str | int) -> None:
    if size is not None and not (0 <= point[0] <= size[0] and 0 <= point[1] <= size[1]):
        where = f"the plan of {size[0]:g}×{size[1]:g} m" if space == PLAN else f"the picture of {size[0]}×{size[1]} px"
        raise table.error(f"expected a point in {where}, got ({point[0]:g}, {point[1]:g})", *path)


def _products(table: Table) -> tuple[str, ...]:
    products = table.texts("products")
    for index, gtin in enumerate(products):
        if not _is_gtin(gtin):
            raise table.error(
                f"expected a GTIN (8, 12, 13 or 14 digits, the last one checks the others), got {gtin!r}",
                *("products", index),
            )
    return products


def _is_gtin(text: str) -> bool:
    """GS1 General Specifications, 7.9: weights 3 and 1 from the right, the sum is a multiple of 10."""
    if not re.fullmatch(r"\d{8}|\d{12,14}", text, re.ASCII):
        return False
    return sum(int(digit) * (3 if place % 2 else 1) for place, digit in enumerate(reversed(text))) % 10 == 0


def _refuse_twins(tables: Iterable[Table]) -> None:
    first: dict[str, Table] = {}
    for table in tables:
        slug = str(table.values.get("slug"))
        if slug in first and "slug" in table.values:
            line = first[slug].lines.get((*first[slug].path, "slug"))
            there = f" on line {line}" if line else ""
            raise table.error(f"{slug!r} is there already{there}; every slug may be used once", "slug")
        first[slug] = table


def _decoded(data: bytes, name: str) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise InputError(
            f"{name}:{line}: expected text in UTF-8, got the byte 0x{data[error.start]:02x}. Save the file as UTF-8."
        ) from error


def _not_toml(name: str, text: str, reason: str) -> InputError:
    place = re.search(r" \(at line (\d+), column (\d+)\)", reason)
    line = place[1] if place else str(text.count("\n") + 1)
    plain = re.sub(r" \(at .*\)", "", reason)
    return InputError(f"{name}:{line}: not TOML: {plain}. Texts need quotes, and every line is `key = value`.")
