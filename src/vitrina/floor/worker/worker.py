"""The analysis of one process: a due frame of each of its cameras is looked at together, one round after the other.

Cameras are opened, closed and read in threads of their own, so a round waits for nothing but the detector.
"""

from __future__ import annotations

import logging
import threading
from collections import defaultdict
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event

from vitrina.floor.frame import Frame
from vitrina.floor.given import GivenBoxes
from vitrina.floor.look import Look, Looker
from vitrina.floor.worker.lane import Lane, Opened
from vitrina.floor.worker.server import Server
from vitrina.floor.worker.share import Place

logger = logging.getLogger(__name__)

TEND_EVERY_S = 2.0
CLOSING = 4
"""Cameras that are put away at once."""

Due = list[tuple[Lane, Frame]]


@dataclass(frozen=True, slots=True)
class Wanted:
    """A camera that should be watched. edition: another one means that it must be opened anew."""

    edition: str
    open: Callable[[Event], Opened] = field(compare=False)


class Worker:
    """Watches what `wanted` names until it is told to stop; asks again every `TEND_EVERY_S`.

    patient: a camera that does not open at first is tried again and again; else its error ends everything.
    """

    def __init__(
        self, home: Path, wanted: Callable[[], Mapping[Place, Wanted]], *, fps: float, patient: bool = True
    ) -> None:
        self._wanted, self._fps, self._patient = wanted, fps, patient
        self._server = Server(home)
        self._arrived = Event()
        self._editions: dict[Place, str] = {}
        self.lanes: dict[Place, Lane] = {}

    def run(self, stop: Event, *, show: Callable[[], None] = lambda: None) -> None:
        """Nothing is lost on the way out, which takes seconds. show: called after every round."""
        tending = threading.Thread(target=self._tend, args=(stop,), name="tend")
        tending.start()
        try:
            while not stop.is_set():
                if not any(lane.is_behind for lane in list(self.lanes.values())):
                    self._arrived.wait(0.2)
                self._arrived.clear()
                self.round()
                show()
                if not self._patient:
                    self._raise_first()
        finally:
            stop.set()
            tending.join()
            self._close_all()

    def round(self) -> int:
        """Analyse the frames that are due now; gives how many there were."""
        due: defaultdict[int, Due] = defaultdict(list)
        lookers: dict[int, Looker | GivenBoxes] = {}
        for lane in list(self.lanes.values()):
            looker, frame = lane.looker, lane.take()
            if looker is not None and frame is not None:
                lookers[id(looker)] = looker
                due[id(looker)].append((lane, frame))
        for number, some in due.items():
            for (lane, frame), look in zip(some, _looks(lookers[number], some), strict=True):
                if look is not None:
                    lane.step(frame, look)
        return sum(map(len, due.values()))

    def tend(self) -> None:
        """Begin what is wanted and not there, end what is there and not wanted. Not for several threads at once."""
        wanted = self._wanted()
        for place in [place for place, edition in self._editions.items() if not _same(wanted.get(place), edition)]:
            self._end(place)
        for place in wanted.keys() - self.lanes.keys():
            self._begin(place, wanted[place])
        for lane in self.lanes.values():
            try:
                lane.tend()
            except Exception:  # the edge of a worker loop: the others go on
                logger.exception("camera %s: how it is was not noted; trying again", lane.camera_id)

    def _tend(self, stop: Event) -> None:
        while not stop.is_set():
            try:
                self.tend()
            except Exception:  # the edge of a worker loop
                logger.exception("cannot tell which cameras are wanted; those that are watched go on")
            stop.wait(TEND_EVERY_S)

    def _begin(self, place: Place, wanted: Wanted) -> None:
        lane = Lane(place, wanted.open, fps=self._fps, arrived=self._arrived)
        self._server.open(place, lane.reply)
        self._editions[place] = wanted.edition
        self.lanes = self.lanes | {place: lane}
        lane.start()

    def _end(self, place: Place) -> None:
        lane = self.lanes[place]
        self.lanes = {other: one for other, one in self.lanes.items() if other != place}
        del self._editions[place]
        self._server.shut(place)
        _try(lane, lane.close)

    def _raise_first(self) -> None:
        for lane in self.lanes.values():
            if lane.error is not None and not lane.was_open:
                raise lane.error

    def _close_all(self) -> None:
        """First all is made safe, which takes no time; the lake may take longer than we are given."""
        for lane in self.lanes.values():
            lane.ask_to_stop()
            _try(lane, lane.keep)
        self._server.close()
        with ThreadPoolExecutor(CLOSING) as pool:
            list(pool.map(lambda lane: _try(lane, lane.close), self.lanes.values()))


def _same(wanted: Wanted | None, edition: str) -> bool:
    return wanted is not None and wanted.edition == edition


def _looks(looker: Looker | GivenBoxes, due: Due) -> list[Look | None]:
    """A picture that the detector cannot take is its own camera's trouble."""
    try:
        return list(looker.look([frame for _, frame in due]))
    except Exception:
        logger.exception("looking at %d pictures together failed; they are looked at one by one", len(due))
    return [_look_alone(looker, lane, frame) for lane, frame in due]


def _look_alone(looker: Looker | GivenBoxes, lane: Lane, frame: Frame) -> Look | None:
    try:
        return looker.look([frame])[0]
    except Exception as error:  # noqa: BLE001 - the edge of a worker loop; the lane says what it was
        lane.fail(error)
        return None


def _try(lane: Lane, end: Callable[[], None]) -> None:
    try:
        end()
    except Exception:  # the edge of a worker loop; rows that were not committed wait in the journal
        logger.exception("camera %s: what it saw last was not put away; the next start does it", lane.camera_id)
