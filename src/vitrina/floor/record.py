"""From what the pipeline saw to rows of the lake. Pure: the same events give the same rows in the same order.

People get a random id that means nothing on the next business day and nothing outside this shop: a keyed hash of the
track, with a key that is made anew for each run of a live camera. For a recorded file the key comes from the file and
this home's secret, so that a second run of the same file gives the same people.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime
from typing import Any

import numpy as np

from vitrina.floor.counting.heat import Heat, HeatGrid
from vitrina.floor.counting.line import Crossing
from vitrina.floor.counting.presence import Gap, Minute, PresenceCounter
from vitrina.floor.counting.queue import Wait
from vitrina.floor.counting.visit import Visit
from vitrina.floor.healthlog import COUNTED, HealthSpan
from vitrina.floor.layout import Shop
from vitrina.floor.pipeline import Events, Placed
from vitrina.product import ShopClock, new_id

POSITION_EVERY_S = 0.5
FIRST_HEAT_S = 30.0
HEAT_EVERY_S = 300.0
"""Heat is written in stretches that add up within their hour, so that a power cut costs minutes of it."""

STAFF_S = 600.0
"""Who was not seen for so long has left no visit or crossing that is still to be written."""

ID_BYTES = 8

Row = dict[str, Any]
Rows = dict[str, list[Row]]


class Recorder:
    """Turns one camera's events into rows: table → rows, ready to be appended.

    why: says for a gap, by its two ends, why no frames came, where the camera knows.
    """

    def __init__(self, shop: Shop, camera: str, *, person_key: bytes, simulated: bool = False) -> None:
        self._shop = shop
        self._camera = camera
        self._key = person_key
        self._simulated = simulated
        self._clock = ShopClock(shop.timezone, shop.day_starts)
        self._staff_zones = {zone.slug: zone.stop_s for zone in shop.layout.zones if zone.kind == "staff"}
        self._staff: dict[int, float] = {}
        self._position_due: dict[int, float] = {}
        self._heat = HeatGrid(shop.layout.plan)
        self._heat_due: float | None = None
        self._presence = PresenceCounter()
        self.why: Callable[[float, float], str | None] = lambda _t, _until: None

    def rows(self, events: Events) -> Rows:
        rows: Rows = defaultdict(list)
        for placed in events.placed:
            self._take(placed, rows)
        self._note_staff(events.visits)
        rows["crossings"] += [self._crossing(crossing) for crossing in events.crossings]
        rows["visits"] += [self._visit(visit) for visit in events.visits]
        rows["waits"] += [self._wait(wait) for wait in events.waits]
        return {table: content for table, content in rows.items() if content}

    def finish(self) -> Rows:
        """What is still being added up: the last minute and the last stretch of heat."""
        rows = {
            "presence": [self._minute(minute) for minute in self._presence.finish()],
            "heat": [self._heat_row(cell) for cell in self._heat.finish()],
        }
        return {table: content for table, content in rows.items() if content}

    def state(self) -> dict[str, Any]:
        """What the next worker needs to go on, as JSON."""
        return {
            "presence": self._presence.state(),
            "heat": self._heat.state(),
            "heat_due": self._heat_due,
            "position_due": list(self._position_due.items()),
            "staff": list(self._staff.items()),
        }

    def restore(self, state: dict[str, Any], *, same_tracks: bool, stopped_t: float | None = None) -> None:
        """Go on from `state()`; the time from `stopped_t`, the last frame, until the next one is a gap: not running.

        same_tracks: people keep their track ids; otherwise who is staff is learned anew.
        """
        self._presence.restore(state["presence"], stopped_t=stopped_t)
        self._heat.restore(state["heat"])
        self._heat_due = state["heat_due"]
        if same_tracks:
            self._position_due = {int(track_id): float(t) for track_id, t in state["position_due"]}
            self._staff = {int(track_id): float(t) for track_id, t in state["staff"]}

    def _take(self, placed: Placed, rows: Rows) -> None:
        for found in self._presence.update(len(placed.track_ids), placed.t):
            if isinstance(found, Gap):
                rows["gaps"].append(self._gap(found))
            else:
                rows["presence"].append(self._minute(found))
        cells = self._heat.update(placed.points_m, placed.t)
        if self._heat_due is None:
            self._heat_due = placed.t + FIRST_HEAT_S
        elif placed.t >= self._heat_due:
            cells = cells + self._heat.finish()
            self._heat_due = placed.t + HEAT_EVERY_S
        rows["heat"] += [self._heat_row(cell) for cell in cells]
        rows["positions"] += self._positions(placed)

    def _positions(self, placed: Placed) -> list[Row]:
        rows = []
        for track_id, (x_m, y_m) in zip(placed.track_ids.tolist(), placed.points_m.tolist(), strict=True):
            if not np.isfinite(x_m) or placed.t < self._position_due.get(track_id, placed.t):
                continue
            self._position_due[track_id] = placed.t + POSITION_EVERY_S
            row = self._row(placed.t)
            rows.append(
                row | {"person_id": self._person(track_id, row), "x_cm": round(x_m * 100), "y_cm": round(y_m * 100)}
            )
        self._forget(placed)
        return rows

    def _forget(self, placed: Placed) -> None:
        """Keep no history: what was due before now is of no use any more; staff are known for longer."""
        if len(self._position_due) > 4 * len(placed.track_ids) + 8:
            self._position_due = {k: due for k, due in self._position_due.items() if due > placed.t}
        if self._staff:
            self._staff |= {k: placed.t for k in placed.track_ids.tolist() if k in self._staff}
            if any(seen < placed.t - STAFF_S for seen in self._staff.values()):
                self._staff = {k: seen for k, seen in self._staff.items() if seen >= placed.t - STAFF_S}

    def _note_staff(self, visits: Iterable[Visit]) -> None:
        for visit in visits:
            if visit.dwell_s >= self._staff_zones.get(visit.zone, np.inf):
                self._staff[visit.track_id] = visit.left

    def _crossing(self, crossing: Crossing) -> Row:
        row = self._row(crossing.t)
        return row | {
            "person_id": self._person(crossing.track_id, row),
            "line_id": crossing.line,
            "direction": crossing.direction,
            "role": self._role(crossing.track_id),
        }

    def _visit(self, visit: Visit) -> Row:
        row = self._row(visit.entered)
        return row | {
            "person_id": self._person(visit.track_id, row),
            "zone_id": visit.zone,
            "left_t": _moment(visit.left),
            "dwell_s": visit.dwell_s,
            "ended": visit.ended,
            "role": self._role(visit.track_id),
        }

    def _wait(self, wait: Wait) -> Row:
        row = self._row(wait.joined)
        return row | {
            "person_id": self._person(wait.track_id, row),
            "zone_id": wait.zone,
            "ended_t": _moment(wait.ended),
            "wait_s": wait.wait_s,
            "outcome": wait.outcome,
        }

    def _minute(self, minute: Minute) -> Row:
        return self._row(minute.t) | {
            "people_mean": minute.people_mean,
            "people_max": minute.people_max,
            "watched_s": minute.watched_s,
        }

    def _gap(self, gap: Gap) -> Row:
        reason = (self.why(gap.t, gap.until) or gap.reason) if gap.reason == "no frames" else gap.reason
        return self._row(gap.t) | {"until_t": _moment(gap.until), "gap_s": gap.gap_s, "reason": reason}

    def health_row(self, span: HealthSpan) -> Row:
        """A row of the table `health`."""
        return self._row(span.t) | {
            "watched_s": round(span.watched_s, 3),
            "running_s": round(span.running_s, 3),
            "state": span.state,
            "fps_claimed": span.fps_claimed,
            "fps_wanted": span.fps_wanted,
            "fps_got": round(span.fps_got, 3),
            **{name: getattr(span, name) for name in COUNTED},
            "lag_s": span.lag_s,
            "problems": ",".join(sorted(span.problems)),
            "last_error": span.last_error,
        }

    def _heat_row(self, cell: Heat) -> Row:
        return self._row(cell.t) | {"ix": cell.ix, "iy": cell.iy, "cell_cm": cell.cell_cm, "seconds": cell.seconds}

    def _row(self, t: float) -> Row:
        return {
            "event_id": new_id(),
            "t": _moment(t),
            "business_day": self._clock.business_day(t),
            "shop_id": self._shop.slug,
            "layout_id": self._shop.layout.layout_id,
            "simulated": self._simulated,
            "camera_id": self._camera,
        }

    def _person(self, track_id: int, row: Row) -> str:
        day: date = row["business_day"]
        text = f"{self._shop.slug}/{self._camera}/{day.isoformat()}/{track_id}"
        return hashlib.blake2b(text.encode(), key=self._key, digest_size=ID_BYTES).hexdigest()

    def _role(self, track_id: int) -> str:
        return "staff" if track_id in self._staff else "unknown"


def _moment(t: float) -> datetime:
    return datetime.fromtimestamp(t, UTC)
