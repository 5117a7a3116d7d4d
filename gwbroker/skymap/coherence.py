"""Coherence: two maps on one sky, whether they agree, and where they meet."""

from __future__ import annotations

import os

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.lines import Line2D
from matplotlib.patches import Ellipse

from . import alt, canvas, contour, graticule
from .combine import product
from .frame import Frame, frame
from .letters import printable
from .multiorder import SkyMap
from .overlap import APART, overlap
from .plot import part_of_sky, scale_bar, whole_sky
from .sampled import Sampled
from .sheet import Lines, Sheet
from .summary import Summary, summarize
from .theme import Theme
from .theme import theme as theme_of

STRONG = 10.0
"""A larger overlap integral is strong evidence that maps agree, one below its inverse that not."""

_WIDTH, _HEIGHT = 13.0, 5.3
_DASHES = (False, True)


def coherence(
    a: SkyMap,
    b: SkyMap,
    path: str | os.PathLike[str],
    titles: tuple[str, str] = ("first map", "second map"),
    *,
    theme: str = "light",
    dpi: float = 150,
) -> None:
    """Draw the regions of two maps on the whole sky, and where they meet.

    The heading has the overlap integral (`gwbroker.skymap.overlap.overlap`): 1 if the maps know
    nothing of each other, more if they agree, 0 if they exclude each other. From a tenth to ten it
    is weak evidence only.

    Parameters
    ----------
    a, b : SkyMap
        The maps.
    path : path-like
        Where to write it, as ``.png`` or ``.svg``.
    titles : tuple of str
        The names of the events.
    theme : {"light", "dark"}
        On white or on a dark ground.
    dpi : float
        Points per inch of a picture of 13 by 5.3 inches.

    Raises
    ------
    SkyMapError
        If the suffix of the path is neither, or the theme unknown.
    """
    canvas.kind(path)
    colours = theme_of(theme)
    agreement = overlap(a, b)
    summaries = summarize(a), summarize(b)
    maps, paints = (a, b), (colours.first, colours.second)
    shown = _meeting(a, b, summaries, agreement)
    names = [printable(t, 28) or f"map {n}" for n, t in enumerate(titles, 1)]
    with canvas.drawing():
        figure = canvas.new_figure(_WIDTH, _HEIGHT, colours)
        sky = figure.add_axes((0.045, 0.055, 0.575, 0.77))
        near = figure.add_axes((0.69, 0.115, 0.29, 0.29 * _WIDTH / _HEIGHT))
        drawn: dict[int, list[float]] = {}
        edges: Lines = {}
        for number, (skymap, paint) in enumerate(zip(maps, paints, strict=True)):
            sheet = Sheet.sky()
            lines = _regions(sky, Sampled(skymap, sheet), colours, paint, _DASHES[number])
            if not lines:
                best = summaries[number]
                x, y = sheet.forward(best.ra, best.dec)
                _point(sky, float(x), float(y), paint, colours)
            close = _regions(near, Sampled(skymap, Sheet.part(shown)), colours, paint,
                             _DASHES[number])
            drawn[number] = sorted({*lines, *close})
            edges |= {number + level: each for level, each in close.items()}
        whole_sky(sky, Sheet.sky(), colours)
        graticule.draw_zoom(near, shown, colours, edges)
        scale_bar(near, shown, colours)
        part_of_sky(near, shown, colours)
        _outline(sky, shown, colours)
        handles: list[Artist] = [
            Line2D([], [], color=paint, linestyle=(0, (4, 1.6)) if dashed else "solid",
                   label=" ".join([name, " and ".join(f"{v:.0%}" for v in drawn[n])]))
            for n, (name, paint, dashed) in enumerate(zip(names, paints, _DASHES, strict=True))]
        handles.append(Line2D([], [], color=colours.ink, linewidth=0.9,
                              linestyle=(0, (1.5, 1.5)), label="enlarged"))
        canvas.legend_below(figure, handles, colours, 3)
        said = agree(agreement)
        areas = "   ·   ".join(f"{n} {canvas.area_90(s)}"
                               for n, s in zip(names, summaries, strict=True))
        canvas.heading(figure, f"{names[0]} and {names[1]}",
                       f"overlap {said}   ·   {areas}", colours, left=0.03)
        canvas.save(figure, path, dpi, f"{titles[0]} and {titles[1]}",
                    alt_text(a, b, titles, agreement=agreement, summaries=summaries))


