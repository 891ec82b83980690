"""What other systems are told about a shop: values of now, summaries, the day's figures. Pure.

Never a person's id and never a position. A number of people *now* is told as it is; a number over time is told like
on the pages: not before `k_anonymity` people stand behind it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from vitrina.floor.layout import CameraLayout, Shop, Zone
from vitrina.floor.measures.figures import DayFigures, hidden
from vitrina.floor.measures.running import RunningDay
from vitrina.outlet.reading import OFF, ON, Device, Reading
from vitrina.product import new_id

CAMERA_LOST, CAMERA_RECOVERED, CAMERA_PROBLEM = "camera.lost", "camera.recovered", "camera.problem"
HOURLY, DAY_CLOSED, EXPORT_READY = "hourly.figures", "day.closed", "export.ready"

EVENTS: dict[str, str] = {
    DAY_CLOSED: "A business day is over: its figures with counts and intervals.",
    HOURLY: "An hour is over: how many came and went.",
    CAMERA_LOST: "A live camera has given no picture for a while.",
    CAMERA_RECOVERED: "It gives pictures again, or its picture is in order again.",
    CAMERA_PROBLEM: "Its picture is dark, covered, moved, blurred or frozen.",
    EXPORT_READY: "An export has written a day's files.",
}
"""What a webhook can be told, and what that means."""

Health = Mapping[str, Any]
Told = dict[str, Any]
"""What was told of a business day so far: `day`, `lines` and `visits`, as JSON."""


# Values of now -----------------------------------------------------------------------------------------------------


def readings(
    shop: Shop, healths: Mapping[str, Health], running: RunningDay | None, *, k_anonymity: int
) -> list[Reading]:
    """healths: camera to what its worker says now; a camera without one is not watched."""
    live = [camera for camera in shop.layout.cameras if camera.is_live]
    place = Device(shop.slug, shop.name, "Simulated shop" if running is not None and running.simulated else "Shop")
    found = [_people(place, (shop.slug, "occupancy"), "People inside", running.inside if running else None)]
    footfall = running.footfall if running else None
    shown = None if footfall is None or hidden(footfall, k_anonymity) else str(footfall)
    found.append(
        Reading(
            (shop.slug, "footfall"), shown, "Footfall today", place,
            unit="people", state_class="total_increasing", icon="mdi:door-open",
        )
    )  # fmt: skip
    found += [_zone(place, shop.slug, zone, healths.values()) for zone in shop.layout.zones if live]
    return found + [reading for camera in live for reading in _camera(shop, camera, healths.get(camera.slug))]


def is_connected(health: Health | None) -> bool:
    """Whether pictures come now."""
    return health is not None and health.get("state") == "running"


def _people(device: Device, topic: tuple[str, ...], name: str, count: int | None) -> Reading:
    value = None if count is None else str(count)
    return Reading(topic, value, name, device, unit="people", state_class="measurement", icon="mdi:account-group")


def _zone(place: Device, slug: str, zone: Zone, healths: Iterable[Health]) -> Reading:
    """The people whom the cameras see in it; not known while none that sees it gives pictures."""
    counts = [one["inside"][zone.slug] for one in healths if is_connected(one) and zone.slug in one.get("inside", {})]
    name = f"Queue {zone.name}" if zone.kind == "queue" else f"People in {zone.name}"
    return _people(place, (slug, "zone", zone.slug, "people"), name, sum(counts) if counts else None)


def _camera(shop: Shop, camera: CameraLayout, health: Health | None) -> list[Reading]:
    device = Device(f"{shop.slug}_{camera.slug}", camera.name, "Camera", via=shop.slug)
    topic, connected = (shop.slug, camera.slug), is_connected(health)
    alive = (*topic, "connected")
    problems = list(health.get("problems", ())) if health else []
    seen = health if health is not None and connected else None
    return [
        Reading(
            alive, ON if connected else OFF, "Connected", device,
            kind="binary_sensor", device_class="connectivity", diagnostic=True,
        ),
        Reading(
            (*topic, "people"), str(seen["people"]) if seen else None, "People seen", device,
            unit="people", state_class="measurement", icon="mdi:account-eye", available=alive,
        ),
        Reading(
            (*topic, "fps"), f"{seen['fps_got']:.0f}" if seen else None, "Frames per second", device,
            unit="fps", state_class="measurement", diagnostic=True, available=alive,
        ),
        Reading(
            (*topic, "problem"), ON if problems else OFF, "Picture problem", device,
            kind="binary_sensor", device_class="problem", diagnostic=True, available=alive,
        ),
        Reading(
            (*topic, "problems"), ", ".join(problems) or "none", "Picture problems", device,
            icon="mdi:image-broken-variant", diagnostic=True, available=alive,
        ),
    ]  # fmt: skip


# Summaries ---------------------------------------------------------------------------------------------------------


def summary(running: RunningDay, told: Told, *, k_anonymity: int) -> tuple[dict[str, Any], Told]:
    """What was counted since it was last told, as far as enough people stand behind each number; and what is told now.

    A number that is too small waits and is told together with what comes. The first dict is empty when all wait.
    Visits wait until so many persons have come to the zone who had not been there before; dwell is of the whole day.
    """
    if told.get("day") != running.day.isoformat():
        told = {"day": running.day.isoformat(), "lines": {}}
    lines, zones = dict(told["lines"]), dict(told.get("visits", {}))
    crossings, visits = [], []
    for (line, direction), count in sorted(running.lines.items()):
        new = count - lines.get(f"{line} {direction}", 0)
        if new >= k_anonymity:
            crossings.append({"line": line, "direction": direction, "people": new})
            lines[f"{line} {direction}"] = count
    for zone, stays in sorted(running.zones.items()):
        before, people = zones.get(zone, (0, 0))
        if stays.visits > before and stays.people - people >= k_anonymity:
            new = stays.visits - before
            visits.append({"zone": zone, "visits": new, "dwell_median_s": round(stays.dwell_median_s, 1)})
            zones[zone] = [stays.visits, stays.people]
    said = {"crossings": crossings, "visits": visits} if crossings or visits else {}
    return said, {"day": running.day.isoformat(), "lines": lines, "visits": zones}


def summary_text(shop: str, said: Mapping[str, Any]) -> str:
    """As it is published."""
    now = datetime.now(UTC).isoformat(timespec="seconds")
    return json.dumps({"type": "summary", "event_id": new_id(), "shop": shop, "told_at": now, **said})


def day_data(figures: DayFigures) -> dict[str, Any]:
    """One business day as `/api/v1/shops/{slug}/day` has it, without curve, heat and paths."""
    whole = asdict(figures)
    shown = ("shop", "day", "currency", "simulated", "watched_share", "figures", "hourly", "zones", "queues", "gaps")
    return {name: whole[name] for name in shown}


def hour_data(figures: DayFigures, start: str) -> dict[str, Any] | None:
    """The hour that began at this moment (ISO 8601, UTC); None when the shop was closed and nobody came."""
    hour = next((dict(hour) for hour in figures.hourly if hour["t"] == start), None)
    if hour is None:
        return None
    return {"shop": figures.shop, "day": figures.day, "simulated": figures.simulated} | hour


# Cameras -----------------------------------------------------------------------------------------------------------


def camera_events(
    shop: Shop, camera: CameraLayout, health: Health | None, before: Mapping[str, Any]
) -> tuple[list[tuple[str, dict[str, Any]]], dict[str, Any]]:
    """What to tell now, as event and data, and the condition to remember.

    before: the condition that was remembered: `lost` and `problems`; empty for a camera that was never looked at.
    """
    who = {"shop": shop.slug, "camera": camera.slug, "name": camera.name}
    lost, problems = not is_connected(health), sorted(health.get("problems", ())) if health else []
    if lost:
        problems = list(before.get("problems", []))
    found: list[tuple[str, dict[str, Any]]] = []
    if lost and not before.get("lost", False):
        reason = (health or {}).get("last_error") or "nobody is watching it: its worker does not answer"
        found.append((CAMERA_LOST, who | {"reason": reason}))
    if not lost and before.get("lost", False):
        found.append((CAMERA_RECOVERED, who | {"from": "lost"}))
    known = list(before.get("problems", []))
    if problems != known and problems:
        found.append((CAMERA_PROBLEM, who | {"problems": problems}))
    if known and not problems:
        found.append((CAMERA_RECOVERED, who | {"from": ", ".join(known)}))
    return found, {"lost": lost, "problems": problems}
