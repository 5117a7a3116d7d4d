"""The distance ansatz in units of its own sigma: r = sigma t, mu = sigma z."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from scipy.special import erfcx, log_ndtr, ndtr

from .multiorder import Floats

FAR = 9.0
"""Above this z the Gaussian is not cut at zero: what is lost is below 1e-16."""

STEEPEST = -100.0
"""Below this z the shape is that of a Gamma distribution within a few parts in ten thousand."""

_CUT = -2.0
"""Below this z the recurrence upwards cancels, and continued fractions are used."""


def standard(z: Floats) -> tuple[Floats, Floats, Floats]:
    """Return mean, variance and third central moment of t, with density t^2 phi(t - z), t >= 0.

    With Jn(z), the integral of t^n phi(t - z) over t > 0, the moments are J(n + 2) / J2. They
    obey J(n) = z J(n-1) + (n-1) J(n-2) (Abramowitz & Stegun 7.2.5), which for falling z
    cancels; there, J(n) / J(n-1) = n / (J(n+1) / J(n) - z) is a continued fraction. The third
    central moment is also the derivative of the variance by z, and that the one of the mean.
    """
    mean, variance, third = np.empty_like(z), np.empty_like(z), np.empty_like(z)
    far = z > FAR
    if far.any():
        # Even the cube of a square has to be a number; beyond, nothing changes.
        x = np.minimum(z[far], 1e50)
        square = x * x + 1
        mean[far] = z[far] + 2 * x / square
        variance[far] = (x**4 + 3) / square**2
        third[far] = 4 * x * (x * x - 3) / square**3
    near = ~far
    if near.any():
        first, second, next_ = ratios(z[near], 3, 5)
        mean[near] = first
        variance[near] = first * (second - first)
        third[near] = first * (second * (next_ - 3 * first) + 2 * first * first)
    return mean, variance, third


def ratios(z: Floats, low: int, high: int) -> list[Floats]:
    """Return J(n) / J(n-1) for n from `low` to `high`, for z at most FAR."""
    found = [np.empty_like(z) for _ in range(low, high + 1)]
    up = z > _CUT
    if up.any():
        x = z[up]
        j = [ndtr(x)]
        j.append(np.exp(-0.5 * x * x) / np.sqrt(2 * np.pi) + x * j[0])
        for n in range(2, high + 1):
            j.append(x * j[n - 1] + (n - 1) * j[n - 2])
        for n in range(low, high + 1):
            found[n - low][up] = j[n] / j[n - 1]
    if not up.all():
        x = -z[~up]
        ratio = np.sqrt(x)
        for n in range(60, low - 1, -1):
            ratio = n / (x + ratio)
            if n <= high:
                found[n - low][~up] = ratio
    return found


def log_weight(z: Floats) -> Floats:
    """Return ln J2, the logarithm of the integral of t^2 phi(t - z) over t > 0."""
    weight = np.empty_like(z)
    up = z > _CUT
    x = z[up]
    weight[up] = np.log((x * x + 1) * ndtr(x) + x * np.exp(-0.5 * x * x) / np.sqrt(2 * np.pi))
    if not up.all():
        x = z[~up]
        first, second = ratios(x, 1, 2)
        weight[~up] = log_ndtr(x) + np.log(first * second)
    return weight


def log_first(z: Floats) -> Floats:
    """Return ln J1, the logarithm of the integral of t phi(t - z) over t > 0."""
    first = np.empty_like(z)
    up = z > _CUT
    x = z[up]
    first[up] = np.log(x * ndtr(x) + np.exp(-0.5 * x * x) / np.sqrt(2 * np.pi))
    if not up.all():
        x = z[~up]
        first[~up] = log_ndtr(x) + np.log(ratios(x, 1, 1)[0])
    return first


def below(t: Floats, z: Floats) -> Floats:
    """Return the probability below t >= 0, where the whole is one; z at least STEEPEST."""
    t, z = np.broadcast_arrays(t, z)
    found = np.empty(t.shape)
    steep = z < _CUT
    if steep.any():
        # What is left above t, over what is above 0, with exp(-z^2/2) taken out of both.
        u, x = t[steep], -z[steep]
        left = _scaled(u, x) / _scaled(np.zeros_like(x), x)
        found[steep] = 1 - left * np.exp(-u * (0.5 * u + x))
    if not steep.all():
        found[~steep] = between(np.zeros(1), t[~steep], z[~steep])
    return found


def between(a: Floats, b: Floats, z: Floats) -> Floats:
    """Return the probability from a to b, for 0 <= a <= b; z at least -2.

    The integral of t^2 phi(t - z) is (1 + z^2) Phi(u) - (u + 2 z) phi(u), with u = t - z.
    """
    root = 1 / np.sqrt(2 * np.pi)
    square = z * z + 1
    whole = square * ndtr(z) + root * z * np.exp(-0.5 * z * z)
    low, high = a - z, b - z
    # (u + 2 z) phi(u) is nothing where u is infinite.
    low, high = np.maximum(low, -1e100), np.minimum(high, 1e100)
    part = square * (ndtr(high) - ndtr(low)) + root * (
        (low + 2 * z) * np.exp(-0.5 * low * low) - (high + 2 * z) * np.exp(-0.5 * high * high))
    return np.asarray(np.clip(part / whole, 0, 1), np.float64)


def _scaled(t: Floats, x: Floats) -> Floats:
    """Return the integral of s^2 phi(s + x) over s > t, divided by phi(t + x)."""
    u = np.minimum(t + x, 1e100)
    scaled: Floats = (1 + x * x) * np.sqrt(np.pi / 2) * erfcx(u / np.sqrt(2)) + u - 2 * x
    return scaled


@lru_cache(1)
def table() -> tuple[Floats, Floats]:
    """Return z, rising, and the mean over the standard deviation that belongs to it."""
    z = np.linspace(-36, 12, 4097)
    mean, variance, _ = standard(z)
    return mean / np.sqrt(variance), z
