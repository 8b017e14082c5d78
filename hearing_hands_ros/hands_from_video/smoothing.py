"""Keypoints smoothed over time by a Kalman filter that runs forwards, then backwards (Rauch, Tung and Striebel 1965).

A recording has a future, so nothing lags: a touch is not later than it was.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

START_MPS = 1.0  # standard deviation of the speed of which nothing is known yet


def smoothed(time_s: Array, positions: Array, noise: float, acceleration: float) -> Array:
    """Smooth one stretch of motion.

    Every coordinate moves with a speed that random accelerations change: x' = x + v dt + a dt^2 / 2, v' = v + a dt.
    They all share one gain, so the filter runs once.

    Args:
        time_s: (N,) increasing.
        positions: (N, ...) measured.
        noise: Standard deviation of a measurement, in the unit of the positions.
        acceleration: Standard deviation of the acceleration, in that unit per s^2.

    Returns:
        As `positions`.
    """
    count = len(time_s)
    values = positions.reshape(count, -1)
    state = np.stack([values[0], np.zeros(values.shape[1])])
    covariance = np.diag([noise**2, START_MPS**2])
    ahead, ahead_covariance, kept, kept_covariance, steps = [], [], [state], [covariance], []
    for index in range(1, count):
        dt = time_s[index] - time_s[index - 1]
        step = np.array([[1.0, dt], [0.0, 1.0]])
        push = np.array([dt * dt / 2, dt]) * acceleration
        guess, guess_covariance = step @ state, step @ covariance @ step.T + np.outer(push, push)
        gain = guess_covariance[:, 0] / (guess_covariance[0, 0] + noise**2)
        state = guess + np.outer(gain, values[index] - guess[0])
        covariance = guess_covariance - np.outer(gain, guess_covariance[0])
        ahead.append(guess)
        ahead_covariance.append(guess_covariance)
        kept.append(state)
        kept_covariance.append(covariance)
        steps.append(step)
    result = np.empty_like(values)
    result[-1] = state[0]
    for index in range(count - 2, -1, -1):
        back = kept_covariance[index] @ steps[index].T @ np.linalg.inv(ahead_covariance[index])
        state = kept[index] + back @ (state - ahead[index])
        result[index] = state[0]
    return result.reshape(positions.shape)
