"""Themes: the colours of pictures, on white paper or on a dark ground."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType

from matplotlib.colors import Colormap, LinearSegmentedColormap, to_rgb

from ..errors import SkyMapError

LEVELS = (0.5, 0.9)
"""The credible levels whose regions are outlined in all pictures."""


@dataclass(frozen=True)
class Theme:
    """The colours of a picture, each as ``#rrggbb``.

    Parameters
    ----------
    name : str
        How it is asked for.
    ground : str
        What everything is drawn on.
    title, text, ink : str
        Of the title, of the facts and legends, and of numbers along the axes; each has a
        contrast of at least 4.5 to the ground (WCAG 2.2, success criterion 1.4.3).
    grid : str
        Of the lines of equal right ascension and declination.
    stops : tuple of str
        The ramp of probability, from the ground upwards. Its lightness only ever falls (on
        white) or rises (on dark), so that it can be read without seeing colours.
    contours : mapping
        Colour of the edge of each credible region.
    mark, other, galaxy, footprint, sun, moon, earth, plane : str
        Of the most probable position and of what is laid over the map.
    first, second : str
        Of two maps that are compared.
    """

    name: str
    ground: str
    title: str
    text: str
    ink: str
    grid: str
    stops: tuple[str, ...]
    contours: Mapping[float, str]
    mark: str
    other: str
    galaxy: str
    footprint: str
    sun: str
    moon: str
    earth: str
    plane: str
    first: str
    second: str

    @cached_property
    def ramp(self) -> Colormap:
        """The ramp of probability."""
        return LinearSegmentedColormap.from_list(f"gwbroker-{self.name}", list(self.stops))


# Chosen so that lines and markers differ in lightness too, and for those who see two of three
# colours only (protan, deutan and tritan, Machado et al. 2009): a test holds them to it.
LIGHT = Theme(
    name="light", ground="#ffffff", title="#000000", text="#333333", ink="#555555",
    grid="#888888",
    stops=("#ffffff", "#fde3b4", "#f9a65a", "#e0533d", "#9c1f4b", "#3d0f3c"),
    contours=MappingProxyType({0.5: "#1f4e9c", 0.9: "#1a1a1a"}),
    mark="#00a37a", other="#b0215e", galaxy="#3a5400", footprint="#9d50cf", sun="#d07a00",
    moon="#6b7280", earth="#4f8794", plane="#8a6d3b", first="#c44e00", second="#0072b2",
)

DARK = Theme(
    name="dark", ground="#0e1116", title="#ffffff", text="#d6dbe3", ink="#a9b1bd",
    grid="#8b93a0",
    stops=("#0e1116", "#2a1650", "#6b1d81", "#b93778", "#ee6c50", "#fbb45a", "#fdf3b8"),
    contours=MappingProxyType({0.5: "#7fd0ff", 0.9: "#f5f5f5"}),
    mark="#45efb0", other="#ee5f8f", galaxy="#b8f163", footprint="#f594e2", sun="#ffd24a",
    moon="#a9adb3", earth="#2f78bd", plane="#bd9e68", first="#ff9d4d", second="#56b4e9",
)

THEMES = {each.name: each for each in (LIGHT, DARK)}


def theme(name: str | Theme) -> Theme:
    """Return the theme of a name.

    Raises
    ------
    SkyMapError
        If there is none of this name.
    """
    if isinstance(name, Theme):
        return name
    if name not in THEMES:
        raise SkyMapError("theme", f"{name!r} is not one of {', '.join(THEMES)}")
    return THEMES[name]


def luminance(colour: str) -> float:
    """Return the relative luminance of a colour, 0 to 1 (WCAG 2.2, definition)."""
    parts = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(colour)]
    return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]


def contrast(one: str, other: str) -> float:
    """Return the contrast of two colours, 1 to 21 (WCAG 2.2, definition)."""
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)
