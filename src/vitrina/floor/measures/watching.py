"""How the cameras are watched: their state now, strips of the last day or week, what to do. Pure over Ibis and rows.

A worker's own word counts most; where no worker answers, the newest minute that reached the lake does. Not watched
while the shop was open is a gap; while it was closed it is nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Any, Literal

import ibis
import pyarrow as pa
from ibis import _

from vitrina.floor.layout import CameraLayout, Shop
from vitrina.floor.measures.day import opening_times
from vitrina.floor.measures.queries import Tables
from vitrina.product import ShopClock

Level = Literal["ok", "warn", "fail", "none"]
Fill = Literal["full", "part", "gap", "off"]
Place = tuple[str, str]
"""Shop and camera."""

HEALTH_S = 300.0
"""A row of the health table is of so many seconds."""
FRESH_S = 180.0
"""A minute reaches the lake so soon after it ended."""
SLOW = 0.5
"""A camera that gives less than this part of the wanted frames is slow."""
LATE_S = 5.0
NO_SOURCE = ("", "simulated")
FULL = 0.9


@dataclass(frozen=True, slots=True)
class Camera:
    """One camera as it is now.

    state: 'running', 'starting', 'lost', 'ended' by its worker; 'watched', 'silent', 'never' by the lake's minutes;
    'recording' for a file that is watched once, 'simulated' for what has no source.
    last: when the newest picture came, or the newest watched minute ended. troubles: keys of `ADVICE`.
    fps, lag, drops and reconnects are None where nobody says.
    """

    shop: str
    camera: str
    name: str
    state: str
    level: Level
    last: datetime | None
    troubles: tuple[str, ...] = ()
    error: str = ""
    fps_wanted: float | None = None
    fps_got: float | None = None
    lag_s: float | None = None
    dropped: int | None = None
    reconnects: int | None = None


@dataclass(frozen=True, slots=True)
class Strip:
    """A camera's last hours in equal slots, the oldest first. share: watched part of the time it should have been."""

    start: datetime
    slot_s: float
    fills: tuple[Fill, ...]
    share: float | None


ADVICE: Mapping[str, str] = {
    "lost": "The stream is lost and is tried again all the time. Check power, network and the camera's password.",
    "silent": "Nobody watches it. Start `vitrina up`, or look into its log.",
    "never": "It has not been watched yet. Start `vitrina up`, and check its address with `vitrina doctor`.",
    "slow": "It gives fewer frames than wanted. Lower its resolution or rate, or move it to another box.",
    "late": "Its pictures come late. Check the network, and the camera's clock (NTP).",
    "dark": "The picture is dark. Switch on the light, or take the cap off.",
    "covered": "Something covers the lens. Look at the camera.",
    "moved": "The camera looks elsewhere than when it was set up. Turn it back, or calibrate it anew.",
    "blurred": "The picture is blurred. Clean the lens, or focus it.",
    "frozen": "The picture does not change. Restart the camera.",
}
"""What is wrong, and what to do about it."""


