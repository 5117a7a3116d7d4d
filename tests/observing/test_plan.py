"""Plan: what astroplan says may be observed, each place counted once, reasons for the rest."""

from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.time import Time

from gwbroker.errors import SkyMapError
from gwbroker.observing import Limits, Telescope
from gwbroker.observing.fields import Fields
from gwbroker.observing.plan import plan
from gwbroker.observing.planned import Plan
from gwbroker.observing.schedule import Visits
from gwbroker.observing.sites import SITES
from gwbroker.observing.telescopes import PRESETS
from gwbroker.skymap import SkyMap, make

ZTF = PRESETS["ztf"]
SLOW = replace(ZTF, name="slow", exposure=1800.0)
SMALL = Telescope("small", 1.5, 1.0, site=SITES["palomar"], exposure=300, readout=10, settle=5)
NOON = "2024-04-01T20:00:00Z"


@pytest.fixture(scope="module")
def two() -> SkyMap:
    """A region in the evening sky and one that rises in the morning."""
    a, b = make.cone(120, 25, 8, 0.9), make.cone(290, 20, 8, 0.9)
    level = 6
    ipix = np.arange(12 * 4**level)
    from gwbroker.skymap.multiorder import centres

    vectors = centres(np.full(len(ipix), level), ipix)
    density = 0.5 * (a.probdensity[a.find_vectors(vectors)] + b.probdensity[
        b.find_vectors(vectors)])
    density /= density.sum() * np.pi / 3 / 4**level
    return SkyMap(ipix + 4 ** (level + 1), density, meta={"OBJECT": "two"}).validate("two")


def allowed_by_astroplan(found: Plan, location) -> np.ndarray:
    """Tell for the start, middle and end of each exposure whether astroplan allows it."""
    from astroplan import (
        AirmassConstraint,
        AtNightConstraint,
        MoonSeparationConstraint,
        Observer,
    )

    limits = found.telescope.limits
    start = Time([e.start for e in found.exposures])
    length = np.array([e.exposure for e in found.exposures]) * u.s
    targets = SkyCoord([e.ra for e in found.exposures], [e.dec for e in found.exposures],
                       unit="deg")
    observer = Observer(location(found.telescope.site))
    # As far as the two may differ: a hundredth of a degree.
    edge = 0.01
    altitude = np.arcsin(1 / limits.airmass) - np.radians(edge)
    constraints = [AirmassConstraint(1 / np.sin(altitude), boolean_constraint=True),
                   MoonSeparationConstraint((limits.moon - edge) * u.deg),
                   AtNightConstraint((limits.sun + edge) * u.deg)]
    with warnings.catch_warnings():
        # astroplan compares places that are and are not on Earth, and astropy says so.
        warnings.simplefilter("ignore")
        return np.array([[each(observer, targets, start + part * length) for each in constraints]
                         for part in (0, 0.5, 1)])


@pytest.mark.usefixtures("offline")
@pytest.mark.parametrize("telescope", [
    ZTF, SLOW, replace(SLOW, limits=Limits(1.6, 45, "nautical")),
    replace(SLOW, site=SITES["hanle"], limits=Limits(1.9, 80))], ids=str)
def test_astroplan_allows_every_exposure_from_its_beginning_to_its_end(
    two: SkyMap, telescope: Telescope, location,
) -> None:
    found = plan(two, telescope, "2024-04-08T20:00:00Z", hours=24)
    assert len(found.exposures) > 5
    assert allowed_by_astroplan(found, location).all()


def test_both_the_evening_and_the_morning_are_used(two: SkyMap) -> None:
    found = plan(two, SLOW, NOON)
    ra = np.array([e.ra for e in found.exposures])
    assert (np.diff((ra > 200).astype(int)) >= 0).all()
    assert {True, False} == set((ra > 200).tolist())
    assert found.name == "two"


