"""Marks: the most probable position, marked without covering what is there."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.path import Path
from matplotlib.patheffects import withStroke

from .multiorder import Floats
from .sheet import Lines
from .theme import Theme

CROSS = Path(
    [(-1, 0), (-0.4, 0), (0.4, 0), (1, 0), (0, -1), (0, -0.4), (0, 0.4), (0, 1)],
    [Path.MOVETO, Path.LINETO] * 4,
)
"""A cross with an open middle, so that what it marks is seen."""

ARM = 7.0
"""How long the arms of a cross around a small region are, points."""

NEAREST, FARTHEST = 4.0, 14.0
"""How far from the position they begin, points; a region that reaches further has no arm there."""

CLEAR = 2.5
"""What is left free between the edge of a region and an arm, points."""

_WAYS = np.array([(1.0, 0.0), (-1.0, 0.0), (0.0, 1.0), (0.0, -1.0)])


def cross(axes: Axes, x: float, y: float, size: float, theme: Theme) -> None:
    """Draw a cross of a size in points, unless its middle is outside of the axes."""
    (left, right), (low, high) = sorted(axes.get_xlim()), sorted(axes.get_ylim())
    if not (left <= x <= right and low <= y <= high):
        return
    axes.plot(
        [x], [y], marker=CROSS, markersize=size, markeredgewidth=1.5, color=theme.mark,
        linestyle="none", zorder=7,
        path_effects=[withStroke(linewidth=3, foreground=theme.ground)],
    )


def around(
    axes: Axes, x: float, y: float, size: float, theme: Theme, lines: Lines, point: float,
    holds: Callable[[float, float], bool],
) -> list[tuple[float, float]]:
    """Draw a cross whose arms begin where a small region ends; inside a large one, a plain one.

    Parameters
    ----------
    axes : Axes
        Where.
    x, y : float
        The position.
    size : float
        Of the plain cross, points.
    theme : Theme
        The colours.
    lines : dict
        The edges of the regions, from `gwbroker.skymap.contour.outlines`.
    point : float
        A point of type in units of the axes.
    holds : callable
        Tells whether a place is within what is drawn; an arm that is not is left out.

    Returns
    -------
    list of (x, y)
        The middle, and that of each arm.
    """
    arms = [arm for arm in (_arm(x, y, way, lines, point) for way in _WAYS)
            if arm is not None and holds(*arm[1])]
    if len(arms) < 2:
        cross(axes, x, y, size, theme)
        return [(x, y)]
    axes.add_collection(LineCollection(
        arms, colors=theme.mark, linewidths=1.5, zorder=7,
        path_effects=[withStroke(linewidth=3, foreground=theme.ground)]), autolim=False)
    return [(x, y), *((float(a), float(b)) for a, b in (arm.mean(axis=0) for arm in arms))]


def _arm(x: float, y: float, way: Floats, lines: Lines, point: float) -> Floats | None:
    """Return begin and end of an arm, shape (2, 2); None where a region reaches too far."""
    begin = NEAREST
    edges = lines[max(lines)] if lines else []
    if edges:
        away = (np.concatenate(edges) - (x, y)) / point
        along, aside = away @ way, np.abs(away @ way[::-1])
        # As wide as the arm and what is left free beside it.
        met = along[(aside < CLEAR) & (along > 0) & (along < FARTHEST + 2 * CLEAR + ARM)]
        near = met[met < FARTHEST]
        if len(near) == 0:
            return None
        begin = max(begin, float(near.max()) + CLEAR)
        if ((met > begin) & (met < begin + ARM + CLEAR)).any():
            return None
    return np.array([x, y]) + np.outer([begin, begin + ARM], way) * point
