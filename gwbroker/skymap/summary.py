"""Summary: the few numbers of a sky map that people are told."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from .multiorder import SkyMap
from .regions import credible_areas, distance, most_probable


@dataclass(frozen=True)
class Summary:
    """The few numbers of a sky map that people are told.

    Parameters
    ----------
    area_50, area_90 : float
        Areas of the 50 % and 90 % credible regions, square degrees.
    ra, dec : float
        Most probable position, degrees (ICRS).
    distmean, diststd : float, optional
        Mean and standard deviation of the distance, Mpc.
    cells : int
        Number of cells of the map.
    max_level : int
        Its deepest HEALPix level.
    """

    area_50: float
    area_90: float
    ra: float
    dec: float
    distmean: float | None
    diststd: float | None
    cells: int
    max_level: int

    def as_dict(self) -> dict[str, float | int | None]:
        """Return the numbers by name, ready for JSON."""
        return asdict(self)


def summarize(skymap: SkyMap) -> Summary:
    """Return the few numbers of a sky map that people are told."""
    area_50, area_90 = credible_areas(skymap, [0.5, 0.9])
    ra, dec = most_probable(skymap)
    far = distance(skymap)
    return Summary(
        area_50=float(area_50),
        area_90=float(area_90),
        ra=ra,
        dec=dec,
        distmean=far.mean if far else None,
        diststd=far.std if far else None,
        cells=skymap.cells,
        max_level=skymap.max_level,
    )
