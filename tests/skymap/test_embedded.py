"""Maps inside JSON: alerts of LIGO/Virgo/KAGRA, GCN's unified schema, our own."""

import base64
import gzip
import json

import numpy as np
import pytest

from gwbroker.errors import SkyMapError
from gwbroker.skymap import embedded, files, fits

from .conftest import DATA


def text(skymap, packed=False):
    content = fits.encode(skymap)
    return base64.b64encode(gzip.compress(content) if packed else content).decode()


def test_the_map_of_a_recorded_alert_is_read_from_the_alert(merger):
    skymap = files.load(DATA / "igwn" / "igwn_gwalert_preliminary.json")
    np.testing.assert_array_equal(skymap.uniq, merger.uniq)
    assert skymap.history == merger.history


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("prefix", ["", "data:application/fits;base64,"])
@pytest.mark.parametrize("wrap", [
    lambda t: {"event": {"skymap": t}}, lambda t: {"skymap": t}, lambda t: {"healpix_file": t},
    lambda t: [{"event": {"skymap": t}, "healpix_file": None}],
    lambda t: {"skymap": "\n".join(t[i : i + 76] for i in range(0, len(t), 76))},
])
def test_a_map_is_found_where_senders_put_it(simple, packed, prefix, wrap):
    content = json.dumps(wrap(prefix + text(simple.validate(), packed)))
    skymap = embedded.read(content.encode())
    np.testing.assert_array_equal(skymap.probdensity, simple.validate().probdensity)


@pytest.mark.parametrize(
    ("value", "message"),
    [({"alert_type": "RETRACTION", "event": None}, r"has no map \(alert_type 'RETRACTION'\): none"),
     ({"healpix_url": "https://example.org/a.fits"}, "download https://example.org/a.fits and"),
     ({}, "has no map: none of event.skymap, skymap, healpix_file is there"),
     ({"event": "GW", "skymap": 5}, "a.json: skymap: is int, not base64 text"),
     ({"event": {"skymap": {"a": 1}}}, "a.json: event.skymap: is dict, not base64 text"),
     ({"skymap": "ünicode"}, "a.json: skymap: is not base64, it starts with 'ünicode'"),
     ({"skymap": "U0lNUExFICA9ab"}, "a.json: skymap: is not base64"),
     ({"skymap": "data:,U0lN"}, "a.json: skymap: is a data URL without base64"),
     ({"healpix_file": "aGVsbG8="}, "a.json: healpix_file: is not FITS, it starts with b'hello'"),
     ({"skymap": ""}, "a.json: skymap: is not FITS, it starts with nothing"),
     ([], "holds a JSON list, not one object"),
     ("U0lN", "holds a JSON str, not one object"),
     (None, "holds a JSON NoneType, not one object")],
)
def test_json_without_a_map_is_refused_with_the_reason(value, message):
    with pytest.raises(SkyMapError, match=f"^a.json: .*{message}|^{message}"):
        embedded.read(json.dumps(value).encode(), "a.json")


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b'{"skymap": "', b"[" * 100_000])
def test_what_is_not_json_is_refused(content):
    with pytest.raises(SkyMapError, match=r"^a\.json: is not JSON"):
        embedded.read(content, "a.json")


def test_an_invalid_map_inside_names_the_field_and_the_column(simple):
    content = fits.encode(simple)
    bad = content.replace(simple.probdensity[:1].astype(">f8").tobytes(),
                          np.array([-1.0]).astype(">f8").tobytes())
    with pytest.raises(SkyMapError, match=r"a\.json: skymap: column PROBDENSITY: -1\.0 in cell 4"):
        embedded.read(json.dumps({"skymap": base64.b64encode(bad).decode()}).encode(), "a.json")


def test_a_map_that_inflates_beyond_the_limit_is_refused(simple):
    bomb = gzip.compress(b"SIMPLE  =" + bytes(10**6))
    content = json.dumps({"skymap": base64.b64encode(bomb).decode()}).encode()
    with pytest.raises(SkyMapError, match="larger than 100000 bytes after decompression"):
        embedded.read(content, limit=100_000)


def test_json_of_many_small_values_is_refused_before_they_take_memory():
    content = b'{"a": [' + b"[]," * 1_000_000 + b"[]]}"
    with pytest.raises(SkyMapError, match=r"^a\.json: has 2000003 values in its JSON, more than"):
        embedded.read(content, "a.json")
