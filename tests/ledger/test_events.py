"""Events in the ledger: found by any of their names, with their history and products."""

from __future__ import annotations

import hashlib
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from gwbroker.errors import NotFound
from gwbroker.ledger import events as rows
from gwbroker.ledger import notices as notice_rows
from gwbroker.ledger.engine import read, write
from gwbroker.notice import Notice

pytestmark = pytest.mark.usefixtures("ledger")

DETAILS = {"name": "S190814bv", "kind": "gw", "role": "real", "state": "open", "t0": 1565816942.0}


def find_or_open(*names: str) -> tuple[int, bool]:
    """Find or open an event in a transaction of its own."""
    with write() as connection:
        return rows.find_or_open(connection, names, **DETAILS)


def keep(*payloads: bytes) -> list[int]:
    """Keep notices; return their numbers."""
    with write() as connection:
        kept = notice_rows.keep(connection, [Notice(p) for p in payloads], [None] * len(payloads))
    return [k.id for k in kept]


def test_an_event_is_opened_once_and_found_by_any_of_its_names():
    number, new = find_or_open("gw:S190814bv", "gw:G347305")
    assert new
    assert find_or_open("gw:G347305") == (number, False)
    assert find_or_open("gw:S190814bv", "gw:more") == (number, False)
    assert find_or_open("gw:more") == (number, False)
    assert find_or_open("gw:other")[1]


def test_names_of_two_events_lead_to_the_older_one():
    older, _ = find_or_open("a")
    find_or_open("b")
    assert find_or_open("b", "a") == (older, False)


def test_the_same_event_opened_by_many_at_once_is_one():
    with ThreadPoolExecutor(6) as pool:
        found = list(pool.map(lambda i: find_or_open("gw:S1", f"alias:{i}"), range(6)))
    assert len({number for number, _ in found}) == 1
    assert [new for _, new in found].count(True) == 1


def test_notices_about_an_event_are_revisions_counted_from_one():
    number, _ = find_or_open("a")
    first, second = keep(b"1", b"2")
    with write() as connection:
        assert rows.link(connection, number, first, "preliminary", 10.0) == 1
        assert rows.link(connection, number, second, "update", None) == 2
        assert rows.link(connection, number, first, "preliminary", 10.0) == 1
    with read() as connection:
        history = rows.history(connection, number)
    assert [(h["notice_id"], h["revision"], h["alert"], h["issued"]) for h in history] == [
        (first, 1, "preliminary", 10.0), (second, 2, "update", None)]


def test_a_change_is_seen_and_dated():
    number, _ = find_or_open("a")
    with write() as connection:
        rows.change(connection, number, {"state": "retracted", "facts": {"far": 1e-9}})
    with read() as connection:
        event = rows.get(connection, number)
    assert (event["state"], event["facts"]) == ("retracted", {"far": 1e-9})
    assert event["updated"] >= event["created"]
    with read() as connection, pytest.raises(NotFound, match="no event 99"):
        rows.get(connection, 99)


def test_a_product_made_again_replaces_its_row():
    number, _ = find_or_open("a")
    (notice,) = keep(b"1")
    for content in (b"old", b"new"):
        with write() as connection:
            rows.add_product(
                connection, event_id=number, notice_id=notice, kind="map", path="a/b.png",
                digest=hashlib.sha256(content).digest(), size=3, facts={})
    with read() as connection:
        (event,) = rows.listing(connection)
    (product,) = event["products"]
    assert product["sha256"] == hashlib.sha256(b"new").hexdigest()
    assert (product["notice"], product["path"]) == (notice, "a/b.png")


def test_the_listing_has_the_newest_last_with_their_names_and_notices():
    first, second = find_or_open("a", "z")[0], find_or_open("b")[0]
    (notice,) = keep(b"1")
    with write() as connection:
        rows.link(connection, second, notice, "initial", time.time())
    with read() as connection:
        found = rows.listing(connection)
        assert [e["id"] for e in rows.listing(connection, limit=1)] == [second]
        assert [e["id"] for e in rows.listing(connection, notice=notice)] == [second]
        assert rows.listing(connection, kind="grb") == []
    assert [e["id"] for e in found] == [first, second]
    assert (found[0]["identifiers"], found[1]["notices"]) == (["a", "z"], [notice])


@pytest.mark.parametrize("word", ["S190814bv", "gw:G347305", "G347305", "1"])
def test_an_event_is_found_by_name_identifier_its_last_part_or_number(word: str):
    number, _ = find_or_open("gw:S190814bv", "gw:G347305")
    with read() as connection:
        assert rows.search(connection, word) == number
        assert rows.search(connection, "%") is None
        assert rows.search(connection, "347305") is None


def test_events_near_a_time_are_real_open_and_of_the_kinds_asked_for():
    wanted = {"role": "real", "state": "open", "kind": "grb"}
    rows_of = {"early": {"t0": 99.0}, "edge": {"t0": 100.0}, "inside": {"t0": 105.0},
               "late": {"t0": 110.1}, "unknown": {"t0": None}, "mock": {"role": "mock"},
               "test": {"role": "test"}, "gone": {"state": "retracted"}, "other": {"kind": "gw"}}
    with write() as connection:
        for name, values in rows_of.items():
            rows.find_or_open(connection, [name], name=name,
                              **{"t0": 105.0, **wanted, **values})
    with read() as connection:
        found = rows.between(connection, {"grb", "frb"}, 100.0, 110.0)
        assert [row["name"] for row in found] == ["edge", "inside"]
        assert rows.between(connection, set(), 0.0, 1e9) == []
        assert rows.names(connection, found[0]["id"]) == ["edge"]
