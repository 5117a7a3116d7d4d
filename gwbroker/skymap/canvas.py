"""Canvas: what all pictures share, from the heading to the file."""

from __future__ import annotations

import io
import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from html import escape
from typing import Any, cast

import matplotlib
import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.cm import ScalarMappable
from matplotlib.figure import Figure
from matplotlib.legend import Legend
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, MaxNLocator
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from ..errors import SkyMapError
from .atomic import write_whole
from .letters import FONT, clean, families, printable
from .marks import CROSS
from .summary import Summary
from .theme import Theme

Box = tuple[float, float, float, float]
_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
_UNITS = (("deg²", 1.0), ("arcmin²", 3600.0), ("arcsec²", 3600.0**2), ("mas²", 3.6e6**2))
ROW = 0.235
"""Height of a row of a legend below a picture, inches."""

# Fonts and the salt of SVG are shared by the whole process: one drawing at a time.
_LOCK = threading.Lock()


@contextmanager
def drawing() -> Iterator[None]:
    """Let one thread at a time draw, with the settings that pictures are made with."""
    settings: dict[str, Any] = {
        "svg.hashsalt": "gwbroker", "svg.fonttype": "path", "font.family": [FONT]}
    with _LOCK, matplotlib.rc_context(cast(Any, settings)):
        yield


def new_figure(width: float, height: float, theme: Theme) -> Figure:
    """Return an empty figure, inches, that knows nothing of pyplot."""
    figure = Figure(figsize=(width, height), facecolor=theme.ground)
    FigureCanvasAgg(figure)
    return figure


def _grow(figure: Figure, extra: float) -> None:
    """Give a figure so many inches more below, and leave all axes as large as they are."""
    width, height = (float(v) for v in figure.get_size_inches())
    whole = height + extra
    for axes in figure.axes:
        left, bottom, wide, tall = axes.get_position(original=True).bounds
        axes.set_position((left, (bottom * height + extra) / whole, wide, tall * height / whole))
    figure.set_size_inches(width, whole)


def point(axes: Axes, half: float) -> float:
    """Return the length of a point of type in units of axes of which half the width is given."""
    inches = axes.get_position().width * float(cast(Any, axes.figure).get_size_inches()[0])
    return 2 * half / (inches * 72)


def heading(
    figure: Figure, title: str, line: str, theme: Theme, left: float, down: float = 0.36,
) -> None:
    """Write the title, so many inches below the top, and lines of facts below it."""
    shown = printable(title)
    width, height = (float(v) for v in figure.get_size_inches())
    names = families()
    text = figure.text(
        left, 1 - down / height, shown, fontsize=16, weight="bold", va="bottom", ha="left",
        parse_math=False, family=names, color=theme.title,
    )
    # As wide as it is in its font: Greek and Chinese letters are wider than others.
    wide = _width(text) / figure.dpi
    text.set_fontsize(16 * min(1.0, (1 - 2 * left) * width / max(wide, 1e-9)))
    figure.text(
        left, 1 - (down + 0.06) / height, line, fontsize=9.5, color=theme.text, va="top",
        ha="left", parse_math=False, family=names, linespacing=1.35,
    )


def _width(text: Any) -> float:
    return float(text.get_window_extent().width)


def _unit(area: float) -> tuple[str, float]:
    return next((u for u in _UNITS if area * u[1] >= 0.1), _UNITS[-1])


def area_90(summary: Summary) -> str:
    """Return the area of the 90 % region with its unit."""
    unit, factor = _unit(summary.area_90)
    return f"90% area {digits(summary.area_90 * factor)} {unit}"


def facts(summary: Summary) -> str:
    """Return areas and distance on one line."""
    unit, factor = _unit(summary.area_90)
    parts = [
        f"{level} area {digits(area * factor)} {unit}"
        for level, area in (("50%", summary.area_50), ("90%", summary.area_90))
    ]
    if summary.distmean is not None and summary.diststd is not None:
        parts.append(f"distance {mpc(summary.distmean, summary.diststd)}")
    return "   ·   ".join(parts)


def mpc(mean: float, std: float) -> str:
    """Return a distance with its uncertainty."""
    decimals = 0 if std >= 10 else 1
    return f"{mean:,.{decimals}f} ± {std:,.{decimals}f} Mpc"


def digits(value: float) -> str:
    """Return a number with two digits that matter, or all those before the point."""
    return f"{value:,.0f}" if value >= 9.95 else f"{value:#.2g}"


def keys(drawn: Sequence[float], theme: Theme, noun: str = "region") -> list[Artist]:
    """Return what a legend says of contours and mark."""
    cross = Line2D([], [], color=theme.mark, marker=CROSS, markersize=10, markeredgewidth=1.5,
                   linestyle="none", label="most probable")
    regions = [Line2D([], [], color=theme.contours[v], label=f"{v:.0%} {noun}") for v in drawn]
    return [*regions, cross]


def legend(axes: Axes, handles: Sequence[Artist], theme: Theme, **where: Any) -> None:
    """Explain what is drawn."""
    _plain(axes.legend(
        handles=list(handles), labels=_labels(handles), fontsize=8.5, labelcolor=theme.text,
        frameon=False, prop={"family": families(), "size": 8.5}, **where))


