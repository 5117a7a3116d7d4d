"""Of 200 sources, each drawn from its own map, the credible levels are uniform.

Drawn from the analytic distributions, which know nothing of cells.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from scipy.stats import kstest

from gwbroker.skymap import SkyMap, make
from gwbroker.skymap.occultation import occult
from gwbroker.skymap.regions import credible_level_at

from .analytic import Floats, anywhere, degrees, displaced, fisher, kappa_of

SOURCES = 200
FEWER = 60
Drawn = tuple[SkyMap, Floats]


def cone(rng: np.random.Generator) -> Drawn:
    """From arcseconds to tens of degrees, at any containment."""
    centre, radius, containment = anywhere(rng), 10 ** rng.uniform(-3, 1.6), rng.uniform(0.4, 0.95)
    true = fisher(rng, centre, kappa_of(radius, containment))
    return make.cone(*degrees(centre), radius, containment), true


def ellipse(rng: np.random.Generator) -> Drawn:
    """Of any position angle, up to six times as long as wide."""
    centre, minor = anywhere(rng), 10 ** rng.uniform(-2, 0.5)
    major, angle, containment = minor * rng.uniform(1, 6), rng.uniform(0, 180), rng.uniform(.4, .95)
    scale = np.sqrt(-2 * np.log(1 - containment))
    along, across = rng.normal(size=2) * np.radians([major, minor]) / scale
    true = displaced(
        centre, np.hypot(along, across), np.radians(angle) + np.arctan2(across, along))
    return make.ellipse(*degrees(centre), major, minor, angle, containment), true


def gbm(rng: np.random.Generator) -> Drawn:
    """First the statistical error is drawn, then the systematic one, from core or tail."""
    centre, radius = anywhere(rng), 10 ** rng.uniform(0, 1.3)
    published = {"flight": (0.897, 7.52, 55.6), "ground": (0.804, 3.72, 13.7),
                 "final": (0.900, 3.71, 14.3), "roboba": (0.52, 1.8, 4.1),
                 "roboba-long": (0.58, 1.9, 4.1), "roboba-short": (0.39, 2.6, 4.4)}
    located = str(rng.choice(list(published)))
    fraction, core, tail = published[located]
    systematic = core if rng.random() < fraction else tail
    where = fisher(rng, centre, kappa_of(radius, 0.68))
    true = fisher(rng, where, kappa_of(systematic, 0.68))
    return make.gbm(*degrees(centre), radius, 0.68, located), true


def masked(rng: np.random.Generator) -> Drawn:
    """A burst near the Earth's limb: positions behind it are drawn again."""
    centre, earth = anywhere(rng), anywhere(rng)
    while centre @ earth > np.cos(np.radians(75)) or centre @ earth < np.cos(np.radians(120)):
        earth = anywhere(rng)
    true = earth
    while true @ earth > np.cos(np.radians(67.5)):
        true = fisher(rng, centre, kappa_of(15, 0.68))
    return occult(make.cone(*degrees(centre), 15, 0.68), *degrees(earth), 67.5), true


def annulus(rng: np.random.Generator) -> Drawn:
    """The angle from the centre is normal, times the ring's circumference there."""
    centre, radius, width = anywhere(rng), rng.uniform(20, 150), 10 ** rng.uniform(0.3, 1.2)
    theta = 0.0
    while rng.random() >= np.sin(theta):
        theta = rng.normal(np.radians(radius), np.radians(width) / 3)
        theta = theta if 0 < theta < np.pi else 0.0
    skymap = make.annulus(*degrees(centre), radius, width, 0.9973002)
    return skymap, displaced(centre, theta, rng.uniform(0, 2 * np.pi))


@pytest.mark.parametrize("draw", [cone, ellipse, gbm, masked, annulus])
def test_the_credible_levels_of_true_positions_are_uniform(
    draw: Callable[[np.random.Generator], Drawn],
) -> None:
    rng = np.random.default_rng(20150914)
    levels = []
    for _ in range(SOURCES if draw in (cone, ellipse, gbm) else FEWER):
        skymap, true = draw(rng)
        levels.append(float(credible_level_at(skymap, *degrees(true))))
    assert kstest(levels, "uniform").pvalue > 0.01


def test_the_test_would_find_errors_that_are_a_third_too_small() -> None:
    rng = np.random.default_rng(20150914)
    levels = []
    for _ in range(SOURCES // 2):
        centre = anywhere(rng)
        true = fisher(rng, centre, kappa_of(3, 0.9))
        levels.append(float(credible_level_at(make.cone(*degrees(centre), 2, 0.9), *degrees(true))))
    assert kstest(levels, "uniform").pvalue < 1e-6
