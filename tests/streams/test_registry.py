"""A mistake in a decorator is refused at import, and the message names the remedy."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from gwbroker.errors import HandlerError
from gwbroker.streams import gcn, igwn, kafka, voevent
from gwbroker.streams.registry import registrations


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    before = dict(registrations)
    yield
    registrations.clear()
    registrations.update(before)


def on_message(notice: Any) -> Any:
    """Stand in for a handler."""
    return notice


@pytest.mark.parametrize("decorator", [
    kafka.handler("a.topic"), igwn.handler(), igwn.handler("INITIAL"), voevent.handler(),
    gcn.handler("gcn.circulars"), gcn.handler(gcn.NoticeType.FERMI_GBM_FIN_POS, "gcn.heartbeat"),
    kafka.handler("a", "b", queue="openmp", retries=0, backoff=0.5, time_limit=1, name="x.y-z",
                  where=lambda a: True, max_age=3600, tells=True, batch=10),
])
def test_the_function_is_returned_unchanged(decorator: Callable[[Any], Any]):
    assert decorator(on_message) is on_message
    assert on_message("a notice") == "a notice"


@pytest.mark.parametrize(("options", "words"), [
    ({"retry": 3}, ["unknown option retry", "Accepted: queue, retries"]),
    ({"queue": "fast"}, ["unknown queue 'fast'", "general, openmp, events"]),
    ({"queue": "listeners"}, ["unknown queue", "general"]),
    ({"retries": -1}, ["retries=-1", "0 to 100"]),
    ({"retries": 1.5}, ["retries=1.5", "whole number"]),
    ({"retries": True}, ["retries=True"]),
    ({"backoff": 0}, ["backoff=0", "more than 0"]),
    ({"backoff": float("nan")}, ["backoff=nan"]),
    ({"time_limit": "60"}, ["time_limit='60'", "seconds"]),
    ({"time_limit": 1e9}, ["time_limit", "86400"]),
    ({"where": "a.far < 1"}, ["where=", "lambda"]),
    ({"max_age": 0}, ["max_age=0", "more than 0"]),
    ({"max_age": float("nan")}, ["max_age=nan"]),
    ({"max_age": "1 day"}, ["max_age='1 day'", "seconds"]),
    ({"tells": 1}, ["tells=1", "True or False"]),
    ({"name": "two words"}, ["not a usable name", "letters"]),
    ({"name": "../x"}, ["not a usable name"]),
])
def test_a_bad_option_is_refused_with_what_would_do(options: dict[str, Any], words: list[str]):
    with pytest.raises(HandlerError) as caught:
        kafka.handler("a.topic", **options)(on_message)
    assert all(word in str(caught.value) for word in words), str(caught.value)
    assert not any(r.function is on_message for r in registrations.values())


def test_the_same_name_for_two_functions_is_refused_with_both_places():
    def another(notice: Any) -> None:
        """Stand in for another handler."""

    kafka.handler("a", name="mine")(on_message)
    with pytest.raises(HandlerError, match="declared twice") as caught:
        kafka.handler("b", name="mine")(another)
    assert str(caught.value).count("test_registry.py:") == 2
    assert "Rename one" in str(caught.value)


def test_the_same_function_declared_again_is_the_same_handler():
    kafka.handler("a", name="mine")(on_message)
    kafka.handler("a", name="mine")(on_message)
    assert registrations["mine"].function is on_message


def test_a_decorator_without_brackets_is_refused():
    with pytest.raises(HandlerError, match="brackets"):
        igwn.handler(on_message)  # type: ignore[arg-type]
    with pytest.raises(HandlerError):
        kafka.handler(on_message)  # type: ignore[arg-type]


def test_what_cannot_be_called_with_one_notice_is_refused():
    for wrong in (lambda: None, lambda a, b: None):
        with pytest.raises(HandlerError, match=r"def handler\(notice\)"):
            kafka.handler("a", name="wrong")(wrong)
    with pytest.raises(HandlerError, match="is not a function"):
        kafka.handler("a", name="wrong")("text")  # type: ignore[type-var]


def test_a_handler_knows_where_it_is_written_and_its_defaults():
    kafka.handler("a", "b", name="mine")(on_message)
    made = registrations["mine"]
    assert made.origin.endswith(f"test_registry.py:{on_message.__code__.co_firstlineno}")
    assert (made.queue, made.topics, made.where) == ("general", {"a", "b"}, None)
    assert made.retries > 0
    kafka.handler("a")(on_message)
    assert f"{on_message.__module__}.on_message" in registrations
