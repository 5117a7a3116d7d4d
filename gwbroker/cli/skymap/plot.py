"""``gwbroker skymap plot``: pictures of a map, and the data of an interactive view."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ...errors import SkyMapError
from ..options import json_option, load_map, map_argument

if TYPE_CHECKING:
    from ...skymap.multiorder import SkyMap
    from ...skymap.overlays import Overlays

KINDS = ("all-sky", "zoom", "volume", "view")


@click.command()
@map_argument
@click.option("-o", "--output", "out", required=True, metavar="OUT",
              type=click.Path(path_type=Path, dir_okay=False),
              help="Where to: .png or .svg; .json of a view.")
@click.option("--kind", type=click.Choice(KINDS), default="all-sky", show_default=True,
              help="What to draw; view writes JSON.")
@click.option("--theme", type=click.Choice(("light", "dark")), default="light",
              show_default=True, help="On white or on a dark ground.")
@click.option("--title", metavar="TEXT",
              help="By default the alert's event, the map's OBJECT or the file's name.")
@click.option("--galaxies", metavar="TABLE", type=click.Path(exists=True, dir_okay=False),
              help="Mark the galaxies of a table, best first, as crossmatch writes it.")
@click.option("--footprint", "footprints", metavar="FILE", multiple=True,
              type=click.Path(exists=True, dir_okay=False),
              help="Outline a MOC, or polygons in JSON; may be given again.")
@click.option("--other", metavar="MAP", help="Outline another event's map.")
@click.option("--time", metavar="TIME", help="Mark Sun and Moon, as 2027-01-02T03:04:05Z.")
@click.option("--earth", type=float, nargs=3, metavar="RA DEC RADIUS",
              help="Shade what the Earth hides; degrees.")
@click.option("--galactic-plane", is_flag=True, help="Draw the line b = 0.")
@click.option("--galactic-band", is_flag=True, help="Shade |b| < 10 degrees, too.")
@click.option("--coherence", metavar="MAP", help="Draw FILE and this map on one sky instead.")
@json_option
def plot(
    file: str, out: Path, kind: str, theme: str, title: str | None, coherence: str | None,
    json_: bool, **wanted: Any,
) -> None:
    """Draw the map in FILE, or write the data of an interactive view of it.

    The picture is described in words in its metadata (Description in PNG, desc in SVG).
    """
    import gc

    # What is imported and drawn stays until the end: looking for garbage only takes time.
    gc.disable()
    try:
        _plot(file, out, kind, theme, title, coherence, json_, wanted)
    finally:
        gc.enable()


def _plot(
    file: str, out: Path, kind: str, theme: str, title: str | None, coherence: str | None,
    json_: bool, wanted: dict[str, Any],
) -> None:
    _agree(out, kind, coherence, wanted)
    skymap = load_map(file)
    name = title if title is not None else _name(skymap, file)
    draw = _coherence if coherence else {"volume": _volume, "view": _view}.get(kind, _sky)
    overlays = _overlays(wanted)
    try:
        said = draw(skymap, out, name, theme, kind, overlays, coherence or file)
    except OSError as e:
        raise SkyMapError(str(out), f"cannot be written: {e.strerror}") from e
    if json_:
        from ..output import as_json

        as_json({"path": str(out), "kind": "coherence" if coherence else kind, "theme": theme,
                 "title": name, **said})
        return
    click.echo(f"{out}: {said['alt']}")


def _agree(out: Path, kind: str, coherence: str | None, wanted: dict[str, Any]) -> None:
    """Refuse what cannot be had together, before anything is read."""
    suffix = out.suffix.lower()
    suffixes = (".json",) if kind == "view" and not coherence else (".png", ".svg")
    if suffix not in suffixes:
        raise click.UsageError(
            f"--kind {kind} is written as {' or '.join(suffixes)}, not {suffix or 'nothing'!r}.")
    if coherence and kind != "all-sky":
        raise click.UsageError("--coherence is a picture of its own: leave --kind out.")
    given = [f"--{n.replace('_', '-').rstrip('s') if n == 'footprints' else n.replace('_', '-')}"
             for n, value in wanted.items() if value]
    if given and (coherence or kind == "volume"):
        raise click.UsageError(
            f"{given[0]} is laid over all-sky, zoom and view, not over"
            f" {'--coherence' if coherence else '--kind volume'}.")


def _overlays(wanted: dict[str, Any]) -> Overlays:
    from ...skymap.overlays import Disc, Footprint, Overlays, Place

    galaxies: list[Place] = []
    if wanted["galaxies"]:
        from ...catalogues.candidates import Candidates

        table = Candidates.read(wanted["galaxies"])
        galaxies = [Place(str(n or ""), float(ra), float(dec))
                    for n, ra, dec in zip(table.name, table.ra, table.dec, strict=True)]
    other = wanted["other"]
    found = load_map(other) if other else None
    return Overlays(
        galaxies=galaxies,
        footprints=[Footprint.read(each) for each in wanted["footprints"]],
        other=found,
        other_name=_name(found, other) if found is not None else "",
        time=wanted["time"],
        earth=Disc(*wanted["earth"]) if wanted["earth"] else None,
        galactic_plane=wanted["galactic_plane"],
        galactic_band=wanted["galactic_band"],
    )


def _name(skymap: SkyMap, file: str) -> str:
    """Return what a map calls its event, or else the name of its file up to the first point."""
    from ...skymap.embedded import EVENT

    said = str(skymap.meta.get(EVENT) or skymap.meta.get("OBJECT") or "").strip()
    return said or ("sky map" if file == "-" else Path(file).name.partition(".")[0])


def _sky(
    skymap: SkyMap, out: Path, title: str, theme: str, kind: str, overlays: Overlays, _: str,
) -> dict[str, Any]:
    from ...skymap import plot as pictures
    from ...skymap.summary import summarize

    facts = summarize(skymap)
    draw: Callable[..., None] = pictures.zoom if kind == "zoom" else pictures.all_sky
    draw(skymap, out, title, theme=theme, overlays=overlays, summary=facts)
    said = pictures.describe(skymap, title, part=kind == "zoom", overlays=overlays, summary=facts)
    return {"alt": said, "facts": facts.as_dict()}


def _volume(
    skymap: SkyMap, out: Path, title: str, theme: str, _: str, _overlaid: Overlays, file: str,
) -> dict[str, Any]:
    from ...skymap import volumeplot
    from ...skymap.summary import summarize

    facts = summarize(skymap)
    try:
        volumeplot.volume(skymap, out, title, theme=theme, summary=facts)
    except SkyMapError as e:
        # Its title says nothing of where the map is.
        raise SkyMapError("standard input" if file == "-" else file, e.problem, e.column) from None
    return {"alt": volumeplot.describe(skymap, title, summary=facts), "facts": facts.as_dict()}


def _view(
    skymap: SkyMap, out: Path, title: str, _: str, _kind: str, overlays: Overlays, _other: str,
) -> dict[str, Any]:
    from ...skymap import view
    from ...skymap.atomic import write_whole
    from ...skymap.summary import summarize

    facts = summarize(skymap)
    made = view.view(skymap, title, overlays=overlays, summary=facts)
    write_whole(out, view.encode(made))
    return {"alt": made["alt"], "facts": facts.as_dict()}


def _coherence(
    skymap: SkyMap, out: Path, title: str, theme: str, _: str, _overlaid: Overlays, other: str,
) -> dict[str, Any]:
    from ...skymap import coherence
    from ...skymap.overlap import overlap
    from ...skymap.summary import summarize

    second = load_map(other)
    titles = title, _name(second, other)
    coherence.coherence(skymap, second, out, titles, theme=theme)
    return {"alt": coherence.alt_text(skymap, second, titles),
            "facts": {**summarize(skymap).as_dict(), "overlap": overlap(skymap, second)}}
