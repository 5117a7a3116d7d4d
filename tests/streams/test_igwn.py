"""LIGO/Virgo/KAGRA alerts: by type, with the parsed alert for predicates."""

from __future__ import annotations

import base64
import json
import math
from typing import Any

import pytest

from gwbroker.errors import HandlerError, NoticeError
from gwbroker.notice import Notice
from gwbroker.streams import igwn
from gwbroker.streams.igwn import TOPIC, read, stream

ALERT: dict[str, Any] = {
    "alert_type": "PRELIMINARY", "superevent_id": "S190814bv",
    "time_created": "2019-08-14T21:31:41Z",
    "event": {"time": "2019-08-14T21:10:39.013Z", "far": 2.0e-33, "significant": True,
              "skymap": base64.b64encode(b"FITS").decode(), "new_field": [1]},
}


def notice(**changes: Any) -> Notice:
    """Return an alert with some fields changed."""
    return Notice(json.dumps({**ALERT, **changes}).encode(), topic=TOPIC)


def with_event(**changes: Any) -> Notice:
    """Return an alert with some fields of its event changed."""
    return notice(event={**ALERT["event"], **changes})


@pytest.mark.parametrize("wrong", ["preliminary", "FINAL", "", 3, None])
def test_an_unknown_alert_type_is_refused_with_those_there_are(wrong: Any):
    with pytest.raises(HandlerError, match="PRELIMINARY, INITIAL"):
        igwn.handler(wrong)


def test_alerts_are_wanted_by_type_and_without_types_all_are():
    assert stream.wants((), notice())
    assert stream.wants(("PRELIMINARY", "INITIAL"), notice())
    assert not stream.wants(("RETRACTION",), notice())
    assert not stream.wants((), Notice(b"", topic="other"))
    assert stream.topics(("INITIAL",)) == {TOPIC}


def test_where_gets_the_alert_with_the_fields_of_its_event():
    alert = stream.alert(notice())
    assert (alert.far, alert.significant, alert.superevent_id) == (2.0e-33, True, "S190814bv")
    assert alert.skymap_bytes() == b"FITS"
    assert (alert.mock, alert.test) == (False, False)
    assert str(alert.t0) == "2019-08-14 21:10:39.013000+00:00"


def test_a_predicate_need_not_ask_whether_a_retraction_has_an_event():
    alert = read(notice(alert_type="RETRACTION", event=None))
    assert math.isnan(alert.far)
    assert not alert.far < 1e-8
    assert alert.skymap_bytes() is None
    with pytest.raises(AttributeError):
        _ = alert.no_such_field


@pytest.mark.parametrize(("changed", "field"), [
    ({"superevent_id": None}, "superevent_id"), ({"superevent_id": ""}, "superevent_id"),
    ({"superevent_id": "S" * 1000}, "superevent_id"), ({"alert_type": 3}, "alert_type"),
    ({"event": "text"}, "event"), ({"event": {"far": -1}}, "event.far"),
    ({"event": {"far": "often"}}, "event.far"), ({"event": {"skymap": 1}}, "event.skymap"),
])
def test_an_absurd_field_is_an_error_that_names_it(changed: dict[str, Any], field: str):
    with pytest.raises(NoticeError) as caught:
        read(notice(**changed))
    assert caught.value.field.startswith(field)


@pytest.mark.parametrize("payload", [b"", b"[]", b"null", b"{}", b"{", b"\xff", b"<a/>"])
def test_what_is_no_alert_is_a_notice_error(payload: bytes):
    with pytest.raises(NoticeError):
        stream.wants(("INITIAL",), Notice(payload, topic=TOPIC))


def test_a_sky_map_that_is_not_base64_is_named():
    with pytest.raises(NoticeError, match=r"event.skymap: is not base64"):
        read(with_event(skymap="not base64!")).skymap_bytes()
