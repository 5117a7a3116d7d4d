"""Event book-keeping: whatever order its notices come in, an event ends in the same state."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from gwbroker import jobs
from gwbroker.ledger import events as event_rows
from gwbroker.ledger import jobs as job_rows
from gwbroker.ledger import notices as notice_rows
from gwbroker.ledger.engine import read, write
from gwbroker.notice import Notice
from gwbroker.report import Cone, Report, unpack
from gwbroker.tasks import events, skymaps  # noqa: F401

T0 = datetime(2019, 8, 14, 21, 10, 39, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _alone(ledger: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A ledger of each kind, and no wire."""
    monkeypatch.setattr(jobs, "_wire", jobs._Wire())
    jobs.stay_here()


def keep(*payloads: bytes) -> list[Notice]:
    """Keep notices."""
    notices = [Notice(p, source="kafka.gcn", topic="igwn.gwalert") for p in payloads]
    with write() as connection:
        kept = notice_rows.keep(connection, notices, [None] * len(notices))
    return [notice.with_id(k.id) for notice, k in zip(notices, kept, strict=True)]


def report(alert: str, minutes: float | None, **values: Any) -> Report:
    """Return a report that its sender issued so many minutes after the event."""
    issued = None if minutes is None else T0 + timedelta(minutes=minutes)
    return Report(**{"kind": "gw", "name": "S190814bv", "identifiers": ("gw:S190814bv",),
                     "alert": alert, "issued": issued, "t0": T0, **values})


def the_event() -> dict[str, Any]:
    """Return the only event."""
    with read() as connection:
        (event,) = event_rows.listing(connection)
    return event


STORY = [
    report("preliminary", 20, facts={"far": 1e-9, "pipeline": "gstlal", "classified": "MassGap"},
           localization=Cone(1.0, 2.0, 3.0, 0.9)),
    report("initial", 60, facts={"far": 1e-10, "classified": "NSBH"},
           localization=Cone(1.0, 2.0, 2.0, 0.9)),
    report("update", 600, facts={"far": 2e-33}, t0=T0 + timedelta(seconds=1)),
    report("retraction", 900, retracted=True, t0=None),
]


def told(order: tuple[int, ...], story: list[Report] = STORY) -> dict[str, Any]:
    """Let the notices of a story come in an order, each of them twice; return the event."""
    notices = keep(*(f"{i}".encode() for i in range(len(story))))
    for index in (*order, *order):
        events.record(notices[index], story[index])
    event = the_event()
    assert sorted(event["notices"]) == sorted(n.id for n in notices if n.id is not None)
    return {key: event[key] for key in ("name", "kind", "role", "state", "t0", "facts")}


@pytest.mark.parametrize("order", list(itertools.permutations(range(4))))
def test_a_retracted_event_is_the_same_whatever_order_its_notices_came_in(order):
    assert told(order) == {
        "name": "S190814bv", "kind": "gw", "role": "real", "state": "retracted",
        "t0": T0.timestamp() + 1, "facts": {"far": 2e-33, "pipeline": "gstlal",
                                            "classified": "NSBH"}}


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_an_event_is_what_the_latest_notice_says_whatever_order_they_came_in(order):
    assert told(order, STORY[:3]) == {
        "name": "S190814bv", "kind": "gw", "role": "real", "state": "open",
        "t0": T0.timestamp() + 1, "facts": {"far": 2e-33, "pipeline": "gstlal",
                                            "classified": "NSBH"}}


def test_an_event_can_come_back_after_its_retraction():
    first, retraction, again = keep(b"1", b"2", b"3")
    events.record(first, STORY[0])
    events.record(retraction, STORY[3])
    assert the_event()["state"] == "retracted"
    events.record(again, report("update", 1000))
    assert the_event()["state"] == "open"


