"""Layers: the overlays of a picture, drawn in an order in which each is still seen."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import cycle
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.lines import Line2D
from matplotlib.markers import MarkerStyle
from matplotlib.patches import Patch
from matplotlib.patheffects import withStroke

from . import canvas, contour
from .galactic import BAND
from .letters import printable
from .multiorder import Floats
from .names import Box, Names
from .sheet import Lines
from .sights import Outlined, Sights, Spot
from .theme import Theme

NAMED = {True: 1, False: 5}
"""How many galaxies are named: on the whole sky, and on a part of it."""

CROWD = 60
"""Of more galaxies or fields than these each is drawn thinner."""

_DASHES: Sequence[Any] = ("solid", (0, (5, 1.5)), (0, (1.5, 1.2)), (0, (5, 1.5, 1.5, 1.5)))


class Layers:
    """Draws overlays on a sheet; remembers what the legend says of them, and where names stand.

    Parameters
    ----------
    axes : Axes
        Where.
    sights : Sights
        What is seen of the overlays.
    theme : Theme
        The colours.
    taken : list of (x, y)
        Places where something else stands already, as the scale bar; names keep away.
    lines : dict, optional
        The edges of the map's regions, from `gwbroker.skymap.contour.outlines`; names keep away
        from them where they can.
    """

    def __init__(
        self, axes: Axes, sights: Sights, theme: Theme, taken: list[tuple[float, float]],
        lines: Lines | None = None,
    ) -> None:
        self.axes, self.sights, self.theme = axes, sights, theme
        self.sheet = sights.sheet
        self.handles: list[Artist] = []
        self.places: list[tuple[float, float]] = []
        room = 0.05 * self.sheet.half[0]
        self._names = Names(
            axes, theme, canvas.point(axes, self.sheet.half[0]), sights.holds,
            [Box(x - room, x + room, y - room / 2, y + room / 2) for x, y in taken], lines or {})

    def draw(self) -> list[Artist]:
        """Draw all, and return what the legend says of them."""
        self._galaxy()
        if self.sights.earth is not None:
            self._fill(self.sights.earth, self.theme.earth, 0.3, edge=True)
            self.handles.append(Patch(facecolor=self.theme.earth, alpha=0.45,
                                      label="hidden by the Earth"))
        for footprint, style in zip(self.sights.footprints, cycle(_DASHES), strict=False):
            if footprint is not None:
                self._footprint(footprint, style)
        self._body(self.sights.sun, "o", self.theme.sun, 9)
        self._body(self.sights.moon, "o", self.theme.moon, 7)
        self._other()
        if self.sights.galaxies:
            self._galaxies()
        for box in self._names.boxes:
            # Along all of a name, so that nothing is written across its end.
            self.places += [(float(x), (box.low + box.high) / 2)
                            for x in np.linspace(box.left, box.right, 5)]
        return self.handles

    def _galaxy(self) -> None:
        if self.sights.plane:
            self._curves(self.sights.plane, self.theme.plane, 1.3, "dashdot")
            self.handles.append(Line2D([], [], color=self.theme.plane, linewidth=1.3,
                                       linestyle="dashdot", label="galactic plane"))
        if self.sights.band is not None:
            self._fill(self.sights.band, self.theme.plane, 0.16)
            whom = "it" if self.sights.plane else "the galactic plane"
            self.handles.append(Patch(facecolor=self.theme.plane, alpha=0.3,
                                      label=f"within {BAND:.0f}° of {whom}"))

    def _footprint(self, footprint: Outlined, style: Any) -> None:
        colour = self.theme.footprint
        if footprint.inside is not None:
            self._fill(footprint.inside, colour, 0.10, edge=True, style=style, soft=1.5)
        # Lines of hundreds of fields would hide what is below them.
        width = 1.2 if footprint.count <= CROWD else 0.6
        self._curves(footprint.curves, colour, width, style)
        self.handles.append(Line2D([], [], color=colour, linewidth=1.2, linestyle=style,
                                   label=printable(footprint.name, 24) or "footprint"))

    def _body(self, spot: Spot | None, marker: str, colour: str, size: float) -> None:
        if spot is None:
            return
        look: dict[str, Any] = {
            "marker": marker, "markersize": size, "color": colour, "linestyle": "none",
            "markeredgecolor": self.theme.title, "markeredgewidth": 0.8}
        self.axes.plot([spot.x], [spot.y], zorder=6.5, clip_on=False, **look)
        self.handles.append(Line2D([], [], label=printable(spot.name, 24), **look))
        self.places.append((spot.x, spot.y))
        self._names.mark(spot.x, spot.y, size / 2)

    def _other(self) -> None:
        self._body(self.sights.other_spot, "*", self.theme.other, 13)
        lines = self.sights.other_regions
        drawn = contour.draw(self.axes, lines, self.theme, colour=self.theme.other, dashed=True)
        if drawn:
            levels = " and ".join(f"{level:.0%}" for level in drawn)
            self.handles.append(Line2D(
                [], [], color=self.theme.other, linewidth=1.1, linestyle=(0, (4, 1.6)),
                label=f"{printable(self.sights.other_name, 24)}, {levels}"))

    def _galaxies(self) -> None:
        found = self.sights.galaxies
        places = np.array([(spot.x, spot.y) for _, spot in found])
        best = 1 / (1 + np.array([rank for rank, _ in found]))
        crowded = len(found) > CROWD or self.sheet.wraps
        size = 4 + 10 * best if self.sheet.wraps else (5 if crowded else 12) + 90 * best
        width = 0.6 if crowded else 1.0
        look: dict[str, Any] = {"facecolors": "none", "edgecolors": self.theme.galaxy,
                                "linewidths": width}
        self.axes.scatter(
            places[:, 0], places[:, 1], s=size, marker=MarkerStyle("o"), zorder=6,
            path_effects=[withStroke(linewidth=2 * width, foreground=self.theme.ground)], **look)
        given = len(self.sights.overlays.galaxies)
        few = self.sheet.wraps and len(found) < given
        self.handles.append(Line2D(
            [], [], linestyle="none", marker="o", markerfacecolor="none", markersize=7,
            markeredgecolor=self.theme.galaxy,
            label=f"the best {len(found)} of {given} galaxies" if few
            else "galaxies, the best largest"))
        self._names.crowd(places)
        radius = np.sqrt(size) / 2
        for (rank, spot), points in zip(found, radius, strict=True):
            if rank < NAMED[self.sheet.wraps]:
                self._names.write(spot.name, spot.x, spot.y, float(points))

    def _fill(
        self, values: Floats, colour: str, alpha: float, edge: bool = False, style: Any = "solid",
        soft: float = 0.0,
    ) -> None:
        """Fill where values at the points of the sheet are positive, smoothed over pixels."""
        lowest = float(values.min())
        grid = self.sheet.full(values, outside=np.nan)
        if soft:
            grid = contour.smooth(self.sheet.full(values), soft, self.sheet.inside)
        x, y = self.sheet.x, self.sheet.y
        masked = np.ma.masked_invalid(grid)
        self.axes.contourf(x, y, masked, [0.0, float(values.max()) * 1.01], colors=[colour],
                           alpha=alpha, zorder=3)
        if edge and lowest < 0:
            self.axes.contour(x, y, masked, [0.0], colors=[colour], linewidths=1.2,
                              linestyles=[style], zorder=3.5)

    def _curves(self, curves: Sequence[Floats], colour: str, width: float, style: Any) -> None:
        if curves:
            self.axes.add_collection(LineCollection(
                list(curves), colors=colour, linewidths=width, linestyles=[style], zorder=3.5,
                path_effects=[withStroke(linewidth=width + 1.2, foreground=self.theme.ground,
                                         alpha=0.5)]), autolim=False)
