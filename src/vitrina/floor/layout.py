"""How a shop is laid out: its cameras, zones and lines on one plan, as one version that is valid from a moment on.

Picture and plan both have y pointing down. Zones and lines stay in the coordinates they were drawn in: their
`space` is `PLAN` (metres on the plan) or the slug of a camera (pixels of its picture).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, time
from typing import TYPE_CHECKING, Literal, get_args

if TYPE_CHECKING:
    from vitrina.floor.geometry.ground import Ground

Point = tuple[float, float]
ZoneKind = Literal["section", "promo", "queue", "staff", "outside"]
LineKind = Literal["entrance", "passage"]

ZONE_KINDS: tuple[ZoneKind, ...] = get_args(ZoneKind)
LINE_KINDS: tuple[LineKind, ...] = get_args(LineKind)

PLAN = "plan"
LIVE_SOURCES = ("webcam:", "/dev/", "loop:", "boxes:", "rtsp://", "rtsps://", "http://", "https://")
"""How the address of a camera begins that delivers all the time; a recorded file is watched once."""
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


@dataclass(frozen=True, slots=True)
class Zone:
    """A part of the floor in which visits are counted.

    polygon: at least 3 corners, in `space`; the last is joined to the first.
    stop_s: who stayed at least this long has stopped (stopping power).
    enter_s, leave_s: debounce: so long inside before a visit begins, so long seen outside before it ends.
    lost_s: who has not been seen at all for so long has left.
    products: GTINs of what is displayed here.
    till, till_reach: a queue's service point, and how near to it (in `space`) a person is being served.
    serve_s: who stood so long at the till has been served.
    """

    slug: str
    name: str
    kind: ZoneKind
    polygon: tuple[Point, ...]
    space: str = PLAN
    stop_s: float = 5.0
    enter_s: float = 1.0
    leave_s: float = 2.0
    lost_s: float = 5.0
    products: tuple[str, ...] = ()
    till: Point | None = None
    till_reach: float = 1.2
    serve_s: float = 8.0


@dataclass(frozen=True, slots=True)
class Line:
    """A finite segment a → b. Crossed *in* from the left of its direction to its right, as seen in the picture."""

    slug: str
    name: str
    kind: LineKind
    a: Point
    b: Point
    space: str = PLAN


@dataclass(frozen=True, slots=True)
class CameraLayout:
    """One camera as the layout sees it.

    source: address, file or webcam number, with `***` in place of every password in it.
    ground: None before the camera is calibrated; it then has no place on the plan.
    input_hw: the detector's input, when somebody fixed it; None lets the camera choose.
    channel: the video recorder's slug and the channel, counted from 1, that `source` was made from.
    """

    slug: str
    name: str
    source: str
    size_wh: tuple[int, int]
    ground: Ground | None = None
    input_hw: tuple[int, int] | None = None
    channel: tuple[str, int] | None = None

    @property
    def is_live(self) -> bool:
        return self.source.startswith(LIVE_SOURCES)


@dataclass(frozen=True, slots=True)
class VideoRecorder:
    """A box that several cameras hang on.

    address: of the box, with `***` in place of every password; where no make is known, with `{channel}` in it.
    make: whose paths its channels have. stream: "sub" for the small picture, "main" for the large one.
    """

    slug: str
    address: str
    make: str | None = None
    stream: str = "sub"


@dataclass(frozen=True, slots=True)
class Plan:
    """The floor from above: x to the right, y down, metres from the upper left corner."""

    width_m: float
    height_m: float
    picture: str | None = None


@dataclass(frozen=True, slots=True)
class Layout:
    """A version: rows in the lake carry its `layout_id`, so moving a zone never changes a past visit."""

    layout_id: str
    valid_from: datetime
    plan: Plan
    cameras: tuple[CameraLayout, ...] = ()
    zones: tuple[Zone, ...] = ()
    lines: tuple[Line, ...] = ()
    recorders: tuple[VideoRecorder, ...] = ()

    def camera(self, slug: str) -> CameraLayout | None:
        return next((camera for camera in self.cameras if camera.slug == slug), None)

    def zones_in(self, space: str) -> tuple[Zone, ...]:
        return tuple(zone for zone in self.zones if zone.space == space)

    def lines_in(self, space: str) -> tuple[Line, ...]:
        return tuple(line for line in self.lines if line.space == space)


@dataclass(frozen=True, slots=True)
class Hours:
    """Open from `opens` until `closes`; past midnight when `closes` is the earlier, all day when they are equal."""

    opens: time
    closes: time

    @property
    def all_day(self) -> bool:
        return self.opens == self.closes


@dataclass(frozen=True, slots=True)
class Shop:
    """A shop with the layout that is valid now, or was at the time asked for.

    timezone: IANA name. currency: ISO 4217. day_starts: when the business day begins, in shop time.
    opens: one entry a weekday from Monday, each with its opening hours (none: closed); empty when nobody said.
    other_entrances: slugs of entrance lines that other versions of the layout have: they count in what those made.
    """

    slug: str
    name: str
    timezone: str
    currency: str
    layout: Layout
    day_starts: time = time(4)
    opens: tuple[tuple[Hours, ...], ...] = ()
    other_entrances: tuple[str, ...] = ()

    @property
    def entrances(self) -> tuple[str, ...]:
        """Slugs of every line that counts people in, whichever version drew it; the layout at hand says of its own."""
        kinds = {line.slug: line.kind for line in self.layout.lines}
        own = (slug for slug, kind in kinds.items() if kind == "entrance")
        return (*own, *(slug for slug in self.other_entrances if slug not in kinds))
