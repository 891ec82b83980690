from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vitrina.floor.tracking import kalman
from vitrina.floor.tracking.kalman import State, Walk

WALK = Walk()
BOX = np.array([[100.0, 100.0, 140.0, 200.0]])
RIGHT = np.array([1.0, 0.0, 1.0, 0.0])


def states_equal(a: State, b: State) -> None:
    for left, right in zip(a, b, strict=True):
        np.testing.assert_allclose(left, right, rtol=1e-9, atol=1e-12)


def test_a_box_comes_back_from_its_measurement() -> None:
    np.testing.assert_allclose(kalman.boxes(kalman.measure(BOX)), BOX)


@given(st.floats(1e-3, 30), st.floats(1e-3, 30))  # a frame lasts a millisecond at least
def test_two_predictions_in_a_row_are_one_over_the_whole_time(first_s: float, second_s: float) -> None:
    state = kalman.born(kalman.measure(BOX), WALK)
    twice = kalman.predict(kalman.predict(state, kalman.transition(WALK, first_s)), kalman.transition(WALK, second_s))
    states_equal(twice, kalman.predict(state, kalman.transition(WALK, first_s + second_s)))


def test_the_speed_of_somebody_out_of_sight_stays_the_stationary_one() -> None:
    state = kalman.predict(kalman.born(kalman.measure(BOX), WALK), kalman.transition(WALK, 3600))
    np.testing.assert_allclose(state.var_velocity, np.square(kalman.unit(state.position) * WALK.speed))


def test_prediction_and_correction_are_the_textbook_matrices() -> None:
    """Kalman (1960) with 2×2 matrices and numerically integrated process noise."""
    dt, tau, speed, noise = 0.4, WALK.persistence_s[0], WALK.speed[0] * 100, WALK.noise[0] * 100
    cells = (np.arange(20_000) + 0.5) / 20_000 * dt
    kick = np.stack([tau * (1 - np.exp(-(dt - cells) / tau)), np.exp(-(dt - cells) / tau)])
    added = 2 * speed**2 / tau * (kick @ kick.T) * dt / 20_000
    move = np.array([[1, tau * (1 - np.exp(-dt / tau))], [0, np.exp(-dt / tau)]])
    covariance = move @ np.diag([noise**2, speed**2]) @ move.T + added
    gain = covariance[:, 0] / (covariance[0, 0] + noise**2)
    after = covariance - np.outer(gain, covariance[0])

    predicted = kalman.predict(kalman.born(kalman.measure(BOX), WALK), kalman.transition(WALK, dt))
    corrected = kalman.correct(
        predicted, kalman.measure(BOX + 10 * RIGHT), kalman.noise_variance(predicted.position, WALK)
    )
    assert predicted.var_position[0, 0] == pytest.approx(covariance[0, 0], rel=1e-6)
    assert predicted.covariance[0, 0] == pytest.approx(covariance[0, 1], rel=1e-6)
    assert corrected.position[0, 0] == pytest.approx(120 + 10 * gain[0], rel=1e-6)
    assert corrected.velocity[0, 0] == pytest.approx(10 * gain[1], rel=1e-6)
    assert corrected.var_position[0, 0] == pytest.approx(after[0, 0], rel=1e-6)
    assert corrected.covariance[0, 0] == pytest.approx(after[0, 1], rel=1e-6)
    assert corrected.var_velocity[0, 0] == pytest.approx(after[1, 1], rel=1e-6)


def test_the_distance_is_mahalanobis_distance() -> None:
    state = kalman.born(kalman.measure(np.concatenate([BOX, BOX + 50])), WALK)
    measured = kalman.measure(BOX + 6 * RIGHT)
    squared, volume = kalman.distances(state, measured, kalman.noise_variance(state.position, WALK))
    assert squared[0, 0] == pytest.approx(6**2 / (2 * 6**2))
    assert squared.shape == (2, 1)
    np.testing.assert_allclose(volume, 4 * np.log(2))


def test_smoothing_back_is_least_squares_over_all_boxes() -> None:
    """Rauch, Tung & Striebel's answer is the mean of the joint Gaussian of all positions, given all boxes."""
    dt, count = 0.2, 6
    rng = np.random.default_rng(1)
    measured = kalman.measure(np.repeat(BOX, count, axis=0))
    measured[:, 0] += rng.normal(0, 8, count)
    step = kalman.transition(WALK, dt)
    filtered, predicted = [kalman.born(measured[:1], WALK)], []
    for row in measured[1:, None, :]:
        predicted.append(kalman.predict(filtered[-1], step))
        noise = kalman.noise_variance(predicted[-1].position, WALK)
        filtered.append(kalman.correct(predicted[-1], row, noise))
    smoothed = [filtered[-1]]
    for before, ahead in zip(reversed(filtered[:-1]), reversed(predicted), strict=True):
        smoothed.append(kalman.smoothed_back(before, ahead, step, smoothed[-1]))

    speed, noise, tau = WALK.speed[0] * 100, WALK.noise[0] * 100, WALK.persistence_s[0]
    times = np.arange(count) * dt
    # the walk's positions relative to the first, as a Gaussian process: the integral of the velocity's exp(−|s−t|/τ)
    a, b = np.meshgrid(times, times, indexing="ij")
    low = np.minimum(a, b)
    walk = speed**2 * (
        2 * tau * low - tau**2 * (1 - np.exp(-a / tau) - np.exp(-b / tau) + np.exp(-np.abs(a - b) / tau))
    )
    prior = walk + noise**2  # the first position is known to the noise of its box
    precise = prior[:, 1:] @ np.linalg.inv(prior[1:, 1:] + noise**2 * np.eye(count - 1))
    expected = measured[0, 0] + precise @ (measured[1:, 0] - measured[0, 0])
    # exact but for the height, which scales the noise and moves a little
    np.testing.assert_allclose([state.position[0, 0] for state in reversed(smoothed)], expected, rtol=2e-3)
