"""Small messages cost little memory, whatever they promise."""

from __future__ import annotations

import base64
import bz2
import gzip
import io
import json
import lzma
import os
import resource
import struct
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from astropy.io import fits as astropy_fits

from gwbroker.errors import NoticeError, SkyMapError, TransportError
from gwbroker.notice import Notice
from gwbroker.skymap import fits
from gwbroker.streams import avro, healpix, igwn, kafka, transport
from tests.fuzz.mutate.avro import varint

MiB = 2**20
ERRORS = (NoticeError, SkyMapError, TransportError)


def cost(function: Callable[[], Any]) -> tuple[float, str]:
    """Return the MiB by which a function makes a process grow at most, and how it ended."""
    receive, send = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            try:
                function()
                text = "returned"
            except ERRORS as e:
                text = str(e)
            after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            os.write(send, json.dumps([(after - before) / 1024, text[:500]]).encode())
        finally:
            os._exit(0)
    os.close(send)
    with os.fdopen(receive, "rb") as answer:
        text = answer.read()
    os.waitpid(pid, 0)
    assert text, "the process died, or raised another error"
    grown, outcome = json.loads(text)
    return grown, outcome


def deflated(size: int, start: bytes = b"") -> bytes:
    """Return gzip of so many bytes."""
    machine = zlib.compressobj(9, zlib.DEFLATED, 31)
    block = bytes(MiB)
    return machine.compress(start) + b"".join(
        machine.compress(block) for _ in range(size // MiB)) + machine.flush()


def alert(content: bytes) -> Notice:
    """Return an alert with a sky map."""
    text = base64.b64encode(content).decode()
    return Notice(json.dumps({"superevent_id": "S1", "alert_type": "INITIAL",
                              "event": {"skymap": text}}).encode(), topic=igwn.TOPIC)


def table(rows: int = 12, form: str = "K", **cards: Any) -> bytes:
    """Return a sky map with header cards that lie."""
    made = astropy_fits.BinTableHDU.from_columns([
        astropy_fits.Column("UNIQ", form, array=np.arange(4, 16)),
        astropy_fits.Column("PROBDENSITY", "D", array=np.full(12, 1 / 4 / np.pi))])
    made.header.update({"PIXTYPE": "HEALPIX", "ORDERING": "NUNIQ"})
    buffer = io.BytesIO()
    astropy_fits.HDUList([astropy_fits.PrimaryHDU(), made]).writeto(buffer)
    content = bytearray(buffer.getvalue())
    for keyword, value in cards.items():
        place = content.index(b"%-8s= " % keyword.encode(), 2880)
        content[place + 10 : place + 80] = b"%20s%50s" % (str(value).encode(), b"")
    return bytes(content)


@pytest.mark.parametrize(("content", "words", "most"), [
    (lambda: deflated(160 * MiB), "is not FITS", 5),
    (lambda: deflated(160 * MiB, b"SIMPLE  ="), "larger than 134217728 bytes", 300),
    (lambda: gzip.compress(deflated(20 * MiB)), "is not FITS", 5),
    (lambda: gzip.compress(b"SIMPLE  =") + gzip.compress(b"", mtime=0) * 200_000,
     "more than 10000 members", 40),
], ids=["no FITS", "FITS", "twice", "many members"])
def test_gzip_inside_an_alert_is_a_bomb_without_effect(content, words, most):
    notice = alert(content())
    grown, outcome = cost(lambda: fits.read(healpix.skymap_bytes(notice), "event.skymap"))
    assert words in outcome
    assert grown < most + 4 * len(notice.payload) / MiB


@pytest.mark.parametrize("cards", [
    {"NAXIS2": 10**12}, {"NAXIS1": 10**12}, {"NAXIS2": 2**62}, {"TFIELDS": 10**12},
    {"NAXIS": 10**9}, {"PCOUNT": 10**12}, {"NAXIS2": -1}, {"GCOUNT": -32},
    {"PCOUNT": -(10**9)}, {"TFIELDS": "1E30"},
    {"TFORM1": "'1000000000000K'"}, {"TFORM1": "'QD(9999999999)'"}, {"NAXIS1": 0},
])
def test_a_header_that_promises_too_much_costs_nothing(cards):
    content = table(**cards)
    grown, outcome = cost(lambda: fits.read(content, "big.fits"))
    assert outcome.startswith("big.fits: ")
    assert grown < 30


def test_a_map_of_the_deepest_cells_costs_as_much_as_it_has_rows():
    # As a MOC it would have 3 * 2^60 pixels; it is never made flat.
    uniq = np.array([4**30 + n for n in range(1000)])
    column = astropy_fits.Column
    made = astropy_fits.BinTableHDU.from_columns([
        column("UNIQ", "K", array=uniq), column("PROBDENSITY", "D", array=np.ones(1000))])
    made.header.update({"PIXTYPE": "HEALPIX", "ORDERING": "NUNIQ"})
    buffer = io.BytesIO()
    astropy_fits.HDUList([astropy_fits.PrimaryHDU(), made]).writeto(buffer)
    grown, outcome = cost(lambda: fits.read(buffer.getvalue(), "deep.fits"))
    assert "cells are missing" in outcome
    assert grown < 30


def test_base64_full_of_spaces_costs_no_list_of_words():
    text = base64.b64encode(b"SIMPLE  =" + bytes(3 * MiB)).decode()
    spaced = " ".join(text)
    notice = Notice(json.dumps({"superevent_id": "S1", "event": {"skymap": spaced}}).encode(),
                    topic=igwn.TOPIC)
    assert cost(lambda: healpix.skymap_bytes(notice))[0] < 10 * len(notice.payload) / MiB


SCHEMA = b'{"type": "record", "name": "a", "fields": [{"name": "b", "type": "%s"}]}'


def container(codec: bytes, block: bytes, count: int = 1, kind: bytes = b"bytes",
              blocks: int = 1) -> Notice:
    """Return an Avro file with a block that is packed already."""
    meta = {b"avro.schema": SCHEMA % kind, b"avro.codec": codec}
    head = b"Obj\x01" + varint(len(meta)) + b"".join(
        varint(len(k)) + k + varint(len(v)) + v for k, v in meta.items()) + varint(0) + bytes(16)
    body = varint(count) + varint(len(block)) + block + bytes(16)
    return Notice(head + body * blocks, topic="survey.alerts")


def raw_deflate(data: bytes) -> bytes:
    """Return data as the codec deflate has them."""
    machine = zlib.compressobj(9, zlib.DEFLATED, -15)
    return machine.compress(data) + machine.flush()


LARGE = varint(70 * MiB) + bytes(70 * MiB)


@pytest.mark.parametrize(("codec", "block"), [
    (b"deflate", lambda: raw_deflate(LARGE)), (b"bzip2", lambda: bz2.compress(LARGE)),
    (b"xz", lambda: lzma.compress(LARGE, preset=0)),
    (b"snappy", lambda: varint(70 * MiB)), (b"zstandard", lambda: b"\x28\xb5\x2f\xfd" + bytes(20)),
])
def test_a_packed_avro_block_is_a_bomb_without_effect(codec, block):
    notice = container(codec, block())
    grown, outcome = cost(lambda: kafka.decode(notice))
    assert "is not readable Avro" in outcome
    assert grown < 200


def test_many_packed_avro_blocks_are_no_way_around():
    notice = container(b"deflate", raw_deflate(varint(15 * MiB) + bytes(15 * MiB)), blocks=20)
    grown, outcome = cost(lambda: kafka.decode(notice))
    assert "is not readable Avro" in outcome
    assert grown < 200


@pytest.mark.parametrize("size", [2**31, 2**40, 2**62, -1, -(2**62)])
def test_lengths_in_avro_that_lie_cost_nothing(size):
    for notice in (container(b"null", varint(size) + b"x"),
                   container(b"null", b"\0", count=size)):
        grown, outcome = cost(lambda notice=notice: kafka.decode(notice))
        assert "is not readable Avro" in outcome
        assert grown < 20


@pytest.mark.parametrize("schema", [
    {"type": "record", "name": "a", "fields": [{"name": "b", "type": "a"}]},
    {"type": "record", "name": "a", "fields": [{"name": "b", "type": ["null", "a"]}]},
    {"type": "array", "items": "null"},
    {"type": "array", "items": {"type": "record", "name": "e", "fields": []}},
    {"type": "array", "items": {"type": "fixed", "name": "f", "size": 0}},
    {"type": "record", "name": "a", "fields": [
        {"name": f"f{n}", "type": "null"} for n in range(10_000)]},
])
def test_schemas_whose_values_cost_more_than_their_bytes_are_refused(schema):
    grown, outcome = cost(lambda: avro.prepare(json.dumps(schema)))
    assert outcome != "returned"
    assert grown < 20


def test_schemas_nested_without_end_are_refused():
    deep: Any = "int"
    for _ in range(400):
        deep = {"type": "array", "items": deep}
    text = json.dumps(deep)
    assert "nested" in cost(lambda: avro.prepare(text))[1]


@pytest.mark.parametrize("payload", [
    b"[" * 1_000_000, b'{"a":' * 500_000, b"[" * 500 + b"1" + b"]" * 100_000, b"1" * 1_000_000,
    b'{"a": ' + b"9" * 100_000 + b"}", b'"\\ud800"', b"{" + b" " * 1_000_000,
])
def test_json_nested_or_long_without_end_costs_little(payload):
    grown, _ = cost(lambda: Notice(payload, topic="gcn.circulars").json())
    assert grown < 20


@pytest.mark.parametrize("payload", [
    b"<a>" * 500_000, b"<a>" + b"x" * 12_000_000 + b"</a>", b'<a b="' + b"x" * 12_000_000 + b'"/>',
    b"<a>" + b"<!--" + b"x" * 12_000_000 + b"--></a>",
    b"<a " + b" ".join(b'a%d=""' % n for n in range(100_000)) + b"/>",
    b"<" + b"a" * 1_000_000 + b"/>", b"<a>&#x" + b"0" * 1_000_000 + b"41;</a>",
])
def test_huge_xml_costs_a_few_times_its_size(payload):
    grown, outcome = cost(lambda: Notice(payload, topic="voevent").xml())
    assert grown < 30 + 8 * len(payload) / MiB
    assert len(outcome) < 501


def test_a_frame_that_announces_four_gigabytes_costs_nothing():
    def read() -> None:
        decoder = transport.Decoder(8 * MiB)
        decoder.feed(struct.pack("!I", 2**32 - 1) + b"x")
        decoder.next()

    grown, outcome = cost(read)
    assert "4294967295 B; at most 8388608 B" in outcome
    assert grown < 5
