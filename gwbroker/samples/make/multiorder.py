"""Multi-order sky maps for the samples: made smaller, or from a formula, and written as FITS."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import healpy as hp
import numpy as np
import numpy.typing as npt
from astropy.io import fits

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Cells:
    """Cells of a sky map, in no particular order.

    Parameters
    ----------
    uniq : int64, shape (N,)
        Cell numbers, 4^(level + 1) + ipix.
    prob : float64, shape (N,)
        Probability of each cell.
    mean, std : float64, shape (N,)
        Mean and standard deviation of the distance in each cell, Mpc; NaN where unknown.
    """

    uniq: Ints
    prob: Floats
    mean: Floats
    std: Floats

    @property
    def level(self) -> Ints:
        """HEALPix level of each cell."""
        # UNIQ is below 2^53 in these maps, so the floating-point logarithm is exact enough.
        return (np.floor(np.log2(self.uniq)).astype(np.int64) - 2) // 2

    @property
    def area(self) -> Floats:
        """Area of each cell, sr."""
        return np.ldexp(np.pi / 3, -2 * self.level)


def from_density(
    level: int, density: Callable[[Floats, Floats], Floats], distance: tuple[float, float]
) -> Cells:
    """Return a map of cells of one level from a density on the sky.

    Parameters
    ----------
    level : int
        HEALPix level.
    density : callable
        Relative density at right ascensions and declinations in degrees.
    distance : (float, float)
        Mean and standard deviation of the distance, Mpc, the same in every direction.
    """
    nside = 2**level
    ipix = np.arange(hp.nside2npix(nside))
    prob = density(*hp.pix2ang(nside, ipix, nest=True, lonlat=True))
    mean, std = (np.full(len(ipix), value) for value in distance)
    return Cells(ipix + 4 * nside**2, prob / prob.sum(), mean, std)


def prune(cells: Cells, most: int) -> Cells:
    """Return the map with at most about so many cells: where it matters least, four become one.

    Parameters
    ----------
    cells : Cells
        The map.
    most : int
        The number of cells to come down to; at most two more are left.

    Notes
    -----
    Distances of the four are joined by their moments about zero, weighted by probability.
    """
    while (excess := len(cells.uniq) - most) > 2:
        parents, first, count = np.unique(
            cells.uniq >> 2, return_inverse=True, return_counts=True
        )
        mass = np.bincount(first, cells.prob)
        # A parent below 4 would be larger than a base pixel.
        whole = np.flatnonzero((count == 4) & (parents >= 4))
        # A few at a time, because a parent may soon be one of four itself.
        chosen = whole[np.argsort(mass[whole], kind="stable")][: max(1, min(excess // 3, 200))]
        merged = np.isin(first, chosen)
        known = merged & np.isfinite(cells.mean)
        index, size = first[known], len(parents)
        weight = np.bincount(index, cells.prob[known], size)[chosen]
        one = np.bincount(index, (cells.prob * cells.mean)[known], size)[chosen]
        two = np.bincount(
            index, (cells.prob * (cells.mean**2 + cells.std**2))[known], size
        )[chosen]
        with np.errstate(invalid="ignore", divide="ignore"):
            mean = one / weight
            std = np.sqrt(two / weight - mean**2)
        cells = Cells(
            np.concatenate([cells.uniq[~merged], parents[chosen]]),
            np.concatenate([cells.prob[~merged], mass[chosen]]),
            np.concatenate([cells.mean[~merged], mean]),
            np.concatenate([cells.std[~merged], std]),
        )
    return cells


def to_fits(cells: Cells, header: Mapping[str, str | float]) -> bytes:
    """Return the map as a FITS file in the columns of `igwn.gwalert`, in single precision.

    Parameters
    ----------
    cells : Cells
        The map.
    header : mapping
        Further header cards; the distance over the whole sky is added.

    Notes
    -----
    The distance columns are the ansatz of Singer et al. (2016), ApJL 829, L15.
    """
    from ligo.skymap.distance import moments_to_parameters

    order = np.argsort(cells.uniq)
    prob, mean, std = cells.prob[order], cells.mean[order], cells.std[order]
    known = np.isfinite(mean) & np.isfinite(std) & (std > 0)
    # What BAYESTAR itself writes where a cell has no distance: infinity, 1, 0.
    mu, sigma, norm = np.full(len(mean), np.inf), np.ones(len(mean)), np.zeros(len(mean))
    mu[known], sigma[known], norm[known] = moments_to_parameters(mean[known], std[known])
    weight = prob[known] / prob[known].sum()
    distance = float(weight @ mean[known])
    spread = float(np.sqrt(weight @ (mean[known] ** 2 + std[known] ** 2) - distance**2))
    table = fits.BinTableHDU.from_columns(
        [
            fits.Column("UNIQ", "K", array=cells.uniq[order]),
            fits.Column("PROBDENSITY", "E", unit="sr-1", array=prob / cells.area[order]),
            fits.Column("DISTMU", "E", unit="Mpc", array=mu),
            fits.Column("DISTSIGMA", "E", unit="Mpc", array=sigma),
            fits.Column("DISTNORM", "E", unit="Mpc-2", array=norm),
        ]
    )
    cards: dict[str, str | float | bool] = {
        "PIXTYPE": "HEALPIX", "ORDERING": "NUNIQ", "COORDSYS": "C", "MOC": True,
        "MOCORDER": int(cells.level.max()), "INDXSCHM": "EXPLICIT", **header,
        # Rounded, so that the last digits of a sum do not change the file.
        "DISTMEAN": round(distance, 3), "DISTSTD": round(spread, 3),
    }
    table.header.update(cards)
    buffer = io.BytesIO()
    fits.HDUList([fits.PrimaryHDU(), table]).writeto(buffer)
    return buffer.getvalue()
