"""Views: a sky map as small JSON, for a page that draws it and lets people move it about."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from .alt import alt_text
from .bodies import moment, sun_and_moon
from .frame import frame
from .moc import Moc
from .multiorder import DEEPEST, SQUARE_DEGREE, Floats, Ints, SkyMap
from .overlays import NONE, Footprint, Overlays, Place
from .projection import Mollweide, to_degrees, to_vectors
from .sampled import Sampled
from .seam import cut
from .sheet import Sheet
from .summary import Summary, summarize
from .theme import LEVELS

VERSION = 1
"""Changes when a field means something else; new fields alone change nothing."""

DENSITY_LEVEL = 5
"""HEALPix level of the density that colours a view: 12,288 pixels."""

CELLS = 2500
"""About how many cells a MOC of a view has at most; it is coarser where it would have more."""

POINTS = 1200
"""How many points the outline of a level has at most."""

NAME = 200
"""How many letters a name has at most."""

GALAXIES = 200
"""How many galaxies a view has at most."""


def view(
    skymap: SkyMap,
    title: str = "",
    *,
    overlays: Overlays = NONE,
    summary: Summary | None = None,
) -> dict[str, Any]:
    """Return what an interactive view of a map needs, ready for JSON, below 200 kB.

    Parameters
    ----------
    skymap : SkyMap
        The map.
    title : str
        The name of the event.
    overlays : Overlays, optional
        What is laid over the map.
    summary : Summary, optional
        If it is known already.

    Returns
    -------
    dict
        Its fields are in the reference of JSON output, under "A view".

    Raises
    ------
    SkyMapError
        If the time of an overlay is none.
    """
    summary = summary or summarize(skymap)
    title = _name(title)
    outlines = _outlines(skymap)
    regions = []
    for level, area in zip(LEVELS, (summary.area_50, summary.area_90), strict=True):
        moc, exact = _region(Moc.of_level(skymap, level))
        regions.append({
            "level": level, "area": _round(area), "moc": moc, "moc_exact": exact,
            "polygons": outlines.get(level, []),
        })
    return {
        "version": VERSION,
        "title": title,
        "alt": alt_text(skymap, title, summary=summary),
        "ra": round(summary.ra, 7),
        "dec": round(summary.dec, 7),
        "distmean": _round(summary.distmean),
        "diststd": _round(summary.diststd),
        "cells": summary.cells,
        "max_level": summary.max_level,
        "regions": regions,
        "density": density(skymap),
        "overlays": _overlays(overlays),
    }


def encode(value: dict[str, Any]) -> bytes:
    """Return a view as the bytes of its file, the same for the same view.

    It can be put into a page as it is: no name in it ends a script or begins a comment.
    """
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    for c in "<>&\u2028\u2029":
        text = text.replace(c, f"\\u{ord(c):04x}")
    # A file's name may have bytes that are no letters.
    return text.encode(errors="replace")


def density(skymap: SkyMap, level: int = DENSITY_LEVEL) -> dict[str, Any]:
    """Return the probability in pixels of one size, as steps from 0 to 255 of the largest.

    A pixel's probability is ``value / 255 * maximum``. The steps are exact to half of one.
    """
    total = pixels(skymap, level)
    most = float(total.max())
    steps = np.rint(total / (most or 1.0) * 255).astype(int)
    pixel = 4 * np.pi * SQUARE_DEGREE / len(total)
    return {
        "nside": 2**level, "ordering": "NESTED", "maximum": float(f"{most:.6g}"),
        "pixel_area": float(f"{pixel:.6g}"), "values": steps.tolist(),
    }


def pixels(skymap: SkyMap, level: int) -> Floats:
    """Return the probability in the pixels of one level, NESTED."""
    count = 12 * 4**level
    shift = 2 * (DEEPEST - level)
    fine = skymap.level >= level
    total = np.zeros(count)
    total += np.bincount(skymap.start[fine] >> shift, skymap.prob[fine], count)
    coarse = np.flatnonzero(~fine)
    number = 4 ** (level - skymap.level[coarse])
    first = np.repeat((skymap.start[coarse] >> shift) - (np.cumsum(number) - number), number)
    total[first + np.arange(len(first))] += np.repeat(skymap.prob[coarse] / number, number)
    return np.asarray(total, np.float64)


def _region(moc: Moc) -> tuple[dict[str, list[int]], bool]:
    """Return a region as IVOA JSON, and whether it is exact.

    One of very many cells is taken at a coarser level, where each pixel counts that is at
    least half in it.
    """
    exact = True
    level, ipix = moc.cells
    depth = moc.max_level
    while len(level) > CELLS and depth > DENSITY_LEVEL:
        exact = False
        depth -= 1
        level, ipix = _coarser(moc, depth).cells
    cells: dict[str, list[int]] = {
        str(n): ipix[level == n].tolist() for n in np.unique(level)}
    return cells or {"0": []}, exact


def _coarser(moc: Moc, depth: int) -> Moc:
    shift = np.int64(2 * (DEEPEST - depth))
    size = np.int64(1) << shift
    start, end = moc.ranges.T
    first, last = start >> shift, (end - 1) >> shift
    # What a range covers of the pixels at its two ends; those between are covered wholly.
    head = np.minimum(end, (first + 1) << shift) - start
    tail = np.where(last > first, end - (last << shift), 0)
    ends, where = np.unique(np.concatenate([first, last]), return_inverse=True)
    covered = np.bincount(where, np.concatenate([head, tail]).astype(np.float64))
    half: Ints = ends[covered >= float(size) / 2]
    inner = last > first + 1
    between = np.stack([first[inner] + 1, last[inner]], axis=-1)
    return Moc(np.concatenate([np.stack([half, half + 1], axis=-1), between]) << shift)


def _outlines(skymap: SkyMap) -> dict[float, list[list[list[float]]]]:
    """Return the outlines of the levels as polygons of RA and Dec, cut at RA 0."""
    shown = frame(skymap)
    # Where all is in one frame, it is seen more closely there.
    sheet = Sheet.part(shown) if shown.whole else Sheet.sky()
    lines = Sampled(skymap, sheet).outlines(closed=True)
    digits = 4 if not shown.whole else int(np.clip(5 - np.log10(np.degrees(shown.half)), 4, 10))
    found = {}
    for level, each in lines.items():
        step = -(-sum(map(len, each)) // POINTS)
        polygons: list[list[list[float]]] = []
        for loop in each:
            thin = loop[:-1:step]
            if len(thin) > 2:
                polygons += [np.round(p, digits).tolist() for p in _on_sky(thin, sheet)]
        found[level] = polygons
    return found


def _on_sky(line: Floats, sheet: Sheet) -> list[Floats]:
    if isinstance(sheet.projection, Mollweide):
        # The sheet is cut at the seam already: what is within a point of its edge is on it.
        x, y = line.T
        reach = 2 * np.sqrt(np.maximum(1 - y**2, 0)) * (1 - 1e-9)
        step = float(sheet.x[1] - sheet.x[0])
        x = np.where(np.abs(x) > reach - 1.5 * step, np.sign(x) * reach, x)
        ra, dec = sheet.projection.backward(x, y)
        points = np.column_stack([ra, dec])[np.isfinite(ra)]
        return [np.concatenate([points, points[:1]])] if len(points) > 2 else []
    vectors = sheet.projection.backward(*line.T)
    return cut(np.concatenate([vectors, vectors[:1]]))


def _overlays(overlays: Overlays) -> dict[str, Any]:
    found: dict[str, Any] = {
        "galaxies": [_place(g) for g in list(overlays.galaxies)[:GALAXIES]],
        "footprints": [_footprint(f) for f in overlays.footprints],
        "other": None, "time": None, "sun": None, "moon": None, "earth": None,
        "galactic_plane": overlays.galactic_plane or overlays.galactic_band,
    }
    if isinstance(overlays.other, SkyMap):
        outlines = _outlines(overlays.other)
        best = overlays.other.vectors[int(np.argmax(overlays.other.probdensity))]
        ra, dec = to_degrees(best)
        found["other"] = {
            "name": _name(overlays.other_name),
            "ra": round(float(ra), 7), "dec": round(float(dec), 7),
            "regions": [{"level": n, "polygons": p} for n, p in outlines.items()]}
    elif overlays.other is not None:
        found["other"] = {**_place(overlays.other), "regions": []}
    if overlays.time is not None:
        sun, moon = sun_and_moon(overlays.time)
        when = moment(overlays.time).isoformat(timespec="microseconds")
        found |= {"time": when.replace("+00:00", "Z"), "sun": _place(sun), "moon": _place(moon)}
    if overlays.earth is not None:
        earth = overlays.earth
        found["earth"] = {"ra": earth.ra, "dec": earth.dec, "radius": earth.radius}
    return found


def _place(place: Place) -> dict[str, Any]:
    return {"name": _name(place.name), "ra": round(place.ra % 360, 7), "dec": round(place.dec, 7)}


def _footprint(footprint: Footprint) -> dict[str, Any]:
    if isinstance(footprint.shape, Moc):
        moc, exact = _region(footprint.shape)
        return {"name": _name(footprint.name), "moc": moc, "moc_exact": exact, "polygons": []}
    polygons = []
    for corners in footprint.shape:
        closed = np.array([*corners, corners[0]], np.float64)
        polygons += [np.round(p, 6).tolist() for p in cut(to_vectors(*closed.T))]
    return {"name": _name(footprint.name), "moc": None, "moc_exact": True, "polygons": polygons}


def _name(text: str) -> str:
    """Return a name on one line that is not endless."""
    return " ".join(text[:2000].split())[:NAME]


def _round(value: float | None) -> float | None:
    """Return a number with seven digits."""
    return None if value is None or not np.isfinite(value) else float(f"{value:.7g}")