def _labels(handles: Sequence[Artist]) -> list[str]:
    """Return labels, none of which begins as those do that matplotlib leaves out."""
    labels = [str(handle.get_label()) for handle in handles]
    return [" " + label if label.startswith("_") else label for label in labels]


def _plain(made: Legend) -> Legend:
    """Let no name be taken for mathematics."""
    for text in made.get_texts():
        text.set_parse_math(False)
    return made


def legend_below(
    figure: Figure, handles: Sequence[Artist], theme: Theme, columns: int,
) -> None:
    """Explain what is laid over the map, in rows below the picture, which grows for them."""
    if not handles:
        return
    renderer = cast(Any, figure.canvas).get_renderer()
    for number in range(min(columns, len(handles)), 0, -1):
        made = _plain(figure.legend(
            handles=list(handles), labels=_labels(handles), labelcolor=theme.text, frameon=False,
            ncols=number, loc="lower center", bbox_to_anchor=(0.5, 0.0), borderaxespad=0.3,
            borderpad=0.1, labelspacing=0.45, columnspacing=1.6,
            prop={"family": families(), "size": 8.5}))
        if number == 1 or made.get_window_extent(renderer).width < 0.97 * figure.bbox.width:
            break
        # Long names need more rows.
        made.remove()
    # Whole points of most screens, so that all above is drawn as it would be without.
    _grow(figure, round((-(-len(handles) // number) * ROW + 0.1) * 50) / 50)


def colour_bar(
    figure: Figure, image: ScalarMappable, place: Box, theme: Theme, horizontal: bool,
    label: str = "probability per deg²",
) -> None:
    """Draw the colour bar of an image."""
    most = float(image.get_clim()[1] or 1.0)
    power = int(np.floor(np.log10(most)))
    power = 0 if -1 <= power <= 3 else power
    bar = figure.colorbar(
        image, cax=figure.add_axes(place), orientation="horizontal" if horizontal else "vertical",
        ticks=MaxNLocator(5), format=FuncFormatter(lambda v, _: f"{v / 10.0**power:.4g}"),
    )
    outline = cast(Any, bar.outline)
    outline.set_linewidth(0.5)
    outline.set_edgecolor(theme.ink)
    bar.ax.tick_params(labelsize=8, colors=theme.ink, width=0.5, length=3)
    times = f" (\N{MULTIPLICATION SIGN} 10{str(power).translate(_RAISED)})" if power else ""
    bar.set_label(f"{label}{times}", fontsize=8.5, color=theme.ink)


def kind(path: str | os.PathLike[str]) -> str:
    """Return the suffix of a picture that can be written; asked before anything is drawn.

    Raises
    ------
    SkyMapError
        If the suffix is another.
    """
    suffix = os.path.splitext(os.fspath(path))[1].lower()
    if suffix not in (".png", ".svg"):
        raise SkyMapError(os.fspath(path), f"pictures are .png or .svg, not {suffix!r}")
    return suffix


def save(
    figure: Figure, path: str | os.PathLike[str], dpi: float, title: str = "", said: str = "",
) -> None:
    """Write a picture as PNG or SVG, by its suffix, the same bytes for the same picture.

    Parameters
    ----------
    figure : Figure
        The picture.
    path : path-like
        Where to write it.
    dpi : float
        Points per inch of a PNG.
    title, said : str
        What the picture is of, and what it shows, for those who cannot see it: ``Title`` and
        ``Description`` of a PNG, ``<title>`` and ``<desc>`` of an SVG.

    Raises
    ------
    SkyMapError
        If the suffix is another.
    """
    encode = _png if kind(path) == ".png" else _svg
    write_whole(path, encode(figure, dpi, clean(title), clean(said)))


def _png(figure: Figure, dpi: float, title: str, said: str) -> bytes:
    figure.set_dpi(dpi)
    canvas: Any = FigureCanvasAgg(figure)
    canvas.draw()
    # The ground is opaque, so that transparency would say nothing.
    picture = Image.fromarray(np.ascontiguousarray(np.asarray(canvas.buffer_rgba())[..., :3]))
    words = PngInfo()
    for name, text in (("Title", title), ("Description", said)):
        if text:
            words.add_text(name, text)
    buffer = io.BytesIO()
    # Level 3 is a third faster than the usual 6, and no larger for pictures like these.
    picture.save(buffer, format="png", dpi=(dpi, dpi), pnginfo=words, compress_level=3)
    return buffer.getvalue()


def _svg(figure: Figure, dpi: float, title: str, said: str) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="svg", dpi=dpi, metadata={"Date": None, "Creator": None})
    content = buffer.getvalue()
    start = content.index(b"<svg ")
    end = content.index(b">", start)
    words = f"\n <title>{escape(title)}</title>\n <desc>{escape(said)}</desc>".encode()
    return b"".join([
        content[:end], b' role="img"', content[end : end + 1], words, content[end + 1 :]])
