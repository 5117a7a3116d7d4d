"""Volume pictures: where in space an event may be, from three sides, and how far away."""

from __future__ import annotations

import os
from dataclasses import dataclass

import numpy as np
from contourpy import contour_generator
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from scipy.ndimage import gaussian_filter

from ..errors import SkyMapError
from . import alt, canvas, contour, distances, marks
from .cloud import Cloud, cloud
from .mentions import at
from .multiorder import Floats, SkyMap
from .projection import to_degrees
from .summary import Summary, summarize
from .theme import LEVELS, Theme
from .theme import theme as theme_of
from .volume import Volume

GRID = 201
"""Points along each side of a projection."""

SLENDER = 8.0
"""A region that is so many times longer than wide is not drawn to scale."""

SOFT = 1.5
"""How far what is outlined is smoothed beyond what is shown, points of the grid."""

_SIZE = 9.0
_PANELS = {(0, 1): (0.10, 0.515, 0.35, 0.35), (2, 1): (0.585, 0.515, 0.35, 0.35),
           (0, 2): (0.10, 0.085, 0.35, 0.35)}
_DISTANCE = (0.585, 0.085, 0.35, 0.35)


@dataclass(frozen=True, eq=False)
class _View:
    """What is seen of a cloud: in the middle of each axis, half of each axis, Mpc."""

    middle: Floats
    half: Floats
    scaled: bool


def volume(
    skymap: SkyMap,
    path: str | os.PathLike[str],
    title: str,
    *,
    theme: str = "light",
    summary: Summary | None = None,
    dpi: float = 150,
) -> None:
    """Draw the probability in space from three sides, and the distribution of the distance.

    The axes are the principal ones of the distribution about the Earth: the first is that
    along which it is longest, mostly the line of sight. Each is named by the position on the
    sky to which it points.

    Parameters
    ----------
    skymap : SkyMap
        A map with distances.
    path : path-like
        Where to write it, as ``.png`` or ``.svg``.
    title : str
        The name of the event, shown as it is.
    theme : {"light", "dark"}
        On white or on a dark ground.
    summary : Summary, optional
        If it is known already.
    dpi : float
        Points per inch of a picture of 9 by 9 inches.

    Raises
    ------
    SkyMapError
        If the map has no distances, the suffix of the path is neither, or the theme unknown.
    """
    canvas.kind(path)
    colours = theme_of(theme)
    points = cloud(skymap)
    if points is None:
        raise SkyMapError(
            title or "sky map", "has no distances; an all-sky picture needs none", "DISTMU")
    summary = summary or summarize(skymap)
    view = _view(points)
    held = float(Volume(skymap).credible_volumes([0.9])[0])
    best = _most_probable(skymap, points, summary)
    with canvas.drawing():
        figure = canvas.new_figure(_SIZE, _SIZE, colours)
        drawn: set[float] = set()
        for (across, up), place in _PANELS.items():
            axes = figure.add_axes(place)
            drawn |= _projection(axes, points, view, across, up, colours)
            if best is not None:
                marks.cross(axes, float(best[across]), float(best[up]), 12, colours)
        _distances(figure, skymap, points, summary, colours)
        _explain(figure, drawn, view, colours)
        line = f"{canvas.facts(summary)}   ·   90% volume {_cubic(held)}"
        canvas.heading(figure, title, line, colours, left=0.04)
        canvas.save(figure, path, dpi, title, _words(skymap, title, summary, points, held))


def describe(skymap: SkyMap, title: str, *, summary: Summary | None = None) -> str:
    """Return in words what `volume` shows, as it is written into the picture.

    Parameters
    ----------
    skymap, title, summary
        As of `volume`; a map without distances is told as what it is.
    """
    points = cloud(skymap)
    if points is None:
        return alt.alt_text(skymap, title, summary=summary)
    held = float(Volume(skymap).credible_volumes([0.9])[0])
    return _words(skymap, title, summary, points, held)


def _words(
    skymap: SkyMap, title: str, summary: Summary | None, points: Cloud, held: float,
) -> str:
    ways = [at(*(float(angle) for angle in to_degrees(axis))) for axis in points.axes]
    more = [f"The picture shows it in space from three sides. The longest axis points to {ways[0]},"
            f" the others to {ways[1]} and to {ways[2]}."]
    if np.isfinite(held):
        more.append("The smallest volume that holds 90 percent of the probability is"
                    f" {_cubic(held, spoken=True)}.")
    return alt.alt_text(skymap, title, summary=summary, more=more)


def _most_probable(skymap: SkyMap, points: Cloud, summary: Summary) -> Floats | None:
    """Return where along the axes, Mpc, the most probable position is at its likeliest distance.

    Not the densest place of all: a cell that hardly counts may have a distance that is far too
    certain. None where the position tells no distance.
    """
    cell = skymap.find(summary.ra, summary.dec)
    assert skymap.distmu is not None
    assert skymap.distsigma is not None
    far = float(distances.mode(skymap.distmu[cell], skymap.distsigma[cell]))
    return points.turned(summary.ra, summary.dec) * far if np.isfinite(far) else None


def _view(points: Cloud) -> _View:
    """Return the part of space that holds 99 % along each axis, and the Earth."""
    ends = np.array([points.spread(axis, (0.02, 0.98)) for axis in range(3)])
    ends[:, 0], ends[:, 1] = np.minimum(ends[:, 0], 0), np.maximum(ends[:, 1], 0)
    half = np.maximum(np.diff(ends)[:, 0] / 2, 1e-9 * points.farthest) * 1.3
    slender = bool(half.max() > SLENDER * half.min())
    return _View(ends.mean(axis=1), half if slender else np.full(3, half.max()), slender)


