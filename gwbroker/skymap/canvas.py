"""Canvas: what all pictures share, from the heading to the file."""

from __future__ import annotations

import io
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, cast

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.font_manager import findfont, get_font
from matplotlib.image import AxesImage
from matplotlib.lines import Line2D
from matplotlib.path import Path
from matplotlib.patheffects import withStroke
from matplotlib.ticker import FuncFormatter, MaxNLocator

from ..errors import SkyMapError
from .atomic import write_whole
from .contour import COLOURS
from .summary import Summary

RAMP = LinearSegmentedColormap.from_list(
    "gwbroker", ["#ffffff", "#fde3b4", "#f9a65a", "#e0533d", "#9c1f4b", "#3d0f3c"]
)
"""From white paper to dark ink, falling in lightness all the way, so that it survives a copier."""

Box = tuple[float, float, float, float]
INK = "#555555"
MARK = "#00a37a"
_CROSS = Path(
    [(-1, 0), (-0.4, 0), (0.4, 0), (1, 0), (0, -1), (0, -0.4), (0, 0.4), (0, 1)],
    [Path.MOVETO, Path.LINETO] * 4,
)
_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
_UNITS = (("deg²", 1.0), ("arcmin²", 3600.0), ("arcsec²", 3600.0**2), ("mas²", 3.6e6**2))
_FONT = "DejaVu Sans"
# Fonts and the salt of SVG are shared by the whole process: one drawing at a time.
_LOCK = threading.Lock()


@contextmanager
def drawing() -> Iterator[None]:
    """Let one thread at a time draw, with the settings that pictures are made with."""
    with _LOCK, matplotlib.rc_context({"svg.hashsalt": "gwbroker", "svg.fonttype": "path"}):
        yield


@lru_cache(maxsize=1)
def _glyphs() -> frozenset[int]:
    return frozenset(get_font(findfont(_FONT)).get_charmap())


def printable(text: str, most: int = 60) -> str:
    """Return text on one line, with what the font lacks replaced, cut where it is too long."""
    line = " ".join(text.split())
    shown = "".join(c if ord(c) in _glyphs() else "\N{REPLACEMENT CHARACTER}" for c in line)
    return shown if len(shown) <= most else shown[: most - 1].rstrip() + "…"


def new_figure(width: float, height: float) -> Figure:
    """Return an empty figure, inches, that knows nothing of pyplot."""
    figure = Figure(figsize=(width, height), facecolor="white")
    FigureCanvasAgg(figure)
    return figure


def heading(figure: Figure, title: str, line: str, left: float, top: float) -> None:
    """Write the title and one line of facts below it, at a place in parts of the figure."""
    shown = printable(title)
    width, height = (float(v) for v in figure.get_size_inches())
    size = 16 * min(1.0, 5 * width / max(len(shown), 1))
    common: dict[str, Any] = {"ha": "left", "parse_math": False, "family": _FONT}
    figure.text(left, top, shown, fontsize=size, weight="bold", va="bottom", **common)
    figure.text(
        left, top - 0.06 / height, line, fontsize=9.5, color="#444444", va="top", **common
    )


def facts(summary: Summary) -> str:
    """Return areas and distance on one line."""
    unit, factor = next((u for u in _UNITS if summary.area_90 * u[1] >= 0.1), _UNITS[-1])
    parts = [
        f"{level} area {_digits(area * factor)} {unit}"
        for level, area in (("50%", summary.area_50), ("90%", summary.area_90))
    ]
    if summary.distmean is not None and summary.diststd is not None:
        digits = 0 if summary.diststd >= 10 else 1
        parts.append(
            f"distance {summary.distmean:,.{digits}f} ± {summary.diststd:,.{digits}f} Mpc"
        )
    return "   ·   ".join(parts)


def _digits(value: float) -> str:
    """Return a number with two digits that matter, or all those before the point."""
    return f"{value:,.0f}" if value >= 9.95 else f"{value:#.2g}"


def mark(axes: Axes, x: float, y: float, size: float) -> None:
    """Draw a cross with an open middle, so that what it marks is seen."""
    axes.plot(
        [x], [y], marker=_CROSS, markersize=size, markeredgewidth=1.5, color=MARK,
        linestyle="none", zorder=7, clip_on=False,
        path_effects=[withStroke(linewidth=3, foreground="white")],
    )


def legend(axes: Axes, drawn: list[float], **where: Any) -> None:
    """Explain contours and mark."""
    handles = [Line2D([], [], color=COLOURS[v], label=f"{v:.0%} region") for v in drawn]
    handles.append(
        Line2D([], [], color=MARK, marker=_CROSS, markersize=10, markeredgewidth=1.5,
               linestyle="none", label="most probable")
    )
    axes.legend(handles=handles, fontsize=8.5, labelcolor="#333333", frameon=False, **where)


def colour_bar(figure: Figure, image: AxesImage, place: Box, horizontal: bool) -> None:
    """Draw the colour bar of an image of probability per square degree."""
    most = float(image.get_clim()[1] or 1.0)
    power = int(np.floor(np.log10(most)))
    power = 0 if -3 <= power <= 3 else power
    bar = figure.colorbar(
        image, cax=figure.add_axes(place), orientation="horizontal" if horizontal else "vertical",
        ticks=MaxNLocator(5), format=FuncFormatter(lambda v, _: f"{v / 10.0**power:.4g}"),
    )
    cast(Any, bar.outline).set_linewidth(0.5)
    bar.ax.tick_params(labelsize=8, colors=INK, width=0.5, length=3)
    times = f" (\N{MULTIPLICATION SIGN} 10{str(power).translate(_RAISED)})" if power else ""
    bar.set_label(f"probability per deg²{times}", fontsize=8.5, color=INK)


def save(figure: Figure, path: str | os.PathLike[str], dpi: float) -> None:
    """Write a picture as PNG or SVG, by its suffix, the same bytes for the same picture.

    Raises
    ------
    SkyMapError
        If the suffix is another.
    """
    suffix = os.path.splitext(os.fspath(path))[1].lower()
    if suffix not in (".png", ".svg"):
        raise SkyMapError(os.fspath(path), f"pictures are .png or .svg, not {suffix!r}")
    metadata = {"Software": None} if suffix == ".png" else {"Date": None, "Creator": None}
    buffer = io.BytesIO()
    figure.savefig(buffer, format=suffix[1:], dpi=dpi, metadata=metadata)
    write_whole(path, buffer.getvalue())
