"""Rings: they hold what they promise, and two of them cross where they should."""

from __future__ import annotations

import numpy as np
import pytest

from gwbroker.errors import SkyMapError
from gwbroker.skymap import make
from gwbroker.skymap.multiorder import SQUARE_DEGREE
from gwbroker.skymap.projection import to_vectors

NAN = float("nan")


def ring(skymap, ra, dec, inner, outer):
    """Return the probability between two angles (degrees) from a position."""
    cosine = skymap.vectors @ to_vectors(ra, dec)
    inside = (cosine < np.cos(np.radians(inner))) & (cosine > np.cos(np.radians(outer)))
    return skymap.prob[inside].sum()


@pytest.mark.parametrize(("radius", "width", "containment"), [
    (60, 1, 0.9), (90, 10, 0.68), (120, 30, 0.9), (10, 9, 0.9), (4, 8, 0.9), (175, 4, 0.9),
    (0.01, 0.001, 0.9), (45, 0.3, 0.9973),
])
def test_a_ring_holds_its_containment_in_its_width(radius, width, containment):
    skymap = make.annulus(200, -40, radius, width, containment)
    held = ring(skymap, 200, -40, max(radius - width, 0), min(radius + width, 180))
    # Cells at the edge count as a whole here.
    assert held == pytest.approx(containment, abs=0.02)


@pytest.mark.parametrize("containment", [0.01, 0.5, 0.999999999, 1 - 1e-16])
def test_a_ring_about_a_point_is_a_disc(containment):
    skymap = make.annulus(10, 90, 1e-6, 1, containment)
    held = skymap.prob[skymap.vectors[:, 2] > np.cos(np.radians(1))].sum()
    # The cells are a quarter of the disc wide.
    assert held == pytest.approx(containment, abs=0.04)


def test_the_area_of_a_ring_is_its_circumference_times_its_width():
    skymap = make.annulus(10, 20, 70, 2, 0.9)
    cells = skymap.probdensity > skymap.probdensity.max() * np.exp(-0.5 * 1.645**2)
    area = skymap.area[cells].sum() * SQUARE_DEGREE
    caps = np.cos(np.radians(68)) - np.cos(np.radians(72))
    assert area == pytest.approx(2 * np.pi * caps * SQUARE_DEGREE, rel=0.03)


def test_all_around_the_ring_is_alike():
    skymap = make.annulus(30, 50, 40, 5, 0.9)
    centre = to_vectors(30, 50)
    east = np.cross([0, 0, 1], centre) / np.linalg.norm(np.cross([0, 0, 1], centre))
    side = skymap.vectors @ east > 0
    assert skymap.prob[side].sum() == pytest.approx(0.5, abs=0.01)


@pytest.mark.parametrize(("arguments", "message"), [
    ((10, 20, 0, 1, 0.9), "radius: 0 is not more than 0"),
    ((10, 20, 181, 1, 0.9), "radius: 181"),
    ((10, 20, NAN, 1, 0.9), "radius: nan"),
    ((10, 20, 50, 0, 0.9), "width: 0 is not more than 0"),
    ((10, 20, 50, 1e-4, 0.9), "width: 0.0001 deg is so narrow"),
    ((10, 20, 90, 180, 0.5), "width: 180 deg at containment 0.5 is wider than the whole sky"),
    ((10, 20, 50, 1, 1e-17), "width: 1 deg at containment 1e-17 is wider than the whole sky"),
    ((10, 20, 1e-6, 180, 0.999999999), "width: 180 deg at containment 1 is wider"),
    ((10, 20, 50, 1, 1), "containment: 1 is not between"),
    ((10, 20, 50, 1, float("inf")), "containment: inf"),
    ((360.1, 20, 50, 1, 0.9), "ra: 360.1"),
])
def test_bad_values_are_named(arguments, message):
    with pytest.raises(SkyMapError, match=f"^{message}"):
        make.annulus(*arguments)
