"""What a body hides: a map without the part of the sky that is behind the Earth."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import SkyMapError
from .bounds import check, check_position
from .mesh import angle, cell_size, tangent
from .multiorder import DEEPEST, SkyMap, uniq_of

LIMB_LEVEL = 9
"""Level to which cells on the limb are divided: 0.11 degrees, from 525 km above 5 km of air."""

NOTHING = 1e-9
"""If no more than this is in front, nothing is."""


def occult(skymap: SkyMap, ra: float, dec: float, radius: float) -> SkyMap:
    """Return a map with nothing behind a body, and the rest made to sum to one.

    Cells on the limb are divided until they are 0.11 degrees wide; then a cell is hidden if
    its centre is.

    Parameters
    ----------
    skymap : SkyMap
        The map.
    ra, dec : float
        Direction of the body's centre as seen from the spacecraft, degrees.
    radius : float
        Its angular radius, degrees: 67.5 for the Earth from 525 km above it.

    Raises
    ------
    SkyMapError
        If a value is out of bounds, or all of the map is behind the body.
    """
    ra, dec = check_position(ra, dec)
    edge = check("radius", radius, 0, 180)
    if not 0 < edge < 180:
        raise SkyMapError("radius", f"{edge:g} is not between 0 and 180")
    edge = np.radians(edge)
    body, _, _ = tangent(ra, dec)
    parts = skymap
    while True:
        away = angle(parts.vectors, body) - edge
        # No point of a cell is further from its centre than 1.05 times its width.
        limb = np.abs(away) <= 1.2 * cell_size(0) * np.exp2(-parts.level)
        split = limb & (parts.level < LIMB_LEVEL) & (parts.probdensity > 0)
        if not split.any():
            break
        parts = _divided(parts, split)
    density = np.where(away > 0, parts.probdensity, 0.0)
    left = float((density * parts.area).sum())
    if left <= NOTHING:
        raise SkyMapError(
            "sky map", f"lies wholly behind the body of radius {radius:g} deg at {ra:g}, {dec:g}")
    return replace(parts, probdensity=density / left).validate("sky map")


def _divided(skymap: SkyMap, split: npt.NDArray[np.bool_]) -> SkyMap:
    """Return a map with some cells divided into four each."""
    level = np.minimum(skymap.level[split] + 1, DEEPEST)
    ipix = (4 * skymap.ipix[split, np.newaxis] + np.arange(4)).ravel()
    order = np.argsort(np.concatenate([skymap.start[~split], ipix << np.repeat(
        2 * (DEEPEST - level), 4)]))
    columns: dict[str, Any] = {
        name: np.concatenate([values[~split], uniq_of(np.repeat(level, 4), ipix)
                              if name == "uniq" else np.repeat(values[split], 4)])[order]
        for name, values in skymap.columns.items()}
    return replace(skymap, **columns)
