"""``gwbroker replay`` of notices that the ledger or Kafka has."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from gwbroker import cli, jobs
from gwbroker.conf import settings
from gwbroker.embedded.kafka import MockKafka
from gwbroker.intake import accept
from gwbroker.ledger import jobs as rows
from gwbroker.ledger import ranges
from gwbroker.ledger.engine import read
from gwbroker.notice import Notice

START = datetime(2026, 11, 1, tzinfo=UTC)

HANDLERS = '''
from gwbroker.streams import kafka
CALLS = []

@kafka.handler("t")
def on_t(notice):
    CALLS.append((notice.payload, notice.replay))

@kafka.handler("t", tells=True)
def mail(notice):
    CALLS.append(("mail", notice.replay))
'''


@pytest.fixture(autouse=True)
def _alone(
    handlers: Callable[[str], Path], sqlite: str, monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A ledger with ten notices, one an hour, and no wire."""
    monkeypatch.setattr(jobs, "_wire", jobs._Wire())
    jobs.stay_here()
    handlers(HANDLERS)
    accept([Notice(str(n).encode(), "kafka.test", "t", partition=0, offset=n,
                   sent=START + timedelta(hours=n)) for n in range(10)])


def gwbroker(*arguments: str) -> Result:
    """Run a command in this process."""
    return CliRunner().invoke(cli.gwbroker, arguments, prog_name="gwbroker")


def replayed(*arguments: str) -> dict[str, Any]:
    """Run a replay and return what it says."""
    result = gwbroker("replay", "--json", *arguments)
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def count() -> int:
    """Return how many jobs there are."""
    with read() as connection:
        return len(rows.listing(connection, limit=1000))


def test_a_dry_run_shows_the_handlers_and_changes_nothing() -> None:
    before = count()
    found = replayed("--source", "test", "--from", "2026-11-01T02:00Z", "--to",
                     "2026-11-01T04:00Z", "--dry-run")
    assert (found["notices"], found["dry_run"]) == (2, True)
    assert [(c["notice"], c["handler"], c["what"]) for c in found["calls"]] == [
        (3, "mine.on_t", "run"), (3, "mine.mail", "not called: a replay tells nobody"),
        (4, "mine.on_t", "run"), (4, "mine.mail", "not called: a replay tells nobody")]
    text = gwbroker("replay", "--source", "test", "--last", "1", "--dry-run").stdout
    assert "mine.on_t" in text
    assert "1 notices, 2 calls. Nothing was changed." in text
    assert count() == before


def test_a_range_is_replayed_here_and_its_jobs_are_listed_by_label() -> None:
    result = gwbroker("replay", "--topic", "t", "--partition", "0", "--offsets", "4:6", "--here",
                      "--handler", "mine.on_t", "--label", "again")
    assert result.exit_code == 0, result.output
    assert sys.modules["mine"].CALLS == [(b"4", "again"), (b"5", "again")]
    assert "2 notices replayed as again" in result.stdout
    listed = json.loads(gwbroker("jobs", "--replay", "again", "--json").stdout)
    assert [(j["state"], j["replay"], j["priority"]) for j in listed] == [("done", "again", 1)] * 2
    assert "There is no replay never" in gwbroker("jobs", "--replay", "never").stdout


def test_more_jobs_than_are_looked_at_at_once_run_here_in_their_order(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ranges.left, "__defaults__", (3,))
    replayed("--source", "test", "--here", "--handler", "mine.on_t", "--label", "again")
    assert [call[0] for call in sys.modules["mine"].CALLS] == [
        str(n).encode() for n in range(10)]


def test_a_replay_is_gone_on_with_by_its_label_and_tells_only_if_asked() -> None:
    found = replayed("--source", "kafka.test", "--last", "2")
    assert found["jobs"] == {"mine.mail": {"pending": 2}, "mine.on_t": {"pending": 2}}
    assert replayed("--source", "kafka.test", "--last", "3", "--label", found["label"])[
        "jobs"] == {"mine.mail": {"pending": 3}, "mine.on_t": {"pending": 3}}
    replayed("--last", "1", "--tell", "--here")
    assert "mail" in [call[0] for call in sys.modules["mine"].CALLS]


