"""The cameras of the shops that somebody may see: asked of their workers, else read from the lake; strips, gaps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import pyarrow as pa

from vitrina.floor.layout import Shop
from vitrina.floor.measures.watching import (
    WATCHING,
    Camera,
    Place,
    Strip,
    by_camera,
    camera_now,
    said_lately,
    strip,
    worst_first,
)
from vitrina.floor.worker.client import all_health
from vitrina.storage.accounts import SignedIn
from vitrina.web.shops import visible_shops
from vitrina.web.site import Site

Span = Literal["day", "week"]

SLOTS: dict[str, tuple[int, float]] = {"day": (96, 900.0), "week": (168, 3600.0)}
"""Slots of a strip, and the seconds of each."""
ASK_EVERY_S, READ_EVERY_S = 5, 60
GAPS_SHOWN = 200


@dataclass(frozen=True, slots=True)
class Gap:
    shop: str
    camera: str
    start: datetime
    until: datetime
    gap_s: float
    reason: str


def cameras_now(site: Site, who: SignedIn, *, shop: str = "") -> list[Camera]:
    """Every camera of the shops (or of one) that this person may see, those in trouble first."""
    now, said, newest = site.figures.now(), _said(site), site.figures.newest_minutes()
    shops = [each for each in visible_shops(site, who, action="figures.view") if shop in ("", each.slug)]
    found = [
        camera_now(each, camera, said.get((each.slug, camera.slug)), newest.get((each.slug, camera.slug)), now)
        for each in shops
        for camera in each.layout.cameras
    ]
    return worst_first(found, {each.slug: each.name for each in shops})


def strips(site: Site, shops: Sequence[Shop], cameras: Sequence[Camera], span: Span) -> dict[Place, Strip]:
    """The strips of these cameras, ending now."""
    slots, slot_s = SLOTS[span]
    rows, gaps = _recent(site, span)
    quarters, start = by_camera(rows), _start(site.figures.now(), slots, slot_s)
    missing: dict[Place, list[tuple[datetime, datetime]]] = {}
    for gap in gaps:
        missing.setdefault((gap.shop, gap.camera), []).append((gap.start, gap.until))
    places = {shop.slug: shop for shop in shops}
    found = {}
    for one in cameras:
        place = (one.shop, one.camera)
        found[place] = strip(
            places[one.shop],
            quarters.get(place, {}),
            missing.get(place, []),
            start=start,
            slots=slots,
            slot_s=slot_s,
            now=site.figures.now(),
            expected=one.state not in ("recording", "simulated") and one.last is not None,
        )
    return found


def recent_gaps(site: Site, cameras: Sequence[Camera], span: Span) -> list[Gap]:
    """The gaps of these cameras within the span, newest first."""
    places = {(one.shop, one.camera) for one in cameras}
    slots, slot_s = SLOTS[span]
    since = site.figures.now() - timedelta(seconds=slots * slot_s)
    found = [gap for gap in _recent(site, span)[1] if (gap.shop, gap.camera) in places and gap.until > since]
    return sorted(found, key=lambda gap: (gap.start, gap.shop, gap.camera), reverse=True)


def _said(site: Site) -> dict[Place, dict[str, Any]]:
    """What workers answer here; of cameras that are watched elsewhere, what they put on record lately."""
    step = int(site.figures.now().timestamp()) // ASK_EVERY_S
    home, now = site.settings.home, site.figures.now()

    def read() -> pa.Table:
        days = (now.date() - timedelta(days=1), now.date() + timedelta(days=1))
        return WATCHING["newest_health"]({"health": site.lake.expr("health", days=days)}).to_pyarrow()

    on_record = site.figures.once(("camera health", int(now.timestamp()) // READ_EVERY_S), read, series="camera health")
    answers = site.figures.once(("camera sockets", step), lambda: all_health(home), series="camera sockets")
    return said_lately(on_record, now) | {(one["shop"], one["camera"]): one for one in answers}


def _recent(site: Site, span: Span) -> tuple[pa.Table, list[Gap]]:
    """Watched quarters and gaps of all cameras, asked for at most once a minute."""
    now = site.figures.now()
    slots, slot_s = SLOTS[span]
    first = (now - timedelta(seconds=slots * slot_s)).date() - timedelta(days=1)

    def read() -> tuple[pa.Table, list[Gap]]:
        days = (first, now.date() + timedelta(days=1))
        tables = {name: site.lake.expr(name, days=days) for name in ("presence", "gaps")}
        minutes, on_record = (WATCHING[name](tables).to_pyarrow() for name in ("minutes_by_quarter", "gap_rows"))
        return minutes, [
            Gap(row["shop_id"], row["camera_id"], row["t"], row["until_t"], row["gap_s"], row["reason"])
            for row in on_record.to_pylist()
        ]

    return site.figures.once(("cameras", span, int(now.timestamp()) // READ_EVERY_S), read, series=("cameras", span))


def _start(now: datetime, slots: int, slot_s: float) -> datetime:
    """So that the slot that runs now is the last one."""
    end = (int(now.timestamp()) // int(slot_s) + 1) * slot_s
    return datetime.fromtimestamp(end - slots * slot_s, UTC)
