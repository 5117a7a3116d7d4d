"""Sky maps of posterior samples, by a clustered kernel density estimate."""

from __future__ import annotations

import contextlib
import io
import warnings
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import SkyMapError
from . import ligo
from .multiorder import Floats, SkyMap

MAXPTS = 5000
"""Most samples that are used, unless the caller says otherwise; more take longer."""

SEED = 150914
"""Seed of the choice of samples and of the clustering, unless the caller says otherwise."""

LEAST = 100
"""Fewest samples that make a map."""

CLUSTERS = 40
"""Most clusters that are tried; fewer where there are less than ten samples in each."""

TRIALS = 5
"""How often each number of clusters is tried."""

EXTRA = "ligo.skymap is not installed: python -m pip install 'gwbroker[bayestar]'"


def from_samples(
    ra: npt.ArrayLike,
    dec: npt.ArrayLike,
    distance: npt.ArrayLike | None = None,
    *,
    maxpts: int = MAXPTS,
    seed: int = SEED,
    clusters: int = CLUSTERS,
    trials: int = TRIALS,
    threads: int = 1,
    name: str = "samples",
) -> SkyMap:
    """Return the map of posterior samples, with distances if the samples have them.

    The samples are clustered by k-means, the number of clusters chosen by the Bayesian
    information criterion; each cluster is a Gaussian kernel density estimate, sampled in cells
    that are divided where it is dense (Singer et al. 2016, ApJL 829, L15; it is ligo.skymap's
    ``Clustered2DSkyKDE`` and ``Clustered2Plus1DSkyKDE`` that compute). The same samples and
    seed give the same map, whatever the number of threads is.

    Parameters
    ----------
    ra, dec : array_like, shape (N,)
        Degrees.
    distance : array_like, shape (N,), optional
        Luminosity distance, Mpc.
    maxpts : int
        Most samples to use; of more, so many are drawn at random.
    seed : int
        Of everything that is random.
    clusters : int
        Most clusters to try, at least 10: its coordinates have a seam, and what lies across it
        has to be two clusters.
    trials : int
        How often each number of clusters is tried.
    threads : int
        How many.
    name : str
        What to call the samples in error messages, as their file.

    Raises
    ------
    SkyMapError
        If ligo.skymap is not installed, or samples are impossible, naming column and row.
    """
    points = _points(name, ra, dec, distance)
    for option, value, low in (("maxpts", maxpts, LEAST), ("seed", seed, 0),
                             ("clusters", clusters, 10), ("trials", trials, 1),
                             ("threads", threads, 1)):
        if not low <= value < 2**31:
            raise SkyMapError(option, f"{value} is not from {low} on")
    kde, context = _ligo_skymap()
    # Its bars of progress are not for a job's log.
    with (context(seed), warnings.catch_warnings(),
          contextlib.redirect_stderr(io.StringIO())):
        warnings.simplefilter("ignore")
        if len(points) > maxpts:
            points = points[np.random.choice(len(points), maxpts, replace=False)]
        most = min(clusters, len(points) // 10)
        cls = kde.Clustered2DSkyKDE if distance is None else kde.Clustered2Plus1DSkyKDE
        try:
            found = cls(points, max_k=most, trials=trials, jobs=threads)
            table = found.as_healpix()
        except (ValueError, np.linalg.LinAlgError) as e:
            # All at one place, or on one line: no kernel has a width there.
            raise SkyMapError(name, f"the samples are too much alike for a map: {e}") from e
    return _skymap(table, name)


def _points(
    name: str, ra: npt.ArrayLike, dec: npt.ArrayLike, distance: npt.ArrayLike | None,
) -> Floats:
    """Return samples in radians and Mpc, shape (N, 2) or (N, 3), all possible."""
    columns = {"ra": ra, "dec": dec}
    if distance is not None:
        columns["distance"] = distance
    made = {column: _numbers(name, column, values) for column, values in columns.items()}
    sizes = {column: len(values) for column, values in made.items()}
    if len(set(sizes.values())) > 1:
        raise SkyMapError(name, f"has columns of different lengths: {sizes}")
    if sizes["ra"] < LEAST:
        raise SkyMapError(name, f"there are {sizes['ra']} samples, fewer than {LEAST}")
    limits = {"ra": (-360.0, 360.0), "dec": (-90.0, 90.0), "distance": (0.0, np.inf)}
    for column, values in made.items():
        low, high = limits[column]
        bad = ~(np.isfinite(values) & (values >= low) & (values <= high))
        if column == "distance":
            bad |= values == 0
        if bad.any():
            row = int(np.argmax(bad))
            wanted = "a positive number" if column == "distance" else f"from {low:g} to {high:g}"
            raise SkyMapError(name, f"{values[row]:g} in row {row} is not {wanted}", column)
    angles = [np.radians(made["ra"] % 360), np.radians(made["dec"])]
    return np.column_stack([*angles, *([made["distance"]] if distance is not None else [])])


def _numbers(name: str, column: str, values: npt.ArrayLike) -> Floats:
    try:
        made = np.asarray(values, np.float64)
    except (TypeError, ValueError):
        raise SkyMapError(name, "does not hold numbers", column) from None
    if made.ndim != 1:
        raise SkyMapError(name, f"has shape {made.shape}, not one value a row", column)
    return made


def _skymap(table: Any, name: str) -> SkyMap:
    columns: dict[str, Any] = {
        column.lower(): np.asarray(table[column], np.float64)
        for column in ("PROBDENSITY", "DISTMU", "DISTSIGMA", "DISTNORM")
        if column in table.colnames}
    uniq = np.asarray(table["UNIQ"], np.int64)
    total = float((SkyMap(uniq, columns["probdensity"]).area * columns["probdensity"]).sum())
    columns["probdensity"] /= total
    meta = {"VCSVERS": ligo.version()}
    return SkyMap(uniq, **columns, meta=meta).validate(name)


def _ligo_skymap() -> tuple[Any, Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            from astropy.utils.misc import NumpyRNGContext
            from ligo.skymap import kde
        except ImportError as e:
            raise SkyMapError("samples", EXTRA) from e
    return kde, NumpyRNGContext
