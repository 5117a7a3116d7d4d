"""Maps made from positions and errors: they hold what they promise."""

import healpy as hp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import kstest

from gwbroker.errors import SkyMapError
from gwbroker.skymap import fits, make
from gwbroker.skymap.mesh import tangent
from gwbroker.skymap.multiorder import SQUARE_DEGREE
from gwbroker.skymap.projection import to_degrees
from gwbroker.skymap.regions import credible_areas, credible_level_at, most_probable

RADII = [1e-6, 0.1 / 3600, 1 / 3600, 0.02, 0.5, 5, 30, 90]
MAXI = [(345.72, 19.547), (345.464, 19.29), (347.309, 17.634), (347.566, 17.889)]
"""A published rectangular error region (GCN schema example of MAXI, GRB 230220A)."""


def cap(radius):
    """Return the area of a circle on the sky, square degrees."""
    return 4 * np.pi * np.sin(np.radians(radius) / 2) ** 2 * SQUARE_DEGREE


def from_centre(ra, dec, theta, angle):
    """Return positions at an angle (rad) from a centre, towards an angle east of north."""
    centre, east, north = tangent(ra, dec)
    way = np.sin(angle)[:, np.newaxis] * east + np.cos(angle)[:, np.newaxis] * north
    return to_degrees(
        np.cos(theta)[:, np.newaxis] * centre + np.sin(theta)[:, np.newaxis] * way
    )


def draw_from_cone(rng, ra, dec, kappa, size):
    u = -np.log1p(rng.random(size) * np.expm1(-2 * kappa)) / kappa
    return from_centre(
        ra, dec, 2 * np.arcsin(np.sqrt(u / 2)), rng.uniform(0, 2 * np.pi, size)
    )


@pytest.mark.parametrize("radius", RADII)
@pytest.mark.parametrize("dec", [0, 41, -89.9999999])
def test_the_90_percent_area_of_a_cone_is_that_of_its_circle(radius, dec):
    skymap = make.cone(123.4, dec, radius, 0.9)
    assert credible_areas(skymap, 0.9) == pytest.approx(cap(radius), rel=0.01)
    assert skymap.cells < 20_000


@settings(max_examples=60, deadline=None)
@given(
    st.floats(0, 360), st.floats(-90, 90),
    st.floats(np.log10(0.1 / 3600), np.log10(60)), st.floats(0.3, 0.99),
)
def test_any_cone_holds_its_containment_in_its_circle(ra, dec, log_radius, containment):
    radius = 10**log_radius
    skymap = make.cone(ra, dec, radius, containment)
    assert credible_areas(skymap, containment) == pytest.approx(cap(radius), rel=0.02)
    assert skymap.cells < 20_000
    peak = most_probable(skymap)
    offset = hp.rotator.angdist((ra, dec), tuple(peak), lonlat=True)[0]
    assert np.degrees(offset) < max(0.02 * radius, 1e-7)


@pytest.mark.parametrize("radius", RADII)
@pytest.mark.parametrize("containment", [0.01, 0.3935, 0.68, 0.9, 0.9999])
def test_the_concentration_gives_back_the_containment(radius, containment):
    u = 2 * np.sin(np.radians(radius) / 2) ** 2
    if containment <= u / 2:
        with pytest.raises(SkyMapError, match=r"radius: .* is wider than the whole sky"):
            make.concentration(radius, containment)
        return
    kappa = make.concentration(radius, containment)
    assert np.expm1(-kappa * u) / np.expm1(-2 * kappa) == pytest.approx(containment, rel=1e-9)


def test_a_half_of_the_sky_is_uniform():
    assert make.concentration(90, 0.5 + 1e-6) == pytest.approx(4e-6, rel=1e-3)


@pytest.mark.parametrize("radius", [0.1 / 3600, 3, 70])
def test_credible_levels_of_positions_drawn_from_a_cone_are_uniform(radius):
    rng = np.random.default_rng(11)
    skymap = make.cone(200, -35, radius, 0.68)
    ra, dec = draw_from_cone(rng, 200, -35, make.concentration(radius, 0.68), 4000)
    assert kstest(credible_level_at(skymap, ra, dec), "uniform").pvalue > 0.01


