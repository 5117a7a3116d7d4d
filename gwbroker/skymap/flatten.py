"""Flat maps made of multi-order ones: all pixels of one size, as older tools need them."""

from __future__ import annotations

import gzip
import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any, BinaryIO, Literal, cast

import healpy as hp
import numpy as np
import numpy.typing as npt
from astropy.io import fits

from ..errors import SkyMapError
from . import distances, header
from .atomic import whole
from .fits import DISTANCES
from .multiorder import DEEPEST, Floats, Ints, SkyMap

LIMIT = 4 * 2**30
"""Most bytes that the columns of a flat map may take, unless told otherwise."""

_CHUNK = 2**18
_BLOCK = 2880
# Bytes of which FITS files are multiples (FITS standard 4.0, section 3.1).


@dataclass(frozen=True, eq=False)
class Flat:
    """A map in HEALPix pixels of one size, in NESTED order.

    Parameters
    ----------
    nside : int
        HEALPix NSIDE; there are N = 12 nside^2 pixels.
    prob : float64, shape (N,)
        Probability of each pixel.
    distmu, distsigma, distnorm : float64, shape (N,), optional
        Distance ansatz, see `SkyMap`; inf, 1 and 0 where nothing is known.
    meta : mapping, optional
        What else is known, by FITS keyword.
    history : tuple of str, optional
        Where the map came from.
    """

    nside: int
    prob: Floats
    distmu: Floats | None = None
    distsigma: Floats | None = None
    distnorm: Floats | None = None
    meta: Mapping[str, object] = field(default_factory=dict)
    history: tuple[str, ...] = ()

    @property
    def columns(self) -> dict[str, Floats]:
        """The columns that the map has, by name."""
        present = {c: v for c in DISTANCES if (v := getattr(self, c)) is not None}
        return {"prob": self.prob, **present}


def flatten(skymap: SkyMap, nside: int | None = None, limit: int = LIMIT) -> Flat:
    """Return a map in pixels of one size.

    The probability of a pixel is the sum of its cells, or its share of a larger cell, so that
    none is lost. Where a pixel holds several cells, its distance is the ansatz with mean and
    variance of their mixture, weighted by probability (Singer et al. 2016, ApJS 226, 10,
    section 5); cells of whose distance nothing is known are left out of that.

    Parameters
    ----------
    skymap : SkyMap
        The map, validated.
    nside : int, optional
        HEALPix NSIDE, a power of two; by default that of the smallest cells.
    limit : int
        Most bytes that the result may take.

    Raises
    ------
    SkyMapError
        If `nside` is impossible, or the result would be larger than `limit`.
    """
    level = _level(skymap, nside, limit)
    deep = skymap.level > level
    shift = 2 * (DEEPEST - level)
    pixel = skymap.start >> shift
    first = np.flatnonzero(np.concatenate([[True], pixel[1:] != pixel[:-1]]))
    # How many pixels each group of cells covers: one, or those of a large cell.
    span = np.int64(1) << 2 * np.maximum(level - skymap.level[first], 0)
    prob = np.add.reduceat(skymap.prob, first) / span
    columns = {"prob": prob}
    if skymap.distmu is not None and skymap.distsigma is not None:
        layers = {c: cast(Floats, getattr(skymap, c))[first] for c in DISTANCES}
        several = np.flatnonzero(deep[first])
        if len(several):
            _marginalise(skymap, first, several, layers)
        columns |= layers
    alike = bool((span == 1).all())
    spread = {c: v if alike else np.repeat(v, span) for c, v in columns.items()}
    return Flat(1 << level, **spread, meta=skymap.meta, history=skymap.history)


