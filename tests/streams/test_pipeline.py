"""GraceDB's topics, as igwn-alert sends them."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest

from gwbroker.errors import HandlerError, NoticeError
from gwbroker.notice import Notice
from gwbroker.streams import igwn
from gwbroker.streams.registry import registrations
from gwbroker.streams.subject import identify

NEW = {"uid": "G184098", "alert_type": "new", "data": {"graceid": "G184098"}, "object": {
    "graceid": "G184098", "far": 1e-9, "pipeline": "gstlal", "superevent": "S190814bv"}}


@pytest.fixture(autouse=True)
def _restored() -> Any:
    before = dict(registrations)
    yield
    registrations.clear()
    registrations.update(before)


def alert(value: Any, topic: str = "gracedb.cbc_gstlal", *headers: tuple[str, bytes]) -> Notice:
    """Return an alert as SCiMMA's Kafka brings it."""
    return Notice(json.dumps(value).encode(), "kafka.scimma", topic, 0, 1, headers=headers)


def declared(*arguments: str, **options: Any) -> Any:
    """Return the registration of a handler declared so."""
    def on_upload(notice: Notice) -> None:
        """Stand in for a handler."""

    igwn.pipeline(*arguments, name="mine", **options)(on_upload)
    return registrations["mine"]


@pytest.mark.parametrize(("arguments", "options", "topic"), [
    (("cbc_gstlal",), {}, "gracedb.cbc_gstlal"),
    (("burst_cwb", "new"), {"group": "gracedb-playground"}, "gracedb-playground.burst_cwb"),
    (("gracedb-test.superevent", "label_added"), {}, "gracedb-test.superevent"),
])
def test_a_pipeline_is_a_topic_of_a_server(arguments: Any, options: Any, topic: str):
    made = declared(*arguments, **options)
    assert made.topics == {topic}
    assert made.stream.wants(made.keys[:1], alert(NEW, topic))
    assert not made.stream.wants(made.keys[:1], alert(NEW, "gracedb.other"))


def test_a_handler_gets_the_types_that_it_names():
    made = declared("cbc_gstlal", "new", "update")
    assert made.stream.wants(made.keys, alert(NEW))
    assert not made.stream.wants(made.keys, alert({**NEW, "alert_type": "log"}))


def test_where_gets_the_alert():
    made = declared("cbc_gstlal", where=lambda a: a.far < 1e-8 and a.uid.startswith("G"))
    assert made.where(made.stream.alert(alert(NEW)))
    assert made.stream.alert(alert(NEW)).superevent == "S190814bv"


@pytest.mark.parametrize("value", [
    json.dumps(NEW), NEW, {"format": "blob", "content": NEW}])
def test_text_of_json_in_json_and_the_old_envelope_are_read_too(value: Any):
    assert igwn.read_pipeline(alert(value)).uid == "G184098"
    framed = alert(value, "gracedb.cbc_gstlal", ("_format", b"json"))
    if "format" not in value:
        assert igwn.read_pipeline(framed).uid == "G184098"


@pytest.mark.parametrize(("value", "field"), [
    ({}, "uid"), ({"uid": "G1"}, "alert_type"), ({"uid": 5, "alert_type": "new"}, "uid"),
    ([], "payload"), ("no JSON", "payload"), (None, "payload")])
def test_what_is_no_alert_is_refused_with_the_field(value: Any, field: str):
    with pytest.raises(NoticeError) as caught:
        igwn.read_pipeline(alert(value))
    assert caught.value.field == field
    assert identify(alert(value)).identifier is None


@pytest.mark.parametrize("far", [None, "x", True, [1]])
def test_without_a_rate_every_comparison_is_false(far: object):
    read = igwn.read_pipeline(alert({**NEW, "object": {"far": far}}))
    assert math.isnan(read.far) or far == "x"
    assert not read.far < 1


@pytest.mark.parametrize(("value", "identifier", "subject"), [
    (NEW, "gracedb.cbc_gstlal:G184098:new", "gw:S190814bv"),
    ({"uid": "S190814bv", "alert_type": "label_added", "data": {"name": "ADVREQ"}},
     "gracedb.cbc_gstlal:S190814bv:label_added:ADVREQ", "gw:S190814bv"),
    ({"uid": "MS1a", "alert_type": "log", "data": {"N": 7, "filename": "a.fits"}},
     "gracedb.cbc_gstlal:MS1a:log:7:a.fits", "gw:MS1a"),
    ({"uid": "G5", "alert_type": "new", "object": None}, "gracedb.cbc_gstlal:G5:new",
     "gracedb:G5"),
])
def test_an_alert_is_known_by_upload_and_type_and_serial_with_its_superevent(
    value: Any, identifier: str, subject: str,
):
    who = identify(alert(value))
    assert (who.identifier, who.subject) == (identifier, subject)


@pytest.mark.parametrize(("arguments", "words"), [
    (("a topic",), "letters"), (("",), "letters"), (("cbc_gstlal", "NEW"), "type of alert"),
    (("cbc_gstlal", 5), "type of alert")])
def test_a_wrong_name_is_refused_with_the_remedy(arguments: Any, words: str):
    with pytest.raises(HandlerError, match=words):
        igwn.pipeline(*arguments)
