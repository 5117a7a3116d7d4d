"""Joint false-alarm rates, against ligo-raven and the limits of the formulae."""

import io
import math
import warnings
from types import SimpleNamespace

import healpy as hp
import numpy as np
import pytest

from gwbroker.coincidence.far import DAY, YEAR, duration, spatial, targeted, untargeted
from gwbroker.coincidence.pairs import find
from gwbroker.errors import CoincidenceError
from gwbroker.skymap import SkyMap
from gwbroker.skymap.multiorder import uniq_of
from gwbroker.skymap.overlap import overlap

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from ligo.raven.search import coinc_far

NOWHERE = SimpleNamespace(_service_url="https://localhost/api/")
"""Instead of GraceDB; with both events given nothing is asked of it."""


def raven(search, window, far, **options):
    """Return ligo-raven's joint rate from the times."""
    external = {"pipeline": options.pop("pipeline", "Fermi"), "gpstime": 1e9}
    return coinc_far(
        "S1", "E1", *window, grb_search=search, gracedb=NOWHERE, ext_dict=external,
        se_dict={"preferred_event": "G1", "far": far, "t_0": 1e9}, **options,
    )["temporal_coinc_far"]


@pytest.mark.parametrize("far", [1e-30, 1e-9, 3.17e-8, 1e-4])
@pytest.mark.parametrize("group", ["cbc", "burst"])
def test_the_untargeted_rate_is_that_of_ligo_raven(far, group):
    pair = find("gw", "grb", group)
    ours = untargeted(far, pair.rate, pair.window)
    assert ours == pytest.approx(raven("GRB", pair.window, far, em_rate=pair.rate), rel=1e-12)
    # ligo-raven's own rate is an older one, of 310 bursts a year.
    older = untargeted(far, 310 / YEAR, pair.window)
    assert older == pytest.approx(raven("GRB", pair.window, far), rel=1e-12)


@pytest.mark.parametrize("experiment", ["Fermi", "Swift"])
@pytest.mark.parametrize(("far", "far_ext"), [
    (1e-9, 1e-6), (1 / DAY, 1e-4), (1e-5, 9e-5), (1e-20, 1e-20)])
def test_the_targeted_rate_is_that_of_ligo_raven(experiment, far, far_ext):
    pair = find("gw", "subgrb", experiment=experiment)
    ours = targeted(far, far_ext, pair.window, *pair.far_max)
    theirs = raven("SubGRBTargeted", pair.window, far, far_grb=far_ext, pipeline=experiment)
    assert ours == pytest.approx(theirs, rel=1e-12)


class Folder:
    """Instead of GraceDB: files in a folder."""

    _service_url = NOWHERE._service_url

    def __init__(self, folder):
        self.folder = folder

    def files(self, name, file, raw):
        """Return the content of a file of an event, ready to be read."""
        return io.BytesIO((self.folder / file).read_bytes())


def test_the_rate_with_maps_is_that_of_ligo_raven(tmp_path):
    cells = np.arange(12 * 4**5)
    maps = {}
    for name, towards in (("S1", (1.0, 2.0, 0.5)), ("E1", (2.0, 0.0, -1.0))):
        density = np.exp(towards @ np.array(hp.pix2vec(2**5, cells, nest=True)))
        skymap = SkyMap(uniq_of(5, cells), density / density.sum() / hp.nside2pixarea(2**5))
        maps[name] = skymap.validate()
        hp.write_map(
            tmp_path / f"{name}.fits", maps[name].prob, nest=True, dtype=np.float64,
            column_names=["PROB"], column_units="pix-1")
    pair = find("gw", "grb")
    theirs = coinc_far(
        "S1", "E1", *pair.window, gracedb=Folder(tmp_path), em_rate=pair.rate, incl_sky=True,
        se_fitsfile="S1.fits", ext_fitsfile="E1.fits", se_nested=True, ext_nested=True,
        se_dict={"preferred_event": "G1", "far": 1e-9, "t_0": 1e9},
        ext_dict={"pipeline": "Fermi", "gpstime": 1e9})
    both = overlap(maps["S1"], maps["E1"])
    assert both == pytest.approx(theirs["skymap_overlap"], rel=1e-9)
    ours = spatial(untargeted(1e-9, pair.rate, pair.window), both)
    assert ours == pytest.approx(theirs["spatiotemporal_coinc_far"], rel=1e-9)


