"""Whatever format, version and road, a message is recognised and reaches its handlers."""

from __future__ import annotations

import base64
import io
import json
from typing import Any

import fastavro
import pytest

from gwbroker import dispatch
from gwbroker.handlers.gravitational_waves import read_gwalert
from gwbroker.intake import accept
from gwbroker.ledger import jobs as job_rows
from gwbroker.ledger.engine import read
from gwbroker.notice import Notice
from gwbroker.streams import igwn, voevent
from gwbroker.streams.healpix import skymap_bytes

ANY = "gwbroker.handlers.other_voevents.on_any"
FITS = b"SIMPLE  =                    T" + bytes(200)

EVENT = {"type": "record", "name": "EventInfo", "fields": [
    {"name": "time", "type": "string"}, {"name": "far", "type": "double"},
    {"name": "significant", "type": "boolean"},
    {"name": "instruments", "type": {"type": "array", "items": "string"}},
    {"name": "classification", "type": {"type": "map", "values": "double"}},
    {"name": "skymap", "type": ["null", "bytes"]}]}
ALERT = {"type": "record", "name": "Alert", "namespace": "igwn.alerts", "fields": [
    {"name": "alert_type", "type": {"type": "enum", "name": "AlertType", "symbols": [
        "PRELIMINARY", "RETRACTION"]}},
    {"name": "time_created", "type": "string"}, {"name": "superevent_id", "type": "string"},
    {"name": "event", "type": ["null", EVENT]},
    {"name": "external_coinc", "type": "null"},
    {"name": "urls", "type": {"type": "map", "values": "string"}}]}


def packet(
    ivorn: str, version: str = "2.0", prefix: str = "voe", space: str | None = "v2.0",
    encoding: str = "UTF-8", params: str = "", topic: str = "voevent",
) -> Notice:
    """Return a VOEvent in one of the forms that are in use."""
    tag = f"{prefix}:VOEvent" if prefix else "VOEvent"
    mark = "" if space is None else \
        f' xmlns{":" + prefix if prefix else ""}="http://www.ivoa.net/xml/VOEvent/{space}"'
    return Notice((
        f'<?xml version="1.0" encoding="{encoding}"?><{tag}{mark} version="{version}" '
        f'role="observation" ivorn="{ivorn}"><Who><Author><shortName>Müller</shortName></Author>'
        f"<Date>2026-11-01T12:00:00</Date></Who><What>{params}</What></{tag}>").encode(encoding),
        "kafka.gcn", topic)


def wanted(notice: Notice) -> set[str]:
    """Return which handlers want a notice."""
    choices = dispatch.choose(notice)
    assert [choice.error for choice in choices if choice.error] == []
    return {choice.registration.name for choice in choices}


@pytest.mark.parametrize("form", [
    {"version": "1.1", "space": "v1.1"}, {"version": "2.0"}, {"version": "2.1", "space": "v2.1"},
    {"prefix": "x"}, {"prefix": ""}, {"prefix": "", "space": None},
    {"encoding": "ISO-8859-1"}, {"encoding": "ISO-8859-1", "version": "1.1", "space": "v1.1"},
])
def test_every_version_prefix_and_encoding_of_a_voevent_is_read(form: dict[str, Any]):
    notice = packet("ivo://a.b/c#1", **form)
    read_as = voevent.read(notice)
    assert read_as.ivorn == "ivo://a.b/c#1"
    assert read_as.version == form.get("version", "2.0")
    names = [e.text for e in read_as.root.iter() if voevent.local(e) == "shortName"]
    assert names == ["Müller"]
    assert wanted(notice) == {ANY}


@pytest.mark.parametrize("topic", [
    "gcn.notices.svom.voevent.grm", "gcn.notices.svom.voevent.eclairs",
    "gcn.notices.svom.voevent.mxt", "gcn.notices.km3net.voevent"])
def test_xml_on_a_topic_of_json_is_read_as_a_voevent(topic: str):
    author = "org.svom/fsc" if "svom" in topic else "km3net.org/alerts"
    assert wanted(packet(f"ivo://{author}#sb26110101_grm-trigger", topic=topic)) == {ANY}
    assert topic in dispatch.topics()


