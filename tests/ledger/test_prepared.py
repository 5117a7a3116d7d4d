"""Statements with lists of values find the same whatever the length of the lists."""

from __future__ import annotations

import pytest
from sqlalchemy import or_, select

from gwbroker.ledger import jobs as job_rows
from gwbroker.ledger import notices as rows
from gwbroker.ledger.engine import read, write
from gwbroker.ledger.jobs import Draft
from gwbroker.ledger.models import notices
from gwbroker.ledger.prepared import SIZES, PreparedLists
from gwbroker.notice import Notice

pytestmark = pytest.mark.usefixtures("ledger")

OF_TOPICS = PreparedLists(lambda values: select(notices.c.id).where(
    or_(notices.c.topic.in_(values("topic")), notices.c.offset.in_(values("place"))))
    .order_by(notices.c.id))


def kafka(number: int) -> Notice:
    """Return a notice of its own topic."""
    return Notice(b"%d" % number, source="kafka.local", topic=f"t{number}", partition=0,
                  offset=number)


def numbers(topics: list[str], places: list[int]) -> list[int]:
    """Return the numbers of the notices with one of these topics, or one of these offsets."""
    with read() as connection:
        return [row[0] for row in OF_TOPICS(connection, topic=topics, place=places)]


@pytest.mark.parametrize("length", sorted({n + more for n in SIZES for more in (-1, 0, 1)}))
def test_lists_of_any_length_find_what_is_in_them(length: int):
    with write() as connection:
        kept = rows.keep(connection, [kafka(n) for n in range(600)], [None] * 600)
    length = min(length, SIZES[-1])
    expected = [kept[n].id for n in range(length)]
    assert numbers([f"t{n}" for n in range(length)], []) == expected
    assert numbers([], list(range(length))) == expected
    if length:
        assert numbers(["t599"], list(range(length - 1))) == [*expected[:-1], kept[599].id]


def test_more_notices_than_a_statement_takes_are_kept_and_recognised_in_one_transaction():
    many = [kafka(n) for n in range(1300)]
    names: list[str | None] = [f"name:{n}" for n in range(1300)]
    with write() as connection:
        first = rows.keep(connection, many, names)
    assert [each.id for each in first] == list(range(first[0].id, first[0].id + 1300))
    assert all(each.new and each.revision_of is None for each in first)
    others = [Notice(b"other", source="kafka.local", topic="t", partition=1, offset=n)
              for n in range(1300)]
    with write() as connection:
        assert [(each.id, each.new) for each in rows.keep(connection, many, names)] == \
            [(each.id, False) for each in first]
        # The same bytes 1300 times, and other bytes under names that are known.
        same = rows.keep(connection, others, [None] * 1300)
        assert {each.root for each in same} == {same[0].id}
        assert [each.id for each in rows.keep(connection, others, [None] * 1300)] == \
            [each.id for each in same]
        again = [Notice(b"!%d" % n, source="x", topic="t") for n in range(1300)]
        assert [each.revision_of for each in rows.keep(connection, again, names)] == \
            [each.id for each in first]


def test_more_jobs_than_a_statement_takes_are_added_once_each():
    drafts = [Draft("h", "general", key=f"k{n}") for n in range(1300)]
    with write() as connection:
        added = job_rows.add(connection, drafts[:700] + drafts[:10])
        more = job_rows.add(connection, drafts)
        assert (len(added), len(more)) == (700, 600)
        assert len({job.id for job in [*added, *more]}) == 1300
        assert job_rows.add(connection, drafts) == []