def _level(skymap: SkyMap, nside: int | None, limit: int) -> int:
    """Return the level of the pixels, which exist and fit into memory."""
    if nside is None:
        level = skymap.max_level
    else:
        if isinstance(nside, bool) or not isinstance(nside, (int, np.integer)) or nside < 1 \
                or int(nside).bit_count() != 1 or nside > 1 << DEEPEST:
            raise SkyMapError("nside", f"{nside} is not a power of two from 1 to 2^{DEEPEST}")
        level = int(nside).bit_length() - 1
    layers = len(skymap.columns) - 1
    needed = 12 * 4**level * 8 * layers
    if needed > limit:
        fits_in = (max(limit // (96 * layers), 1).bit_length() - 1) // 2
        raise SkyMapError(
            "nside", f"{1 << level} needs {needed / 2**30:,.3g} GiB for {layers} "
            f"column{'s' * (layers > 1)}, more than the limit of {limit / 2**30:.3g} GiB; "
            + (f"{1 << fits_in} would fit" if limit >= 96 * layers else "none would fit")
        )
    return level


def _marginalise(
    skymap: SkyMap, first: Ints, several: Ints, layers: dict[str, Floats]
) -> None:
    """Put into the layers, at `several`, the distances of pixels that hold several cells."""
    assert skymap.distmu is not None
    assert skymap.distsigma is not None
    group = np.repeat(np.arange(len(first)), np.diff(np.append(first, skymap.cells)))
    chosen = np.zeros(len(first), bool)
    chosen[several] = True
    cells = np.flatnonzero(chosen[group])
    at = np.searchsorted(several, group[cells])
    with np.errstate(over="ignore"):
        mean, std = distances.moments(skymap.distmu[cells], skymap.distsigma[cells])
    known = np.isfinite(mean)
    weight = np.where(known, skymap.prob[cells], 0)
    mean, std = np.where(known, mean, 0), np.where(known, std, 0)

    def average(values: Floats) -> Floats:
        return np.bincount(at, weight * values, len(several)) / total

    total = np.bincount(at, weight, len(several))
    with np.errstate(invalid="ignore", over="ignore"):
        middle = average(mean)
        # About the mean of the pixel, because the difference of squares would cancel.
        spread = np.sqrt(average(np.square(std) + np.square(mean - middle[at])))
    for column, values in zip(DISTANCES, distances.parameters(middle, spread), strict=True):
        layers[column][several] = values


def write_flat(
    flat: Flat,
    path: str | os.PathLike[str],
    provenance: Mapping[str, str] | None = None,
    ordering: Literal["NESTED", "RING"] = "NESTED",
) -> None:
    """Write a flat map as FITS, whole or not at all.

    The same map and provenance give the same bytes. A name that ends in ``.gz`` is compressed.

    Parameters
    ----------
    flat : Flat
        The map.
    path : path-like
        Where to write; its folder must exist.
    provenance : mapping, optional
        Where the map came from, added to its history as HISTORY cards ``key: value``.
    ordering : {"NESTED", "RING"}
        Order of the pixels in the file.

    Raises
    ------
    SkyMapError
        If the ordering is unknown, or the file cannot be written.
    """
    if ordering not in ("NESTED", "RING"):
        raise SkyMapError("ordering", f"{ordering!r} is not NESTED or RING")
    name = os.fspath(path)
    try:
        with ExitStack() as stack:
            file = stack.enter_context(whole(path))
            if name.lower().endswith(".gz"):
                # A higher level takes several times as long and saves a few hundredths.
                file = cast(BinaryIO, stack.enter_context(
                    gzip.GzipFile("", "wb", 4, fileobj=file, mtime=0)))
            for piece in _pieces(flat, provenance, ordering):
                file.write(piece.data if isinstance(piece, np.ndarray) else piece)
    except OSError as e:
        raise SkyMapError(name, f"cannot be written: {e.strerror}") from e


def _pieces(
    flat: Flat, provenance: Mapping[str, str] | None, ordering: str
) -> Iterator[bytes | npt.NDArray[Any]]:
    """Yield the bytes of a FITS file."""
    columns = flat.columns
    size = len(flat.prob)
    units = {"prob": "pix-1", **DISTANCES}
    table = fits.BinTableHDU.from_columns(
        [fits.Column(c.upper(), "D", unit=units[c]) for c in columns], nrows=0
    )
    head = table.header
    head["NAXIS2"] = size
    head["PIXTYPE"] = ("HEALPIX", "HEALPix pixelisation")
    head["ORDERING"] = (ordering, "pixel ordering scheme: RING, NESTED or NUNIQ")
    head["COORDSYS"] = ("C", "celestial (equatorial)")
    head["NSIDE"] = (flat.nside, "resolution parameter of HEALPix")
    head["FIRSTPIX"], head["LASTPIX"] = 0, size - 1
    head["INDXSCHM"] = ("IMPLICIT", "indexing: IMPLICIT or EXPLICIT")
    header.write(head, flat.meta, header.lines(flat.history, provenance))
    yield fits.PrimaryHDU().header.tostring().encode()
    yield head.tostring().encode()
    rows = np.empty(min(_CHUNK, size), [(c, ">f8") for c in columns])
    for first in range(0, size, _CHUNK):
        last = min(first + _CHUNK, size)
        index: Any = slice(first, last)
        if ordering == "RING":
            index = hp.ring2nest(flat.nside, np.arange(first, last))
        for column, values in columns.items():
            rows[column][: last - first] = values[index]
        yield rows[: last - first]
    yield bytes(-size * rows.itemsize % _BLOCK)
