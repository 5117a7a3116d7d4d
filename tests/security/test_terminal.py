"""What strangers send commands no terminal, and passes for no line of the log or of doctor."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from click.testing import CliRunner

from gwbroker.cli import gwbroker
from gwbroker.cli.output import visible
from gwbroker.ledger import events as event_rows
from gwbroker.ledger import jobs as job_rows
from gwbroker.ledger.engine import write
from gwbroker.ledger.jobs import Draft
from gwbroker.oneline import OneLine, attach

EVIL = "\x1b]0;owned\x07\x1b[2J\x9b1;1Hgood\nok    ledger    all is well\r\u202e"


@pytest.fixture
def evil(sqlite: str) -> None:
    """A dead job and an event in which a stranger's text stands."""
    with write() as connection:
        job_rows.add(connection, [Draft("mine", "general", error=EVIL)])
        number, _ = event_rows.find_or_open(connection, ["x:1"], kind="grb", name=EVIL,
                                            role="real", state="open")
        event_rows.change(connection, number, {
            "flags": [{"notice": 1, "problem": EVIL}], "facts": {"said": EVIL}})


@pytest.mark.usefixtures("evil")
@pytest.mark.parametrize("words", [
    ("doctor",), ("jobs",), ("jobs", "show", "1"), ("events",), ("events", "show", "x:1"),
    ("events", "show", EVIL + "?"), ("ledger", "check")])
def test_no_command_hands_control_characters_on(words: tuple[str, ...]) -> None:
    said = CliRunner().invoke(gwbroker, words).output
    assert said
    assert not set(said) & set("\x1b\x07\x9b\r\u202e")


@pytest.mark.usefixtures("evil")
def test_no_line_of_doctor_is_anybody_else_s() -> None:
    lines = CliRunner().invoke(gwbroker, ["doctor"]).output.splitlines()
    assert not any(line.startswith("ok    ledger    all is well") for line in lines)
    assert any("all is well" in line for line in lines if line.startswith("warn"))


def test_letters_of_all_languages_stay_as_they_are() -> None:
    assert visible("α Ori, naïve, 星, 🌌, line\nline") == "α Ori, naïve, 星, 🌌, line\nline"


def test_a_message_in_the_log_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    logger = logging.Logger("gwbroker.test")
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(levelname)s %(message)s"))
    logger.addHandler(handler)
    attach(logger)
    attach(logger)
    assert len(handler.filters) == 1
    logger.warning("refused %s of %d", EVIL, 7)
    try:
        raise ValueError("of ours")
    except ValueError:
        logger.exception("α %s", "plain\ttext")
    said = capsys.readouterr().err.splitlines()
    assert said[0].startswith("WARNING refused \\x1b]0;owned\\x07")
    assert said[0].endswith("of 7")
    assert said[1] == "ERROR α plain\ttext"
    assert said[2].startswith("Traceback")


def test_lines_of_others_are_left_alone() -> None:
    record: Any = logging.LogRecord("celery.app", logging.INFO, "", 1, "a\nb %s", ("c",), None)
    assert OneLine().filter(record)
    assert record.getMessage() == "a\nb c"