def agree(value: float) -> str:
    """Return an overlap integral, with what it means."""
    number = f"{value:,.0f}" if value >= 100 else f"{value:.3g}" if value >= 1e-3 else "0"
    if 0.95 < value <= 1.05:
        return f"{number} (no evidence)"
    meaning = "agree" if value > 1 else "disagree"
    return f"{number} (they {meaning}{' weakly' if 1 / STRONG < value < STRONG else ''})"


def alt_text(
    a: SkyMap, b: SkyMap, titles: tuple[str, str], *, agreement: float | None = None,
    summaries: tuple[Summary, Summary] | None = None,
) -> str:
    """Return plain sentences about two maps and whether they agree.

    Parameters
    ----------
    a, b : SkyMap
        The maps.
    titles : tuple of str
        The names of the events.
    agreement : float, optional
        Their overlap integral, if it is known already.
    summaries : tuple of Summary, optional
        If they are known already.
    """
    known = summaries or (summarize(a), summarize(b))
    said = agree(overlap(a, b) if agreement is None else agreement)
    parts = [alt.alt_text(m, t, summary=s) for m, t, s in zip((a, b), titles, known, strict=True)]
    return f"Two sky maps on one sky; their overlap integral is {said}. {' '.join(parts)}"


def _meeting(
    a: SkyMap, b: SkyMap, summaries: tuple[Summary, Summary], agreement: float,
) -> Frame:
    """Return the part of the sky where both maps have probability, or the smaller region."""
    smaller = a if summaries[0].area_90 <= summaries[1].area_90 else b
    if agreement < APART:
        # Where their faint tails meet there is nothing to be seen.
        return frame(smaller, margin=1.6)
    return frame(product(a, b, distances="none"), margin=1.6)


def _regions(axes: Axes, sampled: Sampled, theme: Theme, paint: str, dashed: bool) -> Lines:
    """Draw the regions of a map in one colour, the 50 % region darker."""
    sheet = sampled.sheet
    depth = np.zeros(sheet.shape)
    for field in sampled.fields.values():
        # From nothing to all over a narrow edge, so that it is not stepped.
        depth[field.rows, field.columns] += np.nan_to_num(np.clip(field.values * 30 + 0.5, 0, 1))
    alpha = 0.17 * depth
    image = np.empty((*depth.shape, 4), np.uint8)
    image[..., :3] = np.round(np.array(to_rgb(paint)) * 255)
    image[..., 3] = np.round(alpha * 255)
    axes.imshow(image, origin="lower", extent=sheet.box, interpolation="nearest", aspect="auto",
                zorder=1.5)
    lines = sampled.outlines()
    contour.draw(axes, lines, theme, colour=paint, dashed=dashed)
    return lines


def _point(axes: Axes, x: float, y: float, paint: str, theme: Theme) -> None:
    """Draw a region that is smaller than a few points of the picture."""
    axes.plot([x], [y], marker="o", markersize=6, color=paint, markeredgecolor=theme.title,
              markeredgewidth=0.8, linestyle="none", zorder=6)


def _outline(axes: Axes, shown: Frame, theme: Theme) -> None:
    """Mark on the whole sky what is shown enlarged."""
    x, y = Sheet.sky().forward(shown.ra, shown.dec)
    reach = max(2 * np.sqrt(2) / np.pi * np.arcsin(shown.half), 0.035)
    axes.add_patch(Ellipse((float(x), float(y)), 2 * reach, 2 * reach, fill=False, zorder=6,
                           edgecolor=theme.ink, linewidth=0.9, linestyle=(0, (1.5, 1.5))))