@pytest.mark.parametrize("axes", [(0.22, 0.19), (10, 1), (3, 0.05)])
def test_credible_levels_of_positions_drawn_from_an_ellipse_are_uniform(axes):
    rng = np.random.default_rng(12)
    skymap = make.ellipse(346.56, 18.61, *axes, 153, 0.9)
    scale = np.radians(axes) / np.sqrt(-2 * np.log(0.1))
    along, across = rng.normal(size=(2, 4000)) * scale[:, np.newaxis]
    theta, angle = np.hypot(along, across), np.radians(153) + np.arctan2(across, along)
    ra, dec = from_centre(346.56, 18.61, theta, angle)
    assert kstest(credible_level_at(skymap, ra, dec), "uniform").pvalue > 0.01


@pytest.mark.parametrize(
    ("major", "minor"), [(0.22, 0.19), (1e-4, 1e-5), (10, 1), (5, 0.05), (2, 2)]
)
def test_the_area_of_an_ellipse_is_pi_times_its_axes(major, minor):
    skymap = make.ellipse(10, -60, major, minor, 30, 0.9)
    assert credible_areas(skymap, 0.9) == pytest.approx(np.pi * major * minor, rel=0.02)


def test_a_round_ellipse_is_a_cone():
    round_, cone = make.ellipse(50, 20, 2, 2, 77, 0.68), make.cone(50, 20, 2, 0.68)
    assert credible_areas(round_, [0.5, 0.9]) == pytest.approx(
        credible_areas(cone, [0.5, 0.9]), rel=0.01
    )


@pytest.mark.parametrize("angle", [0, 30, 90, 153, -20])
def test_the_position_angle_goes_from_north_to_east(angle, ligo):
    skymap = make.ellipse(40, 50, 12, 4, angle, 0.9)
    theta = np.radians([10.0, 10.0])
    along, across = np.radians(angle), np.radians(angle + 90)
    levels = credible_level_at(skymap, *from_centre(40, 50, theta, np.array([along, across])))
    assert levels[0] < 0.85
    assert levels[1] > 0.999
    nside = 128
    prob = skymap.probdensity[
        skymap.find(*hp.pix2ang(nside, np.arange(12 * nside**2), lonlat=True))
    ]
    prob[prob < 1e-12 * prob.max()] = 0  # ligo.skymap divides by the least probability
    found = ligo("postprocess.ellipse").find_ellipse(prob / prob.sum(), cl=90)
    ra, dec, a, b, pa, area = found
    assert (ra, dec) == pytest.approx((40, 50), abs=0.3)
    assert (a, b) == pytest.approx((12, 4), rel=0.02)
    # Theirs is the position angle of the minor axis, as their documentation says.
    assert (pa - angle) % 180 == pytest.approx(90, abs=1)
    assert credible_areas(skymap, 0.9) == pytest.approx(area, rel=0.02)


@pytest.mark.parametrize(
    ("corners", "area"),
    [
        (MAXI, 0.8507),
        ([(0, 0), (1, 0), (1, 1), (0, 1)], 1.0),
        ([(0, 0), (0, 1), (1, 1), (1, 0), (0, 0)], 1.0),
        ([(359, -1), (1, -1), (1, 1), (359, 1)], 4.0),
        ([(0, 85), (90, 85), (180, 85), (270, 85)], 50.1),
        ([(0, 0), (3, 1), (0, 2), (1, 1)], 2.0),
        ([(20, 20), (20 + 2e-4, 20), (20, 20 + 1e-4)], 1e-8 * np.cos(np.radians(20))),
    ],
)
@pytest.mark.parametrize("containment", [0.2, 0.9])
def test_a_polygon_holds_its_containment_in_its_area(corners, area, containment):
    skymap = make.polygon(corners, containment)
    assert credible_areas(skymap, containment) == pytest.approx(area, rel=0.01)
    assert skymap.cells < 30_000


def test_inside_and_outside_of_a_polygon_are_told_apart():
    skymap = make.polygon(MAXI, 0.9)
    most = skymap.probdensity.max()
    ra, dec = [346.5, 345.6, 346.5, 346.5, 166.5], [18.6, 19.4, 18.9, 18.3, -18.6]
    inside = skymap.probdensity[skymap.find(ra, dec)] == most
    assert inside.tolist() == [True, True, False, False, False]
    near, far = skymap.probdensity[skymap.find([346.5, 350], [19.5, 10])]
    assert near > 100 * far
    assert most_probable(skymap) == pytest.approx((346.5, 18.6), abs=0.1)


@pytest.mark.parametrize("skymap", [
    make.cone(1, 2, 0.1 / 3600, 0.9), make.ellipse(1, 2, 3, 1, 5, 0.9), make.polygon(MAXI, 0.9)
], ids=["cone", "ellipse", "polygon"])
def test_what_is_made_is_written_and_read_again(tmp_path, skymap):
    fits.write(skymap, tmp_path / "map.fits", {})
    again = fits.read(tmp_path / "map.fits")
    assert (again.probdensity == skymap.probdensity).all()


