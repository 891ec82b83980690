"""Shoppers on a plan, step by step: where everybody truly stood, five times a second.

Each person walks a list of goals (door, spots in zones, the queue, door, street) under social forces: they steer
towards the goal at their own speed and keep away from others (Helbing & Molnár 1995, Physical Review E 51, 4282,
equations 2 and 3, with the exponential repulsion of their later papers). JuPedSim would do this with more physics;
for the question how wrong boxes, tracks and zones get, this is enough and needs no further library.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from vitrina.floor.simulate.plan import DOOR_M, PLACES, QUEUE, STREET_M, Profile

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

STEP_S = 0.2
RELAX_S, PUSH, REACH_M, BODY_M = 0.4, 2.0, 0.25, 0.5
ARRIVED_M = 0.35
SPACING_M = 0.9
SERVICE_S, PATIENCE_S = 35.0, 150.0
TO_QUEUE = -1.0  # a goal's stay that means: join the queue
STAFF_ROUND = 12

CUSTOMER, PASSER, STAFF, TURNER = "customer", "passer", "staff", "turner"


@dataclass(frozen=True, slots=True)
class Plans:
    """What P persons mean to do. goals: (P, G, 2) metres. stays: (P, G) seconds. last: (P,) number of goals."""

    start_s: Floats
    speed: Floats
    height_m: Floats
    goals: Floats
    stays: Floats
    last: Ints
    kinds: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TrueWait:
    """joined: took a place in the queue. ended: stood at the till, or gave up. Seconds since the start."""

    person: int
    joined: float
    ended: float
    served: bool


@dataclass(frozen=True, slots=True)
class Walks:
    """What happened. Rows are sorted by time; t in seconds since the start.

    t, person, x_m, y_m: (M,), one row per person and step. kinds, height_m: (P,). paid: (R,) moments of payment.
    """

    t: Floats
    person: Ints
    x_m: Floats
    y_m: Floats
    kinds: tuple[str, ...]
    height_m: Floats
    waits: tuple[TrueWait, ...]
    paid: Floats
    duration_s: float

    @property
    def staff(self) -> NDArray[np.bool_]:
        return np.array([kind == STAFF for kind in self.kinds])


def plan_day(profile: Profile, *, minutes: float, per_hour: float, rng: np.random.Generator) -> Plans:
    """Customers, passers-by, a few who turn round in the door, and one of the staff."""
    count = max(1, int(rng.poisson(per_hour * minutes / 60)))
    kinds = [*rng.choice([CUSTOMER, PASSER, TURNER], count * 2, p=[0.5, 0.45, 0.05]).tolist(), STAFF]
    starts = np.sort(rng.uniform(0.0, minutes * 60 * 0.8, len(kinds)))
    starts[-1] = 0.0
    routes = [_route(kind, profile, rng) for kind in kinds]
    longest = max(map(len, routes))
    goals = np.zeros((len(kinds), longest, 2))
    stays = np.zeros((len(kinds), longest))
    for index, route in enumerate(routes):
        goals[index, : len(route)] = [goal for goal, _ in route]
        stays[index, : len(route)] = [stay for _, stay in route]
    return Plans(
        start_s=starts,
        speed=np.clip(rng.normal(1.15, 0.2, len(kinds)), 0.6, 1.8),
        height_m=np.clip(rng.normal(1.70, 0.09, len(kinds)), 1.40, 2.00),
        goals=goals,
        stays=stays,
        last=np.array([len(route) for route in routes]),
        kinds=tuple(kinds),
    )


Route = list[tuple[tuple[float, float], float]]


def _route(kind: str, profile: Profile, rng: np.random.Generator) -> Route:
    """Goals with seconds of stay. The first is where the person appears, the last where they vanish."""
    width, door = profile.width_m, (profile.width_m / 2, profile.depth_m)
    street_y = profile.depth_m + STREET_M * rng.uniform(0.45, 0.85)
    left = bool(rng.random() < 0.5)
    edges = [(0.4, street_y), (width - 0.4, street_y)]
    come, go = (edges[0], edges[1]) if left else (edges[1], edges[0])
    outside, inside = (
        (door[0] + rng.uniform(-0.8, 0.8), door[1] + 0.7),
        (door[0] + rng.uniform(-0.8, 0.8), door[1] - 0.9),
    )
    match kind:
        case "passer":
            return [(come, 0.0), (go, 0.0)]
        case "turner":
            return [(come, 0.0), (outside, 0.0), (inside, 1.0), (outside, 0.0), (go, 0.0)]
        case "staff":
            return _rounds(profile, rng)
    way_in: Route = [(come, 0.0), (outside, 0.0), (inside, 0.0)]
    way_out: Route = [(inside, 0.0), (outside, 0.0), (go, 0.0)]
    return way_in + _stops(profile, rng) + way_out


def _stops(profile: Profile, rng: np.random.Generator) -> Route:
    weights = np.array([place.pull.weight for place in PLACES])
    route: Route = []
    for index in rng.choice(len(PLACES), int(1 + rng.poisson(2.5)), p=weights / weights.sum()):
        pull = PLACES[index].pull
        stops = rng.random() < pull.stops
        stay = 4.0 + 1.5 * pull.hold_s * rng.lognormal(0.0, 0.6) if stops else rng.uniform(0.0, 2.0)
        route.append((_spot(PLACES[index].box, profile, rng), float(stay)))
    if rng.random() < profile.conversion:
        route.append((queue_slot(profile, 5), TO_QUEUE))
    return route


def _rounds(profile: Profile, rng: np.random.Generator) -> Route:
    """Out of the staff room and back again, all day."""
    room = (0.88 * profile.width_m, 0.16 * profile.depth_m)
    route: Route = [(room, 20.0)]
    for _ in range(STAFF_ROUND):
        place = PLACES[int(rng.integers(len(PLACES)))]
        route += [(_spot(place.box, profile, rng), float(rng.uniform(20, 60))), (room, float(rng.uniform(15, 40)))]
    return route


def _spot(box: tuple[float, float, float, float], profile: Profile, rng: np.random.Generator) -> tuple[float, float]:
    x = box[0] + rng.uniform(0.15, 0.85) * (box[2] - box[0])
    y = box[1] + rng.uniform(0.15, 0.85) * (box[3] - box[1])
    return float(x * profile.width_m), float(y * profile.depth_m)


def queue_slot(profile: Profile, place: int) -> tuple[float, float]:
    """Where the one stands who is `place` persons behind the till (0: at it)."""
    x0, _, x1, y1 = QUEUE.box
    return (x0 + x1) / 2 * profile.width_m, y1 * profile.depth_m - 0.5 - SPACING_M * place


def walk(plans: Plans, profile: Profile, *, minutes: float, rng: np.random.Generator) -> Walks:
    """Let everybody walk. The same plans and generator give the same walks."""
    state = _State.at_start(plans, rng)
    seen: list[tuple[Floats, Ints, Floats]] = []
    for step in range(round(minutes * 60 / STEP_S)):
        t = step * STEP_S
        state.appear(t)
        here = np.flatnonzero(state.here)
        if not len(here):
            continue
        state.serve(t, profile)
        state.choose_goals(here, t, profile)
        state.move(here, profile, rng)
        seen.append((np.full(len(here), t), here, state.at[here]))
    times, people, places = zip(*seen, strict=True)
    at = np.concatenate(places)
    return Walks(
        t=np.concatenate(times),
        person=np.concatenate(people),
        x_m=at[:, 0],
        y_m=at[:, 1],
        kinds=plans.kinds,
        height_m=plans.height_m,
        waits=tuple(state.waits),
        paid=np.array(state.paid),
        duration_s=minutes * 60,
    )


@dataclass(slots=True)
class _State:
    """The world at one step. at, velocity: (P, 2). goal: (P,) index. until: (P,) end of the stay, NaN on the way."""

    plans: Plans
    service_s: Floats
    patience_s: Floats
    at: Floats
    velocity: Floats
    goal: Ints
    until: Floats
    here: NDArray[np.bool_]
    gone: NDArray[np.bool_]
    queue: list[int] = field(default_factory=list)
    joined: dict[int, float] = field(default_factory=dict)
    at_till: float | None = None
    waits: list[TrueWait] = field(default_factory=list)
    paid: list[float] = field(default_factory=list)

    @classmethod
    def at_start(cls, plans: Plans, rng: np.random.Generator) -> _State:
        count = len(plans.start_s)
        return cls(
            plans=plans,
            service_s=rng.lognormal(np.log(SERVICE_S), 0.4, count),
            patience_s=rng.lognormal(np.log(PATIENCE_S), 0.5, count),
            at=plans.goals[:, 0].copy(),
            velocity=np.zeros((count, 2)),
            goal=np.ones(count, np.int64),
            until=np.full(count, np.nan),
            here=np.zeros(count, bool),
            gone=np.zeros(count, bool),
        )

    def appear(self, t: float) -> None:
        self.here |= (self.plans.start_s <= t) & ~self.gone

    def serve(self, t: float, profile: Profile) -> None:
        """The first in the queue is served when at the till; others may lose their patience."""
        for person in [p for p in self.queue[1:] if t - self.joined[p] > self.patience_s[p]]:
            self.queue.remove(person)
            self._leave_queue(person, t, served=False)
        if not self.queue:
            return
        first = self.queue[0]
        if self.at_till is None:
            distance = float(np.hypot(*(self.at[first] - queue_slot(profile, 0))))
            self.at_till = t if distance < ARRIVED_M else None
        elif t - self.at_till > self.service_s[first]:
            self.queue.pop(0)
            self.paid.append(t)
            self._leave_queue(first, self.at_till, served=True)
            self.at_till = None

    def _leave_queue(self, person: int, t: float, *, served: bool) -> None:
        self.waits.append(TrueWait(person, self.joined.pop(person), t, served))
        self.goal[person] += 1

    def choose_goals(self, here: Ints, t: float, profile: Profile) -> None:
        """Who has arrived stays, joins the queue, goes on or vanishes."""
        distance = np.hypot(*(self._targets(here, profile) - self.at[here]).T)
        arrived = here[(distance < ARRIVED_M) & np.isnan(self.until[here])]
        for person in arrived.tolist():
            if person in self.joined:
                continue
            stay = self.plans.stays[person, self.goal[person]]
            self.until[person] = t + max(0.0, float(stay))
        tail = queue_slot(profile, len(self.queue))
        for person in here[self._wants_queue(here)].tolist():
            if person not in self.joined and float(np.hypot(*(self.at[person] - tail))) < 1.2:
                self.queue.append(person)
                self.joined[person] = t
                self.until[person] = np.nan
        done = here[self.until[here] <= t]
        done = done[[person not in self.joined for person in done.tolist()]] if len(done) else done
        self.goal[done] += 1
        self.until[done] = np.nan
        finished = here[self.goal[here] >= self.plans.last[here]]
        self.here[finished] = False
        self.gone[finished] = True

    def _wants_queue(self, here: Ints) -> NDArray[np.bool_]:
        goal = np.minimum(self.goal[here], self.plans.last[here] - 1)
        return np.asarray(self.plans.stays[here, goal] == TO_QUEUE)

    def _targets(self, here: Ints, profile: Profile) -> Floats:
        goal = np.minimum(self.goal[here], self.plans.last[here] - 1)
        targets = self.plans.goals[here, goal].copy()
        tail = queue_slot(profile, len(self.queue))
        for row in np.flatnonzero(self._wants_queue(here)):
            person = int(here[row])
            targets[row] = queue_slot(profile, self.queue.index(person)) if person in self.joined else tail
        return targets

    def move(self, here: Ints, profile: Profile, rng: np.random.Generator) -> None:
        away = self._targets(here, profile) - self.at[here]
        distance = np.hypot(*away.T)[:, None]
        speed = np.minimum(self.plans.speed[here][:, None], distance / 0.6)
        wanted = away / np.maximum(distance, 1e-6) * speed
        wanted[~np.isnan(self.until[here])] *= 0.3
        force = (wanted - self.velocity[here]) / RELAX_S + _repulsion(self.at[here])
        velocity = self.velocity[here] + force * STEP_S + rng.normal(0.0, 0.04, force.shape)
        pace = np.hypot(*velocity.T)[:, None]
        self.velocity[here] = velocity * np.minimum(1.0, 1.6 / np.maximum(pace, 1e-6))
        self.at[here] = _walls(self.at[here], self.at[here] + self.velocity[here] * STEP_S, profile)


def _repulsion(at: Floats) -> Floats:
    """(N, 2) accelerations that keep N persons apart."""
    between = at[:, None, :] - at[None, :, :]
    distance = np.hypot(between[..., 0], between[..., 1])
    np.fill_diagonal(distance, np.inf)
    push = PUSH * np.exp((BODY_M - distance) / REACH_M)
    push = np.where(distance < 2.0, np.minimum(push, 4.0), 0.0)
    force: Floats = (push[..., None] * between / np.maximum(distance, 0.05)[..., None]).sum(axis=1)
    return force


def _walls(before: Floats, after: Floats, profile: Profile) -> Floats:
    """Nobody walks through the front but at the door, or off the plan."""
    depth, middle = profile.depth_m, profile.width_m / 2
    crosses = (before[:, 1] < depth) != (after[:, 1] < depth)
    blocked = crosses & (np.abs(after[:, 0] - middle) > DOOR_M / 2 - 0.1)
    moved = after.copy()
    moved[blocked, 1] = before[blocked, 1]
    return np.clip(moved, 0.15, (profile.width_m - 0.15, depth + STREET_M - 0.1))
