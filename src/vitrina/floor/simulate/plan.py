"""The plan of a simulated shop: sections along the walls, a promo display, tills, one door to the street.

Metres from the upper left corner, y down. The street is the strip under the door.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, time

from vitrina.floor.layout import CameraLayout, Hours, Layout, Line, Plan, Point, Shop, Zone, ZoneKind

STREET_M = 2.0
DOOR_M = 3.0
TILL_REACH_M = 0.7  # less than the distance between two who wait

ENTRANCE, STREET, TILLS, STAFF_ROOM = "entrance", "street", "tills", "staff-room"
DOOR_CAMERA, FLOOR_CAMERA, TILL_CAMERA = "door", "floor", "till"


@dataclass(frozen=True, slots=True)
class Pull:
    """How a zone draws people: its share of next stops, the share of passers who stop, and their median stay."""

    weight: float
    stops: float
    hold_s: float


@dataclass(frozen=True, slots=True)
class Place:
    """A zone as shares of the floor (x0, y0, x1, y1), with its pull and the camera that sees it."""

    slug: str
    name: str
    kind: ZoneKind
    box: tuple[float, float, float, float]
    pull: Pull
    camera: str = FLOOR_CAMERA


PLACES: tuple[Place, ...] = (
    Place("promo", "Promo display", "promo", (0.40, 0.62, 0.60, 0.78), Pull(1.5, 0.16, 14.0), DOOR_CAMERA),
    Place("new", "New in", "section", (0.05, 0.55, 0.30, 0.85), Pull(1.2, 0.45, 25.0), DOOR_CAMERA),
    Place("shoes", "Shoes", "section", (0.03, 0.05, 0.25, 0.42), Pull(0.8, 0.60, 70.0)),
    Place("jackets", "Jackets", "section", (0.30, 0.05, 0.52, 0.30), Pull(0.9, 0.50, 45.0)),
    Place("bags", "Bags", "section", (0.56, 0.05, 0.74, 0.30), Pull(0.5, 0.40, 30.0)),
    Place("basics", "Basics", "section", (0.32, 0.36, 0.62, 0.54), Pull(1.4, 0.50, 28.0)),
)
QUEUE = Place(TILLS, "Tills", "queue", (0.76, 0.55, 0.96, 0.86), Pull(0.0, 1.0, 60.0), TILL_CAMERA)


@dataclass(frozen=True, slots=True)
class Profile:
    """What makes one simulated shop differ from another.

    visitors: mean entries of a Tuesday. conversion: share of visitors who go to the tills. ticket_minor: median.
    opens, closes: shop time. promo_works: the display was moved two weeks before the last day, and people stop more.
    """

    slug: str
    name: str
    timezone: str
    currency: str
    width_m: float
    depth_m: float
    visitors: float
    conversion: float
    ticket_minor: float
    opens: time
    closes: time
    sunday: bool
    tills: int
    promo_works: bool = False
    has_gap: bool = False


CITIES: tuple[Profile, ...] = (
    Profile(
        slug="demo-berlin",
        name="Berlin",
        timezone="Europe/Berlin",
        currency="EUR",
        width_m=24,
        depth_m=16,
        visitors=1400,
        conversion=0.27,
        ticket_minor=3900,
        opens=time(9),
        closes=time(20),
        sunday=False,
        tills=3,
        promo_works=True,
    ),
    Profile(
        slug="demo-london",
        name="London",
        timezone="Europe/London",
        currency="GBP",
        width_m=18,
        depth_m=12,
        visitors=750,
        conversion=0.24,
        ticket_minor=3300,
        opens=time(10),
        closes=time(19),
        sunday=True,
        tills=2,
    ),
    Profile(
        slug="demo-tokyo",
        name="Tokyo",
        timezone="Asia/Tokyo",
        currency="JPY",
        width_m=12,
        depth_m=9,
        visitors=380,
        conversion=0.31,
        ticket_minor=4800,
        opens=time(10),
        closes=time(22),
        sunday=True,
        tills=1,
    ),
)
GAP_SHOP = 1  # the second shop's door camera fails now and then


def profiles(count: int) -> tuple[Profile, ...]:
    """The three cities, then as many more like them as are asked for, numbered."""
    found = []
    for index in range(count):
        city = CITIES[index % len(CITIES)]
        turn = index // len(CITIES)
        if turn:
            city = replace(
                city,
                slug=f"{city.slug}-{turn + 1}",
                name=f"{city.name} {turn + 1}",
                visitors=city.visitors * (0.6 + 0.1 * (index % 9)),
                promo_works=False,
            )
        found.append(replace(city, has_gap=index == GAP_SHOP))
    return tuple(found)


def shop(profile: Profile, *, valid_from: datetime = datetime(2024, 1, 1, tzinfo=UTC)) -> Shop:
    """The shop with its layout: everything on the plan; its cameras have names and no source."""
    hours = (Hours(profile.opens, profile.closes),)
    zones = [_zone(place, profile) for place in (*PLACES, QUEUE)]
    zones += [
        Zone(STAFF_ROOM, "Staff room", "staff", _corners((0.78, 0.03, 0.98, 0.30), profile)),
        Zone(STREET, "Street", "outside", _street(profile)),
    ]
    middle = profile.width_m / 2
    door = Line(
        ENTRANCE,
        "Entrance",
        "entrance",
        (middle + DOOR_M / 2, profile.depth_m),
        (middle - DOOR_M / 2, profile.depth_m),
    )
    names = {DOOR_CAMERA: "Door", FLOOR_CAMERA: "Floor", TILL_CAMERA: "Tills"}
    return Shop(
        slug=profile.slug,
        name=f"{profile.name} (simulated)",
        timezone=profile.timezone,
        currency=profile.currency,
        layout=Layout(
            layout_id=f"{profile.slug}-1",
            valid_from=valid_from,
            plan=Plan(profile.width_m, profile.depth_m + STREET_M),
            cameras=tuple(CameraLayout(slug, name, "simulated", (1280, 720)) for slug, name in names.items()),
            zones=tuple(zones),
            lines=(door,),
        ),
        opens=(*(hours,) * 6, hours if profile.sunday else ()),
    )


def _zone(place: Place, profile: Profile) -> Zone:
    x0, _, x1, y1 = place.box
    till = ((x0 + x1) / 2 * profile.width_m, y1 * profile.depth_m - 0.5) if place.kind == "queue" else None
    return Zone(place.slug, place.name, place.kind, _corners(place.box, profile), till=till, till_reach=TILL_REACH_M)


def _corners(box: tuple[float, float, float, float], profile: Profile) -> tuple[Point, ...]:
    x0, x1 = (round(share * profile.width_m, 2) for share in (box[0], box[2]))
    y0, y1 = (round(share * profile.depth_m, 2) for share in (box[1], box[3]))
    return ((x0, y0), (x1, y0), (x1, y1), (x0, y1))


def _street(profile: Profile) -> tuple[Point, ...]:
    top, bottom = profile.depth_m + 0.2, profile.depth_m + STREET_M
    return ((0.0, top), (profile.width_m, top), (profile.width_m, bottom), (0.0, bottom))
