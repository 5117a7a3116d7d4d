"""Small inputs to begin with, made here: each grammar and each branch has at least one."""

from __future__ import annotations

import base64
import gzip
import io
import json
import struct
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache

import numpy as np
from astropy.io import fits as astropy_fits

from gwbroker import samples
from gwbroker.streams import transport

from .case import Case
from .mutate.avro import container

PACKET = """<?xml version="1.0" encoding="UTF-8"?>
<voe:VOEvent xmlns:voe="http://www.ivoa.net/xml/VOEvent/v{version}" version="{version}"
 role="observation" ivorn="{ivorn}">
<Who><AuthorIVORN>ivo://a/b</AuthorIVORN><Date>2024-01-02T03:05:00</Date></Who>
<What>{params}<Group name="Svom_Identifiers"><Param name="Burst_Id" value="sb24010201"/></Group>
<Param name="Long"><Value>1</Value></Param></What>
<WhereWhen><ObsDataLocation><ObservationLocation><AstroCoords coord_system_id="UTC-FK5-GEO">
<Time><TimeInstant><ISOTime>2024-01-02T03:04:05</ISOTime></TimeInstant></Time>
<Position2D unit="deg"><Value2><C1>10</C1><C2>-20</C2></Value2><Error2Radius>3</Error2Radius>
</Position2D></AstroCoords></ObservationLocation></ObsDataLocation></WhereWhen>
<Why importance="0.5"><Inference probability="0.9"><Concept>x</Concept></Inference></Why>
<Citations><EventIVORN cite="{cite}">ivo://a/b#1</EventIVORN></Citations></voe:VOEvent>"""

PACKETS = (
    ("ivo://nasa.gsfc.gcn/Fermi#GBM_Flt_Pos_1", {"Packet_Type": 111, "TrigID": 524666471}),
    ("ivo://nasa.gsfc.gcn/SWIFT#BAT_GRB_Pos_1", {"Packet_Type": 61, "TrigID": 1126853}),
    ("ivo://nasa.gsfc.gcn/AMON#ICECUBE_GOLD_Event", {
        "Packet_Type": 173, "run_id": 138415, "event_id": 1, "src_error_90": 0.5, "FAR": 1.2}),
    ("ivo://nasa.gsfc.gcn/LVC#S190814bv-1-Initial", {
        "Packet_Type": 151, "GraceID": "S190814bv", "FAR": 2e-33, "Instruments": "H1,L1",
        "skymap_fits": "https://gracedb.ligo.org/x.fits", "Significant": 1}),
    ("ivo://org.svom/fsc#sb24010201_eclairs", {"Packet_Type": 202}),
    ("ivo://km3net.org/alerts#1", {"id": 3}),
    ("ivo://nasa.gsfc.gcn/SNEWS#Event", {"Packet_Type": 149, "TrigID": 7}),
)

NOTICE = {
    "$schema": "https://gcn.nasa.gov/schema/v4.0.0/gcn/notices/x/alert.schema.json",
    "id": ["524666471", "bn240102"], "event_name": ["GRB 240102A"], "mission": "Any",
    "alert_type": "initial", "alert_tense": "current", "alert_datetime": "2024-01-02T03:05:00Z",
    "trigger_time": "2024-01-02T03:04:05.678Z", "ra": 10.5, "dec": -20.5,
    "ra_dec_error": [3, 2, 30], "containment_probability": 0.68, "far": 1e-9, "snr": 8.5,
    "record_number": 3, "rectangular_error_corners": [[10, 10], [11, 10], [11, 11]],
    "ref_ID": "S190814bv", "p_astro": 0.9, "classification": {"GRB": 0.9}, "nu_energy": 100,
    "trigger_number": 12, "observation_start": "2024-01-02T00:00:00Z", "healpix_file": None,
}

GWALERT = {
    "alert_type": "PRELIMINARY", "time_created": "2024-01-02T03:05:00Z",
    "superevent_id": "MS240102a", "urls": {"gracedb": "https://example.org/MS240102a"},
    "event": {
        "significant": True, "time": "2024-01-02T03:04:05Z", "far": 1e-9,
        "instruments": ["H1", "L1"], "group": "CBC", "pipeline": "gstlal", "search": "MDC",
        "properties": {"HasNS": 0.9}, "classification": {"BNS": 0.9, "Terrestrial": 0.1},
        "duration": None, "central_frequency": None, "skymap": None},
    "external_coinc": {"gcn_notice_id": 1, "combined_skymap": None},
}

