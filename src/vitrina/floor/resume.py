"""Where a live camera's next worker begins: in the middle of what the last one saw, or after ending that, or anew.

After a short pause people go on as behind a pillar, with their ids; after a longer one the counters end what was open.
Under another layout, or with another detector, the last worker's people are ended under what they were seen with.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from vitrina.errors import StorageError, VitrinaError
from vitrina.floor.layout import Shop
from vitrina.floor.pipeline import Pipeline
from vitrina.floor.record import Recorder, Rows

logger = logging.getLogger(__name__)

STATE_VERSION = 2
KEY_BYTES = 32
UNREADABLE = (LookupError, TypeError, ValueError, AttributeError, VitrinaError)
"""What is raised by taking up a state that was written by nobody we know."""


@dataclass(frozen=True, slots=True)
class Resumed:
    """What a worker goes on with. identity: is kept beside its state. rows: of what had to be ended first."""

    pipeline: Pipeline
    recorder: Recorder
    identity: dict[str, Any]
    rows: Rows = field(default_factory=dict)

    def state(self) -> dict[str, Any]:
        """For the journal, as JSON."""
        return {"pipeline": self.pipeline.state(), "recorder": self.recorder.state(), **self.identity}


def resume(
    state: Mapping[str, Any] | None,
    shop: Shop,
    camera: str,
    *,
    how: Mapping[str, str],
    version: Callable[[str], Shop],
) -> Resumed:
    """state: what the last worker kept, None when there was none. how: what else decides what is seen (the detector).

    version: the shop under an earlier layout, by its id. A state that cannot be used is logged with the reason, and
    costs what was open in it: no crossing that is settled, no visit that has ended. Raises StorageError where `version`
    does: the state may be taken up the next time.
    """
    if state is None:
        return _anew(shop, camera, how)
    try:
        if state["version"] != STATE_VERSION:
            raise ValueError(f"its version is {state['version']}, expected {STATE_VERSION}")
        if state["layout_id"] == shop.layout.layout_id and state["how"] == how:
            return _taken_up(state, shop, camera)
        return _settled(state, shop, camera, how, version(state["layout_id"]))
    except StorageError:
        raise
    except UNREADABLE as error:
        logger.error(
            "camera %s of %s begins anew: what its last worker left open cannot be used (%s: %s)",
            camera,
            shop.slug,
            type(error).__name__,
            error,
        )
        return _anew(shop, camera, how)


def _anew(shop: Shop, camera: str, how: Mapping[str, str]) -> Resumed:
    return _with_key(shop, camera, how, os.urandom(KEY_BYTES))


def _with_key(shop: Shop, camera: str, how: Mapping[str, str], key: bytes) -> Resumed:
    identity = {
        "version": STATE_VERSION,
        "layout_id": shop.layout.layout_id,
        "how": dict(how),
        "person_key": key.hex(),
    }
    return Resumed(Pipeline(shop.layout, camera), Recorder(shop, camera, person_key=key), identity)


def _taken_up(state: Mapping[str, Any], shop: Shop, camera: str) -> Resumed:
    """In the middle of everything, people's ids included."""
    going_on = _with_key(shop, camera, state["how"], bytes.fromhex(state["person_key"]))
    going_on.pipeline.restore(state["pipeline"])
    going_on.recorder.restore(state["recorder"], same_tracks=True, stopped_t=going_on.pipeline.last_t)
    return going_on


def _settled(state: Mapping[str, Any], shop: Shop, camera: str, how: Mapping[str, str], before: Shop) -> Resumed:
    """Begin anew; what was open ends under the layout and with the ids that it was seen with."""
    last = _taken_up(state, before, camera)
    rows = last.recorder.rows(last.pipeline.finish())
    for table, more in last.recorder.finish().items():
        rows.setdefault(table, []).extend(more)
    fresh = _anew(shop, camera, how)
    fresh.recorder.restore(last.recorder.state(), same_tracks=False)
    return Resumed(fresh.pipeline, fresh.recorder, fresh.identity, rows)
