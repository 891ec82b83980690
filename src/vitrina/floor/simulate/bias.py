"""How wrong each measure is: the same shoppers once as they walked and once as the pipeline saw them."""

from __future__ import annotations

import secrets
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, time
from typing import Any

import numpy as np

from vitrina.floor.layout import CameraLayout, Hours, Shop
from vitrina.floor.measures import estimates
from vitrina.floor.measures.day import opening_times
from vitrina.floor.measures.estimates import ShopDay
from vitrina.floor.measures.occupancy import people_inside
from vitrina.floor.measures.queries import Marks
from vitrina.floor.measures.rows import DayRows, read_rows
from vitrina.floor.pipeline import Events, Pipeline
from vitrina.floor.record import Recorder
from vitrina.floor.simulate import shoppers, truth
from vitrina.floor.simulate.plan import CITIES, Profile, shop
from vitrina.floor.simulate.sensing import Camera, Faults, calibrate, see
from vitrina.floor.simulate.shoppers import STEP_S, Walks
from vitrina.floor.store import FLOOR_TABLES
from vitrina.product import ShopClock, new_id
from vitrina.storage.lake import Lake

CAMERA = "ceiling"
DAY, STARTS_AT = date(2026, 3, 10), time(12)
SMALL_SHOP: Profile = CITIES[2]
Rows = dict[str, list[dict[str, Any]]]


@dataclass(frozen=True, slots=True)
class Outcome:
    """One simulated stretch of a shop's day.

    true, measured: measure → value, `zone/measure` for zones; NaN where nothing was observed.
    live_error, bare_error: mean absolute error of the people inside, minute by minute, as shown live and without
    its corrections. It is another number than the total's: measured["footfall"] − true["footfall"].
    """

    true: Mapping[str, float]
    measured: Mapping[str, float]
    live_error: float
    bare_error: float


def compare(
    lake: Lake,
    *,
    seed: int,
    minutes: float = 20.0,
    per_hour: float = 120.0,
    faults: Faults | None = None,
    profile: Profile = SMALL_SHOP,
) -> Outcome:
    """Simulate one shop, see it through one camera, and read both stories from the lake as every page does.

    lake: an empty one of your own; rows go there under the slugs `true-SEED` and `seen-SEED`.
    """
    rng = np.random.default_rng(seed)
    faults = faults or Faults()
    plans = shoppers.plan_day(profile, minutes=minutes, per_hour=per_hour, rng=rng)
    walks = shoppers.walk(plans, profile, minutes=minutes, rng=rng)
    camera = Camera.over(profile)
    place = _watched_shop(profile, camera, rng, faults)
    start = ShopClock(place.timezone).at(DAY, STARTS_AT).timestamp()

    happened = truth.events(walks, place, start=start)
    found = _watch(place, walks, camera, rng, faults, start)
    true = _read(lake, replace(place, slug=f"true-{seed}"), happened, walks, start)
    seen = _read(lake, replace(place, slug=f"seen-{seed}"), found, walks, start)
    minute_s = np.arange(60.0, walks.duration_s + 1, 60.0)
    inside = truth.inside(walks, place, minute_s)
    return Outcome(
        true=_values(true, place),
        measured=_values(seen, place),
        live_error=float(np.abs(_live(seen, start, len(minute_s), mended=True) - inside).mean()),
        bare_error=float(np.abs(_live(seen, start, len(minute_s), mended=False) - inside).mean()),
    )


def _watched_shop(profile: Profile, camera: Camera, rng: np.random.Generator, faults: Faults) -> Shop:
    """The simulated shop with one camera, calibrated by hand, and open all day."""
    plain = shop(profile)
    ground = calibrate(camera, profile, rng, faults=faults)
    layout = replace(plain.layout, cameras=(CameraLayout(CAMERA, "Ceiling", "simulated", camera.size_wh, ground),))
    return replace(plain, layout=layout, opens=((Hours(time(0), time(0)),),) * 7)