CIRCULAR = {
    "circularId": 12345, "eventId": "GRB 240102A", "subject": "GRB 240102A: Fermi GBM detection",
    "createdOn": 1704164700000, "submitter": "A", "email": "a@b", "version": 2,
    "editedOn": 1704164800000,
    "body": "Fermi GBM triggered (trigger 524666471 / 240102127) and Swift (trigger=1126853)",
}


def _fits(*columns: tuple[str, str, object], **header: object) -> bytes:
    table = astropy_fits.BinTableHDU.from_columns(
        [astropy_fits.Column(n, f, array=v) for n, f, v in columns])
    table.header.update({"PIXTYPE": "HEALPIX", "COORDSYS": "C", **header})
    buffer = io.BytesIO()
    astropy_fits.HDUList([astropy_fits.PrimaryHDU(), table]).writeto(buffer)
    return buffer.getvalue()


@cache
def fits() -> list[bytes]:
    """Return small sky maps: multi-order with distances, flat in both orders, vectors, gzip."""
    uniq = np.array([*range(4, 15), *range(60, 64)])
    ones = np.ones(len(uniq))
    density = ones / (4 * np.pi)
    flat = np.full(48, 1 / 48)
    made = [
        _fits(("UNIQ", "K", uniq), ("PROBDENSITY", "D", density), ("DISTMU", "D", 100 * ones),
              ("DISTSIGMA", "D", 20 * ones), ("DISTNORM", "D", 1e-4 * ones), ORDERING="NUNIQ",
              INDXSCHM="EXPLICIT", MOCORDER=1, MOC=True, OBJECT="S240102a", DISTMEAN=100.0),
        _fits(("UNIQ", "J", uniq), ("PROBDENSITY", "E", density), ORDERING="NUNIQ"),
        _fits(("PROB", "D", flat), ORDERING="NESTED", NSIDE=2, INDXSCHM="IMPLICIT"),
        _fits(("PROB", "E", flat), ("DISTMU", "E", flat), ("DISTSIGMA", "E", flat),
              ("DISTNORM", "E", flat), ORDERING="RING", NSIDE=2),
        _fits(("PROBABILITY", "12D", flat.reshape(4, 12)), ORDERING="RING"),
        _fits(("T", "PD()", np.array([np.arange(3.0)] * 12, object)), ORDERING="RING"),
        _fits(("UNIQ", "K", uniq), ("NAME", "5A", np.full(len(uniq), "abc")),
              ("PROBDENSITY", "D", density), ORDERING="NUNIQ"),
    ]
    return [*made, gzip.compress(made[0], mtime=0)]


@cache
def voevents() -> list[bytes]:
    """Return VOEvents of three versions and of no namespace, and the samples."""
    made = []
    for number, (ivorn, values) in enumerate(PACKETS):
        params = "".join(f'<Param name="{k}" value="{v}"/>' for k, v in values.items())
        text = PACKET.format(ivorn=ivorn, params=params, version=("1.1", "2.0", "2.1")[number % 3],
                             cite=("followup", "supersedes", "retraction")[number % 3])
        made.append(Case("voevent", text.encode()).pack())
    bare = '<VOEvent ivorn="ivo://a/b#c" role="test"/>'
    made += [Case(topic, bare.encode()).pack()
             for topic in ("voevent", "gcn.classic.voevent.SK_SN")]
    made.append(Case("gcn.notices.svom.voevent.grm", bare.encode("utf-16")).pack())
    return made + [_sample(s) for s in samples.load() if s.file.endswith(".xml")]


def _sample(sample: samples.Sample) -> bytes:
    return Case(sample.topic or "voevent", sample.payload()).pack()


