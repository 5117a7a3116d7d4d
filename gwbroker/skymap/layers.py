"""Layers: the overlays of a picture, drawn in an order in which each is still seen."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import cycle, pairwise
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.lines import Line2D
from matplotlib.markers import MarkerStyle
from matplotlib.patches import Patch
from matplotlib.patheffects import withStroke

from . import contour
from .bodies import sun_and_moon
from .letters import families, printable
from .moc import Moc
from .multiorder import Floats, SkyMap
from .overlays import Disc, Footprint, Overlays, Place
from .projection import to_degrees, to_vectors
from .sheet import Sampled, Sheet
from .theme import Theme

NAMED = 5
"""How many galaxies are named."""

MANY = 1000
"""How many galaxies are drawn at most."""

CROWD = 60
"""Of more galaxies or fields than these each is drawn thinner."""

BAND = 10.0
"""Half the width of the galactic band, degrees."""

_DASHES: Sequence[Any] = ("solid", (0, (5, 1.5)), (0, (1.5, 1.2)), (0, (5, 1.5, 1.5, 1.5)))


def galactic_axes() -> Floats:
    """Return the unit vectors of the galactic centre, of l = 90 deg and of the north pole.

    From the pole at RA 192.85948, Dec +27.12825 and the ascending node at l = 32.93192 deg
    (ESA 1997, The Hipparcos Catalogue, SP-1200, volume 1, section 1.5.3).
    """
    pole = to_vectors(192.85948, 27.12825)
    node = to_vectors(192.85948 + 90, 0.0)
    beyond = np.cross(pole, node)
    angle = np.radians(32.93192)
    centre = np.cos(angle) * node - np.sin(angle) * beyond
    return np.stack([centre, np.cross(pole, centre), pole])


class Layers:
    """Draws overlays on a sheet; remembers what the legend says of them, and where names stand.

    Parameters
    ----------
    axes : Axes
        Where.
    sheet : Sheet
        What part of the sky it is.
    theme : Theme
        The colours.
    taken : list of (x, y)
        Places where something else stands already, as the scale bar; names keep away.
    """

    def __init__(
        self, axes: Axes, sheet: Sheet, theme: Theme, taken: list[tuple[float, float]],
    ) -> None:
        self.axes, self.sheet, self.theme = axes, sheet, theme
        self.handles: list[Artist] = []
        self.places: list[tuple[float, float]] = []
        # Left, right, lower, upper end of what a name may not cover.
        room = 0.05 * sheet.half[0]
        self._marks: list[tuple[float, float]] = []
        self._taken = [(x - room, x + room, y - room / 2, y + room / 2) for x, y in taken]

    def draw(self, overlays: Overlays) -> list[Artist]:
        """Draw all, and return what the legend says of them."""
        if overlays.galactic_band:
            self._band()
        if overlays.galactic_plane or overlays.galactic_band:
            self._plane()
        if overlays.earth is not None:
            self._disc(overlays.earth)
        styles = cycle(_DASHES)
        for footprint in overlays.footprints:
            self._footprint(footprint, next(styles))
        if overlays.time is not None:
            sun, moon = sun_and_moon(overlays.time)
            self._body(sun, "o", self.theme.sun, 9)
            self._body(moon, "o", self.theme.moon, 7)
        if isinstance(overlays.other, SkyMap):
            self._other(overlays.other, overlays.other_name or "other event")
        elif overlays.other is not None:
            self._body(Place(overlays.other.name or "other event", overlays.other.ra,
                             overlays.other.dec), "*", self.theme.other, 13)
        if overlays.galaxies:
            self._galaxies(overlays.galaxies)
        return self.handles

    def _band(self) -> None:
        height = np.abs(self.sheet.vectors() @ galactic_axes()[2])
        self._fill(np.sin(np.radians(BAND)) - height, self.theme.plane, 0.16)
        self.handles.append(Patch(facecolor=self.theme.plane, alpha=0.3,
                                  label=f"within {BAND:.0f}° of it"))

    def _plane(self) -> None:
        centre, side, _ = galactic_axes()
        angle = np.linspace(0, 2 * np.pi, 1441)[:, np.newaxis]
        curve = np.cos(angle) * centre + np.sin(angle) * side
        if self._curves([curve], self.theme.plane, 1.3, "dashdot"):
            self.handles.insert(0, Line2D(
                [], [], color=self.theme.plane, linewidth=1.3, linestyle="dashdot",
                label="galactic plane"))
        else:
            self.handles.clear()

    def _disc(self, disc: Disc) -> None:
        inside = self.sheet.vectors() @ to_vectors(disc.ra, disc.dec) \
            - np.cos(np.radians(disc.radius))
        if (inside > 0).any():
            self._fill(inside, self.theme.earth, 0.3, edge=True)
            self.handles.append(Patch(facecolor=self.theme.earth, alpha=0.45,
                                      label="hidden by the Earth"))

    def _footprint(self, footprint: Footprint, style: Any) -> None:
        colour = self.theme.footprint
        if isinstance(footprint.shape, Moc):
            ra, dec = to_degrees(self.sheet.vectors())
            within = np.asarray(footprint.shape.contains(ra, dec), np.float64) - 0.5
            seen = bool((within > 0).any())
            if seen:
                self._fill(within, colour, 0.10, edge=True, style=style,
                           soft=1.5)
        else:
            # Lines of hundreds of fields would hide what is below them.
            width = 1.2 if len(footprint.shape) <= CROWD else 0.6
            seen = self._curves([_edges(polygon) for polygon in footprint.shape], colour, width,
                                style)
        if seen:
            self.handles.append(Line2D([], [], color=colour, linewidth=1.2, linestyle=style,
                                       label=printable(footprint.name, 24) or "footprint"))

    def _body(self, place: Place, marker: str, colour: str, size: float) -> None:
        x, y = (float(v) for v in self.sheet.forward(place.ra, place.dec))
        if not self._seen(x, y):
            return
        look: dict[str, Any] = {
            "marker": marker, "markersize": size, "color": colour, "linestyle": "none",
            "markeredgecolor": self.theme.title, "markeredgewidth": 0.8}
        self.axes.plot([x], [y], zorder=6.5, clip_on=False, **look)
        self.handles.append(Line2D([], [], label=printable(place.name, 24), **look))
        self.places.append((x, y))
        self._take(x, y, 0.0)

    def _other(self, other: SkyMap, name: str) -> None:
        lines = Sampled(other, self.sheet).outlines()
        drawn = contour.draw(self.axes, lines, self.theme, colour=self.theme.other, dashed=True)
        levels = " and ".join(f"{level:.0%}" for level in drawn)
        if not drawn:
            # Smaller than a few points of the picture.
            best = other.vectors[[int(np.argmax(other.probdensity))]]
            ra, dec = to_degrees(best)
            self._body(Place(name, float(ra[0]), float(dec[0])), "*", self.theme.other, 13)
            return
        self.handles.append(Line2D(
            [], [], color=self.theme.other, linewidth=1.1, linestyle=(0, (4, 1.6)),
            label=f"{printable(name, 24)}, {levels}"))

    def _galaxies(self, galaxies: Sequence[Place]) -> None:
        shown = list(galaxies)[:MANY]
        x, y = self.sheet.forward([g.ra for g in shown], [g.dec for g in shown])
        seen = np.array([self._seen(float(a), float(b)) for a, b in zip(x, y, strict=True)])
        if not seen.any():
            return
        crowded = int(seen.sum()) > CROWD
        size = (5 if crowded else 12) + 90 / (1 + np.arange(len(shown)))
        width = 0.6 if crowded else 1.0
        look: dict[str, Any] = {"facecolors": "none", "edgecolors": self.theme.galaxy,
                                "linewidths": width}
        self.axes.scatter(
            x[seen], y[seen], s=size[seen], marker=MarkerStyle("o"), zorder=6,
            path_effects=[withStroke(linewidth=2 * width, foreground=self.theme.ground)], **look)
        self.handles.append(Line2D(
            [], [], linestyle="none", marker="o", markerfacecolor="none", markersize=7,
            markeredgecolor=self.theme.galaxy, label="galaxies, the best largest"))
        for i in np.flatnonzero(seen):
            self._take(float(x[i]), float(y[i]), 0.0)
            self._marks.append((float(x[i]), float(y[i])))
        for i in np.flatnonzero(seen[:NAMED]):
            self._name(shown[i].name, float(x[i]), float(y[i]), float(np.sqrt(size[i])) / 2)

    def _name(self, text: str, x: float, y: float, radius: float) -> None:
        """Write a name beside a marker, on the first side where nothing stands yet."""
        text = printable(text, 20)
        unit = self._point()
        wide, tall = len(text) * 4.9 * unit, 9 * unit
        away = (radius + 4) * unit
        for right, up in ((1, 0), (-1, 0), (1, 1), (1, -1), (-1, 1), (-1, -1), (0, 1), (0, -1)):
            left = x + right * away - (wide if right < 0 else 0 if right else wide / 2)
            low = y + up * (away + tall / 2) - tall / 2
            box = (left, left + wide, low, low + tall)
            inside = all(self._seen(a, b) for a in box[:2] for b in box[2:])
            if not text or not inside or any(_meet(box, other) for other in self._taken):
                continue
            # Beside another marker it would be taken for that one's.
            if min(_apart(box, m) for m in self._marks) < _apart(box, (x, y)) * 0.999:
                continue
            self._taken.append(box)
            self.places.append((left + wide / 2, low + tall / 2))
            self.axes.text(
                left, low + tall / 2, text, fontsize=8, ha="left", va="center", zorder=6.6,
                color=self.theme.title, parse_math=False, family=families(),
                path_effects=[withStroke(linewidth=2.5, foreground=self.theme.ground)])
            return

    def _take(self, x: float, y: float, radius: float) -> None:
        room = (radius + 3) * self._point()
        self._taken.append((x - room, x + room, y - room, y + room))

    def _point(self) -> float:
        """Return the length of a point of type in units of the sheet."""
        figure = self.axes.figure
        assert figure is not None
        place = self.axes.get_position()
        inches = place.width * float(figure.get_size_inches()[0])  # type: ignore[union-attr]
        return 2 * self.sheet.half[0] / (inches * 72)

    def _seen(self, x: float, y: float) -> bool:
        if self.sheet.wraps:
            return bool((x / 2) ** 2 + y**2 <= 1.0001)
        return bool(abs(x) <= self.sheet.half[0] and abs(y) <= self.sheet.half[1])

    def _fill(
        self, values: Floats, colour: str, alpha: float, edge: bool = False, style: Any = "solid",
        soft: float = 0.0,
    ) -> None:
        """Fill where values at the points of the sheet are positive, smoothed over pixels."""
        lowest = float(values.min())
        grid = self.sheet.full(values, outside=np.nan)
        if soft:
            grid = contour.smooth(self.sheet.full(values), soft, self.sheet.inside)
        if float(values.max()) <= 0:
            return
        x, y = self.sheet.x, self.sheet.y
        masked = np.ma.masked_invalid(grid)
        self.axes.contourf(x, y, masked, [0.0, float(values.max()) * 1.01], colors=[colour],
                           alpha=alpha, zorder=3)
        if edge and lowest < 0:
            self.axes.contour(x, y, masked, [0.0], colors=[colour], linewidths=1.2,
                              linestyles=[style], zorder=3.5)

    def _curves(
        self, curves: Sequence[Floats], colour: str, width: float, style: Any,
    ) -> bool:
        """Draw curves of unit vectors, cut at the seam; return whether any of it is seen."""
        pieces: list[Floats] = []
        for curve in curves:
            x, y = self.sheet.forward(*to_degrees(curve))
            step = np.abs(np.diff(x)) > (1.0 if self.sheet.wraps else np.inf)
            away = ~np.isfinite(x)
            cut = np.flatnonzero(step | away[1:] | away[:-1]) + 1
            pieces += [piece for piece in np.split(np.column_stack([x, y]), cut)
                       if len(piece) > 1 and np.isfinite(piece).all()]
        near = [p for p in pieces if any(self._seen(float(a), float(b)) for a, b in p)]
        if near:
            self.axes.add_collection(LineCollection(
                near, colors=colour, linewidths=width, linestyles=[style], zorder=3.5,
                path_effects=[withStroke(linewidth=width + 1.2, foreground=self.theme.ground,
                                         alpha=0.5)]), autolim=False)
        return bool(near)


def _edges(polygon: Sequence[tuple[float, float]]) -> Floats:
    """Return the great circles between the corners of a polygon as a curve of unit vectors."""
    corners = to_vectors(*np.array([*polygon, polygon[0]], np.float64).T)
    part = np.linspace(0, 1, 33)[:-1, np.newaxis]
    pieces = [a + part * (b - a) for a, b in pairwise(corners)]
    curve = np.concatenate([*pieces, corners[-1:]])
    length = np.linalg.norm(curve, axis=1, keepdims=True)
    return np.asarray(curve / np.maximum(length, 1e-9), np.float64)


def _apart(box: tuple[float, ...], point: tuple[float, float]) -> float:
    """Return how far a point is from a box."""
    right = max(box[0] - point[0], 0.0, point[0] - box[1])
    up = max(box[2] - point[1], 0.0, point[1] - box[3])
    return float(np.hypot(right, up))


def _meet(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    return one[0] < other[1] and other[0] < one[1] and one[2] < other[3] and other[2] < one[3]