def _projection(
    axes: Axes, points: Cloud, view: _View, across: int, up: int, theme: Theme,
) -> set[float]:
    """Draw what is seen from one side; return the levels that were outlined."""
    middle, half = view.middle[[across, up]], view.half[[across, up]]
    sides = [np.linspace(m - h, m + h, GRID) for m, h in zip(middle, half, strict=True)]
    density = points.projected(across, up, sides[0], sides[1])
    table = theme.ramp
    axes.imshow(table(density / max(float(density.max()), 1e-300)), origin="lower",
                extent=(sides[0][0], sides[0][-1], sides[1][0], sides[1][-1]),
                interpolation="bilinear", aspect="auto", zorder=1)
    lines = {}
    falling = np.sort(density, axis=None)[::-1]
    held = np.cumsum(falling)
    for level in LEVELS:
        edge = falling[min(int(np.searchsorted(held, level * held[-1])), falling.size - 1)]
        field = gaussian_filter(np.clip(density / max(float(edge), 1e-300), 0, 10), SOFT)
        found = [np.asarray(each) for each in
                 contour_generator(sides[0], sides[1], field).lines(1.0) if len(each) > 8]
        if found:
            lines[level] = found
    contour.draw(axes, lines, theme)
    axes.plot([0], [0], marker="o", markersize=4.5, markerfacecolor=theme.earth,
              markeredgecolor=theme.title, markeredgewidth=0.8, linestyle="none", zorder=6)
    _frame(axes, theme)
    axes.set(xlim=sides[0][[0, -1]], ylim=sides[1][[0, -1]])
    axes.set_xlabel(f"towards {_towards(points.axes[across])}, Mpc", fontsize=8.5,
                    color=theme.ink)
    axes.set_ylabel(f"towards {_towards(points.axes[up])}, Mpc", fontsize=8.5, color=theme.ink)
    return set(lines)


def _distances(
    figure: Figure, skymap: SkyMap, points: Cloud, summary: Summary, theme: Theme,
) -> None:
    """Draw the distribution of the distance: of the whole sky, and where it is most probable."""
    axes = figure.add_axes(_DISTANCE, facecolor=theme.ground)
    r, density = points.marginal
    colour = theme.contours[0.5]
    axes.fill_between(r, density, color=colour, alpha=0.22, linewidth=0)
    axes.plot(r, density, color=colour, linewidth=1.4, label="whole sky")
    cell = int(skymap.find(summary.ra, summary.dec))
    assert skymap.distmu is not None
    assert skymap.distsigma is not None
    assert skymap.distnorm is not None
    along = distances.pdf(r, skymap.distmu[cell], skymap.distsigma[cell], skymap.distnorm[cell])
    if np.isfinite(along).all() and (along > 0).any():
        axes.plot(r, along, color=theme.mark, linewidth=1.4, linestyle=(0, (5, 1.6)),
                  label="at the most probable position")
    _frame(axes, theme)
    top = max(float(density.max()), float(np.nanmax(along, initial=0.0)))
    axes.set(xlim=r[[0, -1]], ylim=(0, top * 1.28))
    axes.set_xlabel("distance, Mpc", fontsize=8.5, color=theme.ink)
    axes.set_ylabel("probability per Mpc", fontsize=8.5, color=theme.ink)
    for spine in ("top", "right"):
        axes.spines[spine].set_visible(False)
    canvas.legend(axes, axes.get_legend_handles_labels()[0], theme, loc="upper right")


def _explain(figure: Figure, drawn: set[float], view: _View, theme: Theme) -> None:
    handles: list[Artist] = canvas.keys(sorted(drawn), theme, "of what is seen")
    handles.append(Line2D([], [], marker="o", markersize=4.5, markerfacecolor=theme.earth,
                          markeredgecolor=theme.title, linestyle="none", label="Earth"))
    figure.legend(handles=handles, labelcolor=theme.text, frameon=False, ncols=4, loc="lower left",
                  bbox_to_anchor=(0.085, 0.872), fontsize=8.5, borderaxespad=0, borderpad=0,
                  columnspacing=1.6)
    if view.scaled:
        figure.text(0.935, 0.876, "axes are not to one scale", fontsize=8.5, color=theme.text,
                    ha="right", va="bottom")


def _frame(axes: Axes, theme: Theme) -> None:
    axes.set_facecolor(theme.ground)
    axes.tick_params(labelsize=8, colors=theme.ink, width=0.5, length=3)
    axes.locator_params(nbins=5)
    axes.ticklabel_format(style="sci", scilimits=(-3, 4), useMathText=True)
    for axis in (axes.xaxis, axes.yaxis):
        axis.get_offset_text().set(color=theme.ink, fontsize=8)
    for spine in axes.spines.values():
        spine.set_edgecolor(theme.ink)
        spine.set_linewidth(0.6)


def _towards(axis: Floats) -> str:
    ra, dec = to_degrees(axis)
    return f"RA {float(ra):.0f}°, Dec {float(dec):+.0f}°".replace("-", "\N{MINUS SIGN}")


def _cubic(volume: float, spoken: bool = False) -> str:
    """Return a volume with a unit that is easy to read, or to speak."""
    units = (("Gpc³", "giga", 1e9), ("Mpc³", "mega", 1.0), ("kpc³", "kilo", 1e-9),
             ("pc³", "", 1e-18))
    unit, prefix, size = next((u for u in units if volume >= 0.1 * u[2]), units[-1])
    # A volume is known to a few per cent at best.
    number = canvas.digits(float(f"{volume / size:.3g}"))
    return f"{number} cubic {prefix}parsecs" if spoken else f"{number} {unit}"