def test_a_packet_without_type_reaches_its_handlers_by_topic_and_by_ivorn():
    ivorn = "ivo://nasa.gsfc.gcn/Fermi#GBM_Fin_Pos_1"
    by_topic = packet(ivorn, topic="gcn.classic.voevent.FERMI_GBM_FIN_POS")
    assert len(wanted(by_topic) - {ANY}) == 1
    assert wanted(packet(ivorn)) == {ANY}


@pytest.mark.parametrize(("topic", "payload"), [
    ("gcn.circulars", b'{"circularId": 1}'), ("gcn.circulars", b'\xef\xbb\xbf {"circularId": 1}'),
    ("igwn.gwalert", b'{"alert_type": "RETRACTION", "superevent_id": "S1", "event": null}'),
    ("gcn.heartbeat", b'{"alert_datetime": "2026-11-01T12:00:00Z"}'),
    ("gcn.notices.chime.frb", b'{"id": ["sb1"]}'),
])
def test_json_is_read_as_json(topic: str, payload: bytes):
    assert wanted(Notice(payload, "kafka.gcn", topic))


def test_the_same_ivorn_in_another_version_is_a_linked_revision(sqlite: str):
    (old,) = accept([packet("ivo://a.b/c#1", "1.1", space="v1.1")])
    (new,) = accept([packet("ivo://a.b/c#1")])
    assert old is not None
    assert new is not None
    assert new.revision_of == old.id
    with read() as connection:
        rows = job_rows.listing(connection)
    assert len(rows) == 2
    assert len({row["serial"] for row in rows}) == 1


def gwalert(form: str, alert_type: str = "PRELIMINARY", offset: int = 1) -> Notice:
    """Return an alert as GCN (json) or SCiMMA (avro) carries it."""
    event: Any = None if alert_type == "RETRACTION" else {
        "time": "2026-11-01T11:59:00.000Z", "far": 9.1e-14, "significant": True,
        "instruments": ["H1", "L1"], "classification": {"BNS": 0.95}, "skymap": FITS}
    value: dict[str, Any] = {
        "alert_type": alert_type, "time_created": "2026-11-01T12:00:00Z",
        "superevent_id": "S261101a", "event": event, "external_coinc": None, "urls": {}}
    if form == "avro":
        file = io.BytesIO()
        fastavro.writer(file, fastavro.parse_schema(json.loads(json.dumps(ALERT))), [value])
        return Notice(file.getvalue(), "kafka.scimma", igwn.TOPIC, 0, offset)
    if event:
        event["skymap"] = base64.b64encode(FITS).decode()
    return Notice(json.dumps(value).encode(), "kafka.gcn", igwn.TOPIC, 0, offset)


@pytest.mark.parametrize("form", ["json", "avro"])
def test_an_alert_is_the_same_as_json_and_as_avro(form: str):
    notice = gwalert(form)
    alert = igwn.read(notice)
    assert (alert.superevent_id, alert.far, alert.skymap_bytes()) == ("S261101a", 9.1e-14, FITS)
    assert read_gwalert(notice) == read_gwalert(gwalert("json"))
    assert skymap_bytes(notice) == FITS
    retraction = read_gwalert(gwalert(form, "RETRACTION"))
    assert (retraction.retracted, retraction.localization, retraction.flags) == (True, None, ())


def test_an_alert_that_comes_as_json_and_as_avro_acts_once(sqlite: str):
    accept([gwalert("json"), gwalert("avro"), gwalert("json", offset=2)])
    accept([gwalert("avro", "RETRACTION"), gwalert("json", "RETRACTION")])
    with read() as connection:
        assert len(job_rows.listing(connection)) == 2


def test_a_message_of_4_mebibytes_is_kept_and_handled(sqlite: str):
    large = json.dumps({"circularId": 1, "body": "x" * (4 << 20)}).encode()
    (kept,) = accept([Notice(large, "kafka.gcn", "gcn.circulars", 0, 1)])
    assert kept is not None
    with read() as connection:
        (job,) = job_rows.listing(connection)
    assert job["state"] != "dead"
