"""BAYESTAR: the map of a simulated merger, as ligo.skymap makes it; and bad files."""

from __future__ import annotations

import builtins
import sys
from pathlib import Path

import numpy as np
import pytest
from astropy.time import Time

from gwbroker.errors import SkyMapError
from gwbroker.skymap import bayestar
from gwbroker.skymap.regions import credible_areas, credible_level_at, distance

from . import simulated


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A ``coinc.xml`` of Hanford and Livingston with the noise inside, and the noise alone."""
    return simulated.coinc(tmp_path_factory.mktemp("coinc"), ("H1", "L1"))


def test_the_true_position_is_found_as_by_ligo_skymap_called_directly(files, ligo, capfd):
    skymap = bayestar.localize(files[0], threads=2)
    said = capfd.readouterr()
    assert (said.out, said.err) == ("", "")
    assert credible_level_at(skymap, simulated.RA, simulated.DEC) < 0.95
    assert credible_areas(skymap, 0.9) < 2000
    far = distance(skymap)
    assert abs(far.mean - simulated.DISTANCE) < 3 * far.std
    assert skymap.meta["INSTRUME"] == "H1,L1"
    assert skymap.meta["OBJECT"] == "coinc_event 0"
    assert skymap.meta["VCSVERS"].startswith("ligo.skymap ")
    assert Time(skymap.meta["DATE-OBS"]).gps == pytest.approx(simulated.GPS, abs=0.1)
    assert Time(skymap.meta["MJD-OBS"], format="mjd").gps == pytest.approx(simulated.GPS, abs=0.1)
    assert skymap.meta["DISTMEAN"] == pytest.approx(far.mean, rel=1e-3)
    event, = ligo("io.events.ligolw").open(str(files[0]), psd_file=str(files[0])).values()
    table = ligo("bayestar").localize(event, f_low=15.0)
    mine, theirs = np.argsort(skymap.uniq), np.argsort(table["UNIQ"])
    assert (skymap.uniq[mine] == table["UNIQ"][theirs]).all()
    for name in ("probdensity", "distmu", "distsigma", "distnorm"):
        peer = np.asarray(table[name.upper()])[theirs]
        assert getattr(skymap, name)[mine] == pytest.approx(peer, rel=1e-9, nan_ok=True)


@pytest.mark.parametrize(("options", "message"), [
    ({"disabled": ["V1"]}, "coinc.xml: there is no detector 'V1' to disable, only H1, L1"),
    ({"disabled": ["H1", "L1"]}, "coinc.xml: no detector is left"),
    ({"f_low": 0}, "f_low: 0 is not from 1 to 2048"),
    ({"f_low": float("nan")}, "f_low: nan"),
    ({"threads": 0}, "threads: 0 is not from 1"),
    ({"psds": "no.xml"}, "no.xml: cannot be read: No such file"),
])
def test_bad_options_are_named(files, options, message):
    with pytest.raises(SkyMapError, match=message):
        bayestar.localize(files[0], **options)


def test_a_file_without_noise_asks_for_it(files):
    bare = files[0].parent / "bare.xml"
    with pytest.raises(SkyMapError, match=r"bare.xml: has no noise spectr.*--psd"):
        bayestar.localize(bare)


def test_a_detector_without_noise_is_named(files, tmp_path):
    whole = files[1].read_text()
    lone = tmp_path / "lone.xml"
    lone.write_text(whole.replace(">L1<", ">K1<").replace('"L1"', '"K1"'))
    with pytest.raises(SkyMapError, match=r"lone.xml: has no noise spectrum \(PSD\) of L1"):
        bayestar.localize(files[0], lone)


@pytest.mark.parametrize("content", [
    b"", b"not xml", b"<?xml version='1.0'?><LIGO_LW/>", b"\x89HDF\r\n\x1a\n", b"\x1f\x8bgzip",
])
def test_what_is_no_coinc_is_named(tmp_path, content):
    path = tmp_path / "bad.xml"
    path.write_bytes(content)
    with pytest.raises(SkyMapError, match=r"bad.xml: is no coinc.xml"):
        bayestar.localize(path)


def test_half_a_file_is_named(files, tmp_path):
    path = tmp_path / "half.xml"
    path.write_bytes(files[0].read_bytes()[:20_000])
    with pytest.raises(SkyMapError, match=r"half.xml: is no coinc.xml"):
        bayestar.localize(path)


def test_two_coincidences_are_not_guessed_between(files, tmp_path):
    path = tmp_path / "none.xml"
    text = files[0].read_text()
    start = text.index('<Stream', text.index('Name="coinc_event:table"'))
    stop = text.index("</Stream>", start)
    rows = text[text.index(">", start) + 1:stop]
    path.write_text(text.replace(rows, "\n"))
    with pytest.raises(SkyMapError, match=r"none.xml: has 0 coincidences, not one"):
        bayestar.localize(path)


def test_without_the_extra_the_remedy_is_named(files, monkeypatch):
    real = builtins.__import__

    def lacking(name, *rest, **more):
        if name.startswith("ligo.skymap"):
            raise ImportError(name)
        return real(name, *rest, **more)

    for name in [n for n in sys.modules if n.startswith("ligo")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(builtins, "__import__", lacking)
    with pytest.raises(SkyMapError, match=r"pip install 'gwbroker\[bayestar\]'"):
        bayestar.localize(files[0])