@pytest.mark.parametrize(("arguments", "code", "words"), [
    ((), 2, "Name files, or say which notices"),
    (("--from", "2026-11-03", "--to", "2026-11-02"), 2, "is not before"),
    (("--from", "2026-11-02", "--to", "2026-11-02"), 2, "nothing is between them"),
    (("--from", "yesterday"), 2, "neither a day nor a time"),
    (("--source", "nasa"), 2, "there is no source 'nasa'; known: kafka.test"),
    (("--from", "2027-01-01"), 2, "the ledger has no notice from 2027-01-01T00:00:00Z"),
    (("--topic", "t", "--offsets", "1:2"), 2, "--offsets needs one --topic and its --partition"),
    (("--topic", "t", "--partition", "0", "--offsets", "5:5"), 2, "END is not included"),
    (("--topic", "t", "--partition", "0", "--offsets", "five"), 2, "is not FIRST:END"),
    (("--partition", "0", "--last", "1"), 2, "--partition needs one --topic"),
    (("--last", "0"), 2, "0 is not in the range"),
    (("--last", "9" * 20), 2, "is not in the range"),
    (("--from", "9999-12-31T23:59:59-05:00"), 2, "is not between the years 1 and 9999"),
    (("--topic", "t", "--partition", "9" * 20, "--last", "1"), 2, "is not in the range"),
    (("--topic", "t", "--partition", "0", "--offsets", f"1:{'9' * 20}"), 2, "any offset"),
    (("--last", "1", "--handler", "mine.retired"), 1, "no handler or task named 'mine.retired'"),
    (("--last", "1", "--label", "two words"), 2, "cannot be used"),
    (("--last", "1", "--kafka"), 2, "none is configured"),
    (("--last", "1", "--stream", "gcn"), 2, "--stream is for files"),
    ((__file__, "--tell"), 2, "--tell is not for files"),
    ((__file__, "--topic", "a", "--topic", "b"), 2, "give --topic once"),
])
def test_what_cannot_be_done_is_said_in_one_sentence(
    arguments: tuple[str, ...], code: int, words: str,
) -> None:
    result = gwbroker("replay", *arguments)
    assert (result.exit_code, words in result.output) == (code, True), result.output
    assert "Traceback" not in result.output


def test_who_stops_a_replay_is_told_how_to_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    def stopped(_replay: object, _page: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("gwbroker.replays.Replay.submit", stopped)
    result = gwbroker("replay", "--last", "2", "--label", "mine")
    assert "Stopped after 0 of 2 notices" in result.stderr
    assert "--label mine" in result.stderr
    assert result.exit_code == 1


def test_a_time_without_a_zone_is_utc_and_that_is_said() -> None:
    result = gwbroker("replay", "--from", "2026-11-01T05:00", "--to", "2026-11-02", "--dry-run")
    assert "2026-11-01T05:00 has no zone; taken as 2026-11-01 05:00:00 UTC." in result.stderr
    assert "2026-11-02 has no zone; taken as 2026-11-02 00:00:00 UTC." in result.stderr
    assert "5 notices" in result.stdout
    result = gwbroker("replay", "--from", "2026-11-01T05:00+02:00", "--dry-run")
    assert "no zone" not in result.stderr
    assert "7 notices" in result.stdout


def test_messages_that_only_kafka_has_are_kept_and_replayed(
    environment: pytest.MonkeyPatch, tmp_path: Path,
) -> None:
    with MockKafka() as kafka:
        for payload in (b"8", b"9", b"only in Kafka"):
            kafka.producer.produce("t", payload, partition=0)
        kafka.producer.flush(10)
        file = tmp_path / "gwbroker.toml"
        file.write_text(f'[kafka.test]\nbootstrap_servers = "{kafka.bootstrap_servers}"\n')
        environment.setenv("GWBROKER_CONFIG", str(file))
        settings.cache_clear()
        plan = replayed("--kafka", "--topic", "t", "--dry-run", "--handler", "mine.on_t")
        assert [(c["notice"], c["offset"]) for c in plan["calls"]] == [(9, 0), (10, 1), (None, 2)]
        found = replayed("--kafka", "--source", "test", "--topic", "t", "--here")
        assert found["notices"] == 3
        assert {c[0] for c in sys.modules["mine"].CALLS} == {b"8", b"9", b"only in Kafka"}
        # Topics that handlers ask for, if none is named; those that are not there do not matter.
        assert replayed("--kafka", "--last", "2")["notices"] == 2
        result = gwbroker("replay", "--kafka", "--topic", "t", "--partition", "0", "--offsets",
                          "7:")
        assert result.exit_code == 2
        assert "Kafka has no message on t in partition 0 with offsets from 7 up to the end" \
            in result.output
