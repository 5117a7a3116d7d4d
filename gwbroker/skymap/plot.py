"""Pictures of sky maps: the whole sky, and the part that matters."""

from __future__ import annotations

import os

import numpy as np
from matplotlib.axes import Axes
from matplotlib.image import AxesImage
from matplotlib.patches import Ellipse
from matplotlib.patheffects import withStroke

from . import canvas, contour, graticule
from .frame import Frame, frame
from .multiorder import SQUARE_DEGREE, Floats, SkyMap
from .projection import Mollweide, to_vectors
from .summary import Summary, summarize


def all_sky(
    skymap: SkyMap,
    path: str | os.PathLike[str],
    title: str,
    *,
    summary: Summary | None = None,
    centre_ra: float = 180.0,
    dpi: float = 150,
) -> None:
    """Draw the whole sky in Mollweide's projection, with the 50 % and 90 % regions.

    Parameters
    ----------
    skymap : SkyMap
        The map; its cells are sampled on the grid of the picture.
    path : path-like
        Where to write it, as ``.png`` or ``.svg``.
    title : str
        The name of the event, shown as it is.
    summary : Summary, optional
        If it is known already.
    centre_ra : float
        Right ascension in the middle, degrees.
    dpi : float
        Points per inch of a picture of 9 by 5.6 inches.

    Raises
    ------
    SkyMapError
        If the suffix of the path is neither.
    """
    summary = summary or summarize(skymap)
    projection = Mollweide(centre_ra)
    grid = np.linspace(-2, 2, 1201), np.linspace(-1, 1, 601)
    ra, dec = projection.backward(*np.meshgrid(*grid))
    inside = np.isfinite(ra)
    cell = np.zeros(ra.shape, np.int64)
    cell[inside] = skymap.find(ra[inside], dec[inside])
    density = skymap.probdensity[cell]
    # A unit of the projection is 2 sqrt(2) / pi of a radian and more, see Snyder.
    sigma = contour.blur(skymap, cell[inside], (grid[0][1] - grid[0][0]) * np.sqrt(2))

    with canvas.drawing():
        figure = canvas.new_figure(9, 5.6)
        axes = figure.add_axes((0.065, 0.14, 0.87, 0.74))
        image = _image(axes, contour.smooth(density, sigma, inside), (-2, 2, -1, 1))
        # What is smaller than a point of the picture is denser than any point of it.
        image.set_clim(0, float(skymap.probdensity.max()) / SQUARE_DEGREE)
        canvas.colour_bar(figure, image, (0.25, 0.085, 0.5, 0.02), horizontal=True)
        graticule.draw_all_sky(axes, projection)
        axes.set(xlim=(-2.01, 2.01), ylim=(-1.01, 1.01), aspect="equal")
        axes.axis("off")
        drawn = contour.draw(axes, grid, density, contour.thresholds(skymap), sigma, inside)
        axes.add_patch(
            Ellipse((0, 0), 4, 2, fill=False, edgecolor=canvas.INK, linewidth=1, zorder=6)
        )
        x, y = projection.forward(summary.ra, summary.dec)
        canvas.mark(axes, float(x), float(y), 22 if summary.area_90 < 300 else 12)
        canvas.legend(axes, drawn, loc="lower right", bbox_to_anchor=(1.05, -0.09))
        canvas.heading(figure, title, canvas.facts(summary), left=0.04, top=0.935)
        canvas.save(figure, path, dpi)


def zoom(
    skymap: SkyMap,
    path: str | os.PathLike[str],
    title: str,
    *,
    summary: Summary | None = None,
    dpi: float = 150,
) -> None:
    """Draw the 90 % region, or its densest part where it is spread, as seen on the sky.

    Parameters
    ----------
    skymap : SkyMap
        The map; its cells are sampled on the grid of the picture.
    path : path-like
        Where to write it, as ``.png`` or ``.svg``.
    title : str
        The name of the event, shown as it is.
    summary : Summary, optional
        If it is known already.
    dpi : float
        Points per inch of a picture of 7 by 7 inches.

    Raises
    ------
    SkyMapError
        If the suffix of the path is neither.
    """
    summary = summary or summarize(skymap)
    shown = frame(skymap)
    half = shown.half
    side = np.linspace(-half, half, 701)
    cell = skymap.find_vectors(shown.projection.backward(*np.meshgrid(side, side)))
    density = skymap.probdensity[cell]
    sigma = contour.blur(skymap, cell, float(side[1] - side[0]))

    with canvas.drawing():
        figure = canvas.new_figure(7, 7)
        axes = figure.add_axes((0.125, 0.09, 0.75, 0.75))
        image = _image(axes, contour.smooth(density, sigma), (-half, half, -half, half))
        canvas.colour_bar(figure, image, (0.89, 0.09, 0.02, 0.75), horizontal=False)
        graticule.draw_zoom(axes, shown)
        drawn = contour.draw(axes, (side, side), density, contour.thresholds(skymap), sigma)
        x, y = shown.projection.forward(to_vectors(summary.ra, summary.dec))
        canvas.mark(axes, float(x), float(y), 14)
        _scale_bar(axes, shown)
        axes.set(xlim=(-half, half), ylim=(-half, half), aspect="equal", xticks=[], yticks=[])
        canvas.legend(
            axes, drawn, loc="lower left", ncols=3, bbox_to_anchor=(0, 1), borderaxespad=0.2,
            borderpad=0.2,
        )
        line = canvas.facts(summary) + ("" if shown.whole else "   ·   densest part shown")
        canvas.heading(figure, title, line, left=0.04, top=0.935)
        canvas.save(figure, path, dpi)


def _image(axes: Axes, density: Floats, extent: canvas.Box) -> AxesImage:
    """Show a density, sr^-1, from white at zero."""
    per_degree = density / SQUARE_DEGREE
    return axes.imshow(
        per_degree, origin="lower", extent=extent, cmap=canvas.RAMP, vmin=0,
        vmax=float(np.nanmax(per_degree)), interpolation="nearest", aspect="auto", zorder=1,
    )


def _scale_bar(axes: Axes, shown: Frame) -> None:
    """Draw a bar of a round angle in the lower right corner."""
    for symbol, unit in (("°", 1.0), ("\N{PRIME}", 1 / 60), ("″", 1 / 3600)):
        most = np.degrees(np.arcsin(0.5 * shown.half)) / unit
        if most >= 1 or symbol == "″":
            break
    power = 10.0 ** np.floor(np.log10(most))
    length = power * max(n for n in (1, 2, 5) if n * power <= most * 1.0001)
    width = np.sin(np.radians(length * unit))
    x, y = 0.93 * shown.half, -0.92 * shown.half
    axes.plot(
        [x - width, x], [y, y], color="black", linewidth=2, solid_capstyle="butt", zorder=6,
        path_effects=[withStroke(linewidth=4, foreground="white")],
    )
    axes.annotate(
        f"{length:g}{symbol}", (x - width / 2, y), (0, 4), textcoords="offset points",
        ha="center", va="bottom", fontsize=9, zorder=6,
        path_effects=[withStroke(linewidth=2.5, foreground="white")],
    )