def _watch(place: Shop, walks: Walks, camera: Camera, rng: np.random.Generator, faults: Faults, start: float) -> Events:
    """Everything the pipeline found."""
    pipeline, found = Pipeline(place.layout, CAMERA), Events()
    edges = np.searchsorted(walks.t, np.arange(0.0, walks.duration_s, STEP_S) - STEP_S / 2)
    for step, (first, last) in enumerate(zip(edges, [*edges[1:], len(walks.t)], strict=True)):
        feet = np.stack([walks.x_m[first:last], walks.y_m[first:last]], axis=1)
        boxes, scores = see(camera, feet, walks.height_m[walks.person[first:last]], rng, faults=faults)
        _extend(found, pipeline.step(boxes, scores, start + step * STEP_S))
    _extend(found, pipeline.finish())
    return found


def _extend(found: Events, more: Events) -> None:
    found.placed += more.placed
    found.crossings += more.crossings
    found.visits += more.visits
    found.waits += more.waits


def _read(lake: Lake, place: Shop, events: Events, walks: Walks, start: float) -> ShopDay:
    """Into the lake as the camera worker does it, and out of it as the pages do."""
    recorder = Recorder(place, CAMERA, person_key=secrets.token_bytes(16), simulated=True)
    rows: Rows = defaultdict(list)
    for part in (recorder.rows(events), recorder.finish()):
        for table, content in part.items():
            rows[table] += content
    rows["receipts"] = _receipts(place, walks, start)
    for table in FLOOR_TABLES:
        lake.append(table, rows[table], writer_id=place.slug, batch_no=1)
    marks = Marks.of(place)
    read = read_rows(lake, place.slug, [DAY], marks=marks, currency=place.currency, heat_of=DAY)[DAY]
    return _day(read, place, marks)


def _receipts(place: Shop, walks: Walks, start: float) -> list[dict[str, Any]]:
    clock = ShopClock(place.timezone)
    return [
        {
            "event_id": new_id(),
            "t": datetime.fromtimestamp(start + paid, tz=clock.local(start).tzinfo),
            "business_day": DAY,
            "shop_id": place.slug,
            "layout_id": place.layout.layout_id,
            "simulated": True,
            "source": "till",
            "receipt_id": str(number),
            "revision": 1,
            "total_minor": 1000,
            "currency": place.currency,
            "items": 1,
        }
        for number, paid in enumerate(walks.paid.tolist())
    ]


def _day(rows: DayRows, place: Shop, marks: Marks) -> ShopDay:
    clock = ShopClock(place.timezone, place.day_starts)
    edges = [*clock.hours(DAY), clock.day_bounds(DAY)[1]]
    hours = np.array([round(t.timestamp() * 1e6) for t in edges])
    return ShopDay(rows, marks, hours, opening_times(place, DAY), frozenset({CAMERA}), closed=True)


def _values(day: ShopDay, place: Shop) -> dict[str, float]:
    values = {name: estimate.value for name, estimate in estimates.headline(day).items()}
    for zone in place.layout.zones:
        if zone.kind in ("section", "promo"):
            _people, found = estimates.zone(day, zone.slug)
            values |= {f"{zone.slug}/{name}": estimate.value for name, estimate in found.items()}
        elif zone.kind == "queue":
            _about, found = estimates.queue(day, zone.slug)
            values[f"{zone.slug}/length_max"] = found["length_max"].value
    return values


def _live(day: ShopDay, start: float, minutes: int, *, mended: bool) -> np.typing.NDArray[np.float64]:
    edges = round(start * 1e6) + np.arange(minutes + 1) * estimates.MINUTE_US
    steps = np.stack([np.histogram(moments, edges)[0] for moments in (day.inbound, day.outbound)], axis=1)
    return people_inside(steps, estimates.people_seen(day, edges), closed=False, mended=mended)