def test_exposures_follow_one_another_with_slew_and_readout(two: SkyMap) -> None:
    found = plan(two, ZTF, NOON)
    start, end = (Time([getattr(e, n) for e in found.exposures]).unix for n in ("start", "end"))
    assert (np.diff(start) >= ZTF.exposure + ZTF.readout - 0.01).all()
    assert end - start == pytest.approx(ZTF.exposure, abs=0.01)
    where = SkyCoord([e.ra for e in found.exposures], [e.dec for e in found.exposures], unit="deg")
    slews = where[1:].separation(where[:-1]).deg / ZTF.slew + ZTF.settle
    assert (start[1:] - end[:-1] >= slews - 0.01).all()
    assert [e.number for e in found.exposures] == list(range(1, len(found.exposures) + 1))


def test_the_covered_probability_counts_each_place_once(wide: SkyMap) -> None:
    found = plan(wide, ZTF, NOON)
    assert 0.9 < found.covered < 1
    assert found.covered == found.exposures[-1].cumulative
    assert sum(e.new for e in found.exposures) == pytest.approx(found.covered)
    assert sum(e.probability for e in found.exposures) > found.covered
    assert all(e.new <= e.probability + 1e-12 for e in found.exposures)
    held = Fields(tuple(e.field for e in found.exposures),
                  np.array([e.ra for e in found.exposures]),
                  np.array([e.dec for e in found.exposures])).hold(ZTF, wide.vectors)
    seen = np.asarray(held.sum(axis=0)) > 0
    assert found.covered == pytest.approx(wide.prob[seen].sum(), abs=0.02)


def test_one_pointing_that_holds_the_level_is_the_whole_plan(narrow: SkyMap) -> None:
    found = plan(narrow, ZTF, NOON)
    assert found.single
    (exposure,) = found.exposures
    assert exposure.probability > 0.99
    assert abs(exposure.dec - 30) < 0.5
    assert abs(exposure.ra - 200) < 0.5
    assert found.left_out == ()


def test_the_single_pointing_is_centred_where_it_holds_most(narrow: SkyMap) -> None:
    # The grid would need two: its fields do not know where the map is.
    tight = replace(SMALL, width=1.9, height=1.9)
    found = plan(narrow, tight, NOON)
    assert found.single
    assert found.exposures[0].probability > 0.9
    assert np.hypot((found.exposures[0].ra - 200) * np.cos(np.radians(30)),
                    found.exposures[0].dec - 30) < 0.1


def test_a_region_wider_than_the_field_needs_several(narrow: SkyMap) -> None:
    found = plan(narrow, SMALL, NOON)
    assert not found.single
    assert len(found.exposures) > 3
    assert found.covered > 0.9


def test_a_field_list_is_kept_to(wide: SkyMap) -> None:
    mine = Fields(("a", "ß", "far"), np.array([200.0, 205, 20]), np.array([30.0, 30, 30]))
    found = plan(wide, ZTF, NOON, fields=mine)
    assert {e.field for e in found.exposures} == {"a", "ß"}


def test_visits_have_their_gap_and_add_no_probability_twice(narrow: SkyMap) -> None:
    found = plan(narrow, SMALL, NOON, visits=Visits(2, 1800, ("g", "r")))
    by_field: dict[str, list] = {}
    for e in found.exposures:
        by_field.setdefault(e.field, []).append(e)
    assert all([(e.visit, e.filter) for e in own] == [(1, "g"), (2, "r")]
               for own in by_field.values())
    assert all(Time(b.start).unix - Time(a.end).unix >= 1800 for a, b in by_field.values())
    assert {e.new for e in found.exposures if e.visit == 2} == {0.0}
    assert len(found.footprints()) == len(by_field)


