"""How a person's box moves: four independent walks (centre x, centre y, log width, log height), filtered and smoothed.

Each coordinate is an integrated Ornstein–Uhlenbeck process: its velocity keeps its direction for about `persistence_s`
and has the stationary deviation `speed` (Uhlenbeck & Ornstein 1930; as a target model Singer 1970). So the uncertainty
of somebody out of sight grows as a walker's does, at any frame rate, and a newborn track needs no made-up covariance:
its velocity has the stationary one. Noise and speed are in body heights, so a person far away needs no other setting.

The coordinates do not mix and the model is linear, so every 2×2 covariance is three numbers and nothing is inverted.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Four = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Walk:
    """Deviations for (centre x, centre y, log width, log height); lengths in body heights as seen in the picture.

    speed: per second.  persistence_s: how long a velocity lasts.  noise: of one measured box.
    """

    speed: Four = (0.5, 0.22, 0.1, 0.1)
    persistence_s: Four = (6.0, 6.0, 1.0, 1.0)
    noise: Four = (0.06, 0.08, 0.15, 0.1)


class State(NamedTuple):
    """N tracks: five (N, 4) arrays, pixels and log pixels. The covariance of (position, velocity) is symmetric."""

    position: Floats
    velocity: Floats
    var_position: Floats
    covariance: Floats
    var_velocity: Floats

    def take(self, index: NDArray[np.intp] | NDArray[np.bool_]) -> State:
        return State(*(array[index] for array in self))


class Step(NamedTuple):
    """The transition over `dt`: position += reach · velocity, velocity *= keep, and the variance it adds."""

    reach: Floats
    keep: Floats
    var_position: Floats
    covariance: Floats
    var_velocity: Floats


def no_tracks() -> State:
    return State(*(np.zeros((0, 4)) for _ in range(5)))


def join(a: State, b: State) -> State:
    return State(*(np.concatenate(pair) for pair in zip(a, b, strict=True)))


def measure(boxes_xyxy: Floats) -> Floats:
    """(N, 4) boxes in pixels → (centre x, centre y, log width, log height); a side below one pixel counts as one."""
    sizes = np.maximum(boxes_xyxy[:, 2:] - boxes_xyxy[:, :2], 1.0)
    return np.concatenate([(boxes_xyxy[:, :2] + boxes_xyxy[:, 2:]) / 2, np.log(sizes)], axis=1)


def boxes(position: Floats) -> Floats:
    """The inverse of `measure`."""
    half = np.exp(position[:, 2:]) / 2
    return np.concatenate([position[:, :2] - half, position[:, :2] + half], axis=1)


def unit(position: Floats) -> Floats:
    """(N, 4): what one unit of the walk is here: the person's height in pixels for the centre, 1 for the logarithms."""
    units = np.ones_like(position)
    units[:, :2] = np.exp(position[:, 3:])
    return units


def transition(walk: Walk, dt: float) -> Step:
    """Exact for any dt ≥ 0 (Uhlenbeck & Ornstein 1930; Gillespie 1996, eq. 2.10–2.14)."""
    tau = np.array(walk.persistence_s)
    var = np.square(walk.speed)
    keep = np.exp(-dt / tau)
    reach = tau * (1 - keep)
    return Step(
        reach=reach,
        keep=keep,
        # the exact variance cancels to a rounding error at dt = 0
        var_position=np.maximum(var * (2 * tau * (dt - reach) - np.square(reach)), 0.0),
        covariance=var * reach * (1 - keep),
        var_velocity=var * (1 - np.square(keep)),
    )


def noise_variance(position: Floats, walk: Walk) -> Floats:
    """(N, 4): of one measured box."""
    return np.square(unit(position) * walk.noise)


def born(measured: Floats, walk: Walk) -> State:
    units = unit(measured)
    zeros = np.zeros_like(measured)
    return State(measured.copy(), zeros, np.square(units * walk.noise), zeros, np.square(units * walk.speed))


def predict(state: State, step: Step) -> State:
    square = np.square(unit(state.position))
    moved = state.covariance + step.reach * state.var_velocity
    return State(
        position=state.position + step.reach * state.velocity,
        velocity=step.keep * state.velocity,
        var_position=state.var_position + step.reach * (state.covariance + moved) + step.var_position * square,
        covariance=step.keep * moved + step.covariance * square,
        var_velocity=np.square(step.keep) * state.var_velocity + step.var_velocity * square,
    )


def correct(state: State, measured: Floats, variance: Floats) -> State:
    """Kalman's update (1960), `variance`: (N, 4) of the measurement."""
    total = state.var_position + variance
    gain, gain_velocity = state.var_position / total, state.covariance / total
    surprise = measured - state.position
    return State(
        position=state.position + gain * surprise,
        velocity=state.velocity + gain_velocity * surprise,
        var_position=(1 - gain) * state.var_position,
        covariance=(1 - gain) * state.covariance,
        var_velocity=state.var_velocity - gain_velocity * state.covariance,
    )


def distances(state: State, measured: Floats, variance: Floats) -> tuple[Floats, Floats]:
    """Squared Mahalanobis distance of N tracks to M boxes, (N, M), and the log of the volume searched, (N,).

    The volume is relative to that of the measurement alone, so it is 0 for a track that knows exactly where it is.
    """
    total = state.var_position + variance
    precision = 1 / total
    weighted = state.position * precision
    squared = (
        np.sum(state.position * weighted, axis=1)[:, None]
        + precision @ np.square(measured).T
        - 2 * (weighted @ measured.T)
    )
    return np.maximum(squared, 0.0), np.sum(np.log(total / variance), axis=1)


def smoothed_back(filtered: State, predicted: State, step: Step, later: State) -> State:
    """One step backwards of Rauch, Tung & Striebel (1965): `filtered` now, given `later` which was `predicted` from it.

    Only position and velocity of the answer are smoothed; its covariance stays the filter's, which is all we need.
    """
    cross = (
        filtered.var_position + step.reach * filtered.covariance,
        step.keep * filtered.covariance,
        filtered.covariance + step.reach * filtered.var_velocity,
        step.keep * filtered.var_velocity,
    )
    determinant = predicted.var_position * predicted.var_velocity - np.square(predicted.covariance)
    off, off_velocity = later.position - predicted.position, later.velocity - predicted.velocity
    # the predicted covariance's inverse, applied to the difference
    a = (predicted.var_velocity * off - predicted.covariance * off_velocity) / determinant
    b = (predicted.var_position * off_velocity - predicted.covariance * off) / determinant
    return filtered._replace(
        position=filtered.position + cross[0] * a + cross[1] * b,
        velocity=filtered.velocity + cross[2] * a + cross[3] * b,
    )