def test_each_localization_is_one_job_however_often_it_is_recorded():
    first, second = keep(b"1", b"2")
    for _ in range(2):
        events.record(first, STORY[0])
        events.record(second, STORY[1])
    with read() as connection:
        found = job_rows.listing(connection)
    assert [(j["handler"], j["queue"], j["notice"]) for j in found] == [
        (f"gwbroker.tasks.{name}", "openmp", n.id) for n in (first, second)
        for name in ("skymaps.localize", "coincidences.coincide")]
    event, notice, revision, place = found[2]["args"]
    assert (event, notice, revision) == (the_event()["id"], second.id, 2)
    assert unpack(place) == Cone(1.0, 2.0, 2.0, 0.9)


def test_what_is_wrong_with_a_notice_is_flagged_once_with_its_number():
    first, second = keep(b"1", b"2")
    events.record(first, report("initial", 1, flags=("ra: 400 is not a right ascension",)))
    events.record(second, report("update", 2, flags=("radius: 0",)))
    events.record(first, report("initial", 1, flags=("ra: 400 is not a right ascension",)))
    assert sorted(the_event()["flags"], key=lambda flag: flag["notice"]) == [
        {"notice": first.id, "problem": "ra: 400 is not a right ascension"},
        {"notice": second.id, "problem": "radius: 0"}]


def test_a_notice_without_time_of_issue_counts_by_its_arrival():
    first, second = keep(b"1", b"2")
    events.record(first, report("initial", None, facts={"far": 1.0}))
    events.record(second, report("update", None, facts={"far": 2.0}))
    assert the_event()["facts"] == {"far": 2.0}


def test_another_name_of_the_same_source_finds_the_event():
    first, second = keep(b"1", b"2")
    number = events.record(first, report("initial", 1, identifiers=("fermi:1", "grb:A")))
    assert events.record(second, report("update", 2, identifiers=("grb:A", "swift:9"))) == number
    assert the_event()["identifiers"] == ["fermi:1", "grb:A", "swift:9"]


def test_a_circular_is_linked_to_its_event_and_changes_nothing_else():
    first, circular, update = keep(b"1", b"2", b"3")
    number = events.record(first, STORY[0])
    before = the_event()
    assert events.attach(circular, ["GRB 000000A", "S190814bv"]) == number
    after = the_event()
    assert after["notices"] == [first.id, circular.id]
    assert {k: after[k] for k in ("state", "facts", "t0", "flags", "name")} == \
        {k: before[k] for k in ("state", "facts", "t0", "flags", "name")}
    # It came last, yet it is not what the event's state is read from.
    events.record(update, STORY[3])
    assert the_event()["state"] == "retracted"


def test_a_circular_about_nothing_known_is_linked_to_nothing():
    (circular,) = keep(b"1")
    assert events.attach(circular, ["S190814bv", ""]) is None
    assert events.attach(circular, []) is None


def test_a_notice_that_is_not_kept_cannot_be_recorded():
    with pytest.raises(ValueError, match="accept"):
        events.record(Notice(b"1"), STORY[0])


def test_the_position_of_the_map_stands_until_a_later_notice_tells_another():
    early, located, later = keep(b"1", b"2", b"3")
    number = events.record(located, report("initial", 60, facts={"ra": 10.0, "dec": 20.0}))
    with write() as connection:
        facts = event_rows.get(connection, number)["facts"]
        # As `localize` does, here with a map that was fetched and is finer than the notice.
        event_rows.change(connection, number, {
            "facts": {**facts, "ra": 10.5, "dec": 20.5, "skymap_notice": located.id}})
    events.record(early, report("preliminary", 20, facts={"ra": 13.0, "dec": 23.0}))
    events.record(located, report("initial", 60, facts={"ra": 10.0, "dec": 20.0}))
    assert (the_event()["facts"]["ra"], the_event()["facts"]["dec"]) == (10.5, 20.5)
    events.record(later, report("update", 90, facts={"ra": 11.0, "dec": 21.0}))
    assert (the_event()["facts"]["ra"], the_event()["facts"]["dec"]) == (11.0, 21.0)
