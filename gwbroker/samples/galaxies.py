"""Made-up galaxies for the demonstration: nobody should take one for a real one."""

from __future__ import annotations

from pathlib import Path

import numpy as np

NAME = "made-up-galaxies"
NEAR, FAR = (60.0, 40_000), (400.0, 40_000)
"""Mpc, and how many are drawn uniformly in space up to there: each more than catalogues have."""

SEED = 170817


def write(path: Path) -> None:
    """Write the table; always the same one.

    Places are uniform on the sky and in space, luminosities log-uniform over three decades:
    there is neither structure nor any real galaxy in it.
    """
    random = np.random.default_rng(SEED)
    lines = ["name,ra,dec,distance,luminosity"]
    for reach, number in (NEAR, FAR):
        ra = random.uniform(0, 360, number)
        dec = np.degrees(np.arcsin(random.uniform(-1, 1, number)))
        distance = reach * np.cbrt(random.uniform(0.001, 1, number))
        luminosity = 10 ** random.uniform(8, 11, number)
        lines += [f"made-up {len(lines) + n},{r:.5f},{d:.5f},{far:.3f},{bright:.4g}"
                  for n, (r, d, far, bright) in enumerate(
                      zip(ra, dec, distance, luminosity, strict=True))]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
