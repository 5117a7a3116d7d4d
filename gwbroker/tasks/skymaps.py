"""Sky maps: from what a notice says of a position to a map, its numbers and two pictures.

People are told first: the map and its areas, then two pictures. What takes longer follows in
`gwbroker.tasks.annotations` and others, when no alert waits.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from .. import __version__, products
from ..errors import NoticeError, SkyMapError
from ..jobs import outbox, progress, task
from ..ledger import events as rows
from ..ledger import notices as notice_rows
from ..ledger.engine import read
from ..notice import Notice
from ..report import (
    GBM,
    Cone,
    Downloaded,
    Ellipse,
    Embedded,
    Localization,
    Polygon,
    unpack,
)
from . import plans
from .annotations import ask, plot_volume
from .subject import Subject, newest, note

if TYPE_CHECKING:
    from ..skymap.multiorder import SkyMap

CONTOURS = (0.5, 0.9)


@task(queue="openmp", retries=3, time_limit=600)
def localize(event: int, notice: int, revision: int, where: Mapping[str, Any]) -> None:
    """Make an event's sky map from a notice: FITS copy and summary, then ask for the pictures.

    Parameters
    ----------
    event, notice : int
        Their numbers in the ledger.
    revision : int
        Which notice about the event it is, 1 for the first.
    where : dict
        A packed localization (`gwbroker.report.pack`).

    Raises
    ------
    NoticeError
        If the map or position cannot be used; also flagged on the event.
    """
    from ..skymap import fits, summary

    with read() as connection:
        row = rows.get(connection, event)
        kept = notice_rows.load(connection, notice)
        better = rows.product_of(connection, event, notice, "download")
    localization = unpack(where)
    if better is not None and not isinstance(localization, Downloaded):
        # This call came late: the map that the notice only pointed to is there already.
        return
    try:
        skymap = build(kept, localization)
        facts = summary.summarize(skymap).as_dict()
    except SkyMapError as e:
        flag(event, notice, str(e))
        raise NoticeError(e.column or e.source, where.get("shape"), e.problem) from e
    except NoticeError as e:
        flag(event, notice, str(e))
        raise
    provenance = _provenance(kept, localization)
    path = partial(products.relative, event, row["name"], notice)
    map_file = products.store(
        path("skymap", "multiorder.fits"), lambda file: fits.write(skymap, file, provenance))
    summary_file = products.store_json(
        path("summary", "json"), {"event": row["name"], **facts, "provenance": provenance})
    with outbox() as box:
        now = rows.get(box.connection, event, hold=True)
        for kind, stored in (("skymap", map_file), ("summary", summary_file)):
            note(box.connection, event, notice, kind, stored, facts)
        if newest(rows.history(box.connection, event), notice, now["facts"].get("skymap_notice")):
            rows.change(box.connection, event,
                        {"facts": {**now["facts"], **facts, "skymap_notice": notice}})
        # A notice can have two maps: one made of its position, and one that is fetched later.
        tag = f"{event}:{notice}:{map_file.digest.hex()[:16]}"
        if now["state"] != "retracted":
            box.submit(plot, event, notice, map_file.path, key=f"plot:{tag}", notice=notice)
            box.submit("gwbroker.tasks.coincidences.coincide", event, key=f"coincide:{tag}",
                       notice=notice)


@task(queue="openmp", retries=3, time_limit=600)
def plot(event: int, notice: int, map_path: str) -> None:
    """Draw the all-sky picture and the zoom of an event's sky map, then ask for the rest.

    Parameters
    ----------
    event, notice : int
        Their numbers in the ledger.
    map_path : str
        Where `localize` has stored the map, below the folder of products.
    """
    from ..skymap import plot as pictures
    from ..skymap import summary

    subject = Subject.load(event, notice, map_path)
    if subject.retracted:
        return
    skymap = subject.skymap()
    known = summary.summarize(skymap)
    for number, (kind, draw) in enumerate((("allsky", pictures.all_sky),
                                           ("zoom", pictures.zoom))):
        progress(number, 2, kind)
        said = pictures.describe(skymap, subject.name, part=kind == "zoom", summary=known)
        facts = {"contours": list(CONTOURS), "alt": said}
        subject.keep(kind, "png", partial(draw, skymap, title=subject.name, summary=known), facts)
    tag = f"{event}:{notice}:{subject.digest[:16]}"
    with outbox() as box:
        ask(box, subject)
        for what in (plot_volume, plans.plan):
            box.submit(what, event, notice, map_path, notice=notice,
                       key=f"{what.__name__}:{tag}", urgent=False)


@task(queue="openmp", retries=3, time_limit=600)
def combine(event: int, other: int) -> None:
    """Make the map of one source that two events' newest maps are of, as a product of the first.

    Parameters
    ----------
    event, other : int
        Their numbers in the ledger.

    Raises
    ------
    NoticeError
        If one of them has no map, or the maps exclude each other, or nearly so.
    """
    ours, theirs = standing(event), standing(other)
    if ours is None or theirs is None:
        lacks = event if ours is None else other
        raise NoticeError("skymap", lacks, "the event has no sky map to combine")
    try:
        store_combined(ours, theirs)
    except SkyMapError as e:
        raise NoticeError(e.column or e.source, f"{ours.name} and {theirs.name}",
                          e.problem) from e


def store_combined(ours: Subject, theirs: Subject) -> tuple[SkyMap, float]:
    """Store the combined map of two subjects beside the first's; return it and the overlap.

    Raises
    ------
    SkyMapError
        If the maps exclude each other, or nearly so: see `gwbroker.skymap.combine.combine`.
    """
    from ..skymap import combine as combining
    from ..skymap import fits, summary

    maps = (ours.skymap(), theirs.skymap())
    found = combining.combine(maps, names=(ours.name, theirs.name))
    facts = {"with": theirs.name, "overlap": found.overlap,
             **summary.summarize(found.skymap).as_dict()}
    first, second = ours.provenance(), theirs.provenance()
    cards = {"software": first["software"],
             **{f"{key}_{n}": str(each[key]) for n, each in ((1, first), (2, second))
                for key in ("event", "notice", "map_sha256")}}
    ours.keep("combined", "multiorder.fits",
              lambda file: fits.write(found.skymap, file, cards), facts,
              name=f"combined-{theirs.event:06d}-{theirs.notice:08d}")
    return found.skymap, found.overlap


def standing(event: int) -> Subject | None:
    """Return an event's newest map, None if it has none.

    Raises
    ------
    NotFound
        If there is no such event.
    """
    with read() as connection:
        row = rows.get(connection, event)
        notice = row["facts"].get("skymap_notice")
        found = None if notice is None else rows.product_of(connection, event, notice, "skymap")
    return None if found is None else Subject(event, notice, found["path"], row)


def build(notice: Notice, localization: Localization) -> SkyMap:
    """Return the sky map that a notice gives or implies.

    Raises
    ------
    SkyMapError
        If it is invalid, naming what is.
    NoticeError
        If the notice does not hold the map that it should.
    """
    from ..skymap import fits, make
    from ..skymap.occultation import occult
    from ..streams.healpix import skymap_bytes

    if isinstance(localization, Embedded):
        return fits.read(skymap_bytes(notice), name=localization.where)
    if isinstance(localization, Downloaded):
        return fits.read(products.folder() / localization.path, name=localization.url)
    if isinstance(localization, GBM):
        found = make.gbm(localization.ra, localization.dec, localization.radius,
                         localization.containment, localization.located)
        return found if localization.earth is None else occult(found, *localization.earth)
    if isinstance(localization, Cone):
        return make.cone(localization.ra, localization.dec, localization.radius,
                         localization.containment)
    if isinstance(localization, Ellipse):
        return make.ellipse(localization.ra, localization.dec, localization.semi_major,
                            localization.semi_minor, localization.position_angle,
                            localization.containment)
    assert isinstance(localization, Polygon)
    return make.polygon(localization.corners, localization.containment)


def _provenance(notice: Notice, localization: Localization) -> dict[str, str]:
    # No time of making: the same notice replayed gives the same bytes.
    said = {"Embedded": "as sent", "Downloaded": "as fetched"}.get(
        type(localization).__name__, "made by gwbroker")
    more = {"containment": getattr(localization, "source", ""),
            "url": getattr(localization, "url", ""),
            "file_sha256": getattr(localization, "sha256", "")}
    return {
        "notice_sha256": notice.sha256,
        "notice_topic": notice.topic,
        "localization": f"{type(localization).__name__.lower()}, {said}",
        **{key: value for key, value in more.items() if value},
        "software": f"gwbroker {__version__}",
    }


def flag(event: int, notice: int, problem: str) -> None:
    """Note on an event what is wrong with one of its notices, once."""
    with outbox() as box:
        flags = rows.get(box.connection, event, hold=True)["flags"]
        flag = {"notice": notice, "problem": problem}
        if flag not in flags:
            rows.change(box.connection, event, {"flags": [*flags, flag]})