@pytest.mark.parametrize(("telescope", "start", "reason"), [
    (replace(ZTF, site=SITES["mount-john"], limits=Limits()), NOON, "limit of airmass"),
    (replace(ZTF, limits=Limits(moon=90)), "2024-04-24T20:00:00Z", "limit of Moon"),
    (replace(ZTF, limits=Limits(declination=(-90, -40))), NOON, "limit of declination"),
    (replace(ZTF, exposure=50000), NOON, "not observable for a whole exposure"),
], ids=["south", "moon", "declination", "long"])
def test_a_plan_without_exposures_says_why(
    narrow: SkyMap, telescope: Telescope, start: str, reason: str,
) -> None:
    found = plan(narrow, telescope, start)
    assert found.exposures == ()
    assert found.covered == 0
    assert reason in found.reason


def test_without_darkness_there_is_no_plan(narrow: SkyMap) -> None:
    by_day = plan(narrow, ZTF, NOON, hours=2)
    assert "no dark time" in by_day.reason
    assert by_day.exposures == ()


def test_too_short_a_night_leaves_the_rest_out_for_want_of_time(wide: SkyMap) -> None:
    night = plan(wide, ZTF, NOON)
    short = plan(wide, ZTF, night.start, hours=0.1)
    assert len(short.exposures) == 9
    assert "no time was left" in {each.reason for each in short.left_out}
    probabilities = [each.probability for each in short.left_out]
    assert probabilities == sorted(probabilities, reverse=True)
    # Together with the covered part this is the region, or nearly.
    assert 0.85 < short.covered + sum(probabilities) < 1.2


def test_fields_that_set_are_left_out_because_they_set() -> None:
    evening = make.cone(85, 20, 12, 0.9)
    found = plan(evening, replace(SLOW, exposure=900.0), NOON)
    assert found.exposures
    assert "they set before their turn" in {each.reason for each in found.left_out}


def test_the_same_input_gives_the_same_plan(wide: SkyMap) -> None:
    assert plan(wide, ZTF, NOON) == plan(wide, ZTF, NOON)


def test_an_isotropic_sky_and_a_small_field_stay_within_memory(isotropic: SkyMap) -> None:
    found = plan(isotropic, PRESETS["decam"], "2024-03-20T23:30:00Z", hours=2)
    assert "densest" in found.notes[0]
    assert 30 < len(found.exposures) < 80
    assert found.covered == pytest.approx(len(found.exposures) * 3 / 41253, rel=0.02)


def test_all_of_a_level_29_map_is_one_pointing(point: SkyMap) -> None:
    for start in ("2024-01-01T20:00:00Z", "2024-04-01T20:00:00Z", "2024-08-01T20:00:00Z"):
        found = plan(point, replace(ZTF, limits=Limits(5.0, 0)), start)
        assert found.single or "airmass" in found.reason


@pytest.mark.parametrize(("change", "named"), [
    ({"end": "2024-04-01T19:00:00Z"}, "end.*not after"), ({"end": NOON}, "end.*not after"),
    ({"end": "2024-04-02T20:00:00"}, "no zone"), ({"hours": 0}, "hours"),
    ({"hours": 5, "end": "2024-04-02T20:00:00Z"}, "one of them"), ({"level": 0}, "level"),
    ({"level": float("nan")}, "level"), ({"start": "noon"}, "start"),
])
def test_bad_values_are_refused_by_name(
    narrow: SkyMap, change: dict[str, object], named: str,
) -> None:
    values = {"start": NOON} | change
    with pytest.raises(SkyMapError, match=named):
        plan(narrow, ZTF, **values)


@pytest.mark.parametrize(("values", "named"), [
    ((2, float("nan")), "gap: nan"), ((2, float("inf")), "gap: inf"), ((2, -1.0), "gap: -1"),
    ((0, 0.0), "visits: 0"), ((2, 0.0, ()), "filters"),
])
def test_visits_that_cannot_be_made_are_refused(values: tuple[object, ...], named: str) -> None:
    with pytest.raises(SkyMapError, match=named):
        Visits(*values)


def test_a_telescope_without_a_site_is_refused(narrow: SkyMap) -> None:
    with pytest.raises(SkyMapError, match="give a site"):
        plan(narrow, PRESETS["half-metre"], NOON)
