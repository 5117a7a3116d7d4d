"""Plans: what each configured telescope should point at for a map."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..errors import ConfigError, NoticeError, SkyMapError
from ..jobs import progress, task
from . import configured, quiet
from .annotations import issued
from .subject import Subject

if TYPE_CHECKING:
    from ..observing.planned import Plan
    from ..observing.telescopes import Telescope
    from ..skymap.multiorder import SkyMap
    from ..skymap.overlays import Overlays


@task(queue="openmp", retries=3, time_limit=900)
def plan(event: int, notice: int, map_path: str) -> None:
    """Store a plan for each configured telescope, for the newest map of a real event.

    Parameters
    ----------
    event, notice : int
        Their numbers in the ledger.
    map_path : str
        Where the map is, below the folder of products.

    Raises
    ------
    NoticeError
        With the telescopes for which there could be none, at the end.
    """
    try:
        telescopes = configured.telescopes()
    except ConfigError as e:
        raise NoticeError("telescopes", event, str(e)) from e
    subject = Subject.load(event, notice, map_path)
    if not telescopes or not subject.stands or subject.row["role"] != "real":
        return
    if quiet.later():
        return
    skymap = subject.skymap()
    problems: dict[str, SkyMapError] = {}
    learnt = {}
    for number, (name, telescope) in enumerate(telescopes.items()):
        progress(number, len(telescopes), name)
        try:
            learnt[name] = _plan(subject, skymap, telescope)
        except SkyMapError as e:
            problems[name] = e
    subject.learn({"plans": learnt})
    if problems:
        raise NoticeError("telescopes", list(problems), str(next(iter(problems.values()))))


def _plan(subject: Subject, skymap: SkyMap, telescope: Telescope) -> dict[str, Any]:
    from ..observing.plan import plan as make
    from ..skymap import plot
    from ..skymap.frame import frame

    made = make(skymap, telescope, issued(subject))
    facts = {"telescope": telescope.name, "start": made.start, "end": made.end,
             "exposures": len(made.exposures), "covered": made.covered, "reason": made.reason}
    for suffix in ("ecsv", "json"):
        subject.keep("plan", suffix, made.write, facts, name=f"plan-{telescope.name}")
    # One field that holds all of it would be around the picture, not in it.
    if made.exposures and not made.single:
        part = frame(skymap).whole
        draw = plot.zoom if part else plot.all_sky
        title, tiles = f"{subject.name}, {telescope.name}", _tiles(made)
        said = plot.describe(skymap, title, part=part, overlays=tiles)
        subject.keep("plan", "png", lambda file: draw(skymap, file, title, overlays=tiles),
                     {**facts, "alt": said}, name=f"plan-{telescope.name}")
    return facts


def _tiles(made: Plan) -> Overlays:
    from ..skymap.overlays import Footprint, Overlays

    fields = [[(float(r) % 360, float(d)) for r, d in zip(ra, dec, strict=True)]
              for ra, dec in made.footprints()]
    return Overlays(footprints=[Footprint(made.telescope.name, fields)])
