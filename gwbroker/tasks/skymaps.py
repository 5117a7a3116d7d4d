"""Sky maps: from what a notice says of a position to files that people look at."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import __version__, products
from ..errors import NoticeError, SkyMapError
from ..jobs import outbox, task
from ..ledger import events as rows
from ..ledger import notices as notice_rows
from ..ledger.engine import read
from ..notice import Notice
from ..products import Stored
from ..report import Cone, Ellipse, Embedded, Localization, Polygon, unpack

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
    localization = unpack(where)
    try:
        skymap = build(kept, localization)
        facts = summary.summarize(skymap).as_dict()
    except SkyMapError as e:
        _flag(event, notice, str(e))
        raise NoticeError(e.column or e.source, where.get("shape"), e.problem) from e
    provenance = _provenance(kept, localization)
    path = partial(products.relative, event, row["name"], notice)
    map_file = products.store(
        path("skymap", "multiorder.fits"), lambda file: fits.write(skymap, file, provenance))
    summary_file = products.store_json(
        path("summary", "json"), {"event": row["name"], **facts, "provenance": provenance})
    with outbox() as box:
        known = rows.get(box.connection, event, hold=True)["facts"]
        for kind, stored in (("skymap", map_file), ("summary", summary_file)):
            _note(box.connection, event, notice, kind, stored, facts)
        if newest(rows.history(box.connection, event), notice, known.get("skymap_notice")):
            rows.change(box.connection, event,
                        {"facts": {**known, **facts, "skymap_notice": notice}})
        box.submit(plot, event, notice, map_file.path, key=f"plot:{event}:{notice}",
                   notice=notice)


@task(queue="openmp", retries=3, time_limit=600)
def plot(event: int, notice: int, map_path: str) -> None:
    """Draw the all-sky picture and the zoom of an event's sky map.

    Parameters
    ----------
    event, notice : int
        Their numbers in the ledger.
    map_path : str
        Where `localize` has stored the map, below the folder of products; the pictures
        go beside it, also if the event has got another name since.
    """
    from ..skymap import fits
    from ..skymap import plot as pictures

    with read() as connection:
        row = rows.get(connection, event)
    skymap = fits.read(products.folder() / map_path)
    beside = map_path.removesuffix("skymap.multiorder.fits")
    drawn: list[tuple[str, Stored]] = []
    for kind, draw in (("allsky", pictures.all_sky), ("zoom", pictures.zoom)):
        drawn.append((kind, products.store(f"{beside}{kind}.png", _drawing(draw, skymap, row))))
    with outbox() as box:
        for kind, stored in drawn:
            _note(box.connection, event, notice, kind, stored, {"contours": list(CONTOURS)})


def _drawing(
    draw: Callable[..., None], skymap: SkyMap, row: Mapping[str, Any],
) -> Callable[[Path], None]:
    return lambda file: draw(skymap, file, row["name"])


def newest(history: Sequence[Mapping[str, Any]], notice: int, known: int | None) -> bool:
    """Tell whether a notice was issued after the one whose map stands, if any."""
    issued = {row["notice_id"]: (row["issued"] or 0.0, row["revision"]) for row in history}
    return known is None or issued[notice] >= issued.get(known, (0.0, 0))


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
    from ..streams.healpix import skymap_bytes

    if isinstance(localization, Embedded):
        return fits.read(skymap_bytes(notice), name=localization.where)
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
    said = {"Embedded": "as sent"}.get(type(localization).__name__, "made by gwbroker")
    containment = getattr(localization, "source", "")
    return {
        "notice_sha256": notice.sha256,
        "notice_topic": notice.topic,
        "localization": f"{type(localization).__name__.lower()}, {said}",
        **({"containment": containment} if containment else {}),
        "software": f"gwbroker {__version__}",
    }


def _note(
    connection: Any, event: int, notice: int, kind: str, stored: Stored, facts: Mapping[str, Any],
) -> None:
    rows.add_product(connection, event_id=event, notice_id=notice, kind=kind, path=stored.path,
                     digest=stored.digest, size=stored.size, facts=dict(facts))


def _flag(event: int, notice: int, problem: str) -> None:
    with outbox() as box:
        flags = rows.get(box.connection, event, hold=True)["flags"]
        flag = {"notice": notice, "problem": problem}
        if flag not in flags:
            rows.change(box.connection, event, {"flags": [*flags, flag]})