@cache
def notices() -> list[bytes]:
    """Return JSON notices for every topic that a built-in handler asks for."""
    from gwbroker import dispatch

    made = [Case(topic, json.dumps(NOTICE).encode()).pack() for topic in sorted(dispatch.topics())
            if topic.startswith("gcn.notices.") and "voevent" not in topic]
    made.append(Case("gcn.circulars", json.dumps(CIRCULAR).encode()).pack())
    made.append(Case("gcn.heartbeat", b'{"alert_datetime": "2024-01-02T03:04:05Z"}').pack())
    made.append(Case("igwn.gwalert", json.dumps(GWALERT).encode()).pack())
    made.append(Case("igwn.gwalert", json.dumps({**GWALERT, "alert_type": "RETRACTION",
                                                 "event": None}).encode()).pack())
    made.append(Case("gracedb.cbc_gstlal", json.dumps({
        "uid": "G1", "alert_type": "label_added", "data": {"name": "SKYMAP_READY"},
        "object": {"graceid": "G1", "superevent": "S240102a", "far": 1e-9, "gpstime": 1388202245.1,
                   "created": "2024-01-02 03:04:05 UTC", "labels": ["A"]}}).encode()).pack())
    made.append(Case("my.topic", b'{"uid": "G1", "alert_type": "new", "object": {}}').pack())
    return made


@cache
def gwalerts() -> list[bytes]:
    """Return alerts and unified notices with sky maps inside."""
    made = []
    for number, skymap in enumerate(fits()):
        text = base64.b64encode(skymap).decode()
        if number % 2:
            value = {**NOTICE, "healpix_file": text if number % 4 == 1 else
                     f"data:application/fits;base64,{text}"}
            made.append(Case("gcn.notices.km3net.alert", json.dumps(value).encode()).pack())
        else:
            value = {**GWALERT, "event": {**GWALERT["event"], "skymap": text}}  # type: ignore[dict-item]
            made.append(Case("igwn.gwalert", json.dumps(value).encode()).pack())
    return made


@cache
def frames() -> list[bytes]:
    """Return streams of frames as brokers send them."""
    messages = (transport.iamalive("ivo://b/c"), transport.authenticate("ivo://b"),
                transport.ack("ivo://a#1", "ivo://b"), transport.nak("ivo://a#1&", "ivo://b", "no"))
    now = datetime(2024, 1, 2, 3, 4, 5, tzinfo=UTC)
    documents = [*(replace(each, timestamp=now).to_xml() for each in messages),
                 b'<VOEvent ivorn="ivo://a/b#c" role="test" version="2.1"/>']
    one = [struct.pack("!I", len(d)) + d for d in documents]
    return [b"".join(one), one[0] + one[4], one[4] * 3, one[1] + struct.pack("!I", 0) + one[0]]


SCHEMA = {
    "type": "record", "name": "alert", "fields": [
        {"name": "id", "type": "string"}, {"name": "mjd", "type": "double"},
        {"name": "cutout", "type": ["null", "bytes"]},
        {"name": "history", "type": {"type": "array", "items": {
            "type": "record", "name": "point", "fields": [{"name": "mag", "type": "float"}]}}},
        {"name": "extra", "type": {"type": "map", "values": "long"}}]}
RECORD = {"id": "ZTF24aaaaaaa", "mjd": 60000.5, "cutout": b"\0" * 50,
          "history": [{"mag": 17.5}] * 5, "extra": {"a": 1}}


@cache
def avro() -> list[bytes]:
    """Return Avro containers in the codecs that Python has by itself."""
    made = [container(SCHEMA, [RECORD] * n, codec)
            for n, codec in ((1, "null"), (3, "deflate"), (2, "bzip2"), (2, "xz"), (0, "null"))]
    tree = {"type": "record", "name": "node", "fields": [
        {"name": "left", "type": ["null", "node"]}, {"name": "value", "type": "long"}]}
    made.append(container(tree, [{"left": {"left": None, "value": 1}, "value": 2}]))
    return [Case("survey.alerts", each).pack() for each in made]


@cache
def headed() -> list[bytes]:
    """Return messages whose Kafka headers say what they are."""
    bodies = {
        b"voevent": b'<VOEvent ivorn="ivo://a/b#c"/>', b"json": b'{"id": 1}',
        b"circular": json.dumps({"header": {"title": "t", "number": "1"}, "body": "b"}).encode(),
        b"gcntextnotice": b"TITLE: GCN/FERMI NOTICE\nNOTICE_TYPE: Flight\n", b"blob": b"\0\1\2",
        b"avro": container(SCHEMA, [RECORD]), b"external": b'{"url": "http://127.0.0.1/"}',
    }
    return [Case("hop.topic", body, (
        ("_format", kind), ("_id", bytes(range(16))), ("_sender", b"someone"), ("_test", b"true"),
    )).pack() for kind, body in bodies.items()]
