"""SkyMap: the probability of a position on the sky, in HEALPix cells of several sizes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import healpy as hp
import numpy as np
import numpy.typing as npt

from ..errors import SkyMapError
from .bounds import check_sphere

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

DEEPEST = 29
"""The deepest HEALPix level whose cell numbers fit into 64 bits."""

SQUARE_DEGREE = (180.0 / np.pi) ** 2
"""Square degrees in one steradian."""

TOLERANCE = 1e-2
"""A total further than this from one is refused; a nearer one is renormalised."""

EXACT = 1e-9
"""A total nearer than this to one is left as it is, so that writing and reading change nothing."""

STEEP = -10.0
"""Below this ratio of DISTMU to DISTSIGMA an infinite DISTNORM may be rounded, not wrong."""

_FIRST_UNIQ: Ints = 4 ** np.arange(1, DEEPEST + 3, dtype=np.int64)
_AREA: Floats = np.ldexp(np.pi / 3, -2 * np.arange(DEEPEST + 1))
_DISTANCES = ("distmu", "distsigma", "distnorm")


@dataclass(frozen=True, eq=False)
class SkyMap:
    """A probability map of the whole sky in HEALPix cells of several sizes.

    Cells are numbered by UNIQ = 4^(level + 1) + ipix (NESTED), as in the IVOA MOC standard
    (Fernique et al. 2022, version 2.0, section 4.3.1), with NSIDE = 2^level.

    Parameters
    ----------
    uniq : int64, shape (N,)
        Cell numbers, in the order of their place at level 29 (`validate` sorts them).
    probdensity : float64, shape (N,)
        Probability per steradian.
    distmu, distsigma, distnorm : float64, shape (N,), optional
        Distance ansatz of Singer et al. (2016), ApJL 829, L15: Mpc, Mpc, Mpc^-2.
    meta : mapping, optional
        What else is known, by FITS keyword, as ``OBJECT`` or ``DATE-OBS``.
    history : tuple of str, optional
        Where the map came from and what was done to it, a line each: notice, inputs, versions.
    """

    uniq: Ints
    probdensity: Floats
    distmu: Floats | None = None
    distsigma: Floats | None = None
    distnorm: Floats | None = None
    meta: Mapping[str, object] = field(default_factory=dict)
    history: tuple[str, ...] = ()

    @cached_property
    def level(self) -> Ints:
        """HEALPix level of each cell."""
        return np.searchsorted(_FIRST_UNIQ, self.uniq, side="right").astype(np.int64) - 1

    @cached_property
    def ipix(self) -> Ints:
        """NESTED number of each cell within its level."""
        return self.uniq - _FIRST_UNIQ[self.level]

    @cached_property
    def start(self) -> Ints:
        """NESTED number, at level 29, of the first pixel of each cell."""
        return self.ipix << (2 * (DEEPEST - self.level))

    @cached_property
    def area(self) -> Floats:
        """Area of each cell, sr."""
        return _AREA[self.level]

    @cached_property
    def prob(self) -> Floats:
        """Probability of each cell."""
        return self.probdensity * self.area

    @property
    def columns(self) -> dict[str, npt.NDArray[Any]]:
        """The columns that the map has, by name."""
        present = {c: v for c in _DISTANCES if (v := getattr(self, c)) is not None}
        return {"uniq": self.uniq, "probdensity": self.probdensity, **present}

    @property
    def cells(self) -> int:
        """The number of cells."""
        return len(self.uniq)

    @property
    def max_level(self) -> int:
        """The deepest level in use."""
        return int(self.level.max())

    @property
    def has_distance(self) -> bool:
        """Whether the map has distances."""
        return self.distmu is not None

    @cached_property
    def vectors(self) -> Floats:
        """Unit vectors of the centres of the cells, shape (N, 3)."""
        return centres(self.level, self.ipix)

    def find(self, ra: npt.ArrayLike, dec: npt.ArrayLike) -> Ints:
        """Return the index of the cell at each position (degrees).

        Raises
        ------
        SkyMapError
            If a position is not on the sphere.
        """
        ra, dec = check_sphere(ra, dec)
        return self._find(hp.ang2pix(2**DEEPEST, ra, dec, nest=True, lonlat=True))

    def find_vectors(self, vectors: Floats) -> Ints:
        """Return the index of the cell at each unit vector, shape (..., 3)."""
        x, y, z = np.moveaxis(vectors, -1, 0)
        return self._find(hp.vec2pix(2**DEEPEST, x, y, z, nest=True))

    def _find(self, pixel: npt.ArrayLike) -> Ints:
        return np.asarray(np.searchsorted(self.start, pixel, side="right") - 1, np.int64)

    def validate(self, name: str = "sky map", column: str = "PROBDENSITY") -> SkyMap:
        """Return the map with its cells in order, checked, and its total made one.

        A total within 0.01 of one is renormalised (rounded columns, 32-bit maps); further
        away the map is refused, because nobody knows what was meant. A DISTMU that is infinite
        or not a number is allowed: of such a cell's distance nothing is known.

        Parameters
        ----------
        name : str
            The file or notice, for error messages.
        column : str
            What the file calls the probability.

        Raises
        ------
        SkyMapError
            If a cell number, density or distance is impossible, as an infinite DISTSIGMA or
            DISTNORM with a finite DISTMU, a part of the sky is covered twice or never, or the
            total is not one. It names file, column and value.
        """
        columns = self.columns
        check_columns(name, columns)
        ordered = replace(self, **_in_order(name, columns))
        _check_coverage(name, ordered)
        cells = ordered.uniq
        _check_distances(name, ordered)
        density = ordered.probdensity
        finite = np.isfinite(density)
        _refuse(name, column, ~finite, density, "is not a finite number", cells)
        _refuse(name, column, density < 0, density, "is negative", cells)
        with np.errstate(over="ignore"):  # An infinite total is refused as well.
            total = float(ordered.prob.sum())
        if not abs(total - 1) <= TOLERANCE:
            raise SkyMapError(name, f"the map sums to {total:.6g} instead of 1", column)
        return ordered if abs(total - 1) <= EXACT else replace(
            ordered, probdensity=_frozen(density / total)
        )


def centres(level: Ints, ipix: Ints) -> Floats:
    """Return the unit vectors of the centres of cells, shape (N, 3)."""
    vectors: Floats = np.stack(hp.pix2vec(np.int64(1) << level, ipix, nest=True), axis=-1)
    return vectors


def uniq_of(level: Ints | int, ipix: Ints) -> Ints:
    """Return the UNIQ numbers of cells."""
    uniq: Ints = _FIRST_UNIQ[level] + ipix
    return uniq


def check_columns(name: str, columns: Mapping[str, npt.NDArray[Any]]) -> None:
    """Refuse an empty table, columns of different lengths and an incomplete set of distances.

    Raises
    ------
    SkyMapError
        Naming the column.
    """
    size = len(columns["uniq"])
    if size == 0:
        raise SkyMapError(name, "the table has no rows", "UNIQ")
    for column, values in columns.items():
        if values.shape != (size,):
            raise SkyMapError(
                name, f"has shape {values.shape} instead of ({size},)", column.upper()
            )
    present = [c for c in _DISTANCES if c in columns]
    if present and len(present) < len(_DISTANCES):
        absent = next(c for c in _DISTANCES if c not in columns)
        raise SkyMapError(
            name, f"is missing, though {present[0].upper()} is there", absent.upper()
        )


def _in_order(name: str, columns: Mapping[str, npt.NDArray[Any]]) -> dict[str, Any]:
    uniq = columns["uniq"]
    _refuse(name, "UNIQ", uniq < 4, uniq, "is not a cell number, the least is 4")
    _refuse(
        name, "UNIQ", uniq >= 4 ** (DEEPEST + 2), uniq, f"lies deeper than level {DEEPEST}"
    )
    start = SkyMap(uniq, columns["probdensity"]).start
    if (start[1:] > start[:-1]).all():
        return {c: _frozen(v.copy()) for c, v in columns.items()}
    order = np.argsort(start, kind="stable")
    return {c: _frozen(v[order]) for c, v in columns.items()}


def _frozen(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    values = np.ascontiguousarray(values)
    values.flags.writeable = False
    return values


def _check_coverage(name: str, skymap: SkyMap) -> None:
    """Refuse a map that covers a part of the sky twice or never."""
    size = np.int64(1) << (2 * (DEEPEST - skymap.level))
    end = skymap.start + size
    before = np.concatenate([[np.int64(0)], end[:-1]])
    twice = skymap.start < before
    if twice.any():
        row = int(np.argmax(twice))
        raise SkyMapError(
            name, f"cell {skymap.uniq[row]} overlaps cell {skymap.uniq[row - 1]}", "UNIQ"
        )
    gap = skymap.start > before
    missing = float((skymap.start - before)[gap].sum()) + float(12 * 4**DEEPEST - int(end[-1]))
    if missing:
        cell = int(skymap.uniq[np.argmax(gap)] if gap.any() else skymap.uniq[-1])
        where = "before" if gap.any() else "after"
        fraction = missing / (12 * 4**DEEPEST)
        raise SkyMapError(
            name, f"cells are missing {where} {cell}: {fraction:.3g} of the sky", "UNIQ"
        )


def _check_distances(name: str, skymap: SkyMap) -> None:
    """Refuse scales of distance that are negative, or infinite where the distance is not."""
    mu, sigma, norm, cells = skymap.distmu, skymap.distsigma, skymap.distnorm, skymap.uniq
    if mu is None or sigma is None or norm is None:
        return
    _refuse(name, "DISTSIGMA", sigma < 0, sigma, "is negative", cells)
    _refuse(name, "DISTNORM", norm < 0, norm, "is negative", cells)
    finite = np.isfinite(mu)
    _refuse(name, "DISTSIGMA", finite & np.isinf(sigma), sigma, "is infinite, though DISTMU is not",
            cells)
    # Where mu is far below zero the right norm does not fit into a number, least of 32 bits.
    steep = mu < STEEP * sigma
    _refuse(name, "DISTNORM", finite & np.isinf(norm) & ~steep, norm,
            "is infinite, though DISTMU is not", cells)


def _refuse(
    name: str,
    column: str,
    bad: npt.NDArray[np.bool_],
    values: npt.NDArray[Any],
    problem: str,
    cells: Ints | None = None,
) -> None:
    if bad.any():
        row = int(np.argmax(bad))
        where = f"row {row}" if cells is None else f"cell {cells[row]}"
        more = f", and {n} more" if (n := int(bad.sum()) - 1) else ""
        raise SkyMapError(name, f"{values[row]} in {where} {problem}{more}", column)
