"""JSON notices are held against a schema of our own: what does not fit is flagged, never lost."""

from __future__ import annotations

import json
import socket
from typing import Any

import pytest

from gwbroker.handlers.pinned import FIELDS
from gwbroker.handlers.unified import read
from gwbroker.intake import accept
from gwbroker.notice import Notice
from gwbroker.report import Report

TOPIC = "gcn.notices.einstein_probe.wxt.alert"


def report(**value: Any) -> Report:
    """Return what a notice with these fields says."""
    notice = Notice(json.dumps({
        "id": ["1"], "ra": 1.0, "dec": 2.0, "ra_dec_error": 0.1, **value}).encode(), topic=TOPIC)
    return read(notice, kind="xray", label="EP", containment="ep-wxt")


def flags(**value: Any) -> tuple[str, ...]:
    """Return what is flagged in a notice with these fields."""
    return report(**value).flags


@pytest.mark.parametrize(("value", "words"), [
    ({"mission": 5}, "mission: 5 is a number, where the schema has text"),
    ({"systematic_included": "yes"}, "is text, where the schema has true or false"),
    ({"rate_energy_range": 4}, "is a number, where the schema has a list"),
    ({"detector_status": ["on"]}, "is a list, where the schema has an object"),
    ({"t90_error": {}}, "is an object, where the schema has a number or a list"),
    ({"net_count_rate": "3"}, "is text, where the schema has a number"),
    ({"event_name": True}, "is true or false, where the schema has text or a number or a list"),
])
def test_a_value_of_another_kind_is_flagged_with_field_and_value(value: Any, words: str):
    (flag,) = flags(**value)
    assert words in flag


def test_what_fits_and_what_nobody_has_heard_of_is_not_flagged():
    assert flags(mission="EP", record_number=2, t90_error=[0.1], image_snr=None,
                 of_tomorrow={"a": [1]}, classification={"GRB": 0.9}) == ()


def test_a_field_is_flagged_once():
    assert len(flags(far="often")) == 1
    assert len(flags(alert_type=5)) == 1


@pytest.mark.parametrize("name", sorted(FIELDS))
def test_no_wrong_value_hides_the_event(name: str):
    for value in (5, "x", True, [], {}, None, [[[]]], -1e308):
        if name in ("id", "ra", "dec", "event_name"):
            continue
        found = report(**{name: value})
        assert (found.identifiers, found.kind) == (report().identifiers, "xray")
        # These say how large the region is.
        if name not in ("ra_dec_error", "containment_probability"):
            assert found.localization == report().localization


def test_the_schema_that_a_notice_names_is_never_fetched(sqlite: str):
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.2)
        address = f"http://127.0.0.1:{server.getsockname()[1]}/notice.schema.json"
        value = {"$schema": address, "$ref": address, "id": ["1"], "mission": 5, "ra": 1}
        (kept,) = accept([Notice(json.dumps(value).encode(), "kafka.gcn", TOPIC, 0, 1)])
        assert any("mission" in flag for flag in flags(**value))
        with pytest.raises(TimeoutError):
            server.accept()
    assert kept is not None
    assert kept.first
