"""Maps in files for the tests of the commands about them, and how these are called."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from click.testing import CliRunner, Result

from gwbroker.cli import gwbroker
from gwbroker.skymap import SkyMap, files, make
from gwbroker.skymap.distances import parameters


def call(*words: object, **options: object) -> Result:
    """Call ``gwbroker skymap``."""
    return CliRunner().invoke(gwbroker, ["skymap", *map(str, words)], catch_exceptions=False,
                              **options)


def write_cone(path: Path) -> Path:
    """Write a map without distances: 90 % within 5 degrees of RA 120, Dec -30."""
    files.save(make.cone(120, -30, 5, 0.9), path)
    return path


def write_ball(path: Path) -> Path:
    """Write the same with distances: 100 +- 20 Mpc everywhere."""
    cone = make.cone(120, -30, 5, 0.9)
    layers = parameters(np.full(cone.cells, 100.0), np.full(cone.cells, 20.0))
    files.save(SkyMap(cone.uniq, cone.probdensity, *layers, {"OBJECT": "ball"}, ("notice: 12",)),
               path)
    return path
