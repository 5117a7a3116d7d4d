"""A ledger goes from one database to another without a change; a damaged export is refused."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from gwbroker.conf import settings
from gwbroker.errors import LedgerError
from gwbroker.intake import accept
from gwbroker.ledger import engine, transfer
from gwbroker.ledger import jobs as job_rows
from gwbroker.ledger import notices as rows
from gwbroker.ledger.engine import read, write
from gwbroker.ledger.jobs import Draft
from gwbroker.notice import Notice

from ..servers import PostgreSQL
from .whole import BODIES, content, write_whole


def use(environment: pytest.MonkeyPatch, url: str | None) -> None:
    """Go over to another ledger."""
    if url is None:
        environment.delenv("GWBROKER_DATABASE_URL", raising=False)
    else:
        environment.setenv("GWBROKER_DATABASE_URL", url)
    settings.cache_clear()
    engine.dispose()


def exported() -> bytes:
    """Return an export of the ledger."""
    file = io.BytesIO()
    transfer.export(file)
    return file.getvalue()


def test_a_ledger_goes_to_postgresql_and_back_without_a_change(
    sqlite: str, home: Path, postgresql: PostgreSQL, environment: pytest.MonkeyPatch,
):
    write_whole(home)
    before, first = content(), exported()
    assert all(before.values())
    database = postgresql.fresh("template")
    use(environment, postgresql.url(database))
    assert transfer.import_(io.BytesIO(first)) == sum(map(len, before.values()))
    assert content() == before
    assert exported() == first
    # What comes next has numbers of its own.
    with write() as connection:
        (job,) = job_rows.add(connection, [Draft("h", "general", 1)])
    assert job.id == len(before["jobs"]) + 1
    (kept,) = accept([Notice(b"next", "kafka.local", "a.topic", 0, 99)])
    assert kept.id == len(before["notices"]) + 1
    with read() as connection:
        assert [rows.load(connection, n).payload for n in range(1, 5)] == list(BODIES)
    after, second = content(), exported()
    use(environment, f"sqlite:///{home / 'again.sqlite'}")
    transfer.import_(io.BytesIO(second))
    assert content() == after
    assert exported() == second
    use(environment, None)
    postgresql.drop(database)


@pytest.mark.usefixtures("ledger")
def test_a_ledger_with_anything_in_it_takes_no_import(home: Path):
    write_whole(home)
    with pytest.raises(LedgerError, match="is not empty: its table"):
        transfer.import_(io.BytesIO(exported()))


@pytest.mark.usefixtures("ledger")
def test_an_export_that_was_cut_or_changed_imports_nothing(
    home: Path, environment: pytest.MonkeyPatch,
):
    write_whole(home)
    lines = exported().splitlines(keepends=True)
    head = json.loads(lines[0])
    use(environment, f"sqlite:///{home / 'again.sqlite'}")
    place = next(n for n, line in enumerate(lines) if line.startswith(b'["payloads"'))
    for damaged, said in (
        ([], "ends before its end"),
        (lines[:-1], "it was cut"),
        ([*lines[:-1], lines[-1][:20]], f"line {len(lines)}"),
        ([*lines[:5], *lines[6:]], "rows are missing"),
        ([*lines[:place], lines[place].replace(b'"text":"', b'"text":"y'), *lines[place + 1:]],
         "rows are missing or were changed"),
        ([*lines, lines[-2]], "something follows"),
        ([*lines[:3], b"\xff\xfe\n", *lines[3:]], "line 4"),
        ([b"{}\n"], "no export of a ledger"),
        ([json.dumps({**head, "schema": "0001"}).encode()], "has schema 0001"),
        ([lines[0], b'["nothing",{}]\n'], "no table 'nothing'"),
        ([lines[0], b'["leases",{"nothing":1}]\n'], "has no nothing"),
        ([lines[0], b"3\n"], "line 2"),
        ([lines[0], b"[" * 100_000], "line 2"),
        ([lines[0], b'["cursors",{"name":"a","position":%d}]\n' % 10**20], "were changed"),
        ([lines[0], b'["cursors",{"name":"\\ud800","position":1}]\n'], "were changed"),
    ):
        with pytest.raises(LedgerError, match=said):
            transfer.import_(damaged)
        assert not any(content().values())
    transfer.import_(lines)


@pytest.mark.usefixtures("ledger")
def test_an_export_is_of_one_moment_also_while_notices_arrive():
    stop = threading.Event()

    def arrive() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            accept([Notice(b"%d" % number, "kafka.local", "a.topic", 0, number)])

    thread = threading.Thread(target=arrive)
    thread.start()
    try:
        for _ in range(10):
            counted = [json.loads(line)[0] for line in exported().splitlines()[1:-1]]
            assert counted.count("notices") == counted.count("payloads")
    finally:
        stop.set()
        thread.join()


@pytest.mark.skipif(sys.platform != "linux", reason="there is no /proc")
@pytest.mark.usefixtures("sqlite")
def test_memory_is_bounded_by_some_messages():
    with write() as connection:
        for number in range(40):
            rows.keep(connection, [Notice(b"%d" % number * 1_500_000, "k", "t", 0, number)], [None])
    code = ("from gwbroker.ledger import transfer\n"
            "with open('/dev/null', 'wb') as f: transfer.export(f)\n"
            "print(next(x.split()[1] for x in open('/proc/self/status') if 'VmHWM' in x))")
    peak = int(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True,
                              check=True, timeout=60).stdout) / 1024
    # All of them are about 110 MB, and as text as much again.
    assert peak < 130
