"""Cosmology: luminosity distances of redshifts, from a table of astropy's Planck18."""

from __future__ import annotations

from functools import cache

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

NAME = "Planck18"
"""Planck Collaboration 2020, A&A 641, A6, table 2, as astropy has it."""

LARGEST = 20.0
"""Largest redshift that is believed."""

_POINTS = 4001


@cache
def _table() -> tuple[Floats, Floats]:
    """Return a grid in ln(1 + z) and the comoving distances there, Mpc."""
    from astropy.cosmology import Planck18

    grid = np.linspace(0.0, np.log1p(LARGEST), _POINTS)
    return grid, np.asarray(Planck18.comoving_distance(np.expm1(grid)).value, np.float64)


@cache
def _spline() -> object:
    from scipy.interpolate import CubicSpline

    return CubicSpline(*_table())


def luminosity_distance(redshift: npt.ArrayLike) -> Floats:
    """Return luminosity distances, Mpc; NaN where the redshift is not in (0, 20].

    A cubic spline of the comoving distance in ln(1 + z), times (1 + z) because Planck18 is
    flat; it follows astropy to 1e-7.

    Parameters
    ----------
    redshift : array_like
        Redshifts.
    """
    z = np.asarray(redshift, np.float64)
    good = (z > 0) & (z <= LARGEST)
    x = np.log1p(np.where(good, z, 1.0))
    spline = _spline()
    assert callable(spline)
    return np.asarray(np.where(good, np.exp(x) * spline(x), np.nan), np.float64)


def distance_error(redshift: npt.ArrayLike, error: npt.ArrayLike) -> Floats:
    """Return the standard deviation of luminosity distances, Mpc, to first order.

    Parameters
    ----------
    redshift, error : array_like
        Redshifts and their standard deviations.
    """
    z, e = np.asarray(redshift, np.float64), np.asarray(error, np.float64)
    step = 1e-4 * (1 + np.abs(z))
    low = np.maximum(z - step, z / 2)
    slope = (luminosity_distance(z + step) - luminosity_distance(low)) / (z + step - low)
    return np.asarray(slope * np.where(e >= 0, e, np.nan), np.float64)
