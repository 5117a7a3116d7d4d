"""Pictures of sky maps: the whole sky, and the part that matters."""

from __future__ import annotations

import os

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.patches import Ellipse
from matplotlib.patheffects import withStroke

from . import alt, canvas, contour, graticule, marks
from .alt import flat
from .contour import Field
from .frame import Frame, frame
from .layers import Layers
from .mentions import extent, mentions
from .multiorder import SQUARE_DEGREE, SkyMap
from .overlays import NONE, Overlays
from .projection import Mollweide
from .sampled import Sampled
from .sheet import Sheet
from .sights import Sights
from .summary import Summary, summarize
from .theme import Theme
from .theme import theme as theme_of

LEGEND_COLUMNS = {"all-sky": 5, "zoom": 4}


def all_sky(
    skymap: SkyMap,
    path: str | os.PathLike[str],
    title: str,
    *,
    theme: str = "light",
    overlays: Overlays = NONE,
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
    theme : {"light", "dark"}
        On white or on a dark ground.
    overlays : Overlays, optional
        What is laid over the map; each has its line in a legend below, for which the picture
        grows.
    summary : Summary, optional
        If it is known already.
    centre_ra : float
        Right ascension in the middle, degrees.
    dpi : float
        Points per inch of a picture of 9 by 5.6 inches.

    Raises
    ------
    SkyMapError
        If the suffix of the path is neither, the theme unknown, or the time of an overlay is
        none.
    """
    canvas.kind(path)
    colours = theme_of(theme)
    summary = summary or summarize(skymap)
    sheet = Sheet.sky(centre_ra)
    sampled = Sampled(skymap, sheet)
    sights = Sights(overlays, sheet)
    with canvas.drawing():
        figure = canvas.new_figure(9, 5.6, colours)
        axes = figure.add_axes((0.065, 0.14, 0.87, 0.74))
        # What is smaller than a point of the picture is denser than any point of it.
        most = _top(skymap, float(skymap.probdensity.max()) / SQUARE_DEGREE)
        image = show(axes, sampled.smoothed(), sheet, colours, most)
        canvas.colour_bar(figure, image, (0.25, 0.085, 0.5, 0.02),
                          colours, horizontal=True)
        taken = whole_sky(axes, sheet, colours)
        lines = sampled.outlines()
        drawn = contour.draw(axes, lines, colours)
        x, y = (float(v) for v in sheet.forward(summary.ra, summary.dec))
        crossed = [] if flat(skymap) else marks.around(
            axes, x, y, 12, colours, lines, canvas.point(axes, sheet.half[0]), sights.holds)
        layers = Layers(axes, sights, colours, [*taken, *crossed], lines)
        handles = layers.draw()
        taken += layers.places
        contour.name_levels(axes, lines, colours, (1.6, 0.85), taken, 0.08)
        if crossed:
            canvas.legend(axes, canvas.keys(drawn, colours), colours, loc="lower right",
                          bbox_to_anchor=(1.05, -0.09))
        canvas.legend_below(figure, handles, colours, LEGEND_COLUMNS["all-sky"])
        canvas.heading(figure, title, canvas.facts(summary), colours, left=0.04)
        canvas.save(figure, path, dpi, title, _words(skymap, title, summary, sights, None))


def zoom(
    skymap: SkyMap,
    path: str | os.PathLike[str],
    title: str,
    *,
    theme: str = "light",
    overlays: Overlays = NONE,
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
    theme : {"light", "dark"}
        On white or on a dark ground.
    overlays : Overlays, optional
        What is laid over the map; each that is seen has its line in a legend below, for which
        the picture grows.
    summary : Summary, optional
        If it is known already.
    dpi : float
        Points per inch of a picture of 7 by 7 inches.

    Raises
    ------
    SkyMapError
        If the suffix of the path is neither, the theme unknown, or the time of an overlay is
        none.
    """
    canvas.kind(path)
    colours = theme_of(theme)
    summary = summary or summarize(skymap)
    shown = frame(skymap)
    sheet = Sheet.part(shown)
    sampled = Sampled(skymap, sheet)
    sights = Sights(overlays, sheet)
    with canvas.drawing():
        figure = canvas.new_figure(7, 7, colours)
        axes = figure.add_axes((0.125, 0.09, 0.75, 0.75))
        density = sampled.smoothed()
        image = show(axes, density, sheet, colours, _top(skymap, float(density.values.max())))
        canvas.colour_bar(figure, image, (0.89, 0.09, 0.02, 0.75),
                          colours, horizontal=False)
        lines = sampled.outlines()
        labels = graticule.draw_zoom(axes, shown, colours, lines)
        drawn = contour.draw(axes, lines, colours)
        x, y = (float(v) for v in sheet.forward(summary.ra, summary.dec))
        part_of_sky(axes, shown, colours)
        crossed = [] if flat(skymap) else marks.around(
            axes, x, y, 14, colours, lines, canvas.point(axes, shown.half), sights.holds)
        taken = [*crossed, *labels, *scale_bar(axes, shown, colours)]
        layers = Layers(axes, sights, colours, taken, lines)
        handles = layers.draw()
        taken += layers.places
        contour.name_levels(axes, lines, colours, sheet.half, taken, 0.12 * shown.half)
        if crossed:
            canvas.legend(axes, canvas.keys(drawn, colours), colours, loc="lower left", ncols=3,
                          bbox_to_anchor=(0, 1), borderaxespad=0.2, borderpad=0.2)
        canvas.legend_below(figure, handles, colours, LEGEND_COLUMNS["zoom"])
        part_of = "part of the sky" if flat(skymap) else "densest part"
        line = canvas.facts(summary) + ("" if shown.whole else f"   ·   {part_of} shown")
        canvas.heading(figure, title, line, colours, left=0.04, down=0.455)
        canvas.save(figure, path, dpi, title, _words(skymap, title, summary, sights, shown))


def describe(
    skymap: SkyMap, title: str, *, part: bool = False, overlays: Overlays = NONE,
    summary: Summary | None = None,
) -> str:
    """Return in words what a picture shows, as it is written into it.

    Parameters
    ----------
    skymap, title, overlays, summary
        As of `all_sky` and `zoom`.
    part : bool
        Whether it is that of `zoom`, not that of `all_sky`.
    """
    shown = frame(skymap) if part else None
    sights = Sights(overlays, Sheet.part(shown) if shown else Sheet.sky())
    return _words(skymap, title, summary, sights, shown)


def _words(
    skymap: SkyMap, title: str, summary: Summary | None, sights: Sights, shown: Frame | None,
) -> str:
    return alt.alt_text(skymap, title, summary=summary,
                        more=[extent(skymap, shown), *mentions(sights)])


def _top(skymap: SkyMap, most: float) -> float:
    """Return the end of the colour bar: the largest density, or twice it if all are equal."""
    return 2 * most if flat(skymap) else most


def show(
    axes: Axes, density: Field, sheet: Sheet, theme: Theme, most: float,
) -> ScalarMappable:
    """Show a density as an image, from the ground at zero to the end of the ramp.

    It is coloured here, because matplotlib would first bring it to the size of the picture.
    """
    scale = ScalarMappable(Normalize(0, most or 1.0), theme.ramp)
    table = (theme.ramp(np.arange(256)) * 255).round().astype(np.uint8)
    number = np.nan_to_num(density.values * (256 / (most or 1.0)), nan=0.0).clip(0, 255)
    coloured = table[number.astype(np.uint8)]
    axes.imshow(coloured, origin="lower", extent=sheet.extent(density.rows, density.columns),
                interpolation="nearest", aspect="auto", zorder=1)
    return scale


def whole_sky(axes: Axes, sheet: Sheet, theme: Theme) -> list[tuple[float, float]]:
    """Draw the frame of a picture of the whole sky; return the places of its labels."""
    assert isinstance(sheet.projection, Mollweide)
    labels = graticule.draw_all_sky(axes, sheet.projection, theme)
    axes.set(xlim=(-2.01, 2.01), ylim=(-1.01, 1.01), aspect="equal")
    axes.axis("off")
    axes.add_patch(Ellipse((0, 0), 4, 2, fill=False, edgecolor=theme.ink, linewidth=1, zorder=6))
    return labels


def part_of_sky(axes: Axes, shown: Frame, theme: Theme) -> None:
    """Draw the frame of a picture of a part of the sky."""
    half = shown.half
    axes.set(xlim=(-half, half), ylim=(-half, half), aspect="equal", xticks=[], yticks=[],
             facecolor=theme.ground)
    for spine in axes.spines.values():
        spine.set_edgecolor(theme.ink)


def scale_bar(axes: Axes, shown: Frame, theme: Theme) -> list[tuple[float, float]]:
    """Draw a bar of a round angle in the lower right corner; return the places it takes."""
    for symbol, unit in (("°", 1.0), ("\N{PRIME}", 1 / 60), ("″", 1 / 3600)):
        most = np.degrees(np.arcsin(0.5 * shown.half)) / unit
        if most >= 1 or symbol == "″":
            break
    power = 10.0 ** np.floor(np.log10(most))
    length = power * max(n for n in (1, 2, 5) if n * power <= most * 1.0001)
    width = np.sin(np.radians(length * unit))
    x, y = 0.93 * shown.half, -0.92 * shown.half
    axes.plot(
        [x - width, x], [y, y], color=theme.title, linewidth=2, solid_capstyle="butt", zorder=6,
        path_effects=[withStroke(linewidth=4, foreground=theme.ground)],
    )
    axes.annotate(
        f"{length:g}{symbol}", (x - width / 2, y), (0, 4), textcoords="offset points",
        ha="center", va="bottom", fontsize=9, zorder=6, color=theme.title,
        path_effects=[withStroke(linewidth=2.5, foreground=theme.ground)],
    )
    along = np.linspace(x - width, x, 5)
    return [(float(a), y + up * shown.half) for a in along for up in (0.0, 0.07)]
