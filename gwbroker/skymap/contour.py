"""Contours: the edges of credible regions, drawn on the grid of a picture."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from contourpy import contour_generator
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.path import Path
from matplotlib.patheffects import withStroke
from scipy.ndimage import gaussian_filter

from .multiorder import Floats, SkyMap
from .regions import densest_first
from .theme import LEVELS, Theme

Grid = tuple[Floats, Floats]

FEWEST = 12
"""A region of fewer points has no shape to show."""


def thresholds(skymap: SkyMap) -> dict[float, float]:
    """Return for each credible level the density, sr^-1, at the edge of its region.

    It lies between the last cell inside and the next less dense one. A region that would have
    to choose among equally dense cells has no edge of its own, and is left out.
    """
    order = densest_first(skymap)
    prob = np.cumsum(skymap.prob[order])
    density = skymap.probdensity[order]
    edges: dict[float, float] = {}
    for level in sorted(LEVELS, reverse=True):
        last = min(int(np.searchsorted(prob, level * prob[-1] * (1 - 1e-9))), len(prob) - 1)
        following = int(np.searchsorted(-density, -density[last], side="right"))
        if following == len(density):
            continue
        edge = float(np.sqrt(density[last] * max(density[following], density[last] / 100)))
        if edge not in edges.values():
            edges[level] = edge
    return edges


def blur(
    skymap: SkyMap, cell: npt.NDArray[np.int64], pixel: float, edges: dict[float, float],
) -> dict[float | None, float]:
    """Return the smoothing, pixels, that hides the corners of cells and moves nothing.

    Parameters
    ----------
    skymap : SkyMap
        The map.
    cell : int64
        The cell of each point of the picture.
    pixel : float
        Width of a pixel, rad.
    edges : dict
        Density at the edge of each level, from `thresholds`.

    Returns
    -------
    dict
        For each level that of its edge, by the cells there, and for None that of the image,
        by the cells inside; each counts as often as it is seen.
    """
    points = np.bincount(cell.ravel(), minlength=skymap.cells)
    seen = np.flatnonzero(points)
    density, points = skymap.probdensity[seen], points[seen]
    width = np.sqrt(skymap.area[seen]) / pixel
    inner = density >= min(edges.values(), default=0.0)
    found: dict[float | None, float] = {
        None: float(np.clip(0.6 * _quantile(width[inner], points[inner], 0.25), 1, 25))}
    for level, edge in edges.items():
        near = (density > edge / 1.5) & (density < edge * 1.5)
        found[level] = float(np.clip(0.6 * _quantile(width[near], points[near], 0.5), 1, 80)) \
            if near.any() else found[None]
    return found


def _quantile(values: Floats, weights: npt.NDArray[np.int64], part: float) -> float:
    """Return the value below which a part of the weight is; zero of none."""
    if len(values) == 0:
        return 0.0
    order = np.argsort(values)
    held = np.cumsum(weights[order])
    return float(values[order[np.searchsorted(held, part * held[-1])]])


def smooth(values: Floats, sigma: float, inside: npt.NDArray[np.bool_] | None = None) -> Floats:
    """Return values smoothed over pixels, as if there were nothing outside."""
    if inside is None or inside.all():
        return np.asarray(gaussian_filter(values, sigma), np.float64)
    weight = np.maximum(gaussian_filter(inside.astype(np.float64), sigma), 1e-9)
    mean = gaussian_filter(np.where(inside, values, 0.0), sigma) / weight
    return np.where(inside, mean, np.nan)


def around(above: npt.NDArray[np.bool_], margin: int) -> tuple[slice, slice]:
    """Return rows and columns that hold all of a region, and so many pixels around it."""
    slices = []
    for axis in (1, 0):
        found = np.flatnonzero(above.any(axis=axis))
        if len(found) == 0:
            found = np.zeros(1, np.int64)
        slices.append(slice(max(int(found[0]) - margin, 0), int(found[-1]) + margin + 1))
    return slices[0], slices[1]


@dataclass(frozen=True, eq=False)
class Field:
    """Values on a part of the grid of a picture; elsewhere there is nothing to see.

    Parameters
    ----------
    rows, columns : slice
        The part.
    values : ndarray
        Of density, or, of a region, the decades from the density at its edge: positive
        inside, negative outside. Smoothed; not-a-number where there is no sky.
    """

    rows: slice
    columns: slice
    values: Floats


def fields(
    density: Floats,
    edges: dict[float, float],
    sigmas: dict[float | None, float],
    inside: npt.NDArray[np.bool_] | None = None,
) -> dict[float, Field]:
    """Return the fields of the credible regions that have a shape to show.

    Parameters
    ----------
    density : ndarray
        Density at each point of the grid of a picture, sr^-1.
    edges : dict
        Density at the edge of each level, from `thresholds`.
    sigmas : dict
        Smoothing of each level, pixels, from `blur`.
    inside : ndarray of bool, optional
        Which points are on the sky.
    """
    found = {}
    for level, edge in sorted(edges.items()):
        above = density >= edge if inside is None else (density >= edge) & inside
        if np.count_nonzero(above) < FEWEST:
            continue
        # Smoothing reaches four sigma; further away there is no edge.
        rows, columns = around(above, int(8 * sigmas[level]) + 4)
        within = None if inside is None else inside[rows, columns]
        field = smooth(decades(density[rows, columns], edge), sigmas[level], within)
        if np.nanmin(field) < 0 < np.nanmax(field):
            found[level] = Field(rows, columns, field)
    return found


def decades(density: Floats, edge: float) -> Floats:
    """Return the decades from the density at an edge, one at most: smoothing sees both sides."""
    return np.asarray(np.log10(np.clip(density / edge, 0.1, 10)), np.float64)


def outlines(
    grid: Grid, found: dict[float, Field], closed: bool = False,
) -> dict[float, list[Floats]]:
    """Return the edges of the credible regions as lines on the grid of a picture.

    Parameters
    ----------
    grid : tuple of ndarray
        x and y of columns and rows.
    found : dict
        From `fields`.
    closed : bool
        Whether lines that reach the edge of the sky go on along it.

    Returns
    -------
    dict
        For each level its lines, each of shape (N, 2).
    """
    lines = {}
    for level, each in found.items():
        values = np.nan_to_num(each.values, nan=-1.0) if closed \
            else np.ma.masked_invalid(each.values)
        drawn = contour_generator(grid[0][each.columns], grid[1][each.rows], values).lines(0.0)
        lines[level] = [np.asarray(line, np.float64) for line in drawn if len(line) > 3]
    return lines


def draw(
    axes: Axes,
    lines: dict[float, list[Floats]],
    theme: Theme,
    *,
    colour: str | None = None,
    dashed: bool = False,
) -> list[float]:
    """Draw the edges of credible regions; return the levels that were drawn.

    Parameters
    ----------
    axes : Axes
        Where.
    lines : dict
        From `outlines`.
    theme : Theme
        The colours of the picture.
    colour : str, optional
        Of all levels, for a map that is not the first: the 50 % region is then drawn finer.
    dashed : bool
        Whether the lines are dashed.
    """
    for level, each in lines.items():
        width = 1.1 if colour is None or level == max(lines) else 0.8
        axes.add_collection(PathCollection(
            [Path(line) for line in each], facecolors="none", linewidths=width,
            edgecolors=colour or theme.contours[level], zorder=4,
            linestyles=[(0, (4, 1.6)) if dashed else "solid"],
            path_effects=[withStroke(linewidth=width + 1.1, foreground=theme.ground, alpha=0.55)]
            if theme.name == "dark" or colour else None,
        ), autolim=False)
    return list(lines)


def name_levels(
    axes: Axes, lines: dict[float, list[Floats]], theme: Theme, half: tuple[float, float],
    taken: list[tuple[float, float]], room: float,
) -> None:
    """Write the level on the longest line of each region, where there is room.

    Parameters
    ----------
    axes : Axes
        Where.
    lines : dict
        From `outlines`.
    theme : Theme
        The colours of the picture.
    half : tuple of float
        Half the width and the height of the part that is shown.
    taken : list of (x, y)
        Places where something else stands; those of the labels are added.
    room : float
        How far a label keeps from the frame; half as much again from them.
    """
    for level, each in lines.items():
        line = max(each, key=len, default=np.empty((0, 2)))
        if len(line) < 400:
            continue
        x, y = line.T
        free = (np.abs(x) < half[0] - room) & (np.abs(y) < half[1] - room)
        for other in taken:
            free &= np.hypot(x - other[0], y - other[1]) > 1.5 * room
        # Where the line is straightest over the length of a label, which then lies on it.
        reach = np.clip(np.searchsorted(_along(line), room * 0.6), 1, len(line) // 4)
        chord = np.hypot(*(np.roll(line, -reach, 0) - np.roll(line, reach, 0)).T)
        chord[:reach] = chord[-reach:] = 0
        if not (free & (chord > 0)).any():
            continue
        i = int(np.argmax(np.where(free, chord, -1)))
        before, after = line[i - reach], line[i + reach]
        angle = float(np.degrees(np.arctan2(*(after - before)[::-1])))
        angle = (angle + 90) % 180 - 90
        taken.append((float(x[i]), float(y[i])))
        axes.text(
            float(x[i]), float(y[i]), f"{level:.0%}", fontsize=7.5, rotation=angle, zorder=5,
            rotation_mode="anchor", ha="center", va="center", color=theme.contours[level],
            path_effects=[withStroke(linewidth=2.5, foreground=theme.ground)],
        )


def _along(line: Floats) -> Floats:
    return np.asarray(np.cumsum(np.hypot(*np.diff(line, axis=0).T)), np.float64)
