"""Combine: the map of one source that several maps are of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np

from ..errors import SkyMapError
from .joint import joint
from .multiorder import Floats, SkyMap
from .overlap import APART, integral
from .regions import distance
from .siblings import merge_alike
from .sweep import Common, common

Distances = Literal["joint", "first", "none"]
"""What becomes of distances: all of them together, those of the first map that has them, none."""

@dataclass(frozen=True)
class Combination:
    """The map of one source that several maps are of.

    Parameters
    ----------
    skymap : SkyMap
        The map.
    overlap : float
        How much likelier one source is than several independent ones, by position alone:
        (4 pi)^(n - 1) times the integral of the product of n densities.
    """

    skymap: SkyMap
    overlap: float


def product(
    a: SkyMap, b: SkyMap, *rest: SkyMap, distances: Distances = "joint", least: float = APART,
) -> SkyMap:
    """Return the map of one source that all these maps are of; see `combine`."""
    return combine((a, b, *rest), distances, least=least).skymap


def combine(
    maps: Sequence[SkyMap], distances: Distances = "joint", names: Sequence[str] = (), *,
    least: float = APART,
) -> Combination:
    """Return the map of one source that all these maps are of, p_a p_b / Int p_a p_b dOmega.

    Independent posteriors with one isotropic prior combine by multiplication. The cells are
    those that the maps have in common; where four come out alike they are merged. Nothing is
    rasterized, so the depth of the maps costs no memory.

    With ``distances="joint"``, if one map has distances, its conditional distance of each cell
    stays, and the distance of the whole sky is marginalised anew over the new probabilities
    (DISTMEAN and DISTSTD). If several have, they are multiplied too, see `joint.joint`, and
    each cell is weighted by how well they agree there; cells where one of them is unknown get
    the mean weight of the others. ``"first"`` takes the distances of the first map that has
    them, ``"none"`` leaves them out; both leave the probabilities to the positions alone.

    Parameters
    ----------
    maps : sequence of SkyMap
        Two or more maps of the whole sky.
    distances : {"joint", "first", "none"}
        What becomes of the distances.
    names : sequence of str
        What to call the maps in error messages, as their files; by default by number.
    least : float
        Least overlap of each map with the map of those before it. What is left of maps that
        nearly exclude each other are the tails of both, which nobody has computed to be right;
        0 combines them all the same.

    Raises
    ------
    SkyMapError
        If there are fewer than two maps, they exclude each other, or one of them is not a map of
        the whole sky.
    """
    if distances not in get_args(Distances):
        raise SkyMapError("distances", f"{distances!r} is not joint, first or none")
    if len(maps) < 2:
        raise SkyMapError("maps", f"{len(maps)} given, at least 2 are needed to combine")
    if distances == "none":
        maps = [replace(m, distmu=None, distsigma=None, distnorm=None) for m in maps]
    names = names or [f"map {number}" for number in range(1, len(maps) + 1)]
    found, overlap = maps[0], 1.0
    for name, other in zip(names[1:], maps[1:], strict=True):
        if distances == "first" and found.has_distance and other.has_distance:
            other = replace(other, distmu=None, distsigma=None, distnorm=None)
        found, factor = _pair(found, other, name, least)
        overlap *= factor
    if len(maps) > 2 and distances == "joint" and sum(each.has_distance for each in maps) > 1:
        # From the third map on, agreement in distance was among the positions' probabilities.
        overlap = combine(maps, "none", names, least=0).overlap
    history = tuple(dict.fromkeys(line for each in maps for line in each.history))
    return Combination(replace(found, meta=_meta(maps, found), history=history), overlap)


def _pair(a: SkyMap, b: SkyMap, name: str, least: float) -> tuple[SkyMap, float]:
    """Return the product of two maps, and their overlap by position."""
    cells = common(a, b)
    both = a.probdensity[cells.ia] * b.probdensity[cells.ib]
    overlap = integral(a, b, cells, both)
    if not overlap > 0:
        raise SkyMapError(
            name, "the overlap is 0: it excludes every position that the maps before it allow, so"
            " there is nothing to combine", "PROBDENSITY")
    if overlap < least:
        raise SkyMapError(
            name, f"its overlap with the maps before it is {overlap:.3g}, less than {least:g}:"
            " they are not of one source; combine them all the same with --force (least=0)")
    columns = _distances(a, b, cells)
    log_weight = columns.pop("log_weight", None)
    if log_weight is not None:
        both = _weighted(both, log_weight, cells.area)
    empty = both == 0
    for column, unknown in (("distmu", np.inf), ("distsigma", 1.0), ("distnorm", 0.0)):
        if column in columns:
            # Where nothing can be, no distance is known: one cell of that is enough.
            columns[column] = np.where(empty, unknown, columns[column])
    columns["probdensity"] = both / float((cells.area * both).sum())
    uniq, merged = merge_alike(cells.start, cells.level, columns)
    combined = SkyMap(
        uniq, merged["probdensity"], merged.get("distmu"), merged.get("distsigma"),
        merged.get("distnorm"))
    return combined.validate("the combined map"), overlap


def _distances(a: SkyMap, b: SkyMap, cells: Common) -> dict[str, Floats]:
    """Return the columns of distances that the common cells get, and their logarithmic weight."""
    ours, theirs = _columns(a), _columns(b)
    if ours and theirs:
        mu, sigma, norm, weight = joint(
            ours["distmu"][cells.ia], ours["distsigma"][cells.ia],
            theirs["distmu"][cells.ib], theirs["distsigma"][cells.ib])
        return {"distmu": mu, "distsigma": sigma, "distnorm": norm, "log_weight": weight}
    index, columns = (cells.ia, ours) if ours else (cells.ib, theirs)
    return {column: values[index] for column, values in columns.items()}


def _columns(skymap: SkyMap) -> Mapping[str, Floats]:
    return {c: v for c, v in skymap.columns.items() if c.startswith("dist")}


def _weighted(density: Floats, log_weight: Floats, area: Floats) -> Floats:
    """Return a density, in any unit, times the agreement in distance."""
    possible = density > 0
    usable = possible & np.isfinite(log_weight)
    if not usable.any():
        # Nowhere are both distances known, so they say nothing about the position.
        return density
    with np.errstate(divide="ignore"):
        logarithm = np.log(density)
    # Relative to the likeliest cell, because distances far apart give weights such as e^-2000.
    prob = area[usable] * density[usable]
    top = float(log_weight[usable].max())
    mean = float(np.log(prob @ np.exp(log_weight[usable] - top) / prob.sum())) + top
    weight = np.where(np.isfinite(log_weight), log_weight, mean)
    logarithm = np.where(possible, logarithm + weight, -np.inf)
    return np.asarray(np.exp(logarithm - logarithm.max()), np.float64)


def _meta(maps: Sequence[SkyMap], found: SkyMap) -> dict[str, object]:
    """Return what is known of the combined map: its names, first time and new distance."""
    meta: dict[str, object] = {}
    for keyword, between in (("OBJECT", " + "), ("INSTRUME", ",")):
        names = [str(m.meta[keyword]) for m in maps if m.meta.get(keyword)]
        if names:
            meta[keyword] = between.join(dict.fromkeys(names))
    for keyword in ("DATE-OBS", "MJD-OBS"):
        times = [m.meta[keyword] for m in maps if keyword in m.meta]
        meta.update({keyword: times[0]} if times else {})
    far = distance(found)
    return {**meta, "DISTMEAN": far.mean, "DISTSTD": far.std} if far else meta