def minutes_by_quarter(tables: Tables) -> ibis.Table:
    """Seconds watched by camera and quarter of an hour of UTC."""
    timed = tables["presence"].mutate(
        utc_day=_.t.date(), hour=_.t.hour().cast("int64"), quarter=(_.t.minute() // 15).cast("int64")
    )
    return timed.group_by(("shop_id", "camera_id", "utc_day", "hour", "quarter")).agg(watched_s=_.watched_s.sum())


def gap_rows(tables: Tables) -> ibis.Table:
    return tables["gaps"].select("shop_id", "camera_id", "t", "until_t", "gap_s", "reason")


def newest_health(tables: Tables) -> ibis.Table:
    """The newest five minutes on record of each camera."""
    told = ("state", "fps_wanted", "fps_got", "lag_s", "dropped", "reconnects", "problems", "last_error")
    newest = {name: tables["health"][name].argmax(tables["health"].t) for name in told}
    return tables["health"].group_by(("shop_id", "camera_id")).agg(newest_t=_.t.max(), **newest)


WATCHING = {"minutes_by_quarter": minutes_by_quarter, "gap_rows": gap_rows, "newest_health": newest_health}
"""The questions behind the cameras' page."""


def said_lately(rows: pa.Table, now: datetime) -> dict[Place, dict[str, Any]]:
    """What the health table says of cameras, in a worker's words, as long as it is not older than a few minutes."""
    found = {}
    for row in rows.to_pylist():
        until = row["newest_t"] + timedelta(seconds=HEALTH_S)
        if (now - until).total_seconds() < HEALTH_S + FRESH_S:
            problems = [problem for problem in row["problems"].split(",") if problem]
            last = until.timestamp() if row["fps_got"] else None
            found[row["shop_id"], row["camera_id"]] = row | {"problems": problems, "last_wall_s": last}
    return found


def camera_now(
    shop: Shop, camera: CameraLayout, said: Mapping[str, Any] | None, newest: datetime | None, now: datetime
) -> Camera:
    """said: what its worker answers, or said lately; None when nobody does. newest: the newest minute in the lake."""
    common: dict[str, Any] = {"shop": shop.slug, "camera": camera.slug, "name": camera.name}
    if said is not None:
        return _by_worker(said, common)
    last = newest + timedelta(minutes=1) if newest else None
    if not camera.is_live:
        state = "recording" if camera.source not in NO_SOURCE else "simulated"
        return Camera(**common, state=state, level="none", last=last)
    if last is None:
        return Camera(**common, state="never", level="fail", last=None, troubles=("never",))
    if (now - last).total_seconds() < FRESH_S:
        return Camera(**common, state="watched", level="ok", last=last)
    return Camera(**common, state="silent", level="fail", last=last, troubles=("silent",))


def _by_worker(said: Mapping[str, Any], common: Mapping[str, Any]) -> Camera:
    state, wanted, got, lag_s = said["state"], said["fps_wanted"], said["fps_got"], said["lag_s"]
    troubles = list(said["problems"])
    if state == "lost":
        troubles.insert(0, "lost")
    if state == "running":
        troubles += ["slow"] * (0 < got < SLOW * wanted) + ["late"] * (lag_s > LATE_S)
    level: Level = "fail" if state == "lost" else "warn" if troubles or state in ("starting", "ended") else "ok"
    return Camera(
        **common,
        state=state,
        level=level,
        last=datetime.fromtimestamp(said["last_wall_s"], UTC) if said["last_wall_s"] else None,
        troubles=tuple(troubles),
        error=said["last_error"] if troubles else "",
        fps_wanted=wanted or None,
        fps_got=got,
        lag_s=lag_s,
        dropped=said["dropped"],
        reconnects=said["reconnects"],
    )


def worst_first(cameras: Sequence[Camera], names: Mapping[str, str]) -> list[Camera]:
    order = {"fail": 0, "warn": 1, "ok": 2, "none": 3}
    return sorted(cameras, key=lambda one: (order[one.level], names[one.shop].casefold(), one.shop, one.camera))


# Strips ------------------------------------------------------------------------------------------------------------


def strip(
    shop: Shop,
    quarters: Mapping[datetime, float],
    gaps: Sequence[tuple[datetime, datetime]],
    *,
    start: datetime,
    slots: int,
    slot_s: float,
    now: datetime,
    expected: bool,
) -> Strip:
    """quarters: start of a quarter of an hour to the seconds watched in it. gaps: as on record, from and until.

    start: on a whole slot of UTC. The last minutes before now are not missed yet, and
    nothing is before the camera was there. expected: it delivers all the time, so silence in opening hours is a gap.
    """
    watched = [0.0] * slots
    for moment, seconds in quarters.items():
        slot = int((moment - start).total_seconds() // slot_s)
        if 0 <= slot < slots:
            watched[slot] += seconds
    begun, known = min([shop.layout.valid_from, *quarters]), now - timedelta(seconds=FRESH_S)
    spans = [*gaps, *(open_spans(shop, max(start, begun), known) if expected else ())]
    wanted = _covered(spans, start, slots, slot_s)
    fills = tuple(_fill(seconds, due, slot_s) for seconds, due in zip(watched, wanted, strict=True))
    due = sum(max(seconds, min(slot_s, wish)) for seconds, wish in zip(watched, wanted, strict=True))
    return Strip(start, slot_s, fills, min(1.0, sum(watched) / due) if due else None)


def open_spans(shop: Shop, start: datetime, until: datetime) -> list[tuple[datetime, datetime]]:
    """The opening hours between two moments; none when nobody said."""
    clock, found = ShopClock(shop.timezone, shop.day_starts), []
    day = clock.business_day(start)
    while shop.opens and day <= clock.business_day(until):
        for first, last in opening_times(shop, day):
            edges = (datetime.fromtimestamp(moment / 1e6, UTC) for moment in (first, last))
            found.append((max(start, next(edges)), min(until, next(edges))))
        day += timedelta(days=1)
    return [(first, last) for first, last in found if first < last]


def by_camera(rows: pa.Table) -> dict[Place, dict[datetime, float]]:
    """The answer to `minutes_by_quarter` as quarters by camera."""
    found: dict[Place, dict[datetime, float]] = {}
    columns = (rows[name].to_pylist() for name in ("shop_id", "camera_id", "utc_day", "hour", "quarter", "watched_s"))
    for shop, camera, day, hour, quarter, seconds in zip(*columns, strict=True):
        moment = datetime.combine(day, time(hour, quarter * 15), UTC)
        found.setdefault((shop, camera), {})[moment] = seconds
    return found


def _covered(spans: Sequence[tuple[datetime, datetime]], start: datetime, slots: int, slot_s: float) -> list[float]:
    """Seconds of each slot that lie in any of the spans; what two of them share counts once."""
    seconds, reached = [0.0] * slots, start
    for first, last in sorted(spans):
        begin = max(first, reached)
        slot = max(0, int((begin - start).total_seconds() // slot_s))
        while begin < last and slot < slots:
            edge = start + timedelta(seconds=(slot + 1) * slot_s)
            seconds[slot] += (min(edge, last) - begin).total_seconds()
            begin, slot = edge, slot + 1
        reached = max(reached, last)
    return seconds


def _fill(watched_s: float, wanted_s: float, slot_s: float) -> Fill:
    due = min(slot_s, max(wanted_s, watched_s))
    if due <= 0:
        return "off"
    share = watched_s / due
    return "full" if share >= FULL else "part" if share > 0 else "gap"
