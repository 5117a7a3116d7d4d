"""Annotations: what a follow-up team wants of a map, after people were told.

They are made for the map that stands when their turn comes; one that was superseded before
has none.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..conf import settings
from ..errors import ConfigError, NoticeError, SkyMapError
from ..jobs import Outbox, outbox, progress, task
from ..ledger import events as rows
from ..ledger.engine import read
from . import configured, quiet
from .subject import Subject

if TYPE_CHECKING:
    from ..catalogues.catalogue import Catalogue
    from ..catalogues.crossmatch import Ranking
    from ..skymap.multiorder import SkyMap
    from ..skymap.overlays import Overlays

LEVELS = (0.5, 0.9)
TOP = 1000
"""Most galaxies that are written down."""

NAMED = 10
"""Most galaxies that the event's facts name and its picture shows by name."""

SHOWN = 50
"""Most galaxies that the picture shows."""


def ask(box: Outbox, subject: Subject) -> None:
    """Ask for every annotation of a map, each by a job of its own.

    So that what kills one of them, as a catalogue that is damaged or eats all memory, keeps no
    other from being made, and an alert that comes meanwhile waits for one of them only.
    """
    for step in STEPS:
        box.submit(annotate, subject.event, subject.notice, subject.map_path, step,
                   notice=subject.notice, urgent=False,
                   key=f"annotate:{subject.event}:{subject.notice}:{subject.digest[:16]}:{step}")


@task(queue="openmp", retries=3, time_limit=600)
def annotate(event: int, notice: int, map_path: str, step: str | None = None) -> None:
    """Store volumes, changes, region, view, dark pictures, galaxies or observability of a map.

    Parameters
    ----------
    event, notice : int
        Their numbers in the ledger.
    map_path : str
        Where the map is, below the folder of products.
    step : str, optional
        Which one of `STEPS`; by default a job for each is asked for.

    Raises
    ------
    NoticeError
        With all that could not be made.
    """
    subject = Subject.load(event, notice, map_path)
    if not subject.stands:
        return
    if step is None:
        with outbox() as box:
            ask(box, subject)
        return
    if step not in STEPS:
        raise NoticeError("step", step, f"there is no such annotation; known: {', '.join(STEPS)}")
    if quiet.later():
        return
    progress(list(STEPS).index(step), len(STEPS), step)
    try:
        STEPS[step](subject, subject.skymap())
    except (SkyMapError, ConfigError) as e:
        raise NoticeError("annotations", subject.name, f"{step}: {e}") from e


@task(queue="openmp", retries=3, time_limit=600)
def plot_volume(event: int, notice: int, map_path: str, theme: str = "light") -> None:
    """Draw where in space an event is, if its map has distances; then ask for it on dark ground.

    Parameters
    ----------
    event, notice, map_path
        As of `annotate`.
    theme : {"light", "dark"}
        Of the picture.
    """
    from ..skymap import volumeplot

    subject = Subject.load(event, notice, map_path)
    if not subject.stands or quiet.later():
        return
    skymap = subject.skymap()
    if not skymap.has_distance:
        return
    progress(0, 1, f"volume, {theme}")
    subject.keep("volume" if theme == "light" else f"volume-{theme}", "png",
                 lambda file: volumeplot.volume(skymap, file, subject.name, theme=theme),
                 {"alt": volumeplot.describe(skymap, subject.name), "theme": theme})
    if theme == "light":
        # Another job, so that an alert that comes meanwhile waits for one picture only.
        with outbox() as box:
            box.submit(plot_volume, event, notice, map_path, "dark", notice=notice, urgent=False,
                       key=f"plot_volume:{event}:{notice}:{subject.digest[:16]}:dark")


def _volumes(subject: Subject, skymap: SkyMap) -> None:
    """Note areas and volumes of the credible regions."""
    from ..skymap.regions import credible_areas
    from ..skymap.volume import Volume

    made: dict[str, Any] = {f"area_{level * 100:.0f}": _finite(area) for level, area in zip(
        LEVELS, credible_areas(skymap, list(LEVELS)), strict=True)}
    if skymap.has_distance:
        made |= {f"volume_{level * 100:.0f}": _finite(volume) for level, volume in zip(
            LEVELS, Volume(skymap).credible_volumes(list(LEVELS)), strict=True)}
    subject.keep_json("areas", {**made, "provenance": subject.provenance()}, made)
    subject.learn({key: value for key, value in made.items() if key.startswith("volume")})


