"""Seams: polygons on the sphere, cut where right ascension starts again."""

from __future__ import annotations

import numpy as np

from .multiorder import Floats
from .projection import to_degrees


def cut(loop: Floats) -> list[Floats]:
    """Return a closed curve on the sphere as polygons with right ascensions from 0 to 360.

    Where it goes around a pole, the part of the seam from its edge to the pole and back
    belongs to the polygon, so that filling it on a plane of RA and Dec is right.

    Parameters
    ----------
    loop : float64, shape (N, 3)
        Unit vectors, the last one as the first, less than half a turn apart in RA.

    Returns
    -------
    list of float64, shape (M, 2)
        Right ascension and declination, degrees; the last point is the first.
    """
    ra, dec = to_degrees(loop)
    ra = np.unwrap(ra, period=360)
    turns = round(float(ra[-1] - ra[0]) / 360)
    if turns:
        # Around a pole: the nearer one is inside.
        pole = 90.0 if float(loop[:, 2].mean()) > 0 else -90.0
        ra = np.concatenate([ra, [ra[-1], ra[0]]])
        dec = np.concatenate([dec, [pole, pole]])
    points = np.column_stack([ra, dec])
    first, last = int(np.floor(ra.min() / 360)), int(np.ceil(ra.max() / 360 - 1e-12))
    pieces = []
    for turn in range(first, max(last, first + 1)):
        piece = _clip(_clip(points, 360.0 * turn, 1), 360.0 * (turn + 1), -1)
        if len(piece) >= 3 and np.ptp(piece[:, 0]) > 0:
            piece = piece - [360.0 * turn, 0]
            pieces.append(np.concatenate([piece, piece[:1]]))
    return pieces


def _clip(points: Floats, edge: float, side: int) -> Floats:
    """Return the part of a polygon on one side of a meridian (Sutherland & Hodgman 1974)."""
    if len(points) == 0:
        return points
    before = np.roll(points, 1, axis=0)
    inside, was = (side * (p[:, 0] - edge) >= 0 for p in (points, before))
    crosses = inside != was
    with np.errstate(divide="ignore", invalid="ignore"):
        part = (edge - before[:, 0]) / (points[:, 0] - before[:, 0])
        dec = before[:, 1] + part * (points[:, 1] - before[:, 1])
    crossing = np.column_stack([np.full(len(points), edge), dec])
    both = np.stack([crossing, points], axis=1).reshape(-1, 2)
    kept = np.stack([crosses, inside], axis=1).ravel()
    found: Floats = both[kept]
    return found
