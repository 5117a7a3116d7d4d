"""Names beside markers: each where nothing else stands, if need be at the end of a line."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from matplotlib.axes import Axes
from matplotlib.path import Path
from matplotlib.patheffects import withStroke

from .letters import families, printable
from .multiorder import Floats
from .sheet import Lines
from .theme import Theme

SIZE = 8.0
"""Of the letters, points."""

GAP = 4.0
"""Between a marker and a name that stands beside it, points."""

RINGS = (12.0, 20.0, 30.0, 42.0, 56.0, 72.0, 92.0, 116.0, 145.0, 180.0, 220.0, 270.0)
"""How long the line to a name may be, points."""

WAYS = 24
"""In how many directions it may go."""

_BESIDE = ((1, 0), (-1, 0), (1, 1), (1, -1), (-1, 1), (-1, -1), (0, 1), (0, -1))


@dataclass(frozen=True)
class Box:
    """A rectangle on a sheet.

    Parameters
    ----------
    left, right, low, high : float
        Its ends.
    """

    left: float
    right: float
    low: float
    high: float

    @property
    def points(self) -> Floats:
        """Its corners and what is half-way between them, shape (6, 2)."""
        middle = (self.left + self.right) / 2
        return np.array([(x, y) for x in (self.left, middle, self.right)
                         for y in (self.low, self.high)])

    def meets(self, other: Box) -> bool:
        """Tell whether two have something in common."""
        return (self.left < other.right and other.left < self.right
                and self.low < other.high and other.low < self.high)

    def apart(self, points: Floats) -> Floats:
        """Return how far points, shape (N, 2), are from it."""
        return np.asarray(np.hypot(*(points - self.nearest(points)).T), np.float64)

    def nearest(self, points: Floats) -> Floats:
        """Return its points that are nearest to points, shape (N, 2)."""
        return np.clip(points, (self.left, self.low), (self.right, self.high))


class Names:
    """Writes names beside markers.

    Parameters
    ----------
    axes : Axes
        Where.
    theme : Theme
        The colours.
    point : float
        A point of type in units of the axes.
    holds : callable
        Tells whether a place is within what is drawn.
    taken : list of Box
        Where something stands that no name may cover.
    lines : dict
        The edges of the map's regions, from `gwbroker.skymap.contour.outlines`: where there is a
        choice, names cover neither them nor the middle of the map.
    """

    def __init__(
        self, axes: Axes, theme: Theme, point: float, holds: Callable[[float, float], bool],
        taken: list[Box], lines: Lines,
    ) -> None:
        self._axes, self._theme, self._point, self._holds = axes, theme, point, holds
        self._taken = list(taken)
        edges = [line for each in lines.values() for line in each]
        self._edges = np.concatenate(edges) if edges else np.empty((0, 2))
        self._core = [Path(line) for line in lines[min(lines)]] if lines else []
        self._marks = np.empty((0, 2))
        self.boxes: list[Box] = []

    def mark(self, x: float, y: float, radius: float) -> None:
        """Note a marker, of a radius in points: no name stands on it where there is a choice."""
        room = radius * self._point
        self._marks = np.vstack([self._marks, [x, y]])
        self._taken.append(Box(x - room, x + room, y - room, y + room))

    def crowd(self, places: Floats) -> None:
        """Note many small markers, shape (N, 2)."""
        self._marks = np.vstack([self._marks, places])

    def write(self, text: str, x: float, y: float, radius: float) -> None:
        """Write the name of a marker, of a radius in points, that was noted before."""
        text = printable(text, 24)
        if not text:
            return
        made = self._axes.text(
            x, y, text, fontsize=SIZE, ha="left", va="center", zorder=6.6, parse_math=False,
            color=self._theme.title, family=families(),
            path_effects=[withStroke(linewidth=2.5, foreground=self._theme.ground)])
        extent = made.get_window_extent()
        figure = cast(Any, self._axes.figure)
        wide = float(extent.width) / figure.dpi * 72 * self._point
        # Letters reach down below the middle less than the box of all letters does.
        tall = 1.15 * SIZE * self._point
        best, least = None, np.inf
        for box, tip, length in self._places(x, y, radius, wide, tall):
            cost = self._cost(box, x, y, tip, length)
            if cost < least:
                best, least = (box, tip), cost
        if best is None:
            made.remove()
            return
        box, tip = best
        made.set_position((box.left, (box.low + box.high) / 2))
        self.boxes.append(box)
        self._taken.append(box)
        if tip is not None:
            self._line(x, y, radius, tip)

    def _places(
        self, x: float, y: float, radius: float, wide: float, tall: float,
    ) -> Iterator[tuple[Box, Floats | None, float]]:
        """Yield boxes around a marker, with the end and the length, points, of the line there."""
        near = (radius + GAP) * self._point
        for right, up in _BESIDE:
            # At a corner they are as near as at a side.
            away = near * (0.7 if right and up else 1.0)
            left = x + right * away - (wide if right < 0 else 0 if right else wide / 2)
            low = y + up * (away + tall / 2) - tall / 2
            yield Box(left, left + wide, low, low + tall), None, 0.0
        for length in RINGS:
            for angle in np.arange(WAYS) * (2 * np.pi / WAYS):
                way = np.array([np.cos(angle), np.sin(angle)])
                tip = np.array([x, y]) + way * (radius + length) * self._point
                # The line ends at the side of the name, or at its end.
                left = tip[0] - wide / 2 + way[0] * wide / 2
                low = tip[1] - tall / 2 + way[1] * tall / 2
                yield Box(left, left + wide, low, low + tall), tip, length

    def _cost(self, box: Box, x: float, y: float, tip: Floats | None, length: float) -> float:
        """Return how bad a place is, infinite if it cannot be."""
        points = box.points
        if not all(self._holds(float(a), float(b)) for a, b in points):
            return float("inf")
        if any(box.meets(other) for other in self._taken):
            return float("inf")
        apart = box.apart(self._marks)
        covered = int((apart < 3 * self._point).sum())
        own = float(box.apart(np.array([[x, y]]))[0])
        crossed = 0
        if tip is None:
            # Beside another marker it would be taken for that one's.
            if float(apart.min(initial=np.inf)) < own * 0.999:
                return float("inf")
        else:
            line = np.linspace((x, y), tip, 24)[6:]
            if any((other.apart(line) < self._point).any() for other in self.boxes):
                return float("inf")
            away = np.hypot(*(self._marks[:, np.newaxis] - line).transpose(2, 0, 1)).min(axis=1)
            crossed = int((away < 3 * self._point).sum())
        lines = bool((box.apart(self._edges) <= 0).any())
        core = any(path.contains_points(points).any() for path in self._core)
        # The line itself is as bad as 15 points of its length.
        return (3.0 * covered + crossed + 1.2 * lines + 1.5 * core + length / 25
                + (0.6 if length else 0.0))

    def _line(self, x: float, y: float, radius: float, tip: Floats) -> None:
        way = tip - (x, y)
        start = np.array([x, y]) + way / np.hypot(*way) * (radius + 0.5) * self._point
        self._axes.plot(
            *np.stack([start, tip], axis=-1), color=self._theme.title, linewidth=0.7, zorder=6.55,
            solid_capstyle="butt",
            path_effects=[withStroke(linewidth=2, foreground=self._theme.ground)])
