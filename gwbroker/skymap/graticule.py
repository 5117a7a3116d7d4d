"""Graticules: the lines of equal right ascension and declination, labelled in degrees."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.patheffects import withStroke

from .frame import Frame
from .multiorder import Floats
from .projection import Mollweide, to_degrees, to_vectors
from .sheet import Lines
from .theme import Theme

_LINE: dict[str, Any] = {"linewidth": 0.5, "alpha": 0.6, "zorder": 2}
CROWDED = 0.13
"""Least distance of two labels on an edge, in half-widths of the frame."""

CLEAR = 0.06
"""Least distance of a label inside the frame from the edge of a region, in half-widths."""

_NICE = (1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 45.0, 90.0)


def nice_step(span: float, lines: int = 5) -> float:
    """Return a round step, degrees, that makes about so many lines in a span of degrees."""
    rough = span / lines
    if rough < 1:
        power = 10.0 ** np.floor(np.log10(rough))
        return float(power * next(n for n in (1, 2, 5, 10) if n * power >= rough * 0.999))
    return next((n for n in _NICE if n >= rough), _NICE[-1])


def label(value: float, step: float) -> str:
    """Return degrees with as many decimals as the step has, and a true minus sign."""
    decimals = max(0, int(np.ceil(-np.log10(step) - 1e-9)))
    text = f"{value:.{decimals}f}°"
    return "0°" if float(text[:-1]) == 0 else text.replace("-", "\N{MINUS SIGN}")


def _halo(theme: Theme) -> list[withStroke]:
    return [withStroke(linewidth=2, foreground=theme.ground)]


def draw_all_sky(
    axes: Axes, projection: Mollweide, theme: Theme,
) -> list[tuple[float, float]]:
    """Draw lines every 30 degrees, right ascension on the equator, declination on the left.

    Returns the places of the labels that stand inside.
    """
    outer, height = projection.place(180.0, np.linspace(-90, 90, 181))
    lines = [np.column_stack([outer * east / 180, height]) for east in range(-150, 180, 30)]
    for east in range(-150, 180, 30):
        axes.annotate(
            label((projection.ra + east) % 360, 30), (-east / 90, 0.0), (0, -2),
            textcoords="offset points", ha="center", va="top", fontsize=7.5, color=theme.ink,
            path_effects=_halo(theme), zorder=5,
        )
    for north in range(-60, 90, 30):
        x, y = projection.place(180.0, float(north))
        lines.append(np.array([[-x, y], [x, y]]))
        axes.annotate(
            label(north, 30) if north <= 0 else "+" + label(north, 30), (float(x), float(y)),
            (-4, 1.5 * np.sign(north)), textcoords="offset points", ha="right",
            va="center" if north == 0 else "bottom" if north > 0 else "top", fontsize=8,
            color=theme.ink,
        )
    axes.add_collection(LineCollection(lines, colors=theme.grid, **_LINE), autolim=False)
    return [(-east / 90, -0.03) for east in range(-150, 180, 30)]


def draw_zoom(
    axes: Axes, frame: Frame, theme: Theme, edges: Lines | None = None,
) -> list[tuple[float, float]]:
    """Draw lines at round degrees, labelled where they meet the lower and the left edge.

    Returns the places of the labels that stand inside, because their lines meet neither; they
    keep away from the edges of regions, which they would seem to name.
    """
    found = [np.concatenate(each) for each in (edges or {}).values() if each]
    busy = np.concatenate(found)[::3] if found else np.empty((0, 2))
    inner: list[tuple[float, float]] = []
    side = np.linspace(-frame.half, frame.half, 61)
    vectors = frame.projection.backward(*np.meshgrid(side, side))
    ra, dec = to_degrees(vectors)
    lon = (ra - frame.ra + 180) % 360 - 180
    lows, highs = float(dec.min()), float(dec.max())
    # With a pole in the frame, or close to it, every right ascension is there.
    around = bool(lon.max() - lon.min() > 180)
    if around:
        lows, highs = (lows, 90.0) if frame.dec > 0 else (-90.0, highs)
    pad = (highs - lows) * 0.02
    decs = np.linspace(max(lows - pad, -90), min(highs + pad, 90), 400)
    # A little more than the frame, so that every line meets its edge.
    more = 0.02 * float(lon.max() - lon.min())
    lons = np.linspace(lon.min() - more, lon.max() + more, 400)
    if around:
        lons = np.linspace(-180, 180, 721)
    dec_step = nice_step(highs - lows)
    taken: list[float] = []
    for value in _multiples(lows, highs, dec_step):
        x, y = frame.projection.forward(to_vectors(frame.ra + lons, value))
        text = label(value, dec_step)
        text = text if value <= 0 else "+" + text
        _line(axes, x, y, frame.half, text, "left", taken, theme, inner, busy)
    taken = []
    ra_step = 45.0 if around else nice_step(float(lon.max() - lon.min()))
    first, last = (0.0, 359.0) if around else (frame.ra + lon.min(), frame.ra + lon.max())
    for value in _multiples(first, last, ra_step):
        x, y = frame.projection.forward(to_vectors(value, decs))
        _line(axes, x, y, frame.half, label(value % 360, ra_step), "bottom", taken, theme, inner,
              busy)
    axes.set_xlabel("right ascension (ICRS)", labelpad=19, color=theme.ink, fontsize=9)
    axes.set_ylabel("declination (ICRS)", labelpad=36, color=theme.ink, fontsize=9)
    return inner


def _multiples(low: float, high: float, step: float) -> Floats:
    return np.arange(np.ceil(low / step), np.floor(high / step) + 1) * step


def _line(
    axes: Axes, x: Floats, y: Floats, half: float, text: str, edge: str, taken: list[float],
    theme: Theme, inner: list[tuple[float, float]], busy: Floats,
) -> None:
    """Draw a line within the frame, and its label where it leaves by the given edge.

    Near a pole lines leave close to each other; a label that would stand on one of those
    at the places ``taken`` is left out.
    """
    near = (np.abs(x) <= 1.1 * half) & (np.abs(y) <= 1.1 * half)
    axes.plot(np.where(near, x, np.nan), np.where(near, y, np.nan), color=theme.grid, **_LINE)
    left = edge == "left"
    across, along = (x, y) if left else (y, x)
    for i in np.flatnonzero(near[:-1] & near[1:]):
        a, b = across[i] + half, across[i + 1] + half
        if (a > 0) != (b > 0):
            place = float(along[i] + a / (a - b) * (along[i + 1] - along[i]))
            if any(abs(place - other) < CROWDED * half for other in taken):
                return
            if abs(place) <= half:
                taken.append(place)
                # Long numbers are turned, so that they need no more room than short ones.
                turned = left and len(text) > 6
                axes.annotate(
                    text, (-half, place) if left else (place, -half), (-5, 0) if left else (0, -5),
                    textcoords="offset points", ha="right" if left else "center",
                    va="center" if left else "top", fontsize=8.5, color=theme.ink,
                    rotation=90 if turned else 0,
                )
                return
    _inline(axes, x, y, half, text, theme, inner, busy)


def _inline(
    axes: Axes, x: Floats, y: Floats, half: float, text: str, theme: Theme,
    inner: list[tuple[float, float]], busy: Floats,
) -> None:
    """Write the label of a line that does not meet its edge on the line itself."""
    free = (np.abs(x) <= 0.9 * half) & (np.abs(y) <= 0.9 * half)
    # The scale bar is there, at most half as long as the frame is wide.
    free &= ~((x > 0.32 * half) & (y < -0.7 * half))
    for other in inner:
        free &= np.hypot(x - other[0], y - other[1]) > CROWDED * half
    places = np.flatnonzero(free)
    if len(places) and len(busy):
        away = np.hypot(x[places, np.newaxis] - busy[:, 0], y[places, np.newaxis] - busy[:, 1])
        places = places[away.min(axis=1) > CLEAR * half]
    if len(places):
        # Away from the middle, where the probability is.
        i = places[np.argmax(np.hypot(x[places], y[places]))]
        inner.append((float(x[i]), float(y[i])))
        axes.annotate(
            text, (float(x[i]), float(y[i])), ha="center", va="center", fontsize=7.5,
            color=theme.ink, path_effects=_halo(theme), zorder=5,
        )
