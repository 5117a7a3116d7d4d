"""Report: what one notice says of one event, whatever format it came in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any, Literal

KINDS = ("gw", "grb", "xray", "neutrino", "supernova", "frb", "optical", "other")
Role = Literal["real", "test", "mock"]


@dataclass(frozen=True)
class Cone:
    """A position with an error radius, in degrees, that contains it with this probability."""

    ra: float
    dec: float
    radius: float
    containment: float
    source: str = ""
    """Who says what the radius contains."""


@dataclass(frozen=True)
class Ellipse:
    """A position with an error ellipse: semi-axes and position angle (east of north), degrees."""

    ra: float
    dec: float
    semi_major: float
    semi_minor: float
    position_angle: float
    containment: float
    source: str = ""


@dataclass(frozen=True)
class Polygon:
    """Corners (RA, Dec) in degrees of a region that contains it with this probability."""

    corners: tuple[tuple[float, float], ...]
    containment: float
    source: str = ""


@dataclass(frozen=True)
class Embedded:
    """A HEALPix FITS file inside the notice; it is read from there again when it is needed."""

    where: str
    """Which field of the notice holds it, as ``event.skymap`` or ``healpix_file``."""


@dataclass(frozen=True)
class GBM:
    """A position of Fermi GBM, whose systematic errors have a core and a tail, in degrees."""

    ra: float
    dec: float
    radius: float
    containment: float
    located: str
    """Who located it: a key of `gwbroker.skymap.gbm.SYSTEMATICS`, as ``final``."""

    earth: tuple[float, float, float] | None = None
    """Where the spacecraft saw the Earth, and its radius: no burst comes from there."""

    source: str = ""


@dataclass(frozen=True)
class Downloaded:
    """A HEALPix FITS file that was fetched, and is kept among the products."""

    path: str
    """Below the folder of products."""

    url: str
    sha256: str


Localization = Cone | Ellipse | Polygon | Embedded | GBM | Downloaded
_SHAPES = (Cone, Ellipse, Polygon, Embedded, GBM, Downloaded)


@dataclass(frozen=True)
class Report:
    """What one notice says of one event.

    Parameters
    ----------
    kind : str
        One of `KINDS`.
    name : str
        How people call the event.
    identifiers : tuple of str
        Names by which other notices mean the same event, as ``fermi:524666471``;
        the first is the main one.
    role : str
        ``real``, ``test`` or ``mock``.
    alert : str
        What the notice is to the event: ``initial``, ``update``, ``retraction``...
    t0 : datetime, optional
        When it happened (UTC).
    issued : datetime, optional
        When the sender made the notice (UTC).
    localization : optional
        Where it happened.
    facts : dict
        What else a person wants to see: JSON values, numbers in the named units.
    flags : tuple of str
        What is wrong with the notice, each naming the field and the value.
    maps : tuple of str
        URLs of which one will have a better map, sooner or later; the best comes first.
    """

    kind: str
    name: str
    identifiers: tuple[str, ...]
    role: Role = "real"
    alert: str = "initial"
    retracted: bool = False
    t0: datetime | None = None
    issued: datetime | None = None
    localization: Localization | None = None
    facts: Mapping[str, object] = field(default_factory=dict)
    flags: tuple[str, ...] = ()
    maps: tuple[str, ...] = ()


def pack(localization: Localization) -> dict[str, Any]:
    """Return a localization as JSON values, for the arguments of a job."""
    return {"shape": type(localization).__name__, **asdict(localization)}


def unpack(values: Mapping[str, Any]) -> Localization:
    """Return the localization that `pack` packed.

    Raises
    ------
    ValueError
        If its shape is not known here.
    """
    fields = dict(values)
    shape = fields.pop("shape", None)
    for kind in _SHAPES:
        if kind.__name__ == shape:
            if kind is Polygon:
                fields["corners"] = tuple((c[0], c[1]) for c in fields["corners"])
            if kind is GBM and fields.get("earth") is not None:
                fields["earth"] = tuple(fields["earth"])
            return kind(**fields)
    raise ValueError(f"a localization of shape {shape!r} is not known to this version")
