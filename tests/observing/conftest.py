"""astropy and astroplan without a network, and maps to look at."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import EarthLocation
from astropy.utils import iers

from gwbroker.observing.sites import Site
from gwbroker.skymap import SkyMap, make


@pytest.fixture
def offline() -> Iterator[None]:
    """astropy's own Earth rotation from the table that comes with it; beyond it, without one."""
    with iers.conf.set_temp("auto_download", False), \
            iers.conf.set_temp("auto_max_age", None), \
            iers.conf.set_temp("iers_degraded_accuracy", "ignore"):
        yield


@pytest.fixture
def location():
    """Return a function from a site to astropy's location."""
    def convert(site: Site) -> EarthLocation:
        return EarthLocation.from_geodetic(site.lon * u.deg, site.lat * u.deg, site.height * u.m)

    return convert


@pytest.fixture(scope="session")
def wide() -> SkyMap:
    """A thousand square degrees around ra 200, dec 30."""
    return make.cone(200, 30, 17.8, 0.9)


@pytest.fixture(scope="session")
def narrow() -> SkyMap:
    """A few square degrees around ra 200, dec 30."""
    return make.cone(200, 30, 1.0, 0.9)


@pytest.fixture(scope="session")
def isotropic() -> SkyMap:
    """Twelve cells of level 0: nothing is known."""
    return SkyMap(np.arange(4, 16), np.full(12, 1 / (4 * np.pi))).validate()


@pytest.fixture(scope="session")
def point() -> SkyMap:
    """A map with cells down to level 29, all of its probability in one of them."""
    pixel = int(np.int64(7) << 56) + 123456789
    uniq, density = [], []
    for level in range(29, 0, -1):
        here = pixel >> (2 * (29 - level))
        family = 4 * (here >> 2) + np.arange(4)
        uniq += [4 ** (level + 1) + int(p) for p in family if p != here or level == 29]
        density += [float(p == here) if level == 29 else 0.0
                    for p in family if p != here or level == 29]
    base = pixel >> 58
    uniq += [4 + p for p in range(12) if p != base]
    density += [0.0] * 11
    map_ = SkyMap(np.array(uniq), np.array(density))
    return SkyMap(map_.uniq, map_.probdensity / map_.prob.sum()).validate()
