"""The floor, drawn: the plan with its zones and the heat over it, and the same in a camera's picture."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from markupsafe import Markup

from vitrina.floor.layout import PLAN, CameraLayout, Layout, Point, Zone
from vitrina.floor.measures.figures import Heat
from vitrina.web.heat import RAMP

Corners = Sequence[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class CameraView:
    name: str
    drawing: Markup
    has_picture: bool


def ramp() -> list[tuple[float, str]]:
    """The colours of the heat as stops of a gradient."""
    return [
        (index / (len(RAMP) - 1), "#" + "".join(f"{round(channel):02x}" for channel in stop[:3]))
        for index, stop in enumerate(RAMP)
    ]


def plan_drawing(layout: Layout, heat: Heat | None = None, heat_url: str = "", *, label: str) -> Markup:
    """The plan in metres; the heat is one picture that covers the grid's rectangle."""
    width, height = layout.plan.width_m, layout.plan.height_m
    inside = Markup('<rect class="floor" width="{}" height="{}"/>').format(_n(width), _n(height))
    inside += _heat_layer(heat, heat_url) if heat else Markup("")
    zones = [_zone(zone, _corners_on_plan(layout, zone), width / 36) for zone in layout.zones]
    doors = [
        Markup('<line class="entrance" x1="{}" y1="{}" x2="{}" y2="{}"><title>{}</title></line>').format(
            *(_n(value) for point in (line.a, line.b) for value in point), line.name
        )
        for line in layout.lines_in(PLAN)
        if line.kind == "entrance"
    ]
    return _drawing("plan", width, height, label, inside + Markup("").join([*zones, *doors]))


def _heat_layer(heat: Heat, url: str) -> Markup:
    cell_m = heat.cell_cm / 100
    return Markup(
        '<image class="heat-layer" href="{}" x="{}" y="{}" width="{}" height="{}" preserveAspectRatio="none"/>'
    ).format(url, _n(heat.x0 / 100), _n(heat.y0 / 100), _n(heat.nx * cell_m), _n(heat.ny * cell_m))


def camera_drawing(layout: Layout, camera: CameraLayout, *, picture_url: str, heat_url: str = "", label: str) -> Markup:
    """A camera's picture in its own pixels, under the heat and the zones as that camera sees them."""
    width, height = camera.size_wh
    layers = Markup("").join(
        Markup('<image{} href="{}" width="{}" height="{}" preserveAspectRatio="none"/>').format(
            kind, url, width, height
        )
        for kind, url in ((Markup(""), picture_url), (Markup(' class="heat-layer"'), heat_url))
        if url
    )
    zones = [_zone(zone, _corners_in_picture(camera, zone), width / 36) for zone in layout.zones]
    return _drawing("plan on-picture", width, height, label, layers + Markup("").join(zones))


def picture_file(home: Path, shop: str, camera: str) -> Path:
    """Where the worker keeps the picture of the empty floor."""
    return home / "pictures" / shop / f"{camera}.jpg"


def _zone(zone: Zone, corners: Corners, letter: float) -> Markup:
    if len(corners) < 3:
        return Markup("")
    points = " ".join(f"{_n(x)},{_n(y)}" for x, y in corners)
    x, y = _middle(corners)
    return Markup(
        '<polygon class="zone {kind}" points="{points}"/>'
        '<text x="{x}" y="{y}" font-size="{size}" stroke-width="{halo}">{name}</text>'
    ).format(kind=zone.kind, points=points, x=_n(x), y=_n(y), size=_n(letter), halo=_n(letter / 5), name=zone.name)


def _corners_on_plan(layout: Layout, zone: Zone) -> Corners:
    if zone.space == PLAN:
        return zone.polygon
    camera = layout.camera(zone.space)
    return _known(camera.ground.to_plan, zone.polygon) if camera and camera.ground else ()


def _corners_in_picture(camera: CameraLayout, zone: Zone) -> Corners:
    """Zones of the plan through the ground; those drawn in this very picture as they are; others not at all."""
    if zone.space == camera.slug:
        return zone.polygon
    if zone.space != PLAN or camera.ground is None:
        return ()
    corners = _known(camera.ground.to_picture, zone.polygon)
    width, height = camera.size_wh
    seen = any(0 <= x <= width and 0 <= y <= height for x, y in corners)
    return corners if seen else ()


def _known(through: Callable[[Corners], np.typing.NDArray[np.float64]], polygon: Sequence[Point]) -> Corners:
    """The polygon through a map; nothing when one of its corners has no image."""
    moved = through(polygon)
    return [(float(x), float(y)) for x, y in moved] if np.isfinite(moved).all() else ()


def _middle(corners: Corners) -> tuple[float, float]:
    """The centroid of the area (shoelace formula); of the corners for a polygon without one."""
    points = np.asarray(corners, np.float64)
    following = np.roll(points, -1, axis=0)
    cross = points[:, 0] * following[:, 1] - following[:, 0] * points[:, 1]
    if abs(cross.sum()) < 1e-9:
        return float(points[:, 0].mean()), float(points[:, 1].mean())
    x, y = ((points + following) * cross[:, None]).sum(axis=0) / (3 * cross.sum())
    return float(x), float(y)


def _drawing(name: str, width: float, height: float, label: str, inside: Markup) -> Markup:
    return Markup('<svg class="{}" viewBox="0 0 {} {}" role="img" aria-label="{}">{}</svg>').format(
        name, _n(width), _n(height), label, inside
    )


def _n(value: float) -> str:
    return f"{value:.3f}".rstrip("0").rstrip(".")