def test_rates_too_small_for_a_product_do_not_become_undefined():
    # A product of these is 0 in floating point, and its logarithm infinite.
    assert targeted(1e-200, 1e-200, (-1, 1), 1e-5, 1e-4) == 0
    assert targeted(1e-200, 1e-90, (-1, 1), 1e-5, 1e-4) == pytest.approx(
        2e-290 * (1 - math.log(1e-281)))


def test_the_targeted_rate_at_the_bounds_is_that_of_all_pairs():
    assert targeted(1e-5, 1e-4, (-11, 1), 1e-5, 1e-4) == pytest.approx(12e-9, rel=1e-12)


def test_the_targeted_rate_grows_with_either_rate():
    fars = np.geomspace(1e-12, 1e-5, 40)
    found = [targeted(far, 1e-6, (-11, 1), 1e-5, 1e-4) for far in fars]
    assert (np.diff(found) > 0).all()


def test_a_rate_of_zero_stays_zero():
    assert untargeted(0, 1e-5, (-5, 1)) == 0
    assert untargeted(1e-8, 0, (-5, 1)) == 0
    assert targeted(0, 1e-5, (-5, 1), 1e-5, 1e-4) == 0
    assert targeted(1e-8, 0.0, (-5, 1), 1e-5, 1e-4) == 0
    assert spatial(0.0, 10) == 0


def test_the_overlap_divides_and_an_overlap_of_zero_excludes():
    assert spatial(1e-9, 20) == pytest.approx(5e-11)
    assert spatial(1e-9, 0.5) == pytest.approx(2e-9)
    assert spatial(1e-9, 1) == 1e-9
    assert spatial(1e-9, None) == 1e-9
    assert spatial(1e-9, 0) == math.inf
    assert spatial(0, 0) == math.inf


@pytest.mark.parametrize("bad", [-1e-9, math.nan, math.inf, "many", None])
def test_rates_that_are_none_are_refused_by_name(bad):
    with pytest.raises(CoincidenceError, match=r"^far: "):
        untargeted(bad, 1e-5, (-5, 1))
    with pytest.raises(CoincidenceError, match=r"^rate: "):
        untargeted(1e-9, bad, (-5, 1))
    with pytest.raises(CoincidenceError, match=r"^far_second: "):
        targeted(1e-9, bad, (-5, 1), 1e-5, 1e-4)
    with pytest.raises(CoincidenceError, match=r"^far_second_max: "):
        targeted(1e-9, 1e-9, (-5, 1), 1e-5, bad)


@pytest.mark.parametrize("bad", [-1, math.nan, math.inf, "wide"])
def test_overlaps_that_are_none_are_refused(bad):
    with pytest.raises(CoincidenceError, match=r"^overlap: "):
        spatial(1e-9, bad)


def test_a_rate_per_year_given_as_hz_is_refused_with_the_remedy():
    with pytest.raises(CoincidenceError, match=r"far: 1 Hz .* per year by 31,536,000"):
        untargeted(1, 1e-5, (-5, 1))
    with pytest.raises(CoincidenceError, match="in Hz"):
        targeted(1e-8, 12, (-5, 1), 1e-5, 1e-4)


def test_a_rate_above_the_largest_that_a_search_admits_is_refused():
    with pytest.raises(CoincidenceError, match=r"far_first: 2e-05 Hz is above 1e-05 Hz"):
        targeted(2e-5, 1e-6, (-5, 1), 1e-5, 1e-4)
    with pytest.raises(CoincidenceError, match=r"far_second: 0\.001 Hz is above"):
        targeted(1e-6, 1e-3, (-5, 1), 1e-5, 1e-4)
    with pytest.raises(CoincidenceError, match="far_second_max: is 0"):
        targeted(1e-6, 0, (-5, 1), 1e-5, 0)


@pytest.mark.parametrize("window", [
    (1, -5), (3, 3), (math.nan, 1), (-math.inf, 1), (1,), (1, 2, 3), 5, ("a", 1), None])
def test_windows_that_are_none_are_refused(window):
    with pytest.raises(CoincidenceError, match=r"^window: "):
        duration(window)
