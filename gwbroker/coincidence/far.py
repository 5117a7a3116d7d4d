"""Joint false-alarm rates: how often chance alone brings two events together."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ..errors import CoincidenceError

GREATEST = 0.1
"""A false-alarm rate above this, Hz, is taken for one in another unit."""

DAY = 86400.0
"""Seconds of a day."""

YEAR = 365 * DAY
"""Seconds of the year in which GWCelery and ligo-raven count their rates."""


def untargeted(far: float, rate: float, window: Sequence[float]) -> float:
    """Return the joint false-alarm rate of a search among all events of a kind.

    Chance alone brings an event with a false-alarm rate up to `far` and any event of the other
    kind within the window at the rate (upper - lower) rate far (Ashton et al. 2018, ApJ 860, 6;
    Piotrzkowski et al. 2022, the RAVEN pipeline).

    Parameters
    ----------
    far : float
        False-alarm rate of the event whose significance is known, Hz.
    rate : float
        How often events of the other kind occur, Hz: all of them, not only false ones.
    window : (float, float)
        Bounds of the time between them, s.

    Returns
    -------
    float
        Hz.

    Raises
    ------
    CoincidenceError
        Naming the number that cannot be one.
    """
    return duration(window) * check_rate("rate", rate) * check_far("far", far)


def targeted(
    far_first: float, far_second: float, window: Sequence[float],
    far_first_max: float, far_second_max: float,
) -> float:
    """Return the joint false-alarm rate of a targeted search among candidates of both kinds.

    With z = (upper - lower) far_first far_second and z_max the same of the largest rates that
    the search admits, F = z (1 - ln(z / z_max)). False candidates are uniform in their
    false-alarm rate, so that pairs with a product up to z occur this often: it is the
    distribution of a product of two uniform numbers, times the rate z_max of all pairs.

    Parameters
    ----------
    far_first, far_second : float
        False-alarm rates of both candidates, Hz; if one is 0, so is the result.
    window : (float, float)
        Bounds of the time between them, s.
    far_first_max, far_second_max : float
        The largest that the search admits, Hz.

    Returns
    -------
    float
        Hz.

    Raises
    ------
    CoincidenceError
        If a rate is none, or above the largest: the formula is not for such candidates.
    """
    seconds = duration(window)
    logarithm, z = 0.0, seconds
    for name, far, most in (("far_first", far_first, far_first_max),
                            ("far_second", far_second, far_second_max)):
        check_far(name, far)
        if check_far(f"{name}_max", most) == 0:
            raise CoincidenceError(f"{name}_max", "is 0: the search admits nothing")
        if far > most:
            raise CoincidenceError(
                name, f"{far:g} Hz is above {most:g} Hz, the largest that this search admits;"
                " without it, ask for the untargeted rate")
        if far == 0:
            return 0.0
        # The logarithm of a ratio, because a product of two tiny rates would be 0.
        logarithm += math.log(far / most)
        z *= far
    return z * (1 - logarithm)


def spatial(far: float, overlap: float | None) -> float:
    """Return the joint false-alarm rate with the positions taken into account, far / overlap.

    The overlap integral is the odds that both come from one position; over random positions
    its mean is 1, so that dividing by it keeps a false-alarm rate one.

    Parameters
    ----------
    far : float
        Joint false-alarm rate from the times, Hz.
    overlap : float, optional
        Of `gwbroker.skymap.overlap.overlap`; None if a map is missing, which changes nothing.

    Returns
    -------
    float
        Hz; infinite if the overlap is 0, because the positions exclude each other.

    Raises
    ------
    CoincidenceError
        If the overlap is negative or not finite.
    """
    if overlap is None:
        return far
    overlap = _number("overlap", overlap)
    if not (math.isfinite(overlap) and overlap >= 0):
        raise CoincidenceError("overlap", f"{overlap:g} is not a finite number from 0 up")
    return far / overlap if overlap > 0 else math.inf


def duration(window: Sequence[float]) -> float:
    """Return how long a window is, s; refuse one that is not from lower to upper."""
    try:
        lower, upper = (float(bound) for bound in window)
    except (TypeError, ValueError):
        raise CoincidenceError("window", f"{window!r} is not two numbers of seconds") from None
    if not (math.isfinite(lower) and math.isfinite(upper) and lower < upper):
        raise CoincidenceError(
            "window", f"[{lower:g}, {upper:g}] s does not go from a lower to an upper bound")
    return upper - lower


def check_far(name: str, value: float) -> float:
    """Return a false-alarm rate in Hz; refuse what is none, or one per year given as Hz."""
    number = check_rate(name, value)
    if number > GREATEST:
        raise CoincidenceError(
            name, f"{number:g} Hz is more than one false alarm in {1 / GREATEST:g} s; rates are"
            f" in Hz: divide one per year by {YEAR:,.0f}")
    return number


def check_rate(name: str, value: float) -> float:
    """Return a rate in Hz; refuse what is negative or not finite."""
    number = _number(name, value)
    if not (math.isfinite(number) and number >= 0):
        raise CoincidenceError(name, f"{number:g} Hz is not a finite rate from 0 up")
    return number


def _number(name: str, value: float) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        raise CoincidenceError(name, f"{value!r} is not a number") from None