def _changes(subject: Subject, skymap: SkyMap) -> None:
    """Note how the map differs from that of the notice before, if there is one."""
    from ..skymap.compare import compare

    before = subject.before()
    if before is None:
        return
    found = compare(before.skymap(), skymap)
    numbers = found.as_dict()
    learnt = {"notice": before.notice, **{key: numbers[key] for key in (
        "moved", "overlap", "old_90_under_new", "new_90_under_old")},
        "area_90": [found.old.area_90, found.new.area_90],
        "volume_90": [found.old_volume_90, found.new_volume_90],
        "distmean": [found.old.distmean, found.new.distmean]}
    subject.keep_json("changes", {**numbers, "provenance": {
        **subject.provenance(), "old": before.provenance()}}, learnt)
    subject.learn({"changes": learnt})


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def _region(subject: Subject, skymap: SkyMap) -> None:
    from ..skymap.moc import Moc

    region = Moc.of_level(skymap, 0.9)
    subject.keep("moc", "fits", region.write_fits,
                 {"level": 0.9, "area": float(region.area), "max_level": region.max_level})


def _view(subject: Subject, skymap: SkyMap) -> None:
    from ..skymap import view

    made = view.view(skymap, subject.name)

    def write(file: Path) -> None:
        file.write_bytes(view.encode(made))

    subject.keep("view", "json", write, {"version": made["version"]})


def _dark(subject: Subject, skymap: SkyMap) -> None:
    from ..skymap import plot, summary

    known = summary.summarize(skymap)
    for kind, draw in (("allsky", plot.all_sky), ("zoom", plot.zoom)):
        said = plot.describe(skymap, subject.name, part=kind == "zoom", summary=known)
        subject.keep(f"{kind}-dark", "png", partial(
            draw, skymap, title=subject.name, theme="dark", summary=known),
            {"alt": said, "theme": "dark"})


def _galaxies(subject: Subject, skymap: SkyMap) -> None:
    learnt: dict[str, Any] = {}
    problems: dict[str, SkyMapError | ConfigError] = {}
    for name in settings().catalogues:
        try:
            catalogue = configured.catalogue(name)
            learnt[catalogue.name] = _ranked(subject, skymap, catalogue)
        except (SkyMapError, ConfigError) as e:
            problems[name] = e
    if learnt:
        subject.learn({"galaxies": learnt})
    if problems:
        # All names, and the whole of what is wrong with the first: an error has its length.
        raise NoticeError("galaxies", list(problems), str(next(iter(problems.values()))))


def _ranked(subject: Subject, skymap: SkyMap, catalogue: Catalogue) -> dict[str, Any]:
    from ..catalogues.crossmatch import crossmatch, ranks
    from ..jobs import threads
    from ..skymap import plot

    found = crossmatch(skymap, catalogue, rank=ranks(catalogue)[0], top=TOP, threads=threads())
    facts = {"catalogue": catalogue.name, "catalogue_sha256": catalogue.digest,
             "inside": found.inside, "ranked": found.ranked,
             "completeness": found.completeness}
    for suffix in ("ecsv", "json"):
        subject.keep("galaxies", suffix, found.table.write, facts,
                     name=f"galaxies-{catalogue.name}")
    if found.ranked:
        places = _places(found)
        draw = partial(plot.zoom, skymap, title=subject.name, overlays=places)
        said = plot.describe(skymap, subject.name, part=True, overlays=places)
        subject.keep("zoom-galaxies", "png", draw, {**facts, "alt": said},
                     name=f"zoom-galaxies-{catalogue.name}")
    return {**facts, "best": [
        {key: row[key] for key in ("name", "ra", "dec", "distance", "score")}
        for row in found.table.rows()[:NAMED]]}


def _places(found: Ranking) -> Overlays:
    from ..skymap.overlays import Overlays, Place

    return Overlays(galaxies=[
        Place(str(row["name"] or ""), row["ra"], row["dec"]) for row in found.table.rows()[:SHOWN]])


def _observability(subject: Subject, skymap: SkyMap) -> None:
    from ..observing.observability import observable

    learnt = {}
    for name, site in configured.sites().items():
        seen = observable(skymap, site, issued(subject))
        facts = {key: getattr(seen, key) for key in (
            "start", "end", "dark", "probability", "area", "best", "reason")}
        subject.keep_json("observability", {**seen.to_dict(), "provenance": subject.provenance()},
                          {"site": site.name, **facts}, name=f"observability-{site.name}")
        learnt[name] = facts
    if learnt:
        subject.learn({"observability": learnt})


def issued(subject: Subject) -> float:
    """Return when the notice of a map was issued: tonight is the night after that.

    So that the same notice replayed later gives the same night.
    """
    from ..ledger import notices

    with read() as connection:
        told = next((h["issued"] for h in rows.history(connection, subject.event)
                     if h["notice_id"] == subject.notice), None)
        if told is not None:
            return float(told)
        return notices.load(connection, subject.notice).received.timestamp()


STEPS: Mapping[str, Callable[[Subject, SkyMap], None]] = {
    "areas and volumes": _volumes, "changes": _changes, "region": _region, "view": _view,
    "dark pictures": _dark, "galaxies": _galaxies, "observability": _observability,
}
"""What is made, in this order."""