NAN = float("nan")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((400, 0, 1, 0.9), "ra: 400 is not from 0 to 360"),
        ((-1, 0, 1, 0.9), "ra: -1 is not"),
        ((NAN, 0, 1, 0.9), "ra: nan is not"),
        ((None, 0, 1, 0.9), "ra: None is not a number"),
        (("here", 0, 1, 0.9), "ra: 'here' is not a number"),
        ((0, 90.1, 1, 0.9), "dec: 90.1 is not from -90 to 90"),
        ((0, NAN, 1, 0.9), "dec: nan is not"),
        ((0, 0, 0, 0.9), "radius: 0 is not more than 0"),
        ((0, 0, -1, 0.9), "radius: -1 is not more than 0"),
        ((0, 0, 181, 0.9), "radius: 181 is not more than 0 and at most 180"),
        ((0, 0, NAN, 0.9), "radius: nan is not"),
        ((0, 0, float("inf"), 0.9), "radius: inf is not"),
        ((0, 0, 1e-9, 0.9), "radius: 1e-09 is finer"),
        ((0, 0, 150, 0.68), "radius: 150 deg at containment 0.68 is wider than the whole sky"),
        ((0, 0, 180, 0.999), "radius: 180 deg at containment 0.999 is wider"),
        ((0, 0, 1, 0), "containment: 0 is not between 0 and 1"),
        ((0, 0, 1, 1), "containment: 1 is not between"),
        ((0, 0, 1, 90), "containment: 90 is not between"),
        ((0, 0, 1, NAN), "containment: nan is not a number"),
    ],
)
def test_bad_values_of_a_cone_are_named(arguments, message):
    with pytest.raises(SkyMapError, match=f"^{message}"):
        make.cone(*arguments)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((400, 0, 2, 1, 0, 0.9), "ra: 400"),
        ((0, -91, 2, 1, 0, 0.9), "dec: -91"),
        ((0, 0, 0, 1, 0, 0.9), "semi_major: 0 is not more than 0"),
        ((0, 0, 2, 0, 0, 0.9), "semi_minor: 0 is not more than 0"),
        ((0, 0, 1, 2, 0, 0.9), "semi_minor: 2 is not from 1/300 of the semi_major to it, 1"),
        ((0, 0, 10, 0.001, 0, 0.9), "semi_minor: 0.001 is not from"),
        ((0, 0, 2, 1, 361, 0.9), "position_angle: 361 is not from -360 to 360"),
        ((0, 0, 2, 1, NAN, 0.9), "position_angle: nan"),
        ((0, 0, 2, 1, 0, 1.5), "containment: 1.5"),
        ((0, 0, 90, 90, 0, 0.39), "semi_major: 90 deg at containment 0.39 reaches around"),
    ],
)
def test_bad_values_of_an_ellipse_are_named(arguments, message):
    with pytest.raises(SkyMapError, match=f"^{message}"):
        make.ellipse(*arguments)


@pytest.mark.parametrize(
    ("corners", "message"),
    [
        ([(0, 0), (1, 0), (0, 400)], "dec of corner 3: 400"),
        ([(0, 0), (NAN, 0), (0, 1)], "ra of corner 2: nan"),
        ([(0, 0), (1, 0)], "corners: there are 2, not from 3 to 200"),
        ([], "corners: there are 0"),
        ([(0, 0)] * 300, "corners: there are 299"),
        ([1, 2, 3], "corners: are not pairs"),
        (None, "corners: are not pairs"),
        ([(0, 0), (1, 0), (2, 0)], "corners: enclose no area"),
        ([(0, 0), (0, 0), (0, 0), (1, 1)], "corners: enclose no area"),
        ([(5, 5), (5, 5), (5, 5), (5, 5)], "corners: "),
        ([(0, 0), (1, 1), (1, 0), (0, 1)], "corners: are not in order: side 1 crosses side 3"),
        ([(0, 0), (120, 0), (240, 0)], "corners: lie all around the sky"),
        ([(0, 0), (179, 0), (90, 80)], "corners: one is further than 75 deg"),
    ],
)
def test_bad_corners_of_a_polygon_are_named(corners, message):
    with pytest.raises(SkyMapError, match=f"^{message}"):
        make.polygon(corners, 0.9)
