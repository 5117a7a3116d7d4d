"""Contours: the edges of credible regions, drawn on the grid of a picture."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from scipy.ndimage import gaussian_filter

from .multiorder import Floats, SkyMap
from .regions import densest_first

COLOURS = {0.5: "#1f4e9c", 0.9: "#1a1a1a"}
"""Colour of the contour of each credible region."""


def thresholds(skymap: SkyMap) -> dict[float, float]:
    """Return for each credible level the density, sr^-1, at the edge of its region.

    It lies between the last cell inside and the next less dense one. A region that would have
    to choose among equally dense cells has no edge of its own, and is left out.
    """
    order = densest_first(skymap)
    prob = np.cumsum(skymap.prob[order])
    density = skymap.probdensity[order]
    edges: dict[float, float] = {}
    for level in sorted(COLOURS, reverse=True):
        last = min(int(np.searchsorted(prob, level * prob[-1] * (1 - 1e-9))), len(prob) - 1)
        following = int(np.searchsorted(-density, -density[last], side="right"))
        if following == len(density):
            continue
        edge = float(np.sqrt(density[last] * max(density[following], density[last] / 100)))
        if edge not in edges.values():
            edges[level] = edge
    return edges


def blur(skymap: SkyMap, cell: npt.NDArray[np.int64], pixel: float) -> float:
    """Return the smoothing, pixels, that hides the corners of cells and moves nothing.

    Parameters
    ----------
    skymap : SkyMap
        The map.
    cell : int64
        The cells in the picture, repeated or not.
    pixel : float
        Width of a pixel, rad.
    """
    seen = np.unique(cell)
    densest = seen[skymap.probdensity[seen] >= min(thresholds(skymap).values(), default=0.0)]
    if len(densest) == 0:
        return 1.0
    return float(np.clip(0.6 * np.sqrt(np.percentile(skymap.area[densest], 25)) / pixel, 1, 25))


def smooth(values: Floats, sigma: float, inside: npt.NDArray[np.bool_] | None = None) -> Floats:
    """Return values smoothed over pixels, as if there were nothing outside."""
    if inside is None:
        return np.asarray(gaussian_filter(values, sigma), np.float64)
    weight = np.maximum(gaussian_filter(inside.astype(np.float64), sigma), 1e-9)
    mean = gaussian_filter(np.where(inside, values, 0.0), sigma) / weight
    return np.where(inside, mean, np.nan)


def draw(
    axes: Axes,
    grid: tuple[Floats, Floats],
    density: Floats,
    edges: dict[float, float],
    sigma: float,
    inside: npt.NDArray[np.bool_] | None = None,
) -> list[float]:
    """Draw and label the edges of the credible regions; return the levels that were drawn.

    Parameters
    ----------
    axes : Axes
        Where.
    grid : tuple of ndarray
        x and y of columns and rows.
    density : ndarray
        Density at each point, sr^-1.
    edges : dict
        Density at the edge of each level, from `thresholds`.
    sigma : float
        Smoothing, pixels.
    inside : ndarray of bool, optional
        Which points are on the sky.
    """
    drawn = []
    for level, edge in sorted(edges.items()):
        above = density >= edge
        # A region of a few points has no shape to show.
        if np.count_nonzero(above if inside is None else above & inside) < 12:
            continue
        # Within a factor of ten of the edge, so that smoothing sees both sides alike.
        ratio = np.log10(np.maximum(density, edge * 1e-6) / edge)
        field = smooth(np.clip(ratio, -1, 1), sigma, inside)
        if not np.nanmin(field) < 0 < np.nanmax(field):
            continue
        drawing = axes.contour(
            *grid, field, [0.0], colors=[COLOURS[level]], linewidths=1.1, zorder=4
        )
        longest = max((len(np.asarray(path.vertices)) for path in drawing.get_paths()), default=0)
        if longest > 400:
            axes.clabel(drawing, fmt={0.0: f"{level:.0%}"}, fontsize=7.5)
        drawn.append(level)
    return drawn
