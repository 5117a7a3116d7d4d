"""Damaged, truncated and hostile files: refused with our error, at no cost."""

import gzip
import io
import zlib

import numpy as np
import pytest
from astropy.io import fits as astropy_fits
from hypothesis import given, settings
from hypothesis import strategies as st

from gwbroker.errors import SkyMapError
from gwbroker.skymap import fits


@pytest.mark.parametrize(
    "content", [b"", b"\0", b"not a map", b"<?xml version='1.0'?>", b"SIMPLE  =", b"\x1f\x8b"]
)
def test_what_is_not_fits_is_refused(content):
    with pytest.raises(SkyMapError, match=r"^thing.fits: "):
        fits.read(content, "thing.fits")


def test_fits_without_a_table_is_refused():
    buffer = io.BytesIO()
    astropy_fits.PrimaryHDU(np.zeros((4, 4))).writeto(buffer)
    with pytest.raises(SkyMapError, match="has no table"):
        fits.read(buffer.getvalue())


@pytest.mark.parametrize("part", [0.0001, 0.002, 0.004, 0.005, 0.008, 0.01, 0.5, 0.99, 0.9963])
@pytest.mark.parametrize("packed", [False, True])
def test_truncated_files_are_refused(gwalert, part, packed):
    content = gzip.compress(gwalert, 1) if packed else gwalert
    with pytest.raises(SkyMapError, match=r"^cut.fits: "):
        fits.read(content[: int(part * len(content))], "cut.fits")


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_damaged_headers_give_a_map_or_our_error_and_nothing_else(encode, data):
    content = bytearray(
        encode(
            [("UNIQ", "K", np.arange(4, 16)), ("PROBDENSITY", "D", np.full(12, 1 / 4 / np.pi))],
            ORDERING="NUNIQ", COORDSYS="C", OBJECT="GW",
        )
    )
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, 40 * 80 + 2880))
        content[place] = data.draw(st.integers(0, 255))
    try:
        skymap = fits.read(bytes(content))
    except SkyMapError:
        return
    assert skymap.prob.sum() == pytest.approx(1)


def test_a_damaged_card_that_is_not_needed_costs_nothing_else(multiorder, simple):
    content = multiorder(simple).replace(b"ORDERING= 'NUNIQ   '", b"OBJECT  = 'GW\x80\x01    '")
    assert b"\x80" in content
    skymap = fits.read(content)
    assert (skymap.cells, skymap.meta) == (15, {})


def test_a_damaged_card_that_is_needed_is_refused(encode):
    content = encode([("PROB", "D", np.full(48, 1 / 48))], ORDERING="RING")
    with pytest.raises(SkyMapError, match="is damaged FITS: VerifyError"):
        fits.read(content.replace(b"ORDERING= 'RING    '", b"ORDERING= 'RING     "))


@pytest.mark.parametrize("rows", [10**9, 10**15, 10**18])
def test_a_header_that_promises_too_many_rows_costs_no_memory(multiorder, simple, rows):
    content = multiorder(simple)
    card = b"NAXIS2  =                   15"
    assert card in content
    with pytest.raises(SkyMapError, match=r"^big.fits: "):
        fits.read(content.replace(card, b"NAXIS2  = %20d" % rows), "big.fits")


def test_a_map_of_nothing_but_distances_is_refused(encode):
    with pytest.raises(SkyMapError, match="has no column but distances"):
        fits.read(encode([("DISTMU", "D", np.ones(48))], ORDERING="RING"))


@pytest.mark.parametrize("keyword", ["NAXIS2", "PCOUNT", "GCOUNT"])
def test_a_part_of_negative_size_is_refused_and_not_read_for_ever(multiorder, simple, keyword):
    content = bytearray(multiorder(simple))
    place = content.index(f"{keyword:8}= ".encode(), 2880)
    content[place + 10 : place + 30] = b"%20d" % -32
    with pytest.raises(SkyMapError, match=f"{keyword} is -32, which is negative"):
        fits.read(bytes(content))


def test_a_gzip_bomb_is_stopped_at_the_limit():
    bomb = zlib.compressobj(9, zlib.DEFLATED, 31)
    block = bytes(2**20)
    start = bomb.compress(b"SIMPLE  =")
    content = start + b"".join(bomb.compress(block) for _ in range(64)) + bomb.flush()
    with pytest.raises(SkyMapError, match="larger than 1048576 bytes after decompression"):
        fits.read(content, limit=2**20)
    many = gzip.compress(b"SIMPLE  =" + block[: 2**19]) * 3
    with pytest.raises(SkyMapError, match="larger than 1048576 bytes after decompression"):
        fits.read(many, limit=2**20)


def test_a_file_larger_than_the_limit_is_refused(tmp_path):
    path = tmp_path / "large.fits"
    path.write_bytes(bytes(2000))
    with pytest.raises(SkyMapError, match=r"large.fits: is larger than 1000 bytes"):
        fits.read(path, limit=1000)


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(SkyMapError, match=r"none.fits: cannot be read: No such file"):
        fits.read(tmp_path / "none.fits")


def _with_cards(content, card, number):
    """Return a file whose table's header has a card so many times more."""
    begin = content.find(b"XTENSION")
    end = content.find(b"END".ljust(80), begin)
    header = content[begin:end] + card.ljust(80) * number + b"END".ljust(80)
    data = content[begin + -(-(end + 80 - begin) // 2880) * 2880 :]
    return content[:begin] + header.ljust(-(-len(header) // 2880) * 2880) + data


@pytest.mark.parametrize("card", [b"HISTORY   and so on", b"COMMENT words", b"END X"])
def test_a_header_without_end_in_sight_is_refused_before_it_costs_minutes(multiorder, simple, card):
    with pytest.raises(SkyMapError, match="has more than 10000 cards in its headers"):
        fits.read(_with_cards(multiorder(simple), card, 12_000))
    few = fits.read(_with_cards(multiorder(simple), b"HISTORY a line", 500))
    assert few.history[-1] == "a line"


def test_many_headers_that_are_long_together_are_refused(multiorder, simple):
    content = multiorder(simple)
    part = io.BytesIO()
    astropy_fits.HDUList([astropy_fits.PrimaryHDU(), astropy_fits.ImageHDU()]).writeto(part)
    long = _with_cards(part.getvalue(), b"COMMENT words", 2000)[2880:]
    with pytest.raises(SkyMapError, match="has more than 10000 cards in its headers"):
        fits.read(content + long * 5)
    assert fits.read(content + long * 4).cells == simple.cells


def test_a_file_of_a_thousand_parts_is_refused(multiorder, simple):
    content = multiorder(simple)
    part = io.BytesIO()
    astropy_fits.HDUList([astropy_fits.PrimaryHDU(), astropy_fits.ImageHDU()]).writeto(part)
    with pytest.raises(SkyMapError, match="has 1001 parts, more than 999"):
        fits.read(content + part.getvalue()[2880:] * 1000)
    assert fits.read(content + part.getvalue()[2880:] * 3).cells == simple.cells
